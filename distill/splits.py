"""Train, validation and test sides of an index, by lesion (default) or by the paper's protocol."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.index import Index, Record
from runtimes.atomic import write_json
from runtimes.errors import InputError, MissingDependencyError
from runtimes.json_files import read_json

PROTOCOLS = ("lesion", "paper")
SIDES = ("train", "validation", "test")
_SCHEMA = "dermport.split"
_PAPER_FOLDS = 5
_PAPER_TEST_SHARE = 0.10


@dataclass(frozen=True)
class Split:
    """Image identifiers of the three sides, each in the order of the index.

    `fold` is the validation fold of the paper's protocol, counted from 0; None by lesion.
    """

    protocol: str
    seed: int
    fold: int | None
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The hash of the canonical JSON of this split."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def side(self, name: str) -> tuple[str, ...]:
        """Returns the identifiers of "train", "validation" or "test"."""
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in sides:
            raise InputError(f"a split has no side {name!r}. Its sides are: {', '.join(SIDES)}.")
        return sides[name]


def make_split(
    index: Index,
    protocol: str = "lesion",
    seed: int = 2021,
    fold: int = 2,
    fractions: tuple[float, float, float] = (0.70, 0.15, 0.15),
) -> Split:
    """Divides an index into train, validation and test.

    "lesion": stratified by class; all images of a lesion, and all exact duplicates, stand on one
    side. "paper": SSD-KD's protocol, 10 % test at random by image, then five stratified folds of
    the rest of which `fold` (from 0) is the validation side. It knows no lesions: images of one
    lesion do stand on different sides, and its figures are higher for that reason.

    Args:
        index: the data set.
        protocol: "lesion" or "paper".
        seed: decides the sides; the same index and seed give the same split.
        fold: the paper's validation fold; not used by lesion.
        fractions: shares of train, validation and test by lesion; not used by the paper.

    Raises:
        InputError: unknown protocol or fold, fractions that do not sum to 1, or a class with too
            few lesions (images, for the paper) to stand on every side.
    """
    if protocol == "lesion":
        sides = _by_lesion(index, seed, fractions)
        split = _as_split(index, protocol, seed, None, sides)
    elif protocol == "paper":
        split = _as_split(index, protocol, seed, fold, _by_paper(index, seed, fold))
    else:
        raise InputError(f"unknown split protocol {protocol!r}. Known are: {', '.join(PROTOCOLS)}.")
    check_split(split, index)
    return split


def check_split(split: Split, index: Index) -> None:
    """Checks that a split divides exactly this index, keeps groups whole and leaves no class out.

    Raises:
        InputError: images missing or unknown, a class absent from a side, or (protocol "lesion")
            a lesion or duplicate group on two sides.
    """
    records = {record.image: record for record in index.records}
    assigned = [image for side in SIDES for image in split.side(side)]
    unknown = sorted(set(assigned) - set(records))
    unassigned = sorted(set(records) - set(assigned))
    if unknown or unassigned:
        raise InputError(
            f"the split does not fit {index.root}: {len(unknown)} of its images are not there "
            f"({', '.join(unknown[:3]) or '–'}), {len(unassigned)} images there are on no side "
            f"({', '.join(unassigned[:3]) or '–'}). Use the data set it was made from, or a new "
            "run folder."
        )
    for side in SIDES:
        present = {records[image].label for image in split.side(side)}
        absent = [code for label, code in enumerate(index.classes) if label not in present]
        if absent:
            raise InputError(
                f"the {side} side has no image of the class {', '.join(absent)}. Add images of it, "
                "leave the class out of the data set, or choose another --seed."
            )
    if split.protocol == "lesion":
        _refuse_divided_groups(split, records)


def count_classes(split: Split, index: Index) -> dict[str, list[int]]:
    """Returns for each side the number of images of each class, in the order of the classes."""
    label = {record.image: record.label for record in index.records}
    counted = {side: Counter(label[image] for image in split.side(side)) for side in SIDES}
    return {side: [counted[side][c] for c in range(len(index.classes))] for side in SIDES}


def write_split(path: Path, split: Split, index: Index) -> None:
    """Writes a split as JSON, with its hash and the hash of the index it divides."""
    write_json(
        path,
        {
            "schema": _SCHEMA,
            "sha256": split.sha256,
            "index": {
                "reader": index.reader,
                "synthetic": index.synthetic,
                "classes": list(index.classes),
                "images": len(index.records),
                "sha256": index.sha256,
            },
            **asdict(split),
        },
    )


def read_split(path: Path) -> Split:
    """Reads what `write_split` wrote.

    Raises:
        InputError: unreadable, a key missing, unknown or of the wrong type, an image on two sides,
            or lists that no longer have the recorded hash.
    """
    try:
        value = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read the split {path}: {error}. It was damaged since the training: take it "
            "from a copy of the run, or train again."
        ) from error
    types: dict[str, type | tuple[type, ...]] = {
        "schema": str,
        "sha256": str,
        "index": dict,
        "protocol": str,
        "seed": int,
        "fold": (int, type(None)),
        **{side: list for side in SIDES},
    }
    if not isinstance(value, dict) or value.get("schema") != _SCHEMA:
        raise InputError(f"{path} is no split: expected a JSON object with schema {_SCHEMA!r}.")
    for key in sorted(set(value) ^ set(types)):
        fault = "has the unknown key" if key in value else "lacks the key"
        raise InputError(f"the split {path} {fault} {key!r}. Its keys are: {', '.join(types)}.")
    for key, expected in types.items():
        if not isinstance(value[key], expected) or isinstance(value[key], bool):
            raise InputError(f"the split {path} has {value[key]!r} under {key!r}: wrong type.")
    sides = {side: _identifiers(path, side, value[side]) for side in SIDES}
    split = Split(value["protocol"], value["seed"], value["fold"], **sides)
    if split.protocol not in PROTOCOLS:
        raise InputError(f"the split {path} has the unknown protocol {split.protocol!r}.")
    counted = Counter(image for side in SIDES for image in split.side(side))
    double = sorted(image for image, times in counted.items() if times > 1)
    if double:
        raise InputError(f"the split {path} lists {double[0]!r} more than once.")
    if split.sha256 != value["sha256"]:
        raise InputError(
            f"the split {path} was changed after it was written (its hash does not match). "
            "Restore the file, or start a new run."
        )
    return split


def _identifiers(path: Path, side: str, values: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"the split {path} has something other than image names in {side!r}.")
    return tuple(values)


def _as_split(
    index: Index, protocol: str, seed: int, fold: int | None, sides: dict[str, str]
) -> Split:
    images = {
        side: tuple(record.image for record in index.records if sides[record.image] == side)
        for side in SIDES
    }
    return Split(protocol, seed, fold, **images)


def _by_lesion(index: Index, seed: int, fractions: Sequence[float]) -> dict[str, str]:
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(
            f"fractions {tuple(fractions)}: expected three shares above 0 (train, validation, "
            "test) that sum to 1."
        )
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in index.records:
        groups[record.group].append(record)
    strata: defaultdict[int, list[str]] = defaultdict(list)
    for name, members in groups.items():
        strata[_majority(members)].append(name)
    sides: dict[str, str] = {}
    for label, code in enumerate(index.classes):
        names = strata[label]
        if len(names) < len(SIDES):
            raise InputError(
                f"the class {code} has {len(names)} lesion(s) "
                f"({sum(len(groups[name]) for name in names)} image(s)); a split by lesion needs "
                "3 or more, one for each side. Add lesions of it, or leave the class out."
            )
        # A rank by hash depends on neither the order of the records nor the version of a random
        # number generator, and a lesion mostly keeps its side when others are added.
        names.sort(key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
        sizes = {name: len(groups[name]) for name in names}
        images = sum(sizes.values())
        for side, share, reserve in (("test", fractions[2], 2), ("validation", fractions[1], 1)):
            for name in _fill(names, sizes, share * images, len(names) - reserve):
                names.remove(name)
                sides.update((record.image, side) for record in groups[name])
        sides.update((r.image, "train") for name in names for r in groups[name])
    return sides


def _majority(members: Sequence[Record]) -> int:
    counted = Counter(record.label for record in members)
    return min(counted, key=lambda label: (-counted[label], label))


def _fill(names: Sequence[str], sizes: dict[str, int], quota: float, most: int) -> list[str]:
    """Takes groups in order until their images come nearest to `quota`; at least one group."""
    taken: list[str] = []
    images = 0
    for name in names:
        if len(taken) < most and images + sizes[name] / 2 <= quota:
            taken.append(name)
            images += sizes[name]
    return taken or [min(names, key=lambda name: sizes[name])]


def _by_paper(index: Index, seed: int, fold: int) -> dict[str, str]:
    try:
        from sklearn.model_selection import StratifiedKFold, train_test_split
    except ModuleNotFoundError as error:
        raise MissingDependencyError("scikit-learn", "train") from error
    if not 0 <= fold < _PAPER_FOLDS:
        raise InputError(
            f"fold {fold}: expected one of the paper's folds, 0 to {_PAPER_FOLDS - 1}."
        )
    labels = [record.label for record in index.records]
    rest, test = train_test_split(
        range(len(labels)), test_size=_PAPER_TEST_SHARE, random_state=seed, shuffle=True
    )
    counted = Counter(labels[row] for row in rest)
    for label, code in enumerate(index.classes):
        if counted[label] < _PAPER_FOLDS:
            raise InputError(
                f"the class {code} has {counted[label]} images beside the test side; the paper's "
                f"protocol needs {_PAPER_FOLDS} or more, one for each fold. Add images of it, or "
                "use the protocol 'lesion'."
            )
    folds = StratifiedKFold(_PAPER_FOLDS, shuffle=True, random_state=seed)
    _, chosen = list(folds.split(rest, [labels[row] for row in rest]))[fold]
    validation = {rest[position] for position in chosen}
    held_out = set(test)
    return {
        record.image: "test" if row in held_out else "validation" if row in validation else "train"
        for row, record in enumerate(index.records)
    }


def _refuse_divided_groups(split: Split, records: dict[str, Record]) -> None:
    side_of: dict[str, str] = {}
    for side in SIDES:
        for image in split.side(side):
            group = records[image].group
            if side_of.setdefault(group, side) != side:
                raise InputError(
                    f"the lesion of {image} (group {group}) stands on the sides "
                    f"{side_of[group]} and {side}. Make the split anew from this data set."
                )
