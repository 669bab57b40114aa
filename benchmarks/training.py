"""How much of the bare networks' speed the training loop keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.compute_rate import matrix_rate, step_flops
from benchmarks.memory import peak_memory
from benchmarks.trace import TraceSummary, summarise_trace
from distill.augment import Augmentation
from distill.dataset import DeviceImages
from distill.device import keep_freed_memory, ready_for_training, to_channels_last
from distill.models import build_classifier, normalise
from distill.provenance import provenance
from distill.recipes import Method, Pair, Phase, Stage
from distill.tasks import FrozenTeacher, ProjectionHead, StudentTask
from distill.train import Context, draw_views, training_step
from distill.trainstate import TrainState
from runtimes.atomic import replacing_file

_CLASSES = 8
_IMAGES = 512
_REPLICATES = 2000
_TRACED_STEPS = 3


@dataclass(frozen=True)
class TrainingSpeed:
    """Rates in images (not views) per second, and their ratio with its 95 % interval.

    Attributes:
        tera_flops: what the loop achieves, in 10¹² FLOP/s of convolutions and matrix products (two
            a multiply-accumulate), teacher and student.
        matrix_tera_flops: what the device achieves on large matrix products of that precision.
        epoch_seconds: an epoch of `epoch_images` at the loop's rate.
        memory_kept: see `distill.device.keep_freed_memory`.
        peak_memory_bytes: of this process, on the host.
        trace: what a trace of the loop's steps says, where one was written on a GPU.
    """

    method: str
    teacher: str
    student: str
    size: int
    batch: int
    views: int
    device: str
    precision: str
    compiled: bool
    bare_images_per_second: float
    loop_images_per_second: float
    share: float
    share_low: float
    share_high: float
    pairs: int
    tera_flops: float
    matrix_tera_flops: float
    epoch_images: int
    epoch_seconds: float
    memory_kept: bool
    peak_memory_bytes: int
    trace: TraceSummary | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values with versions and commit."""
        return {**asdict(self), "provenance": provenance()}


