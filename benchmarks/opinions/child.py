"""Runs `kernels.py` with any Python and brings back its answers."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.opinions.control import write_control
from runtimes.errors import InputError

_SCRIPT = Path(__file__).with_name("kernels.py")
_TIMEOUT_S = 900


@dataclass(frozen=True)
class Answers:
    """What a library answered about some files.

    Attributes:
        version: of the library.
        answers: for each file its outputs by name, or why there are none.
        refused: for each file, what TensorFlow's analyzer says a GPU would not take.
        rejects_control: whether the analyzer rejects what no GPU takes; None if it was not asked.
    """

    version: str
    answers: tuple[dict[str, np.ndarray] | str, ...]
    refused: tuple[tuple[str, ...], ...]
    rejects_control: bool | None


def ask(
    python: Sequence[str],
    library: str,
    paths: Sequence[Path],
    images: np.ndarray,
    environment: Mapping[str, str] | None = None,
) -> Answers:
    """Has files answer images in a process of its own.

    Args:
        python: the command of a Python with numpy and the library.
        library: see `kernels.py`.
        paths: of the files.
        images: uint8 (N, S, S, 3).
        environment: of the process, if not this one's.

    Raises:
        InputError: the Python cannot be run, has no such library, or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        pixels, control = Path(folder) / "image.npy", None
        np.save(pixels, images)
        if library.startswith("tensorflow"):
            control = str(Path(folder) / "control.tflite")
            write_control(Path(control))
        request = {
            "library": library,
            "models": [str(path.resolve()) for path in paths],
            "image": str(pixels),
            "out": folder,
            "control": control,
        }
        try:
            done = subprocess.run(
                [*python, str(_SCRIPT)],
                input=json.dumps(request),
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                env=None if environment is None else dict(environment),
                check=False,
            )
            found = json.loads(done.stdout.strip().rpartition("\n")[2])
        except OSError as error:
            raise InputError(
                f"{python[0]} cannot be run ({error.strerror or error}). Name a Python that has "
                f"the library '{library}'."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InputError(f"{library} gave no answer within {_TIMEOUT_S} s.") from error
        except ValueError as error:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise InputError(
                f"{library} gave no answer ({reason[:300]}). Install it for {python[-1]}, with "
                "numpy."
            ) from error
        answers = tuple(
            str(fault) if fault else dict(np.load(Path(folder) / f"{number}.npz"))
            for number, fault in enumerate(found["faults"])
        )
    refused = tuple(tuple(each or ()) for each in found["analysis"])
    return Answers(str(found["version"]), answers, refused, found["control"])
