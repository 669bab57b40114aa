"""Weights and training states on disk, as safetensors only: reading one never runs code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from distill.models import Classifier, build_classifier
from runtimes.atomic import replacing_file
from runtimes.errors import InputError

STUDENT_FILE, TEACHER_FILE = "student.safetensors", "teacher.safetensors"
_FORMAT = "dermport.classifier"
_CHECKSUM = "sha256"


def save_classifier(path: Path, model: Classifier, **metadata: str) -> None:
    """Writes the weights with architecture and class count in the header, in one step."""
    header = {
        "format": _FORMAT,
        "architecture": model.architecture,
        "classes": str(model.num_classes),
        **metadata,
    }
    save_tensors(path, model.state_dict(), header)


def load_classifier(path: Path, architecture: str | None = None) -> Classifier:
    """Builds the classifier that a file holds, in evaluation mode.

    Args:
        path: a file that `save_classifier` wrote.
        architecture: the expected one; any by default.

    Raises:
        InputError: not such a file, another architecture, or tensors that do not fit.
    """
    tensors, header = load_tensors(path)
    if header.get("format") != _FORMAT:
        raise InputError(
            f"{path} is not a classifier of this project (its header says "
            f"{header.get('format', 'nothing')}); expected a student.safetensors or "
            "teacher.safetensors that `python -m distill train` wrote."
        )
    found = header.get("architecture", "")
    if architecture is not None and found != architecture:
        raise InputError(
            f"{path} holds a {found}, but a {architecture} is expected. Give the run that trained "
            f"a {architecture}, or name the pair that fits with --pair."
        )
    try:
        model = build_classifier(found, int(header.get("classes", "")))
        model.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} does not fit a {found}: {str(error)[:300]}") from error
    return model.eval()


def weights_sha256(model: nn.Module) -> str:
    """Hashes names and values of all weights and buffers."""
    return _sha256(model.state_dict())


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """Writes named tensors (copied to the CPU) and a header of strings, in one step."""
    # The loading side maps storage to names one to one, so shared storage is copied apart.
    apart = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    header = {**header, _CHECKSUM: _sha256(apart)}
    with replacing_file(Path(path)) as temporary:
        content = _in_order(save(apart, metadata=header))
        temporary.write_bytes(content)  # a full disk is then an OSError


def _in_order(content: bytes) -> bytes:
    """Sorts a file's header, which the library writes in any order: equal values, equal bytes."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + text.ljust(end - 8) + content[end:]


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads what `save_tensors` wrote.

    Raises:
        InputError: the file is missing, truncated, damaged, or of another format such as a pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; train first with `python -m distill train`.")
    try:
        with safe_open(path, framework="pt") as stream:
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
            header = stream.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"{path} is damaged or no safetensors file ({error}). Fetch it again, or train it "
            "anew. Pickles (.pt, .pth) are never opened, since they can run code."
        ) from error
    known = header.pop(_CHECKSUM, None)
    if known is not None and known != _sha256(tensors):
        raise InputError(
            f"{path} is damaged: its values are not those that were written. Fetch it again, or "
            "train it anew."
        )
    return tensors, header


def header_json(header: dict[str, str], key: str, path: Path) -> Any:
    """Returns one JSON value of a header.

    Raises:
        InputError: the key is missing or holds no JSON.
    """
    try:
        return json.loads(header[key])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its header has no valid '{key}'; train it anew.") from error
