"""The article's claims about attention, answered by what was measured of where networks looked.

A comparison is answered "yes" where its 95 % interval, paired over lesions, lies above 0, "no, the
contrary" where it lies below, and "no difference shown" otherwise. Artefacts do not draw a network
("yes") where each one's interval ends at or below one point of the map, and do ("no") where one
lies above that; else nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NOTHING = 0.01  # share of the map's sum; what is drawn up to it is taken for nothing


def answers_to_the_article(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the article's claims, each with yes, no or "not measured", and its numbers."""
    networks = found["networks"]
    claims = []

    def claim(text: str, verdict: str, evidence: str) -> None:
        claims.append({"claim": text, "answer": verdict, "evidence": evidence})

    ours = next((name for name in networks if name.startswith("ssd_kd")), None)
    if ours is None:
        return claims
    middle = found["baselines"]["middle"]["energy"]["value"]
    area = found["lesion_share"]["area"]["value"]
    energy, beyond = networks[ours]["clean"]["energy"], networks[ours]["beyond"]
    claim(
        f"{ours} looks at the lesion more than chance",
        _verdict(beyond["area"]),
        f"{_percent(energy)} of the class map lies in the lesion, whose area is {100 * area:.1f} % "
        f"of the frame: {_points(beyond['area'])} points more",
    )
    claim(
        f"{ours} looks at the lesion more than a map that always shows the middle",
        _verdict(beyond["middle"]),
        f"such a map has {100 * middle:.1f} % in the lesion: {_points(beyond['middle'])} points",
    )
    drawn = {name: row["drawn"] for name, row in networks[ours]["artefacts"].items()}
    claim(
        f"{ours} does not look at hair, rulers, gel bubbles or ink",
        _undrawn(drawn.values()),
        "; ".join(
            f"{name}: {_points(each)} points of the map move onto its pixels when it is pasted"
            for name, each in drawn.items()
        ),
    )
    key = f"{ours} minus no_kd"
    if key not in found["differences"]:
        text = "without distillation the map sits on artefacts, with SSD-KD on the lesion"
        claim(text, "not measured", "name the run of no_kd with --run no_kd=FOLDER")
        return claims
    row = found["differences"][key]
    claim(
        f"{ours} looks at the lesion more than no_kd",
        _verdict(row["energy"]),
        f"{_points(row['energy'])} points of the map inside the lesion",
    )
    for artefact in networks[ours]["artefacts"]:
        difference = row[f"energy on {artefact}"]
        turned = {"low": _minus(difference["high"]), "high": _minus(difference["low"])}
        claim(
            f"{ours} looks at {artefact} less than no_kd",
            _verdict(turned),
            f"{_points(difference)} points of the map on it",
        )
    return claims


def _verdict(difference: Mapping[str, float | None]) -> str:
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return "not measured"
    if low > 0:
        return "yes"
    return "no, the contrary" if high < 0 else "no difference shown"


def _undrawn(drawn: Iterable[Mapping[str, float | None]]) -> str:
    ends = [(each["low"], each["high"]) for each in drawn]
    if any(low is not None and low > NOTHING for low, _ in ends):
        return "no"
    small = all(high is not None and high <= NOTHING for _, high in ends)
    return "yes" if ends and small else "not shown"


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _percent(found: Mapping[str, float | None], form: str = ".1f", unit: str = " %") -> str:
    values = [found[key] for key in ("value", "low", "high")]
    if any(value is None for value in values):
        return "–"
    value, low, high = (format(100 * float(value or 0), form) for value in values)
    return f"{value}{unit} ({low} to {high})"


def _points(found: Mapping[str, float | None]) -> str:
    return _percent(found, "+.1f", "")
