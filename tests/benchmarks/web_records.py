"""A small export for browsers, and what a page posts about it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.files import LITERT, ONNX, TimedFile
from benchmarks.web.document import Document, Settings, open_document
from benchmarks.web.packages import PACKAGES, RECORD
from benchmarks.web.site import Export
from benchmarks.web.visits import Visits
from runtimes.contract import OUTPUT_NAMES
from runtimes.hashes import sha256_of, size_of
from runtimes.prediction import Prediction
from runtimes.strict_json import StrictObject, parse_object

IMAGES, CLASSES = 2, 3
AGENT = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/150.0.0.0 Mobile Safari/537.36"
)
FACTS = {
    **{"agent": AGENT, "model": "Phone <1>", "system_version": "15"},
    **{"cores": 8, "isolated": False, "clock_ms": 0.1},
}
TIMES = [float(time) for time in range(1, 102)]


def golden() -> Prediction:
    """Answers to two images, far from any threshold."""
    generator = np.random.default_rng(1)
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], np.float32)
    cam = generator.normal(size=(IMAGES, 2, 2, CLASSES)).astype(np.float32)
    return Prediction(probabilities, cam, np.array([-3.0, -4.0], np.float32))


def small_export(folder: Path) -> Export:
    """Two files that no runtime opens; what is in them matters to no test that uses them."""
    files = []
    for name, runtime, form in (
        ("a-fp32.onnx", ONNX, "onnx:fp32"),
        ("a-fp32.tflite", LITERT, "tflite:fp32"),
    ):
        path = folder / name
        path.write_bytes(name.encode() * 10)
        size, sha = size_of(path), sha256_of(path)
        files.append(TimedFile(name, path, runtime, form, False, size, sha))
    images = np.zeros((IMAGES, 4, 4, 3), np.uint8)
    return Export(tuple(files), {file.format: golden() for file in files}, images, 0.5)


def visits_of(export: Export, path: Path | None = None, threads: Sequence[int] = (1,)) -> Visits:
    settings = Settings(export.files, tuple(threads), 10, 1.0, 30.0)
    return Visits(open_document(settings, path), export.golden, export.threshold)


def posted(value: dict[str, Any]) -> StrictObject:
    return parse_object(json.dumps(value), "the post")


def entered(visits: Visits, phone: str | None = None, again: bool = False) -> dict[str, Any]:
    return visits.enter(posted({"facts": FACTS, "id": phone, "again": again}))


def answers(found: Prediction | None = None) -> dict[str, str]:
    found = found or golden()
    return {
        name: base64.b64encode(getattr(found, name).astype("<f4").tobytes()).decode()
        for name in OUTPUT_NAMES
    }


def result(**changed: Any) -> dict[str, Any]:
    told = {"build": "simd", "load": 5.0, "first": 4.0, "times": [1.5, 2.5, 2.0]}
    return {**told, "answers": answers(), **changed}


def ended(phone: str, ask: int, **changed: Any) -> dict[str, Any]:
    told = {"id": phone, "ask": ask, "result": result(), "fault": "", "hidden": False}
    return {**told, **changed}


def measured(visits: Visits, ask: int = 0, **changed: Any) -> tuple[str, dict[str, Any]]:
    """Enters a phone and ends one run; returns its id and the row that the page gets."""
    phone = str(entered(visits)["id"])
    visits.begin(posted({"id": phone, "ask": ask}))
    return phone, visits.end(posted(ended(phone, ask, **changed)))


def record(files: Sequence[TimedFile], golden_of: dict[str, Prediction], path: Path) -> Document:
    """A finished record of one phone, as the verb writes it."""
    settings = Settings(tuple(files), (1,), 10, 1.0, 30.0)
    visits = Visits(open_document(settings, path), golden_of, 0.5)
    phone = str(entered(visits)["id"])
    for number, file in enumerate(files):
        visits.begin(posted({"id": phone, "ask": number}))
        told = result(answers=answers(golden_of[file.format]))
        visits.end(posted(ended(phone, number, result=told)))
    return visits.document


def small_packages(folder: Path) -> Path:
    """A folder as `--fetch` leaves it, with nothing in its files."""
    names = [name for package in PACKAGES for name in package.members.values()]
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    files = {name: sha256_of(folder / name) for name in names}
    record = {"packages": list(map(str, PACKAGES)), "files": files}
    (folder / RECORD).write_text(json.dumps(record))
    return folder
