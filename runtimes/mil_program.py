"""The MIL program of an .mlpackage, carried out in torch.

Core ML runs on Apple's systems only. This evaluator follows the same program with the same weights
elsewhere: every operation is computed in float32, and where MIL says fp16 its result is rounded to
fp16, so that overflow and rounding show as they would on a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runtimes.coreml_metadata import specification_file
from runtimes.coremltools_import import import_coremltools
from runtimes.errors import DermportError, InputError
from runtimes.mil_arguments import Arguments, Operator, UnsupportedError, Value, as_type
from runtimes.mil_elementwise import ELEMENTWISE
from runtimes.mil_layers import LAYERS
from runtimes.mil_tensors import TENSORS

OPERATORS: dict[str, Operator] = {**ELEMENTWISE, **LAYERS, **TENSORS}
# Their results are elements of what they are given, or limits: no type has to be brought about.
# What `quantize` gives are whole numbers of its type already; they stay in float32.
_TYPE_KEEPING = frozenset(TENSORS) | {"clip", "identity", "max_pool", "quantize", "relu", "relu6"}


@dataclass(frozen=True)
class Result:
    """A value that an operation gives, as the program declares it.

    Attributes:
        operation: that gives it.
        name: of the value.
        kind: its MIL type, for example "fp16".
        shape: its sides; those that the program leaves open are None.
    """

    operation: str
    name: str
    kind: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class _Step:
    """One operation: arguments known at load time, and which earlier results fill the others."""

    operation: str
    known: Mapping[str, Value]
    wanted: Mapping[str, str]
    wanted_lists: Mapping[str, tuple[str, ...]]
    results: tuple[Result, ...]
    last_use_of: tuple[str, ...]


@dataclass(frozen=True)
class MilProgram:
    """A loaded program: `run` maps its input to its outputs by name.

    Attributes:
        input_name: name of the one input.
        input_type: its MIL type, for example "fp32".
        input_shape: its shape, channels first as Core ML's images are, or channels last.
        output_shapes: output name → shape.
        blue_first: whether the input image is BGR.
        steps: the operations in order.
        constants: values that are looked up by name while it runs.
    """

    input_name: str
    input_type: str
    input_shape: tuple[int, ...]
    output_shapes: Mapping[str, tuple[int, ...]]
    blue_first: bool
    steps: tuple[_Step, ...]
    constants: Mapping[str, Value]

    def run(
        self, image: Tensor, watch: Callable[[Result, Value], None] | None = None
    ) -> dict[str, Tensor]:
        """Carries out the program for one input of `input_shape`.

        Args:
            image: the input.
            watch: is shown every result with its value, in order.

        Raises:
            InputError: an operation of the program cannot be carried out.
        """
        values: dict[str, Value] = {self.input_name: as_type(image, self.input_type)}

        def value(name: str) -> Value:
            return values[name] if name in values else self.constants[name]

        for step in self.steps:
            arguments = dict(step.known)
            arguments |= {key: value(name) for key, name in step.wanted.items()}
            arguments |= {k: [value(n) for n in names] for k, names in step.wanted_lists.items()}
            found = OPERATORS[step.operation](Arguments(step.operation, arguments))
            found = found if isinstance(found, list) else [found]
            for value_found, result in zip(found, step.results, strict=True):
                typed = step.operation in _TYPE_KEEPING
                values[result.name] = value_found if typed else as_type(value_found, result.kind)
                if watch is not None:
                    watch(result, values[result.name])
            for name in step.last_use_of:
                values.pop(name, None)
        return {name: value(name) for name in self.output_shapes}


def load_program(package: Path) -> MilProgram:
    """Loads the program of an .mlpackage.

    Raises:
        InputError: damaged, not an ML program, or with an operation that is not known here (all of
            them are named).
        MissingDependencyError: coremltools is not installed.
    """
    with _damage(package):
        return _compile(package, *_read(package))


def read_function(package: Path) -> Any:
    """Returns the main function of an .mlpackage, of coremltools' class, with its operations.

    Raises:
        InputError: damaged, or not an ML program.
        MissingDependencyError: coremltools is not installed.
    """
    with _damage(package):
        return _read(package)[0]


@contextmanager
def _damage(package: Path) -> Iterator[None]:
    # The loader trusts what the files say; damaged ones end in whatever exception they lead to.
    try:
        yield
    except DermportError:
        raise
    except UnsupportedError as error:
        raise InputError(
            f"{package}: the MIL evaluator does not know {error}. Run this package on macOS, "
            "where Core ML itself is used."
        ) from error
    except Exception as error:
        raise InputError(
            f"{package}: the Core ML package is damaged ({type(error).__name__}: "
            f"{str(error)[:200]}). Fetch the whole folder again or export it again."
        ) from error


def _read(package: Path) -> tuple[Any, Any]:
    """The main function and the specification of a package."""
    specification_file(package)
    import_coremltools()
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.models import MLModel

    model = MLModel(str(package), skip_model_load=True)
    specification = model.get_spec()
    kind = specification.WhichOneof("Type")
    if kind != "mlProgram":
        raise InputError(
            f"{package}: it holds {f'a {kind}' if kind else 'no model'}; expected an mlProgram. "
            "Export it again for iOS 15 or later."
        )
    program = load(
        specification,
        specification_version=specification.specificationVersion,
        file_weights_dir=model.weights_dir,
    )
    return program.functions["main"], specification


def _compile(package: Path, function: Any, specification: Any) -> MilProgram:
    if len(function.inputs) != 1:
        raise InputError(
            f"{package}: the program takes {', '.join(function.inputs) or 'no input'}; expected "
            "one image. This is not an image classifier that can be run here."
        )
    (name, variable), *_ = function.inputs.items()
    constants: dict[str, Value] = {}
    pending = []
    for operation in function.operations:
        known = _constant_results(operation)
        if known is None:
            pending.append(operation)
        else:
            constants |= known
    _check_known(package, pending)
    outputs = {
        output.name: tuple(int(side) for side in output.shape) for output in function.outputs
    }
    color_space = specification.description.input[0].type.imageType.ColorSpace
    image = specification.description.input[0].type.imageType
    steps = _steps(pending, constants, keep={name, *outputs})
    lists = (names for step in steps for names in step.wanted_lists.values())
    looked_up = {*outputs, *(key for names in lists for key in names)}
    return MilProgram(
        input_name=name,
        input_type=_type_name(variable),
        input_shape=tuple(int(side) for side in variable.shape),
        output_shapes=outputs,
        blue_first=image.colorSpace == color_space.Value("BGR"),
        steps=steps,
        constants={key: constants[key] for key in looked_up if key in constants},
    )


def _constant_results(operation: Any) -> dict[str, Value] | None:
    if operation.op_type.startswith("constexpr_"):
        values = [operation.materialized_val_inference()]
    else:
        values = [output.val for output in operation.outputs]
        if any(value is None for value in values):
            return None
    return {
        output.name: _as_value(value, _type_name(output))
        for output, value in zip(operation.outputs, values, strict=True)
    }


def _check_known(package: Path, operations: list[Any]) -> None:
    unknown = sorted({operation.op_type for operation in operations} - OPERATORS.keys())
    if unknown:
        raise InputError(
            f"{package}: the MIL evaluator does not know {', '.join(unknown)}. "
            f"It knows: {', '.join(sorted(OPERATORS))}. Run this package on macOS, "
            "where Core ML itself is used."
        )


def _steps(
    operations: list[Any], constants: Mapping[str, Value], keep: set[str]
) -> tuple[_Step, ...]:
    last_use: dict[str, int] = {}
    for position, operation in enumerate(operations):
        for argument in operation.inputs.values():
            for variable in argument if isinstance(argument, list | tuple) else [argument]:
                last_use[variable.name] = position
    steps = []
    for position, operation in enumerate(operations):
        known: dict[str, Value] = {}
        wanted: dict[str, str] = {}
        wanted_lists: dict[str, tuple[str, ...]] = {}
        for key, argument in operation.inputs.items():
            if isinstance(argument, list | tuple):
                names = tuple(variable.name for variable in argument)
                if all(name in constants for name in names):
                    known[key] = [constants[name] for name in names]
                else:
                    wanted_lists[key] = names
            elif argument.name in constants:
                known[key] = constants[argument.name]
            else:
                wanted[key] = argument.name
        steps.append(
            _Step(
                operation=operation.op_type,
                known=known,
                wanted=wanted,
                wanted_lists=wanted_lists,
                results=tuple(
                    Result(operation.op_type, o.name, _type_name(o), _sides(o))
                    for o in operation.outputs
                ),
                last_use_of=tuple(
                    name for name, at in last_use.items() if at == position and name not in keep
                ),
            )
        )
    return tuple(steps)


def _as_value(value: Any, mil_type: str) -> Value:
    if isinstance(value, str):
        return value
    array = np.array(value)  # a copy: what the loader gives may be read-only
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return as_type(torch.from_numpy(array), mil_type)


def _sides(variable: Any) -> tuple[int | None, ...]:
    sides = variable.shape or ()
    return tuple(int(side) if str(side).isdecimal() else None for side in sides)


def _type_name(variable: Any) -> str:
    from coremltools.converters.mil.mil import types

    return types.builtin_to_string(variable.dtype)
