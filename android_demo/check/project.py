"""What the demo's Gradle files and manifest have to say, checked without Gradle."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from android_demo.check.kotlin import DEMO

_ANDROID = "{http://schemas.android.com/apk/res/android}"
_TOOLS = "{http://schemas.android.com/tools}"
_MIN_SDK = 26
_PERMISSIONS = {"android.permission.CAMERA"}
# What others may open, and the permission that they need for it: adb's shell has DUMP.
_EXPORTED = {".AboutActivity": None, ".BenchmarkActivity": "android.permission.DUMP"}
# The first Gradle that an Android Gradle plugin runs with, as its release notes say.
_GRADLE = {"9.3": (9, 5, 0)}
# What must not stand in the sources: where pictures could leave the phone or be seen by others.
_FORBIDDEN = {
    r"\bandroid\.util\.Log\b|\bprintln?\(|\bSystem\.(out|err)\b": "logs nothing",
    r"\bjava\.net\b|\bHttpURLConnection\b": "has no network",
    r"(?i)\bnnapi\b": "uses no NNAPI",
    r"\bMediaStore\b|\.compress\(": "stores no picture",
}
# What people read has to be translatable: no text of four words and more in the app's own sources.
_SENTENCE = {r'"[^"\n]*\b[a-z]+ [a-z]+ [a-z]+ [a-z]+\b[^"\n]*"': "speaks from strings.xml"}

# Java 9 gave ByteBuffer these; what is compiled for them ends the app before Android 10.
_OWN_OF_BYTE_BUFFER = re.compile(
    r"\b(\w+)\.((?:position|limit)(?=\([^)\"])|(?:flip|rewind|mark|reset|clear)(?=\(\)))"
)


@dataclass(frozen=True)
class Project:
    """The demo's own numbers.

    Attributes:
        package: of the app.
        min_sdk, target_sdk: Android's API levels.
        litert: version of the runtime.
        faults: what is wrong, in words; empty where all is as it has to be.
    """

    package: str
    min_sdk: int
    target_sdk: int
    litert: str
    faults: tuple[str, ...]


def read_project(demo: Path = DEMO) -> Project:
    """Reads and checks the files; every fault has a sentence."""
    app = demo / "app" / "src" / "main"
    catalogue = tomllib.loads((demo / "gradle" / "libs.versions.toml").read_text("utf-8"))
    versions: dict[str, str] = catalogue["versions"]
    script = (demo / "app" / "build.gradle.kts").read_text("utf-8")
    namespace = re.search(r'namespace = "([\w.]+)"', script)
    package = namespace[1] if namespace else ""
    faults = [
        *_gradle_faults(demo, catalogue),
        *_sdk_faults(versions, script),
        *_manifest_faults(app, package),
        *_source_faults(app, _FORBIDDEN | _SENTENCE),
        *_source_faults(demo / "core" / "src" / "main", _FORBIDDEN),
        *_buffer_faults(demo / "core" / "src" / "main"),
        *_asset_faults(app),
    ]
    if not package:
        faults.append("app/build.gradle.kts: no namespace")
    return Project(
        package,
        int(versions.get("minSdk", 0)),
        int(versions.get("targetSdk", 0)),
        versions.get("litert", ""),
        tuple(faults),
    )


def _gradle_faults(demo: Path, catalogue: dict[str, Any]) -> list[str]:
    faults = []
    settings = (demo / "settings.gradle.kts").read_text("utf-8")
    modules = re.findall(r'":(\w+)"', settings)
    scripts = [demo / "build.gradle.kts", *(demo / name / "build.gradle.kts" for name in modules)]
    known = {f"versions.{name}": 0 for name in catalogue["versions"]}
    known |= {name.replace("-", "."): 0 for name in catalogue["libraries"]}
    known |= {f"plugins.{name.replace('-', '.')}": 0 for name in catalogue["plugins"]}
    for script in scripts:
        if not script.is_file():
            faults.append(
                f"settings.gradle.kts: includes {script.parent.name}, which has no script"
            )
            continue
        for name in re.findall(r"\blibs\.([\w.]+)", script.read_text("utf-8")):
            alias = name.split(".get")[0]
            if alias not in known:
                faults.append(
                    f"{script.name} of {script.parent.name}: libs.{alias} is not in the catalogue"
                )
            else:
                known[alias] += 1
    for entry in (*catalogue["libraries"].values(), *catalogue["plugins"].values()):
        if entry["version"]["ref"] not in catalogue["versions"]:
            faults.append(f"libs.versions.toml: the version {entry['version']['ref']} is missing")
        known[f"versions.{entry['version']['ref']}"] = 1
    faults += [
        f"libs.versions.toml: {name} is used nowhere" for name, uses in known.items() if not uses
    ]
    wrapper = (demo / "gradle" / "wrapper" / "gradle-wrapper.properties").read_text("utf-8")
    found = re.search(r"gradle-([\d.]+)-bin", wrapper)
    gradle = tuple(map(int, found[1].split("."))) if found else ()
    plugin = ".".join(catalogue["versions"]["agp"].split(".")[:2])
    if plugin not in _GRADLE:
        faults.append(f"Android Gradle plugin {plugin}: which Gradle it needs is not known here")
    elif gradle < _GRADLE[plugin]:
        needed = ".".join(map(str, _GRADLE[plugin]))
        faults.append(f"Gradle {found[1] if found else '?'}: plugin {plugin} needs {needed}")
    return faults


def _sdk_faults(versions: dict[str, str], script: str) -> list[str]:
    least, target, compiled = (int(versions[f"{name}Sdk"]) for name in ("min", "target", "compile"))
    faults = []
    if least != _MIN_SDK:
        faults.append(f"minSdk is {least}, expected {_MIN_SDK}")
    if not least <= target <= compiled or target < 36:
        faults.append(f"targetSdk {target} and compileSdk {compiled} do not fit; 36 at least")
    if "useLegacyPackaging = false" not in script:
        faults.append("native libraries have to stay uncompressed for 16 KB pages")
    if 'noCompress += "tflite"' not in script:
        faults.append("the model has to stay uncompressed")
    return faults


def _manifest_faults(app: Path, package: str) -> list[str]:
    root = ElementTree.parse(app / "AndroidManifest.xml").getroot()
    asked: set[str] = set()
    removed: set[str] = set()
    for item in root.iter("uses-permission"):
        kept = item.get(f"{_TOOLS}node") != "remove"
        (asked if kept else removed).add(item.get(f"{_ANDROID}name", ""))
    faults = (
        [] if asked == _PERMISSIONS else [f"permissions are {sorted(asked)}, expected the camera"]
    )
    if "android.permission.INTERNET" not in removed:
        faults.append("INTERNET has to be removed by name, or a library may bring it in")
    folder = app / "kotlin" / Path(*package.split("."))
    exported = set()
    for kind in ("activity", "service", "receiver", "provider", "activity-alias"):
        for item in root.iter(kind):
            name = item.get(f"{_ANDROID}name", "")
            says = item.get(f"{_ANDROID}exported")
            if says not in ("true", "false"):
                faults.append(f"{name}: does not say whether it is exported")
            if says == "true":
                exported.add(name)
                needed, needs = _EXPORTED.get(name), item.get(f"{_ANDROID}permission")
                if needs != needed:
                    faults.append(f"{name}: open to whoever has {needs}, expected {needed}")
            if not (folder / f"{name.lstrip('.')}.kt").is_file():
                faults.append(f"{name}: there is no such class in {package}")
    if exported != set(_EXPORTED):
        faults.append(f"exported are {sorted(exported)}, expected {sorted(_EXPORTED)}")
    application = root.find("application")
    if application is None or application.get(f"{_ANDROID}allowBackup") != "false":
        faults.append("allowBackup has to be false")
    return faults


def _source_faults(sources: Path, forbidden: dict[str, str]) -> list[str]:
    faults = []
    for file in sorted(sources.rglob("*.kt")):
        text = file.read_text("utf-8")
        faults += [
            f"{file.name}: {match[0]!r}, but the app {promise}"
            for pattern, promise in forbidden.items()
            if (match := re.search(pattern, text))
        ]
    return faults


def _buffer_faults(sources: Path) -> list[str]:
    """Calls that are in ByteBuffer only since Android 10, and in Buffer on every phone."""
    faults = []
    for file in sorted(sources.rglob("*.kt")):
        text = file.read_text("utf-8")
        for name, call in _OWN_OF_BYTE_BUFFER.findall(text):
            if not re.search(rf"\bval {name}: Buffer\b", text):
                faults.append(f"{file.name}: {name}.{call}: call it on a Buffer, for Android 8")
    return faults


def _asset_faults(app: Path) -> list[str]:
    models = sorted(file.name for file in (app / "assets").glob("*.tflite"))
    if len(models) == 1:
        return []
    found = ", ".join(models) or "none"
    return [f"assets: the app takes one .tflite, found {found}; run `make app-model`"]
