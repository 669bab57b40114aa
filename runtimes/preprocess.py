"""The one preprocessing: any photo a phone or a data set holds, to the pixels a network takes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from runtimes.contract import Preprocessing
from runtimes.errors import InputError

# EPS, PDF and the like are left out on purpose: opening one may start another program.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
MAX_PIXELS = 200_000_000
_DRAFT_PIXELS = 32_000_000
_DRAFT_SIDE = 2048
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow would warn from 89 and stop at 179 megapixels, for all threads alike; `load_image` compares
# the header's size with MAX_PIXELS before a pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


def load_image(
    source: Path | str | bytes, name: str | None = None, *, exif_orientation: bool = True
) -> Image.Image:
    """Decodes one image to 8-bit RGB.

    Grey is repeated over the channels; 16 bit is divided by 257; CMYK is converted without a
    profile; transparent pixels are laid over white; an embedded colour profile is not applied, as
    in training. A JPEG above 32 megapixels is decoded at a half, a quarter or an eighth of its
    size, never below 2048 pixels on the short side, so that memory stays low.

    Args:
        source: path, or the file's content.
        name: what errors call it; the path by default.
        exif_orientation: whether the EXIF orientation is applied. Broken EXIF data counts as none,
            as it does in image viewers.

    Raises:
        InputError: missing, empty, truncated or unreadable, of another format, or above 200
            megapixels; names the image.
    """
    if isinstance(source, bytes):
        name, content = name or "image", source
    else:
        name, content = name or str(source), read_image_file(Path(source))
    if not content:
        raise InputError(f"{name}: the file is empty. Fetch it again or leave it out.")
    if content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        raise InputError(
            f"{name}: HEIC and AVIF are not supported. Convert it to JPEG or PNG first."
        )
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Exception as error:
        raise InputError(
            f"{name}: this is not an image that can be read ({_first_line(error)}). "
            "Expected JPEG, PNG, WebP or BMP; fetch it again or leave it out."
        ) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name}: {width}×{height} is {width * height / 1e6:.0f} megapixels, and "
            f"{MAX_PIXELS // 1_000_000} are accepted. Reduce the image first."
        )
    if width * height > _DRAFT_PIXELS:
        side = min(width, height, _DRAFT_SIDE)
        image.draft(None, (side, side))
    # Decoders answer damaged data with whatever exception the damage leads to, so all are caught.
    try:
        image.load()
        return _to_rgb(_upright(image) if exif_orientation else image)
    except Exception as error:
        raise InputError(
            f"{name}: the image is damaged or truncated ({_first_line(error)}). "
            "Fetch it again or leave it out."
        ) from error


def read_image_file(path: Path) -> bytes:
    """Returns the content of one file.

    Raises:
        InputError: missing, not a regular file, or not readable.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such image. Check the path.")
    if not path.is_file():
        raise InputError(f"{path}: this is not a file. Name an image file.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror}).") from error


def squash(image: Image.Image, crop: str, side: int) -> Image.Image:
    """Crops an RGB image and squashes it to `side`×`side`, Pillow's antialiased bilinear.

    The first of the two steps of `preprocess`; what a training cache of that resolution holds.
    """
    if crop == "center-square":
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        # not resize's own box, whose filter reaches for pixels outside of it
        image = image.crop((left, top, left + short, top + short))
    elif crop != "none":
        raise InputError(f"the crop is '{crop}'; expected none or center-square.")
    return image.resize((side, side), Image.Resampling.BILINEAR)


def resize_square(image: Image.Image, side: int) -> Image.Image:
    """Resizes a square RGB image to `side`×`side`, Pillow's antialiased bilinear.

    The second of the two steps of `preprocess`; nothing happens where the side is already right.
    """
    if image.size == (side, side):
        return image
    return image.resize((side, side), Image.Resampling.BILINEAR)


def preprocess(image: Image.Image, recipe: Preprocessing) -> np.ndarray:
    """Returns the network's input, uint8 RGB of shape (size, size, 3).

    The photo is cropped, reduced to the resolution that the training data had and then brought to
    the input's size: a sharper picture than any in training would be one of another kind.
    """
    square = squash(image, recipe.crop, recipe.effective_resolution)
    return np.array(resize_square(square, recipe.size))


def _upright(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose also writes the EXIF data anew, which fails where another tag is
    # damaged, and the picture would stay as it lies although its orientation is known.
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray(np.clip((deep + 128) // 257, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        see_through = image.convert("RGBA")
        white = Image.new("RGBA", see_through.size, "white")
        return Image.alpha_composite(white, see_through).convert("RGB")
    return image.convert("RGB")


def _first_line(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its text is about a buffer in memory
        return "its content is of no known kind"
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
