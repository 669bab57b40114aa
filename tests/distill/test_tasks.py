"""Tasks: which terms a method has, and faults of published code that must not come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_nets import tiny_classifier

from distill import losses
from distill.models import build_classifier, normalise
from distill.recipes import Method, Term, names, read_method
from distill.tasks import FrozenTeacher, ProjectionHead, StudentTask

TARGET = torch.tensor([0, 1, 5, 5])
WEIGHT = torch.tensor([2.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])


def _views(count: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return normalise(torch.rand(count, 3, 32, 32, generator=generator) * 255)


def _teacher(size: int = 32) -> FrozenTeacher:
    return FrozenTeacher(tiny_classifier(12, seed=1).train(), ProjectionHead(12).train(), size)


def _task(method: Method | str) -> StudentTask:
    method = read_method(method) if isinstance(method, str) else method
    torch.manual_seed(0)
    return StudentTask(tiny_classifier(), method, WEIGHT, _teacher())


@pytest.mark.parametrize("name", names("methods"))
def test_each_term_of_a_method_is_weighted_and_reaches_the_student(name: str) -> None:
    task = _task(name)
    terms = task(_views(), TARGET)
    assert set(terms) == set(task.method.terms)
    for key, value in terms.items():
        gradients = torch.autograd.grad(
            value, list(task.model.trunk.parameters()), retain_graph=True, allow_unused=True
        )
        assert any(g is not None and g.abs().sum() > 0 for g in gradients), key


def test_the_sum_is_that_of_the_published_total() -> None:
    task = _task("ssd_kd")
    views = _views()
    found = task(views, TARGET)
    student, (teacher, projection) = task.model(views), task.teacher(views)
    similar = losses.similarity(task.head(student.pooled)), losses.similarity(projection)
    terms = {
        "wce": losses.weighted_cross_entropy(losses.unrotated(student.logits), TARGET, WEIGHT),
        "kd": losses.distillation(
            losses.unrotated(student.logits), losses.unrotated(teacher.logits), 4.0
        ),
        "tf": losses.rotated_distillation(student.logits, teacher.logits, TARGET, 4.0, 1.0),
        "ss": losses.contrastive_distillation(*similar, 0.5, 0.75),
        "drkd": losses.drkd(student.pooled, teacher.pooled),
        "crkd": losses.crkd(task.adapter(student.last_map), teacher.last_map),
    }
    total = float(losses.ssd_kd_total(terms).detach())
    assert float(sum(found.values()).detach()) == pytest.approx(total, rel=1e-5)


def test_teacher_stays_in_evaluation_mode_and_gets_no_gradient() -> None:
    task = _task("ssd_kd")
    before = {k: v.clone() for k, v in task.teacher.model.state_dict().items()}
    task.train()
    sum(task(_views(), TARGET).values()).backward()
    assert not task.teacher.model.training
    assert not task.teacher.head.training
    assert all(p.grad is None for p in task.teacher.model.parameters())
    for key, value in task.teacher.model.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_optimizer_sees_head_and_adapter_but_not_the_teacher() -> None:
    trained = {name.split(".")[0] for name, _ in _task("ssd_kd").named_parameters()}
    assert trained == {"model", "head", "adapter"}
    assert "teacher" not in " ".join(_task("ssd_kd").state_dict())


def test_class_weights_count() -> None:
    method = Method("m", "", "", "", read_method("no_kd").pair, {"wce": Term(1.0)})
    views = _views(4)
    task, even = _task(method), StudentTask(tiny_classifier(), method, torch.ones(8), None)
    even.model.load_state_dict(task.model.state_dict())
    assert not np.isclose(float(task(views, TARGET)["wce"]), float(even(views, TARGET)["wce"]))


def test_temperatures_of_logits_and_similarities_are_apart() -> None:
    method = read_method("ssd_kd")
    other = {**method.terms, "ss": Term(10.0, temperature=2.0, keep=0.75)}
    changed = Method("m", "", "", "", method.pair, other)
    one, two = _task(method)(_views(), TARGET), _task(changed)(_views(), TARGET)
    assert not torch.isclose(one["ss"], two["ss"])
    assert torch.equal(one["kd"], two["kd"])


def test_the_papers_second_pair_gives_all_terms() -> None:
    classifiers = [build_classifier(f"efficientnet_{name}", 8) for name in ("b7", "b0")]
    teacher = FrozenTeacher(classifiers[0], ProjectionHead(classifiers[0].width), 32)
    task = StudentTask(classifiers[1], read_method("ssd_kd"), WEIGHT, teacher)
    terms = task(_views(), TARGET)
    assert all(torch.isfinite(value) for value in terms.values())
    sum(terms.values()).backward()
    assert task.adapter is not None
    assert task.adapter[0].weight.shape == (2560, 1280, 1, 1)


def test_with_one_view_the_terms_over_turned_views_rest() -> None:
    terms = _task("ssd_kd")(_views(4), TARGET)
    assert set(terms) == {"wce", "kd", "drkd", "crkd"}


def test_teacher_sees_pictures_at_its_own_size() -> None:
    teacher = _teacher(size=16)
    seen: list[torch.Size] = []
    teacher.model.trunk.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0].shape))
    teacher(_views(4))
    assert seen == [torch.Size([4, 3, 16, 16])]


def test_method_without_its_teacher_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a teacher"):
        StudentTask(tiny_classifier(), read_method("blkd"), WEIGHT, None)
    headless = FrozenTeacher(tiny_classifier(12), None, 32)
    with pytest.raises(ValueError, match="projection head"):
        StudentTask(tiny_classifier(), read_method("ssd_kd"), WEIGHT, headless)
