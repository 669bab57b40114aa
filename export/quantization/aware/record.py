"""What fine-tuning for int8 leaves on disk, and the checks before it goes into files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from distill.checkpoint import STUDENT_FILE, header_json, load_tensors, save_tensors
from distill.models import Classifier
from export.deployable import Deployable
from export.quantization.aware.network import on_steps, with_parameters
from export.quantization.aware.sites import LearnedRanges, find_sites
from export.quantization.aware.steps import LAST, Range, eleven_digits
from runtimes.errors import InputError
from runtimes.hashes import sha256_of

AWARE_FILE = "aware.safetensors"
_SCHEMA, _VERSION = "dermport.aware", "1.0"


@dataclass(frozen=True, eq=False)
class Aware:
    """Numbers that were trained for the int8 files of one student.

    Attributes:
        parameters: weights and biases of the trunk's convolutions; the weights lie on int8 steps.
        learned: ranges of the activations.
        folder: that they come from.
        sha256: of the file.
    """

    parameters: Mapping[str, Tensor]
    learned: LearnedRanges
    folder: Path
    sha256: str

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.resolve().name

    def network(self, deployable: Deployable) -> Deployable:
        """Returns a copy of the student's deployable module with these numbers in its trunk."""
        return deployable.with_trunk(with_parameters(deployable.trunk, self.parameters))

    def to_json(self) -> dict[str, str]:
        """What a manifest says of it."""
        return {"folder": self.name, "sha256": self.sha256}


def write_aware(
    path: Path,
    student: Mapping[str, str],
    parameters: Mapping[str, Tensor],
    learned: LearnedRanges,
) -> None:
    """Writes aware.safetensors.

    Args:
        path: of the file.
        student: `architecture`, `sha256` of its weights, and `run`, the name of its folder.
        parameters: see `Aware`.
        learned: see `Aware`.
    """
    ranges = {name: [span.scale, span.zero_point] for name, span in learned.ranges.items()}
    header = {
        "format": _SCHEMA,
        "version": _VERSION,
        **{f"student_{key}": value for key, value in student.items()},
        "ranges": json.dumps(ranges),
    }
    save_tensors(path, dict(parameters), header)


def read_aware(folder: Path, run: Path, classifier: Classifier) -> Aware:
    """Reads what `write_aware` wrote and checks that it belongs to a student.

    Args:
        folder: of the fine-tuning.
        run: the student's run.
        classifier: its student.

    Raises:
        InputError: nothing was written there, it is damaged, or it is of another student.
    """
    path = folder / AWARE_FILE
    again = f"Fine-tune this student with: python -m export finetune {run} --out FOLDER"
    if folder.is_file():
        raise InputError(f"{folder} is a file; give the folder that `finetune` wrote. {again}")
    if (folder / STUDENT_FILE).is_file():
        raise InputError(f"{folder} is a run, not a fine-tuning of one. {again}")
    if not path.is_file():
        what = "its training is not finished" if folder.is_dir() else "there is no such folder"
        raise InputError(f"{path} is missing: {what}. {again}")
    tensors, header = load_tensors(path)
    if (header.get("format"), header.get("version")) != (_SCHEMA, _VERSION):
        raise InputError(
            f"{path} is {header.get('format', 'of no known kind')} {header.get('version', '')}, "
            f"expected {_SCHEMA} {_VERSION}. {again}"
        )
    student = sha256_of(run / STUDENT_FILE)
    if header.get("student_sha256") != student:
        raise InputError(
            f"{path} was made for another student ({header.get('student_architecture')} of the run "
            f"'{header.get('student_run')}', weights {header.get('student_sha256', '')[:12]}); "
            f"{run} holds weights {student[:12]}. {again}"
        )
    trunk = Deployable(classifier, 1.0).trunk
    sites = find_sites(fx.symbolic_trace(trunk))
    convolutions = [site.name for site in sites if f"{site.name}.weight" in trunk.state_dict()]
    shapes = {f"{name}.weight": trunk.state_dict()[f"{name}.weight"].shape for name in convolutions}
    shapes |= {f"{name}.bias": shapes[f"{name}.weight"][:1] for name in convolutions}
    for name, shape in shapes.items():
        found = tuple(tensors[name].shape) if name in tensors else "missing"
        if found != tuple(shape):
            raise InputError(f"{path}: '{name}' is {found}, expected {tuple(shape)}. {again}")
        if tensors[name].dtype != torch.float32:
            kind = str(tensors[name].dtype).removeprefix("torch.")
            raise InputError(f"{path}: '{name}' is {kind}, expected float32. {again}")
        if not bool(torch.isfinite(tensors[name]).all()):
            raise InputError(f"{path}: '{name}' has values that are no numbers. {again}")
        if name.endswith(".weight") and not on_steps(tensors[name]):
            raise InputError(
                f"{path}: the weights of '{name}' do not lie on the int8 steps of their channels, "
                f"as trained ones do; the file was changed. {again}"
            )
    spans = header_json(header, "ranges", path)
    names = {site.name for site in sites}
    if not isinstance(spans, dict) or spans.keys() != names or tensors.keys() != shapes.keys():
        extra = sorted({*spans, *tensors} ^ {*names, *shapes})
        raise InputError(f"{path} does not fit this network: {', '.join(extra[:3])}. {again}")
    ranges = {}
    for site in sites:
        span = _range(spans[site.name])
        if span is None or (site.is_positive and span.zero_point != 0):
            raise InputError(
                f"{path}: the range of '{site.name}' is {spans[site.name]}, expected a scale of "
                f"eleven binary digits above 0 and a zero point of 0 to {LAST}"
                f"{', here 0' if site.is_positive else ''}. {again}"
            )
        ranges[site.name] = span
    return Aware(tensors, LearnedRanges(sites, ranges), folder, sha256_of(path))


def _range(value: Any) -> Range | None:
    if not isinstance(value, list) or [type(each) for each in value] != [float, int]:
        return None
    scale, zero_point = value
    fits = math.isfinite(scale) and scale > 0 and 0 <= zero_point <= LAST
    if not fits or float(eleven_digits(torch.tensor(scale))) != scale:
        return None
    return Range(scale, zero_point)
