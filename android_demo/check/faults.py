"""The faults that the core can end with, and the app's sentence for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from android_demo.check.kotlin import CORE, DEMO
from android_demo.check.widgets import Resources

FAULTS = CORE / "dermport" / "core" / "Fault.kt"
WORDS = DEMO / "app" / "src" / "main" / "kotlin" / "dermport" / "demo" / "Words.kt"
_DECLARED = re.compile(r"^    (?:object|class) (\w+)(?:\((.*?)\))? : Fault\((.*)\)$", re.MULTILINE)
_MAPPED = re.compile(r"is Fault\.(\w+) -> R\.string\.(\w+)")


def string_name(fault: str) -> str:
    """Returns the name of a fault's string: ModelDamaged has fault_model_damaged."""
    return "fault" + re.sub(r"([A-Z])", r"_\1", fault).lower()


def fault_text(fault: str, details: Sequence[object], technical: str | None = None) -> str:
    """Returns what the app says, in English, as Words.kt puts it together.

    Args:
        fault: name of its class in the core.
        details: in the order of the sentence.
        technical: what stands in a paragraph of its own.

    Raises:
        KeyError: the app has no string for it.
    """
    resources = Resources(night=False)
    said = resources.string(string_name(fault), *details)
    if technical is None:
        return said
    return f"{said}\n\n{resources.string('technical_detail', technical)}"


def string_faults(faults: Path = FAULTS, words: Path = WORDS) -> list[str]:
    """Returns what is wrong between faults, the app's table and its strings; [] if nothing is.

    A placeholder too many ends the app with an exception where it has a message to show, and the
    compiler does not see it.
    """
    resources = Resources(night=False)
    declared = {name: details for name, _, details in _DECLARED.findall(faults.read_text("utf-8"))}
    mapped = dict(_MAPPED.findall(words.read_text("utf-8")))
    wrong = [f"{name}: Words.kt has no string for it" for name in declared.keys() - mapped.keys()]
    for fault, name in mapped.items():
        if name != string_name(fault):
            wrong.append(f"{fault}: Words.kt shows {name}, expected {string_name(fault)}")
        elif not resources.has_string(name):
            wrong.append(f"{fault}: strings.xml has no {name}")
        else:
            given = [value for value in declared.get(fault, "").split(",") if value.strip()]
            count = sum("technical =" not in value for value in given)
            places = sorted(set(re.findall(r"%(\d)\$s", resources.string(name))))
            if places != [str(place) for place in range(1, count + 1)]:
                wrong.append(f"{name}: placeholders {places}, the fault has {count} details")
    return sorted(wrong)


def call_faults(sources: Path = WORDS.parent) -> list[str]:
    """Returns the calls of getString that give another number of values than the string has places.

    Calls whose string or number of values stands elsewhere are passed over.
    """
    resources, wrong = Resources(night=False), []
    for file in sorted(sources.glob("*.kt")):
        for name, values in _calls(file.read_text("utf-8")):
            counts = [count for value in values if (count := _spread(value)) is not None]
            count = sum(counts)
            places = {int(place) for place in re.findall(r"%(\d)\$[sd]", resources.string(name))}
            if len(counts) == len(values) and places != set(range(1, count + 1)):
                wrong.append(f"{file.name}: {count} values for {name}, which has {sorted(places)}")
    return wrong


def _calls(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yields the string's name and the values of every getString(R.string.NAME, …)."""
    for found in re.finditer(r"\bgetString\(\s*R\.string\.(\w+)", text):
        values, depth, start, at = [], 1, found.end(), found.end()
        while depth:
            depth += (text[at] in "([{") - (text[at] in ")]}")
            if depth == 0 or (depth == 1 and text[at] == ","):
                values.append(text[start:at].strip())
                start = at + 1
            at += 1
        yield found[1], [value for value in values if value]


def _spread(value: str) -> int | None:
    """How many values one argument is; None where that stands elsewhere."""
    if not value.startswith("*"):
        return 1
    return 3 if value.startswith("*Percent.interval(") else None
