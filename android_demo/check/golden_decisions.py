"""Golden decisions: contracts that Python reads or refuses, and what it answers by them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runtimes.contract import Contract
from runtimes.contract_decision import UNKNOWN_SCORES
from runtimes.decision import decide
from runtimes.errors import InputError

_REMOVED = object()
_MEANING = (
    f"{UNKNOWN_SCORES['max_logit']}; above calibration.unknown_threshold the answer is 'unknown'"
)


@dataclass(frozen=True)
class Change:
    """One value of the released contract's JSON replaced, or removed."""

    path: tuple[str | int, ...]
    value: Any = _REMOVED

    def apply(self, document: Any) -> None:
        """Carries it out in place."""
        for key in self.path[:-1]:
            document = document[key]
        if self.value is _REMOVED:
            del document[self.path[-1]]
        else:
            document[self.path[-1]] = self.value

    def to_json(self) -> dict[str, Any]:
        """The path, and the value unless it is removed."""
        told: dict[str, Any] = {"path": list(self.path)}
        return told if self.value is _REMOVED else told | {"value": self.value}


def _version(version: str) -> Change:
    return Change(("version",), version)


# Without a decision the unknown score is the largest logit's, which the outputs have to say.
_NO_DECISION = (Change(("decision",)), Change(("outputs", 2, "meaning"), _MEANING))
_CALLED: tuple[str | int, ...] = ("decision", "alerts", 0)
_UNKNOWN: tuple[str | int, ...] = ("outputs", 2)
# Contracts by which answers are decided.
_DECIDING: dict[str, tuple[Change, ...]] = {
    "as released": (),
    "the other aim": (Change(("decision", "aim"), 0.95),),
    "no alert in force": (Change(("decision", "aim"), None),),
    "no decision": _NO_DECISION,
    "1.1": (*_NO_DECISION, _version("1.1")),
    "another class": (Change((*_CALLED, "code"), "SCC"),),
    "a threshold of 0": (Change((*_CALLED, "threshold"), 0),),
    "a threshold of 1": (Change((*_CALLED, "threshold"), 1),),
}
# Contracts that are read or refused.
_READING: dict[str, tuple[Change, ...]] = {
    **_DECIDING,
    "1.0": (*_NO_DECISION, _version("1.0")),
    "1.1 with a decision": (_version("1.1"),),
    "no alerts at all": (Change(("decision", "alerts"), []), Change(("decision", "aim"), None)),
    "1.3 with more": (
        _version("1.3"),
        Change(("decision", "colour"), "red"),
        Change((*_CALLED, "colour"), "red"),
        Change(("decision", "rule"), "another rule"),
    ),
    "1.3 with an aim of no alert": (_version("1.3"), Change(("decision", "aim"), 0.5)),
    "another rule": (Change(("decision", "rule"), "always NV"),),
    "no rule": (Change(("decision", "rule")),),
    "another unknown score": (Change(("decision", "unknown_score"), "magic"),),
    "no unknown score": (Change(("decision", "unknown_score")),),
    "an aim without an alert": (Change(("decision", "aim"), 0.5),),
    "an aim in words": (Change(("decision", "aim"), "0.9"),),
    "an aim twice": (Change((*_CALLED, "aim"), 0.95),),
    "no aim": (Change(("decision", "aim")),),
    "an alert of no class": (Change((*_CALLED, "code"), "XYZ"),),
    "a threshold above one": (Change((*_CALLED, "threshold"), 1.5),),
    "a threshold below zero": (Change((*_CALLED, "threshold"), -0.1),),
    "a threshold in words": (Change((*_CALLED, "threshold"), "0.1"),),
    "no threshold": (Change((*_CALLED, "threshold")),),
    "no interval": (Change((*_CALLED, "sensitivity"), [0.9]),),
    "an interval in words": (Change((*_CALLED, "specificity"), [0.9, "0.8", 1]),),
    "an interval beyond one": (Change((*_CALLED, "specificity"), [0.9, 0.8, 1.1]),),
    "no specificity": (Change((*_CALLED, "specificity")),),
    "evidence in words": (Change(("decision", "evidence"), {"auroc": "good"}),),
    "evidence with null in a list": (Change(("decision", "evidence"), {"auroc": [[1], [None]]}),),
    "evidence in lists of lists": (Change(("decision", "evidence"), {"auroc": [[1], [0.5]]}),),
    "no evidence": (Change(("decision", "evidence")),),
    "alerts that are no list": (Change(("decision", "alerts"), {}),),
    "a decision that is null": (Change(("decision",), None),),
    "an unknown key": (Change(("decision", "colour"), "red"),),
    "an unknown key of an alert": (Change((*_CALLED, "colour"), "red"),),
    # what is said of input and outputs follows from the rest
    "another meaning of unknown": (Change((*_UNKNOWN, "meaning"), _MEANING),),
    "a meaning in other words": (Change((*_UNKNOWN, "meaning"), "how unsure it is"),),
    "no meaning": (Change((*_UNKNOWN, "meaning")),),
    "no decision and the meaning of one": (Change(("decision",)),),
    "1.3 with another meaning": (_version("1.3"), Change((*_UNKNOWN, "meaning"), "another")),
    "an output of another type": (Change((*_UNKNOWN, "dtype"), "int8"),),
    "maps in another layout": (Change(("outputs", 1, "layout"), "NCHW"),),
    "outputs that changed names": (
        Change(("outputs", 0, "name"), "unknown"),
        Change((*_UNKNOWN, "name"), "probabilities"),
    ),
    "an output too few": (Change(("outputs", 2)),),
    "1.3 with an output too few": (_version("1.3"), Change(("outputs", 2))),
    "an output of another size": (Change(("outputs", 1, "shape"), ["N", 7, 7, 8]),),
    "no outputs": (Change(("outputs",)),),
    "outputs that are no list": (_version("1.3"), Change(("outputs",), {})),
    "an input of another size": (Change(("input", "shape"), ["N", 192, 192, 3]),),
    "an input of one picture": (Change(("input", "shape"), [1, 224, 224, 3]),),
    "1.3 with an input of one picture": (
        _version("1.3"),
        Change(("input", "shape"), [1, 224, 224, 3]),
    ),
    "1.3 with more of the input": (
        _version("1.3"),
        Change(("input", "colour"), "red"),
        Change(("input", "layout")),
    ),
    "1.3 with an input of another type": (_version("1.3"), Change(("input", "dtype"), "int4")),
    "an input of uint8": (Change(("input", "dtype"), "uint8"),),
    "a range in decimals": (Change(("input", "range"), [0.0, 255.0]),),
    # and what nothing else follows from
    **{
        f"a name of U+{ord(space):04X}": (Change(("name",), space),)
        for space in "\t\x1c\x1f\x85\xa0\u1680\u180e\u2007\u200b\u2028\u202f\u3000\ufeff"
    },
    "images below zero": (Change(("training", "images"), -1),),
    "a metric in words": (Change(("training", "metrics"), {"accuracy": "good"}),),
    "a metric of null": (Change(("training", "metrics"), {"accuracy": None}),),
    "a metric that is true": (Change(("training", "metrics"), {"accuracy": [True]}),),
    "metrics in lists of lists": (Change(("training", "metrics"), {"confusion": [[1], [0.5]]}),),
    "a seed of 64 bits": (Change(("training", "seed"), 2**64 - 1),),
    "a seed in decimals": (Change(("training", "seed"), 1.0),),
    "aims that differ in their sign": (
        Change((*_CALLED, "aim"), 0.0),
        Change(("decision", "alerts", 1, "aim"), -0.0),
        Change(("decision", "aim"), 0.0),
    ),
    "an aim of minus nothing": (
        Change((*_CALLED, "aim"), 0.0),
        Change(("decision", "aim"), -0.0),
    ),
    "a minor version of many digits": (_version("1.123456789"),),
    "a version of too many digits": (_version("1.1234567890"),),
    "a version of three numbers": (_version("1.2.0"),),
    "a version of other digits": (_version("1.\u0663"),),
}


