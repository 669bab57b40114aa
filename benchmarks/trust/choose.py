"""Which unknown score a student gets: by images that none of its figures are reported on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmarks.trust.detection import auroc
from benchmarks.trust.network import Known
from benchmarks.trust.pictures import NOT_DERMOSCOPY
from distill.unknown import Directions, UnknownScore, fit_unknown, main_directions
from runtimes.errors import InputError

MAX_LOGIT, ENERGY = "max_logit", "energy"
LEAST_AUROC = 0.95  # of pictures that are no dermoscopy, before anything else counts
_EQUAL = 0.005  # of the value that candidates are chosen by
_SAME_SHARE = 0.01
_RANKS = (16, 32, 64)
_WEIGHTS = (0.0, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Candidate:
    """A score that could be chosen.

    Attributes:
        name: "max_logit", "energy", or "features rank R weight W".
        rank: of the distance; None where there is none.
        weight: of the largest logit beside it.
        deployable: whether a file can hold it. The energy is not offered: it is the largest logit
            but for at most log K, and costs operators that leave the delegates.
    """

    name: str
    rank: int | None
    weight: float
    deployable: bool

    def scores(self, fit: Known, images: Known, directions: Directions) -> np.ndarray:
        """Returns u (N,) of images, fitted on others."""
        if self.rank is None:
            return simple_scores(self.name, images.logits)
        return scores_of(self.fitted(fit, directions), images)

    def fitted(self, fit: Known, directions: Directions) -> UnknownScore:
        """Returns the score fitted on training images; for those with a rank."""
        assert self.rank is not None
        return fit_unknown(fit.pooled, fit.logits, self.rank, self.weight, directions)


def candidates(images: int, known: Sequence[Directions]) -> tuple[Candidate, ...]:
    """All scores that can be fitted on so many images of every network.

    Args:
        images: the smallest number of any network.
        known: directions of the features of each.
    """
    found = [Candidate(MAX_LOGIT, None, 1.0, True), Candidate(ENERGY, None, 1.0, False)]
    for rank in _RANKS:
        if rank < images and all(each.allow(rank) for each in known):
            found += [
                Candidate(f"features rank {rank} weight {weight:g}", rank, weight, True)
                for weight in _WEIGHTS
            ]
    return tuple(found)


def simple_scores(name: str, logits: np.ndarray) -> np.ndarray:
    """Returns minus the largest logit, or the energy −log Σ exp z (Liu et al. 2020), (N,)."""
    top = logits.max(axis=1)
    if name == MAX_LOGIT:
        return np.asarray(-top)
    return np.asarray(-top - np.log(np.exp(logits - top[:, None]).sum(axis=1)))


def scores_of(score: UnknownScore, images: Known) -> np.ndarray:
    """Returns u (N,) as the graph computes it."""
    return score.of(torch.from_numpy(images.pooled), torch.from_numpy(images.logits)).numpy()


@dataclass(frozen=True)
class Trial:
    """What a candidate reached on the images for choosing.

    Attributes:
        name: of the candidate.
        deployable: see `Candidate`.
        pictures: kind of picture to AUROC against validation images.
        held_out: class to AUROC of the student that never saw it, against its validation images.
        value: what the choice goes by.
        chosen: whether it was.
    """

    name: str
    deployable: bool
    pictures: dict[str, float]
    held_out: dict[str, float]
    value: float
    chosen: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Material:
    """What one network knows of the images that a score is fitted on and tried on.

    Attributes:
        fit: training images.
        validation: known images of the validation side.
        unknown: name of a kind of picture, or of the held-out class, to images.
    """

    fit: Known
    validation: Known
    unknown: Mapping[str, Known]


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, how it was chosen, and the directions of the student's features."""

    candidate: Candidate
    trials: tuple[Trial, ...]
    directions: Directions
    held_out_directions: dict[str, Directions]


def choose(
    student: Material, held_out: Mapping[str, Material], own: UnknownScore | None = None
) -> Choice:
    """Tries every candidate and takes the smallest of the best that a file can hold.

    The best has the largest mean of three means: AUROC of pictures that are no dermoscopy, of other
    pictures that should not be answered, and of classes that were held out. One whose mean for
    pictures that are no dermoscopy is below 0.95 is taken only if all are. Candidates within 0.005
    of the best count as equally good, though they may differ in single kinds: of those the
    smallest rank is taken, which makes the smallest files, and among equal ranks the score that
    the student has already, which leaves its files as they are.

    Args:
        student: of the deployed student, with pictures of every kind.
        held_out: class to the material of the student that never saw it, whose `unknown` is that
            class alone; may be empty.
        own: the score that the student has already, if it is one of features.

    Raises:
        InputError: there is no picture to choose by.
    """
    if not student.unknown:
        raise InputError("an unknown score needs pictures that should not be answered.")
    directions = main_directions(student.fit.pooled)
    others = {code: main_directions(each.fit.pooled) for code, each in held_out.items()}
    smallest = min(len(each.fit.pooled) for each in (student, *held_out.values()))
    tried = candidates(smallest, [directions, *others.values()])
    trials = []
    for candidate in tried:
        known = candidate.scores(student.fit, student.validation, directions)
        pictures = {
            kind: auroc(known, candidate.scores(student.fit, images, directions))
            for kind, images in student.unknown.items()
        }
        found = {}
        for code, each in held_out.items():
            before, after = (
                candidate.scores(each.fit, images, others[code])
                for images in (each.validation, each.unknown[code])
            )
            found[code] = auroc(before, after)
        value = _value(pictures, found)
        trials.append(Trial(candidate.name, candidate.deployable, pictures, found, value))
    ranks = [candidate.rank or 0 for candidate in tried]
    best = _best(trials, ranks, _place_of(own, tried, student.fit, directions))
    told = tuple(replace(trial, chosen=place == best) for place, trial in enumerate(trials))
    return Choice(tried[best], told, directions, others)


def _value(pictures: Mapping[str, float], held_out: Mapping[str, float]) -> float:
    apart = [pictures[kind] for kind in pictures if kind in NOT_DERMOSCOPY]
    spoilt = [pictures[kind] for kind in pictures if kind not in NOT_DERMOSCOPY]
    groups = [group for group in (apart, spoilt, list(held_out.values())) if group]
    return float(np.mean([np.mean(group) for group in groups]))


def _place_of(
    own: UnknownScore | None, tried: Sequence[Candidate], fit: Known, directions: Directions
) -> int | None:
    """Which candidate a score is, by its rank and the share of its logit."""
    for place, candidate in enumerate(tried):
        if own is not None and candidate.rank == own.rank:
            share = candidate.fitted(fit, directions).share
            if np.isclose(share, own.share, rtol=_SAME_SHARE, atol=0):
                return place
    return None


def _best(trials: Sequence[Trial], ranks: Sequence[int], own: int | None = None) -> int:
    def good(trial: Trial) -> bool:
        apart = [value for kind, value in trial.pictures.items() if kind in NOT_DERMOSCOPY]
        return bool(apart) and float(np.mean(apart)) >= LEAST_AUROC

    places = [place for place, trial in enumerate(trials) if trial.deployable]
    preferred = [place for place in places if good(trials[place])] or places
    most = max(trials[place].value for place in preferred)
    equal = [place for place in preferred if most - trials[place].value < _EQUAL]
    least = min(ranks[place] for place in equal)
    small = [place for place in equal if ranks[place] == least]
    return own if own in small else max(small, key=lambda place: trials[place].value)
