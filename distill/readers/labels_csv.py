"""Reader of a labels.csv (image, diagnosis, …) beside a zip or a folder of images."""

from __future__ import annotations

from pathlib import Path

from distill.image_source import ImageSource, is_image_name
from distill.readers.attribution import isic_source
from distill.readers.listing import (
    Listing,
    Row,
    by_stem,
    match,
    order_of_classes,
    read_age,
    read_table,
    without_suffix,
)
from runtimes.errors import InputError

LABELS = "labels.csv"
SYNTHETIC_MARKER = "SYNTHETIC.txt"


def recognises(data: Path) -> bool:
    """Tells whether `data` is a folder with labels.csv, or a zip that lies beside one."""
    return (data / LABELS).is_file() or (data.is_file() and (data.parent / LABELS).is_file())


def read(data: Path, images: str, skip_unmatched: bool) -> Listing:
    """Reads labels.csv with `image` and `diagnosis`; lesion_id, age_approx, sex,
    anatom_site_general and source are taken where they stand.

    Raises:
        InputError: the label file or the choice of images cannot be used.
    """
    folder = data if data.is_dir() else data.parent
    table = read_table(folder / LABELS, ("image", "diagnosis"))
    listed = {without_suffix(cells["image"]) for _, cells in table.rows}
    warnings: list[str] = []
    if data.is_file():
        source = ImageSource(data)
    elif images == "auto":
        source, warnings = _choose_images(folder, listed)
    else:
        source = _named_images(folder, images)
    labelled, unmatched = match(table, source, skip_unmatched)
    rows = []
    for row in labelled:
        if not row.cells["diagnosis"]:
            raise InputError(f"{row.where}: {row.image!r} has no diagnosis. Fill in the cell.")
        lesion = row.cells.get("lesion_id", "")
        rows.append(
            Row(
                image=row.image,
                diagnosis=row.cells["diagnosis"],
                lesion=lesion,
                source=row.cells.get("source") or isic_source(row.image, lesion),
                age=read_age(row.cells.get("age_approx", ""), row.where),
                sex=row.cells.get("sex", ""),
                site=row.cells.get("anatom_site_general", ""),
                location=row.location,
            )
        )
    classes, odd = order_of_classes((row.diagnosis for row in rows), table.path)
    return Listing(
        reader="labels.csv",
        classes=classes,
        rows=tuple(rows),
        source=source,
        synthetic=(folder / SYNTHETIC_MARKER).is_file(),
        warnings=(*warnings, *unmatched, *odd),
    )


def _named_images(folder: Path, images: str) -> ImageSource:
    path = folder / images
    if not path.exists():
        found = ", ".join(sorted(p.name for p in _candidates(folder))) or "none"
        raise InputError(
            f"--images {images}: there is no such zip or folder in {folder}. It has: {found}."
        )
    return ImageSource(path)


def _candidates(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and "mask" not in path.name.lower()
        and (path.is_dir() or path.suffix.lower() == ".zip")
    )


def _choose_images(folder: Path, listed: set[str]) -> tuple[ImageSource, list[str]]:
    """Takes the zip or folder that has the most of the labelled images."""
    if any(is_image_name(path.name) and path.is_file() for path in folder.iterdir()):
        return ImageSource(folder), []
    found, broken = [], []
    for path in _candidates(folder):
        try:
            source = ImageSource(path)
        except InputError as error:
            broken.append(str(error))
            continue
        if source.locations:
            found.append((len(listed & set(by_stem(source))), path.name, source))
    if not found:
        raise InputError(
            f"{folder} has a {LABELS} but neither a zip nor a folder with images. "
            + "".join(f"{reason} " for reason in broken)
            + "Put the images beside it, or name them with --images."
        )
    most = max(count for count, _, _ in found)
    best = [(name, source) for count, name, source in found if count == most]
    if len(best) > 1:
        best = [(name, source) for name, source in best if name == "images"] or best
    if len(best) > 1:
        names = ", ".join(name for name, _ in best)
        raise InputError(
            f"{folder}: {names} each have {most} of the {len(listed)} labelled images. "
            f"Choose one with --images, for example --images {best[0][0]}."
        )
    name, source = best[0]
    if len(found) == 1:
        return source, broken
    others = ", ".join(f"{other} ({count})" for count, other, _ in found if other != name)
    return source, [
        *broken,
        f"images taken from {name} ({most} of {len(listed)} labelled images), not from {others}; "
        "--images chooses another.",
    ]
