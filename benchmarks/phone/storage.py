"""The folder of this program on a phone: filled, emptied, and nothing left running in it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from benchmarks.phone.adb import Adb, Phone, PhoneFault, PhoneGone, Shell, Stopped
from benchmarks.phone.printable import last_words

FOLDER = "/data/local/tmp/dermport-phone"
PROGRAM = f"{FOLDER}/runner"
_MODEL = f"{FOLDER}/model.tflite"
_GRACE = 15.0  # seconds that the phone has to end a hanging runner before this computer does
_CLEANING = 20.0
# Whatever works in the folder: the runner, its children, and the watch over it.
_END = f"""for p in $(ls -ld /proc/[0-9]*/cwd 2>/dev/null |
sed -n 's|.*/proc/\\([0-9]*\\)/cwd -> {FOLDER}.*|\\1|p'); do kill -9 "$p"; done"""


@dataclass(frozen=True)
class Storage:
    """The folder on one phone; see the module."""

    phone: Phone

    def prepare(self, program: Path) -> None:
        """Makes the folder anew, ends what an earlier run left in it, and copies the runner.

        Raises:
            PhoneGone, PhoneFault: see `Phone.shell`; also where the folder cannot be made.
        """
        made = self.phone.shell(f"{_END}\nrm -rf {FOLDER}; mkdir -p {FOLDER}")
        if made.code != 0:
            raise PhoneFault(f"{FOLDER} cannot be made: {last_words(made.text)}")
        self.phone.push(program, PROGRAM)
        done = self.phone.shell(f"chmod 755 {PROGRAM}")
        if done.code != 0:
            raise PhoneFault(f"{PROGRAM} cannot be made a program: {last_words(done.text)}")

    def put(self, model: Path) -> str:
        """Copies a model file under a name of this program's own and returns its path there.

        Raises:
            PhoneGone, PhoneFault: see `Phone.push`.
        """
        self.phone.shell(f"rm -f {_MODEL}")
        try:
            self.phone.push(model, _MODEL)
        except PhoneFault:
            self.phone.shell(f"rm -f {_MODEL}")  # what fitted of it
            raise
        return _MODEL

    def run(self, words: Sequence[str], limit: float) -> Shell:
        """Runs a command in the folder; the phone itself ends it after `limit` seconds.

        Raises:
            PhoneGone: the connection broke; the phone still ends the command.
            PhoneFault: it hung, or printed too much.
        """
        command = " ".join(map(shlex.quote, words))
        script = f"""cd {FOLDER} || exit 1
{command} &
p=$!
(sleep {limit:.0f}; kill -9 $p) >/dev/null 2>&1 &
w=$!
wait $p; c=$?
kill -9 $w
exit $c"""
        try:
            return self.phone.shell(script, limit + _GRACE)
        finally:
            self.end()

    def end(self) -> None:
        """Ends what still runs in the folder, as far as the phone can be reached."""
        with suppress(PhoneFault, PhoneGone, Stopped):
            self.phone.shell(_END)

    def clean(self) -> bool:
        """Ends the runner and removes the folder, also after an interruption.

        Returns:
            whether nothing is left on the phone.
        """
        phone = Phone(Adb(self.phone.adb.program, Event()), self.phone.serial)
        try:
            return phone.shell(f"{_END}\nrm -rf {FOLDER}", _CLEANING).code == 0
        except (PhoneGone, PhoneFault):
            return False
