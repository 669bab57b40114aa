"""Takes formats from conversion over the gate to their final names."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from export.formats import Format
from export.image_set import ImageSet
from export.making import Made, Maker, not_comparable
from export.manifest import Manifest
from export.quantization.float_choice import Choice
from export.quantization.float_fallback import summary
from export.verify import Verdict, verify_file
from export.worker import Worker
from runtimes.atomic import replacing_file, replacing_folder
from runtimes.console import note, warn
from runtimes.contract import Contract
from runtimes.errors import DermportError, GateError
from runtimes.hashes import sha256_of, size_of
from runtimes.prediction import Prediction


@dataclass(frozen=True)
class Row:
    """What became of one format; `problem` is None for a delivered file."""

    form: Format
    file: str
    problem: DermportError | None = None
    verdict: Verdict | None = None
    backend: str | None = None
    entry: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """What a written file's answers are compared with."""

    contract: Contract
    reference: Prediction
    parameters: int

    def check(self, form: Format, path: Path, made: Made) -> Verdict:
        """Returns the verdict on a written file.

        Raises:
            GateError: it cannot be compared.
        """
        try:
            return verify_file(
                *(path, form, self.contract, made.images, self.reference, self.parameters),
                made.float_numbers,
            )
        except Exception as error:
            raise not_comparable(form, error) from error


@dataclass(frozen=True)
class Place:
    """A temporary path, which gets its final name when the stack is closed without an error."""

    path: Path
    stack: ExitStack


class Places:
    """Where the files of an export are written, until they are checked.

    Attributes:
        out: the artifact folder.
        name: of the model, with which files begin.
    """

    def __init__(self, out: Path, name: str) -> None:
        self.out, self.name = out, name
        self._reserved: dict[str, Place] = {}

    def reserve(self, formats: Sequence[Format], unfinished: ExitStack) -> dict[str, Path]:
        """Returns a temporary path for each format, which `unfinished` removes if it is left over.

        Raises:
            InputError: the folder cannot be written.
        """
        if not self.out.exists():
            unfinished.callback(self._remove_if_empty)
        for form in formats:
            place = self._open(form)
            unfinished.push(partial(_abandon, place.stack))
            self._reserved[form.key] = place
        return {key: place.path for key, place in self._reserved.items()}

    def _remove_if_empty(self) -> None:
        with suppress(OSError):
            self.out.rmdir()

    def take(self, form: Format) -> Place:
        """Returns the place of a format, perhaps a reserved one.

        Raises:
            InputError: the folder cannot be written.
        """
        return self._reserved.pop(form.key, None) or self._open(form)

    def _open(self, form: Format) -> Place:
        with ExitStack() as stack:
            temporary = stack.enter_context(_replacing(self.out / form.file_name(self.name)))
            return Place(temporary, stack.pop_all())


class Delivery:
    """Takes formats to their final names and keeps the answers to the golden images."""

    def __init__(
        self,
        places: Places,
        maker: Maker,
        verification: Verification,
        manifest: Manifest,
        calibration: ImageSet | None,
        parity: ImageSet,
        choice: Choice | None = None,
    ) -> None:
        self.answers: dict[str, Prediction] = {}
        self._places, self._maker, self._verification = places, maker, verification
        self._manifest, self._calibration, self._parity = manifest, calibration, parity
        self._choice = choice

    def deliver(
        self, ours: Sequence[Format], theirs: Sequence[Format] = (), worker: Worker | None = None
    ) -> Generator[Row]:
        """Makes, verifies and names files; a failure is in its row, not raised.

        Args:
            ours: formats that this process makes.
            theirs: formats that `worker` makes meanwhile, whose paths were reserved.
            worker: makes them.
        """
        waiting = deque(theirs)
        for form in ours:
            yield self._deliver(form, self._maker.make)
            while waiting and worker is not None and worker.is_done():
                yield self._deliver(waiting.popleft(), worker.fetch)
        for form in waiting:
            assert worker is not None
            yield self._deliver(form, worker.fetch)

    def _deliver(self, form: Format, make: Callable[[Format, Path], Made]) -> Row:
        contract = self._verification.contract
        file = form.file_name(contract.name)
        verdict = made = None
        try:
            form.require_packages()
            self._check_choice(form)
            place = self._places.take(form)
            with place.stack:
                made = make(form, place.path)
                self._tell(form, file, made)
                verdict = self._verification.check(form, place.path, made)
                if verdict.faults:
                    raise _outside_tolerance(form, verdict)
                self._manifest.withdraw(file)
        except DermportError as error:
            return Row(form, file, error, verdict, made.backend if made else None)
        self.answers[form.key] = made.golden
        calibration = self._calibration if form.calibrated else None
        entry = self._manifest.add(
            self._entry(form, file, made, verdict), calibration, self._parity
        )
        return Row(form, file, None, verdict, made.backend, entry)

    def _tell(self, form: Format, file: str, made: Made) -> None:
        if made.in_float:
            tell = warn if form.rounds_activations else note
            tell(f"{file}: left in float: {summary(made.in_float)}; the manifest lists them.")
        for sentence in made.warnings:
            warn(sentence)

    def _entry(self, form: Format, file: str, made: Made, verdict: Verdict) -> dict[str, Any]:
        """What the manifest says of a delivered file."""
        entry = {
            "format": form.key,
            "file": file,
            "bytes": size_of(self._places.out / file),
            "sha256": sha256_of(self._places.out / file),
            "runs_on": form.runs_on,
            "note": form.note,
            "operators": made.operators,
            "left_in_float": list(made.in_float),
            "parity": verdict.comparison.to_json(),
            "tolerance": vars(form.tolerance),
            "verified_with": made.backend,
            "seconds": made.seconds,
        }
        if made.half_range is not None:
            entry["half_range"] = made.half_range
        if form.rounds_activations:
            entry["quantization"] = self._maker.conversions.quantization.to_json()
            if self._choice is not None:
                entry["float_layers_choice"] = self._choice.to_json()
        return entry

    def _check_choice(self, form: Format) -> None:
        """Checks that a format passes its gate with the convolutions that were chosen for it.

        Raises:
            GateError: it does not; a person who asked for a set that passes gets no other file.
        """
        choice = self._choice
        if choice is None or not form.rounds_activations or not (faults := choice.faults(form.key)):
            return
        chosen = f"those chosen with {choice.format}" if choice.passed else "what came closest"
        raise GateError(
            f"{form.key} is outside its gate with {len(choice.layers)} convolutions in float "
            f"({chosen}) on {choice.images} validation images: {'; '.join(faults)}. It was not "
            "delivered; docs/int8.md leads on from here."
        )


class _Left(Exception):
    """The reason why a temporary file is removed: nobody finished it."""


def _abandon(place: ExitStack, *_: object) -> None:
    """Closes a place as an error does; nothing happens where it is closed already."""
    with suppress(_Left), place:
        raise _Left


def _outside_tolerance(form: Format, verdict: Verdict) -> GateError:
    return GateError(
        f"{form.key} is outside its tolerance on {verdict.comparison.images} images: "
        f"{'; '.join(verdict.faults)}. It was not delivered; docs/int8.md leads on from here."
    )


def _replacing(path: Path) -> AbstractContextManager[Path]:
    return replacing_folder(path) if path.suffix == ".mlpackage" else replacing_file(path)
