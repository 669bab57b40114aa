"""The Android demo, as far as it goes without Gradle and without a phone."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from android_demo.check.__main__ import VERBS
from android_demo.check.answered import write_lesions
from android_demo.check.golden import FOLDER
from android_demo.check.kotlin import DEMO
from android_demo.check.model import ASSETS, RELEASED, put_in, shipped
from android_demo.check.parity import LARGEST, compare
from android_demo.check.project import read_project
from android_demo.check.speed import measure
from android_demo.check.tools import Tools
from runtimes.console import run_program
from runtimes.errors import InputError
from runtimes.metadata import read_contract


def _verb(*words: str) -> int:
    return run_program("android_demo.check", "", VERBS, words)


def test_the_golden_files_are_what_python_gives_today() -> None:
    assert _verb("golden", "--check") == 0


def test_the_core_passes_its_own_tests(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verb("core") == 0
    assert "OK (" in capsys.readouterr().out


def test_the_core_answers_with_the_real_runtime_as_python_does(
    tools: Tools, tmp_path: Path
) -> None:
    pictures = [FOLDER / f"{name}.png" for name in ("wide", "exif_6", "exif_crop_5", "tiny")]
    pictures += write_lesions(tmp_path)
    result = compare(tools, shipped(), pictures)
    assert result.equal_pixels == result.equal_answers == len(pictures)
    if shipped().name == RELEASED:
        assert {"unknown", "suspected MEL", "NV"} <= set(result.decisions)
    assert result.probability <= LARGEST
    assert result.whole_graph


@pytest.mark.slow  # exports
def test_every_tflite_of_an_export_is_answered_as_python_does(tools: Tools, tmp_path: Path) -> None:
    formats = ("tflite:fp32", "tflite:fp16", "tflite:int8")
    words = [sys.executable, "-m", "export", "run", "models/mobilenet_v2-ssd_kd"]
    words += ["--out", str(tmp_path / "out"), "--parity-images", "64"]
    words += ["--calibration-images", "64", "--only", *formats]
    subprocess.run(words, cwd=DEMO.parent, check=True, capture_output=True)
    files = sorted((tmp_path / "out").glob("*.tflite"))
    assert len(files) == len(formats)
    pictures = write_lesions(tmp_path)
    for file in files:
        result = compare(tools, file, pictures)
        assert result.equal_pixels == result.equal_answers == len(pictures), file.name
        assert result.probability <= LARGEST, file.name
    others = [file for file in (tmp_path / "out").iterdir() if file.suffix != ".tflite"]
    for file in (file for file in others if file.is_file()):
        with pytest.raises(InputError, match="this is not a TensorFlow Lite model"):
            compare(tools, file, pictures[:1])


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
    assert result.decisions.get("suspected MEL", 0) > 0
    assert sum(result.decisions.values()) == len(pictures)


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


def test_litert_itself_refuses_what_only_it_can_see(tools: Tools, tmp_path: Path) -> None:
    # why the app runs a model from storage before that replaces the one before
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(shipped().read_bytes(), 0))
    model.operatorCodes[0].version = 99
    builder = flatbuffers.Builder(1 << 22)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    odd = tmp_path / "odd.tflite"
    odd.write_bytes(builder.Output())
    assert read_contract(odd) == read_contract(shipped())
    with pytest.raises(InputError, match=r"could not run it: .*LiteRT: .* failed with status"):
        compare(tools, odd, [FOLDER / "wide.png"])


def test_the_shipped_model_is_the_released_student() -> None:
    if shipped().name != RELEASED:
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
    "internet of a library": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace("tools:node", "tools:strict"),
        "INTERNET has to be removed",
    ),
    "exported": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace('exported="false"', 'exported="true"', 1),
        "exported are",
    ),
    "a benchmark for other apps": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace('android:permission="android.permission.DUMP"', ""),
        ".BenchmarkActivity: open to whoever has None, expected android.permission.DUMP",
    ),
    "a method of Android 10": (
        "core/src/main/kotlin/dermport/core/FlatTable.kt",
        lambda text: text.replace("val place: Buffer = view", "val place = view"),
        "FlatTable.kt: place.position",
    ),
    "another method of Android 10": (
        "core/src/main/kotlin/dermport/core/FlatTable.kt",
        lambda text: text.replace("view.get(copy)", "view.get(copy)\n        view.flip()"),
        "FlatTable.kt: view.flip",
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
    "a log in the core": (
        "core/src/main/kotlin/dermport/core/Plan.kt",
        lambda text: text + '\nfun log() = println("x")\n',
        "logs nothing",
    ),
    "a connection": (
        "app/src/main/kotlin/dermport/demo/Photo.kt",
        lambda text: text + '\nfun fetch() = java.net.URL("x").readBytes()\n',
        "has no network",
    ),
    "a picture stored": (
        "app/src/main/kotlin/dermport/demo/Photo.kt",
        lambda text: text + "\nfun keep(b: Bitmap) = b.compress(TODO(), 1, TODO())\n",
        "stores no picture",
    ),
    "a sentence in the code": (
        "app/src/main/kotlin/dermport/demo/Photo.kt",
        lambda text: text + '\nconst val SORRY = "This cannot be opened any more."\n',
        "speaks from strings.xml",
    ),
    "nnapi": (
        "app/src/main/kotlin/dermport/demo/Network.kt",
        lambda text: text + '\nconst val OTHER = "nnapi"\n',
        "uses no NNAPI",
    ),
    "unsaid export": (
        "app/src/main/AndroidManifest.xml",
        lambda text: text.replace(' android:exported="false"', "", 1),
        "does not say whether it is exported",
    ),
    "old target": (
        "gradle/libs.versions.toml",
        lambda text: text.replace('targetSdk = "37"', 'targetSdk = "35"'),
        "36 at least",
    ),
    "unused version": (
        "gradle/libs.versions.toml",
        lambda text: text.replace("[versions]", '[versions]\nother = "1"'),
        "is used nowhere",
    ),
    "missing version": (
        "gradle/libs.versions.toml",
        lambda text: text.replace('version.ref = "junit"', 'version.ref = "junit5"'),
        "the version junit5 is missing",
    ),
    "missing module": (
        "settings.gradle.kts",
        lambda text: text.replace('":core"', '":kernel"'),
        "includes kernel",
    ),
    "compressed model": (
        "app/build.gradle.kts",
        lambda text: text.replace('noCompress += "tflite"', ""),
        "the model has to stay uncompressed",
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


def test_the_benchmark_is_started_and_fetched_as_the_documents_say() -> None:
    app = DEMO / "app" / "src" / "main"
    core = DEMO / "core" / "src" / "main" / "kotlin" / "dermport" / "core"
    ask = (core / "BenchmarkAsk.kt").read_text("utf-8")
    written = (app / "kotlin/dermport/demo/Benchmark.kt").read_text("utf-8")
    package = read_project().package
    readme, phone = DEMO / "README.md", DEMO.parent / "docs" / "phone.md"
    for document in (readme, phone):
        text = document.read_text("utf-8")
        (command,) = re.findall(r"^adb shell am start -n (.*)$", text, re.MULTILINE)
        component, *extras = re.split(r" --", command)
        assert component == f"{package}/.BenchmarkActivity", document.name
        for kind, list_of in (("es", "WORDS"), ("ei", "NUMBERS")):
            (names,) = re.findall(rf"val {list_of} = listOf\((.*?)\)", ask)
            given = {extra.split()[1] for extra in extras if extra.startswith(f"{kind} ")}
            assert given == set(re.findall(r'"(\w+)"', names)), document.name
        (file,) = re.findall(r'const val FILE = "(.*)"', written)
        assert f"adb pull /sdcard/Android/data/{package}/files/{file}" in text, document.name
    assert "getExternalFilesDir(null)" in written


def test_the_app_compiles_and_its_package_verifies(
    tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _verb("app") == 0
    assert "signed and verified (v2, v3)" in capsys.readouterr().out


def test_the_model_of_an_export_is_found_and_others_refused(tmp_path: Path) -> None:
    from android_demo.check.model import find_export

    with pytest.raises(InputError, match="NAME-int8"):
        find_export(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        find_export(tmp_path / "nowhere")
    (tmp_path / "a-int8.tflite").write_bytes(shipped().read_bytes())
    assert find_export(tmp_path) == tmp_path / "a-int8.tflite"
    (tmp_path / "b-int8.tflite").touch()
    with pytest.raises(InputError, match=r"found a-int8\.tflite, b-int8\.tflite"):
        find_export(tmp_path)


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the app's assets, to be changed."""
    folder = tmp_path / "assets"
    shutil.copytree(ASSETS, folder)
    monkeypatch.setattr("android_demo.check.model.ASSETS", folder)
    return folder


