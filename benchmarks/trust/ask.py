"""Asks networks and files about the images, and keeps what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trust.images import (
    CHOOSING,
    REPORTING,
    Amounts,
    cached,
    drawn_ids,
    fit_ids,
    side_rows,
    unanswerable,
)
from benchmarks.trust.kept import Arrays, Kept
from benchmarks.trust.leave_out import without_class
from benchmarks.trust.masks import Masks
from benchmarks.trust.network import Known, Network, enlarged
from benchmarks.trust.pictures import Photos
from benchmarks.trust.variants import CHANGES, FILTERS, resized
from distill.checkpoint import STUDENT_FILE, load_classifier
from distill.dataset import Dataset
from runtimes.console import progress
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json
from runtimes.prediction import Prediction, Session

UNCHANGED = "unchanged"
_AT_ONCE = 32


@dataclass(frozen=True)
class Setting:
    """What all questions share.

    Attributes:
        dataset: of the student.
        contract: of the student.
        amounts: how many images.
        masks: of lesions, if any.
        photos: of anything but skin.
        kept: where answers are kept.
    """

    dataset: Dataset
    contract: Contract
    amounts: Amounts
    masks: Masks | None
    photos: Photos
    kept: Kept

    def about(self, weights: str, **more: Any) -> dict[str, Any]:
        """All that an answer depends on."""
        return {
            "weights": weights,
            "split": self.dataset.split.sha256,
            "size": self.contract.preprocessing.size,
            "amounts": asdict(self.amounts),
            "masks": None if self.masks is None else self.masks.sha256,
            "photos": self.photos.sha256,
            **more,
        }

    def unanswerable(self, side: str) -> dict[str, list[np.ndarray]]:
        """Pictures of every kind, for one side."""
        photos = self.photos.choosing if side == CHOOSING else self.photos.reporting
        return unanswerable(self.dataset, side, self.amounts, photos, self.masks)


def ask_student(setting: Setting, run: Path) -> dict[str, Known]:
    """Asks the student itself, in torch: "fit", the two sides, and SIDE/KIND for pictures."""

    def make() -> Arrays:
        network = Network(load_classifier(run / STUDENT_FILE), setting.contract.preprocessing.size)
        dataset, amounts = setting.dataset, setting.amounts
        sets = {"fit": cached(dataset, fit_ids(dataset, amounts))}
        for side in (CHOOSING, REPORTING):
            rows = side_rows(dataset, side, amounts)
            sets[side] = cached(dataset, [dataset.ids(side)[row] for row in rows])
            made = setting.unanswerable(side)
            sets |= {f"{side}/{kind}": images for kind, images in made.items()}
        return _known(network, sets, "the student in torch")

    about = setting.about(sha256_of(run / STUDENT_FILE))
    return _as_known(setting.kept.get("student", about, make))


def ask_held_out(setting: Setting, folder: Path, code: str) -> dict[str, Known]:
    """Asks the student that never saw a class: "fit", both sides without it, and SIDE/CODE.

    The class's training images count as unseen on the reporting side, for this student has seen
    none of them.

    Raises:
        InputError: the folder holds no such student, or one that was trained on other sides.
    """
    whole, reduced = setting.dataset, without_class(setting.dataset, code)
    size = _held_out_size(folder, reduced, code)

    def make() -> Arrays:
        network = Network(load_classifier(folder / STUDENT_FILE), size)
        label = whole.index.classes.index(code)
        sets = {"fit": cached(reduced, fit_ids(reduced, setting.amounts))}
        for side in (CHOOSING, REPORTING):
            rows = side_rows(reduced, side, setting.amounts)
            sets[side] = cached(reduced, [reduced.ids(side)[row] for row in rows])
            sides = (CHOOSING,) if side == CHOOSING else (REPORTING, "train")
            own = [i for s in sides for i in np.array(whole.ids(s))[whole.labels(s) == label]]
            sets[f"{side}/{code}"] = cached(whole, own)
        return _known(network, sets, f"the student that never saw {code}")

    about = setting.about(sha256_of(folder / STUDENT_FILE), code=code, own_size=size)
    return _as_known(setting.kept.get(f"without-{code}", about, make))


def held_out_groups(dataset: Dataset, code: str) -> list[str]:
    """Lesions of the images of a held-out class on the reporting side, in their order."""
    label = dataset.index.classes.index(code)
    return [
        group
        for side in (REPORTING, "train")
        for group, own in zip(dataset.groups(side), dataset.labels(side), strict=True)
        if own == label
    ]


def ask_session(
    setting: Setting, key: str, weights: str, opened: Callable[[], Session], sides: Sequence[str]
) -> dict[str, Arrays]:
    """Asks a file, or torch as a file is asked: probabilities and unknown score.

    Args:
        setting: see `Setting`.
        key: of the format.
        weights: SHA-256 of the file, or of student and score.
        opened: opens it; called only if something has to be asked.
        sides: sides of the split that are answered whole; pictures are those for reporting.
    """

    def make() -> Arrays:
        session, dataset = opened(), setting.dataset
        found: Arrays = {}
        sets: dict[str, Sequence[np.ndarray]] = {}
        for side in sides:
            rows = side_rows(dataset, side, setting.amounts)
            sets[side] = cached(dataset, [dataset.ids(side)[row] for row in rows])
        made = setting.unanswerable(REPORTING)
        sets |= {f"{REPORTING}/{kind}": images for kind, images in made.items()}
        with progress(key, sum(map(len, sets.values()))) as bar:
            for name, images in sets.items():
                answers = []
                for start in range(0, len(images), _AT_ONCE):
                    batch = images[start : start + _AT_ONCE]
                    pixels = enlarged(batch, setting.contract.preprocessing.size)
                    answers.append(session.predict(pixels))
                    bar.advance(len(batch))
                found |= _arrays(name, answers)
        return found

    name = key.replace(":", "-")
    return _by_set(setting.kept.get(name, setting.about(weights, sides=list(sides)), make))


def ask_changed(
    setting: Setting, key: str, weights: str, opened: Callable[[], Session]
) -> dict[str, Arrays]:
    """Asks about changed pictures: name of the change to probabilities and unknown score."""
    ids = changed_ids(setting.dataset, setting.amounts)

    def make() -> Arrays:
        session, size = opened(), setting.contract.preprocessing.size
        images = cached(setting.dataset, ids)
        found: Arrays = {}
        total = len(images) * (1 + len(CHANGES) + len(FILTERS))
        with progress(f"{key} on changed pictures", total) as bar:
            for name in (UNCHANGED, *CHANGES, *FILTERS):
                answers = []
                for start in range(0, len(images), _AT_ONCE):
                    batch = images[start : start + _AT_ONCE]
                    answers.append(session.predict(_changed(batch, name, size)))
                    bar.advance(len(batch), name)
                found |= _arrays(name, answers)
        return found

    name = f"changed-{key.replace(':', '-')}"
    about = setting.about(weights, changes=[*CHANGES, *FILTERS])
    return _by_set(setting.kept.get(name, about, make))


def changed_ids(dataset: Dataset, amounts: Amounts) -> tuple[str, ...]:
    """Test images that are changed."""
    return drawn_ids(dataset.ids(REPORTING), amounts.changed, amounts.seed)


def _changed(images: Sequence[np.ndarray], name: str, size: int) -> np.ndarray:
    if name in FILTERS:
        return np.stack([resized(image, size, FILTERS[name]) for image in images])
    if name == UNCHANGED:
        return enlarged(images, size)
    return enlarged([CHANGES[name](image) for image in images], size)


def _known(network: Network, sets: Mapping[str, Sequence[np.ndarray]], what: str) -> Arrays:
    found: Arrays = {}
    with progress(what, sum(map(len, sets.values()))) as bar:
        for name, images in sets.items():
            known = network.ask(images, bar)
            found |= {f"{name}|pooled": known.pooled, f"{name}|logits": known.logits}
    return found


def _as_known(arrays: Arrays) -> dict[str, Known]:
    return {name: Known(each["pooled"], each["logits"]) for name, each in _by_set(arrays).items()}


def _arrays(name: str, answers: Sequence[Prediction]) -> Arrays:
    return {
        f"{name}|probabilities": np.concatenate([each.probabilities for each in answers]),
        f"{name}|unknown": np.concatenate([each.unknown for each in answers]),
    }


def _by_set(arrays: Arrays) -> dict[str, Arrays]:
    found: dict[str, Arrays] = {}
    for key, value in arrays.items():
        name, _, field = key.rpartition("|")
        found.setdefault(name, {})[field] = value
    return found


def _held_out_size(folder: Path, reduced: Dataset, code: str) -> int:
    path = folder / "metrics.json"
    try:
        about = read_json(path)
        size, split = int(about["size"]), str(about["split"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): there is no student that never saw {code}. Train it "
            "with `python -m benchmarks leave-out`, or leave out --leave-out."
        ) from error
    if split != reduced.split.sha256:
        raise InputError(
            f"{folder} was trained on other sides (split {split[:12]}…) than this student without "
            f"{code} ({reduced.split.sha256[:12]}…), so it may have seen the images that it is "
            "asked about. Train it again with `python -m benchmarks leave-out`."
        )
    return size
