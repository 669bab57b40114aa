"""The dependency groups of pyproject.toml: what each brings, and the command that installs it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

BASE = "base"  # what every stage needs; it is no group of its own in pyproject.toml
# Stage of pyproject.toml to the packages that it brings: import name and distribution.
STAGES: dict[str, tuple[tuple[str, str], ...]] = {
    BASE: (
        ("numpy", "numpy"),
        ("PIL", "pillow"),
        ("safetensors", "safetensors"),
        ("rich", "rich"),
    ),
    "train": (
        ("torch", "torch"),
        ("torchvision", "torchvision"),
        ("sklearn", "scikit-learn"),
        ("yaml", "PyYAML"),
        ("matplotlib", "matplotlib"),
    ),
    "onnx": (
        ("onnx", "onnx"),
        ("onnxruntime", "onnxruntime"),
        ("onnxscript", "onnxscript"),
        ("onnxsim", "onnxsim"),
    ),
    "coreml": (("coremltools", "coremltools"), ("sklearn", "scikit-learn")),
    "tflite": (
        ("litert_torch", "litert-torch"),
        ("ai_edge_quantizer", "ai-edge-quantizer"),
        ("ai_edge_litert", "ai-edge-litert"),
    ),
    "report": (("matplotlib", "matplotlib"), ("segno", "segno")),
    "dev": (("pytest", "pytest"), ("ruff", "ruff"), ("mypy", "mypy")),
}


def missing_package(module: str) -> tuple[str, str] | None:
    """Returns the first group that brings a module which is not installed, and the package's name.

    None for a module of no group, and for a part of a package that is there.
    """
    top = module.partition(".")[0]
    for stage, packages in STAGES.items():
        for importable, package in packages:
            if importable == top and importlib.util.find_spec(top) is None:
                return stage, package
    return None


def install_command(stage: str) -> str:
    """The command that installs a dependency group of pyproject.toml at the tested versions."""
    what = "." if stage == BASE else f"'.[{stage}]'"
    command = f"pip install -c constraints.txt -e {what}"
    here = Path(".venv")
    if (here / "bin" / "python").exists() and Path(sys.prefix).resolve() != here.resolve():
        return f"{command}, or use the environment that make has set up: . .venv/bin/activate"
    return command
