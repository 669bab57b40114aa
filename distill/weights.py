"""ImageNet initialisation: from a folder, from torchvision's server, or none with one warning."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from distill.models import (
    PIXEL_OFFSET,
    PIXEL_SCALE,
    Classifier,
    build_classifier,
    build_network,
)
from distill.torchvision_compat import import_torchvision
from runtimes.console import warn
from runtimes.errors import InputError

WEIGHTS_VARIABLE = "DERMPORT_WEIGHTS"
_DOWNLOAD_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class PixelStatistics:
    """The normalisation that a set of weights was trained with, in pixel units (0 to 255)."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = PixelStatistics((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
SYMMETRIC = PixelStatistics((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))


@dataclass(frozen=True)
class Initialised:
    """A classifier and where its weights come from, in words for the log and the contract."""

    model: Classifier
    source: str


def initialise(
    architecture: str,
    num_classes: int,
    choice: str = "imagenet",
    weights_dir: Path | None = None,
) -> Initialised:
    """Builds a classifier with ImageNet weights where they can be had.

    Args:
        architecture: torchvision's name.
        num_classes: K.
        choice: "imagenet", "random", or the name of one file of the folder without its ending.
        weights_dir: folder of safetensors with torchvision's key names, called
            `<architecture>.safetensors` or `<architecture>_<origin>.safetensors`; by default the
            folder that the environment variable DERMPORT_WEIGHTS names.

    Raises:
        InputError: the folder or the named file is missing or does not fit the architecture.
    """
    folder = weights_dir or (Path(named) if (named := os.environ.get(WEIGHTS_VARIABLE)) else None)
    network = build_network(architecture)
    if choice == "random":
        return Initialised(build_classifier(architecture, num_classes, network), "random")
    if choice != "imagenet" and folder is None:
        raise InputError(
            f"weights '{choice}' for {architecture} are a file's name, but no folder was given; "
            f"pass --weights-dir or set {WEIGHTS_VARIABLE}, or write 'imagenet' or 'random'."
        )
    if folder is not None and (file := _find(folder, architecture, choice)) is not None:
        return _from_file(file, architecture, num_classes, network)
    downloaded = _download(architecture)
    if downloaded is None:
        warn(
            f"{architecture} starts from random weights: ImageNet weights could not be downloaded. "
            f"Put {architecture}.safetensors (torchvision's key names) in a folder and pass it as "
            f"--weights-dir or in {WEIGHTS_VARIABLE}."
        )
        return Initialised(build_classifier(architecture, num_classes, network), "random")
    network.load_state_dict(downloaded)
    _fold_normalisation(network, IMAGENET)
    model = build_classifier(architecture, num_classes, network)
    return Initialised(model, f"torchvision {architecture} DEFAULT")


def _find(folder: Path, architecture: str, choice: str) -> Path | None:
    if not folder.is_dir():
        raise InputError(f"weights folder {folder} does not exist; give an existing --weights-dir.")
    pattern = re.compile(rf"{re.escape(architecture)}(_(?!v\d).*)?\.safetensors")
    files = sorted(file for file in folder.iterdir() if pattern.fullmatch(file.name))
    if choice == "imagenet":
        return files[0] if files else None
    for file in files:
        if file.stem == choice:
            return file
    names = ", ".join(file.stem for file in files) or "none"
    raise InputError(
        f"weights '{choice}' for {architecture} are not in {folder}; found: {names}. "
        "Name one of them, or 'imagenet', or 'random' in the recipe."
    )


def _from_file(file: Path, architecture: str, num_classes: int, network: nn.Module) -> Initialised:
    try:
        state = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} is not a readable safetensors file ({error}).") from error
    own = network.state_dict()
    fitting = {
        key: value.to(own[key].dtype)
        for key, value in state.items()
        if key in own and own[key].shape == value.shape
    }
    if len(fitting) < len(own) / 3:
        raise InputError(
            f"{file} does not fit {architecture}: {len(fitting)} of {len(own)} tensors have the "
            "expected name and shape (torchvision's key names are expected)."
        )
    network.load_state_dict(fitting, strict=False)
    _fold_normalisation(network, SYMMETRIC if file.stem.endswith("_tfhub") else IMAGENET)
    missing = [key for key in own if key not in fitting]
    source = f"{file.name} ({len(fitting)} of {len(own)} tensors)"
    if missing:
        stages = sorted({".".join(key.split(".")[:1]) for key in missing})
        source += f"; random: parts of {', '.join(stages)}"
    return Initialised(build_classifier(architecture, num_classes, network), source)


def _download(architecture: str) -> dict[str, Tensor] | None:
    weights = import_torchvision().models.get_model_weights(architecture).DEFAULT
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT_SECONDS)
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, HTTPException, RuntimeError):  # no network, cut off, or a wrong hash
        return None
    finally:
        socket.setdefaulttimeout(before)


def _fold_normalisation(network: nn.Module, source: PixelStatistics) -> None:
    """Rewrites the first convolution so that weights trained on `source` take our pixels.

    With n = (x - 128) / 127.5 the source's input is a·n + b, a = 127.5 / std and
    b = (128 - mean) / std per channel. The scale goes into the kernel; the offset moves the mean of
    the BatchNorm that follows, or the bias. Exact but for the border, where padding now means grey.
    """
    modules = [module for module in network.modules() if not list(module.children())]
    stem, after = modules[0], modules[1]
    if not isinstance(stem, nn.Conv2d):
        raise InputError(f"the first layer is {type(stem).__name__}, expected a convolution.")
    mean, std = torch.tensor(source.mean), torch.tensor(source.std)
    scale, offset = PIXEL_SCALE / std, (PIXEL_OFFSET - mean) / std
    with torch.no_grad():
        moved = (stem.weight * offset[None, :, None, None]).sum(dim=(1, 2, 3))
        stem.weight *= scale[None, :, None, None]
        if stem.bias is not None:
            stem.bias += moved
        elif isinstance(after, nn.BatchNorm2d) and after.running_mean is not None:
            after.running_mean -= moved
        else:
            raise InputError("the first convolution has neither a bias nor a BatchNorm after it.")
