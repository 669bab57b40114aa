"""The MIL evaluator computes what each operation means, or names the one that it does not know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtimes.errors import InputError

from .conftest import SIDE, Tiny
from .mil_cases import CASES, X


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Runs all cases in one package; case → (found, expected)."""
    import torch

    from runtimes.coremltools_import import import_coremltools
    from runtimes.mil_program import OPERATORS, load_program

    coremltools = import_coremltools()
    from coremltools.converters.mil.mil import Builder

    expected: dict[str, np.ndarray] = {}
    specs = [Builder.TensorSpec(X.shape)]

    # a program of constants only, never written: coremltools computes each operation's value, some
    # of them in place
    @Builder.program(input_specs=specs, opset_version=coremltools.target.iOS17)
    def values(x: Any) -> Any:
        for name, (build, definition) in CASES.items():
            meant = definition if definition is not None else build(Builder, X.copy()).val
            assert meant is not None, f"coremltools cannot compute {name}; define it here"
            expected[name] = np.asarray(meant)
        return Builder.identity(x=x)

    @Builder.program(input_specs=specs, opset_version=coremltools.target.iOS17)
    def program(x: Any) -> Any:
        return tuple(
            Builder.identity(x=build(Builder, x), name=f"case{number}")
            for number, (build, _) in enumerate(CASES.values())
        )

    path = tmp_path_factory.mktemp("mil") / "cases.mlpackage"
    coremltools.convert(
        program,
        compute_precision=coremltools.precision.FLOAT32,
        minimum_deployment_target=coremltools.target.iOS17,
        # the passes would replace some of the operations that are to be tested
        pass_pipeline=coremltools.PassPipeline.EMPTY,
        skip_model_load=True,
    ).save(str(path))
    loaded = load_program(path)
    used = {step.operation for step in loaded.steps}
    assert used == set(OPERATORS), "every operation is tried, and none but those"
    found = loaded.run(torch.from_numpy(X))
    return {
        name: (found[f"case{number}"].numpy(), expected[name]) for number, name in enumerate(CASES)
    }


@pytest.mark.parametrize("case", CASES)
def test_an_operation_computes_what_it_means(
    ran: dict[str, tuple[np.ndarray, np.ndarray]], case: str
) -> None:
    found, expected = ran[case]
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_fp16_rounds_and_overflows_as_on_a_phone(tmp_path: Path) -> None:
    found = _run(
        tmp_path,
        lambda mb, x: mb.add(x=mb.mul(x=x, y=np.float16(1)), y=np.float16(1)),
        np.array([2048.0, 65504.0, 0.1], np.float32),
    )
    assert found[0] == 2048.0  # 2049 is no fp16 number
    assert np.isinf(_run(tmp_path, lambda mb, x: mb.mul(x=x, y=np.float16(2)), found)[1])
    assert found[2] == np.float32(np.float16(np.float16(0.1) + np.float16(1)))


def test_an_unknown_operation_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not know cumsum\..*conv.*macOS"):
        _run(tmp_path, lambda mb, x: mb.cumsum(x=x, axis=0), np.zeros(3, np.float32))


def test_quantized_and_palettized_weights_are_unpacked(tiny: Tiny, tmp_path: Path) -> None:
    from runtimes.coremltools_import import import_coremltools
    from runtimes.metadata import embed_contract
    from runtimes.session import open_model

    coremltools = import_coremltools()
    optimize = coremltools.optimize.coreml
    model = coremltools.models.MLModel(str(tiny.mlpackage), skip_model_load=True)
    linear = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0)
    table = optimize.OpPalettizerConfig(mode="uniform", nbits=8, weight_threshold=0)
    images = tiny.images(2)
    for function, config in (
        (optimize.linear_quantize_weights, linear),
        (optimize.palettize_weights, table),
    ):
        smaller = function(model, optimize.OptimizationConfig(config))
        path = tmp_path / f"{function.__name__}.mlpackage"
        smaller.save(str(path))
        embed_contract(path, tiny.contract)
        answer = open_model(path).predict(images)
        difference = np.abs(answer.probabilities - tiny.expected(images)[0]).max()
        assert 1e-5 < difference < 0.02


@pytest.mark.parametrize(
    ("kind", "told"), [("neuralNetwork", "a neuralNetwork"), (None, "no model")]
)
def test_a_package_of_another_kind_says_what_it_holds(
    tiny: Tiny, copy_of: Callable[[Path], Path], kind: str | None, told: str
) -> None:
    from runtimes.coreml_metadata import specification_file
    from runtimes.coremltools_import import import_coremltools
    from runtimes.mil_program import load_program

    path = copy_of(tiny.mlpackage)
    specification = import_coremltools().utils.load_spec(str(path))
    specification.ClearField("mlProgram")
    if kind is not None:
        getattr(specification, kind).SetInParent()
    specification_file(path).write_bytes(specification.SerializeToString())
    with pytest.raises(InputError, match=f"it holds {told}; expected an mlProgram"):
        load_program(path)


def test_an_image_input_in_bgr_gets_its_colours_in_that_order(
    tiny: Tiny, copy_of: Callable[[Path], Path]
) -> None:
    from runtimes.coreml_metadata import specification_file
    from runtimes.coremltools_import import import_coremltools
    from runtimes.session import open_model

    path = copy_of(tiny.mlpackage)
    coremltools = import_coremltools()
    specification = coremltools.utils.load_spec(str(path))
    image = specification.description.input[0].type.imageType
    image.colorSpace = image.ColorSpace.Value("BGR")
    specification_file(path).write_bytes(specification.SerializeToString())
    images = tiny.images(1)
    turned = np.ascontiguousarray(images[..., ::-1])
    answer = open_model(path).predict(turned)
    assert np.array_equal(
        answer.probabilities, open_model(tiny.mlpackage).predict(images).probabilities
    )
    assert answer.cam.shape == (1, SIDE // 2, SIDE // 2, 3)


def _run(folder: Path, build: Callable[[Any, Any], Any], x: np.ndarray) -> np.ndarray:
    import torch

    from runtimes.coremltools_import import import_coremltools
    from runtimes.mil_program import load_program

    coremltools = import_coremltools()
    from coremltools.converters.mil.mil import Builder, types

    @Builder.program(
        input_specs=[Builder.TensorSpec(x.shape, dtype=types.fp16)],
        opset_version=coremltools.target.iOS16,
    )
    def program(x: Any) -> Any:
        return build(Builder, x)

    path = folder / "one.mlpackage"
    coremltools.convert(
        program,
        minimum_deployment_target=coremltools.target.iOS16,
        pass_pipeline=coremltools.PassPipeline.EMPTY,
        skip_model_load=True,
    ).save(str(path))
    (found,) = load_program(path).run(torch.from_numpy(x)).values()
    return found.numpy()
