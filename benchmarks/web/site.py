"""All that the page may ask for: exact names to contents, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.files import CORE_ML, LITERT, TimedFile, find_files
from benchmarks.opinions.ask import read_golden
from benchmarks.web.document import Settings, runtime_of
from benchmarks.web.visits import MOST_RUNS
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES
from runtimes.errors import InputError
from runtimes.metadata import read_contract
from runtimes.prediction import Prediction

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "wasm": "application/wasm",
}
_PAGE = ("index.html", "style.css", "page.js", "runs.js", "rows.js", "worker.js", "percentiles.js")
_BYTES, _JSON = "application/octet-stream", "application/json"


@dataclass(frozen=True)
class Resource:
    """What is sent for one name."""

    content: bytes
    type: str


@dataclass(frozen=True)
class Export:
    """What of an export is served.

    Attributes:
        files: those that browsers run.
        golden: format to the answers of its own runtime.
        images: the golden images, uint8 (G, S, S, 3).
        threshold: unknown score above which an image is answered "unknown".
    """

    files: tuple[TimedFile, ...]
    golden: dict[str, Prediction]
    images: np.ndarray
    threshold: float


def read_export(artifacts: Path) -> Export:
    """Reads the .tflite and .onnx files of an export with their golden answers.

    Raises:
        InputError: no export, none of these files, a changed file, or no golden answers.
    """
    if not artifacts.is_dir():
        raise InputError(f"{artifacts} is no folder. Name one that `python -m export run` wrote.")
    chosen = tuple(file for file in find_files([artifacts]) if file.runtime != CORE_ML)
    if not chosen:
        raise InputError(
            f"{artifacts} holds no .tflite and no .onnx file, which browsers run. Export some: "
            "--only tflite onnx."
        )
    tensors, golden = read_golden(artifacts), {}
    for file in chosen:
        if file.fault:
            raise InputError(f"{file.path}: {file.fault}")
        names = [f"{file.format}/{name}" for name in OUTPUT_NAMES]
        if missing := [name for name in names if name not in tensors]:
            raise InputError(f"{artifacts}: no golden '{missing[0]}'. Export the run again.")
        golden[file.format] = Prediction(*(tensors[name] for name in names))
    threshold = read_contract(chosen[0].path).calibration.unknown_threshold
    return Export(chosen, golden, tensors[INPUT_NAME], threshold)


def build_site(
    title: str, export: Export, settings: Settings, packages: Mapping[str, bytes]
) -> dict[str, Resource]:
    """Returns name to content; "" is the page itself.

    Args:
        title: of the export.
        export: from `read_export`.
        settings: what is run.
        packages: from `read_packages`.
    """
    page = files("benchmarks.web") / "page"
    site = {name: Resource((page / name).read_bytes(), _type(name)) for name in _PAGE}
    site[""] = site.pop("index.html")
    site |= {name: Resource(content, _type(name)) for name, content in packages.items()}
    site["golden"] = Resource(export.images.tobytes(), _BYTES)
    site["plan"] = Resource(json.dumps(_plan(title, export, settings)).encode(), _JSON)
    for number, file in enumerate(export.files):
        site[f"models/{number}"] = Resource(file.path.read_bytes(), _BYTES)
    return site


def _type(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]


def _plan(title: str, export: Export, settings: Settings) -> dict[str, Any]:
    numbers = {file.name: number for number, file in enumerate(export.files)}
    by_name = {file.name: file for file in export.files}
    return {
        "title": title,
        "images": list(export.images.shape),
        "outputs": list(OUTPUT_NAMES),
        "runs": settings.runs,
        "seconds": settings.seconds,
        "limit": settings.limit,
        "most_runs": MOST_RUNS,
        "asks": [
            {
                "file": ask.file,
                "format": by_name[ask.file].format,
                "bytes": by_name[ask.file].size,
                "model": numbers[ask.file],
                "runtime": runtime_of(by_name[ask.file]),
                "engine": "litert" if by_name[ask.file].runtime == LITERT else "onnx",
                "threads": ask.threads,
            }
            for ask in settings.asks()
        ],
    }
