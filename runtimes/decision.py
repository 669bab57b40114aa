"""One answer of a model's numbers, by the rule in its contract."""

from __future__ import annotations

from collections.abc import Sequence

from runtimes.contract import Contract

UNKNOWN = "unknown"


def decide(contract: Contract, probabilities: Sequence[float], unknown: float) -> str:
    """Returns "unknown", "suspected CODE" or the code of the likeliest class.

    A score that is no number is answered with "unknown". A contract without a decision has no
    alert; older files behave as they did.

    Args:
        contract: of the model.
        probabilities: (K,), in the order of the labels.
        unknown: the model's unknown score.
    """
    if not unknown <= contract.calibration.unknown_threshold:
        return UNKNOWN
    alert = contract.decision.alert if contract.decision else None
    if alert is not None and probabilities[contract.codes.index(alert.code)] >= alert.threshold:
        return f"suspected {alert.code}"
    return contract.codes[max(range(len(probabilities)), key=lambda k: probabilities[k])]
