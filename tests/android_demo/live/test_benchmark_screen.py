"""The benchmark's screen: started by adb or by hand, turned, left, ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from android_demo.check.phone import Command, Phone, Sight
from benchmarks.phone.document import SCHEMA
from benchmarks.phone.records import Row
from runtimes.strict_json import parse_object
from tests.android_demo.live.seen import check_spoken, words


def _done(sight: Sight) -> bool:
    return sight.text("start") == words("benchmark_start")


def _running(sight: Sight) -> bool:
    return sight.text("status").startswith(("1 of", "2 of", "3 of"))


def _rows(home: Path) -> list[Row]:
    record = parse_object((home / "external" / "benchmark.json").read_text(), "benchmark.json")
    assert record.text("schema") == SCHEMA
    (phone,) = record.children("phones")
    return [Row.from_json(row) for row in phone.children("rows")]


def test_adb_starts_it_a_turn_does_not_end_it_and_its_record_is_read(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        asked = {"threads": "1,4", "delegates": "xnnpack,gpu", "runs": 8, "seconds": 1}
        phone.start("BenchmarkActivity", **asked)
        check_spoken(phone.until(_running))
        for rotation in (1, 0, 3):
            assert _running(phone.do("turn", rotation=rotation))
        sight = phone.until(_done)
        told = [line for line in phone.said() if line.startswith(("1 of", "2 of", "3 of"))]
        assert len(told) == len(set(told)) > 0  # each once
        shown = sight.text("rows").split("\n\n")
        assert words("benchmark_fell_back") in sight.text("rows")
        assert sight.text("status") == words(
            "benchmark_written", tmp_path / "external" / "benchmark.json"
        )
        rows = _rows(tmp_path)
        assert [row.ask.delegate for row in rows] == ["xnnpack", "xnnpack", "gpu"]
        assert [row.ran.delegate for row in rows if row.ran] == 3 * ["xnnpack"]
        assert len([row for row in shown if "p50" in row]) == 3
        assert phone.do("turn", rotation=0).text("rows") == sight.text("rows")
        phone.do("leave")
    with Phone(app, tmp_path) as phone:
        again = phone.do("return")
        assert (again.text("rows"), again.text("status")) == (
            sight.text("rows"),
            sight.text("status"),
        )
        assert _done(again)  # it is not run again


def test_stopped_by_hand_it_keeps_what_is_finished(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start("BenchmarkActivity", threads="1,2", delegates="xnnpack", runs=4, seconds=1)
        phone.until(lambda sight: "p50" in sight.text("rows"))
        phone.press("start")  # which says Stop by now
        sight = phone.until(_done)
        assert sight.text("status").startswith(words("benchmark_stopped"))
        assert len(_rows(tmp_path)) == 1


def test_the_end_of_the_process_during_it_is_told(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start("BenchmarkActivity", threads="1", delegates="xnnpack", runs=1, seconds=60)
        phone.until(_running)
        phone.do("leave")
    with Phone(app, tmp_path) as phone:
        sight = phone.do("return")
        assert sight.text("status") == words("benchmark_ended")
        assert _done(sight)
        assert not (tmp_path / "external" / "benchmark.json").exists()


def test_leaving_its_screen_for_good_ends_it(app: Command, tmp_path: Path) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start()
        phone.press("benchmark")
        assert not _done(phone.press("start"))
        phone.do("back")
        phone.press("choose_picture")
        phone.choose("gone.png")
        # the worker is free for pictures long before 30 seconds of measurement would have ended
        gone = words("fault_picture_gone")
        assert phone.until(lambda sight: sight.text("explanation") == gone, 15)
        assert not (tmp_path / "external" / "benchmark.json").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"runs": 0}, {"threads": 1}, {"delegates": "npu"}, {"seconds": "10"}, {"speed": "full"}],
)
def test_what_it_does_not_know_is_refused(
    app: Command, tmp_path: Path, wrong: dict[str, str | int]
) -> None:
    with Phone(app, tmp_path) as phone:
        sight = phone.start("BenchmarkActivity", **wrong)
        assert sight.text("status").startswith(words("fault_benchmark_value"))
        assert next(iter(wrong)) in sight.text("status")
        assert _done(sight)


def test_a_second_start_while_it_runs_is_refused(app: Command, tmp_path: Path) -> None:
    asked = {"delegates": "xnnpack", "runs": 4, "seconds": 1}
    with Phone(app, tmp_path) as phone:
        phone.start("BenchmarkActivity", threads="1", **asked)
        phone.until(_running)
        sight = phone.start("BenchmarkActivity", threads="2", **asked)
        assert sight.stack == ("BenchmarkActivity",)
        assert words("benchmark_busy") in sight.text("status")
        phone.until(_done)
        assert [row.ask.threads for row in _rows(tmp_path)] == [1]
        phone.start("BenchmarkActivity", threads="2", **asked)
        phone.until(_running)
        phone.until(_done)
        assert [row.ask.threads for row in _rows(tmp_path)] == [2]


def test_a_refusal_stays_through_a_turn_beside_what_was_measured(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start("BenchmarkActivity", threads="1", delegates="xnnpack", runs=4, seconds=1)
        rows = phone.until(_done).text("rows")
        refused = phone.start("BenchmarkActivity", runs=0)
        assert "runs is 0" in refused.text("status")
        turned = phone.do("turn", rotation=1)
        assert turned.views == refused.views
        assert turned.text("rows") == rows


def test_started_by_am_while_another_app_is_in_front_it_comes_to_the_front(
    app: Command, tmp_path: Path
) -> None:
    with Phone(app, tmp_path) as phone:
        phone.start()
        phone.do("leave")
        sight = phone.start("BenchmarkActivity", runs=0)
        assert sight.screen == "BenchmarkActivity"
        assert sight.stack == ("AboutActivity", "BenchmarkActivity")
