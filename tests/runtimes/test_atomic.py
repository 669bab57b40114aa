"""Writes happen whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtimes.atomic import (
    check_folder,
    check_output,
    replacing_file,
    replacing_folder,
    write_json,
    write_text,
)
from runtimes.errors import InputError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["figures.json"]


def test_a_failed_folder_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    with replacing_folder(path) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), replacing_folder(path) as temporary:
        (temporary / "b").write_text("new")
        raise RuntimeError
    assert _names(path) == ["a"]
    with replacing_folder(path) as temporary:
        (temporary / "b").write_text("new")
    assert _names(path) == ["b"]
    assert _names(tmp_path) == ["cache"]


def test_a_full_disk_is_named_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_text(path, "old")
    with (
        pytest.raises(InputError, match=r"figures\.json: the disk is full.*unchanged"),
        replacing_file(path) as temporary,
    ):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_the_system_s_own_error_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with (
        pytest.raises(InputError, match="the disk is full"),
        replacing_file(tmp_path / "x"),
        full.open("w") as stream,
    ):
        stream.write("no room")


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", {"accuracy": float("nan")})
    assert _names(tmp_path) == []


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_text(path, "old")
    script = (
        "import sys, time; from pathlib import Path; from runtimes.atomic import replacing_file\n"
        "with replacing_file(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.05)
    assert path.read_text() == "old"


def test_a_folder_or_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for path in (tmp_path / "kept", Path(os.devnull)):
        with pytest.raises(InputError, match="folder or a device"):
            write_text(path, "x")
    assert not Path(os.devnull).is_file()


def test_a_path_through_a_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "file" / "inside.json", "x")


def test_a_result_does_not_replace_a_file_of_another_kind(tmp_path: Path) -> None:
    labels, run = tmp_path / "labels.csv", tmp_path / "run"
    labels.write_text("image,diagnosis")
    run.mkdir()
    for name in ("contract.json", "recipe.yaml"):
        (run / name).write_text("{}")
    with pytest.raises(InputError, match=r"labels\.csv.*does not end in \.json"):
        check_output(labels, ".json")
    with pytest.raises(InputError, match=r"new\.jpg.*does not end in \.png"):
        check_output(tmp_path / "new.jpg", ".png")
    with pytest.raises(InputError, match=r"labels\.csv cannot be written into"):
        check_output(labels / "deep" / "new.json", ".json")
    with pytest.raises(InputError, match="belongs to"):
        check_output(run / "contract.json", ".json")
    (run / "curves.png").write_text("drawn")
    with pytest.raises(InputError, match="belongs to"):
        check_output(run / "curves.png", ".png")
    (tmp_path / "tuned").mkdir()
    for name in ("aware.safetensors", "finetune.json"):
        (tmp_path / "tuned" / name).write_text("{}")
    with pytest.raises(InputError, match=r"belongs to.*aware\.safetensors"):
        check_output(tmp_path / "tuned" / "finetune.json", ".json")
    (run / "own.json").write_text("{}")  # a person's own, written again
    check_output(run / "own.json", ".json")
    check_output(run / "new.json", ".json")
    (tmp_path / "own.json").write_text("{}")
    check_output(tmp_path / "own.json", ".json")


def test_a_json_result_replaces_results_of_this_project_alone(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    for content in ("", "{}", '{"provenance": {}}', '{"schema": "dermport.report"}'):
        path.write_text(content)
        check_output(path, ".json")
    for content in ('{"mine": 1}', "[1]", "not JSON", "\xff"):
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(InputError, match=r"found\.json: it holds no .* is not replaced"):
            check_output(path, ".json")
    path.write_text('{"schema": "dermport.phone", "phones": []}')
    with pytest.raises(InputError, match=r"it holds a record of kind dermport\.phone"):
        check_output(path, ".json")
    with pytest.raises(InputError, match=r"it holds a record of kind dermport\.phone"):
        check_output(path, ".json", "dermport.web")
    check_output(path, ".json", "dermport.phone")


def test_a_folder_is_replaced_only_by_its_own_kind(tmp_path: Path) -> None:
    folder = tmp_path / "parcels"
    folder.mkdir()
    check_folder(folder, "list.json", ("list.json", "part-*"))
    (folder / "part-1").write_text("x")
    with pytest.raises(InputError, match=r"no list\.json"):
        check_folder(folder, "list.json", ("list.json", "part-*"))
    (folder / "list.json").write_text("{}")
    check_folder(folder, "list.json", ("list.json", "part-*"))
    (folder / ".DS_Store").write_text("a file manager's")
    (folder / "images").mkdir()
    names = ("list.json", "part-*", "images/*.png")
    for name in ("images/1.png", "images/.DS_Store"):
        (folder / name).write_text("x")
    check_folder(folder, "list.json", names)
    for name in ("thesis.txt", "images/thesis.docx", "images/more"):
        (folder / name).write_text("years")
        with pytest.raises(InputError, match=rf"something else \({re.escape(name)}\)"):
            check_folder(folder, "list.json", names)
        (folder / name).unlink()


@pytest.mark.parametrize("name", [".", ".."])
def test_a_folder_without_a_name_of_its_own_is_not_replaced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="a folder of its own"):
        check_folder(Path(name), "mark", ("mark",))
    with pytest.raises(InputError, match="a folder of its own"), replacing_folder(Path(name)):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


def test_what_killed_writers_left_is_removed_after_a_day(tmp_path: Path) -> None:
    old, young = tmp_path / ".a.onnx.abcdefgh.onnx", tmp_path / ".a.onnx.ijklmnop.onnx"
    other, folder = tmp_path / ".b.onnx.abcdefgh.onnx", tmp_path / ".a.onnx.qrstuvwx"
    folder.mkdir()
    for path in (old, young, other):
        path.touch()
    for path in (old, other, folder):
        os.utime(path, (time.time() - 90_000,) * 2)
    with replacing_file(tmp_path / "a.onnx") as temporary:
        temporary.write_text("new")
    assert {path.name for path in tmp_path.iterdir()} == {"a.onnx", young.name, other.name}


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a folder where nobody makes files")
def test_a_folder_where_no_file_can_be_made_is_told_before_work_begins() -> None:
    with pytest.raises(InputError, match=r"/sys cannot be written into"):
        check_output(Path("/sys/figures.json"), ".json")
