"""The Android demo, as far as it goes without Gradle and without a phone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from android_demo.check.__main__ import VERBS
from android_demo.check.golden import FOLDER
from android_demo.check.kotlin import DEMO
from android_demo.check.model import shipped
from android_demo.check.parity import LARGEST, compare
from android_demo.check.project import read_project
from android_demo.check.speed import measure
from android_demo.check.tools import Tools
from runtimes.console import run_program
from runtimes.errors import InputError
from runtimes.metadata import read_contract


def _verb(*words: str) -> int:
    return run_program("android_demo.check", "", VERBS, words)


def test_the_golden_pictures_are_what_the_preprocessing_gives_today() -> None:
    assert _verb("golden", "--check") == 0


def test_the_core_passes_its_own_tests(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verb("core") == 0
    assert "OK (" in capsys.readouterr().out


def test_the_core_answers_with_the_real_runtime_as_python_does(tools: Tools) -> None:
    pictures = [FOLDER / f"{name}.png" for name in ("wide", "exif_6", "exif_crop_5", "tiny")]
    result = compare(tools, shipped(), pictures)
    assert result.equal_pixels == result.equal_answers == len(pictures)
    assert result.probability <= LARGEST
    assert result.whole_graph


def test_real_pictures_get_the_same_answers(tools: Tools, shared: Path, tmp_path: Path) -> None:
    import zipfile

    pictures = []
    with zipfile.ZipFile(shared / "isic2019" / "images224.zip") as archive:
        for name in archive.namelist()[:24]:
            with archive.open(name) as stream:
                picture = tmp_path / f"{Path(name).stem}.png"
                Image.open(stream).convert("RGB").save(picture)
                pictures.append(picture)
    result = compare(tools, shipped(), pictures)
    assert result.equal_pixels == result.equal_answers == len(pictures)
    assert result.probability <= LARGEST


def test_preprocessing_is_at_most_three_times_pillows_and_lean(tools: Tools) -> None:
    for case in measure(tools, rounds=5):
        assert case.passes(), case


def test_another_model_is_refused_with_words(tools: Tools, shared: Path, tmp_path: Path) -> None:
    other = shared / "reference_models" / "mobilenet_v2_1.0_224_quant.tflite"
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(shipped().read_bytes()[:100_000])
    for model, words in ((other, "no contract in this file"), (cut, "damaged or truncated")):
        with pytest.raises(InputError, match=words):
            compare(tools, model, [FOLDER / "wide.png"])


def test_the_shipped_model_is_the_released_student() -> None:
    if shipped().name != "mobilenet_v2-ssd_kd-int8.tflite":
        pytest.skip(f"another model lies in the app: {shipped().name}")
    contract = read_contract(shipped())
    released = read_contract(DEMO.parent / "models" / "mobilenet_v2-ssd_kd")
    assert contract == released
    assert contract.input_dtype == "uint8"
    assert not contract.training.synthetic


def test_the_project_is_as_it_has_to_be() -> None:
    project = read_project()
    assert project.faults == ()
    assert (project.min_sdk, project.package) == (26, "dermport.demo")


_CAMERA = '<uses-permission android:name="android.permission.CAMERA" />'
_BREAKS: dict[str, tuple[str, Callable[[str], str], str]] = {
    "internet": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace(
            _CAMERA, f'{_CAMERA}<uses-permission android:name="android.permission.INTERNET" />'
        ),
        "permissions are",
    ),
    "exported": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace('exported="false"', 'exported="true"', 1),
        "exported are",
    ),
    "missing class": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace(".ResultActivity", ".AnswerActivity"),
        "no such class",
    ),
    "backup": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace('allowBackup="false"', 'allowBackup="true"'),
        "allowBackup",
    ),
    "old gradle": (
        "gradle/wrapper/gradle-wrapper.properties",
        lambda text: text.replace("gradle-9.5.0", "gradle-8.9"),
        "needs 9.5.0",
    ),
    "unknown alias": (
        "app/build.gradle.kts",
        lambda text: text.replace("libs.litert)", "libs.tflite)"),
        "libs.tflite is not in the catalogue",
    ),
    "min sdk": (
        "gradle/libs.versions.toml",
        lambda text: text.replace('minSdk = "26"', 'minSdk = "24"'),
        "minSdk is 24",
    ),
    "a log": (
        "app/src/main/kotlin/dermport/demo/Photo.kt",
        lambda text: text + '\nfun log() = android.util.Log.d("x", "y")\n',
        "logs nothing",
    ),
    "compressed libraries": (
        "app/build.gradle.kts",
        lambda text: text.replace("useLegacyPackaging = false", ""),
        "16 KB",
    ),
}


@pytest.mark.parametrize("name", _BREAKS)
def test_what_must_not_be_in_the_project_is_found(name: str, tmp_path: Path) -> None:
    file, broken, words = _BREAKS[name]
    demo = tmp_path / "demo"
    shutil.copytree(DEMO, demo, ignore=shutil.ignore_patterns("resources", "*.tflite", "check"))
    path = demo / file
    before = path.read_text()
    path.write_text(broken(before))
    assert path.read_text() != before
    assert any(words in fault for fault in read_project(demo).faults), read_project(demo).faults


def test_the_app_compiles_and_its_package_verifies(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _verb("app") == 0
    assert "signed and verified (v2, v3)" in capsys.readouterr().out


def test_the_model_of_an_export_is_found_and_others_refused(tmp_path: Path) -> None:
    from android_demo.check.model import find_export

    with pytest.raises(InputError, match="NAME-int8"):
        find_export(tmp_path)
    (tmp_path / "a-int8.tflite").write_bytes(shipped().read_bytes())
    assert find_export(tmp_path) == tmp_path / "a-int8.tflite"
