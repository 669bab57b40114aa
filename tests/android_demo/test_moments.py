"""That the screens call the framework and the core at the right moments, as far as sources tell."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from android_demo.check.kotlin import DEMO

SOURCES = DEMO / "app" / "src" / "main" / "kotlin" / "dermport" / "demo"
LAYOUTS = DEMO / "app" / "src" / "main" / "res" / "layout"

MOMENTS = {
    "a picture of the camera is not taken for one of the gallery": (
        "ResultActivity.kt",
        r"if \(intent\.data == null\) Captured\.take\(\) else null",
    ),
    "a picture that comes after its session is dropped": (
        "CameraActivity.kt",
        r"answer\(from: CameraSession, .*\n +if \(session !== from .*\) return\n +Captured\.put",
    ),
    "a picture is told with its own session": (
        "CameraActivity.kt",
        r"taken = \{ jpeg -> runOnUiThread \{ answer\(now, jpeg\) \} \}",
    ),
    "whatever fails in the background is told": (
        "Diagnoser.kt",
        r"val told = Outcome\.of\(work, done, failed\)\n +main\.post\(told\)",
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
    "all that am start gave is checked": (
        "BenchmarkActivity.kt",
        r"extras\.keySet\(\)\.associateWith \{ extras\.get\(it\) \}",
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
    "recent apps show no picture": (
        "Recents.kt",
        r"if \(Build\.VERSION\.SDK_INT >= 33\) screen\.setRecentsScreenshotEnabled\(false\)",
    ),
    "recent apps show no camera": ("CameraActivity.kt", r"Recents\.hide\(this\)"),
    "recent apps show no answer": ("ResultActivity.kt", r"Recents\.hide\(this\)"),
    "the gallery's button has room where the camera is refused": (
        "CameraActivity.kt",
        r"fun refused\(.*\{(?:\n .*)*?guideText\.visibility = View\.GONE",
    ),
    "a turn from landscape to landscape turns the preview": (
        "CameraActivity.kt",
        r"registerDisplayListener\(this, null\)(?:.*\n)*.*unregisterDisplayListener\(this\)"
        r"(?:.*\n)*.*onDisplayChanged\(displayId: Int\) = turn\(\)",
    ),
    "a screen reader is told which probability is looked at": (
        "ResultActivity.kt",
        r"row\.isSelected = row\.tag == ranked\.index",
    ),
    "an answer of another model is not shown as this one's": (
        "ResultActivity.kt",
        r"before\?\.takeIf \{ it\.isOf\(model\) \}",
    ),
    "an answer keeps which model gave it": ("Diagnosis.kt", r'putString\("model", model\)'),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_screens_do_what_has_to_be_done_when_it_has_to_be(moment: str) -> None:
    file, pattern = MOMENTS[moment]
    assert re.search(pattern, (SOURCES / file).read_text("utf-8")), file


def test_a_screen_reader_hears_where_the_model_looked() -> None:
    android = "{http://schemas.android.com/apk/res/android}"
    views = ElementTree.parse(LAYOUTS / "result.xml").iter("TextView")
    (view,) = (view for view in views if view.get(f"{android}id") == "@+id/looked_here")
    assert view.get(f"{android}accessibilityLiveRegion") == "polite"
