"""Takes formats one by one from conversion over the gate to their final names."""

from __future__ import annotations

import errno
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.conversions import Conversions
from export.formats import Format
from export.half_report import half_record, half_warnings
from export.image_set import ImageSet
from export.manifest import Manifest
from export.quantization.float_choice import Choice
from export.quantization.float_fallback import summary
from export.verify import Verdict, verify_file
from runtimes.atomic import replacing_file, replacing_folder
from runtimes.console import note, warn
from runtimes.contract import Contract
from runtimes.errors import DermportError, GateError, MissingDependencyError
from runtimes.hashes import sha256_of, size_of
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

# What the folder is to blame for; any other error of the system comes from a converter.
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


@dataclass(frozen=True)
class Row:
    """What became of one format; `problem` is None for a delivered file."""

    form: Format
    file: str
    problem: DermportError | None = None
    verdict: Verdict | None = None
    entry: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """What a written file is compared with."""

    contract: Contract
    images: np.ndarray
    reference: Prediction
    parameters: int

    def check(self, form: Format, path: Path, in_float: int = 0) -> Verdict:
        """Returns the verdict on a file that passes; `in_float` parameters of it are in float32.

        Raises:
            GateError: it is outside its tolerance, or cannot be run or compared.
        """
        try:
            verdict = verify_file(
                path,
                form,
                self.contract,
                self.images,
                self.reference,
                self.parameters,
                torch.get_num_threads(),
                in_float,
            )
        except MissingDependencyError:
            raise
        except Exception as error:
            raise GateError(
                f"{form.key}: what was written cannot be run and compared: {error}"
            ) from error
        if verdict.faults:
            raise _OutsideTolerance(form, verdict)
        return verdict


class Delivery:
    """Takes formats one by one to their final names and keeps the answers to the golden images."""

    def __init__(
        self,
        out: Path,
        conversions: Conversions,
        verification: Verification,
        manifest: Manifest,
        calibration: ImageSet | None,
        parity: ImageSet,
        golden: np.ndarray,
        choice: Choice | None = None,
    ) -> None:
        self.answers: dict[str, Prediction] = {}
        self._out, self._conversions, self._verification = out, conversions, verification
        self._manifest, self._golden = manifest, golden
        self._calibration, self._parity = calibration, parity
        self._choice = choice

    def deliver(self, form: Format) -> Row:
        """Writes, verifies and names one file; a failure is in the row, not raised."""
        contract = self._verification.contract
        file = form.file_name(contract.name)
        started = time.monotonic()
        try:
            form.require_packages()
            self._check_choice(form)
            with _replacing(self._out / file) as temporary:
                operators, in_float = self._convert(form, temporary)
                if in_float:
                    tell = warn if form.rounds_activations else note
                    tell(f"{file}: left in float: {summary(in_float)}; the manifest lists them.")
                converted = time.monotonic()
                check = self._conversions.half_check(form)
                in_float_on_purpose = self._conversions.float_numbers(form)
                verdict = self._verification.check(form, temporary, in_float_on_purpose)
                self.answers[form.key] = open_model(temporary).predict(self._golden)
                self._manifest.withdraw(file)
        except _OutsideTolerance as error:
            return Row(form, file, error, error.verdict)
        except DermportError as error:
            return Row(form, file, error)
        entry = {
            "format": form.key,
            "file": file,
            "bytes": size_of(self._out / file),
            "sha256": sha256_of(self._out / file),
            "runs_on": form.runs_on,
            "note": form.note,
            "operators": operators,
            "left_in_float": list(in_float),
            "parity": verdict.comparison.to_json(),
            "tolerance": vars(form.tolerance),
            "verified_with": verdict.backend,
            "seconds": {
                "conversion": round(converted - started, 1),
                "verification": round(time.monotonic() - converted, 1),
            },
        }
        if check is not None:
            entry["half_range"] = half_record(form, check)
            for sentence in half_warnings(form, check):
                warn(sentence)
        if form.rounds_activations:
            entry["quantization"] = self._conversions.quantization.to_json()
            if self._choice is not None:
                entry["float_layers_choice"] = self._choice.to_json()
        calibration = self._calibration if form.calibrated else None
        entry = self._manifest.add(entry, calibration, self._parity)
        return Row(form, file, None, verdict, entry)

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

    def _convert(self, form: Format, path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
        try:
            operators = self._conversions.write(form, path)
            in_float = self._conversions.left_in_float(form, path)
            embed_contract(path, replace(self._verification.contract, input_dtype=form.input_dtype))
        except DermportError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _NO_PLACE:
                raise
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise ConversionError(
                f"{form.key}: the converter failed with {type(error).__name__}: {reason} "
                "Run again with --debug for where, and check its version with "
                "`python -m distill doctor`."
            ) from error
        return operators, in_float


class ConversionError(GateError):
    """A converter that is installed could not convert this network (exit code 1)."""


class _OutsideTolerance(GateError):
    def __init__(self, form: Format, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(
            f"{form.key} is outside its tolerance on {verdict.comparison.images} images: "
            f"{'; '.join(verdict.faults)}. It was not delivered; docs/int8.md leads on from here."
        )


def _replacing(path: Path) -> AbstractContextManager[Path]:
    return replacing_folder(path) if path.suffix == ".mlpackage" else replacing_file(path)
