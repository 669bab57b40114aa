"""From finished runs to the table's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.calibration import calibrated
from distill.checkpoint import STUDENT_FILE, TEACHER_FILE, load_classifier
from distill.dataset import Dataset, DeviceImages
from distill.device import to_channels_last
from distill.inference import predict_logits
from distill.kept_logits import kept_logits
from distill.metrics import SCALARS, Estimate, Resampled, mean_differences, mean_estimates, resample
from distill.tables.jobs import FAILED_FILE, METHODS, TEACHER, Job
from distill.tables.paper import paper_figures
from runtimes.errors import InputError
from runtimes.json_files import read_json

BASES = ("no_kd", "blkd")
_KEPT = ("seed", "training", "initial_weights", "temperature", "size", "provenance")


class Measurements:
    """Resampled test metrics of finished runs; each is computed once in a process."""

    def __init__(self, runs: Path, images: Mapping[str, tuple[Dataset, DeviceImages]]) -> None:
        self._runs = runs
        self._images = images
        self._found: dict[str, Resampled] = {}

    def of(self, job: Job) -> Resampled:
        """Returns the metrics of a finished job on the test side of its split."""
        if job.name not in self._found:
            self._found[job.name] = self._measure(job)
        return self._found[job.name]

    def _measure(self, job: Job) -> Resampled:
        (dataset, images), folder = self._images[job.split], job.folder(self._runs)
        about = read_metrics(folder)
        if about["split"]["sha256"] != dataset.split.sha256:
            raise InputError(
                f"{folder} was trained on another split or data set than this table is made of. "
                "Name another --runs folder for another table."
            )
        weights = folder / (TEACHER_FILE if job.method == TEACHER else STUDENT_FILE)
        logits = kept_logits(weights, dataset, int(about["size"]), "test")
        if logits is None:  # killed between the two files
            model = load_classifier(weights)
            to_channels_last(model, images.device)
            rows = dataset.rows("test")
            logits = predict_logits(model, images, rows, int(about["size"]), what=job.name).numpy()
        return resample(
            calibrated(logits, float(about["temperature"])),
            dataset.labels("test"),
            dataset.groups("test"),
            dataset.index.classes,
        )


def read_metrics(folder: Path) -> dict[str, Any]:
    """Reads metrics.json of a finished run."""
    path = folder / "metrics.json"
    try:
        return dict(read_json(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); remove {folder}.") from error


def summarise(jobs: Sequence[Job], runs: Path, measured: Measurements) -> dict[str, Any]:
    """Returns the table as plain values: a list of rows for each split.

    A row averages a method's finished seeds; its intervals are over lesions, and the standard
    deviation over seeds stands apart. Differences compare the seeds that both methods have.
    """
    table: dict[str, Any] = {}
    for split in dict.fromkeys(job.split for job in jobs):
        own = [job for job in jobs if job.split == split]
        rows = [_row(name, own, runs, measured) for name in (TEACHER, *METHODS)]
        table[split] = [row for row in rows if row is not None]
    return table


def _row(
    method: str, jobs: Sequence[Job], runs: Path, measured: Measurements
) -> dict[str, Any] | None:
    own = [job for job in jobs if job.method == method]
    done = [job for job in own if job.done(runs)]
    if not own:
        return None
    row: dict[str, Any] = {
        "method": method,
        "paper": paper_figures(method),
        "seeds": [job.seed for job in done],
        "waiting": [job.seed for job in own if not job.done(runs) and not job.failed(runs)],
        "failed": {str(job.seed): _failure(job, runs) for job in own if job.failed(runs)},
    }
    if not done:
        return row
    found = [measured.of(job) for job in done]
    row["metrics"] = _plain(mean_estimates(found))
    row["deviation_over_seeds"] = {
        name: float(np.std([run.whole[name] for run in found], ddof=1)) if len(found) > 1 else None
        for name in SCALARS
    }
    row["sensitivity"] = {
        code: float(np.mean([run.whole["sensitivity"][k] for run in found]))
        for k, code in enumerate(read_metrics(done[0].folder(runs))["metrics"]["per_class"])
    }
    row["runs"] = [_kept(job, runs) for job in done]
    row["minus"] = {
        base: _plain(difference)
        for base in BASES
        if base != method and (difference := _difference(base, done, jobs, runs, measured))
    }
    if method not in (TEACHER, *BASES):
        difference = _difference(TEACHER, done, jobs, runs, measured)
        row["minus"] |= {TEACHER: _plain(difference)} if difference else {}
    if method == "ssd_kd_plus":
        difference = _difference("ssd_kd", done, jobs, runs, measured)
        row["minus"] |= {"ssd_kd": _plain(difference)} if difference else {}
    return row


def _difference(
    base: str, done: Sequence[Job], jobs: Sequence[Job], runs: Path, measured: Measurements
) -> dict[str, Estimate] | None:
    bases = {job.seed: job for job in jobs if job.method == base and job.done(runs)}
    if base == TEACHER or done[0].method == TEACHER:
        other = list(bases.values())
        mine = list(done)
    else:
        seeds = [job.seed for job in done if job.seed in bases]
        other = [bases[seed] for seed in seeds]
        mine = [job for job in done if job.seed in bases]
    if not other or not mine:
        return None
    return mean_differences([measured.of(job) for job in other], [measured.of(job) for job in mine])


def _kept(job: Job, runs: Path) -> dict[str, Any]:
    about = read_metrics(job.folder(runs))
    return {"name": job.name, **{key: about[key] for key in _KEPT if key in about}}


def _failure(job: Job, runs: Path) -> str:
    return str(read_json(job.folder(runs) / FAILED_FILE)["error"])


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: dict(vars(value)) for name, value in estimates.items()}
