"""Running files on phones: one thread a phone, one run at a time on each."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from benchmarks.phone.adb import Adb, Phone, PhoneFault, PhoneGone, Stopped
from benchmarks.phone.cooling import cool_down
from benchmarks.phone.devices import Listed
from benchmarks.phone.document import Document, Settings
from benchmarks.phone.facts import Facts, id_of, read_facts
from benchmarks.phone.printable import last_words
from benchmarks.phone.records import Ask, Row
from benchmarks.phone.runner import Nonsense
from benchmarks.phone.state import read_state
from benchmarks.phone.storage import PROGRAM, Storage
from runtimes.console import Progress, progress, warn
from runtimes.errors import InputError
from runtimes.locks import claim

_SIGNALS = {132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL"}
_SIGNALS |= {139: "SIGSEGV", 143: "SIGTERM"}
_KILLED = 137


@dataclass(frozen=True)
class Connected:
    """A phone that can be measured.

    Attributes:
        phone: to talk to.
        id: in the record.
        facts: about it.
    """

    phone: Phone
    id: str
    facts: Facts


@contextmanager
def connect(adb: Adb, listed: Sequence[Listed], settings: Settings) -> Iterator[list[Connected]]:
    """Yields the phones, each held for this program alone and judged able to run the runner.

    Raises:
        InputError: another measurement holds one, it went away, or the runner is not for it.
    """
    with ExitStack() as stack:
        found = []
        for device in listed:
            name = id_of(device.serial)
            lock = Path(tempfile.gettempdir()) / f"dermport-{os.getuid()}-phone-{name}.lock"
            if not stack.enter_context(claim(lock)):
                raise InputError(
                    f"another measurement runs on {device.serial}; wait until it has ended."
                )
            phone = Phone(adb, device.serial)
            try:
                facts = read_facts(phone)
            except (PhoneGone, PhoneFault) as error:
                raise InputError(
                    f"{device.serial} does not answer: {error}. Plug it in again."
                ) from error
            settings.runner.check(facts)
            found.append(Connected(phone, name, facts))
        yield found


def measure_phones(phones: Sequence[Connected], document: Document) -> dict[str, str]:
    """Runs what is left on every phone, side by side, and keeps each row at once.

    Args:
        phones: from `connect`.
        document: takes the rows; each phone is in it already.

    Returns:
        id to why its measurement ended early, for those where it did.

    Raises:
        InputError: the record cannot be written.
        KeyboardInterrupt: passed on after the phones are tidied up.
    """
    left = sum(len(document.left(phone.id)) for phone in phones)
    total = len(phones) * len(document.settings.asks())
    stop = phones[0].phone.adb.stop
    with (
        progress("phone runs", total, total - left) as bar,
        ThreadPoolExecutor(len(phones)) as workers,
    ):
        counting = Lock()
        futures = {
            workers.submit(_measure, phone, document, bar, counting): phone for phone in phones
        }
        try:
            _wait_for(list(futures))
        finally:
            stop.set()  # leaving the block waits until every phone is tidied up
    return {phone.id: why for future, phone in futures.items() if (why := future.result())}


def _wait_for(futures: list[Future[str]]) -> None:
    """Waits in short steps, so that an interruption arrives; ends at the first error."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()


def _measure(connected: Connected, document: Document, bar: Progress, counting: Lock) -> str:
    """Runs what is left on one phone; returns why it ended early, or ""."""
    storage = Storage(connected.phone)
    left = document.left(connected.id)
    if not left:
        return ""
    why = ""
    try:
        storage.prepare(document.settings.runner.program)
        for file in document.settings.files:
            asks = [ask for ask in left if ask.file == file.name]
            for row in _rows(storage, file.path, asks, document.settings) if asks else ():
                document.add(connected.id, row)
                with counting:
                    bar.advance(1, f"{connected.phone.serial}: {row.ask}")
    except PhoneGone as error:
        return f"it went away ({error}); what was finished is kept. Plug it in again"
    except PhoneFault as error:
        why = str(error)
    except Stopped:
        why = "interrupted"
    finally:
        if not storage.clean():
            warn(f"{connected.phone.serial}: its folder could not be removed; the next run does.")
    return why


def _rows(storage: Storage, model: Path, asks: Sequence[Ask], settings: Settings) -> Iterator[Row]:
    """Yields the rows of one file, which is on the phone meanwhile."""
    try:
        target = storage.put(model)
    except PhoneFault as error:
        for ask in asks:
            yield Row(ask, fault=str(error))
        return
    for ask in asks:
        yield _row(storage, target, ask, settings)


def _row(storage: Storage, model: str, ask: Ask, settings: Settings) -> Row:
    phone, amount, runner = storage.phone, settings.amount, settings.runner
    before, waited = cool_down(phone, phone.serial, settings.cool_down, phone.adb.stop)
    row = Row(ask, before=before, waited=waited, cool=settings.cool_down.is_cool(before))
    words = runner.words(PROGRAM, model, ask, amount)
    began = time.monotonic()
    try:
        shell = storage.run(words, amount.limit)
    except PhoneFault as error:
        return replace(row, fault=str(error), seconds=time.monotonic() - began)
    row = replace(row, seconds=time.monotonic() - began, after=read_state(phone))
    if shell.code == _KILLED and row.seconds >= amount.limit:
        return replace(row, fault=f"it hung and was ended after {amount.limit:.0f} s")
    if shell.code != 0:
        return replace(row, fault=_death(shell.code, shell.text))
    try:
        told = runner.read(shell.text, ask, amount, row.seconds)
    except Nonsense as error:
        return replace(row, fault=str(error))
    return replace(row, ran=told.ran, figures=told.figures, notes=told.notes)


def _death(code: int, text: str) -> str:
    how = _SIGNALS.get(code, f"exit code {code}")
    said = last_words(text)
    return f"it ended with {how}" + (f": {said}" if said else "")
