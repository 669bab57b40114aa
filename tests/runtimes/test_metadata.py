"""Every format carries its contract, and other programs can read it there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.metadata import embed_contract, find_contract, read_contract

from .conftest import Tiny, make_contract

FORMATS = ("tflite", "onnx", "mlpackage")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_contract_comes_back_and_can_be_replaced(
    tiny: Tiny, copy_of: Callable[[Path], Path], kind: str
) -> None:
    path = copy_of(getattr(tiny, kind))
    assert read_contract(path) == tiny.contract
    other = dataclasses.replace(tiny.contract, name="another ☂")
    embed_contract(path, other)
    embed_contract(path, other)
    assert read_contract(path) == other


@pytest.mark.parametrize("kind", FORMATS)
def test_embedding_the_same_contract_again_leaves_the_same_bytes(
    tiny: Tiny, copy_of: Callable[[Path], Path], kind: str
) -> None:
    path = copy_of(getattr(tiny, kind))
    before = _bytes(path)
    embed_contract(path, tiny.contract)
    assert _bytes(path) == before


def test_another_flatbuffer_reader_finds_the_contract_beside_what_was_there(tiny: Tiny) -> None:
    flatbuffer_utils = pytest.importorskip("ai_edge_litert.tools.flatbuffer_utils")
    model = flatbuffer_utils.read_model(str(tiny.tflite))
    entries = {entry.name.decode(): model.buffers[entry.buffer].data for entry in model.metadata}
    assert bytes(entries["DERMPORT_CONTRACT"]).decode() == tiny.contract.to_json()
    assert "min_runtime_version" in entries


def test_weights_stay_on_sixteen_byte_boundaries(tiny: Tiny) -> None:
    from ai_edge_litert import schema_py_generated as schema

    content = tiny.tflite.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    whole = np.frombuffer(content, np.uint8)
    seen = 0
    for position in range(model.BuffersLength()):
        data = model.Buffers(position).DataAsNumpy()
        if isinstance(data, np.ndarray):
            assert (data.ctypes.data - whole.ctypes.data) % 16 == 0
            seen += 1
    assert seen > 3


def test_weights_behind_the_flatbuffer_are_taken_along(
    tiny: Tiny, copy_of: Callable[[Path], Path]
) -> None:
    from runtimes.session import open_model

    path = copy_of(tiny.tflite)
    path.write_bytes(_with_weights_behind(path))
    images = tiny.images(2)
    before = open_model(path).predict(images).probabilities  # has found its contract
    assert np.abs(before - tiny.expected(images)[0]).max() < 1e-5
    embed_contract(path, dataclasses.replace(tiny.contract, name="with weights inside"))
    assert np.array_equal(open_model(path).predict(images).probabilities, before)
    assert read_contract(path).name == "with weights inside"


def _with_weights_behind(path: Path) -> bytes:
    """Moves all data behind the flatbuffer, as ai-edge-quantizer does with large weights."""
    flatbuffer_utils = pytest.importorskip("ai_edge_litert.tools.flatbuffer_utils")
    model = flatbuffer_utils.read_model(str(path))
    moved = [buffer for buffer in model.buffers if buffer.data is not None and len(buffer.data)]
    contents = [bytes(buffer.data) + bytes(-len(buffer.data) % 16) for buffer in moved]
    sizes = [len(buffer.data) for buffer in moved]
    start = 1 << 20
    for _ in range(2):  # the second round knows where the flatbuffer ends
        place = start
        for buffer, content, size in zip(moved, contents, sizes, strict=True):
            buffer.data, buffer.offset, buffer.size = None, place, size
            place += len(content)
        flatbuffer = flatbuffer_utils.convert_object_to_bytearray(model)
        start = len(flatbuffer) + -len(flatbuffer) % 16
    return bytes(flatbuffer.ljust(start, b"\0")) + b"".join(contents)


def _cuts(size: int) -> list[int]:
    """Places all over a file, most of them near its end."""
    near = (1, 2, 3, 4, 7, 8, 16, 33, 100, 333, 1000, 3000)
    return sorted({*(size - each for each in near), *range(size // 20, size, size // 20)})


@pytest.mark.parametrize("kind", ["inside", "behind", "a foreign file"])
def test_a_truncated_tflite_is_refused_wherever_it_ends(
    kind: str, tiny: Tiny, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With weights inside the flatbuffer, behind it, and as TensorFlow's own converter writes."""
    pytest.importorskip("ai_edge_litert")
    if kind == "a foreign file":
        shared = request.getfixturevalue("shared") / "reference_models"
        content = (shared / "mlperftiny_vww_96_int8.tflite").read_bytes()
    else:
        content = (
            tiny.tflite.read_bytes() if kind == "inside" else _with_weights_behind(tiny.tflite)
        )
    path = tmp_path / "cut.tflite"
    padding = len(content) - len(content.rstrip(b"\0"))  # nothing is lost with it
    missed = []
    for size in _cuts(len(content) - padding):
        path.write_bytes(content[:size])
        try:
            find_contract(path)
        except InputError as error:
            text = str(error)
            assert text.startswith(f"{path}: "), text
            assert f"it has {size:,} bytes" in text, text
            assert "Fetch it again or export it again." in text
        else:
            missed.append(size - len(content))
    assert missed == []


