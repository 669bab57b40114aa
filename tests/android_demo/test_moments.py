"""What the app does at moments that no test can bring about, read out of its sources."""

from __future__ import annotations

import re

import pytest

from android_demo.check.kotlin import DEMO

SOURCES = DEMO / "app" / "src" / "main" / "kotlin" / "dermport" / "demo"

MOMENTS = {
    "a picture of the camera is not taken for one of the gallery": (
        "ResultActivity.kt",
        r"if \(uri == null\) Captured\.take\(\) else null",
    ),
    "another model is used before the one before is closed": (
        "Diagnoser.kt",
        r"model = opened\n +before\?\.close\(\)",
    ),
    "a missing library is told for the GPU as for the CPU": (
        "Network.kt",
        r"opened\(context, model, asked, threads\)\n +\} catch \(error: LinkageError\) \{\n"
        r" +throw Problem\(Fault\.RuntimeMissing",
    ),
    "what failed in a benchmark leaves the finished runs": (
        "BenchmarkActivity.kt",
        r"catch \(error: Exception\) \{\n +Words\.of\(.*, Outcome\.fault\(error\)\)",
    ),
    "a thread count that nobody set is not shown": (
        "BenchmarkActivity.kt",
        r"if \(delegate == BenchmarkAsk\.GPU\) .*R\.string\.benchmark_no_threads",
    ),
    "the share on the GPU is said not to be told": (
        "BenchmarkActivity.kt",
        r"if \(run\.ran == BenchmarkAsk\.GPU\) .*R\.string\.benchmark_gpu_share",
    ),
    "the app's own file is hashed in parts": ("PhoneTeller.kt", r"Sha256\.of\(File\("),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_screens_do_what_has_to_be_done_when_it_has_to_be(moment: str) -> None:
    file, pattern = MOMENTS[moment]
    assert re.search(pattern, (SOURCES / file).read_text("utf-8")), file
