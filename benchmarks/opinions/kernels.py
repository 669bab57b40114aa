"""Answers of another implementation, computed in a process of its own, whatever Python it is.

Run as a script: it imports nothing of this project, so that the Python of another environment, one
with TensorFlow for example, can run it. The request is a JSON object on standard input:

    library   "litert", "litert reference", "tensorflow reference", "onnx runtime" or "onnx"
    models    paths of .tflite files, or of .onnx files
    image     path of a .npy with pixels, uint8 (N, S, S, 3)
    out       folder; the answers to model number i are written there as i.npz
    control   path of a .tflite that no GPU takes, or null: asks TensorFlow's analyzer, too

The answer is a JSON object on the last line of standard output: `version`, `faults` and `analysis`,
lists with an entry for each model (null where there is nothing to tell), and `control`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any

import numpy as np

_REFUSED = "GPU COMPATIBILITY WARNING"
_FIRST_ROUNDING = 19  # the first opset whose DequantizeLinear ONNX's own evaluator knows


def main() -> None:
    """Reads the request, and writes the answers and what went wrong."""
    request = json.load(sys.stdin)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pixels = np.load(request["image"])
    version, run, analyze = _library(request["library"])
    faults: list[str | None] = []
    analysis: list[list[str] | None] = []
    for number, model in enumerate(request["models"]):
        try:
            answers = run(model, pixels)
            np.savez(os.path.join(request["out"], f"{number}.npz"), **answers)
            faults.append(None)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [""])[0][:200]
            faults.append(f"{type(error).__name__}: {reason}")
        wanted = request["control"] is not None and analyze is not None
        analysis.append(analyze(model) if wanted and analyze is not None else None)
    control = None
    if request["control"] is not None and analyze is not None:
        control = bool(analyze(request["control"]))
    found = {"version": version, "faults": faults, "analysis": analysis, "control": control}
    print()
    print(json.dumps(found))


def _library(name: str) -> tuple[str, Any, Any]:
    """Version, a function that runs a model, and one that names what a GPU would not take."""
    if name == "onnx":
        import onnx

        return onnx.__version__, _run_onnx, None
    if name == "onnx runtime":
        import onnxruntime

        return onnxruntime.__version__, _run_onnx_runtime, None
    if name.startswith("litert"):
        from importlib.metadata import version

        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        which = OpResolverType.AUTO if name == "litert" else OpResolverType.BUILTIN_REF

        def run(model: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
            return _run_tflite(
                Interpreter(model, experimental_op_resolver_type=which, num_threads=1), pixels
            )

        return version("ai-edge-litert"), run, None
    import tensorflow as tf

    def run_reference(model: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
        kernels = tf.lite.experimental.OpResolverType.BUILTIN_REF
        interpreter = tf.lite.Interpreter(
            model, experimental_op_resolver_type=kernels, num_threads=1
        )
        return _run_tflite(interpreter, pixels)

    def refused(model: str) -> list[str]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            tf.lite.experimental.Analyzer.analyze(model_path=model, gpu_compatibility=True)
        return [line.strip() for line in said.getvalue().splitlines() if _REFUSED in line][:50]

    return tf.__version__, run_reference, refused


def _run_tflite(interpreter: Any, pixels: np.ndarray) -> dict[str, np.ndarray]:
    run = interpreter.get_signature_runner()
    kind = run.get_input_details()["image"]["dtype"]
    answers = [run(image=image[None].astype(kind)) for image in pixels]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _run_onnx_runtime(model: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # as in runtimes/onnx_runtime.py, without which int8 overflows on some x86 processors
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = [session.run(names, {"image": image[None].astype("f4")}) for image in pixels]
    return {name: np.concatenate(values) for name, *values in zip(names, *found, strict=True)}


def _run_onnx(model: str, pixels: np.ndarray) -> dict[str, np.ndarray]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    loaded = onnx.load_model(model)
    if any(each.version < _FIRST_ROUNDING for each in loaded.opset_import if not each.domain):
        loaded = onnx.version_converter.convert_version(loaded, _FIRST_ROUNDING)
    evaluator = ReferenceEvaluator(loaded)
    names = evaluator.output_names
    found = [evaluator.run(names, {"image": image[None].astype("f4")}) for image in pixels]
    return {name: np.concatenate(values) for name, *values in zip(names, *found, strict=True)}


if __name__ == "__main__":
    main()