def test_an_error_of_a_truncated_tflite_says_where_which_part_should_end(
    tiny: Tiny, tmp_path: Path
) -> None:
    content = _with_weights_behind(tiny.tflite)
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[:-100])
    found = rf"has {len(content) - 100:,} bytes, and its buffer \d+ ends at byte [\d,]+\. Fetch"
    with pytest.raises(InputError, match=found):
        read_contract(path)


def test_a_tflite_that_lists_one_table_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtimes.tflite_completeness._MOST_TABLES", 1000)
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    builder = flatbuffers.Builder(1024)
    buffer = schema.BufferT().Pack(builder)
    schema.ModelStartBuffersVector(builder, 2000)
    for _ in range(2000):
        builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    path = tmp_path / "endless.tflite"
    path.write_bytes(builder.Output())
    with pytest.raises(InputError, match="more than 1,000"):
        read_contract(path)


def test_what_nothing_refers_to_is_left_out(tiny: Tiny, copy_of: Callable[[Path], Path]) -> None:
    flatbuffer_utils = pytest.importorskip("ai_edge_litert.tools.flatbuffer_utils")
    path = copy_of(tiny.tflite)
    size = path.stat().st_size
    model = flatbuffer_utils.read_model(str(path))
    model.buffers.append(flatbuffer_utils.schema_fb.BufferT(data=np.zeros(50_000, np.uint8)))
    flatbuffer_utils.write_model(model, str(path))
    embed_contract(path, tiny.contract)
    assert path.stat().st_size < size + 100


def test_onnx_runtime_finds_the_contract_in_the_properties(tiny: Tiny) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(tiny.onnx), providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map["dermport_contract"]
    assert found == tiny.contract.to_json()


def test_coremltools_finds_the_contract_and_keeps_the_rest(tiny: Tiny) -> None:
    from runtimes.coremltools_import import import_coremltools

    model = import_coremltools().models.MLModel(str(tiny.mlpackage), skip_model_load=True)
    assert model.user_defined_metadata["dermport_contract"] == tiny.contract.to_json()
    assert "com.github.apple.coremltools.version" in model.user_defined_metadata
    assert [output.name for output in model.get_spec().description.output] == [
        "probabilities",
        "cam",
        "unknown",
    ]


def test_a_manifest_that_points_out_of_the_package_is_refused(
    tiny: Tiny, copy_of: Callable[[Path], Path]
) -> None:
    path = copy_of(tiny.mlpackage)
    manifest = path / "Manifest.json"
    inside = "com.apple.CoreML/model.mlmodel"
    outside = f"../../{path.name}/Data/{inside}"
    manifest.write_text(manifest.read_text().replace(inside, outside))
    with pytest.raises(InputError, match="outside of the package"):
        read_contract(path)


def test_a_run_folder_keeps_its_contract_beside_the_weights(
    tmp_path: Path, contract: Contract
) -> None:
    (tmp_path / "contract.json").write_text(contract.to_json(), encoding="utf-8")
    (tmp_path / "student.safetensors").write_bytes(b"weights")
    assert read_contract(tmp_path) == contract
    with pytest.raises(InputError, match="run folder"):
        embed_contract(tmp_path, contract)


def test_files_of_other_people_are_refused_with_the_way_out(shared: Path) -> None:
    for path in sorted((shared / "reference_models").glob("*.tflite")):
        with pytest.raises(InputError, match=f"{path.name}.*no contract.*export"):
            read_contract(path)


def test_embedding_leaves_the_answers_of_a_foreign_model_as_they_were(
    shared: Path, copy_of: Callable[[Path], Path]
) -> None:
    from runtimes.session import open_model

    path = copy_of(shared / "reference_models" / "mlperftiny_vww_96_int8.tflite")
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    before = open_model(path, require_contract=False).predict(images)
    embed_contract(path, make_contract(96, 2))
    assert read_contract(path) == make_contract(96, 2)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], (images[:1].astype(int) - 128).astype(np.int8)
    )
    interpreter.invoke()
    after = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.allclose((after.astype(np.float32) + 128) / 256, before.probabilities[:1])


def test_equal_zero_points_are_written_once_and_read_as_before(
    shared: Path, copy_of: Callable[[Path], Path]
) -> None:
    path = copy_of(shared / "reference_models" / "mlperftiny_vww_96_int8.tflite")
    before, size = _quantization(path), path.stat().st_size
    zero_points = sum(8 * len(each["zero_points"]) for each in before.values())
    assert zero_points > 40_000
    embed_contract(path, make_contract(96, 2))
    assert _quantization(path) == before
    assert path.stat().st_size < size - 0.7 * zero_points


@pytest.mark.parametrize("name", ["weights.safetensors", "model.pt", "model.mlmodel"])
def test_other_kinds_of_file_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"\.tflite"):
        read_contract(tmp_path / name)


def _bytes(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {file.name: file.read_bytes() for file in files}


def _quantization(path: Path) -> dict[str, dict[str, list[float]]]:
    """Scales and zero points of every tensor as the interpreter sees them."""
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(str(path)).get_tensor_details()
    found = {tensor["name"]: tensor["quantization_parameters"] for tensor in details}
    return {
        name: {key: each[key].tolist() for key in ("scales", "zero_points")}
        for name, each in found.items()
        if name
    }
