"""The contract's decision: what `unknown` is, the operating points, and the evidence for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtimes.contract_checks import close, is_numeric, require
from runtimes.strict_json import StrictObject, is_number

UNKNOWN_SCORES = {
    "max_logit": "minus the largest logit",
    "features": "distance of the pooled features from those of the training data, minus a share "
    "of the largest logit",
}
DECISION_RULE = (
    "if unknown is above calibration.unknown_threshold: 'unknown'; else, if the probability of the "
    "code of the alert with the aim decision.aim is at or above its threshold: 'suspected CODE'; "
    "else the code of the largest probability"
)


@dataclass(frozen=True)
class Alert:
    """An operating point of a class that must not be missed.

    Attributes:
        code: of the class.
        aim: sensitivity that the threshold has on the validation side.
        threshold: the class is suspected where its probability is at or above it.
        sensitivity: on the test side: value, and low and high end of its 95 % interval.
        specificity: likewise.
    """

    code: str
    aim: float
    threshold: float
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]

    def __post_init__(self) -> None:
        shares = {"aim": self.aim, "threshold": self.threshold}
        for name in ("sensitivity", "specificity"):
            values = getattr(self, name)
            require(len(values) == 3, f"decision.alerts.{name}", values, "value, low and high")
            shares |= {f"{name}[{place}]": value for place, value in enumerate(values)}
        for key, share in shares.items():
            require(0 <= share <= 1, f"decision.alerts.{key}", share, "a share from 0 to 1")


@dataclass(frozen=True)
class Decision:
    """How probabilities and unknown score become one answer; `runtimes.decision` carries it out.

    Attributes:
        unknown_score: what the output `unknown` is, a key of UNKNOWN_SCORES.
        aim: of the alert in force; None if there is none.
        alerts: operating points, each with another aim.
        evidence: name to number, or (nested) lists of numbers: what was measured of calibration
            and unknown score on the test side.
    """

    unknown_score: str
    aim: float | None
    alerts: tuple[Alert, ...]
    evidence: dict[str, float | list[Any]]

    def __post_init__(self) -> None:
        known, aims = f"one of {', '.join(UNKNOWN_SCORES)}", [each.aim for each in self.alerts]
        fits = self.unknown_score in UNKNOWN_SCORES
        require(fits, "decision.unknown_score", self.unknown_score, known)
        require(len(set(aims)) == len(aims), "decision.alerts", aims, "every aim once")
        fits = self.aim is None or self.aim in aims
        require(fits, "decision.aim", self.aim, f"null or one of {aims}, the alerts' aims")
        for name, value in self.evidence.items():
            expected = "a finite number or lists of them"
            require(is_numeric(value), f"decision.evidence.{name}", value, expected)

    @property
    def alert(self) -> Alert | None:
        """The operating point in force."""
        return next((each for each in self.alerts if each.aim == self.aim), None)


def read_decision(item: StrictObject, newer: bool) -> Decision:
    """Reads the contract's `decision`.

    Args:
        item: the object.
        newer: whether the contract is of a newer minor version, which may carry more.

    Raises:
        InputError: a key is missing or unknown, or a value outside its range.
    """
    if (rule := item.text("rule")) != DECISION_RULE and not newer:
        raise item.error("rule", rule, f"'{DECISION_RULE}'")
    alerts = []
    for each in item.children("alerts"):
        alert = Alert(
            code=each.text("code"),
            aim=each.number("aim"),
            threshold=each.number("threshold"),
            sensitivity=_numbers(each, "sensitivity"),
            specificity=_numbers(each, "specificity"),
        )
        alerts.append(alert)
        close(each, newer)
    result = Decision(
        unknown_score=item.text("unknown_score"),
        aim=item.number_or_none("aim"),
        alerts=tuple(alerts),
        evidence=item.mapping("evidence"),
    )
    close(item, newer)
    return result


def _numbers(item: StrictObject, key: str) -> tuple[float, ...]:
    values = item.array(key)
    if not all(map(is_number, values)):
        raise item.error(key, values, "an array of numbers")
    return tuple(float(value) for value in values)
