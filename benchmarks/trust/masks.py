"""Lesion masks of a data set, laid over its decoded images."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.image_files import check_zip_entry, read_zip_entry

_LONGEST_SIDE = 20_000
_SQUARE = 0.02
_SAME_SHAPE = 0.05


@dataclass(frozen=True)
class Masks:
    """Masks by image, as files in a folder or a zip.

    Attributes:
        root: folder or zip.
        names: image identifier to the place of its mask.
        sha256: of all masks, by which answers about older ones are told apart.
        archive: the opened zip; None for a folder.
    """

    root: Path
    names: dict[str, str]
    sha256: str
    archive: zipfile.ZipFile | None = None

    def of(self, images: Iterable[str]) -> tuple[str, ...]:
        """Which of the images have a mask, in their order."""
        return tuple(image for image in images if image in self.names)

    def read(self, image: str, side: int, shape: tuple[int, int] | None = None) -> np.ndarray:
        """Returns a mask squashed to a square as the images are, bool (side, side).

        Args:
            image: identifier.
            side: of the decoded images in pixels.
            shape: (width, height) of the image that the data set holds. A mask of another aspect
                is of another framing, and would lie beside the lesion; a square image says
                nothing, since the whole frame may have been squashed already.

        Raises:
            InputError: no mask of this image, one that cannot be read, of another aspect than the
                image, or without any lesion in it.
        """
        if image not in self.names:
            raise InputError(
                f"{self.root} has no mask of the image {image} (expected {image}.png). Add it, or "
                "leave the image out."
            )
        where = f"{self.root}/{self.names[image]}"
        picture = _opened(self._content(image), where)
        _check_aspect(picture.size, shape, where)
        grey = picture.convert("L").resize((side, side), Image.Resampling.BILINEAR)
        mask = np.asarray(grey) >= 128
        if not mask.any():
            raise InputError(
                f"{where}: no pixel of this mask is lesion at {side} px: its brightest is "
                f"{int(np.asarray(grey).max())}, expected 255 on the lesion and 0 beside it. "
                "Replace it, or remove it."
            )
        return mask

    def _content(self, image: str) -> bytes:
        place = self.names[image]
        if self.archive is None:
            return (self.root / place).read_bytes()
        return read_zip_entry(self.archive, self.archive.getinfo(place))


def open_masks(root: Path) -> Masks:
    """Lists the masks (`IMAGE.png` or `IMAGE_segmentation.png`) of a folder or zip.

    Raises:
        InputError: it does not exist, is no zip, holds no mask, or two of one image.
    """
    if not root.exists():
        raise InputError(f"{root}: there are no masks here. Name a folder or zip with --masks.")
    archive = None
    if root.is_dir():
        places = sorted(path.name for path in root.iterdir() if path.is_file())
    else:
        archive = _opened_zip(root)
        places = sorted(each.filename for each in archive.infolist() if not each.is_dir())
    names = _by_image(root, places)
    return Masks(root, names, _digest(root, names, archive), archive)


def _by_image(root: Path, places: Iterable[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for place in places:
        path = PurePosixPath(place)
        if path.suffix.lower() != ".png" or path.name.startswith(".") or "__MACOSX" in path.parts:
            continue
        image = path.stem.removesuffix("_segmentation")
        if image in names:
            raise InputError(
                f"{root} has two masks of the image {image}: {names[image]} and {place}. Leave one "
                "of them there."
            )
        names[image] = place
    if not names:
        raise InputError(
            f"{root} holds no mask; expected files called IMAGE.png. Name another folder or zip "
            "with --masks."
        )
    return names


def _digest(root: Path, names: dict[str, str], archive: zipfile.ZipFile | None) -> str:
    """SHA-256 of names and contents; of a zip its own checksums are taken."""
    found = hashlib.sha256()
    for image, place in sorted(names.items()):
        if archive is None:
            content = sha256_of(root / place)
        else:
            entry = archive.getinfo(place)
            content = f"{entry.CRC:08x} {entry.file_size}"
        found.update(f"{image} {content}\n".encode())
    return found.hexdigest()


def find_masks(source: Path) -> Path | None:
    """Returns where the masks of a data set lie, by the names that they usually have.

    Args:
        source: folder of the data set.
    """
    folder = source if source.is_dir() else source.parent
    usual = [folder / "masks", *sorted(folder.glob("*masks*.zip"))]
    return next((path for path in usual if path.exists()), None)


def _opened_zip(root: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(root)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{root} is no zip of masks ({error}). Fetch it again.") from error
    for member in archive.infolist():
        check_zip_entry(root, member)
    return archive


def _opened(content: bytes, where: str) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(content), formats=("PNG",))
        if max(picture.size) > _LONGEST_SIDE:
            raise ValueError(f"{picture.width}×{picture.height} pixels")
        picture.load()
    except Exception as error:
        raise InputError(f"{where}: this mask cannot be read ({error}). Fetch it again.") from error
    return picture


def _check_aspect(found: tuple[int, int], shape: tuple[int, int] | None, where: str) -> None:
    if shape is None or abs(shape[0] / shape[1] - 1) < _SQUARE:
        return
    own, image = found[0] / found[1], shape[0] / shape[1]
    if abs(own / image - 1) > _SAME_SHAPE:
        raise InputError(
            f"{where}: the mask has {found[0]}×{found[1]} pixels, its image {shape[0]}×{shape[1]}: "
            "it is of another framing and would lie beside the lesion. Use the mask of the full "
            "frame."
        )
