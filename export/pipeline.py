"""From a finished run to a folder of checked files: convert, verify, and only then deliver."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from distill.checkpoint import STUDENT_FILE
from distill.comparison import read_student
from distill.dataset import Dataset
from distill.models import Classifier
from distill.provenance import provenance
from export.conversions import CORRECTION_IMAGES, Conversions
from export.delivery import Delivery, Places, Row, Verification
from export.deployable import Deployable
from export.finite import check_folded, check_weights, finite_activations
from export.formats import FORMATS, Format
from export.golden import GOLDEN_FILE, TORCH, write_golden
from export.making import Maker
from export.manifest import PARITY_FILE, Manifest, check_artifacts, formats_of
from export.pictures import Draw, Pictures, read_pictures
from export.quantization.float_choice import Choice
from export.quantization.float_judge import choose_float_layers, judged_formats
from export.quantization.float_layers import check_layers
from export.quantization.settings import DEFAULT, Quantization
from export.reference import reference_session
from export.worker import Worker, shared_out
from runtimes.atomic import write_json
from runtimes.console import note, warn
from runtimes.contract import Contract, check_model_name
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import MANIFEST_FILE
from runtimes.locks import alone_in
from runtimes.metadata import CONTRACT_FILE
from runtimes.prediction import Prediction, Session


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
    alone = settings.choose_float_layers  # choosing takes far longer than making the files
    ours, theirs = (formats, []) if alone else shared_out(formats, torch.get_num_threads())
    with ExitStack() as stack:
        stack.enter_context(alone_in(out, busy))
        worker = stack.enter_context(Worker(run, theirs)) if theirs else None
        work = _Work(out, run, classifier, contract, ours, theirs, worker)
        return work.export(data, settings)


@dataclass(frozen=True)
class _Work:
    """An export of some formats by this process and of others by a worker."""

    out: Path
    run: Path
    classifier: Classifier
    contract: Contract
    ours: Sequence[Format]
    theirs: Sequence[Format]
    worker: Worker | None

    def export(self, data: Path | None, settings: Settings) -> Export:
        """See `export_run`."""
        count = settings.calibration_images if any(f.calibrated for f in self._formats) else None
        drawn = Draw(count, settings.parity_images, settings.seed)
        pictures = read_pictures(self.run, self.contract, data, drawn)
        about = self._about(pictures.dataset)
        manifest = Manifest(self.out, self.contract, about)
        conversions, choice = self._conversions(pictures, settings)
        threads = max(1, torch.get_num_threads() // 2)  # sums differ by it, also without a worker
        maker = Maker(conversions, self.contract, pictures.images, pictures.golden, threads)
        places = Places(self.out, self.contract.name)
        reference = reference_session(self.classifier, self.contract)
        with ExitStack() as unfinished, _torch_threads(threads):
            if self.worker is not None:
                paths = places.reserve(self.theirs, unfinished)
                unfinished.callback(self.worker.end)  # before what it writes is removed
                self.worker.start(maker, pictures.samples, paths)
            answers = self._watched(reference, pictures)
            parameters = sum(value.numel() for value in self.classifier.parameters())
            verification = Verification(self.contract, answers, parameters)
            sets = pictures.calibration, pictures.parity
            delivery = Delivery(places, maker, verification, manifest, *sets, choice)
            rows = self._deliver(delivery)
        parity_table = parity_document(rows, manifest.entries, about)
        if manifest.entries:
            told = {TORCH: reference.predict(pictures.golden), **delivery.answers}
            new = formats_of([row.entry for row in rows if row.entry])
            kept = formats_of(manifest.entries) - new
            write_golden(self.out / GOLDEN_FILE, pictures.golden, told, kept)
            manifest.finish(GOLDEN_FILE)
            write_json(self.out / PARITY_FILE, parity_table)
            self._warn_of_unlisted(manifest)
        return Export(rows, parity_table)

    def _about(self, dataset: Dataset) -> dict[str, Any]:
        student = {
            "architecture": self.classifier.architecture,
            "sha256": sha256_of(self.run / STUDENT_FILE),
            "run": self.run.resolve().name,
        }
        return {
            "student": student,
            "split": {"protocol": dataset.split.protocol, "sha256": dataset.split.sha256},
            "synthetic": dataset.index.synthetic,
        }

    def _conversions(
        self, pictures: Pictures, settings: Settings
    ) -> tuple[Conversions, Choice | None]:
        how = settings.quantization
        conversions = Conversions(self.classifier, self.contract, pictures.samples, how)
        judged = judged_formats(self.ours) if settings.choose_float_layers else []
        if not judged:
            return conversions, None
        choice = choose_float_layers(
            *(conversions, judged, self.classifier, self.contract, pictures.dataset),
            seed=settings.seed,
        )
        return conversions.with_quantization(replace(how, float_layers=choice.layers)), choice

    def _watched(self, reference: Session, pictures: Pictures) -> Prediction:
        """Returns torch's answers to the verification images, once all layers are finite."""
        with finite_activations(self.classifier, "verification images"):
            answers = reference.predict(pictures.images)
        if pictures.samples is not None:
            with finite_activations(self.classifier, "calibration images"):
                reference.predict(pictures.samples[:CORRECTION_IMAGES])
        check_folded(Deployable(self.classifier, self.contract.calibration.temperature))
        return answers

    def _deliver(self, delivery: Delivery) -> list[Row]:
        rows: list[Row] = []
        count, started = len(self._formats), time.monotonic()
        with closing(delivery.deliver(self.ours, self.theirs, self.worker)) as delivered:
            for row in delivered:
                rows.append(row)
                elapsed, done = time.monotonic() - started, {row.form.key for row in rows}
                left = max(_left(elapsed, lane, done) for lane in (self.ours, self.theirs))
                note(f"[{len(rows)}/{count}] {_outcome(row)}, about {left:.0f} s left")
        order = [form.key for form in FORMATS]
        return sorted(rows, key=lambda row: order.index(row.form.key))

    @property
    def _formats(self) -> list[Format]:
        return [*self.ours, *self.theirs]

    def _warn_of_unlisted(self, manifest: Manifest) -> None:
        if unlisted := manifest.unlisted_files():
            warn(
                f"{self.out} also holds {', '.join(unlisted)}, which this student's export did not "
                f"write or did not pass; {MANIFEST_FILE} does not list them. Remove them or export "
                "them again."
            )


def _left(elapsed: float, lane: Sequence[Format], done: Collection[str]) -> float:
    """Seconds that one process still needs for its formats, each taken to last as the others."""
    finished = sum(form.key in done for form in lane)
    return elapsed / max(1, finished) * (len(lane) - finished)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
            "verified_with": row.backend,
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
