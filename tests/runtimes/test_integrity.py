"""A file that its manifest knows with other content is refused, whatever runtime it is for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.integrity import MANIFEST_FILE, MANIFEST_SCHEMA
from runtimes.session import open_model

from .conftest import Tiny


@pytest.fixture(params=["tflite", "onnx", "mlpackage"])
def beside_its_manifest(request: pytest.FixtureRequest, tiny: Tiny, tmp_path: Path) -> Path:
    source: Path = getattr(tiny, request.param)
    path = tmp_path / source.name
    if source.is_dir():
        shutil.copytree(source, path)
    else:
        shutil.copyfile(source, path)
    document = {
        "schema": MANIFEST_SCHEMA,
        "files": [{"file": path.name, "sha256": sha256_of(path)}],
    }
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(document))
    return path


def test_an_unchanged_file_is_opened(beside_its_manifest: Path) -> None:
    assert open_model(beside_its_manifest).contract is not None


def test_one_flipped_bit_among_the_weights_is_noticed(beside_its_manifest: Path) -> None:
    path = beside_its_manifest
    file = path if path.is_file() else next(path.rglob("weight.bin"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"{path.name}.*not what was verified"):
        open_model(path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": 3}', '{"name": "a web application"}'])
def test_another_programs_manifest_hinders_nobody(text: str, tiny: Tiny, tmp_path: Path) -> None:
    shutil.copyfile(tiny.onnx, tmp_path / tiny.onnx.name)
    (tmp_path / MANIFEST_FILE).write_text(text)
    assert open_model(tmp_path / tiny.onnx.name).contract is not None


@pytest.mark.parametrize("text", ["", "{", f'{{"schema": "{MANIFEST_SCHEMA}", "files": [{{}}]}}'])
def test_a_damaged_manifest_does_not_switch_the_check_off(
    text: str, tiny: Tiny, tmp_path: Path
) -> None:
    shutil.copyfile(tiny.onnx, tmp_path / tiny.onnx.name)
    (tmp_path / MANIFEST_FILE).write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json"):
        open_model(tmp_path / tiny.onnx.name)
