"""Teachers and students: any convolutional torchvision classifier as trunk, global average, linear.

The head is one linear layer on the pooled last map, for every architecture. That is what SSD-KD
distills (last map, pooled feature, logits), and it makes class activation maps a 1×1 convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from distill.torchvision_compat import import_torchvision
from runtimes.errors import InputError

if TYPE_CHECKING:
    from distill.unknown import UnknownScore

PIXEL_OFFSET = 128.0
PIXEL_SCALE = 127.5

_RESNET_STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
_SHUFFLENET_STAGES = ("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5")
_WITH_RESNET_STAGES = ("resnet", "resnext", "wide_resnet")
_WITH_FEATURES = (
    *("alexnet", "convnext", "densenet", "efficientnet", "mobilenet", "squeezenet", "vgg"),
)
_FAMILIES = (*_WITH_FEATURES, *_WITH_RESNET_STAGES, "mnasnet", "regnet", "shufflenet")


class Features(NamedTuple):
    """What a classifier knows of a batch of n images.

    Attributes:
        last_map: F, the last feature map, (n, C, h, w).
        pooled: f, its global average, (n, C).
        logits: z, (n, K).
    """

    last_map: Tensor
    pooled: Tensor
    logits: Tensor


class Classifier(nn.Module):
    """A trunk, global average pooling and one linear layer.

    Attributes:
        architecture: torchvision's name of the network.
        num_classes: K.
        trunk: normalised pixels (n, 3, H, W) to the last map (n, C, h, w).
        classifier: pooled feature (n, C) to logits (n, K).
        unknown: how its files score what it does not know; None for minus the largest logit.
    """

    unknown: UnknownScore | None = None

    def __init__(
        self, architecture: str, trunk: nn.Module, width: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.num_classes = num_classes
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    @property
    def width(self) -> int:
        """C, the channels of the last map."""
        return self.classifier.in_features

    def forward(self, pixels: Tensor) -> Features:
        """Normalised pixels (n, 3, H, W), see `normalise`, to last map, pooled feature, logits."""
        last_map = self.trunk(pixels)
        pooled = last_map.mean(dim=(2, 3))
        return Features(last_map, pooled, self.classifier(self.dropout(pooled)))


def normalise(pixels: Tensor) -> Tensor:
    """Pixels of 0 to 255 to the range the trunks expect: (x - 128) / 127.5, the same everywhere.

    One offset and one scale for all channels, so that an int8 input is the pixel minus 128.
    """
    return (pixels - PIXEL_OFFSET) / PIXEL_SCALE


def architectures() -> tuple[str, ...]:
    """Names of all classifiers that `build_classifier` takes, sorted."""
    models = import_torchvision().models
    names = models.list_models(module=models)
    return tuple(name for name in names if name.startswith(_FAMILIES))


def build_classifier(
    architecture: str, num_classes: int, network: nn.Module | None = None
) -> Classifier:
    """Builds a classifier of `num_classes` classes.

    Args:
        architecture: torchvision's name, one of `architectures()`.
        num_classes: K, at least 2.
        network: a torchvision network of that name whose trunk is taken over, by default a new one
            with random weights.

    Raises:
        InputError: the name is unknown or the network has no convolutional last map.
    """
    network = network if network is not None else build_network(architecture)
    trunk = _trunk(architecture, network)
    rates = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    model = Classifier(architecture, trunk, _width(trunk), num_classes, rates[-1] if rates else 0.0)
    if _has_inplace_input(trunk):
        raise InputError(f"{architecture}: its first operation would overwrite the input pixels.")
    return model


def check_architectures(*names: str) -> None:
    """Checks names without building the networks.

    Raises:
        InputError: a name is not one of `architectures()`.
    """
    known = architectures()
    for name in names:
        if name not in known:
            raise InputError(
                f"unknown architecture '{name}': expected a torchvision classifier with a "
                f"convolutional last map, one of: {', '.join(known)}."
            )


def build_network(architecture: str) -> nn.Module:
    """Builds torchvision's own network of that name with random weights.

    Raises:
        InputError: the name is not one of `architectures()`.
    """
    check_architectures(architecture)
    settings = {"init_weights": True} if architecture.startswith("vgg") else {}
    models = import_torchvision().models
    return models.get_model(architecture, weights=None, **settings)


def _trunk(architecture: str, network: nn.Module) -> nn.Module:
    if architecture.startswith("densenet"):
        return nn.Sequential(*network.features.children(), nn.ReLU())  # type: ignore[union-attr]
    if architecture.startswith(_WITH_FEATURES):
        return network.features  # type: ignore[return-value]
    if architecture.startswith("mnasnet"):
        return network.layers  # type: ignore[return-value]
    if architecture.startswith("regnet"):
        return nn.Sequential(network.stem, network.trunk_output)  # type: ignore[arg-type]
    stages = _RESNET_STAGES if architecture.startswith(_WITH_RESNET_STAGES) else _SHUFFLENET_STAGES
    return nn.Sequential(*(getattr(network, stage) for stage in stages))


def _width(trunk: nn.Module) -> int:
    """Channels of the last map, asked of a copy-free forward pass on one small grey image."""
    was_training = trunk.training
    with torch.no_grad():
        width = trunk.eval()(torch.zeros(1, 3, 64, 64)).shape[1]
    trunk.train(was_training)
    return int(width)


def _has_inplace_input(trunk: nn.Module) -> bool:
    first = next(module for module in trunk.modules() if not list(module.children()))
    return bool(getattr(first, "inplace", False))
