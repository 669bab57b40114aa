"""The page in a real browser: both runtimes, real files, a crash, a hang, and a page that reloads.

Debian's Chromium, driven by playwright-core, which npm fetches into a cache of its own.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.web.document import Settings, open_document
from benchmarks.web.packages import Package, fetch_archive, fetch_packages, read_packages
from benchmarks.web.server import PageServer
from benchmarks.web.site import Export, Resource, build_site, read_export
from benchmarks.web.visits import Visits
from runtimes.errors import InputError

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent / "web"
_PLAYWRIGHT = Package(
    "playwright-core",
    "1.65.1",
    "sha512-hqPpz7blSMPxWVdoeE1yiBSzXsKiVOd2k+kjCvmUywD2GPO2Dd9HfcWnq9NN0GHbNZDFgZ9JfBFr+X5/BLo0qw==",
    {},
)
_FORMATS = ("onnx:fp32", "onnx:fp16", "tflite:fp32", "tflite:fp16", "tflite:int8")
_RELEASED = Path(__file__).resolve().parents[2] / "models" / "mobilenet_v2-ssd_kd"
_SHOTS = tuple(
    f"{size}-{colours}" for size in ("phone", "desktop") for colours in ("light", "dark")
)


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "dermport"


def _program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"needs {names[0]}, which is not installed")
    return found


@pytest.fixture(scope="module")
def chromium() -> str:
    return _program("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def playwright() -> Path:
    _program("node")
    folder = _cache() / f"playwright-core-{_PLAYWRIGHT.version}"
    if not folder.is_dir():
        try:
            content = fetch_archive(_PLAYWRIGHT, _program("npm"))
        except InputError as error:
            pytest.skip(f"playwright-core cannot be fetched: {error}")
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        assert f"sha512-{digest}" == _PLAYWRIGHT.integrity
        aside = folder.with_name(f"{folder.name}.{os.getpid()}")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(aside, filter="data")
        aside.rename(folder)
    return folder / "package"


@pytest.fixture(scope="module")
def packages() -> dict[str, bytes]:
    folder = _cache() / "web"
    try:
        return read_packages(folder)
    except InputError:
        _program("npm")
    try:
        fetch_packages(folder)
    except InputError as error:
        pytest.skip(f"the browser's runtimes cannot be fetched: {error}")
    return read_packages(folder)


@pytest.fixture(scope="module")
def export(chromium: str, playwright: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The released student: a network trained for a moment answers the same to every picture."""
    out = tmp_path_factory.mktemp("web") / "artifacts"
    words = ["run", str(_RELEASED), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "export", *words, "--only", *_FORMATS],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return read_export(out)


@contextmanager
def served(
    export: Export,
    packages: dict[str, bytes],
    path: Path,
    threads: tuple[int, ...] = (1,),
    limit: float = 60.0,
    change: Callable[[dict[str, Resource]], None] = lambda site: None,
) -> Iterator[PageServer]:
    settings = Settings(export.files, threads, 12, 0.5, limit)
    visits = Visits(open_document(settings, path), export.golden, export.threshold)
    site = build_site("a", export, settings, packages)
    change(site)
    answers = {"enter": visits.enter, "begin": visits.begin, "end": visits.end}
    server = PageServer("127.0.0.1", 0, site, answers)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.finish()
        thread.join(10)


