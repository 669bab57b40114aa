"""The terms that ssd_kd_plus adds to the paper's: logit adjustment and standardized logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from distill import losses


def _logits(seed: int) -> torch.Tensor:
    return torch.randn(6, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_standardized_distillation_sees_order_and_not_scale_or_offset() -> None:
    student, teacher = _logits(0), _logits(1)
    found = losses.standardized_distillation(student, teacher, 2.0)
    moved = losses.standardized_distillation(student * 3 + 5, teacher * 0.2 - 1, 2.0)
    torch.testing.assert_close(found, moved, rtol=1e-5, atol=0)
    assert losses.standardized_distillation(student, student * 2, 2.0) < 1e-12 < found


def test_standardized_distillation_is_the_equation() -> None:
    student, teacher = _logits(2), _logits(3)
    z_s, z_t = ((z - z.mean(1, True)) / z.std(1, keepdim=True) for z in (student, teacher))
    p_t, p_s = F.softmax(z_t / 2, 1), F.softmax(z_s / 2, 1)
    expected = 4 * (p_t * (p_t / p_s).log()).sum(1).mean()
    found = losses.standardized_distillation(student, teacher, 2.0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert torch.autograd.gradcheck(
        lambda x: losses.standardized_distillation(x, teacher, 2.0), (student.requires_grad_(),)
    )


def test_adjusted_logits_are_the_posterior_under_equal_classes() -> None:
    share = torch.tensor([0.7, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01], dtype=torch.float64)
    target = torch.tensor([0, 1, 7, 2, 3, 0])
    logits = _logits(4).requires_grad_()
    expected = -(F.softmax(logits, 1) * share)
    weighed = -expected / -expected.sum(1, keepdim=True)
    manual = -weighed[torch.arange(6), target].abs().log().mean()
    found = losses.adjusted_cross_entropy(logits, target, share, 1.0)
    torch.testing.assert_close(found, manual, rtol=1e-9, atol=0)
    plain = losses.adjusted_cross_entropy(logits, target, share, 0.0)
    torch.testing.assert_close(plain, F.cross_entropy(logits, target), rtol=1e-9, atol=0)
    assert torch.autograd.gradcheck(
        lambda x: losses.adjusted_cross_entropy(x, target, share, 0.5), (logits,)
    )
