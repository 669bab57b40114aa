"""The one .tflite that lies in the app."""

from __future__ import annotations

from pathlib import Path

from android_demo.check.kotlin import DEMO
from runtimes.errors import InputError

RELEASED = "mobilenet_v2-ssd_kd-int8.tflite"  # of the released student
ASSETS = DEMO / "app" / "src" / "main" / "assets"


def shipped() -> Path:
    """Returns the model in the app's assets.

    Raises:
        InputError: none lies there, or more than one.
    """
    files = sorted(ASSETS.glob("*.tflite"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise InputError(f"{ASSETS}: one .tflite is expected, found {found}. Run `make app-model`.")
    return files[0]


def put_in(source: Path) -> Path:
    """Copies an exported .tflite into the app, in place of the one there; returns its path.

    It is opened with LiteRT before, so that the app is never left with one that does not run.

    Raises:
        InputError: it is no .tflite of this project, damaged, another than its manifest lists, or
            cannot be written.
        MissingDependencyError: LiteRT is not installed.
    """
    from runtimes.atomic import replacing_file
    from runtimes.session import open_model

    if source.suffix.lower() != ".tflite":
        raise InputError(f"{source}: the app takes a .tflite. Export one: --only tflite:int8.")
    open_model(source)
    ASSETS.mkdir(parents=True, exist_ok=True)
    target = ASSETS / f"{source.stem}.tflite"  # the app looks for small letters
    content = source.read_bytes()
    with replacing_file(target) as temporary:
        temporary.write_bytes(content)
    for other in ASSETS.glob("*.tflite"):
        if other != target:
            other.unlink()
    return target


def find_export(folder: Path) -> Path:
    """Returns the int8 .tflite of an export folder; of a .tflite, itself.

    Raises:
        InputError: there is none, or more than one.
    """
    if folder.is_file():
        return folder
    if not folder.exists():
        raise InputError(f"{folder}: there is no such file or folder. Check the path.")
    files = sorted(folder.glob("*-int8.tflite"))
    if len(files) > 1:
        found = ", ".join(file.name for file in files)
        raise InputError(f"{folder}: one NAME-int8.tflite is expected, found {found}. Name one.")
    if not files:
        raise InputError(
            f"{folder}: no NAME-int8.tflite in it. `make export ONLY=tflite:int8` writes one."
        )
    return files[0]
