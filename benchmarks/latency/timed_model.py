"""A model file opened by its runtime with made-up inputs: one call is one inference.

Only the runtime's own call is timed, `invoke` or `run`, as the runtimes' own benchmark tools do;
the sessions of runtimes/ check and convert pixels besides, which is no part of an inference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.latency.coverage import BackEnd, litert_back_end, onnx_back_end
from benchmarks.latency.files import LITERT, ONNX, RUNTIMES
from benchmarks.latency.inputs import make_input
from benchmarks.latency.onnx_opening import numpy_type, open_onnx
from runtimes.model_files import read_model_file
from runtimes.native_stderr import without_remarks

_SEED = 0


class TimedModel(Protocol):
    """An opened file; `make_inputs` comes before the rest."""

    def make_inputs(self) -> None:
        """Makes up the inputs (InputError where none can be made)."""
        ...

    def prepare(self) -> None:
        """Puts the inputs in place; is not timed."""
        ...

    def run(self) -> None:
        """One inference of batch 1."""
        ...

    def back_end(self) -> BackEnd:
        """Says what runs; may open the file a second time."""
        ...


def open_timed(path: Path, threads: int) -> TimedModel:
    """Opens a model file with the runtime of its suffix.

    Raises:
        Exception: whatever the runtime raises.
    """
    runtime = RUNTIMES[path.suffix.lower()]
    if runtime == LITERT:
        return LiteRTModel(path, threads)
    return OnnxModel(path, threads) if runtime == ONNX else CoreMLModel(path, threads)


class LiteRTModel:
    """A .tflite in LiteRT's interpreter."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with without_remarks("INFO: Created TensorFlow Lite XNNPACK delegate"):
            self._interpreter = Interpreter(
                model_content=read_model_file(path), num_threads=threads
            )
            self._interpreter.allocate_tensors()
        self._inputs: list[tuple[int, np.ndarray]] = []

    def make_inputs(self) -> None:
        """Noise for each input."""
        generator = np.random.default_rng(_SEED)
        for about in self._interpreter.get_input_details():
            shape, kind = about["shape"].tolist(), np.dtype(about["dtype"])
            values = make_input(about["name"], shape, kind, generator)
            self._inputs.append((about["index"], values))

    def prepare(self) -> None:
        """Sets the inputs anew: their memory holds other tensors later in an inference."""
        for index, values in self._inputs:
            self._interpreter.set_tensor(index, values)

    def run(self) -> None:
        """One `invoke`."""
        self._interpreter.invoke()

    def back_end(self) -> BackEnd:
        """What XNNPACK took."""
        return litert_back_end(self._interpreter)


class OnnxModel:
    """An .onnx in ONNX Runtime.

    Attributes:
        feed: inputs by name.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._session = open_onnx(path, threads)
        self.feed: dict[str, np.ndarray] = {}

    def make_inputs(self) -> None:
        """Noise for each input."""
        generator = np.random.default_rng(_SEED)
        for about in self._session.get_inputs():
            kind = numpy_type(about.type)
            self.feed[about.name] = make_input(about.name, about.shape, kind, generator)

    def prepare(self) -> None:
        """Nothing: each `run` gets its inputs."""

    def run(self) -> None:
        """One `run` of all outputs."""
        self._session.run(None, self.feed)

    def back_end(self) -> BackEnd:
        """What the CPU provider took."""
        return onnx_back_end(self._path, self._threads, self.feed)


class CoreMLModel:
    """An .mlpackage in Core ML, on every unit that it may use; macOS only."""

    def __init__(self, path: Path, threads: int) -> None:
        from runtimes.coremltools_import import import_coremltools

        self._model: Any = import_coremltools().models.MLModel(str(path))
        self._feed: dict[str, Any] = {}

    def make_inputs(self) -> None:
        """Noise for each input, as an image where one is asked for."""
        from PIL import Image

        generator = np.random.default_rng(_SEED)
        for item in self._model.get_spec().description.input:
            if item.type.WhichOneof("Type") == "imageType":
                about = item.type.imageType
                pixels = generator.integers(0, 256, (about.height, about.width, 3), np.uint8)
                self._feed[item.name] = Image.fromarray(pixels)
            else:
                shape = list(item.type.multiArrayType.shape)
                kind = np.dtype(np.float32)
                self._feed[item.name] = make_input(item.name, shape, kind, generator)

    def prepare(self) -> None:
        """Nothing: each `predict` gets its inputs."""

    def run(self) -> None:
        """One `predict`."""
        self._model.predict(self._feed)

    def back_end(self) -> BackEnd:
        """The units that Core ML plans to use; it does not say which one a call then used."""
        from benchmarks.coreml.plan import planned_back_end, read_plan

        return planned_back_end(read_plan(self._model))