def test_a_model_is_found_by_the_app_whatever_the_case_of_its_suffix(
    assets: Path, tmp_path: Path
) -> None:
    other = tmp_path / "Other.TFLITE"
    other.write_bytes(shipped().read_bytes())
    assert put_in(other) == shipped() == assets / "Other.tflite"
    assert put_in(shipped()) == shipped()


@pytest.mark.parametrize("what", ["cut short", "changed since its export"])
def test_a_damaged_model_does_not_replace_the_good_one(
    what: str, assets: Path, tmp_path: Path
) -> None:
    good, bad = shipped(), tmp_path / "bad.tflite"
    content = good.read_bytes()
    if what == "cut short":
        bad.write_bytes(content[:-10_000])
    else:
        entry = {"file": bad.name, "sha256": hashlib.sha256(content).hexdigest()}
        (tmp_path / "manifest.json").write_text(
            json.dumps({"schema": "dermport.manifest", "files": [entry]})
        )
        middle = len(content) // 2
        bad.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    with pytest.raises(InputError, match=r"bad\.tflite: .*(damaged)"):
        put_in(bad)
    assert shipped() == good
    assert good.read_bytes() == content


def test_a_project_without_a_model_is_not_as_it_has_to_be(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    shutil.copytree(DEMO, demo, ignore=shutil.ignore_patterns("resources", "check"))
    assert read_project(demo).faults == ()
    model = next((demo / "app/src/main/assets").glob("*.tflite"))
    model.rename(model.with_suffix(".TFLITE"))
    assert [fault for fault in read_project(demo).faults if "found none" in fault]


def test_what_is_missing_or_no_picture_is_named(tools: Tools, tmp_path: Path) -> None:
    text, gone = tmp_path / "text.png", tmp_path / "gone"
    text.write_text("no picture")
    for model, picture in ((gone, text), (shipped(), gone), (shipped(), text)):
        with pytest.raises(InputError, match=f"^{gone if gone in (model, picture) else text}: "):
            compare(tools, model, [picture])


def test_a_folder_is_no_name_for_an_apk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verb("app", "--files-only", "--apk", str(tmp_path)) == 2
    assert "Name the .apk file" in capsys.readouterr().err
