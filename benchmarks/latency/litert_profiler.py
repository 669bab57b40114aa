"""LiteRT's own profiler, which also sees the operators inside XNNPACK's partitions.

The wheel's Python interface does not reach it, its C interface (libLiteRt, in the wheel) does. That
interface still moves between versions; constraints.txt pins the one that this was tested with.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.inputs import make_input
from runtimes.errors import InputError

_CPU = 1
_WRITE = 1
_RANK_BITS = 0x7F
# TfLiteType's numbers.
_TYPES = {
    **{1: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"},
    **{10: "float16", 11: "float64"},
}
# An operator of the interpreter's own, and one inside a delegate.
_OPERATOR, _DELEGATED_OPERATOR = 2, 8


class _Layout(ctypes.Structure):
    _fields_ = (
        ("rank", ctypes.c_uint32),
        ("sides", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (("element", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("number", ctypes.c_uint64),
        ("graph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


class LiteRTProfiler:
    """A .tflite opened with profiling; what it holds lives as long as the process."""

    def __init__(self, path: Path, threads: int) -> None:
        import ai_edge_litert

        folder = Path(ai_edge_litert.__file__).parent
        self._library = ctypes.CDLL(str(next(folder.glob("libLiteRt.*"))))
        self._environment = self._made("LiteRtCreateEnvironment", 0, None)
        model = self._made("LiteRtCreateModelFromFile", self._environment, str(path).encode())
        self._compiled = self._made(
            "LiteRtCreateCompiledModel", self._environment, model, self._options(threads)
        )
        signature = self._made("LiteRtGetModelSignature", model, _size(0))
        generator = np.random.default_rng(0)
        self._inputs = self._buffers(
            signature, "Input", lambda name, shape, kind: make_input(name, shape, kind, generator)
        )
        self._outputs = self._buffers(signature, "Output", None)
        self._profiler = self._made("LiteRtCompiledModelGetProfiler", self._compiled)

    def run(self) -> tuple[float, list[tuple[str, float]]]:
        """One inference: its milliseconds, and kind and milliseconds of each operator in order."""
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)
        started = time.perf_counter()
        self._call(
            "LiteRtRunCompiledModel",
            *(self._compiled, _size(0)),
            *(_size(len(self._inputs)), self._inputs, _size(len(self._outputs)), self._outputs),
        )
        whole = 1e3 * (time.perf_counter() - started)
        self._call("LiteRtStopProfiler", self._profiler)
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        self._call("LiteRtGetProfilerEvents", self._profiler, count, events)
        wanted = (_OPERATOR, _DELEGATED_OPERATOR)
        return whole, [
            (event.tag.decode(), event.elapsed_us / 1e3) for event in events if event.kind in wanted
        ]

    def _options(self, threads: int) -> ctypes.c_void_p:
        options = self._made("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        texts = {
            b"runtime_options_string": b"enable_profiling = true\n",
            b"xnnpack": b"num_threads = %d\n" % threads,
        }
        self._texts = [ctypes.create_string_buffer(text) for text in texts.values()]
        self._release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda text: None)
        for name, text in zip(texts, self._texts, strict=True):
            address = ctypes.cast(text, ctypes.c_void_p)
            option = self._made("LiteRtCreateOpaqueOptions", name, address, self._release)
            self._call("LiteRtAddOpaqueOptions", options, option)
        return options

    def _buffers(
        self,
        signature: ctypes.c_void_p,
        side: str,
        values: Callable[[str, list[int], np.dtype], np.ndarray] | None,
    ) -> Any:
        """The tensors of one side of the network, filled where `values` are given."""
        count = ctypes.c_size_t()
        self._call(f"LiteRtGetNumSignature{side}s", signature, ctypes.byref(count))
        made = []
        for number in range(count.value):
            place = _size(number)
            tensor = self._made(f"LiteRtGetSignature{side}TensorByIndex", signature, place)
            about = _TensorType()
            self._call("LiteRtGetRankedTensorType", tensor, ctypes.byref(about))
            wants = self._made(
                f"LiteRtGetCompiledModel{side}BufferRequirements", self._compiled, _size(0), place
            )
            buffer = self._made(
                "LiteRtCreateManagedTensorBufferFromRequirements",
                *(self._environment, ctypes.byref(about), wants),
            )
            if values is not None:
                kind = np.dtype(_TYPES.get(about.element, "object"))
                shape = list(about.layout.sides)[: about.layout.rank & _RANK_BITS]
                self._fill(buffer, values(f"input {number}", shape, kind))
            made.append(buffer)
        return (ctypes.c_void_p * len(made))(*made)

    def _fill(self, buffer: ctypes.c_void_p, values: np.ndarray) -> None:
        address = ctypes.c_void_p()
        self._call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _WRITE)
        ctypes.memmove(address, np.ascontiguousarray(values).ctypes.data, values.nbytes)
        self._call("LiteRtUnlockTensorBuffer", buffer)

    def _made(self, function: str, *words: Any) -> ctypes.c_void_p:
        """What a function returns in its last argument."""
        handle = ctypes.c_void_p()
        self._call(function, *words, ctypes.byref(handle))
        return handle

    def _call(self, function: str, *words: Any) -> None:
        status = int(getattr(self._library, function)(*words))
        if status:
            raise InputError(f"LiteRT's {function} answers {status}.")


def _size(value: int) -> ctypes.c_size_t:
    return ctypes.c_size_t(value)
