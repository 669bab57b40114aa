"""The loss terms at the edges: precision, autocast, coinciding images, devices and misuse."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from distill import losses
from distill.losses.golden import INPUT_AXES, compute_terms
from runtimes.errors import InputError

GOLDEN = Path(__file__).with_name("golden_losses.npz")


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    torch.manual_seed(0)


def golden_inputs() -> dict[str, Tensor]:
    with np.load(GOLDEN, allow_pickle=False) as golden:
        return {name: torch.from_numpy(golden[f"case1/in/{name}"]) for name in INPUT_AXES}


def test_float32_stays_close_where_the_student_nearly_equals_the_teacher() -> None:
    inputs = golden_inputs()
    inputs["feat_s"] = inputs["feat_t"] * (1 + 1e-3)
    inputs["pool_s"] = inputs["pool_t"] + 100 + 1e-3 * torch.sin(inputs["pool_t"])
    inputs = {k: v.float().double() if v.is_floating_point() else v for k, v in inputs.items()}
    narrow = {k: v.float() if v.is_floating_point() else v for k, v in inputs.items()}
    exact, single = compute_terms(inputs), compute_terms(narrow)
    for term in ("crkd", "rkd_distance", "rkd_angle"):
        assert single[term].dtype == torch.float32
        torch.testing.assert_close(single[term].double(), exact[term], rtol=1e-5, atol=0)


def test_autocast_does_not_reach_into_the_terms() -> None:
    inputs = golden_inputs()
    narrow = {k: v.float() if v.is_floating_point() else v for k, v in inputs.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = compute_terms(narrow)
    for term, exact in compute_terms(inputs).items():
        torch.testing.assert_close(under_autocast[term].to(exact), exact, rtol=1e-5, atol=1e-6)


def test_half_precision_is_widened() -> None:
    logits_s, logits_t = torch.randn(2, 4, 5).bfloat16()
    value = losses.distillation(logits_s, logits_t, 4.0)
    assert value.dtype == torch.float32
    assert value == losses.distillation(logits_s.float(), logits_t.float(), 4.0)


def test_coinciding_images_give_finite_gradients() -> None:
    student, teacher = torch.randn(2, 8, 5, dtype=torch.float64)
    student[3] = student[2]
    teacher[6] = teacher[5]
    student.requires_grad_()
    losses.drkd(student, teacher).backward()
    assert student.grad.isfinite().all()
    assert student.grad.abs().max() < 1e3


def test_relations_do_not_see_where_the_features_lie() -> None:
    inputs = golden_inputs()
    torch.testing.assert_close(
        losses.drkd(inputs["pool_s"] + 1e5, inputs["pool_t"] - 1e5),
        losses.drkd(inputs["pool_s"], inputs["pool_t"]),
        rtol=1e-8,
        atol=0,
    )


def test_equal_maps_give_zero_and_a_finite_gradient() -> None:
    student = torch.rand(4, 3, 2, 2, dtype=torch.float64)
    teacher = student.clone()
    value = losses.crkd(student.requires_grad_(), teacher)
    value.backward()
    assert value < 1e-8
    assert student.grad.isfinite().all()
    nothing = torch.zeros((), requires_grad=True)
    losses.root_of_mean_square(nothing).backward()
    assert nothing.grad == 0


def test_mean_square_is_never_negative() -> None:
    maps = golden_inputs()["feat_s"]
    for step in range(40):
        nearly = maps * (1 + 1e-13 * step)
        assert losses.crkd_mean_square(nearly, maps) >= 0


def test_root_over_processes_is_the_root_of_the_averaged_mean_squares() -> None:
    inputs = golden_inputs()
    halves = [
        losses.crkd_mean_square(inputs["feat_s"][rows], inputs["feat_t"][rows])
        for rows in (slice(0, 8), slice(8, 16))
    ]
    torch.testing.assert_close(
        losses.root_of_mean_square(sum(halves) / 2),
        losses.crkd(inputs["feat_s"], inputs["feat_t"]),
    )


def test_no_gradient_reaches_the_teacher_by_distillation() -> None:
    inputs = golden_inputs()
    learners = [inputs[f"{key}_s"].requires_grad_() for key in ("feat", "pool", "logits", "proj")]
    teachers = [inputs[f"{key}_t"].requires_grad_() for key in ("feat", "pool", "logits", "proj")]
    compute_terms(inputs)["total"].backward()
    assert all(teacher.grad is None for teacher in teachers)
    assert all(learner.grad.abs().sum() > 0 for learner in learners)


def test_teacher_head_is_trained_by_its_own_loss() -> None:
    proj = torch.randn(8, 5, requires_grad=True)
    losses.contrastive_teacher_loss(losses.similarity(proj)).backward()
    assert proj.grad.abs().sum() > 0


def test_terms_never_wait_for_the_device() -> None:
    """Fake tensors hold no values, so a term that read one would raise."""
    with FakeTensorMode():
        inputs = {
            name: torch.empty(value.shape, dtype=value.dtype)
            for name, value in golden_inputs().items()
        }
        terms = {
            "wce": losses.weighted_cross_entropy(
                losses.unrotated(inputs["logits_s"]), inputs["target"], inputs["class_weight"]
            ),
            "kd": losses.distillation(inputs["logits_s"], inputs["logits_t"], 4.0),
            "tf": losses.rotated_distillation(
                inputs["logits_s"], inputs["logits_t"], inputs["target"], keep=0.5
            ),
            "ss": losses.contrastive_distillation(
                losses.similarity(inputs["proj_s"]), losses.similarity(inputs["proj_t"])
            ),
            "drkd": losses.drkd(inputs["pool_s"], inputs["pool_t"]),
            "crkd": losses.crkd(inputs["feat_s"], inputs["feat_t"]),
        }
        assert losses.ssd_kd_total(terms).shape == ()


def test_class_weights_are_total_over_count_to_three_digits() -> None:
    assert losses.class_weights([1, 2, 4]).tolist() == pytest.approx([7.0, 3.5, 1.75])
    assert losses.class_weights([3, 4]).tolist() == pytest.approx([2.333, 1.75])


def test_class_without_images_is_named() -> None:
    with pytest.raises(InputError, match=r"\[5, 0, 2\].*class number \[1\]"):
        losses.class_weights([5, 0, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.similarity(torch.rand(6, 3)), "groups of 4"),
        (lambda: losses.unrotated(torch.rand(0, 3)), "groups of 4"),
        (lambda: losses.drkd(torch.rand(1, 3), torch.rand(1, 3)), "n ≥ 2"),
        (lambda: losses.rkd_angle(torch.rand(4, 3), torch.rand(5, 3)), "same n"),
        (lambda: losses.crkd(torch.rand(4, 3, 2, 2), torch.rand(4, 5, 2, 2)), "adapter"),
        (lambda: losses.ranked_rows(torch.rand(4, 3), torch.zeros(4).long(), 1.5), "got 1.5"),
        (lambda: losses.ssd_kd_total({"wce": torch.zeros(())}), "got the terms"),
    ],
)
def test_misuse_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize(
    "term",
    [
        lambda x, y: losses.rkd_distance(x, y),
        lambda x, y: losses.rkd_angle(x, y),
        lambda x, y: losses.crkd(x.view(8, 6, 2, 2), y.view(8, 6, 2, 2)),
        lambda x, y: losses.distillation(x, y, 4.0),
        lambda x, y: losses.contrastive_distillation(losses.similarity(x), losses.similarity(y)),
    ],
    ids=["distance", "angle", "crkd", "kd", "ss"],
)
def test_a_compiled_term_has_the_same_gradient(
    term: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    torch._dynamo.reset()
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand((2, 8, 24), generator=generator).double()
    gradients = []
    for run in (term, torch.compile(term)):
        inputs = one.clone().requires_grad_()
        run(inputs, other).backward()
        gradients.append(inputs.grad)
    torch.testing.assert_close(*gradients)
