"""Google's adb client as a child process: bounded output, time limits, and phones that go away."""

from __future__ import annotations

import os
import secrets
import selectors
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from benchmarks.phone.printable import last_words
from runtimes.errors import InputError

MOST_OUTPUT = 1 << 20
_SECONDS = 30.0
_SLOWEST_PUSH = 0.5e6  # bytes a second, over the worst of cables
_GRACE = 15.0
_NO_ROOM = ("No space left on device", "ENOSPC", "Disk quota exceeded", "File too large")


class PhoneGone(Exception):
    """The phone no longer answers; the text says how that showed."""


class PhoneFault(Exception):
    """The phone answers, and something on it failed; the text is for a row of a table."""


class Stopped(Exception):
    """The measurement was interrupted while a phone was at work."""


@dataclass(frozen=True)
class Answer:
    """What a call of adb came to.

    Attributes:
        code: its exit code; None if it was ended.
        text: its standard output, at most as long as was allowed.
        errors: its standard error, likewise.
        late: whether it was ended because its time was over.
        cut: whether it was ended because it printed more than was allowed.
    """

    code: int | None
    text: str
    errors: str
    late: bool = False
    cut: bool = False

    @property
    def said(self) -> str:
        """The last line of its complaints."""
        return last_words(self.errors, self.text) or "it says nothing"


@dataclass(frozen=True)
class Shell:
    """What a script on the phone came to: its exit code, and both its streams as one text."""

    code: int
    text: str


@dataclass(frozen=True)
class Adb:
    """The client.

    Attributes:
        program: its path.
        stop: ends every call that is under way once it is set.
    """

    program: Path
    stop: Event

    def call(self, *words: str, seconds: float = _SECONDS, most: int = MOST_OUTPUT) -> Answer:
        """Runs adb with these words.

        Raises:
            Stopped: `stop` was set meanwhile.
        """
        process = subprocess.Popen(
            [self.program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches this program alone, which tidies up the phone
        )
        with process:
            try:
                return self._answer(process, time.monotonic() + seconds, most)
            finally:
                if process.poll() is None:
                    process.kill()

    def _answer(self, process: subprocess.Popen[bytes], end: float, most: int) -> Answer:
        assert process.stdout is not None
        assert process.stderr is not None
        texts = {process.stdout: bytearray(), process.stderr: bytearray()}
        late = cut = False
        with selectors.DefaultSelector() as selector:
            for stream in texts:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map() and not late and not cut:
                if self.stop.is_set():
                    raise Stopped
                ready = selector.select(0.1)
                for key, _ in ready:
                    part = os.read(key.fd, 1 << 16)
                    if not part:
                        selector.unregister(key.fileobj)
                    texts[key.fileobj] += part  # type: ignore[index]
                if not ready and process.poll() is not None:
                    break  # a server that it started may hold the pipes open
                cut = any(len(text) > most for text in texts.values())
                late = time.monotonic() > end
        while process.poll() is None and not (cut or late):
            time.sleep(0.01)
            late = time.monotonic() > end
        out, errors = (bytes(text[:most]).decode(errors="replace") for text in texts.values())
        return Answer(None if cut or late else process.returncode, out, errors, late, cut)


def find_adb(stop: Event) -> Adb:
    """Returns the client on the PATH, or that of the Android SDK.

    Raises:
        InputError: there is none; the text says how to install it.
    """
    found = shutil.which("adb")
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        if found is None and os.environ.get(name):
            found = shutil.which("adb", path=str(Path(os.environ[name]) / "platform-tools"))
    if found is None:
        raise InputError(
            "adb is not installed, or not on the PATH. Debian and Ubuntu: sudo apt install adb; "
            "macOS: brew install android-platform-tools; elsewhere: the Platform-Tools from "
            "developer.android.com/tools/releases/platform-tools, unpacked, on the PATH."
        )
    return Adb(Path(found), stop)


@dataclass(frozen=True)
class Phone:
    """One phone, called by the serial number that `adb devices` shows."""

    adb: Adb
    serial: str

    def shell(self, script: str, seconds: float = _SECONDS, most: int = MOST_OUTPUT) -> Shell:
        """Runs a script in the phone's shell.

        adb exits with 0 also when the cable is pulled out, so the script is followed by a word
        that nobody can foresee: without it, the script did not end.

        Args:
            script: for a POSIX shell; everything in it that is not fixed has to be quoted.
            seconds: it may take.
            most: bytes it may print.

        Raises:
            PhoneGone: the connection broke.
            PhoneFault: it took longer, or printed more.
            Stopped: the measurement was interrupted.
        """
        word = f"end-{secrets.token_hex(8)}"
        whole = f"({script}\n) </dev/null 2>&1; c=$?; echo; echo {word} $c"
        answer = self.adb.call("-s", self.serial, "shell", "-T", whole, seconds=seconds, most=most)
        text, found, code = answer.text.rpartition(f"\n{word} ")
        if found and code.strip().isdecimal():
            return Shell(int(code), text)
        if answer.cut:
            raise PhoneFault(f"it printed more than {most / 1e6:.1f} MB and was ended")
        self._gone_unless_late(answer)
        raise PhoneFault(f"no answer within {seconds:.0f} s")

    def push(self, source: Path, target: str) -> None:
        """Copies a file to the phone.

        Raises:
            PhoneGone: the connection broke.
            PhoneFault: the storage is full, or anything else failed.
            Stopped: the measurement was interrupted.
        """
        size = source.stat().st_size
        seconds = _SECONDS + size / _SLOWEST_PUSH
        answer = self.adb.call("-s", self.serial, "push", str(source), target, seconds=seconds)
        if answer.code == 0:
            return
        said = f"{answer.text}\n{answer.errors}"
        if any(words in said for words in _NO_ROOM):
            raise PhoneFault(
                f"the phone's storage is full: no room for {size / 1e6:.2f} MB. Free some"
            )
        if answer.late:
            self._gone_unless_late(answer)
            raise PhoneFault(f"copying {size / 1e6:.2f} MB took longer than {seconds:.0f} s")
        self._gone_unless_there()
        raise PhoneFault(f"it could not be copied to the phone: {answer.said}")

    def _gone_unless_late(self, answer: Answer) -> None:
        self._gone_unless_there()
        if not answer.late:
            said = f" ({answer.said})" if answer.errors.strip() else ""
            raise PhoneGone(f"the connection broke{said}")

    def _gone_unless_there(self) -> None:
        answer = self.adb.call("-s", self.serial, "get-state", seconds=_GRACE)
        if answer.code != 0 or answer.text.strip() != "device":
            raise PhoneGone("adb no longer sees it")
