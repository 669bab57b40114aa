"""The core's answers beside those of the Python runtime, picture by picture."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from android_demo.check.faults import fault_text
from android_demo.check.host import host_command, litert_library
from android_demo.check.tools import Tools
from runtimes.decision import decide
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
        equal_answers: of how many the likeliest class and the decision are the same.
        decisions: what the contract's rule says of how many, by Python's runtime.
        probability, cam, unknown: the largest absolute differences.
        whole_graph: whether LiteRT's fast kernels took every operator.
    """

    model_sha256: str
    pictures: int
    equal_pixels: int
    equal_answers: int
    decisions: dict[str, int]
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
        said = _refusal(done.stdout, done.stderr).removeprefix(f"{model.name}: ")
        raise InputError(f"{model}: the core could not run it: {said[:600]}")
    found = json.loads(done.stdout)
    session = open_model(model, 1)
    assert session.contract is not None
    contract = session.contract
    equal_pixels, equal_answers, far = 0, 0, np.zeros(3)
    decisions: Counter[str] = Counter()
    for picture, told in zip(pictures, found["answers"], strict=True):
        image = load_image(picture, exif_orientation=contract.preprocessing.exif_orientation)
        pixels = preprocess(image, contract.preprocessing)
        ours = session.predict(pixels[None])
        equal_pixels += hashlib.sha256(pixels.tobytes()).hexdigest() == told["pixels"]
        answer = told["answer"]
        best = contract.codes[int(ours.probabilities[0].argmax())]
        decision = decide(contract, ours.probabilities[0].tolist(), float(ours.unknown[0]))
        decisions[decision] += 1
        equal_answers += (best, decision) == (answer["diagnosis"], answer["decision"])
        theirs = [answer["probabilities"][code] for code in contract.codes]
        apart = (
            np.abs(ours.probabilities[0] - theirs).max(),
            np.abs(ours.cam[0].ravel() - told["cam"]).max(),
            abs(float(ours.unknown[0]) - answer["unknown"]),
        )
        far = np.maximum(far, apart)
    probability, cam, unknown_score = map(float, far)
    return Parity(
        model_sha256=sha256_of(model),
        pictures=len(pictures),
        equal_pixels=equal_pixels,
        equal_answers=equal_answers,
        decisions=dict(sorted(decisions.items())),
        probability=probability,
        cam=cam,
        unknown=unknown_score,
        whole_graph=bool(found["whole_graph"]),
    )


def _refusal(output: str, errors: str) -> str:
    """What the core said, in the app's own words; where it said nothing, what the JVM did."""
    try:
        told = json.loads(output)
        return fault_text(told["fault"], told["details"], told["technical"]).replace("\n\n", " ")
    except (ValueError, KeyError):
        lines = [_THROWN.sub("", line) for line in errors.splitlines() if _TELLS.search(line)]
        return " ".join(lines)
