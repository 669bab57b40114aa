"""Fine-tune a student for its int8 files: weights and ranges learn from the float student.

The student rounds weights and activations as TFLite, ONNX and Core ML files do, and is trained to
answer as it did before. It starts where `run` ends: channels equalized, streams levelled,
biases corrected, ranges measured. What was learned goes into the files with
`python -m export run RUN --aware FOLDER`.

examples:
  python -m export finetune runs/ssd_kd --out runs/ssd_kd_int8
  python -m export finetune runs/ssd_kd --out runs/ssd_kd_int8 --time-budget 9m
  python -m export finetune runs/ssd_kd --out runs/ssd_kd_int8 --resume
  python -m export finetune runs/ssd_kd --out runs/ssd_kd_int8 --teacher runs/ssd_kd/teacher
  python -m export finetune models/NAME --out runs/NAME_int8 --data DATA

exit code: 0 done or stopped by --time-budget, 1 no epoch is closer to the float student than
post-training quantization, 2 bad input, 130 interrupted
"""

from __future__ import annotations

import argparse

from runtimes.arguments import path, positive, seconds, seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m export finetune`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run, or a released model")
    add("--out", type=path, required=True, help="a new folder for what is learned")
    add("--data", type=path, help="where the run's data set lies now")
    add("--teacher", type=path, help="folder of the run's teacher, to learn from it and the labels")
    add("--epochs", type=positive, default=3.0, help="passes over the training images")
    add("--images-per-class", type=int, default=256, help="at most so many training images")
    add("--batch", type=int, default=16, help="images a step")
    add("--lr", type=positive, default=0.0005, help="largest learning rate, in int8 steps")
    add("--validation-images", type=int, default=512, help="that choose the best epoch")
    add("--calibration-images", type=int, default=256, help="training images: first ranges")
    add("--seed", type=seed, default=0, help="of all draws")
    add("--device", default="auto", help="auto, cpu or cuda")
    add("--time-budget", type=seconds, metavar="9m", help="stop cleanly after this time")
    add("--resume", action="store_true", help="go on with an unfinished fine-tuning")


def run(args: argparse.Namespace) -> int:
    """Trains, and prints every path written."""
    from distill.device import choose_device, keep_freed_memory
    from distill.train import Deadline, Stopped
    from export.quantization.aware.finetune import RECORD_FILE, Settings, finetune
    from export.quantization.aware.record import AWARE_FILE
    from runtimes.console import note, say, table

    settings = Settings(
        epochs=args.epochs,
        images_per_class=args.images_per_class,
        batch=args.batch,
        lr=args.lr,
        validation_images=args.validation_images,
        calibration_images=args.calibration_images,
        seed=args.seed,
    )
    device = choose_device(args.device)
    keep_freed_memory(device)
    deadline = Deadline(args.time_budget)
    try:
        found = finetune(
            args.run_folder,
            args.out,
            settings,
            device,
            data=args.data,
            teacher=args.teacher,
            deadline=deadline,
            resume=args.resume,
        )
    except Stopped as stopped:
        note(str(stopped))
        return 130 if deadline.interrupted else 0
    rows = [
        (when, f"{scores['divergence']:.5f}", f"{100 * scores['agreement']:.1f}",
         f"{100 * scores['balanced_accuracy']:.1f}")
        for when, scores in found["validation"].items()
    ]  # fmt: skip
    title = f"the rounded student on {settings.validation_images} validation images:"
    say(table(("", "KL to float, nats", "same top-1 %", "BACC %"), rows, title))
    for file in (AWARE_FILE, RECORD_FILE, "log.jsonl"):
        say(f"wrote {args.out / file}")
    return 0
