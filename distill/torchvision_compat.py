"""The one place where torchvision is imported.

torchvision's wheel from the Python package index links CUDA. Beside a CPU-only torch its compiled
operators do not load, and the import fails at the first schema it looks up. None of those operators
is used here, so their schemas are declared and the import is tried again.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

_MISSING_OPERATOR = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept_alive: list[Any] = []


def import_torchvision() -> ModuleType:
    """Returns torchvision, also where its compiled operators do not fit the installed torch.

    Raises:
        MissingDependencyError: torchvision is not installed.
    """
    from runtimes.errors import MissingDependencyError

    try:
        import torchvision
    except ModuleNotFoundError as error:
        raise MissingDependencyError("torchvision", "train") from error
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error) or _kept_alive:
            raise
        _declare_operators()
        import torchvision
    return torchvision


def _declare_operators() -> None:
    import sys

    import torch

    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _kept_alive.append(library)  # the schemas vanish with the object
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
