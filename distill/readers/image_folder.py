"""Reader of a tree with one folder a class: DATA/CLASS/image or DATA/CLASS/LESION/image."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from distill.image_source import ImageSource
from distill.readers.attribution import isic_source
from distill.readers.listing import Listing, Row, first_names, order_of_classes
from runtimes.errors import InputError

_SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def recognises(data: Path) -> bool:
    """Tells whether `data` is a folder (or a zip) whose images lie in sub-folders."""
    if not data.is_dir() and data.suffix.lower() != ".zip":
        return False
    return any("/" in location for location in ImageSource(data).locations)


def read(data: Path, images: str, skip_unmatched: bool) -> Listing:
    """Takes the first folder as the class and a folder below it, where there is one, as the lesion.

    The image identifier is the path within the tree, since different classes may use one file name.

    Raises:
        InputError: images outside of a class folder, an empty class folder, fewer than two
            classes, or folders that are named like the sides of a split.
    """
    root = data if images == "auto" else data / images
    source = ImageSource(root)
    _refuse_split_tree(source)
    _refuse_empty_folders(root)
    rows, loose = [], []
    for location in source.locations:
        parts = PurePosixPath(location).parts
        if len(parts) == 1:
            loose.append(location)
            continue
        rows.append(
            Row(
                image=location,
                diagnosis=parts[0],
                lesion="/".join(parts[:-1]) if len(parts) > 2 else "",
                source=isic_source(PurePosixPath(location).stem, ""),
                age=None,
                sex="",
                site="",
                location=location,
            )
        )
    warnings = []
    if loose:
        if not skip_unmatched:
            raise InputError(
                f"{len(loose)} images in {root} lie in no class folder: {first_names(loose)}. Move "
                "them into the folder of their class, or leave them out with --skip-unmatched."
            )
        warnings.append(f"{len(loose)} images in no class folder are left out.")
    classes, odd = order_of_classes((row.diagnosis for row in rows), root)
    if not any(row.lesion for row in rows):
        warnings.append(
            f"{root}: lesions are unknown, and each image counts as its own. Where several images "
            "show one lesion, put them into a folder of their own: CLASS/LESION/image."
        )
    return Listing(
        reader="image folder",
        classes=classes,
        rows=tuple(rows),
        source=source,
        synthetic=False,
        warnings=(*warnings, *odd),
    )


def _refuse_split_tree(source: ImageSource) -> None:
    first = {PurePosixPath(location).parts[0] for location in source.locations}
    splits = sorted(name for name in first if name.lower() in _SPLIT_NAMES)
    if splits:
        raise InputError(
            f"{source.root}: the folders {', '.join(splits)} are sides of a split, not classes. "
            "Put all images into one tree of class folders; the split is made here, by lesion."
        )


def _refuse_empty_folders(root: Path) -> None:
    if not root.is_dir():
        return
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if not folder.name.startswith((".", "__")) and not ImageSource(folder).locations:
            raise InputError(
                f"{folder} has no images, so its class would be empty. Add images or remove it."
            )
