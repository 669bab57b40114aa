"""Core ML packages of a deployable module: fp16, int8 weights, and int8 weights and activations."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from export.deployable import Deployable
from export.half_trunk import MARK, with_marked_operations
from export.quantization.aware.sites import LearnedRanges
from export.quantization.float_layers import Step, in_float, trunk_steps
from export.quantization.half_range import HEAD
from export.quantization.range_estimators import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    RangeEstimator,
    usable_range,
)
from runtimes.contract import INPUT_NAME, OUTPUT_NAMES
from runtimes.coremltools_import import import_coremltools
from runtimes.json_files import read_json
from runtimes.prediction import chunks

_DIVIDES_SCALES = "common::distributive_quantized_binary_op_scale_normalization"
_DESCRIPTIONS = {
    "probabilities": "softmax of the temperature-scaled logits, in the order of the labels",
    "cam": "class activation maps, channels last",
    "unknown": "higher is less like the training data",
}


def convert(
    deployable: Deployable,
    size: int,
    minimum_os: str,
    float_nodes: Collection[str] = (),
    *,
    keep_scales: bool = False,
) -> Any:
    """Converts to an ML program of batch 1 that computes in float16.

    Args:
        deployable: channels first, since Core ML hands an image over that way.
        size: S, side of the input in pixels.
        minimum_os: deployment target, for example "iOS16".
        float_nodes: operations of the traced trunk, and `half_range.HEAD`, left in float32.
        keep_scales: whether the scales around additions stand in the file as they are. Otherwise
            coremltools divides those of an addition by that of its second input, in float16.

    Returns:
        A coremltools MLModel; `image` is an RGB image of S×S pixels, outputs are float32.
    """
    coremltools = import_coremltools()
    example = torch.zeros(1, 3, size, size)
    precision: Any = coremltools.precision.FLOAT16
    if float_nodes:
        deployable = deployable.with_trunk(with_marked_operations(deployable.trunk, float_nodes))
        in_head = HEAD in float_nodes
        precision = coremltools.transform.FP16ComputePrecision(
            op_selector=lambda operation: not _is_marked(operation, in_head)
        )
    with torch.no_grad():
        traced = torch.jit.trace(deployable, example, check_trace=False)
    passes = coremltools.PassPipeline()
    if keep_scales:
        passes.remove_passes({_DIVIDES_SCALES})
    image = coremltools.ImageType(
        name=INPUT_NAME, shape=example.shape, color_layout=coremltools.colorlayout.RGB
    )
    model = coremltools.convert(
        traced,
        inputs=[image],
        outputs=[coremltools.TensorType(name=name, dtype=np.float32) for name in OUTPUT_NAMES],
        convert_to="mlprogram",
        compute_precision=precision,
        minimum_deployment_target=getattr(coremltools.target, minimum_os),
        pass_pipeline=passes,
        skip_model_load=True,
    )
    model.input_description[INPUT_NAME] = f"RGB image, {size}×{size} pixels, 0 to 255"
    for name, text in _DESCRIPTIONS.items():
        model.output_description[name] = text
    return model


def _is_marked(operation: Any, in_head: bool) -> bool:
    """Whether a MIL operation came from a marked one of the trunk, or from outside the trunk."""
    from coremltools.converters.mil.mil.scope import ScopeSource

    modules = operation.scopes.get(ScopeSource.TORCHSCRIPT_MODULE_NAME, [])
    if "trunk" not in modules:
        return in_head
    return any(str(name).startswith(MARK) for name in modules)


def write(model: Any, path: Path) -> None:
    """Saves an .mlpackage whose bytes depend on the model only.

    coremltools names the package's items by random numbers and writes the specification's maps in
    the order of the moment; both are put in order, so that the same export has the same hash.
    """
    model.save(str(path))
    manifest = path / "Manifest.json"
    contents = read_json(manifest)
    items = contents["itemInfoEntries"]
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])) for old, item in items.items()}
    contents["itemInfoEntries"] = {
        names[old]: items[old] for old in sorted(items, key=names.__getitem__)
    }
    contents["rootModelIdentifier"] = names[contents["rootModelIdentifier"]]
    manifest.write_text(json.dumps(contents, indent=4) + "\n", encoding="utf-8")
    specification = path / "Data" / items[_root(items)]["path"]
    specification.write_bytes(model.get_spec().SerializeToString(deterministic=True))


def _root(items: dict[str, Any]) -> str:
    return next(key for key, item in items.items() if item["name"].endswith(".mlmodel"))


_OBSERVED_AT_ONCE = 8  # images; more of them gain nothing
# Below so many numbers int8 saves next to nothing; it is coremltools' own default.
SMALLEST_QUANTIZED = 2048


def quantize_weights(model: Any) -> Any:
    """Stores the weights of convolutions in int8, one scale per output channel.

    One that computes in float32 keeps its weights.
    """
    from coremltools.optimize import coreml as optimize

    settings = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", granularity="per_channel", weight_threshold=SMALLEST_QUANTIZED
    )
    kept = dict.fromkeys(_float_convolutions(model))
    return optimize.linear_quantize_weights(
        model,
        optimize.OptimizationConfig(op_type_configs={"conv": settings}, op_name_configs=kept),
    )


def _float_convolutions(model: Any) -> list[str]:
    from coremltools.converters.mil.mil import types

    convolutions = model._mil_program.functions["main"].find_ops(op_type="conv")
    return [each.name for each in convolutions if each.outputs[0].dtype == types.fp32]


def quantize_trunk(
    deployable: Deployable,
    images: np.ndarray,
    estimator: str = DEFAULT_ESTIMATOR,
    float_layers: Collection[str] = (),
    learned: LearnedRanges | None = None,
) -> Deployable:
    """Returns a copy whose trunk carries int8 quantization of weights and activations.

    Weights have a scale per output channel, activations one per tensor. The head stays float.

    Args:
        deployable: channels first.
        images: calibration images, uint8 (M, S, S, 3).
        estimator: of the activations' ranges, see `range_estimators.ESTIMATORS`.
        float_layers: convolutions left in float16, see `float_layers`.
        learned: ranges that are taken instead of measured ones.
    """
    import_coremltools()
    from coremltools.optimize.torch.quantization import LinearQuantizer, LinearQuantizerConfig

    config = LinearQuantizerConfig.from_dict(
        {
            "global_config": {
                "quantization_scheme": "symmetric",
                "weight_observer": "min_max",
                "activation_observer": "moving_average_min_max",
                "weight_per_channel": True,
                "milestones": [0, 1, 1, 0],
            },
            "module_name_configs": dict.fromkeys(_float_modules(deployable.trunk, float_layers)),
        }
    )
    quantizer = LinearQuantizer(copy.deepcopy(deployable.trunk), config)
    size = images.shape[1]
    prepared = quantizer.prepare((torch.zeros(1, 3, size, size),), inplace=True)
    quantizer.step()  # milestone 0: observers on, rounding off
    if learned is None:
        _observe(prepared, images, estimator)
    else:
        _observe(prepared, images[:1], estimator)  # those of weights have to see them
        _set_learned(prepared, learned)
    quantizer.step()  # milestone 1: observers off
    _align_input(prepared)
    _use_whole_steps(prepared)
    return deployable.with_trunk(quantizer.finalize(prepared, inplace=True))


def _float_modules(trunk: nn.Module, float_layers: Collection[str]) -> list[str]:
    """Names of the modules that are computed in float, activations after convolutions included."""
    traced = fx.symbolic_trace(trunk)
    computed = in_float(trunk_steps(traced), float_layers)
    nodes = (node for node in traced.graph.nodes if node.name in computed)
    return [str(node.target) for node in nodes if node.op == "call_module"]


def _align_input(trunk: fx.GraphModule) -> None:
    """Gives the input the scale 1/128, on which every pixel is a whole number.

    coremltools takes largest / 127.5 for the scale; another one would blur the pixels.
    """
    entrance = next(node for node in trunk.graph.nodes if node.op == "placeholder")
    for reader in entrance.users:
        observer = getattr(trunk.get_submodule(str(reader.target)), "activation_post_process", None)
        if observer is not None:
            observer.min_val.fill_(-127.5 / 128)
            observer.max_val.fill_(127.5 / 128)


def _use_whole_steps(trunk: nn.Module) -> None:
    """Makes the scale of weights max|w| / 127 instead of coremltools' max|w| / 127.5.

    With half a step left over, every channel's largest weight lies between two integers.
    """
    # A convolution and the pair of it and its activation both lead to the same observer.
    found = (getattr(module, "weight_fake_quant", None) for module in trunk.modules())
    observers = {id(each): each.activation_post_process for each in found if each is not None}
    for observer in observers.values():
        observer.min_val.mul_(127.5 / 127)
        observer.max_val.mul_(127.5 / 127)


def _set_learned(trunk: fx.GraphModule, learned: LearnedRanges) -> None:
    """Puts learned ranges in the place of the observers' own."""
    from torch.ao.quantization import FakeQuantizeBase

    layers = {site.name for site in learned.sites}
    steps, observers = [], {}
    for node in trunk.graph.nodes:
        if node.op in ("placeholder", "get_attr", "output"):
            continue
        target = str(node.target) if node.op == "call_module" else ""
        inputs = tuple(each.name for each in node.all_input_nodes if each.op != "get_attr")
        steps.append(Step(node.name, target if target in layers else None, inputs, (node.name,)))
        module = trunk.get_submodule(target)
        if isinstance(module, FakeQuantizeBase):
            observers[node.name] = module.activation_post_process
    for name, span in learned.of_tensors(steps).items():
        if name in observers:
            _set_range(observers[name], span.low, span.high)


