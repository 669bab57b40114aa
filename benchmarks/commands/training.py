"""Images per second of the training loop beside bare forward and backward of the same networks.

The loop's step draws views, runs teacher and student, computes all terms and steps the optimizer.
The bare step runs the same teacher forward and the same student forward and backward on a batch
that lies ready, with the sum of the logits as loss. Both take turns in one process, so the ratio
holds on a machine whose speed drifts; the pixels are random.

examples:
  python -m benchmarks training
  python -m benchmarks training --recipe ssd_kd --pair densenet169:mobilenet_v2 --size 96
  python -m benchmarks training --seconds 120 --json results/training_speed.json
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks training`."""
    add = parser.add_argument
    add("--recipe", default="ssd_kd", help="the method whose step is measured")
    add("--pair", metavar="TEACHER:STUDENT", help="torchvision names instead of the recipe's")
    add("--size", type=int, default=96, help="edge of the views in pixels")
    add("--batch", type=int, default=32, help="images a step, each with its views")
    add("--cache", type=int, default=84, help="edge of the cached images in pixels")
    add("--seconds", type=float, default=60.0, help="how long to measure, both together")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--precision", default="auto", help="auto, bf16 or fp32")
    add("--compile", action="store_true", help="compile the loop's networks")
    add("--floor", type=float, default=0.0, help="exit 1 if the loop keeps a smaller share")
    add("--images", type=int, default=25_331, help="of the epoch whose time is told")
    add("--trace", type=path, metavar="FILE", help="write a trace of three steps (Chrome's JSON)")
    add("--return-memory", action="store_true", help="do not keep freed memory between steps")
    add("--json", type=path, metavar="FILE", help="also write the figures to this file")


def run(args: argparse.Namespace) -> int:
    """Prints both rates and the share that the loop keeps."""
    from benchmarks.training import measure_training
    from distill.device import choose_device, choose_precision
    from distill.recipes import Pair, read_method
    from runtimes.atomic import check_output, write_json
    from runtimes.console import say, table
    from runtimes.errors import GateError

    for file in (args.json, args.trace):
        if file is not None:
            check_output(file, ".json")
    method = read_method(args.recipe)
    pair = Pair.parse(args.pair) if args.pair else method.pair
    device = choose_device(args.device)
    found = measure_training(
        method,
        pair,
        size=args.size,
        batch=args.batch,
        cache=args.cache,
        seconds=args.seconds,
        device=device,
        precision=choose_precision(args.precision, device),
        compiled=args.compile,
        epoch_images=args.images,
        trace=args.trace,
        keep_memory=not args.return_memory,
    )
    rows = [
        ("bare forward and backward", f"{found.bare_images_per_second:.1f}"),
        ("training loop", f"{found.loop_images_per_second:.1f}"),
    ]
    views = f"{args.batch} images of {found.views} views at {args.size} px"
    say(
        table(
            ["step", "images/s"], rows, f"{method.name}, {pair.teacher} to {pair.student}, {views}"
        )
    )
    say(
        f"the loop keeps {100 * found.share:.1f} % of the bare rate "
        f"(95 % interval {100 * found.share_low:.1f} to {100 * found.share_high:.1f} %, "
        f"{found.pairs} interleaved pairs)"
    )
    say(
        f"{found.tera_flops:.3f} TFLOP/s of convolutions and matrix products, "
        f"{100 * found.tera_flops / found.matrix_tera_flops:.1f} % of the "
        f"{found.matrix_tera_flops:.3f} TFLOP/s that large matrices reach here in "
        f"{found.precision}"
    )
    say(f"peak memory on the host {found.peak_memory_bytes / 1e9:.2f} GB")
    say(f"an epoch of {found.epoch_images:,} images: {found.epoch_seconds / 60:.1f} min")
    if found.trace is not None:
        say(
            f"traced: the device computes {found.trace.busy_ms:.1f} of {found.trace.step_ms:.1f} "
            f"ms a step, in {found.trace.kernels:.0f} kernels"
        )
    if args.trace is not None:
        say(f"wrote {args.trace}; open it at chrome://tracing or in Perfetto")
    if args.json is not None:
        write_json(args.json, found.to_json())
        say(f"wrote {args.json}")
    if found.share < args.floor:
        raise GateError(
            f"the training loop keeps {found.share:.3f} of the bare rate, less than the floor of "
            f"{args.floor}; profile it, or measure again on a machine that does nothing else."
        )
    return 0
