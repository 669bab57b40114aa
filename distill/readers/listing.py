"""What every reader returns: the labelled images as they are written down, nothing derived yet."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from distill.image_source import ImageSource, is_image_name
from runtimes.diagnoses import ISIC_2019
from runtimes.errors import InputError


@dataclass(frozen=True)
class Row:
    """One labelled image; `location` is its path within the image source."""

    image: str
    diagnosis: str
    lesion: str
    source: str
    age: float | None
    sex: str
    site: str
    location: str


@dataclass(frozen=True)
class Listing:
    """The labelled images of one data set, with where they were read from."""

    reader: str
    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    source: ImageSource
    synthetic: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A comma-separated file: its columns and its rows, each with its line number."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def read_table(path: Path, required: Sequence[str]) -> Table:
    """Reads a CSV file whose header has the `required` columns.

    Raises:
        InputError: unreadable, not UTF-8, empty, a column missing or double, or a ragged row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _lines(path, stream)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}. It must be a UTF-8 CSV file.") from error
    if not lines:
        raise InputError(f"{path} is empty; expected a header with {', '.join(required)}.")
    columns = tuple(cell.strip() for cell in lines[0][1])
    _refuse_other_separator(path, columns)
    missing = [name for name in required if name not in columns]
    if missing or len(set(columns)) != len(columns):
        fault = f"lacks the column {missing[0]!r}" if missing else "has a column twice"
        raise InputError(
            f"{path} {fault}. Its columns are: {', '.join(columns)}. "
            f"Needed are: {', '.join(required)}."
        )
    rows = []
    for number, cells in lines[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells where the header has {len(columns)}. "
                "Correct that line."
            )
        rows.append((number, dict(zip(columns, (cell.strip() for cell in cells), strict=True))))
    if not rows:
        raise InputError(f"{path} has a header but no rows; expected one row per image.")
    return Table(path, columns, tuple(rows))


def _lines(path: Path, stream: TextIO) -> list[tuple[int, list[str]]]:
    """Returns line number and cells of every row; a cell stands on one line."""
    reader = csv.reader(stream, strict=True)
    found: list[tuple[int, list[str]]] = []
    number = 1
    try:
        for cells in reader:
            if reader.line_num != number:
                raise csv.Error("a cell goes on over the end of the line")
            found.append((number, cells))
            number += 1
    except csv.Error as error:
        raise InputError(
            f"{path}, line {number}: {error}. A quotation mark there is not closed or stands "
            'inside a cell; write a " within a cell as "" and put the cell in quotes.'
        ) from error
    return found


def _refuse_other_separator(path: Path, columns: Sequence[str]) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(columns) == 1 and separator in columns[0]:
            raise InputError(
                f"{path}: its columns seem to be separated by {name}; expected commas. "
                "Save it again as a comma-separated file."
            )


def by_stem(source: ImageSource) -> dict[str, str]:
    """Maps the file name without suffix to the location within `source`.

    Raises:
        InputError: two files share a name, so that a label could mean either.
    """
    locations: dict[str, str] = {}
    for location in source.locations:
        stem = PurePosixPath(location).stem
        if stem in locations:
            raise InputError(
                f"{source.root} has two files for the image {stem!r}: {locations[stem]} and "
                f"{location}. Keep one, or name a narrower folder with --images."
            )
        locations[stem] = location
    return locations


@dataclass(frozen=True)
class Labelled:
    """One row of a label file with the image it speaks of; `where` names file and line."""

    image: str
    location: str
    cells: dict[str, str]
    where: str


def match(
    table: Table, source: ImageSource, skip_unmatched: bool
) -> tuple[list[Labelled], list[str]]:
    """Pairs the rows of a label file with image files by the column `image`.

    Returns:
        The labelled images that exist, and warnings about what was left out.

    Raises:
        InputError: an image is listed twice, or a label or an image has no partner and
            `skip_unmatched` is off.
    """
    locations = by_stem(source)
    listed: dict[str, Labelled] = {}
    for number, cells in table.rows:
        where = f"{table.path}, line {number}"
        image = without_suffix(cells["image"])
        if not image:
            raise InputError(f"{where}: the cell 'image' is empty. Fill it in.")
        if image in listed:
            raise InputError(
                f"{where}: the image {image!r} is listed a second time (first: "
                f"{listed[image].where}). Keep one of the two lines."
            )
        listed[image] = Labelled(image, locations.get(image, ""), cells, where)
    found = [row for row in listed.values() if row.location]
    no_image = [row.image for row in listed.values() if not row.location]
    no_label = sorted(set(locations) - set(listed))
    warnings = []
    for names, fault, remedy in (
        (no_image, f"labels of {table.path} have no image in {source.root}", "add the images"),
        (no_label, f"images in {source.root} have no label in {table.path}", "label them"),
    ):
        if names and not (skip_unmatched and found):
            raise InputError(
                f"{len(names)} {fault}: {first_names(names)}. Either {remedy}, choose other images "
                "with --images, or leave these out on purpose with --skip-unmatched."
            )
        if names:
            warnings.append(f"{len(names)} {fault} and are left out: {first_names(names)}.")
    return found, warnings


def order_of_classes(found: Iterable[str], where: Path) -> tuple[tuple[str, ...], list[str]]:
    """Returns the classes in ISIC's order, others after them by name, and warnings.

    Raises:
        InputError: fewer than two classes, or two that differ only in upper and lower case.
    """
    codes = sorted(set(found))
    folded: dict[str, str] = {code.casefold(): code for code in ISIC_2019}
    for code in codes:
        other = folded.setdefault(code.casefold(), code)
        if other != code:
            raise InputError(
                f"{where}: the class {code!r} differs from {other!r} only in upper and lower case. "
                f"Write {other!r} everywhere."
            )
    if len(codes) < 2:
        raise InputError(
            f"{where} has only the class {', '.join(codes) or '(none)'}; a classifier needs two "
            "or more."
        )
    known = [code for code in ISIC_2019 if code in codes]
    own = [code for code in codes if code not in ISIC_2019]
    warnings = []
    if known and own:
        warnings.append(
            f"{', '.join(own)}: none of the ISIC 2019 classes ({', '.join(ISIC_2019)}), taken as "
            f"further classes. If one is mistyped, correct it in {where}."
        )
    return (*known, *own), warnings


def read_age(cell: str, where: str) -> float | None:
    """Returns an age in years, or None for an empty cell.

    Raises:
        InputError: the cell is no number between 0 and 130.
    """
    if cell.lower() in ("", "na", "nan", "unknown"):
        return None
    try:
        age = float(cell)
    except ValueError:
        age = math.nan
    if not 0 <= age <= 130:
        raise InputError(f"{where}: the age {cell!r} is no number of years from 0 to 130.")
    return age


def first_names(names: Sequence[str], count: int = 5) -> str:
    """Returns the first few names for a message, and how many more there are."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def without_suffix(name: str) -> str:
    """Returns an image's name without its file suffix, if it has one that images have."""
    return PurePosixPath(name).stem if is_image_name(name) else name
