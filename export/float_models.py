"""What every file of a student starts from: its float network, and that in ONNX and TFLite."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from distill.models import Classifier
from export import onnx_export, tflite_export
from export.deployable import Deployable
from export.quantization.silent_channels import lift_silent_channels

if TYPE_CHECKING:
    from onnx import ModelProto


class FloatModels:
    """Makes each model when it is first asked for, once for all ways to int8.

    Args:
        classifier: the trained student, in evaluation mode.
        temperature: T of the softmax.
        size: S, side of the input in pixels.
    """

    def __init__(self, classifier: Classifier, temperature: float, size: int) -> None:
        self._classifier, self._temperature, self._size = classifier, temperature, size

    @cached_property
    def deployable(self) -> Deployable:
        """The network as it was trained."""
        return Deployable(self._classifier, self._temperature)

    @cached_property
    def lifted(self) -> Deployable:
        """The same with channels without weights made storable, see `silent_channels`."""
        return lift_silent_channels(self.deployable)

    @cached_property
    def onnx(self) -> ModelProto:
        """The float32 ONNX model."""
        return onnx_export.convert(self.deployable, self._size)

    @cached_property
    def tflite(self) -> bytes:
        """The float32 flatbuffer."""
        return tflite_export.convert(self.deployable, self._size)
