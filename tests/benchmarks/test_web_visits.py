"""What a phone may tell: right figures are kept, and lies are refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.web import visits as module
from benchmarks.web.document import MOST_PHONES, Settings, open_document
from benchmarks.web.records import facts_of
from benchmarks.web.visits import Visits
from runtimes.errors import InputError

from .web_records import (
    AGENT,
    FACTS,
    TIMES,
    answers,
    ended,
    entered,
    golden,
    measured,
    posted,
    result,
    small_export,
    visits_of,
)


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return visits_of(small_export(tmp_path), tmp_path / "web.json")


def test_figures_are_computed_from_the_single_times(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SLACK_S", 10.0)  # the times are told faster than they take
    _, row = measured(visits, result=result(times=TIMES))
    figures = row["figures"]
    assert (figures["runs"], figures["p50"], figures["p90"], figures["p99"]) == (101, 51, 91, 100)
    assert (figures["least"], figures["most"], figures["mean"]) == (1, 101, 51)
    assert figures["drift"] == pytest.approx(89 / 13)
    assert (row["apart"], row["probability"], row["fault"]) == ([], 0.0, "")


def test_other_answers_than_at_the_export_are_told(visits: Visits) -> None:
    other = replace(golden(), probabilities=golden().probabilities[:, ::-1].copy())
    _, row = measured(visits, result=result(answers=answers(other)))
    assert row["probability"] == pytest.approx(0.6)
    assert any("allowed 0.0001" in fault for fault in row["apart"])
    no_number = replace(golden(), cam=np.full_like(golden().cam, np.nan))
    _, row = measured(visits, result=result(answers=answers(no_number)))
    assert any(fault.startswith("cam differs by inf") for fault in row["apart"])
    json.dumps(visits.document.to_json(), allow_nan=False)


def test_every_row_is_on_disk_at_once_and_an_earlier_phone_stays(
    visits: Visits, tmp_path: Path
) -> None:
    phone, _ = measured(visits)
    kept = json.loads((tmp_path / "web.json").read_text())
    assert [(p["id"], p["finished"], len(p["rows"])) for p in kept["phones"]] == [(phone, False, 1)]
    later = Visits(
        open_document(visits.document.settings, tmp_path / "web.json"), visits.golden, 0.5
    )
    assert later.document.to_json() == {
        **kept,
        "provenance": later.document.to_json()["provenance"],
    }
    measured(later)
    kept = json.loads((tmp_path / "web.json").read_text())
    assert len(kept["phones"]) == 2
    assert kept["phones"][0]["id"] == phone


def test_another_export_does_not_replace_a_record(visits: Visits, tmp_path: Path) -> None:
    measured(visits)
    before = (tmp_path / "web.json").read_bytes()
    settings = replace(visits.document.settings, runs=11)
    with pytest.raises(InputError, match=r"other settings \(runs: 10, now 11\)"):
        open_document(settings, tmp_path / "web.json")
    (tmp_path / "foreign.json").write_text('{"schema": "x", "version": "1.0"}')
    with pytest.raises(InputError, match=r"expected dermport\.web 1\.0"):
        open_document(settings, tmp_path / "foreign.json")
    assert (tmp_path / "web.json").read_bytes() == before


def test_a_page_that_crashed_costs_the_file_that_ran_and_no_other(visits: Visits) -> None:
    phone, _ = measured(visits, ask=0)
    visits.begin(posted({"id": phone, "ask": 1}))
    back = entered(visits, phone)
    assert (back["id"], back["left"]) == (phone, [])
    assert back["rows"][0]["fault"] == ""
    assert back["rows"][1]["fault"] == "the page was closed or crashed while it ran"
    assert entered(visits, phone, again=True)["left"] == [1]
    assert visits.finished() == 1


def test_what_ran_in_the_background_is_noted(visits: Visits) -> None:
    _, row = measured(visits, hidden=True)
    assert row["notes"] == ["the page was in the background meanwhile"]


def test_a_fault_is_kept_in_printable_words(visits: Visits) -> None:
    _, row = measured(visits, result=None, fault="bad\x1b[31m\n" + "x" * 5000)
    assert row["fault"].startswith("bad[31mx")
    assert len(row["fault"]) == 300


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"times": []}, "1 to 20,000 times"),
        ({"times": [1.0] * 20_001}, "1 to 20,000 times"),
        ({"times": [1.0, -1.0]}, "numbers from 0"),
        ({"times": [1.0, 1e300]}, "numbers from 0"),
        ({"times": [1.0, "2"]}, "numbers from 0"),
        ({"times": [1.0, True]}, "numbers from 0"),
        ({"times": [0.0, 0.0, 1.0]}, "a clock that tells"),
        ({"times": [1e6, 1e6]}, "together no more than"),
        ({"load": 1e7}, "together no more than"),
        ({"load": None}, "a number"),
        ({"first": -1}, "numbers from 0"),
        ({"build": "<b>"}, "one of simd"),
        ({"answers": {**answers(), "cam": "AAAA"}}, "96 bytes in base64"),
        ({"answers": {**answers(), "cam": "?"}}, "96 bytes in base64"),
        ({"answers": {"cam": answers()["cam"]}}, "'result.answers.probabilities' is missing"),
        ({"more": 1}, "unknown key 'result.more'"),
    ],
)
def test_figures_that_cannot_be_are_refused(
    visits: Visits, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        measured(visits, result=result(**changed))
    assert not any(visits.document.rows.values())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"agent": 1}, "a string"),
        ({"cores": 0}, "from 1 to 1024"),
        ({"cores": 10**30}, "from 1 to 1024"),
        ({"clock_ms": -1}, "from 0 to 1000"),
        ({"isolated": "yes"}, "true or false"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_facts_that_cannot_be_are_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        facts_of(posted({**FACTS, **changed}))


def test_a_run_that_was_not_begun_has_no_end(visits: Visits) -> None:
    phone = entered(visits)["id"]
    with pytest.raises(InputError, match="was not begun"):
        visits.end(posted(ended(phone, 0)))
    visits.begin(posted({"id": phone, "ask": 0}))
    with pytest.raises(InputError, match="was not begun"):
        visits.end(posted(ended(phone, 1)))
    for wrong in ({"id": "nobody", "ask": 0}, {"id": phone, "ask": 2}, {"id": phone, "ask": -1}):
        with pytest.raises(InputError, match="expected"):
            visits.begin(posted(wrong))


def test_there_are_no_more_phones_than_a_report_takes(visits: Visits) -> None:
    for _ in range(MOST_PHONES):
        entered(visits)
    with pytest.raises(InputError, match="takes no more"):
        entered(visits)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (AGENT, "Chrome 150 on Android"),
        (AGENT.replace("Chrome/", "SamsungBrowser/27.0 Chrome/"), "Samsung Internet 27 on Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
            "Safari 26 on iOS",
        ),
        ("Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox 140"),
        ("curl\x1b[0m/8", "not told on not told"),
    ],
)
def test_a_browser_is_called_by_its_own_name(agent: str, expected: str) -> None:
    told = {**FACTS, "agent": agent, "model": "", "system_version": ""}
    assert str(facts_of(posted(told))).startswith(expected)


def test_the_record_names_settings_and_no_path(visits: Visits, tmp_path: Path) -> None:
    measured(visits)
    text = (tmp_path / "web.json").read_text()
    assert str(tmp_path) not in text
    settings = json.loads(text)["settings"]
    assert [file["runtime"] for file in settings["files"]] == [
        "ONNX Runtime Web 1.30.0",
        "LiteRT.js 2.5.3",
    ]
    assert Settings(visits.document.settings.files, (1, 4), 10, 1.0, 30.0).asks()[1].threads == 4


def test_figures_that_cannot_be_written_are_kept_and_written_later(
    visits: Visits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "web.json"
    out.mkdir()
    phone, row = measured(visits, ask=0)
    assert row["figures"] is not None
    assert f"warning: {out} is a folder" in capsys.readouterr().err
    out.rmdir()
    visits.begin(posted({"id": phone, "ask": 1}))
    visits.end(posted(ended(phone, 1)))
    assert len(json.loads(out.read_text())["phones"][0]["rows"]) == 2
