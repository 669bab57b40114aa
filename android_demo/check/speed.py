"""The core's preprocessing beside Pillow's, taking turns on the same decoded photo."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from android_demo.check.golden import RECIPE
from android_demo.check.host import host_command
from android_demo.check.tools import Tools
from runtimes.contract import Preprocessing
from runtimes.errors import InputError
from runtimes.preprocess import preprocess

MOST_TIMES_PILLOW = 3.0
MOST_MEGABYTES = 64.0
WIDTH, HEIGHT = 4000, 3000
_WARM_UP = 8
_TURN = {1: None, 6: Image.Transpose.ROTATE_270}


@dataclass(frozen=True)
class Case:
    """A way in which the photo is prepared, and how long both take.

    Attributes:
        name: of the way.
        orientation: EXIF's.
        rounds: that were timed.
        pillow_ms, core_ms: medians.
        ratio: median of core by Pillow, round by round.
        megabytes: what the core allocates for a first photo, beside the photo itself.
    """

    name: str
    orientation: int
    rounds: int
    pillow_ms: float
    core_ms: float
    ratio: float
    megabytes: float

    def passes(self) -> bool:
        """Whether it is within both limits."""
        return self.ratio <= MOST_TIMES_PILLOW and self.megabytes < MOST_MEGABYTES

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure(tools: Tools, rounds: int) -> list[Case]:
    """Times every way of preparing a photo of 12 megapixels.

    Raises:
        InputError: the core's pixels are not Pillow's.
    """
    ways = (("squashed", 1, "none"), ("on its side", 6, "none"), ("cropped", 1, "center-square"))
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (75, 100, 3), dtype=np.uint8))
    photo = small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    rgb = np.asarray(photo).astype(np.uint32)
    argb = (0xFF << 24) | (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.argb"
        argb.astype("<u4").tofile(file)
        return [
            _case(tools, file, photo, name, orientation, replace(RECIPE, crop=crop), rounds)
            for name, orientation, crop in ways
        ]


def _case(
    tools: Tools,
    file: Path,
    photo: Image.Image,
    name: str,
    orientation: int,
    recipe: Preprocessing,
    rounds: int,
) -> Case:
    words = [str(file), str(WIDTH), str(HEIGHT), recipe.crop, str(orientation)]
    words += [str(recipe.effective_resolution), str(recipe.size)]
    command = host_command(tools, "Speed", words)
    pillow, core = [], []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        first = _answer(child.stdout)
        for _ in range(_WARM_UP + rounds):
            start = time.perf_counter()
            turn = _TURN[orientation]
            pixels = preprocess(photo if turn is None else photo.transpose(turn), recipe)
            pillow.append((time.perf_counter() - start) * 1e3)
            child.stdin.write("\n")
            child.stdin.flush()
            told = _answer(child.stdout)
            core.append(told["ms"])
            if told["sha256"] != sha256(pixels.tobytes()).hexdigest():
                raise InputError(f"{name}: the core's pixels are not Pillow's; see `core`.")
        child.stdin.close()
    return Case(
        name=name,
        orientation=orientation,
        rounds=rounds,
        pillow_ms=_median(pillow),
        core_ms=_median(core),
        ratio=float(np.median(np.divide(core[_WARM_UP:], pillow[_WARM_UP:]))),
        megabytes=first["bytes"] / 1e6,
    )


def _answer(stream: IO[str]) -> dict[str, Any]:
    line = stream.readline()
    if not line:
        raise InputError("the core's program ended early; its message is above.")
    return dict(json.loads(line))


def _median(times: Sequence[float]) -> float:
    return float(np.median(times[_WARM_UP:]))
