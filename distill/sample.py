"""The embedded sample: a small data set of synthetic lesions, so that every step runs anywhere."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.Image import Image

from distill.readers.labels_csv import SYNTHETIC_MARKER
from distill.synthetic.lesion import draw_lesion
from distill.synthetic.photograph import skin_tone, take_photograph
from runtimes.atomic import check_folder, replacing_folder
from runtimes.console import progress
from runtimes.errors import InputError

SAMPLE_FOLDER = Path("data/sample")  # where `make sample` puts it
_NOTICE = """These pictures are SYNTHETIC. They were drawn by a program (python -m distill sample)
and show no patient. The "diagnoses" name the pattern that was drawn. They serve to try out and
test the software; nothing measured on them says anything about skin disease.
"""
# Shares of the classes, as uneven as in practice but with enough of the rare ones to learn from.
_SHARES = {
    "MEL": 1.3,
    "NV": 2.2,
    "BCC": 1.1,
    "AK": 0.7,
    "BKL": 1.1,
    "DF": 0.55,
    "VASC": 0.5,
    "SCC": 0.55,
}
_VIEWS = (1, 2, 3)  # photographs of one lesion
_VIEW_ODDS = (0.35, 0.45, 0.20)


@dataclass(frozen=True)
class _Planned:
    diagnosis: str
    lesion: int
    views: int


_FILES = (SYNTHETIC_MARKER, "labels.csv", "images/SYN_*.png", "masks/SYN_*.png")


def write_sample(folder: Path, per_class: int = 60, size: int = 160, seed: int = 0) -> int:
    """Draws a synthetic data set: images/, masks/, labels.csv and SYNTHETIC.txt.

    Eight classes of uneven size, one to three photographs of each lesion. The same arguments give
    the same bytes with the same versions of numpy and Pillow.

    Args:
        folder: where it goes; an earlier sample there is replaced, anything else is refused.
        per_class: mean number of images a class.
        size: edge of the square images in pixels.
        seed: which data set.

    Returns:
        The number of images.

    Raises:
        InputError: a setting out of range, or a folder that holds something else.
    """
    for name, value, low, high in (("per_class", per_class, 8, 5000), ("size", size, 32, 512)):
        if not low <= value <= high:
            raise InputError(f"{name} {value}: expected {low} to {high}.")
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more.")
    folder = Path(folder)
    check_folder(folder, SYNTHETIC_MARKER, _FILES)
    plan = list(_plan(per_class, seed))
    total = sum(lesion.views for lesion in plan)
    with replacing_folder(folder) as temporary:
        (temporary / "images").mkdir()
        (temporary / "masks").mkdir()
        (temporary / SYNTHETIC_MARKER).write_text(_NOTICE, encoding="utf-8")
        rows: list[tuple[str, str, str, str]] = []
        with progress("drawing synthetic images", total) as bar:
            for lesion in plan:
                for image, mask in _photographs(lesion, seed, size):
                    name = f"SYN_{len(rows):05d}"
                    image.save(temporary / "images" / f"{name}.png", compress_level=3)
                    mask.save(temporary / "masks" / f"{name}.png")
                    rows.append((name, lesion.diagnosis, f"SYNL_{lesion.lesion:04d}", "synthetic"))
                    bar.advance()
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("image", "diagnosis", "lesion_id", "source"))
        writer.writerows(rows)
        (temporary / "labels.csv").write_text(table.getvalue(), encoding="utf-8")
    return total


def _plan(per_class: int, seed: int) -> Iterator[_Planned]:
    """Yields the lesions in an order that tells nothing of their class."""
    rng = np.random.default_rng(_stream(seed, "plan"))
    planned = []
    for diagnosis, share in _SHARES.items():
        left = max(6, round(per_class * share * len(_SHARES) / sum(_SHARES.values())))
        while left:
            views = min(left, int(rng.choice(_VIEWS, p=_VIEW_ODDS)))
            planned.append((diagnosis, views))
            left -= views
    for number, position in enumerate(rng.permutation(len(planned))):
        yield _Planned(planned[position][0], number, planned[position][1])


def _photographs(planned: _Planned, seed: int, size: int) -> Iterator[tuple[Image, Image]]:
    lesion_rng = np.random.default_rng(_stream(seed, f"lesion {planned.lesion}"))
    lesion = draw_lesion(planned.diagnosis, lesion_rng, size + size // 4)
    tone = skin_tone(lesion_rng)
    for view in range(planned.views):
        rng = np.random.default_rng(_stream(seed, f"lesion {planned.lesion} view {view}"))
        yield take_photograph(lesion, tone, rng, size)


def _stream(seed: int, purpose: str) -> int:
    """Returns a seed of its own for each lesion and view, so that none depends on another."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:8], "little")
