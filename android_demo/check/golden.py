"""Golden files: pictures drawn by code and decisions, and what Python makes of them."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from android_demo.check.golden_decisions import golden_decisions
from android_demo.check.golden_places import golden_places
from runtimes.contract import Preprocessing
from runtimes.preprocess import load_image, preprocess

_ROOT = Path(__file__).resolve().parents[2]
FOLDER = _ROOT / "android_demo" / "core" / "src" / "test" / "resources" / "golden"
RECIPE = Preprocessing(
    exif_orientation=True,
    crop="none",
    effective_resolution=84,
    size=224,
    resize_filter="bilinear",
    antialias=True,
)
_TAG = 0x0112
# name, width, height, orientation, crop, effective resolution, size
_CASES = (
    ("wide", 301, 203, 1, "none", 84, 224),
    ("tall", 150, 320, 1, "none", 84, 120),
    ("crop_wide", 333, 200, 1, "center-square", 84, 120),
    ("crop_tall", 201, 334, 1, "center-square", 84, 96),
    ("as_it_is", 96, 96, 1, "none", 96, 96),
    ("same_width", 84, 200, 1, "none", 84, 84),
    ("tiny", 1, 1, 1, "none", 84, 224),
    ("thin", 500, 2, 1, "none", 84, 96),
    ("small", 31, 17, 1, "none", 84, 224),
    *((f"exif_{n}", 190, 121, n, "none", 84, 96) for n in range(2, 9)),
    *((f"exif_crop_{n}", 131, 190, n, "center-square", 84, 96) for n in range(2, 9)),
    ("exif_small_6", 40, 23, 6, "none", 84, 84),
    ("exif_same_8", 120, 84, 8, "none", 84, 84),
    *((f"tall_{n}", 100, 220, n, "none", 84, 84) for n in (2, 4)),
    *((f"tall_{n}", 220, 100, n, "none", 84, 84) for n in range(5, 9)),
    ("not_turned", 190, 121, 6, "none", 84, 84),
)


def golden_files() -> dict[str, bytes]:
    """Returns the content of every golden file by its name."""
    files: dict[str, bytes] = {}
    cases: list[dict[str, Any]] = []
    for name, width, height, orientation, crop, effective, size in _CASES:
        recipe = replace(
            RECIPE,
            crop=crop,
            effective_resolution=effective,
            size=size,
            exif_orientation=name != "not_turned",
        )
        picture = _drawn(width, height, seed=len(cases))
        content = _png(picture, orientation)
        loaded = load_image(content, name, exif_orientation=recipe.exif_orientation)
        pixels = preprocess(loaded, recipe)
        files[f"{name}.png"] = content
        files[f"{name}.expected.png"] = _png(pixels)
        cases.append({"name": name, "orientation": orientation, "recipe": asdict(recipe)})
    files["cases.json"] = (json.dumps(cases, indent=1) + "\n").encode()
    released = (_ROOT / "models/mobilenet_v2-ssd_kd/contract.json").read_bytes()
    files["contract.json"] = released
    files["decision.json"] = golden_decisions(released.decode()).encode()
    files["places.json"] = golden_places(released.decode()).encode()
    files |= _photos() | _bad()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    files["sums.json"] = (json.dumps(sums, indent=1) + "\n").encode()
    return files


def _drawn(width: int, height: int, seed: int) -> np.ndarray:
    """A lesion-like blob with a sharp edge, hairs and noise: what shows a wrong filter."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    u, v = (x + 0.5) / width - 0.45, (y + 0.5) / height - 0.55
    blob = (u * u + 0.6 * v * v + 0.2 * u * v) < 0.06
    hair = ((x + 2 * y) % 37) == 0
    base = np.stack([200 + 50 * u, 150 + 60 * v, 130 + 40 * (u - v)], -1)
    base[blob] *= 0.45
    base[hair] = 20
    noise = random.integers(-60, 61, (height, width, 3)) * (
        random.random((height, width, 1)) < 0.05
    )
    return np.clip(np.rint(base) + noise, 0, 255).astype(np.uint8)


def _png(pixels: np.ndarray, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[_TAG] = orientation
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **({} if orientation == 1 else {"exif": exif}))
    return out.getvalue()


def _photos() -> dict[str, bytes]:
    """Files of every kind that phones hold; the names do not always tell the truth."""
    picture = Image.fromarray(_drawn(60, 44, seed=99))
    files = {}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[_TAG] = orientation
        for kind in ("JPEG", "WEBP"):
            out = io.BytesIO()
            picture.save(out, kind, exif=exif, quality=80)
            files[f"turned_{orientation}.{kind.lower()}"] = out.getvalue()
    for name, mode, kind in (
        ("grey.jpeg", "L", "JPEG"),
        ("cmyk.jpeg", "CMYK", "JPEG"),
        ("lossless.webp", "RGB", "WEBP"),
        ("clear.webp", "RGBA", "WEBP"),
        ("plain.bmp", "RGB", "BMP"),
        ("progressive.jpeg", "RGB", "JPEG"),
    ):
        options = {"progressive": True} if name.startswith("progressive") else {}
        out = io.BytesIO()
        picture.convert(mode).save(out, kind, **({"lossless": True} if kind == "WEBP" else options))
        files[name] = out.getvalue()
    little = Image.Exif()
    little.endian = "<"
    little[_TAG] = 8
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=little)
    files["little_8.jpeg"] = out.getvalue()
    files["really_jpeg.heic"] = files["turned_6.jpeg"]
    return files


def _bad() -> dict[str, bytes]:
    """Pictures that have to be refused, each for a reason of its own."""
    jpeg, png = _photos()["turned_1.jpeg"], _png(_drawn(60, 44, seed=99))
    webp, bmp = _photos()["lossless.webp"], _photos()["plain.bmp"]
    huge = bytearray(png)
    huge[16:24] = (30000).to_bytes(4, "big") + (20000).to_bytes(4, "big")
    return {
        "bad_empty.jpeg": b"",
        "bad_half.jpeg": jpeg[: len(jpeg) // 2],
        "bad_no_end.jpeg": jpeg[:-2],
        "bad_half.png": png[: len(png) // 2],
        "bad_half.webp": webp[: len(webp) // 2],
        "bad_half.bmp": bmp[: len(bmp) // 2],
        "bad_huge.png": bytes(huge),
        "bad_text.jpeg": b"this is no picture, whatever its name says",
        "bad_real.heic": b"\0\0\0\x18ftypheic" + bytes(64),
        "bad_two_bytes.jpeg": b"\xff\xd8",
    }
