"""What is installed, which devices there are, which formats can be written here."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from runtimes.dependencies import STAGES, install_command


@dataclass(frozen=True)
class Finding:
    """One line of the report: a stage, a package and its version, None where it is missing."""

    stage: str
    package: str
    version: str | None


def examine() -> dict[str, Any]:
    """Returns versions, devices, formats and what is missing, as plain values."""
    findings = [
        Finding(stage, package, _version(module, package))
        for stage, packages in STAGES.items()
        for module, package in packages
    ]
    missing = sorted({finding.stage for finding in findings if finding.version is None})
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "free_disk_gb": round(shutil.disk_usage(".").free / 1e9, 1),
        "packages": [vars(finding) for finding in findings],
        "devices": _devices(),
        "formats": {
            "ONNX": "onnx" not in missing,
            "TFLite": "tflite" not in missing,
            "Core ML": "coreml" not in missing,
            "Core ML predictions on Apple hardware": platform.system() == "Darwin",
        },
        "imagenet_weights": os.environ.get("DERMPORT_WEIGHTS")
        or "not set: torchvision downloads them, or training starts from random weights",
        "missing": {stage: install_command(stage) for stage in missing},
    }


def _devices() -> list[str]:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    found = [f"cpu ({torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()})"]
    for number in range(torch.cuda.device_count()):
        found.append(f"cuda:{number} ({torch.cuda.get_device_name(number)})")
    return found


def _version(module: str, package: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return version(package)
    except PackageNotFoundError:
        return "installed"
