"""Golden tensors: drawn, not photographed, and kept as long as they are true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from export.golden import golden_images, write_golden
from runtimes.prediction import Prediction


def _answers(value: float) -> Prediction:
    return Prediction(
        np.full((8, 4), value, np.float32),
        np.full((8, 2, 2, 4), value, np.float32),
        np.full(8, value, np.float32),
    )


def test_the_pictures_are_the_same_every_time_and_differ_from_each_other() -> None:
    first, second = golden_images(24), golden_images(24)
    assert first.shape == (8, 24, 24, 3)
    assert np.array_equal(first, second)
    assert len({picture.tobytes() for picture in first}) == 8
    assert all(picture.std() > 10 for picture in first)


def test_answers_of_another_export_stay_beside_new_ones(tmp_path: Path) -> None:
    path, images = tmp_path / "golden.safetensors", golden_images(8)
    write_golden(path, images, {"torch": _answers(0), "onnx:fp32": _answers(1)})
    write_golden(path, images, {"torch": _answers(2)}, keep={"onnx:fp32"})
    tensors = load_file(path)
    assert tensors["onnx:fp32/cam"].flat[0] == 1
    assert tensors["torch/unknown"].flat[0] == 2
    write_golden(path, images, {"torch": _answers(2)})
    assert "onnx:fp32/cam" not in load_file(path)


def test_answers_to_other_pictures_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "golden.safetensors"
    write_golden(path, golden_images(8), {"onnx:fp32": _answers(1)})
    write_golden(path, golden_images(16), {"torch": _answers(2)}, keep={"onnx:fp32"})
    assert "onnx:fp32/cam" not in load_file(path)
