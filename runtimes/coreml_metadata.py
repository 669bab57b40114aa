"""A text inside an .mlpackage: an entry of the model's user-defined metadata.

Importing coremltools takes seconds, so the few messages of its format on the way to the metadata
are declared here; protobuf keeps every field that it does not know when a file is written again.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from runtimes.atomic import replacing_file
from runtimes.errors import InputError, MissingDependencyError
from runtimes.model_files import read_model_file

# Field numbers of Model.proto in apple/coremltools: mlmodel/format/Model.proto.
_DESCRIPTION, _METADATA, _USER_DEFINED = 2, 100, 100


def specification_file(package: Path) -> Path:
    """Returns the path of the model specification inside an .mlpackage.

    Raises:
        InputError: the manifest or the specification is missing or damaged.
    """
    manifest = package / "Manifest.json"
    try:
        content = json.loads(read_model_file(manifest))
        entry = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
        inside = PurePosixPath(entry)
    except InputError:
        raise
    except Exception as error:
        raise _damaged(package, f"Manifest.json cannot be read: {error}") from error
    if inside.is_absolute() or ".." in inside.parts:
        raise _damaged(package, f"its manifest points to '{entry}', outside of the package")
    path = package / "Data" / inside
    if not path.is_file():
        raise _damaged(package, f"{path.name} is missing")
    return path


def read_coreml_text(package: Path, key: str) -> str | None:
    """Returns the user-defined metadata `key`, or None where the package has none.

    Raises:
        InputError: a part of the package is missing, empty, truncated or damaged.
        MissingDependencyError: protobuf is not installed.
    """
    return _load(package).description.metadata.userDefined.get(key)


def write_coreml_text(package: Path, key: str, text: str) -> None:
    """Sets the user-defined metadata `key` in one step; everything else stays.

    Raises:
        InputError: not an .mlpackage, or the file cannot be written.
        MissingDependencyError: protobuf is not installed.
    """
    model = _load(package)
    model.description.metadata.userDefined[key] = text
    with replacing_file(specification_file(package)) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _load(package: Path) -> Any:
    model_class = _model_class()
    content = read_model_file(specification_file(package))
    try:
        return model_class.FromString(content)
    except Exception as error:
        raise _damaged(package, f"its specification cannot be read: {error}") from error


@lru_cache(maxsize=1)
def _model_class() -> Any:
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise MissingDependencyError("protobuf", "coreml") from error
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="dermport_coreml_metadata.proto", package="dermport.coreml", syntax="proto3"
    )

    def message(parent: Any, name: str, child: str, number: int, of: str) -> Any:
        result = parent.add(name=name)
        result.field.add(
            name=child,
            number=number,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_OPTIONAL,
            type_name=f".dermport.coreml.{of}",
        )
        return result

    message(file.message_type, "Model", "description", _DESCRIPTION, "Description")
    message(file.message_type, "Description", "metadata", _METADATA, "Metadata")
    metadata = message(
        file.message_type, "Metadata", "userDefined", _USER_DEFINED, "Metadata.UserDefinedEntry"
    )
    metadata.field[0].label = field.LABEL_REPEATED
    entry = metadata.nested_type.add(name="UserDefinedEntry")
    entry.options.map_entry = True
    for number, name in enumerate(("key", "value"), start=1):
        entry.field.add(
            name=name, number=number, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("dermport.coreml.Model"))


def _damaged(package: Path, reason: str) -> InputError:
    return InputError(
        f"{package}: this is not a complete .mlpackage ({reason}). "
        "Fetch the whole folder again or export it again."
    )
