"""From a finished run to a folder of checked files: convert, verify, and only then deliver."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.dataset import Dataset, is_released, open_dataset, prepare_dataset
from distill.locks import alone_in
from distill.models import Classifier
from distill.provenance import provenance
from distill.readers.labels_csv import LABELS
from distill.sample import SAMPLE_FOLDER, write_sample
from export.conversions import Conversions
from export.delivery import Delivery, Row, Verification
from export.deployable import Deployable
from export.finite import check_folded, check_weights, finite_activations
from export.formats import FORMATS, Format
from export.golden import GOLDEN_FILE, TORCH, golden_images, write_golden
from export.image_set import ImageSet, draw_at_random, network_pixels, with_content
from export.manifest import PARITY_FILE, Manifest, check_artifacts, formats_of
from export.quantization.calibration_set import draw_calibration_set, read_calibration_set
from export.quantization.float_judge import choose_float_layers, judged_formats
from export.quantization.float_layers import check_layers
from export.quantization.settings import DEFAULT, Quantization
from export.reference import reference_session
from runtimes.atomic import write_json
from runtimes.console import note, warn
from runtimes.contract import Contract, check_model_name
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import MANIFEST_FILE
from runtimes.metadata import CONTRACT_FILE

SMALLEST_PARITY = 64


@dataclass(frozen=True)
class Settings:
    """How a run is exported.

    Attributes:
        calibration_images: size of the calibration set.
        parity_images: images that every file is compared on, 64 or more.
        seed: of both draws.
        quantization: what the files with int8 activations are made by.
        choose_float_layers: whether the convolutions left in float are chosen on validation images
            instead, see `quantization.float_judge`.
    """

    calibration_images: int = 256
    parity_images: int = 256
    seed: int = 0
    quantization: Quantization = DEFAULT
    choose_float_layers: bool = False


@dataclass(frozen=True)
class Export:
    """What became of each asked format, and the table of the whole folder as data."""

    rows: list[Row]
    parity: dict[str, Any]


def export_run(
    run: Path,
    out: Path,
    formats: Sequence[Format],
    data: Path | None = None,
    settings: Settings = Settings(),
) -> Export:
    """Writes and checks the asked formats of a run.

    A file takes its final name only after its own runtime agreed with torch; one that fails leaves
    what stood there. The folder also gets contract.json, golden.safetensors, parity.json and
    manifest.json, unless nothing of this student is delivered.

    Args:
        run: a finished run, or a released model with its data.json.
        out: the artifact folder.
        formats: see `export.formats.select_formats`.
        data: where the data set lies now.
        settings: see `Settings`.

    Raises:
        InputError: no finished run, its data set cannot be opened, too few images or too much
            alike, or a network with values that are infinite or not a number.
    """
    classifier, contract = read_student(run)
    check_weights(classifier, run / STUDENT_FILE)
    _check_used(settings, formats)
    check_layers(classifier.trunk, settings.quantization.float_layers)
    _check_names(run, contract, classifier.num_classes)
    check_artifacts(out, run)
    busy = f"another export writes into {out}. Wait for it, or name another folder with --out."
    with alone_in(out, busy):
        return _export_into(out, run, classifier, contract, formats, data, settings)


def _export_into(
    out: Path,
    run: Path,
    classifier: Classifier,
    contract: Contract,
    formats: Sequence[Format],
    data: Path | None,
    settings: Settings,
) -> Export:
    dataset = images_of(run, contract, data)
    parity = _draw_parity(dataset, settings)
    recipe = contract.preprocessing
    calibration = samples = None
    if any(form.calibrated for form in formats):
        count, apart = settings.calibration_images, frozenset(parity.ids)
        drawn = draw_calibration_set(dataset, count, settings.seed, apart)
        calibration, samples = read_calibration_set(dataset, drawn, recipe)
    images = network_pixels(dataset, parity.ids, recipe)
    parity = with_content(parity, images, recipe)
    golden = golden_images(recipe.size)
    reference = reference_session(classifier, contract)
    with finite_activations(classifier, "verification images"):
        answers = reference.predict(images)
    if samples is not None:
        with finite_activations(classifier, "calibration images"):
            reference.predict(samples)
    check_folded(Deployable(classifier, contract.calibration.temperature))
    student = {
        "architecture": classifier.architecture,
        "sha256": sha256_of(run / STUDENT_FILE),
        "run": run.resolve().name,
    }
    about = {
        "student": student,
        "split": {"protocol": dataset.split.protocol, "sha256": dataset.split.sha256},
        "synthetic": dataset.index.synthetic,
    }
    manifest = Manifest(out, contract, about)
    verification = Verification(contract, images, answers, _weights(classifier))
    conversions = Conversions(classifier, contract, samples, settings.quantization)
    choice = None
    judged = judged_formats(formats) if settings.choose_float_layers else []
    if judged:
        choice = choose_float_layers(
            *(conversions, judged, classifier, contract, dataset), seed=settings.seed
        )
        chosen = replace(settings.quantization, float_layers=choice.layers)
        conversions = conversions.with_quantization(chosen)
    delivery = Delivery(
        out,
        conversions,
        verification,
        manifest,
        calibration,
        parity,
        golden,
        choice,
    )
    rows = []
    started = time.monotonic()
    for done, form in enumerate(formats, start=1):
        rows.append(delivery.deliver(form))
        left = (time.monotonic() - started) / done * (len(formats) - done)
        note(f"[{done}/{len(formats)}] {_outcome(rows[-1])}, about {left:.0f} s left")
    parity_table = parity_document(rows, manifest.entries, about)
    if manifest.entries:
        told = {TORCH: reference.predict(golden), **delivery.answers}
        kept = formats_of(manifest.entries) - formats_of([row.entry for row in rows if row.entry])
        write_golden(out / GOLDEN_FILE, golden, told, kept)
        manifest.finish(GOLDEN_FILE)
        write_json(out / PARITY_FILE, parity_table)
    unlisted = manifest.unlisted_files() if manifest.entries else []
    if unlisted:
        warn(
            f"{out} also holds {', '.join(unlisted)}, which this student's export did not write or "
            f"did not pass; {MANIFEST_FILE} does not list them. Remove them or export them again."
        )
    return Export(rows, parity_table)


def images_of(run: Path, contract: Contract, data: Path | None) -> Dataset:
    """Opens the run's data set; the synthetic sample for a released model without `data`."""
    if data is not None or not is_released(run):
        return open_dataset(run, data)
    warn(
        f"{run} carries no images, so ranges are calibrated and files are compared on the "
        "synthetic sample. Give the images that it was trained on with --data."
    )
    if not (SAMPLE_FOLDER / LABELS).is_file():
        write_sample(SAMPLE_FOLDER)
    return prepare_dataset(SAMPLE_FOLDER, contract.preprocessing.effective_resolution)


