"""The child process in which an export makes some of its files, see `export.worker`."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

from export.noise import quiet_converters

quiet_converters()

import numpy as np  # noqa: E402 - what it imports may speak
import torch  # noqa: E402
from safetensors.numpy import save  # noqa: E402

from distill.comparison import read_student  # noqa: E402
from distill.device import keep_freed_memory  # noqa: E402
from distill.models import Classifier  # noqa: E402
from export.conversions import Conversions  # noqa: E402
from export.formats import select_formats  # noqa: E402
from export.making import Maker, is_no_place  # noqa: E402
from export.quantization.aware.record import read_aware  # noqa: E402
from export.quantization.settings import Quantization  # noqa: E402
from runtimes.child_process import serve  # noqa: E402
from runtimes.contract import Contract  # noqa: E402
from runtimes.coremltools_import import import_coremltools  # noqa: E402
from runtimes.errors import DermportError  # noqa: E402


class _Answers:
    """What the messages of a parent are answered with."""

    def __init__(self) -> None:
        self._student: tuple[Classifier, Contract] | None = None
        self._maker: Maker | None = None

    def __call__(self, todo: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._answer(todo, arguments)
        except DermportError as error:
            trace = traceback.format_exc()
            return {"problem": str(error), "exit_code": error.exit_code, "trace": trace}
        except OSError as error:
            if not is_no_place(error):
                raise
            return {"errno": error.errno}

    def _answer(self, todo: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if todo == "read":
            self._student = _read(**arguments)
            return {}
        if todo == "open" and self._student is not None:
            self._maker = _open(*self._student, **arguments)
            return {}
        if todo == "make" and self._maker is not None:
            return _make(self._maker, **arguments)
        raise ValueError(f"'{todo}' is no message that can be answered now")


def _read(run: str) -> tuple[Classifier, Contract]:
    import_coremltools()  # takes long, and there is time while the parent reads pictures
    return read_student(Path(run))


def _open(
    classifier: Classifier,
    contract: Contract,
    run: str,
    threads: int,
    quantization: dict[str, Any],
    aware: str | None,
    images: int,
    golden: int,
    calibration: int | None,
) -> Maker:
    torch.set_num_threads(threads)
    learned = None if aware is None else read_aware(Path(aware), Path(run), classifier)
    layers = tuple(quantization["float_layers"])
    how = Quantization(**{**quantization, "float_layers": layers, "aware": learned})
    samples = None if calibration is None else _array(calibration)
    conversions = Conversions(classifier, contract, samples, how)
    return Maker(conversions, contract, _array(images), _array(golden), threads)


def _make(maker: Maker, form: str, path: str, answers: int) -> dict[str, Any]:
    (chosen,) = select_formats([form])
    made = maker.make(chosen, Path(path))
    with os.fdopen(os.dup(answers), "r+b") as stream:
        stream.write(save(made.arrays()))
    return made.facts()


def _array(descriptor: int) -> np.ndarray:
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        stream.seek(0)
        return np.asarray(np.load(stream, allow_pickle=False))


if __name__ == "__main__":
    keep_freed_memory()
    serve(_Answers())
