"""The paper's networks and exported files side by side, in the conventions that people use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.flops.coreml_graph import core_ml_graph
from benchmarks.flops.graph import Cost, Graph, cost_of
from benchmarks.flops.onnx_graph import onnx_graph
from benchmarks.flops.tflite_graph import tflite_graph
from benchmarks.flops.torch_graph import network_graph
from benchmarks.latency.files import TimedFile
from distill.models import build_classifier
from distill.provenance import provenance
from runtimes.contract import Contract
from runtimes.errors import DermportError
from runtimes.metadata import find_contract

LARGEST_DIFFERENCE = 0.01
PAPER_CLASSES, CLASSES, PAPER_SIZE = 1000, 8, 224
_READERS: dict[str, Callable[[Path], Graph]] = {
    ".tflite": tflite_graph,
    ".onnx": onnx_graph,
    ".mlpackage": core_ml_graph,
}


@dataclass(frozen=True)
class Published:
    """What the paper says of a network with 1000 classes at 224 pixels.

    Attributes:
        giga_macs: billions of multiply-accumulates, which it calls FLOPs.
        mega_parameters: millions.

    Source: Wang et al., Medical Image Analysis 84:102693, 2023, the table of complexity.
    """

    giga_macs: float
    mega_parameters: float


# Both pairs, the teacher before its student; the paper has no figures of the second.
NETWORKS: dict[str, Published | None] = {
    "resnet50": Published(4.11, 25.6),
    "mobilenet_v2": Published(0.31, 3.5),
    "efficientnet_b7": None,
    "efficientnet_b0": None,
}


@dataclass(frozen=True)
class Network:
    """A torch module as it is trained.

    Attributes:
        architecture: torchvision's name.
        classes: K.
        size: side of the input in pixels.
        cost: counted on the traced module.
        counter_flops: by torch's own counter, two a multiply-accumulate.
        published: by the paper, for this number of classes.
    """

    architecture: str
    classes: int
    size: int
    cost: Cost
    counter_flops: int
    published: Published | None

    @property
    def fault(self) -> str:
        """How the count is outside of 1 % of torch's, or ""."""
        return _apart("torch's counter", self.cost.flops, self.counter_flops)


@dataclass(frozen=True)
class FileCost:
    """A model file.

    Attributes:
        file: name, format and size in bytes.
        cost: counted on its own operators; None where it cannot be read.
        student: its architecture, by the contract inside; "" without one.
        fault: why there is no cost, or how it is outside of 1 % of the torch module's.
    """

    file: TimedFile
    cost: Cost | None
    student: str
    fault: str


@dataclass(frozen=True)
class Report:
    """All rows."""

    networks: tuple[Network, ...]
    files: tuple[FileCost, ...]

    @property
    def faults(self) -> list[str]:
        """What is not as it should be, a line each."""
        named = [(f"{row.architecture}, {row.classes} classes", row.fault) for row in self.networks]
        named += [(row.file.name, row.fault) for row in self.files]
        return [f"{name}: {fault}" for name, fault in named if fault]

    def to_json(self) -> dict[str, Any]:
        """Plain values, without paths."""
        return {
            "convention": {
                "macs": "multiply-accumulates of convolutions and fully connected layers, 1 image",
                "flops": "2 a multiply-accumulate",
                "macs_with_batchnorm": "2 more a value of a BatchNorm, as fvcore and the paper",
                "peak_activation_bytes": "most bytes of activations alive at once, no scratch",
            },
            "networks": [
                {**asdict(row), "cost": _cost(row.cost), "fault": row.fault or None}
                for row in self.networks
            ],
            "files": [
                {
                    "file": row.file.name,
                    "format": row.file.format,
                    "bytes": row.file.size,
                    "sha256": row.file.sha256,
                    "student": row.student or None,
                    "cost": None if row.cost is None else _cost(row.cost),
                    "fault": row.fault or None,
                }
                for row in self.files
            ],
            "provenance": provenance(("torchvision", "onnx", "coremltools", "ai-edge-litert")),
        }


def count_all(files: Sequence[TimedFile]) -> Report:
    """Counts the paper's networks, the students of the files, and the files themselves."""
    wanted = {
        (name, classes, PAPER_SIZE): published if classes == PAPER_CLASSES else None
        for name, published in NETWORKS.items()
        for classes in (PAPER_CLASSES, CLASSES)
    }
    contracts = {file.name: _contract(file) for file in files}
    own = {
        name: (found.training.student, len(found.labels), found.preprocessing.size)
        for name, found in contracts.items()
        if found is not None
    }
    wanted |= {key: None for key in own.values() if key not in wanted}
    networks = {key: count_network(*key, published=paper) for key, paper in wanted.items()}
    rows = (
        count_file(file, networks[own[file.name]] if file.name in own else None) for file in files
    )
    return Report(tuple(networks.values()), tuple(rows))


def count_network(
    architecture: str, classes: int, size: int, published: Published | None = None
) -> Network:
    """Counts a torch module, by its trace and by torch's own counter."""
    cost = cost_of(network_graph(architecture, classes, size))
    with torch.device("meta"):
        classifier = build_classifier(architecture, classes).eval()
        pixels = torch.empty(1, 3, size, size)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        classifier(pixels)
    flops = int(counter.get_total_flops())
    return Network(architecture, classes, size, cost, flops, published)


def count_file(file: TimedFile, network: Network | None = None) -> FileCost:
    """Counts a file, and compares it with the torch module it came from.

    A file that cannot be read has a row that says why.
    """
    student = "" if network is None else network.architecture
    if file.fault:
        return FileCost(file, None, student, file.fault)
    try:
        cost = cost_of(_READERS[file.path.suffix.lower()](file.path))
    except DermportError as error:
        return FileCost(file, None, student, file.without_path(str(error)))
    except Exception as error:  # the libraries' readers trust what a file says
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        fault = f"damaged, or with shapes that are not fixed ({type(error).__name__}: {reason})"
        return FileCost(file, None, student, fault)
    fault = "" if network is None else _apart("the torch module", cost.macs, network.cost.macs)
    return FileCost(file, cost, student, fault)


def _contract(file: TimedFile) -> Contract | None:
    try:
        return None if file.fault or file.peer else find_contract(file.path)
    except DermportError:
        return None  # `count_file` says what is wrong with it


def _apart(what: str, found: int, expected: int) -> str:
    difference = found / expected - 1
    if abs(difference) <= LARGEST_DIFFERENCE:
        return ""
    return f"{100 * difference:+.2f} % operations beside {what}, allowed 1 %"


def _cost(cost: Cost) -> dict[str, int]:
    return {
        **asdict(cost),
        "flops": cost.flops,
        "macs_with_batchnorm": cost.macs_with_batchnorm,
    }
