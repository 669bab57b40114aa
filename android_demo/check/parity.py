"""The core's answers beside those of the Python runtime, picture by picture."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from android_demo.check.host import host_command, litert_library
from android_demo.check.tools import Tools
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.preprocess import load_image, preprocess
from runtimes.session import open_model

LARGEST = 0.01
_TELLS = re.compile("xception|failed")
_THROWN = re.compile(r'^Exception in thread "[^"]*" [\w.$]+: ')


@dataclass(frozen=True)
class Parity:
    """How far the core is from Python.

    Attributes:
        model_sha256: of the file that both ran.
        pictures: how many.
        equal_pixels: of how many the prepared pixels are the same to the last bit.
        equal_answers: of how many the best class and "unknown" are the same.
        probability, cam, unknown: the largest absolute differences.
        whole_graph: whether LiteRT's fast kernels took every operator.
    """

    model_sha256: str
    pictures: int
    equal_pixels: int
    equal_answers: int
    probability: float
    cam: float
    unknown: float
    whole_graph: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare(tools: Tools, model: Path, pictures: Sequence[Path]) -> Parity:
    """Runs both on every picture.

    Raises:
        InputError: a file is missing, or no picture that Python reads; or the core or LiteRT
            refused, and what they said is in the message.
    """
    for file in (model, *pictures):
        if not file.is_file():
            raise InputError(f"{file}: there is no such file. Check the path.")
    for picture in pictures:
        load_image(picture)  # whose refusal names it; the core's does not
    words = [str(litert_library()), str(model), *map(str, pictures)]
    done = subprocess.run(
        host_command(tools, "EndToEnd", words), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = (_THROWN.sub("", line) for line in done.stderr.splitlines() if _TELLS.search(line))
        said = [line.removeprefix(f"{model.name}: ") for line in lines]
        raise InputError(f"{model}: the core could not run it: {' '.join(said)[:600]}")
    found = json.loads(done.stdout)
    session = open_model(model, 1)
    assert session.contract is not None
    contract = session.contract
    equal_pixels, equal_answers, far = 0, 0, np.zeros(3)
    for picture, answer in zip(pictures, found["answers"], strict=True):
        image = load_image(picture, exif_orientation=contract.preprocessing.exif_orientation)
        pixels = preprocess(image, contract.preprocessing)
        ours = session.predict(pixels[None])
        equal_pixels += hashlib.sha256(pixels.tobytes()).hexdigest() == answer["pixels"]
        best = contract.codes[int(ours.probabilities[0].argmax())]
        unknown = bool(ours.unknown[0] > contract.calibration.unknown_threshold)
        equal_answers += (best, unknown) == (answer["best"], answer["is_unknown"])
        apart = (
            np.abs(ours.probabilities[0] - answer["probabilities"]).max(),
            np.abs(ours.cam[0].ravel() - answer["cam"]).max(),
            abs(float(ours.unknown[0]) - answer["unknown"]),
        )
        far = np.maximum(far, apart)
    probability, cam, unknown_score = map(float, far)
    return Parity(
        model_sha256=sha256_of(model),
        pictures=len(pictures),
        equal_pixels=equal_pixels,
        equal_answers=equal_answers,
        probability=probability,
        cam=cam,
        unknown=unknown_score,
        whole_graph=bool(found["whole_graph"]),
    )
