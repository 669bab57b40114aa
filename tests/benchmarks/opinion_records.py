"""Second opinions as their verbs write them, from their own objects."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.arm.parity import ArmRow, Limit
from benchmarks.latency.files import TimedFile
from benchmarks.opinions.ask import GpuOpinion, Opinion, Opinions
from export.verify import Comparison

NEAR = Comparison(8, 2e-7, 1e-8, 1.0, 0.68, 1.0, 1.0, 1e-6, 1e-6)


def opinions_of(files: Sequence[TimedFile], *faults: str) -> Opinions:
    """An agreement a file; with `faults` the last file has them."""
    said = [
        (),
    ] * (len(files) - 1) + [faults]
    answers = tuple(
        Opinion(file.name, file.format, file.sha256, "ONNX 1 reference evaluator", NEAR, tuple(why))
        for file, why in zip(files, said, strict=True)
    )
    gpu = GpuOpinion(files[0].name, "TensorFlow 2", ("PACK: no.",), True)
    return Opinions(8, answers, (gpu,))


def arm_rows_of(files: Sequence[TimedFile], probability: float = 1e-8) -> list[ArmRow]:
    """A row a file; the last has this largest difference."""
    limit = Limit(1e-6, 1e-5)
    return [
        ArmRow(
            file.name,
            file.format,
            file.sha256,
            "cortex-a76",
            "ONNX Runtime 1",
            probability if file is files[-1] else 0.0,
            0.0,
            limit,
            "",
        )
        for file in files
    ]