def golden_decisions(released: str) -> str:
    """Returns decision.json: what Python makes of changed contracts and of chosen numbers.

    Args:
        released: contract.json of the released student.
    """
    contracts = [_read(released, name, changes) for name, changes in _READING.items()]
    answers = [
        answer
        for name, changes in _DECIDING.items()
        for answer in _answers(_changed(released, changes), name, changes)
    ]
    rows = {"contracts": contracts, "answers": answers}
    parts = (
        f'"{key}": [\n' + ",\n".join(json.dumps(row, allow_nan=False) for row in value) + "\n]"
        for key, value in rows.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _changed(released: str, changes: Sequence[Change]) -> str:
    document = json.loads(released)
    for change in changes:
        change.apply(document)
    return json.dumps(document)


def _read(released: str, name: str, changes: Sequence[Change]) -> dict[str, Any]:
    told = {"name": name, "changes": [change.to_json() for change in changes]}
    try:
        contract = Contract.from_json(_changed(released, changes), name)
    except InputError:
        return {**told, "accepted": False}
    alert = contract.decision.alert if contract.decision else None
    return {
        **told,
        "accepted": True,
        "decision": contract.decision is not None,
        "alert": [alert.code, alert.aim, alert.threshold] if alert else None,
        "evidence": [*alert.sensitivity, *alert.specificity] if alert else None,
    }


def _answers(text: str, name: str, changes: Sequence[Change]) -> Iterator[dict[str, Any]]:
    contract = Contract.from_json(text, name)
    for probabilities, unknown in _numbers(contract):
        shares = [float(share) for share in probabilities]
        yield {
            "name": name,
            "changes": [change.to_json() for change in changes],
            "probabilities": shares,
            "unknown": None if np.isnan(unknown) else float(unknown),
            "diagnosis": contract.codes[int(np.argmax(probabilities))],
            "decision": decide(contract, shares, float(unknown)),
        }


def _numbers(contract: Contract) -> Iterator[tuple[np.ndarray, np.float32]]:
    """Float32 numbers on both sides of every threshold, as near as they come."""
    low, high = _neighbours(contract.calibration.unknown_threshold)
    alerts = contract.decision.alerts if contract.decision else ()
    edges = [edge for alert in alerts for edge in _neighbours(alert.threshold)]
    shares = sorted({float(edge) for edge in (*edges, np.float32(0.06), np.float32(0.6))})
    known = np.float32(low - 1)
    for column in sorted({contract.codes.index(code) for code in ("MEL", "NV", "SCC")}):
        for share in shares:
            if 0 <= share <= 1:
                yield _spread(len(contract.codes), column, share), known
    certain = _spread(len(contract.codes), 0, 0.9)
    for unknown in (low, high, np.float32("nan"), np.float32(-1e30), np.float32(1e30)):
        yield certain, unknown
    # the first of two that are equal counts
    equal = np.zeros(len(contract.codes), np.float32)
    equal[[3, 5]] = 0.5
    yield equal, known


def _neighbours(threshold: float) -> tuple[np.float32, np.float32]:
    """The largest float32 at or below a number, and the smallest above it."""
    near = np.float32(threshold)
    low = near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))
    return low, np.nextafter(low, np.float32(np.inf))


def _spread(classes: int, column: int, share: float) -> np.ndarray:
    """One class has this probability, its neighbour three quarters of the rest."""
    probabilities = np.full(classes, (1 - share) * 0.25 / (classes - 2), np.float32)
    probabilities[(column + 1) % classes] = (1 - share) * 0.75
    probabilities[column] = share
    return probabilities
