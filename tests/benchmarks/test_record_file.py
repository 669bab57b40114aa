"""Records of phones, over a cable or in browsers, that were damaged or are of something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.phone import document as by_cable
from benchmarks.web import document as in_browsers
from runtimes.errors import InputError

from . import phone_records, web_records

Opened = Callable[[], Any]
Kept = tuple[Path, Opened]


@pytest.fixture(params=["cable", "browser"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """A record with one phone, and how its verb opens it again."""
    path = tmp_path / "phone.json"
    (tmp_path / "export").mkdir()
    export = web_records.small_export(tmp_path / "export")
    if request.param == "browser":
        visits = web_records.visits_of(export, path)
        web_records.measured(visits)
        return path, lambda: in_browsers.open_document(visits.document.settings, path)
    rows = phone_records.rows_of(export.files)
    document = phone_records.record(export.files, {"5e1f": (phone_records.PHONE, rows)})
    path.write_text(json.dumps(document.to_json()))
    return path, lambda: by_cable.open_document(document.settings, path, resume=True)


def _change(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_record_comes_back_as_it_was(kept: Kept) -> None:
    path, opened = kept
    again = opened().to_json()
    again.pop("provenance", None)
    before = json.loads(path.read_text())
    before.pop("provenance", None)
    by_browser = before["schema"] == "dermport.web"  # of whose files one of several was run
    assert [phone["finished"] for phone in before["phones"]] == [not by_browser]
    assert json.loads(json.dumps(again)) == before


def test_a_phone_that_is_in_it_twice_is_refused(kept: Kept) -> None:
    path, opened = kept
    _change(path, lambda content: content["phones"].append(content["phones"][0]))
    with pytest.raises(InputError, match=r"phone\.json: phone '\w+' is in it twice"):
        opened()


def test_runs_that_the_settings_do_not_name_are_refused(kept: Kept) -> None:
    path, opened = kept

    def change(content: dict[str, Any]) -> None:
        content["phones"][0]["rows"][0]["asked"]["threads"] = 7

    _change(path, change)
    with pytest.raises(InputError, match="runs that its settings do not name"):
        opened()


def test_other_settings_and_other_records_are_named(kept: Kept) -> None:
    path, opened = kept
    _change(path, lambda content: content["settings"].update(seconds=99.0))
    with pytest.raises(InputError, match=r"other settings \(seconds: 99.0, now "):
        opened()
    _change(path, lambda content: content.update(schema="x"))
    with pytest.raises(InputError, match=r"it is a x 1\.0; expected dermport\.\w+ 1\.0"):
        opened()
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="cannot be read"):
        opened()
