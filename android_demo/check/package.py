"""An .apk of the demo without Gradle: a build check, not a release.

The sources are compiled against Android's framework of API 23 (what Debian has), with stubs for
LiteRT and for the few newer members that the app uses, and dexed by the last dexer that Debian had.
LiteRT itself is not in it, so that it shows the first screen and runs no network.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from android_demo.check.kotlin import CORE, DEMO, built_folder, compile_kotlin
from android_demo.check.project import Project
from android_demo.check.tools import Tools, run
from runtimes.atomic import replacing_file
from runtimes.errors import InputError

_APP = DEMO / "app" / "src" / "main"
_STUBS = DEMO / "check" / "stubs"


@dataclass(frozen=True)
class Package:
    """The .apk and what the tools say of it.

    Attributes:
        path: where it lies.
        bytes: its size.
        schemes: signature schemes by which it verifies.
        told: what aapt2 reads out of it: package, API levels, permissions, first screen.
    """

    path: Path
    bytes: int
    schemes: tuple[str, ...]
    told: str


def build_package(tools: Tools, project: Project, folder: Path) -> Package:
    """Compiles, dexes, packages, aligns, signs and verifies the app in an empty folder.

    Raises:
        InputError: a step failed; what its tool said is in the message.
    """
    linked = _link_resources(tools, project, folder)
    _dex(tools, (*_compile(tools, folder), tools.stdlib), folder)
    with zipfile.ZipFile(linked, "a") as archive:
        archive.write(folder / "classes.dex", "classes.dex")
    aligned = folder / "aligned.apk"
    run([*tools.program("zipalign"), "-f", "-p", "4", linked, aligned], env=tools.environment())
    run([*tools.program("zipalign"), "-c", "-p", "4", aligned], env=tools.environment())
    signed = _sign(tools, project, aligned, folder)
    schemes = _verify(tools, project, signed)
    told = run([*tools.program("aapt2"), "dump", "badging", signed], env=tools.environment())
    _check_content(signed, told, project)
    return Package(signed, signed.stat().st_size, schemes, told)


def compile_app(tools: Tools, project: Project, folder: Path) -> tuple[Path, Path, Path]:
    """Returns the jars of the app, the core and the app's numbers of resources (its class R).

    Args:
        tools: compilers and Android's framework.
        project: whose package the resources have.
        folder: an empty one; the jar of class R lies there, the others are kept elsewhere.
    """
    _link_resources(tools, project, folder)
    return _compile(tools, folder)


def _compile(tools: Tools, folder: Path) -> tuple[Path, Path, Path]:
    resources = _java(tools, "resources", folder / "java", folder)
    newer = _java(tools, "newer", _STUBS / "java", folder)
    core = compile_kotlin(tools, "core", CORE)
    stubs = compile_kotlin(tools, "stubs", _STUBS / "kotlin", (tools.android,))
    libraries = (resources, core, stubs, newer, tools.android)
    return compile_kotlin(tools, "app", _APP / "kotlin", libraries), core, resources


def _link_resources(tools: Tools, project: Project, folder: Path) -> Path:
    compiled, linked, java = folder / "resources.zip", folder / "linked.apk", folder / "java"
    java.mkdir(parents=True)
    aapt, environment = tools.program("aapt2"), tools.environment()
    run([*aapt, "compile", "--dir", _APP / "res", "-o", compiled], env=environment)
    manifest = (_APP / "AndroidManifest.xml").read_text("utf-8")
    head = "<manifest "
    named = manifest.replace(head, f'{head}package="{project.package}" ', 1)
    # aapt2 of API 29 does not know this element of API 31
    named = re.sub(r"<uses-native-library\b[^>]*/>", "", named)
    # Gradle removes these; aapt2 would ask for them
    named = re.sub(r'<uses-permission\b[^>]*tools:node="remove"[^>]*/>', "", named)
    (folder / "AndroidManifest.xml").write_text(named, encoding="utf-8")
    command: list[str | Path] = [*aapt, "link", "-o", linked, "-I", tools.framework, "--java", java]
    command += ["--manifest", folder / "AndroidManifest.xml", "-A", _APP / "assets"]
    command += ["-0", ".tflite", "--auto-add-overlay", "--version-code", "1"]
    command += ["--min-sdk-version", str(project.min_sdk)]
    command += ["--target-sdk-version", str(project.target_sdk)]
    run([*command, compiled], env=environment)
    return linked


def _java(tools: Tools, name: str, sources: Path, folder: Path) -> Path:
    classes, jar = folder / f"{name}-classes", folder / f"{name}.jar"
    files = sorted(sources.rglob("*.java"))
    command: list[str | Path] = [
        "javac",
        "-J-Xmx256m",
        "--release",
        "8",
        "-Xlint:-options",
        "-cp",
        tools.android,
    ]
    run([*command, "-d", classes, *files])
    _zip(classes, jar)
    return jar


def _zip(folder: Path, jar: Path) -> None:
    """A jar with the same bytes for the same classes."""
    with zipfile.ZipFile(jar, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            archive.writestr(entry, file.read_bytes())


def _dex(tools: Tools, jars: tuple[Path, ...], folder: Path) -> None:
    """Writes classes.dex; that of unchanged jars is kept from one run to the next."""
    digest = hashlib.sha256()
    for jar in jars:
        digest.update(hashlib.sha256(jar.read_bytes()).digest())
    kept = built_folder() / f"classes-{digest.hexdigest()[:16]}.dex"
    if not kept.is_file():
        _run_dexer(tools, jars, folder)
        for old in built_folder().glob("classes-*.dex"):
            old.unlink(missing_ok=True)
        with replacing_file(kept) as half:
            shutil.copyfile(folder / "classes.dex", half)
    shutil.copyfile(kept, folder / "classes.dex")


def _run_dexer(tools: Tools, jars: tuple[Path, ...], folder: Path) -> None:
    plain = []
    for jar in jars:
        target = folder / f"plain-{jar.name}"
        with zipfile.ZipFile(jar) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                if name.endswith(".class") and not name.startswith("META-INF/"):
                    new.writestr(name, old.read(name))
        plain.append(target)
    command: list[str | Path] = [
        "java",
        "-Xmx768m",
        "-cp",
        tools.jar("com.android.dx"),
        "com.android.dx.command.Main",
    ]
    run([*command, "--dex", "--min-sdk-version=26", f"--output={folder / 'classes.dex'}", *plain])


def _sign(tools: Tools, project: Project, apk: Path, folder: Path) -> Path:
    """Signs with a key that is made for this build alone and thrown away."""
    key, signed = folder / "throwaway.p12", folder / "build-check.apk"
    words: list[str | Path] = [
        "keytool",
        "-genkeypair",
        "-keystore",
        key,
        "-storepass",
        "throwaway",
        "-alias",
        "k",
    ]
    words += ["-keyalg", "EC", "-dname", "CN=build check", "-validity", "2"]
    run(words)
    command: list[str | Path] = ["java", "-jar", tools.jar("apksigner"), "sign", "--ks", key]
    command += ["--ks-pass", "pass:throwaway", "--min-sdk-version", str(project.min_sdk)]
    run([*command, "--out", signed, apk])
    key.unlink()
    return signed


def _verify(tools: Tools, project: Project, apk: Path) -> tuple[str, ...]:
    command: list[str | Path] = ["java", "-jar", tools.jar("apksigner"), "verify", "--verbose"]
    said = run([*command, "--min-sdk-version", str(project.min_sdk), apk])
    schemes = tuple(
        name for name in ("v2", "v3") if f"using {name} scheme" in said and _true(said, name)
    )
    if not schemes:
        raise InputError(f"{apk.name}: it does not verify by scheme v2 or v3:\n{said}")
    return schemes


def _true(said: str, scheme: str) -> bool:
    return any(
        line.endswith("true") for line in said.splitlines() if f"using {scheme} scheme" in line
    )


def _check_content(apk: Path, told: str, project: Project) -> None:
    wanted = (
        f"package: name='{project.package}'",
        f"sdkVersion:'{project.min_sdk}'",
        f"targetSdkVersion:'{project.target_sdk}'",
        f"launchable-activity: name='{project.package}.AboutActivity'",
    )
    missing = [words for words in wanted if words not in told]
    permissions = [line for line in told.splitlines() if line.startswith("uses-permission:")]
    if missing or permissions != ["uses-permission: name='android.permission.CAMERA'"]:
        raise InputError(f"{apk.name}: it says {permissions}, and not {missing}.")
    with zipfile.ZipFile(apk) as archive:
        models = [item for item in archive.infolist() if item.filename.endswith(".tflite")]
        if len(models) != 1 or models[0].compress_type != zipfile.ZIP_STORED:
            raise InputError(f"{apk.name}: one uncompressed .tflite is expected in its assets.")


def keep(package: Package, target: Path) -> None:
    """Copies the .apk to where a person asked for it."""
    with replacing_file(target) as half:
        shutil.copyfile(package.path, half)
