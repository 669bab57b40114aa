"""What is said of tensors that float16 cannot hold: in the manifest, as warnings, as a table."""

from __future__ import annotations

from typing import Any

from export.formats import Format
from export.quantization.half_range import (
    HEAD,
    LARGEST,
    OUTPUT_MARGIN,
    UNDERFLOW_LIMIT,
    HalfCheck,
    HalfTensor,
)
from runtimes.console import table


def half_record(form: Format, check: HalfCheck) -> dict[str, Any]:
    """Returns the check of a file as the manifest keeps it; an infinite ratio as None."""
    largest = check.largest_output.to_json()
    return {
        "images": check.images,
        "largest_output": {key: largest[key] for key in ("name", "largest", "headroom")},
        "output_margin": OUTPUT_MARGIN,
        "underflow_decibels": check.to_json()["underflow_decibels"],
        "underflow_limit": UNDERFLOW_LIMIT,
        "at_risk": [
            {
                "tensor": tensor.name,
                "risk": "overflow" if tensor in check.overflow else "underflow",
                "largest": tensor.largest,
                "float32": _is_kept(form, tensor),
            }
            for tensor in _concerned(form, check)
        ],
    }


def half_warnings(form: Format, check: HalfCheck) -> list[str]:
    """Returns a sentence on what a file keeps in float32, and one on what it cannot keep."""
    concerned = _concerned(form, check)
    kept = [_told(check, tensor) for tensor in concerned if _is_kept(form, tensor)]
    left = [_told(check, tensor) for tensor in concerned if not _is_kept(form, tensor)]
    said = []
    if kept:
        said.append(f"{form.key}: kept in float32, since float16 cannot hold it: {'; '.join(kept)}")
    if left:
        computed = (
            "a GPU that computes this file in float16 can answer wrongly there; CPUs compute in "
            "float32"
            if form.family == "tflite"
            else "it computes in float16, and this format cannot keep it in float32; prefer another"
        )
        said.append(f"{form.key}: float16 cannot hold {'; '.join(left)}: {computed}.")
    return said


def range_table(check: HalfCheck, count: int) -> str:
    """Returns the tensors with the least headroom as a table."""
    ranked = sorted(check.tensors, key=lambda tensor: tensor.headroom)[:count]
    rows = [
        (
            tensor.name,
            tensor.kind,
            "stored" if tensor.stored else "output",
            f"{tensor.largest:.3g}",
            f"{tensor.headroom:.3g}",
            f"{tensor.lost} of {tensor.channels}",
        )
        for tensor in ranked
    ]
    lost = sum(tensor.lost > 0 for tensor in check.tensors)
    title = (
        f"range in float16 on {check.images} images, least headroom first (an output needs "
        f"{OUTPUT_MARGIN:g}); {lost} tensors have channels below its normal numbers, without which "
        f"the logits keep {check.underflow_decibels:.1f} dB ({UNDERFLOW_LIMIT:g} needed)"
    )
    heads = ("tensor", "kind", "what", "largest", "headroom", "channels lost")
    return table(heads, rows, title)


def _concerned(form: Format, check: HalfCheck) -> list[HalfTensor]:
    """What is at risk in a format; the head of an ONNX file is in float32 anyway."""
    return [each for each in check.at_risk if form.family != "onnx" or each.node != HEAD]


def _is_kept(form: Format, tensor: HalfTensor) -> bool:
    match form.family, form.precision:
        case "tflite", _:  # says how weights are stored, not what it is computed in
            return tensor.stored and (tensor.kind == "Conv2d" or tensor.node == HEAD)
        case _, "w8a8":
            return False
    return True


def _told(check: HalfCheck, tensor: HalfTensor) -> str:
    if tensor in check.overflow:
        where = "" if tensor.stored else f" on {check.images} images"
        return f"{tensor.name} (reaches {tensor.largest:.3g}{where}; float16 ends at {LARGEST:.0f})"
    return f"{tensor.name} ({tensor.lost} of {tensor.channels} channels are too small)"
