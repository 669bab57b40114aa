"""From a finished run to a folder of checked files: convert, verify, and only then deliver."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.dataset import Dataset, open_dataset
from distill.provenance import provenance
from export.conversions import Conversions
from export.formats import Format
from export.golden import GOLDEN_FILE, TORCH, golden_images, write_golden
from export.image_set import ImageSet, draw_at_random, network_pixels
from export.manifest import (
    build_manifest,
    kept_entries,
    unlisted_files,
)
from export.quantization.calibration_set import draw_calibration_set
from export.reference import reference_session
from export.verify import Verdict, verify_file
from runtimes.atomic import replacing_file, replacing_folder, write_json, write_text
from runtimes.console import note, warn
from runtimes.contract import Contract
from runtimes.errors import DermportError, GateError, InputError, MissingDependencyError
from runtimes.hashes import sha256_of, size_of
from runtimes.integrity import MANIFEST_FILE
from runtimes.metadata import CONTRACT_FILE, embed_contract
from runtimes.prediction import Prediction
from runtimes.session import open_model

PARITY_FILE = "parity.json"
SMALLEST_PARITY = 64


@dataclass(frozen=True)
class Settings:
    """How a run is exported.

    Attributes:
        calibration_images: size of the calibration set.
        parity_images: images that every file is compared on, 64 or more.
        seed: of both draws.
    """

    calibration_images: int = 256
    parity_images: int = 128
    seed: int = 0


@dataclass(frozen=True)
class Row:
    """What became of one format; `problem` is None for a delivered file."""

    form: Format
    file: str
    problem: DermportError | None = None
    verdict: Verdict | None = None
    entry: dict[str, Any] = field(default_factory=dict)


def export_run(
    run: Path,
    out: Path,
    formats: Sequence[Format],
    data: Path | None = None,
    settings: Settings = Settings(),
) -> list[Row]:
    """Writes and checks the asked formats of a run.

    A file takes its final name only after its own runtime agreed with torch; one that fails leaves
    what stood there. The folder also gets contract.json, golden.safetensors, parity.json and
    manifest.json.

    Args:
        run: a finished run, or a released model with its data.json.
        out: the artifact folder.
        formats: see `export.formats.select_formats`.
        data: where the data set lies now.
        settings: see `Settings`.

    Raises:
        InputError: no finished run, its data set cannot be opened, or too few images.
    """
    classifier, contract = read_student(run)
    _check_names(run, out, contract, classifier.num_classes)
    dataset = open_dataset(run, data)
    parity = _draw_parity(dataset, settings)
    calibration = None
    if any(form.calibrated for form in formats):
        calibration = draw_calibration_set(dataset, settings.calibration_images, settings.seed)
    recipe = contract.preprocessing
    reference = reference_session(classifier, contract)
    images = network_pixels(dataset, parity.ids, recipe)
    samples = None if calibration is None else network_pixels(dataset, calibration.ids, recipe)
    delivery = _Delivery(
        out,
        contract,
        Conversions(classifier, contract, samples),
        images,
        reference.predict(images),
        golden_images(recipe.size),
    )
    rows = []
    started = time.monotonic()
    for done, form in enumerate(formats, start=1):
        rows.append(delivery.deliver(form))
        left = (time.monotonic() - started) / done * (len(formats) - done)
        note(f"[{done}/{len(formats)}] {_outcome(rows[-1])}, about {left:.0f} s left")
    golden = {TORCH: reference.predict(delivery.golden), **delivery.answers}
    student = {
        "architecture": classifier.architecture,
        "sha256": sha256_of(run / STUDENT_FILE),
        "run": run.resolve().name,
    }
    about = {
        "student": student,
        "split": {"protocol": dataset.split.protocol, "sha256": dataset.split.sha256},
        "synthetic": dataset.index.synthetic,
        "seed": settings.seed,
        "calibration": None if calibration is None else calibration.to_json(),
        "verification": parity.to_json(),
    }
    _write_reports(out, contract, rows, about, delivery.golden, golden)
    return rows


class _Delivery:
    """Takes formats one by one to their final names and keeps the answers to the golden images."""

    def __init__(
        self,
        out: Path,
        contract: Contract,
        conversions: Conversions,
        images: np.ndarray,
        reference: Prediction,
        golden: np.ndarray,
    ) -> None:
        self.golden = golden
        self.answers: dict[str, Prediction] = {}
        self._out, self._contract, self._conversions = out, contract, conversions
        self._images, self._reference = images, reference

    def deliver(self, form: Format) -> Row:
        """Writes, verifies and names one file; a failure is in the row, not raised."""
        file = form.file_name(self._contract.name)
        started = time.monotonic()
        try:
            form.require_packages()
            with _replacing(self._out / file) as temporary:
                operators = self._convert(form, temporary)
                converted = time.monotonic()
                verdict = self._verify(form, temporary)
                self.answers[form.key] = open_model(temporary).predict(self.golden)
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
            "parity": verdict.comparison.to_json(),
            "verified_with": verdict.backend,
            "seconds": {
                "conversion": round(converted - started, 1),
                "verification": round(time.monotonic() - converted, 1),
            },
        }
        return Row(form, file, None, verdict, entry)

    def _verify(self, form: Format, path: Path) -> Verdict:
        threads = torch.get_num_threads()
        try:
            verdict = verify_file(
                path, form, self._contract, self._images, self._reference, threads
            )
        except InputError as error:
            raise GateError(
                f"{form.key}: its own runtime refuses what was written: {error}"
            ) from error
        if verdict.faults:
            raise _OutsideTolerance(form, verdict)
        return verdict

    def _convert(self, form: Format, path: Path) -> dict[str, int]:
        try:
            operators = self._conversions.write(form, path)
        except (DermportError, OSError):
            raise
        except Exception as error:
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            raise ConversionError(
                f"{form.key}: the converter failed with {type(error).__name__}: {reason} "
                "Run again with --debug for where, and check its version with "
                "`python -m distill doctor`."
            ) from error
        embed_contract(path, self._contract)
        return operators


class ConversionError(GateError):
    """A converter that is installed could not convert this network (exit code 1)."""


class _OutsideTolerance(GateError):
    def __init__(self, form: Format, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(
            f"{form.key} is outside its tolerance on {verdict.comparison.images} images: "
            f"{'; '.join(verdict.faults)}. It was not delivered."
        )


def _check_names(run: Path, out: Path, contract: Contract, classes: int) -> None:
    if not re.fullmatch(r"[\w.-]+", contract.name) or contract.name.startswith("."):
        raise InputError(
            f"{run / CONTRACT_FILE}: its name {contract.name!r} cannot be part of a file name. "
            "Use letters, digits, '_', '-' and '.' only."
        )
    if classes != len(contract.labels):
        raise InputError(
            f"{run}: the student knows {classes} classes and its contract names "
            f"{len(contract.labels)}. They belong to different runs; train again."
        )
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder for the exported files with --out.")


def _outcome(row: Row) -> str:
    if row.problem is not None:
        return f"{row.file}: NOT DELIVERED"
    seconds = row.entry["seconds"]
    return f"{row.file}: converted in {seconds['conversion']} s, passed"


def _replacing(path: Path) -> AbstractContextManager[Path]:
    return replacing_folder(path) if path.suffix == ".mlpackage" else replacing_file(path)


def _draw_parity(dataset: Dataset, settings: Settings) -> ImageSet:
    """Draws from the validation side, or from another where that one is too small a test.

    The files are compared with torch, not with diagnoses, so training images serve as well.
    """
    if settings.parity_images < SMALLEST_PARITY:
        raise InputError(
            f"{settings.parity_images} images are too few to compare files on: expected "
            f"{SMALLEST_PARITY} or more."
        )
    drawn = [
        draw_at_random(dataset, side, settings.parity_images, settings.seed)
        for side in ("validation", "test", "train")
    ]
    largest = max(drawn, key=lambda images: len(images.ids))
    chosen = next((images for images in drawn if len(images.ids) >= SMALLEST_PARITY), largest)
    if len(chosen.ids) < SMALLEST_PARITY:
        raise InputError(
            f"no side of the split has {SMALLEST_PARITY} images to compare files on (the "
            f"{chosen.side} side has {len(chosen.ids)}). Train on a larger data set."
        )
    return chosen


def _write_reports(
    out: Path,
    contract: Contract,
    rows: Sequence[Row],
    about: dict[str, Any],
    images: np.ndarray,
    golden: dict[str, Prediction],
) -> None:
    new = [row.entry for row in rows if row.problem is None]
    kept = kept_entries(out, about["student"]["sha256"], {entry["format"] for entry in new})
    write_text(out / CONTRACT_FILE, contract.to_json())
    write_golden(out / GOLDEN_FILE, images, golden, {entry["format"] for entry in kept})
    document = build_manifest(contract.name, about, new + kept)
    document["contract_sha256"] = sha256_of(out / CONTRACT_FILE)
    document["golden_sha256"] = sha256_of(out / GOLDEN_FILE)
    write_json(out / MANIFEST_FILE, document)
    write_json(out / PARITY_FILE, parity_document(rows, about))
    unlisted = unlisted_files(out, [entry["file"] for entry in document["files"]])
    if unlisted:
        warn(
            f"{out} also holds {', '.join(unlisted)}, which this student's export did not write or "
            f"did not pass; {MANIFEST_FILE} does not list them. Remove them or export them again."
        )


def parity_document(rows: Sequence[Row], about: dict[str, Any]) -> dict[str, Any]:
    """Returns the table of this export as data; a format that failed is in it with the reason."""
    return {
        "schema": "dermport.parity",
        "version": "1.0",
        "student": about["student"],
        "synthetic": about["synthetic"],
        "side": about["verification"]["side"],
        "images": about["verification"]["images"],
        "rows": [
            {
                "format": row.form.key,
                "file": row.file,
                "bytes": row.entry.get("bytes"),
                "parity": row.verdict.comparison.to_json() if row.verdict else None,
                "tolerance": vars(row.form.tolerance),
                "verified_with": row.verdict.backend if row.verdict else None,
                "verdict": "passed" if row.problem is None else "failed",
                "problem": None if row.problem is None else str(row.problem),
            }
            for row in rows
        ],
        "provenance": provenance(),
    }


def exit_code(rows: Sequence[Row]) -> int:
    """Returns 0 if all were delivered, 1 if a gate failed, else 2 (a converter is missing)."""
    return min((row.problem.exit_code for row in rows if row.problem), default=0)


def missing_stages(rows: Sequence[Row]) -> list[str]:
    """Returns the dependency groups that an asked format lacks."""
    problems = [row.problem for row in rows]
    return sorted({p.stage for p in problems if isinstance(p, MissingDependencyError)})
