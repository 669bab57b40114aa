"""Every fault of the core has a sentence in the app's string resources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from android_demo.check.faults import FAULTS, WORDS, call_faults, fault_text, string_faults


def test_every_fault_has_its_string_with_a_place_for_every_detail() -> None:
    assert string_faults() == []
    declared = re.findall(r"(?:object|class) \w+.*: Fault\(", FAULTS.read_text("utf-8"))
    assert len(declared) >= 28


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("class ModelDamaged(file: String) : Fault(file)", "class ModelDamaged : Fault()", "has 0"),
        ("object PictureEmpty : Fault()", "class PictureEmpty(a: Int) : Fault(a)", "has 1"),
        (
            "    object FileGone",
            "    object FileStolen : Fault()\n    object FileGone",
            "no string",
        ),
    ],
)
def test_a_fault_that_does_not_fit_its_string_is_found(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    text = FAULTS.read_text("utf-8")
    assert old in text
    changed = tmp_path / "Fault.kt"
    changed.write_text(text.replace(old, new), "utf-8")
    (found,) = string_faults(faults=changed)
    assert words in found


def test_a_fault_shown_with_another_ones_words_is_found(tmp_path: Path) -> None:
    text = WORDS.read_text("utf-8")
    changed = tmp_path / "Words.kt"
    changed.write_text(text.replace("R.string.fault_storage_full", "R.string.fault_memory_full"))
    assert changed.read_text() != text
    (found,) = string_faults(words=changed)
    assert found.startswith("StorageFull: Words.kt shows fault_memory_full")


def test_every_call_has_a_value_for_every_place_of_its_string(tmp_path: Path) -> None:
    assert call_faults() == []
    text = (WORDS.parent / "ResultActivity.kt").read_text("utf-8")
    for old in (
        "            falseAlarms,\n",
        "            *Percent.interval(alert.sensitivity),\n",
    ):
        assert old in text
        (tmp_path / "ResultActivity.kt").write_text(text.replace(old, ""), "utf-8")
        (found,) = call_faults(tmp_path)
        assert "values for suspected_text" in found


def test_a_sentence_has_its_details_in_their_places_and_what_is_technical_apart() -> None:
    said = fault_text("ContractInvalid", ["a.tflite"], "'labels' is []; expected two")
    first, second = said.split("\n\n")
    assert first.startswith("a.tflite: its contract is not as it has to be")
    assert second == "Technical detail: 'labels' is []; expected two"
    assert fault_text("ModelDamaged", ["a.tflite"]).startswith("a.tflite: the TensorFlow Lite")


def test_what_the_core_or_litert_puts_in_words_stands_in_no_translated_sentence() -> None:
    details = {
        detail
        for _, parameters in re.findall(
            r"class (\w+)\((.*?)\) : Fault\(", FAULTS.read_text("utf-8")
        )
        for detail in re.findall(r"(\w+): String", parameters)
    }
    assert details == {"file", "files", "version", "own", "delegate", "abi", "technical"}
    sentence = re.compile(r'"[^"\n]*[a-z]+ [a-z]+[^"\n]*"')
    for file in (FAULTS, WORDS):
        assert not sentence.search(file.read_text("utf-8")), file.name
