"""The index of a data set: every labelled image with the group that a split keeps together."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from distill.image_source import ImageSource
from distill.readers import image_folder, isic2019, labels_csv
from distill.readers.listing import Listing, Row, first_names
from runtimes.errors import InputError

_READERS: tuple[tuple[Callable[[Path], bool], Callable[[Path, str, bool], Listing]], ...] = (
    (labels_csv.recognises, labels_csv.read),
    (isic2019.recognises, isic2019.read),
    (image_folder.recognises, image_folder.read),
)


_LIKE_LABELS = (".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods")


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled image.

    `lesion` is "" where it is not known; `group` is the lesion after exact duplicates were merged
    into it, named after the first image in it. `location` is the path within the image source.
    """

    image: str
    label: int
    lesion: str
    source: str
    group: str
    age: float | None
    sex: str
    site: str
    location: str


@dataclass(frozen=True)
class Index:
    """A validated data set; records are ordered by image identifier.

    `root` is the folder or zip with the images, `reader` the layout that was read. `duplicates`
    are the groups of images with identical bytes, `contradictions` those of them whose images
    carry different classes.
    """

    classes: tuple[str, ...]
    records: tuple[Record, ...]
    root: str
    reader: str
    synthetic: bool
    duplicates: tuple[tuple[str, ...], ...]
    contradictions: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The hash of classes and records; the place where the images lie does not enter."""
        content = [self.classes, [astuple(record) for record in self.records]]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    def counts(self) -> list[int]:
        """Returns the number of images of each class, in the order of `classes`."""
        counted = Counter(record.label for record in self.records)
        return [counted[label] for label in range(len(self.classes))]


def read_index(data: Path, images: str = "auto", *, skip_unmatched: bool = False) -> Index:
    """Reads a data set of any known layout and groups its images by lesion and exact content.

    Layouts: the official ISIC 2019 download; a labels.csv beside a zip or folder of images (the
    synthetic sample is one); a tree with one folder a class.

    Args:
        data: folder of the data set, or a zip of images beside its labels.csv.
        images: the zip or folder with the images where several exist; "auto" takes the one that
            has the most labelled images.
        skip_unmatched: leave out labels without an image and images without a label.

    Raises:
        InputError: no known layout, or labels and images that do not fit.
    """
    data = Path(data)
    if not data.exists():
        raise InputError(
            f"{data} does not exist. Name a data set, or draw a synthetic one with: "
            "python -m distill sample OUT"
        )
    for recognises, read in _READERS:
        if recognises(data):
            return _index(read(data, images, skip_unmatched))
    alike = sorted(
        path.name
        for path in (data.iterdir() if data.is_dir() else ())
        if path.stem.lower() == "labels" and path.suffix.lower() in _LIKE_LABELS
    )
    advice = f" {alike[0]} may be meant: save it as labels.csv, a CSV file." if alike else ""
    raise InputError(
        f"{data} has none of the known layouts: labels.csv beside a zip or folder of images; the "
        "ISIC 2019 download (ISIC_2019_Training_GroundTruth.csv beside ISIC_2019_Training_Input); "
        f"or one folder of images a class.{advice}"
    )


def open_images(index: Index) -> ImageSource:
    """Opens the folder or zip that the records of `index` point into.

    Raises:
        InputError: it has gone since the index was read.
    """
    return ImageSource(Path(index.root))


def _index(listing: Listing) -> Index:
    rows = sorted(listing.rows, key=lambda row: row.image)
    image_at = {row.location: row.image for row in rows}
    identical = listing.source.identical(image_at)
    duplicates = tuple(tuple(sorted(image_at[place] for place in group)) for group in identical)
    diagnosis = {row.image: row.diagnosis for row in rows}
    groups = _groups(rows, duplicates)
    contradictions = tuple(
        group for group in duplicates if len({diagnosis[image] for image in group}) > 1
    )
    label = {code: number for number, code in enumerate(listing.classes)}
    records = tuple(
        Record(
            image=row.image,
            label=label[row.diagnosis],
            lesion=row.lesion,
            source=row.source,
            group=groups[row.image],
            age=row.age,
            sex=row.sex,
            site=row.site,
            location=row.location,
        )
        for row in rows
    )
    index = Index(
        classes=listing.classes,
        records=records,
        root=str(listing.source.root),
        reader=listing.reader,
        synthetic=listing.synthetic,
        duplicates=tuple(sorted(duplicates)),
        contradictions=tuple(sorted(contradictions)),
        warnings=(*listing.warnings, *_content_warnings(rows, contradictions)),
    )
    _refuse_empty_classes(index)
    return index


def _groups(rows: Sequence[Row], duplicates: Iterable[Sequence[str]]) -> dict[str, str]:
    """Joins images of one lesion and images of identical content (union-find).

    A group bears the name of its first image: lesion names can clash with image names, image names
    cannot clash with each other.
    """
    parent = {row.image: row.image for row in rows}

    def root(image: str) -> str:
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    def join(images: Sequence[str]) -> None:
        for image in images[1:]:
            first, second = sorted((root(images[0]), root(image)))
            parent[second] = first

    lesions: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.lesion:
            lesions[row.lesion].append(row.image)
    for images in (*lesions.values(), *duplicates):
        join(images)
    return {row.image: root(row.image) for row in rows}


def _content_warnings(
    rows: Sequence[Row], contradictions: Sequence[Sequence[str]]
) -> Iterable[str]:
    for group in contradictions:
        yield f"identical images carry different classes: {first_names(group)}."
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.lesion:
            classes[row.lesion].add(row.diagnosis)
    mixed = sorted(lesion for lesion, found in classes.items() if len(found) > 1)
    if mixed:
        yield f"{len(mixed)} lesions carry more than one class: {first_names(mixed)}."


def _refuse_empty_classes(index: Index) -> None:
    empty = [code for code, n in zip(index.classes, index.counts(), strict=True) if n == 0]
    if empty:
        raise InputError(
            f"{index.root}: the class {', '.join(empty)} has no image. Add images of it, or remove "
            "the class from the labels."
        )
