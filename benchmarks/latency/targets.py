"""How fast int8 has to be, beside what, and whether the times say that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.latency.files import TimedFile
from benchmarks.latency.statistics import Ratio, paired_ratio
from runtimes.contract import Contract

# Google's own int8 MobileNetV2, per channel, 1,001 classes.
GOOGLE = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
STUDENT, SIZE, THREADS = "mobilenet_v2", 224, 1
_LIMITS = (
    ("tflite:int8", "tflite:fp32", 0.48),
    ("tflite:int8", GOOGLE, 0.90),
    ("onnx:int8", "onnx:fp32", 0.60),
)


@dataclass(frozen=True)
class Verdict:
    """One target: reached, missed, or open where the interval holds the limit."""

    file: str
    ratio: Ratio
    limit: float

    @property
    def word(self) -> str:
        """The verdict."""
        if self.ratio.high <= self.limit:
            return "reached"
        return "missed" if self.ratio.low > self.limit else "open"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "verdict": self.word}

    def __str__(self) -> str:
        text = (
            f"target {self.word}: {self.file} takes {self.ratio} of {self.ratio.base}, "
            f"allowed {self.limit:.2f}"
        )
        if self.word == "reached":
            return text
        return f"{text}; `python -m benchmarks operators` says where the time goes"


def judge(
    files: Sequence[TimedFile],
    contracts: dict[str, Contract | None],
    times: dict[str, np.ndarray],
    threads: int,
) -> tuple[Verdict, ...]:
    """Compares the pairs that are there: MobileNetV2 at 224 px, one thread.

    Args:
        files: of the run.
        contracts: name to contract, for those that have one.
        times: name to (rounds,) times.
        threads: of the run.
    """
    if threads != THREADS:
        return ()
    verdicts = []
    for form, other, limit in _LIMITS:
        for file in files:
            if file.format != form or file.name not in times or not _fits(contracts[file.name]):
                continue
            for base in files:
                beside = base.format == other and base.path.parent == file.path.parent
                if base.name in times and (beside or base.path.name == other):
                    ratio = paired_ratio(times[file.name], times[base.name], base.name)
                    verdicts.append(Verdict(file.name, ratio, limit))
    return tuple(verdicts)


def _fits(contract: Contract | None) -> bool:
    if contract is None:
        return False
    return contract.training.student == STUDENT and contract.preprocessing.size == SIZE
