"""Wall-clock time, processor time and peak memory of an export, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.memory import in_bytes, watched_memory
from distill.provenance import provenance
from runtimes.errors import GateError, InputError


@dataclass(frozen=True)
class ExportCost:
    """What an export of some files took.

    Attributes:
        run: name of the run.
        files: that were delivered.
        seconds: of the clock.
        processor_seconds: of all cores together.
        peak_memory_bytes: of all its processes together, looked at ten times a second; of the
            largest one where the system does not tell.
        cores: of the machine.
    """

    run: str
    files: int
    seconds: float
    processor_seconds: float
    peak_memory_bytes: int
    cores: int

    def to_json(self) -> dict[str, Any]:
        """Plain values with versions and commit."""
        return {**asdict(self), "provenance": provenance()}


def measure_export(run: Path, data: Path | None = None, only: tuple[str, ...] = ()) -> ExportCost:
    """Exports a run into a folder that is thrown away, and says what it took.

    Args:
        run: a finished run, or a released model.
        data: where its data set lies now.
        only: formats; all by default.

    Raises:
        GateError: the export failed; its own messages stand above.
        InputError: it did not like its input.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "artifacts"
        words = [sys.executable, "-m", "export", "run", str(run), "--out", str(out)]
        words += ["--data", str(data)] if data is not None else []
        words += ["--only", *only] if only else []
        started = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        try:
            with watched_memory(process.pid) as memory:
                _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: the folder goes, so its writer has to go first
            process.terminate()
            process.wait()
            raise
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            kind = InputError if process.returncode == InputError.exit_code else GateError
            raise kind(f"the export of {run} failed with exit code {process.returncode}.")
        suffixes = (".onnx", ".tflite", ".mlpackage")
        files = sum(path.suffix in suffixes for path in out.iterdir())
    return ExportCost(
        run.resolve().name,
        files,
        round(seconds, 1),
        round(usage.ru_utime + usage.ru_stime, 1),
        max(memory.peak, in_bytes(usage.ru_maxrss)),
        os.cpu_count() or 1,
    )
