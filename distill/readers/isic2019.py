"""Reader of the official ISIC 2019 download: one-hot ground truth, metadata, images."""

from __future__ import annotations

from pathlib import Path

from distill.image_source import ImageSource
from distill.readers.attribution import isic_source
from distill.readers.listing import (
    Labelled,
    Listing,
    Row,
    first_names,
    match,
    read_age,
    read_table,
)
from runtimes.errors import InputError

_TRUTH, _METADATA = "*GroundTruth.csv", "*Metadata.csv"
_UNKNOWN = "UNK"


def recognises(data: Path) -> bool:
    """Tells whether `data` is a folder with a file that ends in GroundTruth.csv."""
    return data.is_dir() and any(data.glob(_TRUTH))


def read(data: Path, images: str, skip_unmatched: bool) -> Listing:
    """Reads ISIC_2019_Training_GroundTruth.csv, …_Metadata.csv (if there) and …_Input.

    The class order is that of the ground truth's header. The column UNK is empty in the training
    set; rows that set it belong to no class, so they are left out with a warning.

    Raises:
        InputError: a row that is not one-hot, a class without images, or images that do not fit.
    """
    truth_path = _one(data, _TRUTH)
    table = read_table(truth_path, ("image",))
    codes = tuple(column for column in table.columns if column != "image")
    classes = tuple(code for code in codes if code != _UNKNOWN)
    if len(classes) < 2:
        raise InputError(f"{truth_path} has fewer than two class columns: {', '.join(codes)}.")
    source = ImageSource(_images(data, truth_path, images))
    metadata = _metadata(data)
    labelled, warnings = match(table, source, skip_unmatched)
    rows, unknown, undescribed = [], [], 0
    for row in labelled:
        diagnosis = _one_hot(row, codes)
        if diagnosis == _UNKNOWN:
            unknown.append(row.image)
            continue
        about = metadata.get(row.image, {})
        undescribed += bool(metadata) and not about
        lesion = about.get("lesion_id", "")
        rows.append(
            Row(
                image=row.image,
                diagnosis=diagnosis,
                lesion=lesion,
                source=isic_source(row.image, lesion),
                age=read_age(about.get("age_approx", ""), f"the metadata of {row.image}"),
                sex=about.get("sex", ""),
                site=about.get("anatom_site_general", ""),
                location=row.location,
            )
        )
    if unknown:
        warnings.append(
            f"{len(unknown)} images of the class {_UNKNOWN} belong to no class that can be learnt "
            f"and are left out: {first_names(unknown)}."
        )
    if not metadata:
        warnings.append(
            f"{data} has no {_METADATA}: lesions are unknown, and each image counts as its own. "
            "Add the file so that a split can keep the images of one lesion together."
        )
    elif undescribed:
        warnings.append(f"{undescribed} images are not in the metadata; their lesion is unknown.")
    return Listing(
        reader="ISIC 2019",
        classes=classes,
        rows=tuple(rows),
        source=source,
        synthetic=False,
        warnings=tuple(warnings),
    )


def _one(data: Path, pattern: str) -> Path:
    found = sorted(data.glob(pattern))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{data} has several files like {pattern}: {names}. Keep one of them.")
    return found[0]


def _images(data: Path, truth: Path, images: str) -> Path:
    if images != "auto":
        path = data / images
        if not path.exists():
            raise InputError(f"--images {images}: there is no such zip or folder in {data}.")
        return path
    stem = truth.name.replace("_GroundTruth.csv", "_Input").replace("GroundTruth.csv", "Input")
    for name in (stem, f"{stem}.zip"):
        if (data / name).exists():
            return data / name
    raise InputError(
        f"{data} has {truth.name} but neither {stem}/ nor {stem}.zip. Put the images there, or "
        "name their folder with --images."
    )


def _metadata(data: Path) -> dict[str, dict[str, str]]:
    if not any(data.glob(_METADATA)):
        return {}
    table = read_table(_one(data, _METADATA), ("image", "lesion_id"))
    found: dict[str, dict[str, str]] = {}
    for number, cells in table.rows:
        if cells["image"] in found:
            raise InputError(
                f"{table.path}, line {number}: the image {cells['image']!r} is listed a second "
                "time. Keep one of the two lines."
            )
        found[cells["image"]] = cells
    return found


def _one_hot(row: Labelled, codes: tuple[str, ...]) -> str:
    chosen = []
    for code in codes:
        cell = row.cells[code]
        if cell not in ("0", "0.0", "1", "1.0"):
            raise InputError(
                f"{row.where}: {row.image!r} has {cell!r} in the column {code}; expected 0 or 1."
            )
        if cell.startswith("1"):
            chosen.append(code)
    if len(chosen) != 1:
        raise InputError(
            f"{row.where}: the one-hot row of {row.image!r} sums to {len(chosen)} "
            f"({', '.join(chosen) or 'no class'}); expected exactly one 1. Correct that line."
        )
    return chosen[0]
