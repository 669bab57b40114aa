"""The unknown score: chosen on one half of the material, reported on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.bootstrap import share_of, with_interval
from benchmarks.trust.choose import MAX_LOGIT, Choice, Material, scores_of, simple_scores
from benchmarks.trust.detection import Detection, measure_detection, measure_risk_coverage
from benchmarks.trust.images import CHOOSING, REPORTING
from benchmarks.trust.kept import Arrays
from benchmarks.trust.network import Known
from benchmarks.trust.pictures import NOT_DERMOSCOPY
from distill.calibration import unknown_threshold
from distill.unknown import UnknownScore

ACCEPTED = 0.95
ALL_APART = "no dermoscopy"
_GOALS = {ALL_APART: 0.95, "held-out classes": 0.75}


@dataclass(frozen=True)
class Fitted:
    """The chosen score of the student, with its threshold.

    Attributes:
        name: of the candidate.
        kind: what the contract calls it.
        score: the numbers; None for minus the largest logit.
        threshold: 95 % of the validation images lie at or below it.
    """

    name: str
    kind: str
    score: UnknownScore | None
    threshold: float

    def of(self, images: Known) -> np.ndarray:
        """Returns u (N,)."""
        if self.score is None:
            return simple_scores(MAX_LOGIT, images.logits)
        return scores_of(self.score, images)


def material(answers: Mapping[str, Known], side: str = CHOOSING) -> Material:
    """Returns what a score is fitted on, and a side with its pictures."""
    start = f"{side}/"
    unknown = {
        key.removeprefix(start): images for key, images in answers.items() if key.startswith(start)
    }
    return Material(answers["fit"], answers[side], unknown)


def fitted(choice: Choice, answers: Mapping[str, Known]) -> Fitted:
    """Fits the chosen candidate on training images and its threshold on validation images."""
    candidate = choice.candidate
    if candidate.rank is None:
        score, kind = None, MAX_LOGIT
    else:
        score, kind = candidate.fitted(answers["fit"], choice.directions), "features"
    found = Fitted(candidate.name, kind, score, 0.0)
    threshold = unknown_threshold(found.of(answers[CHOOSING]), ACCEPTED)
    return Fitted(candidate.name, kind, score, threshold)


def measure_pictures(
    known: np.ndarray, groups: Sequence[str], pictures: Mapping[str, np.ndarray], threshold: float
) -> dict[str, Any]:
    """Measures scores of pictures by kind, and of all that are no dermoscopy together."""
    sets = dict(pictures)
    apart = [sets[kind] for kind in NOT_DERMOSCOPY if kind in sets]
    if apart:
        sets = {ALL_APART: np.concatenate(apart)} | sets
    return {
        kind: _row(measure_detection(known, scores, groups), scores, threshold)
        for kind, scores in sets.items()
    }


def _row(found: Detection, scores: np.ndarray, threshold: float) -> dict[str, Any]:
    return {**found.to_json(), "called_unknown": float((scores > threshold).mean())}


def measure_unknown(
    choice: Choice,
    score: Fitted,
    answers: Mapping[str, Known],
    groups: Sequence[str],
    held_out: Mapping[str, tuple[Mapping[str, Known], Sequence[str], Sequence[str]]],
) -> dict[str, Any]:
    """Measures the chosen score, and minus the largest logit beside it, on reporting images.

    Args:
        choice: how it was chosen.
        score: the chosen one.
        answers: of the student.
        groups: lesions of its test images.
        held_out: class to the answers of the student that never saw it, lesions of its known test
            images, and lesions of the images of the class.
    """
    images = material(answers, REPORTING)
    known = score.of(images.validation)
    logit = simple_scores(MAX_LOGIT, images.validation.logits)
    pictures = measure_pictures(
        known, groups, {k: score.of(v) for k, v in images.unknown.items()}, score.threshold
    )
    before = measure_pictures(
        logit,
        groups,
        {k: simple_scores(MAX_LOGIT, v.logits) for k, v in images.unknown.items()},
        unknown_threshold(simple_scores(MAX_LOGIT, answers[CHOOSING].logits), ACCEPTED),
    )
    classes = {
        code: _held_out(choice, own, code, known_groups, own_groups)
        for code, (own, known_groups, own_groups) in held_out.items()
    }
    found = {
        "score": score.name,
        "kind": score.kind,
        "threshold": score.threshold,
        "accepted_share": ACCEPTED,
        "accepted_on_test": float((known <= score.threshold).mean()),
        "pictures": pictures,
        "max_logit": before,
        "held_out": classes,
        "trials": [trial.to_json() for trial in choice.trials],
    }
    return found | {"goals": _goals(pictures, classes)}


def _held_out(
    choice: Choice,
    own: Mapping[str, Known],
    code: str,
    groups: Sequence[str],
    own_groups: Sequence[str],
) -> dict[str, Any]:
    """AUROC of the class that a student never saw, by its own fit of the chosen score."""
    images, directions = material(own, REPORTING), choice.held_out_directions[code]
    lesions = [("held out", group) for group in own_groups]

    def measured(score: Any) -> dict[str, Any]:
        known, unknown = score(images.validation), score(images.unknown[code])
        threshold = unknown_threshold(score(own[CHOOSING]), ACCEPTED)
        return _row(measure_detection(known, unknown, groups, lesions), unknown, threshold)

    return {
        "chosen": measured(lambda each: choice.candidate.scores(images.fit, each, directions)),
        "max_logit": measured(lambda each: simple_scores(MAX_LOGIT, each.logits)),
    }


def _goals(pictures: Mapping[str, Any], classes: Mapping[str, Any]) -> list[dict[str, Any]]:
    reached: dict[str, float | None] = {ALL_APART: None, "held-out classes": None}
    if ALL_APART in pictures:
        reached[ALL_APART] = pictures[ALL_APART]["auroc"]["value"]
    if classes:
        values = [each["chosen"]["auroc"]["value"] for each in classes.values()]
        reached["held-out classes"] = float(np.mean(values))
    return [
        {
            "goal": f"AUROC of {name} at least {least:g}",
            "reached": reached[name],
            "met": None if (value := reached[name]) is None else value >= least,
        }
        for name, least in _GOALS.items()
    ]


def measure_withheld(
    scores: np.ndarray,
    threshold: float,
    probabilities: np.ndarray,
    target: np.ndarray,
    groups: Sequence[str],
    classes: Sequence[str],
) -> dict[str, Any]:
    """What "unknown" does to the answers: risk and coverage, and melanomas at the threshold.

    A melanoma that is answered with "unknown" is not missed, but neither is it found; both are
    told.
    """
    right = probabilities.argmax(axis=1) == target
    found: dict[str, Any] = {
        "risk_coverage": asdict(measure_risk_coverage(scores, right, groups)),
        "by_confidence": asdict(measure_risk_coverage(-probabilities.max(axis=1), right, groups)),
    }
    if "MEL" not in classes:
        return found
    column = list(classes).index("MEL")
    melanoma, accepted = target == column, scores <= threshold
    called = probabilities.argmax(axis=1) == column
    figures = {
        "found_and_accepted": share_of(called & accepted, melanoma),
        "among_accepted": share_of(called, melanoma & accepted),
        "called_unknown": share_of(~accepted, melanoma),
        "without_unknown": share_of(called, melanoma),
    }
    found["melanoma"] = {
        name: dict(vars(with_interval(figure, groups))) for name, figure in figures.items()
    }
    return found


def measure_file(
    answers: Mapping[str, Arrays], groups: Sequence[str], threshold: float
) -> dict[str, Any]:
    """The same pictures, scored by a file or by torch as a file."""
    start = f"{REPORTING}/"
    pictures = {
        key.removeprefix(start): each["unknown"]
        for key, each in answers.items()
        if key.startswith(start)
    }
    found = measure_pictures(answers[REPORTING]["unknown"], groups, pictures, threshold)
    return {
        kind: {key: row[key] for key in ("auroc", "aupr", "fpr95", "called_unknown")}
        for kind, row in found.items()
    }
