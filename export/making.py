"""One file from conversion to its answers: what an export does in either of its processes."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.device import give_back_memory
from export.conversions import Conversions
from export.formats import Format
from export.half_report import half_record, half_warnings
from runtimes.contract import Contract
from runtimes.errors import DermportError, GateError, MissingDependencyError
from runtimes.metadata import embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

# What the folder is to blame for; any other error of the system comes from a converter.
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


@dataclass(frozen=True)
class Made:
    """What is known of a written file.

    Attributes:
        operators: how often each is in it.
        in_float: operators that an int8 file computes in float unasked.
        float_numbers: numbers that it stores in float on purpose.
        half_range: what float16 cannot hold of it, for the manifest; None if it has no float16.
        warnings: sentences about that.
        backend: what ran it, see `runtimes.prediction.Session`.
        seconds: of "conversion" and "verification".
        images: its answers to the verification images.
        golden: its answers to the golden images.
    """

    operators: dict[str, int]
    in_float: tuple[str, ...]
    float_numbers: int
    half_range: dict[str, Any] | None
    warnings: tuple[str, ...]
    backend: str
    seconds: dict[str, float]
    images: Prediction
    golden: Prediction

    def facts(self) -> dict[str, Any]:
        """Everything but the answers, as plain values."""
        return {key: value for key, value in vars(self).items() if key not in ("images", "golden")}

    def arrays(self) -> dict[str, np.ndarray]:
        """The answers by names like `golden/cam`."""
        return {
            f"{batch}/{output}": values
            for batch in ("images", "golden")
            for output, values in vars(getattr(self, batch)).items()
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Made:
        """Joins what `facts` and `arrays` gave, perhaps in another process."""
        lists = {key: tuple(facts[key]) for key in ("in_float", "warnings")}
        return cls(
            **{**facts, **lists},
            images=_prediction(arrays, "images"),
            golden=_prediction(arrays, "golden"),
        )


@dataclass(frozen=True)
class Maker:
    """Writes files of one student and has them answer.

    Attributes:
        conversions: of the student.
        contract: that goes into each file.
        images: verification images, uint8 (N, S, S, 3).
        golden: golden images, uint8 (G, S, S, 3).
        threads: of a file's runtime.
    """

    conversions: Conversions
    contract: Contract
    images: np.ndarray
    golden: np.ndarray
    threads: int

    def make(self, form: Format, path: Path) -> Made:
        """Writes one file and opens it with its own runtime.

        Raises:
            GateError: it could not be converted, or what was written cannot be run.
            OSError: the folder is full or cannot be written.
        """
        started = time.monotonic()
        give_back_memory()  # steps of one file reuse it; another file needs other sizes
        operators, in_float = self._convert(form, path)
        converted = time.monotonic()
        try:
            session = open_model(path, self.threads)
            images, golden = session.predict(self.images), session.predict(self.golden)
        except MissingDependencyError:
            raise
        except Exception as error:
            raise not_comparable(form, error) from error
        check = self.conversions.half_check(form)
        seconds = {
            "conversion": round(converted - started, 1),
            "verification": round(time.monotonic() - converted, 1),
        }
        return Made(
            operators=operators,
            in_float=in_float,
            float_numbers=self.conversions.float_numbers(form),
            half_range=None if check is None else half_record(form, check),
            warnings=() if check is None else tuple(half_warnings(form, check)),
            backend=session.backend,
            seconds=seconds,
            images=images,
            golden=golden,
        )

    def _convert(self, form: Format, path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
        try:
            operators = self.conversions.write(form, path)
            in_float = self.conversions.left_in_float(form, path)
            embed_contract(path, replace(self.contract, input_dtype=form.input_dtype))
        except DermportError:
            raise
        except Exception as error:
            if is_no_place(error):
                raise
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise GateError(
                f"{form.key}: the converter failed with {type(error).__name__}: {reason} "
                "Run again with --debug for where, and check its version with "
                "`python -m distill doctor`."
            ) from error
        return operators, in_float


def is_no_place(error: BaseException) -> bool:
    """Whether an error says that a folder is full or cannot be written."""
    return isinstance(error, OSError) and error.errno in _NO_PLACE


def not_comparable(form: Format, why: object) -> GateError:
    """The error of a written file that does not answer."""
    return GateError(f"{form.key}: what was written cannot be run and compared: {why}")


def _prediction(arrays: Mapping[str, np.ndarray], batch: str) -> Prediction:
    return Prediction(**{each.name: arrays[f"{batch}/{each.name}"] for each in fields(Prediction)})
