"""What a GPU must do as the CPU does, and without making the host wait. Skipped without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_nets import tiny_classifier
from train_tiny import STAGE, train_tiny

from distill.augment import Augmentation, make_views, plain_view
from distill.checkpoint import load_classifier
from distill.dataset import Dataset, to_device
from distill.device import choose_device, to_channels_last
from distill.inference import predict_logits
from distill.losses.golden import compute_terms
from distill.optimizer import build_optimizer
from distill.recipes import Phase, Stage, names, read_method
from distill.runlog import read_log
from distill.tasks import FrozenTeacher, ProjectionHead, StudentTask
from distill.train import Context, draw_views, training_step
from distill.trainstate import TrainState

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
STUDENT = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd" / "student.safetensors"
ADAMW = replace(STAGE, optimizer="adamw", lr=0.003, weight_decay=0.05, grad_clip=1.0)


@pytest.fixture(scope="module")
def gpu() -> torch.device:
    return choose_device("cuda")


@pytest.fixture
def repeatable() -> Iterator[None]:
    """Kernels that give the same bits each time."""
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    yield
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before


def test_loss_terms_are_the_golden_ones(gpu: torch.device) -> None:
    with np.load(Path(__file__).with_name("golden_losses.npz")) as golden:
        case = {
            key.removeprefix("case0/in/"): torch.from_numpy(golden[key])
            for key in golden.files
            if key.startswith("case0/in/")
        }
    expected = compute_terms(case)
    found = compute_terms({name: value.to(gpu) for name, value in case.items()})
    for name, value in expected.items():
        torch.testing.assert_close(found[name].cpu(), value, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", names("methods"))
@pytest.mark.parametrize("views", [1, 4])
def test_no_step_waits_for_the_device(
    name: str, views: int, gpu: torch.device, dataset: Dataset
) -> None:
    teacher = FrozenTeacher(tiny_classifier(12, seed=1), ProjectionHead(12), 32)
    teacher.model.to(gpu)
    teacher.head.to(gpu)  # type: ignore[union-attr]
    task = StudentTask(tiny_classifier(), read_method(name), torch.ones(8), teacher)
    to_channels_last(task, gpu).train()
    phase = Phase(1, 48, 8, views)
    stage = Stage(phases=(phase,), lr=1e-3, optimizer="adamw", grad_clip=1.0)
    optimizer, state = build_optimizer(task, stage), TrainState()
    context = Context(dataset, to_device(dataset, gpu), Augmentation(), 0, torch.bfloat16)
    rows = torch.from_numpy(dataset.rows("train")[:8]).to(gpu)
    target = torch.from_numpy(dataset.labels("train")[:8]).to(gpu)

    def step(number: int) -> None:
        drawn = draw_views(rows, phase, (0, 0, number), context)
        state.count(training_step(task, optimizer, drawn, target, stage, context))

    for number in range(3):  # libraries may wait at their first call
        step(number)
    torch.cuda.synchronize()
    try:
        torch.cuda.set_sync_debug_mode("error")
        step(3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(bool(torch.isfinite(value)) for value in state.sums.values())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.usefixtures("repeatable")
def test_a_stopped_run_goes_on_to_the_same_bits(
    precision: torch.dtype, optimizer: str, gpu: torch.device, dataset: Dataset, tmp_path: Path
) -> None:
    stage = ADAMW if optimizer == "adamw" else STAGE
    whole = train_tiny(dataset, tmp_path / "a", stage=stage, precision=precision, device=gpu)
    folder = tmp_path / "b"
    for steps in (1, 12):
        stopped = train_tiny(dataset, folder, steps, stage=stage, precision=precision, device=gpu)
        assert stopped is None
    task = train_tiny(dataset, folder, stage=stage, precision=precision, device=gpu)
    assert whole is not None
    assert task is not None
    for key, value in whole.state_dict().items():
        assert torch.equal(task.state_dict()[key], value), key


def test_a_trained_student_answers_as_on_the_cpu(gpu: torch.device, dataset: Dataset) -> None:
    """In float32, which TF32 with its ten bits would not pass."""
    rows = dataset.rows("validation")
    model = load_classifier(STUDENT).eval()
    on_cpu = predict_logits(model, to_device(dataset, torch.device("cpu")), rows, 64).numpy()
    on_gpu = predict_logits(to_channels_last(model, gpu), to_device(dataset, gpu), rows, 64).numpy()
    assert on_cpu.std(axis=0).min() > 0.1
    np.testing.assert_allclose(on_gpu, on_cpu, atol=2e-4)


def test_training_lowers_the_loss(gpu: torch.device, dataset: Dataset, tmp_path: Path) -> None:
    train_tiny(dataset, tmp_path, device=gpu)
    losses = [row["loss"] for row in read_log(tmp_path / "log.jsonl")]
    assert losses[1] < losses[0]


def test_views_are_drawn_on_the_device(gpu: torch.device, dataset: Dataset) -> None:
    images, rows = to_device(dataset, gpu), torch.from_numpy(dataset.rows("train")[:6]).to(gpu)
    drawn = [
        make_views(images.batch(rows), 48, 4, Augmentation(), torch.Generator(gpu).manual_seed(5))
        for _ in range(2)
    ]
    assert drawn[0].device.type == "cuda"
    assert torch.equal(*drawn)
    on_cpu = to_device(dataset, torch.device("cpu")).batch(rows.cpu())
    plain = plain_view(images.batch(rows), 48).cpu()
    # Rounded to grey levels: a value between two may go either way.
    assert (plain - plain_view(on_cpu, 48)).abs().max() <= 1.01 / 127.5