def visit(
    server: PageServer, playwright: Path, chromium: str, folder: Path | str = "", before: str = ""
) -> dict[str, Any]:
    """Opens the page, presses its button and waits for the end; returns what was seen.

    Args:
        server: of the page.
        playwright: the folder of its package.
        chromium: its program.
        folder: for screenshots; none are taken without.
        before: a script that runs before the page's own.
    """
    words = [_program("node"), str(HERE / "browser.mjs"), str(playwright), chromium, server.url]
    done = subprocess.run(
        [*words, str(folder), "300", before], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def phones_of(path: Path) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = json.loads(path.read_text())["phones"]
    return kept


def test_both_runtimes_answer_as_at_the_export_and_nothing_comes_from_elsewhere(
    export: Export, packages: dict[str, bytes], playwright: Path, chromium: str, tmp_path: Path
) -> None:
    path = tmp_path / "web.json"
    with served(export, packages, path, threads=(1, 2)) as server:
        seen = visit(server, playwright, chromium)
    assert (seen["state"], seen["trouble"], seen["isolated"]) == ("finished", "", True)
    assert "10 of 10 ran and answered as exported" in seen["status"]
    (phone,) = phones_of(path)
    assert phone["finished"]
    assert phone["facts"]["browser"].startswith("Chrome ")
    rows = phone["rows"]
    assert len(rows) == 2 * len(_FORMATS)
    assert all(row["fault"] == "" and row["answers"]["faults"] == [] for row in rows)
    assert all(row["figures"]["runs"] >= 12 for row in rows)
    apart = {
        row["asked"]["file"]: row["answers"]["comparison"]["probability"]
        for row in rows
        if row["asked"]["threads"] == 1
    }
    assert max(value for name, value in apart.items() if "fp32" in name) < 1e-5
    assert next(value for name, value in apart.items() if name.endswith("int8.tflite")) < 1e-6
    assert all(request.startswith(server.url) for request in seen["requests"])
    # LiteRT.js logs to where errors go; a browser's own complaint begins otherwise.
    assert [text for text in seen["errors"] if not text.startswith(("INFO:", "WARNING:"))] == []
    # What the page shows is what is kept, and the bars have one scale.
    for row, text in zip(rows, seen["rows"], strict=True):
        times = [row["figures"][name] for name in ("p50", "p90", "p99")]
        shown = " / ".join(f"{value:.{2 if value < 10 else 1}f}" for value in times)
        assert f"{shown}\u00a0ms" in text
        assert "answers as exported" in text
    longest = max(row["figures"]["p99"] for row in rows)
    widths = [float(width.rstrip("%")) for width in seen["bars"]]
    expected = [100 * row["figures"]["p50"] / longest for row in rows]
    assert widths == pytest.approx(expected, abs=0.1)


def test_the_page_is_readable_on_a_phone_in_light_and_dark(
    export: Export, packages: dict[str, bytes], playwright: Path, chromium: str, tmp_path: Path
) -> None:
    def old(site: dict[str, Resource]) -> None:
        # As in a browser without relaxed SIMD, such as those of older iPhones.
        script = site["litert.js"]
        mark = b'const relaxedSimd = await supportsFeature("relaxedSimd");'
        assert script.content.count(mark) == 1
        changed = script.content.replace(mark, b"const relaxedSimd = false;")
        site["litert.js"] = Resource(changed, script.type)

    with served(export, packages, tmp_path / "web.json", change=old) as server:
        seen = visit(server, playwright, chromium, tmp_path)
    assert any(name.endswith("litert_wasm_compat_internal.wasm") for name in seen["requests"])
    assert "5 of 5 ran and answered as exported" in seen["status"]
    assert seen["wide"] is False
    assert seen["small"] == []
    for name in _SHOTS:
        pixels = np.asarray(Image.open(tmp_path / f"after-{name}.png").convert("L"))
        # Paper and ink: the background of the right colours, and words that stand out from it.
        background = int(np.median(pixels))
        assert (background > 200) == name.endswith("light"), name
        assert np.ptp(pixels) > 170, name


def test_a_crash_and_a_hang_cost_their_own_rows(
    export: Export, packages: dict[str, bytes], playwright: Path, chromium: str, tmp_path: Path
) -> None:
    engines = [file.runtime for file in export.files]
    litert, onnx = engines.index("LiteRT"), engines.index("ONNX Runtime")

    def spoil(site: dict[str, Resource]) -> None:
        # The content of one file is a hostile one, and the worker of another never comes back.
        garbage = b"\x1c\x00\x00\x00TFL3" + b"\xff" * 5000
        site[f"models/{litert}"] = Resource(garbage, "application/octet-stream")
        stuck = f"({{ data }}) => {{ if (data.ask.model === {onnx}) for (;;); }}"
        script = f'self.addEventListener("message", {stuck});\n'.encode()
        worker = site["worker.js"]
        site["worker.js"] = Resource(script + worker.content, worker.type)
        page = site["runs.js"]
        quick = page.content.replace(b"FETCH_LIMIT_S = 180", b"FETCH_LIMIT_S = 20")
        assert quick != page.content
        site["runs.js"] = Resource(quick, page.type)

    path = tmp_path / "web.json"
    with served(export, packages, path, change=spoil) as server:
        seen = visit(server, playwright, chromium)
    assert seen["state"] == "finished"
    (phone,) = phones_of(path)
    faults = [row["fault"] for row in phone["rows"]]
    assert len(faults) == len(export.files)
    assert faults[onnx] == "the file was not fetched after 20 s"
    assert faults[litert] != ""
    assert sum(fault == "" for fault in faults) == len(faults) - 2


def test_a_file_that_hangs_while_it_runs_is_ended(
    export: Export, packages: dict[str, bytes], playwright: Path, chromium: str, tmp_path: Path
) -> None:
    def spoil(site: dict[str, Resource]) -> None:
        worker = site["worker.js"]
        mark = b"  let first = 0;\n"
        assert worker.content.count(mark) == 1
        stuck = worker.content.replace(mark, mark + b"  if (ask.model === 0) for (;;);\n")
        site["worker.js"] = Resource(stuck, worker.type)

    path = tmp_path / "web.json"
    with served(export, packages, path, limit=40, change=spoil) as server:
        visit(server, playwright, chromium)
    (phone,) = phones_of(path)
    faults = [row["fault"] for row in phone["rows"]]
    assert faults == ["it hung and was ended after 40 s"] + [""] * (len(faults) - 1)


def test_wrong_answers_are_told_on_the_page(
    export: Export, packages: dict[str, bytes], playwright: Path, chromium: str, tmp_path: Path
) -> None:
    def spoil(site: dict[str, Resource]) -> None:
        golden = site["golden"]
        site["golden"] = Resource(bytes(len(golden.content)), golden.type)  # all pictures black

    path = tmp_path / "web.json"
    with served(export, packages, path, change=spoil) as server:
        seen = visit(server, playwright, chromium)
    (phone,) = phones_of(path)
    assert all(row["answers"]["faults"] for row in phone["rows"])
    assert all("other answers than at the export" in text for text in seen["rows"])
    assert f"0 of {len(_FORMATS)} ran and answered as exported" in seen["status"]


def test_a_page_that_is_loaded_again_goes_on(
    export: Export, packages: dict[str, bytes], playwright: Path, chromium: str, tmp_path: Path
) -> None:
    path = tmp_path / "web.json"
    # The first page goes away in the middle of its second file, as one that crashed does.
    leave = """
      const send = window.fetch;
      let begun = 0;
      window.fetch = async (...words) => {
        const answer = await send(...words);
        if (words[0] === "begin" && (begun += 1) === 2 && !sessionStorage.getItem("left")) {
          sessionStorage.setItem("left", "1");
          location.reload();
        }
        return answer;
      };
      addEventListener("load", async () => {
        if (!sessionStorage.getItem("left")) return;
        const start = document.getElementById("start");
        while (start.disabled) await new Promise((go) => setTimeout(go, 50));
        start.click();
      });
    """
    with served(export, packages, path) as server:
        seen = visit(server, playwright, chromium, before=leave)
    (phone,) = phones_of(path)
    assert phone["finished"]
    faults = [row["fault"] for row in phone["rows"]]
    gone = "the page was closed or crashed while it ran"
    assert faults == ["", gone, *[""] * (len(faults) - 2)]
    assert gone in seen["rows"][1]
    assert f"{len(faults) - 1} of {len(faults)} ran" in seen["status"]
