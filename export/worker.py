"""A second process that makes some of an export's files while this one makes the others.

Converters are Python code that keeps one core busy, and what they share with each other is little
beyond a family of formats, so two processes keep two cores busy.
"""

from __future__ import annotations

import os
import sys
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
from runtimes.errors import (
    DermportError,
    GateError,
    InputError,
    MissingDependencyError,
    ProgramFault,
)

_CHILD = "export.worker_process"
_TIMEOUT_S = 1800.0  # from when this process has nothing else to do
_MEMORY = 7 << 30  # free bytes that two processes want
_MEMORY_TOLD = Path("/proc/meminfo")
_ERRORS = {kind.exit_code: kind for kind in (GateError, InputError, ProgramFault)}
_FAMILY = "coreml"  # takes about as long as the others together


def shared_out(formats: Sequence[Format], threads: int) -> tuple[list[Format], list[Format]]:
    """Returns which formats this process makes and which the worker.

    There is none where one thread or less than 7 GB of memory is free, or a converter is missing.
    """
    theirs = [form for form in formats if form.family == _FAMILY]
    ours = [form for form in formats if form.family != _FAMILY]
    if not ours or threads < 2 or not all(map(_is_possible, theirs)) or not _has_memory():
        return list(formats), []
    return ours, theirs


def _is_possible(form: Format) -> bool:
    try:
        form.require_packages()
    except MissingDependencyError:
        return False
    return True


def _has_memory() -> bool:
    """Whether enough memory is free; where the system does not tell, it is taken to be."""
    if not _MEMORY_TOLD.exists():
        return True
    for line in _MEMORY_TOLD.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 >= _MEMORY
    return True


class Worker:
    """The other process; leaving the `with` block ends it.

    It starts at once, so that it has read its libraries and the student when `start` hands it
    pictures. These and the answers lie in files without a name, so that none is left of an export
    that is killed.
    """

    def __init__(self, run: Path, formats: Sequence[Format]) -> None:
        """Starts the process.

        Args:
            run: that is exported.
            formats: that it makes, in this order.
        """
        self._stack, self._run = ExitStack(), str(run.resolve())
        self._unread, self._ended = 0, False
        self._failure: dict[str, Any] = {}
        try:
            # coremltools removes its own at the end of a process only, unless that is ended
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dermport-"))
            self._pictures = [self._file() for _ in range(3)]
            self._answers = {form.key: self._file() for form in formats}
            files = (*self._pictures, *self._answers.values())
            descriptors = [file.fileno() for file in files]
            child = Child(_CHILD, None, descriptors, {"TMPDIR": folder})
            self._child = self._stack.enter_context(child)
            self._prepare(do="read", run=self._run)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ends the process if it still runs, and passes on what its converters said."""
        if not self._ended:
            self._ended = True
            sys.stderr.write(self._child.said())
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

        Raises:
            InputError: the pictures cannot be written to the folder of temporary files.
        """
        try:
            self._hand_over(maker, calibration)
        except OSError as error:
            raise InputError(
                f"{tempfile.gettempdir()}: the pictures of the export cannot be kept there for its "
                f"second process: {error.strerror or error}. Free some space, or set TMPDIR."
            ) from error
        for key, file in self._answers.items():
            path = str(paths[key].resolve())
            self._send(do="make", form=key, path=path, answers=file.fileno())

    def _hand_over(self, maker: Maker, calibration: np.ndarray | None) -> None:
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

    def is_done(self) -> bool:
        """Whether `fetch` has not to wait."""
        while self._unread and self._child.has_answer():
            self._read_one()
        return bool(self._failure) or (not self._unread and self._child.has_answer())

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
            raise GateError(
                f"{form.key}: the process that makes {form.family} files ended early: "
                f"{found['death']}. Run again with --only {form.key} to have it made alone."
            )
        if "errno" in found:
            raise OSError(found["errno"], os.strerror(found["errno"]))
        if "problem" in found:
            error: DermportError = _ERRORS[found["exit_code"]](found["problem"])
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
        found = self._receive()
        self._failure = self._failure or found  # nothing can be made without a student
        self._unread -= 1

    def _send(self, **message: Any) -> None:
        with suppress(ChildDied):  # the next answer will say so
            self._child.send(**message)

    def _receive(self) -> dict[str, Any]:
        if not self._failure:
            try:
                return self._child.answer(_TIMEOUT_S)
            except ChildDied as death:
                self._failure = {"death": str(death)}
        return self._failure

    def _file(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.TemporaryFile())
