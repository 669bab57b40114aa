"""The loss terms against direct implementations of their formulas, written out below.

Run as a program, this file writes tests/distill/golden_losses.npz from those implementations.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from distill import losses
from distill.losses.golden import OUTPUTS, check_golden, compute_terms

GOLDEN = Path(__file__).with_name("golden_losses.npz")


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    torch.manual_seed(0)


def reference_gram(feat: Tensor) -> Tensor:
    n, c, h, w = feat.shape
    flat = feat.reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


def reference_crkd(feat_s: Tensor, feat_t: Tensor) -> Tensor:
    return F.mse_loss(reference_gram(feat_s), reference_gram(feat_t)).sqrt()


def reference_distances(rows: Tensor) -> Tensor:
    n = len(rows)
    pairs = [
        (rows[i] - rows[j]).norm() if i != j else rows.new_zeros(())
        for i in range(n)
        for j in range(n)
    ]
    distances = torch.stack(pairs).reshape(n, n)
    return distances / distances[distances > 0].mean()


def reference_angles(rows: Tensor) -> Tensor:
    directions = F.normalize(rows[None, :, :] - rows[:, None, :], dim=2)
    return directions @ directions.transpose(1, 2)


def reference_angle_loss(pool_s: Tensor, pool_t: Tensor) -> Tensor:
    return F.smooth_l1_loss(reference_angles(pool_s), reference_angles(pool_t))


def reference_kl(scores_s: Tensor, scores_t: Tensor, temperature: float) -> Tensor:
    p_s, p_t = (scores.div(temperature).softmax(dim=1) for scores in (scores_s, scores_t))
    return (p_t * (p_t / p_s).log()).sum() / len(p_s) * temperature**2


def reference_ranks(scores: Tensor, target: Tensor) -> list[int]:
    return [
        sorted(range(len(row)), key=lambda column: -row[column]).index(right)
        for row, right in zip(scores.tolist(), target.tolist(), strict=True)
    ]


def reference_kept(ranks: list[int], keep: float) -> list[int]:
    wrong = sum(rank > 0 for rank in ranks)
    best = sorted(range(len(ranks)), key=lambda row: ranks[row])
    return sorted(best[: len(ranks) - wrong + math.floor(wrong * keep)])


def reference_similarity(proj: Tensor) -> Tensor:
    views, images = [row for i, row in enumerate(proj) if i % 4], proj[::4]
    return torch.stack([torch.cosine_similarity(view[None], images) for view in views])


def reference_outputs(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    target, weight = inputs["target"], inputs["class_weight"]
    first = torch.arange(len(inputs["logits_s"])) % 4 == 0
    plain_s, plain_t = inputs["logits_s"][first], inputs["logits_t"][first]
    picked = weight[target]
    wce = (picked * -plain_s.log_softmax(1)[range(len(target)), target]).sum() / picked.sum()
    similarity_s, similarity_t = (reference_similarity(inputs[f"proj_{x}"]) for x in "st")
    own = torch.tensor([image for image in range(len(target)) for _ in range(3)])
    ranks = reference_ranks(similarity_t, own)
    kept = reference_kept(ranks, 0.75)
    pools = inputs["pool_s"], inputs["pool_t"]
    distance = F.smooth_l1_loss(*(reference_distances(pool) for pool in pools))
    angle = reference_angle_loss(*pools)
    drkd = 25 * distance + 50 * angle
    crkd = reference_crkd(inputs["feat_s"], inputs["feat_t"])
    kd = reference_kl(plain_s, plain_t, 4.0)
    tf = reference_kl(inputs["logits_s"][~first], inputs["logits_t"][~first], 4.0)
    ss = reference_kl(similarity_s[kept], similarity_t[kept], 0.5)
    own_scores = similarity_t.log_softmax(1)[range(len(own)), own]
    return {
        "gram_t0": reference_gram(inputs["feat_t"])[0],
        "crkd": crkd,
        "rkd_distance": distance,
        "rkd_angle": angle,
        "drkd": drkd,
        "blkd_lambda0.5_T5": 0.5 * wce + 0.5 * reference_kl(plain_s, plain_t, 5.0),
        "similarity_s": similarity_s,
        "similarity_t": similarity_t,
        "teacher_ss_loss": -own_scores.mean(),
        "ss_rank": torch.tensor(ranks),
        "ss_keep": torch.tensor(kept),
        "wce": wce,
        "kd": kd,
        "tf": tf,
        "ss": ss,
        "hr": drkd + 1000 * crkd,
        "total": 0.1 * wce + 0.9 * kd + 2.7 * tf + 10 * ss + drkd + 1000 * crkd,
    }


def random_inputs(seed: int, batch: int = 3, classes: int = 5) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    n = 4 * batch
    return {
        "target": torch.randint(classes, (batch,), generator=generator),
        "class_weight": draw(classes).abs() + 0.1,
        "feat_s": draw(n, 6, 3, 2).relu(),
        "feat_t": draw(n, 6, 3, 2).relu(),
        "pool_s": draw(n, 4),
        "pool_t": draw(n, 7),
        "logits_s": 3 * draw(n, classes),
        "logits_t": 3 * draw(n, classes),
        "proj_s": draw(n, 4),
        "proj_t": draw(n, 7),
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("term", OUTPUTS)
def test_each_term_equals_its_direct_formula(term: str, seed: int) -> None:
    inputs = random_inputs(seed, batch=2 + seed)
    torch.testing.assert_close(
        compute_terms(inputs)[term], reference_outputs(inputs)[term], rtol=1e-9, atol=1e-12
    )


def test_each_term_equals_the_published_code(shared: Path) -> None:
    errors = check_golden(shared / "golden" / "ssd_kd_losses.npz")
    assert len(errors) == 3 * len(OUTPUTS)
    assert {error.term: error.relative for error in errors if not error.relative <= 1e-9} == {}


def test_committed_golden_file_is_what_the_direct_formulas_give() -> None:
    with np.load(GOLDEN, allow_pickle=False) as golden:
        for case in ("case0", "case1"):
            names = random_inputs(0)
            inputs = {name: torch.from_numpy(golden[f"{case}/in/{name}"]) for name in names}
            for term, expected in reference_outputs(inputs).items():
                np.testing.assert_allclose(golden[f"{case}/out/{term}"], expected, rtol=1e-9)


GRADIENTS = {
    "wce": lambda x, t: losses.weighted_cross_entropy(x, torch.tensor([1, 0, 2, 1]), t[0].exp()),
    "distillation": lambda x, t: losses.distillation(x, t, 4.0),
    "blkd": lambda x, t: losses.blkd(x, t, torch.tensor([1, 0, 2, 1]), None, 0.3),
    "distance": losses.rkd_distance,
    "angle": losses.rkd_angle,
    "drkd": losses.drkd,
    "tf": lambda x, t: losses.rotated_distillation(
        x.repeat(2, 1), t.repeat(2, 1), torch.tensor([0, 1]), 4.0, 0.5
    ),
    "similarity": lambda x, t: losses.similarity(x),
    "teacher": lambda x, t: losses.contrastive_teacher_loss(
        losses.similarity(torch.cat([x, x.flip(0).sin()]))
    ),
    "ss": lambda x, t: losses.contrastive_distillation(x, t, 0.5, 0.5),
}


@pytest.mark.parametrize("term", GRADIENTS)
def test_gradients_are_those_of_the_values(term: str) -> None:
    generator = torch.Generator().manual_seed(5)
    columns = 3 if term != "ss" else 2
    rows = 4 if term != "ss" else 6
    student, teacher = torch.randn(2, rows, columns, generator=generator, dtype=torch.float64)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: GRADIENTS[term](x, teacher), (student,))


def test_gradient_of_crkd_is_that_of_its_value() -> None:
    inputs = random_inputs(4, batch=1)
    student = inputs["feat_s"].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: losses.crkd(x, inputs["feat_t"]), (student,))
    assert torch.autograd.gradcheck(losses.gram_matrix, (student,))


@pytest.mark.parametrize(
    ("fast", "direct", "key"),
    [
        (losses.crkd, reference_crkd, "feat"),
        (losses.rkd_angle, reference_angle_loss, "pool"),
    ],
)
def test_fast_forms_have_the_gradients_of_the_direct_ones(fast, direct, key: str) -> None:
    inputs = random_inputs(6)
    gradients = []
    for term in (fast, direct):
        student = inputs[f"{key}_s"].clone().requires_grad_()
        gradients.append(torch.autograd.grad(term(student, inputs[f"{key}_t"]), student)[0])
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-14)


def test_crkd_takes_maps_of_different_sizes() -> None:
    small, large = torch.rand(2, 5, 2, 2).double(), torch.rand(2, 5, 4, 3).double()
    torch.testing.assert_close(
        losses.crkd(small, large), reference_crkd(small, large), rtol=1e-9, atol=0
    )


def test_images_at_one_place_have_the_angle_zero_there() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    other = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(losses.rkd_angle(other, rows), reference_angle_loss(other, rows))


@pytest.mark.parametrize("keep", [0.0, 0.29, 0.5, 0.75, 1.0])
def test_ranking_keeps_right_rows_and_the_best_of_the_wrong(keep: float) -> None:
    generator = torch.Generator().manual_seed(1)
    # Few distinct scores, so that ties within a row and between rows are common.
    scores = torch.randint(4, (150, 6), generator=generator).double()
    target = torch.randint(6, (150,), generator=generator)
    ranks = reference_ranks(scores, target)
    assert losses.row_ranks(scores, target).tolist() == ranks
    mask = losses.ranked_rows(scores, target, keep)
    assert mask.nonzero()[:, 0].tolist() == reference_kept(ranks, keep)


def test_share_of_wrong_rows_is_rounded_as_python_rounds_it() -> None:
    all_wrong, target = torch.tensor([[1.0, 0.0]]).repeat(100, 1), torch.ones(100).long()
    # In float64 100 · 0.29 lies just below 29, in float32 it does not.
    assert losses.ranked_rows(all_wrong, target, 0.29).sum() == int(100 * 0.29) == 28


def test_rotated_distillation_learns_from_the_kept_rows_alone() -> None:
    inputs = random_inputs(11, batch=8)
    logits_s, logits_t, target = inputs["logits_s"], inputs["logits_t"], inputs["target"]
    wide_s, wide_t = losses.rotated(logits_s), losses.rotated(logits_t)
    kept = reference_kept(reference_ranks(wide_t, target.repeat_interleave(3)), 0.4)
    assert 0 < len(kept) < len(wide_s)
    torch.testing.assert_close(
        losses.rotated_distillation(logits_s, logits_t, target, 4.0, keep=0.4),
        reference_kl(wide_s[kept], wide_t[kept], 4.0),
    )


def test_views_are_split_image_by_image() -> None:
    views = torch.arange(8)
    assert losses.unrotated(views).tolist() == [0, 4]
    assert losses.rotated(views).tolist() == [1, 2, 3, 5, 6, 7]


def _write_golden() -> None:
    arrays = {}
    for case, batch in enumerate((2, 4)):
        inputs = random_inputs(seed=100 + case, batch=batch, classes=4 + case)
        for side, values in (("in", inputs), ("out", reference_outputs(inputs))):
            arrays |= {f"case{case}/{side}/{name}": v.numpy() for name, v in values.items()}
    np.savez(GOLDEN, **arrays)


if __name__ == "__main__":
    _write_golden()
