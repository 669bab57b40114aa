"""An .onnx opened by ONNX Runtime for timing or for its profiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runtimes.model_files import read_model_file
from runtimes.onnx_runtime import NO_OVERFLOW


def open_onnx(path: Path, threads: int, profile: Path | None = None) -> Any:
    """Returns a session on the CPU.

    Args:
        path: the file.
        threads: of one operator.
        profile: beginning of the file name that ONNX Runtime's profiler writes to, if any.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; its warnings are about graph rewrites
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry(*NO_OVERFLOW)
    # Threads that wait in a loop for the next inference would slow down the next file instead.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(read_model_file(path), options, providers=providers)


def numpy_type(name: str) -> np.dtype:
    """Returns the type that "tensor(float)" and the like stand for; object where NumPy has none."""
    inner = name.removeprefix("tensor(").removesuffix(")")
    try:
        return np.dtype({"float": "float32", "double": "float64"}.get(inner, inner))
    except TypeError:
        return np.dtype(object)