def _weights(classifier: Classifier) -> int:
    return sum(value.numel() for value in classifier.parameters())


def _check_used(settings: Settings, formats: Sequence[Format]) -> None:
    """Checks that settings for int8 activations concern one of the chosen formats, and agree."""
    how, auto = settings.quantization, settings.choose_float_layers
    if auto and how.aware is not None:
        raise InputError(
            f"layers shall be chosen to stay in float, but the weights of '{how.aware.name}' were "
            "trained with all of them in int8. Leave out --float-layers or --aware."
        )
    if any(form.rounds_activations for form in formats):
        return
    if how.float_layers or auto:
        named = ", ".join(how.float_layers) or "what it takes"
        what, option = f"{named} shall stay in float", "--float-layers"
    elif how.estimator != DEFAULT.estimator:
        what, option = f"ranges shall be measured by '{how.estimator}'", "--ranges"
    elif how.aware is not None:
        what, option = f"'{how.aware.name}' holds weights and ranges for int8", "--aware"
    else:
        return
    raise InputError(
        f"{what}, but none of the chosen formats has int8 activations. Add one of "
        f"{', '.join(form.key for form in FORMATS if form.rounds_activations)}, or leave out "
        f"{option}."
    )


def _check_names(run: Path, contract: Contract, classes: int) -> None:
    check_model_name(contract.name, str(run / CONTRACT_FILE))
    if classes != len(contract.labels):
        raise InputError(
            f"{run}: the student knows {classes} classes and its contract names "
            f"{len(contract.labels)}. They belong to different runs; train again."
        )


def _outcome(row: Row) -> str:
    if row.problem is not None:
        return f"{row.file}: NOT DELIVERED"
    seconds = row.entry["seconds"]
    return f"{row.file}: converted in {seconds['conversion']} s, passed"


def _draw_parity(dataset: Dataset, settings: Settings) -> ImageSet:
    """Draws from the validation side, or from another where that one is too small a test.

    The files are compared with torch, not with diagnoses, so training images serve as well, as long
    as they are kept out of the calibration set.
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


def parity_document(
    rows: Sequence[Row], entries: Sequence[dict[str, Any]], about: dict[str, Any]
) -> dict[str, Any]:
    """Returns the table as data: every listed file, and what failed with the reason.

    Args:
        rows: of this export.
        entries: of the manifest, with those of earlier exports.
        about: the student and its data.
    """
    fields = (
        *("format", "file", "bytes", "parity", "tolerance", "verified_with", "verification"),
        "left_in_float",
    )
    listed = [
        {**{key: entry[key] for key in fields}, "verdict": "passed", "problem": None}
        for entry in entries
    ]
    failed = [
        {
            "format": row.form.key,
            "file": row.file,
            "bytes": None,
            "parity": row.verdict.comparison.to_json() if row.verdict else None,
            "tolerance": vars(row.form.tolerance),
            "verified_with": row.verdict.backend if row.verdict else None,
            "verification": None,
            "left_in_float": None,
            "verdict": "failed",
            "problem": str(row.problem),
        }
        for row in rows
        if row.problem is not None
    ]
    order = [form.key for form in FORMATS]
    return {
        "schema": "dermport.parity",
        "version": "1.2",
        **about,
        "rows": sorted([*listed, *failed], key=lambda row: order.index(row["format"])),
        "provenance": provenance(),
    }


def exit_code(rows: Sequence[Row]) -> int:
    """Returns 0 if all were delivered, 1 if a gate failed, else 2 (a converter is missing)."""
    return min((row.problem.exit_code for row in rows if row.problem), default=0)