def _set_range(observer: Any, low: float, high: float) -> None:
    observer.min_val.fill_(low)
    observer.max_val.fill_(high)
    observer.qscheme = torch.per_tensor_affine


def _observe(trunk: nn.Module, images: np.ndarray, estimator: str) -> None:
    """Runs the images and puts the estimator's ranges in the place of the observers' own."""
    from torch.ao.quantization import FakeQuantizeBase, disable_observer

    trunk.eval()  # a BatchNorm that could not be folded must not learn here
    names = {module: name for name, module in trunk.named_modules()}
    seen: dict[Any, RangeEstimator] = {
        module: ESTIMATORS[estimator]()
        for module in names
        if isinstance(module, FakeQuantizeBase)
        and hasattr(module.activation_post_process, "averaging_constant")
    }

    def see(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        for values in arguments[0].numpy():
            seen[module].see(values)

    hooks = [module.register_forward_pre_hook(see) for module in seen]
    with torch.no_grad():
        for part in chunks(images, _OBSERVED_AT_ONCE):
            pixels = torch.from_numpy(part).permute(0, 3, 1, 2)
            trunk(pixels.float() / 128 - 1)
            trunk.apply(disable_observer)  # that of a weight has seen all of it
    for hook in hooks:
        hook.remove()
    for module, activation in seen.items():
        observer, (low, high) = (
            module.activation_post_process,
            usable_range(activation, names[module]),
        )
        observer.min_val.fill_(low)
        observer.max_val.fill_(high)
        if low >= 0:  # behind a ReLU in float coremltools would spend half the steps below zero
            observer.qscheme = torch.per_tensor_affine


def operator_kinds(model: Any) -> list[str]:
    """Returns the operations of the main function but for constants."""
    (function,) = model.get_spec().mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    return [operation.type for operation in block.operations if operation.type != "const"]