def measure_training(
    method: Method,
    pair: Pair,
    *,
    size: int,
    batch: int,
    cache: int,
    seconds: float,
    device: torch.device,
    precision: torch.dtype,
    compiled: bool = False,
    views: int | None = None,
    teacher_size: int | None = None,
    epoch_images: int = 25_331,
    trace: Path | None = None,
    keep_memory: bool = True,
) -> TrainingSpeed:
    """Runs loop steps and bare steps in turn for `seconds` and compares their times.

    Args:
        method: whose terms the loop computes.
        pair: networks, with random weights.
        size: edge of the views in pixels.
        batch: images a step.
        cache: edge of the stored images in pixels.
        seconds: how long to measure, after one warm-up of each.
        device: where.
        precision: bfloat16 for autocast, or float32.
        compiled: whether the loop's task is compiled.
        views: of an image, 1 or 4; what the method needs by default.
        teacher_size: edge of what the teacher sees in pixels; `size` by default.
        epoch_images: images whose epoch is timed; those of ISIC 2019 by default.
        trace: where to write a trace of three loop steps (Chrome's JSON), if anywhere.
        keep_memory: whether freed memory is kept, as the training commands do; on the CPU.
    """
    torch.manual_seed(0)
    if keep_memory:
        keep_freed_memory(device)
    views = views or (4 if method.needs_four_views else 1)
    teacher_size = teacher_size or size
    teacher = None
    if method.needs_teacher:
        model = build_classifier(pair.teacher, _CLASSES)
        to_channels_last(model, device)
        head = ProjectionHead(model.width).to(device) if method.needs_head else None
        teacher = FrozenTeacher(model, head, teacher_size)
    student = build_classifier(pair.student, _CLASSES)
    task = StudentTask(student, method, torch.ones(_CLASSES), teacher)
    ready_for_training(task, device).train()
    forward = torch.compile(task) if compiled else task
    optimizer = torch.optim.SGD(task.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-3)
    stage = Stage(phases=(Phase(1, size, batch, views),), lr=1e-3)
    context = _context(cache, precision, device)
    rows = torch.arange(_IMAGES, device=device)
    target = torch.randint(0, _CLASSES, (_IMAGES,)).to(device)
    ready, ready_for_teacher = (
        _ready(batch * views, edge, device) for edge in (size, teacher_size)
    )
    enabled = precision != torch.float32
    state = TrainState()

    def loop_step(number: int) -> None:
        chosen = _batch_rows(number, batch, rows)
        drawn = draw_views(rows[chosen], stage.phases[0], (0, 0, number), context)
        state.count(training_step(forward, optimizer, drawn, target[chosen], stage, context))

    def bare_step(number: int) -> None:
        with torch.autocast(device.type, precision, enabled=enabled):
            if teacher is not None:
                with torch.no_grad():
                    teacher.model(ready_for_teacher)
            logits = student(ready).logits
        student.zero_grad(set_to_none=True)
        logits.float().sum().backward()

    for step in (bare_step, loop_step):
        _timed(step, 0, device)
    times: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        number = len(times) + 1
        times.append((_timed(bare_step, number, device), _timed(loop_step, number, device)))
    bare, loop = np.array(times).T
    flops, memory = step_flops(lambda: bare_step(0)), peak_memory()
    traced = None
    if trace is not None:
        _write_trace(trace, loop_step, device)
        traced = summarise_trace(trace, _TRACED_STEPS)
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(times), (_REPLICATES, len(times)))
    ratios = np.median(bare[drawn], axis=1) / np.median(loop[drawn], axis=1)
    return TrainingSpeed(
        method=method.name,
        teacher=pair.teacher,
        student=pair.student,
        size=size,
        batch=batch,
        views=views,
        device=device.type,
        precision=str(precision).removeprefix("torch."),
        compiled=compiled,
        bare_images_per_second=float(batch / np.median(bare)),
        loop_images_per_second=float(batch / np.median(loop)),
        share=float(np.median(bare) / np.median(loop)),
        share_low=float(np.quantile(ratios, 0.025)),
        share_high=float(np.quantile(ratios, 0.975)),
        pairs=len(times),
        tera_flops=float(flops / np.median(loop) / 1e12),
        matrix_tera_flops=matrix_rate(device, precision) / 1e12,
        epoch_images=epoch_images,
        epoch_seconds=float(epoch_images / batch * np.median(loop)),
        memory_kept=keep_memory,
        peak_memory_bytes=memory,
        trace=traced,
    )


def _write_trace(path: Path, step: Callable[[int], None], device: torch.device) -> None:
    """Records a few steps with torch's profiler, to be opened in a browser's trace viewer."""
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(ProfilerActivity.CUDA)
    with profile(activities=kinds) as recorded:
        for number in range(_TRACED_STEPS):
            step(number)
    with replacing_file(path) as temporary:
        recorded.export_chrome_trace(str(temporary))


def _ready(count: int, size: int, device: torch.device) -> torch.Tensor:
    views = normalise(torch.rand(count, 3, size, size) * 255).to(device)
    return views.contiguous(memory_format=torch.channels_last)


def _batch_rows(number: int, batch: int, rows: torch.Tensor) -> torch.Tensor:
    """A batch of places that moves through the images from step to step."""
    return (torch.arange(batch, device=rows.device) + number * batch) % len(rows)


def _context(cache: int, precision: torch.dtype, device: torch.device) -> Context:
    """The loop's surroundings with random pixels; there is no data set behind them."""
    pixels = torch.randint(0, 256, (_IMAGES, cache, cache, 3), dtype=torch.uint8)
    images = DeviceImages(pixels.to(device), device)
    return Context(None, images, Augmentation(), 0, precision)  # type: ignore[arg-type]


def _timed(step: Any, number: int, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    step(number)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
