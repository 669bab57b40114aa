"""Lesions drawn by code, and what the shipped model answers to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from android_demo.check.model import shipped
from distill.synthetic.lesion import draw_lesion
from distill.synthetic.photograph import skin_tone, take_photograph
from runtimes.contract import Contract
from runtimes.contract_decision import Alert
from runtimes.decision import UNKNOWN, decide
from runtimes.diagnoses import ISIC_2019
from runtimes.errors import InputError
from runtimes.prediction import Prediction, Session
from runtimes.preprocess import preprocess
from runtimes.session import open_model

_SIZE = 320  # pixels


@dataclass(frozen=True)
class Answered:
    """A picture and what the shipped model answers to it."""

    picture: Image.Image
    contract: Contract
    answer: Prediction

    @property
    def decision(self) -> str:
        """What the contract's rule makes of it."""
        shares = self.answer.probabilities[0].tolist()
        return decide(self.contract, shares, float(self.answer.unknown[0]))

    @property
    def likeliest(self) -> bool:
        """Whether the suspected class is also the likeliest."""
        best = self.contract.codes[int(self.answer.probabilities[0].argmax())]
        return self.alert is not None and self.alert.code == best

    @property
    def alert(self) -> Alert | None:
        """The operating point by which a class is suspected; None if none is."""
        decision = self.contract.decision
        return decision.alert if decision and self.decision.startswith("suspected ") else None


@cache
def drawn_lesions() -> dict[str, Answered]:
    """Returns a lesion for every kind of answer, with the answer, by its name.

    They are "known", "suspected" to be what must not be missed though another class is likelier,
    and "unknown".

    Raises:
        InputError: the model in the app gives one of these answers to no drawn lesion.
    """
    return {
        "known": _drawn("NV", lambda found: found.decision == "NV"),
        "suspected": _drawn("MEL", lambda found: found.alert is not None and not found.likeliest),
        "unknown": _drawn("SCC", lambda found: found.decision == UNKNOWN),
    }


def write_lesions(folder: Path) -> list[Path]:
    """Writes some lesions of every kind as PNG into a folder; returns the files."""
    files = []
    for code in ISIC_2019:
        for seed in range(3):
            files.append(folder / f"{code}-{seed}.png")
            _picture(code, seed).save(files[-1])
    return files


def _drawn(code: str, fits: Callable[[Answered], bool]) -> Answered:
    """The first lesion drawn as one of a class for which the shipped model decides so."""
    for seed in range(200):
        if fits(found := _answered(_picture(code, seed))):
            return found
    raise InputError(f"{shipped()}: no lesion drawn as {code} gets the answer to be shown.")


def _picture(code: str, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    lesion = draw_lesion(code, random, _SIZE + _SIZE // 4)
    picture, _ = take_photograph(lesion, skin_tone(random), random, _SIZE)
    return picture


@cache
def _session() -> Session:
    return open_model(shipped(), 1)


def _answered(picture: Image.Image) -> Answered:
    session = _session()
    assert session.contract is not None
    pixels = preprocess(picture, session.contract.preprocessing)
    return Answered(picture, session.contract, session.predict(pixels[None]))
