"""A second process that makes some of an export's files while this one makes the others.

Converters are Python code that keeps one core busy, and what they share with each other is little
beyond a family of formats, so two processes take little more than half of the time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from safetensors.numpy import load

from export.formats import Format
from export.making import Made, Maker
from runtimes.child_process import Child, ChildDied
from runtimes.errors import DermportError, GateError, InputError

_CHILD = "export.helper_child"
_TIMEOUT_S = 3600.0  # for one file, the ones before it excluded
_FAMILY = "coreml"  # takes about as long as the others together


def shared_out(formats: Sequence[Format], threads: int) -> tuple[list[Format], list[Format]]:
    """Returns which formats this process makes and which the helper; one core needs no helper."""
    theirs = [form for form in formats if form.family == _FAMILY]
    ours = [form for form in formats if form.family != _FAMILY]
    return (ours, theirs) if ours and theirs and threads > 1 else (list(formats), [])


class Helper:
    """The other process; leaving the `with` block ends it.

    It starts at once, so that it has read its libraries and the student when `start` hands it
    pictures. These and the answers lie in files without a name: nothing is left of an export that
    is killed.

    Attributes:
        died: whether `fetch` said that the process ended early; there is nothing more to fetch.
    """

    def __init__(self, run: Path, formats: Sequence[Format]) -> None:
        """Starts the process.

        Args:
            run: that is exported.
            formats: that it makes, in this order.
        """
        self._stack, self._run, self._unread = ExitStack(), str(run.resolve()), 0
        self._death, self.died = "", False
        try:
            self._pictures = [self._file() for _ in range(3)]
            self._answers = {form.key: self._file() for form in formats}
            files = (*self._pictures, *self._answers.values())
            descriptors = [file.fileno() for file in files]
            self._child = self._stack.enter_context(Child(_CHILD, None, descriptors))
            self._prepare(do="read", run=self._run)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Helper:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def start(
        self, maker: Maker, calibration: np.ndarray | None, paths: Mapping[str, Path]
    ) -> None:
        """Has the process make its files.

        Args:
            maker: whose like the process shall have.
            calibration: calibration images, uint8 (M, S, S, 3); None if no format needs them.
            paths: where each format goes.
        """
        batches = {"images": maker.images, "golden": maker.golden, "calibration": calibration}
        numbers: dict[str, int | None] = {}
        for file, (name, pixels) in zip(self._pictures, batches.items(), strict=True):
            numbers[name] = None if pixels is None else file.fileno()
            if pixels is not None:
                np.save(file, pixels)
                file.flush()
        how = maker.conversions.quantization
        self._prepare(
            do="open",
            run=self._run,
            threads=maker.threads,
            quantization=how.to_json(),
            aware=None if how.aware is None else str(how.aware.folder.resolve()),
            **numbers,
        )
        for key, file in self._answers.items():
            path = str(paths[key].resolve())
            self._send(do="make", form=key, path=path, answers=file.fileno())

    def is_done(self) -> bool:
        """Whether `fetch` has not to wait."""
        while self._unread and self._child.has_answer():
            self._read_one()
        return bool(self._death) or (not self._unread and self._child.has_answer())

    def fetch(self, form: Format, path: Path) -> Made:
        """Waits for the next file.

        Args:
            form: its format.
            path: where `start` said that it goes.

        Raises:
            GateError: see `Maker.make`, or the process died.
            InputError: see `Maker.make`.
            OSError: see `Maker.make`.
        """
        while self._unread:
            self._read_one()
        found = self._receive()
        if "death" in found:
            self.died = True
            raise GateError(
                f"{form.key}: the process that converts and checks {path.name} ended early: "
                f"{found['death']}. Run again with --only {form.key} for the whole message."
            )
        if "errno" in found:
            raise OSError(found["errno"], os.strerror(found["errno"]))
        if "problem" in found:
            kind = GateError if found["exit_code"] == GateError.exit_code else InputError
            error: DermportError = kind(found["problem"])
            error.add_note(found["trace"])
            raise error
        file = self._answers[form.key]
        file.seek(0)
        return Made.of(found, load(file.read()))

    def _prepare(self, **message: Any) -> None:
        """Sends a message whose answer says nothing, and which `_read_one` takes."""
        self._send(**message)
        self._unread += 1

    def _read_one(self) -> None:
        self._receive()
        self._unread -= 1

    def _send(self, **message: Any) -> None:
        with suppress(ChildDied):  # the next answer will say so
            self._child.send(**message)

    def _receive(self) -> dict[str, Any]:
        if not self._death:
            try:
                return self._child.answer(_TIMEOUT_S)
            except ChildDied as death:
                self._death = str(death)
        return {"death": self._death}

    def _file(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.TemporaryFile())
