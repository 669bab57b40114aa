"""A text inside a .tflite file: a named entry of the flatbuffer's own metadata table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runtimes.atomic import replacing_file
from runtimes.errors import InputError, MissingDependencyError
from runtimes.model_files import read_model_file
from runtimes.tflite_completeness import check_complete

_IDENTIFIER = b"TFL3"
_MAX_ENTRIES = 10_000
# What TensorFlow Lite's schema asks for: kernels may load weights sixteen bytes at a time.
_ALIGNMENT = 16


def read_tflite_text(path: Path, key: str) -> str | None:
    """Returns the metadata entry `key`, or None where the file has none.

    Raises:
        InputError: empty, truncated or not a .tflite.
        MissingDependencyError: the flatbuffer schema is not installed.
    """
    content = read_model_file(path)
    schema = _schema()
    # The reader trusts its offsets; damaged ones end in whatever exception they lead to.
    try:
        model = _model(path, content, schema)
        for position in range(min(model.MetadataLength(), _MAX_ENTRIES)):
            entry = model.Metadata(position)
            if entry.Name() == key.encode():
                buffer = schema.BufferT.InitFromObj(model.Buffers(entry.Buffer()))
                data = _inside(schema, buffer, content).data
                return np.asarray(data, dtype=np.uint8).tobytes().decode("utf-8")
    except InputError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    return None


def write_tflite_text(path: Path, key: str, text: str) -> None:
    """Puts the metadata entry `key` into the file, in one step; other entries stay.

    Weights that stand behind the flatbuffer (ai-edge-quantizer writes them there) are taken into
    it, and what no tensor or entry refers to is left out. Equal lists of numbers are written once:
    the zero points of an int8 model with a scale per channel, all of them 0, are a tenth of it.

    Raises:
        InputError: not a .tflite, or the file cannot be written.
        MissingDependencyError: the flatbuffer schema is not installed.
    """
    content = read_model_file(path)
    schema = _schema()
    try:
        tables = schema.ModelT.InitFromObj(_model(path, content, schema))
        used = _buffers_in_use(tables)
        tables.buffers = [
            _aligned(schema, _inside(schema, buffer, content) if i in used else schema.BufferT())
            for i, buffer in enumerate(tables.buffers)
        ]
        _set_entry(tables, schema, key, np.frombuffer(text.encode(), np.uint8))
        builder = _sharing_builder(len(content) + len(text) + 1024)
        builder.Finish(tables.Pack(builder), file_identifier=_IDENTIFIER)
    except InputError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    with replacing_file(path) as temporary:
        temporary.write_bytes(builder.Output())


def _set_entry(tables: Any, schema: Any, key: str, data: np.ndarray) -> None:
    tables.metadata = tables.metadata or []
    for entry in tables.metadata:
        if entry.name in (key, key.encode()):
            tables.buffers[entry.buffer].data = data
            return
    buffer = _aligned(schema, schema.BufferT(data=data))
    tables.buffers.append(buffer)
    tables.metadata.append(schema.MetadataT(name=key, buffer=len(tables.buffers) - 1))


def _buffers_in_use(tables: Any) -> set[int]:
    tensors = (tensor.buffer for graph in tables.subgraphs for tensor in graph.tensors)
    entries = (entry.buffer for entry in tables.metadata or [])
    legacy = () if tables.metadataBuffer is None else tables.metadataBuffer
    return {0, *map(int, tensors), *map(int, entries), *map(int, legacy)}


def _inside(schema: Any, buffer: Any, content: bytes) -> Any:
    """Returns the buffer with its data in the table; offsets 0 and 1 mean that it is already."""
    if buffer.offset <= 1:
        return buffer
    end = buffer.offset + buffer.size
    if end > len(content):
        raise ValueError(f"a buffer ends at byte {end} of {len(content)}")
    return schema.BufferT(data=np.frombuffer(content[buffer.offset : end], np.uint8))


def _aligned(schema: Any, buffer: Any) -> Any:
    """Returns the buffer as one whose data is written on a 16-byte boundary.

    The generated Python code forgets the schema's `force_align`, which the C++ writers honour.
    """

    class AlignedBuffer(schema.BufferT):
        """A Buffer table with aligned data."""

        def Pack(self, builder: Any) -> int:
            data = self.data
            if data is None or not len(data):
                return schema.BufferT.Pack(self, builder)
            raw = np.ascontiguousarray(data, dtype=np.uint8).tobytes()
            builder.StartVector(1, len(raw), _ALIGNMENT)
            builder.head -= len(raw)
            builder.Bytes[builder.head : builder.head + len(raw)] = raw
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            schema.BufferAddOffset(builder, self.offset)
            schema.BufferAddSize(builder, self.size)
            return schema.BufferEnd(builder)

    return AlignedBuffer(data=buffer.data, offset=buffer.offset, size=buffer.size)


def _sharing_builder(size: int) -> Any:
    """Returns a builder of flatbuffers to which equal vectors of numbers are one vector.

    Vectors are found by their offset, so that any reader of the format reads them.
    """
    import flatbuffers

    class SharingBuilder(flatbuffers.Builder):
        """Remembers where each vector of numbers stands."""

        def __init__(self, size: int) -> None:
            super().__init__(size)
            self._written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: np.ndarray) -> int:
            key = x.dtype.str, x.tobytes()
            if key not in self._written:
                self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

    return SharingBuilder(size)


def _model(path: Path, content: bytes, schema: Any) -> Any:
    if content[4:8] != _IDENTIFIER:
        raise InputError(
            f"{path}: this is not a TensorFlow Lite model (its bytes 4 to 8 are {content[4:8]!r}, "
            f"expected {_IDENTIFIER!r}). Fetch the file again or export it again."
        )
    model = schema.Model.GetRootAs(content, 0)
    check_complete(path, len(content), model)
    return model


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingDependencyError("ai-edge-litert", "tflite") from error
    return schema_py_generated


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: the TensorFlow Lite model is damaged or truncated ({error}). "
        "Fetch it again or export it again."
    )
