"""One classifier to any format of the table; what several formats need is made once."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from distill.models import Classifier
from export import coreml_export, onnx_export, tflite_export
from export.deployable import Deployable
from export.float_models import FloatModels
from export.formats import Format
from export.half_trunk import mixed_trunk
from export.noise import native_chatter
from export.quantization.aware.sites import LearnedRanges
from export.quantization.bias_correction import (
    Rounding,
    correct_biases,
    exact,
    exact_activation,
    half,
    half_activation_,
    integer,
    integer_activation,
    small_kept,
)
from export.quantization.equalization import equalize
from export.quantization.float_fallback import left_in_float
from export.quantization.float_layers import check_layers
from export.quantization.half_check import Outputs, check_half, watch_outputs
from export.quantization.half_range import HalfCheck
from export.quantization.settings import DEFAULT, Quantization
from export.quantization.streams import level_streams
from export.quantization.weight_steps import settle_weights
from export.tflite_names import operations
from runtimes.contract import Contract

if TYPE_CHECKING:
    from onnx import ModelProto

# All images of the correction are in memory at once, and channel means need no more of them.
# The smaller the errors, the more images it takes to see their mean: float16 gets more.
_INT8_CORRECTION_IMAGES = 64
CORRECTION_IMAGES = 96
_RESCALING_IMAGES = 64
# Enough for the margin that the check leaves; int8 files get a check of their own.
_HALF_CHECK_IMAGES = 32
_INT8_CHECK_IMAGES = 16

_HALF = Rounding(half, half, half_activation_)
_HALF_WEIGHTS = Rounding(half, exact, exact_activation)
_COREML_INT8_WEIGHTS = Rounding(
    small_kept(integer(half), coreml_export.SMALLEST_QUANTIZED), half, half_activation_
)


class Conversions:
    """Converts a classifier format by form.

    Args:
        classifier: the trained student, in evaluation mode.
        contract: with temperature and input size.
        calibration: calibration images, uint8 (M, S, S, 3); None where no format needs them.
        quantization: what the int8 files are made by.
    """

    def __init__(
        self,
        classifier: Classifier,
        contract: Contract,
        calibration: np.ndarray | None,
        quantization: Quantization = DEFAULT,
    ) -> None:
        self._classifier = classifier
        self._size = contract.preprocessing.size
        self._floats = FloatModels(classifier, contract.calibration.temperature, self._size)
        self._images = calibration
        self._quantization = quantization
        self._halves: dict[frozenset[str], Deployable] = {}
        check_layers(classifier.trunk, quantization.float_layers)

    def with_quantization(self, quantization: Quantization) -> Conversions:
        """Returns the same with other int8 settings; float models are made once for all."""
        other = copy.copy(self)
        check_layers(self._classifier.trunk, quantization.float_layers)
        other._quantization = quantization
        stale = ["int8_network", "_checked_aware"]
        before = self._quantization
        if (quantization.equalize, quantization.level_streams) != (
            before.equalize,
            before.level_streams,
        ):
            stale += ["rescaled", "_checked_int8"]
        for name in stale:
            other.__dict__.pop(name, None)
        return other

    @property
    def quantization(self) -> Quantization:
        """What the files with int8 activations are made by."""
        return self._quantization

    @cached_property
    def int8_network(self) -> Deployable:
        """The float network that the int8 files of TFLite and ONNX are made from."""
        return self._rounded(exact)

    def trainable_network(self) -> Deployable:
        """Returns the network that fine-tuning for int8 starts from.

        Its weights lie between steps, or no small change could move them to the next one; only the
        depthwise kernels, whose sums are kept, start on steps.
        """
        return settle_weights(self._with_biases(exact), only_depthwise=True)

    def float_tflite(self) -> bytes:
        """Returns the float32 .tflite that the int8 one is made from."""
        with native_chatter():
            return self._tflite_again(self.int8_network)

    def half_check(self, form: Format) -> HalfCheck | None:
        """Returns what float16 cannot hold of a network in this format; None if it needs none."""
        if form.key == "coreml:w8a8" and self._quantization.aware is not None:
            return self._checked_aware
        if form.family == "coreml":
            return self._checked_int8 if form.rounds_activations else self._checked_first
        return self._checked if form.precision == "fp16" else None

    def float_numbers(self, form: Format) -> int:
        """Returns how many numbers a file stores in float though its precision is another."""
        if form.rounds_activations:
            trunk = self._classifier.trunk
            kept = map(trunk.get_submodule, self._quantization.float_layers)
            return sum(value.numel() for layer in kept for value in layer.parameters())
        check = self.half_check(form)
        return 0 if check is None else check.float_numbers

    def write(self, form: Format, path: Path) -> dict[str, int]:
        """Writes one file, without its contract, and returns how often each operator is in it."""
        with native_chatter():
            return self._write(form, path)

    def left_in_float(self, form: Format, path: Path) -> tuple[str, ...]:
        """Names what a written int8 file computes in float unasked, see `float_fallback`."""
        layers = [name for name, _ in self._classifier.trunk.named_modules()]
        asked = self._quantization.float_layers if form.rounds_activations else ()
        return left_in_float(path, form, layers, asked)

    def _write(self, form: Format, path: Path) -> dict[str, int]:
        match form.family:
            case "onnx":
                model = self._onnx(form)
                onnx_export.write(model, path)
                return _counted(node.op_type for node in model.graph.node)
            case "coreml":
                package = self._coreml(form)
                coreml_export.write(package, path)
                return _counted(coreml_export.operator_kinds(package))
            case "tflite":
                content = self._tflite(form)
                path.write_bytes(content)
                return _counted(operation.kind for operation in operations(content))
        raise _unknown(form)

    def _onnx(self, form: Format) -> ModelProto:
        match form.precision:
            case "fp32":
                return self._floats.onnx
            case "fp16":
                return self._onnx_half(self._checked)
            case "int8":
                model = self._onnx_again(self.int8_network)
                return onnx_export.quantize_static(model, self.calibration, *self._ranges)
        raise _unknown(form)

    def _onnx_half(self, check: HalfCheck) -> ModelProto:
        half = self._half(check.float_nodes)
        if not check.float_nodes:
            return onnx_export.halve_trunk(self._onnx_again(half))
        trunk = mixed_trunk(half.trunk, check.float_nodes, check.tensor_nodes)
        return onnx_export.convert(half.with_trunk(trunk), self._size)

    def _coreml(self, form: Format) -> Any:
        match form.precision:
            case "fp16":
                kept = self._checked_first.float_nodes
                return self._package(self._half(kept).channels_first(), form, kept)
            case "int8-weights":
                # Not equalized: that is for activations, and costs the weights steps.
                kept, layers = self._checked_first.float_nodes, self._checked_first.float_modules
                module = self._corrected(_COREML_INT8_WEIGHTS, float_nodes=kept)
                module = settle_weights(module, coreml_export.SMALLEST_QUANTIZED, layers)
                package = self._package(module.channels_first(), form, kept)
                return coreml_export.quantize_weights(package)
            case "w8a8":
                module = self._rounded(half).channels_first()
                module = coreml_export.quantize_trunk(module, self.calibration, *self._ranges)
                return self._package(module, form)
        raise _unknown(form)

    def _package(self, module: Deployable, form: Format, kept: Collection[str] = ()) -> Any:
        learned = form.rounds_activations and self._quantization.aware is not None
        target = form.core_ml_target
        return coreml_export.convert(module, self._size, target, kept, keep_scales=learned)

    def _tflite(self, form: Format) -> bytes:
        match form.precision:
            case "fp32":
                return self._floats.tflite
            case "fp16":
                stored = self._checked.stored
                kept = {tensor.node for tensor in stored}
                corrected = self._tflite_again(self._corrected(_HALF_WEIGHTS, float_nodes=kept))
                layers = {tensor.name.rpartition(".")[0] for tensor in stored}
                return tflite_export.half_weights(corrected, layers)
            case "int8":
                content = self._tflite_again(self.int8_network)
                return tflite_export.quantize_static(content, self.calibration, *self._ranges)
        raise _unknown(form)

    def _onnx_again(self, module: Deployable) -> ModelProto:
        return onnx_export.convert_again(
            self._floats.onnx, self._floats.deployable, module, self._size
        )

    def _tflite_again(self, module: Deployable) -> bytes:
        return tflite_export.convert_again(
            self._floats.tflite, self._floats.deployable, module, self._size
        )

    def _corrected(
        self,
        rounding: Rounding,
        module: Deployable | None = None,
        float_layers: Collection[str] = (),
        float_nodes: Collection[str] = (),
    ) -> Deployable:
        count = CORRECTION_IMAGES if module is None else _INT8_CORRECTION_IMAGES
        images = self.calibration[:count]
        module = module or self._floats.lifted
        return correct_biases(module, images, rounding, float_layers, float_nodes)

    def _half(self, kept: frozenset[str]) -> Deployable:
        """The network made ready for float16 but for some operations; several files share it."""
        if kept not in self._halves:
            self._halves[kept] = self._corrected(_HALF, float_nodes=kept)
        return self._halves[kept]

    @cached_property
    def _watched(self) -> Outputs:
        return watch_outputs(self._floats.lifted, self._check_images)

    @cached_property
    def _checked(self) -> HalfCheck:
        return check_half(self._floats.lifted, self._check_images, self._watched)

    @cached_property
    def _checked_first(self) -> HalfCheck:
        return check_half(self._floats.lifted.channels_first(), self._check_images, self._watched)

    @cached_property
    def _checked_int8(self) -> HalfCheck:
        return self._checked_rounded(self.rescaled)

    @cached_property
    def _checked_aware(self) -> HalfCheck:
        return self._checked_rounded(self._rounded(half))

    def _checked_rounded(self, module: Deployable) -> HalfCheck:
        images = self._check_images[:_INT8_CHECK_IMAGES]
        module = module.channels_first()
        return check_half(module, images, watch_outputs(module, images))

    @property
    def _check_images(self) -> np.ndarray:
        return self.calibration[:_HALF_CHECK_IMAGES]

    def _rounded(self, stored: Callable[[Tensor], Tensor]) -> Deployable:
        """The float network made ready for int8 in a file that keeps scales and biases so."""
        if self._quantization.aware is not None:
            return self._quantization.aware.network(self._floats.deployable)
        how = self._quantization
        return settle_weights(
            self._with_biases(stored),
            float_layers=how.float_layers,
            keep_sums=how.keep_depthwise_sums,
        )

    def _with_biases(self, stored: Callable[[Tensor], Tensor]) -> Deployable:
        how = self._quantization
        if not how.correct_biases:
            return self.rescaled
        weights = integer(stored, keep_sums=how.keep_depthwise_sums)
        rounding = Rounding(weights, stored, integer_activation)
        return self._corrected(rounding, self.rescaled, how.float_layers)

    @cached_property
    def rescaled(self) -> Deployable:
        """The float network that int8 files start from."""
        module = self._floats.lifted
        images = self.calibration[:_RESCALING_IMAGES]
        if self._quantization.equalize:
            module = equalize(module, images)
        if self._quantization.level_streams:
            module = level_streams(module, images)
        return module

    @property
    def _ranges(self) -> tuple[str, tuple[str, ...], LearnedRanges | None]:
        how = self._quantization
        learned = None if how.aware is None else how.aware.learned
        return how.estimator, how.float_layers, learned

    @property
    def calibration(self) -> np.ndarray:
        """Calibration images, uint8 (M, S, S, 3).

        Raises:
            ValueError: there are none.
        """
        if self._images is None:
            raise ValueError("a calibrated format was asked for without calibration images")
        return self._images


def _unknown(form: Format) -> ValueError:
    return ValueError(f"{form.key} stands in the table of formats, but nothing here writes it")


def _counted(kinds: Any) -> dict[str, int]:
    return dict(sorted(Counter(kinds).items()))
