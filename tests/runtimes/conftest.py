"""One tiny network in every format, converted once per test session."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runtimes.contract import Calibration, Contract, Label, Preprocessing, Training

SIDE = 32


def make_contract(side: int = SIDE, classes: int = 3) -> Contract:
    labels = (Label("MEL", "Melanoma"), Label("NV", "Melanocytic nevus"), Label("DF", "Fibroma ä"))
    extra = tuple(Label(f"C{i}", f"class {i}") for i in range(3, classes))
    return Contract(
        name="tiny",
        labels=(labels + extra)[:classes],
        preprocessing=Preprocessing(
            exif_orientation=True,
            crop="none",
            effective_resolution=side // 2,
            size=side,
            resize_filter="bilinear",
            antialias=True,
        ),
        calibration=Calibration(
            temperature=1.5, unknown_threshold=-0.1, accepted_share=0.95, sensitivity={"MEL": 0.5}
        ),
        training=Training(
            method="no_kd",
            student="tiny",
            teacher=None,
            data="made up",
            synthetic=True,
            images=7,
            split_protocol="lesion",
            split_sha256="0" * 64,
            seed=3,
            metrics={"balanced_accuracy": 0.5, "confusion": [[1, 2, 0], [0, 1, 1], [0, 0, 2]]},
        ),
        license="Apache-2.0",
        intended_use="tests",
    )


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def photo(seed: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@dataclass(frozen=True)
class Tiny:
    """The tiny network: the torch module and its files, all with the contract inside."""

    contract: Contract
    module: Any
    tflite: Path
    onnx: Path
    mlpackage: Path

    @property
    def files(self) -> tuple[Path, Path, Path]:
        return self.tflite, self.onnx, self.mlpackage

    def images(self, count: int = 3) -> np.ndarray:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)

    def expected(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        import torch

        with torch.no_grad():
            outputs = self.module(torch.from_numpy(images.astype(np.float32)))
        return tuple(output.numpy() for output in outputs)  # type: ignore[return-value]


@pytest.fixture(scope="session")
def contract() -> Contract:
    return make_contract()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, contract: Contract) -> Tiny:
    from runtimes.metadata import embed_contract

    folder = tmp_path_factory.mktemp("tiny")
    module = _module()
    result = Tiny(
        contract,
        module,
        _convert_tflite(module, folder / "tiny.tflite"),
        _convert_onnx(module, folder / "tiny.onnx"),
        _convert_coreml(module, folder / "tiny.mlpackage"),
    )
    for file in result.files:
        embed_contract(file, contract)
    return result


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Returns a function that copies a model, so that a test may damage the copy."""

    def copy(path: Path) -> Path:
        target = tmp_path / path.name
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            shutil.copy(path, target)
        return target

    return copy


def _module() -> Any:
    import torch
    from torch import nn
    from torch.nn import functional

    class TinyNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.head = nn.Linear(8, 3)

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            x = functional.relu6(self.stem((image.permute(0, 3, 1, 2) - 128) / 127.5))
            x = x + functional.relu(self.depthwise(x))
            cam = functional.conv2d(x, self.head.weight[:, :, None, None]).permute(0, 2, 3, 1)
            logits = cam.mean((1, 2)) + self.head.bias
            return torch.softmax(4 * logits, 1), cam, -logits.amax(1)

    torch.manual_seed(0)
    return TinyNet().eval()


class _Named:
    """Wraps the module so that a converter sees the outputs' names."""

    def __new__(cls, module: Any) -> Any:
        from torch import nn

        class NamedOutputs(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = module

            def forward(self, image: Any) -> dict[str, Any]:
                return dict(
                    zip(("probabilities", "cam", "unknown"), self.inner(image), strict=True)
                )

        return NamedOutputs().eval()


def _example() -> Any:
    import torch

    return torch.zeros(1, SIDE, SIDE, 3)


def _convert_tflite(module: Any, path: Path) -> Path:
    import litert_torch

    litert_torch.convert(_Named(module), sample_kwargs={"image": _example()}).export(str(path))
    return path


def _convert_onnx(module: Any, path: Path) -> Path:
    import torch

    torch.onnx.export(
        module,
        (_example().repeat(2, 1, 1, 1),),
        str(path),
        dynamo=True,
        external_data=False,
        input_names=["image"],
        output_names=["probabilities", "cam", "unknown"],
        dynamic_shapes={"image": {0: torch.export.Dim("N")}},
    )
    return path


def _convert_coreml(module: Any, path: Path) -> Path:
    import torch
    from torch import nn

    from runtimes.coremltools_import import import_coremltools

    coremltools = import_coremltools()

    class ChannelsFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, image: torch.Tensor) -> Any:
            return self.inner(image.permute(0, 2, 3, 1))

    example = torch.zeros(1, 3, SIDE, SIDE)
    traced = torch.jit.trace(ChannelsFirst().eval(), example)
    model = coremltools.convert(
        traced,
        inputs=[
            coremltools.ImageType(
                "image", shape=example.shape, color_layout=coremltools.colorlayout.RGB
            )
        ],
        outputs=[
            coremltools.TensorType(name=name, dtype=np.float32)
            for name in ("probabilities", "cam", "unknown")
        ],
        minimum_deployment_target=coremltools.target.iOS16,
        skip_model_load=True,
    )
    model.save(str(path))
    return path
