"""Run the core with the real LiteRT library on this machine and compare with the Python runtime.

The core reads the .tflite that lies in the app, prepares pictures, LiteRT's C library (that of the
Python package) runs the network, and the core judges the answer: what a phone does, but for the
decoding of pictures, which is the platform's own. Python does the same with runtimes/. Without
PNG files, the golden pictures and lesions drawn by code are answered.

examples:
  python -m android_demo.check litert
  python -m android_demo.check litert --model artifacts/ssd_kd/ssd_kd-int8.tflite photos/*.png
  python -m android_demo.check litert --json results/android/parity.json

exit code: 0 all agree, 1 one does not, 2 bad input or missing tools
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m android_demo.check litert`."""
    add = parser.add_argument
    add(
        "pictures",
        metavar="PNG",
        nargs="*",
        type=path,
        help="PNG files (default: golden and drawn)",
    )
    add("--model", type=path, help="a .tflite of this project (default: the one in the app)")
    add("--json", type=path, metavar="FILE", help="also write the differences")


def run(args: argparse.Namespace) -> int:
    """Prints the largest differences."""
    import tempfile

    from android_demo.check.answered import write_lesions
    from android_demo.check.golden import FOLDER
    from android_demo.check.model import shipped
    from android_demo.check.parity import LARGEST, compare
    from android_demo.check.tools import find_tools
    from distill.provenance import provenance
    from runtimes.atomic import check_output, write_json
    from runtimes.console import fail, say

    if args.json is not None:
        check_output(args.json, ".json")
    model: Path = args.model or shipped()
    golden = sorted(
        file
        for file in FOLDER.glob("*.png")
        if not file.name.startswith("bad_") and not file.name.endswith(".expected.png")
    )
    with tempfile.TemporaryDirectory() as folder:
        pictures = args.pictures or [*golden, *write_lesions(Path(folder))]
        result = compare(find_tools(), model, pictures)
    say(
        f"{model.name}, {len(pictures)} pictures: {result.equal_pixels} with equal input pixels; "
        f"largest difference in probability {result.probability:.2g}, class maps {result.cam:.2g}, "
        f"unknown score {result.unknown:.2g}; {result.equal_answers} equal answers "
        f"({', '.join(f'{name} {count}' for name, count in result.decisions.items())}); "
        f"XNNPACK took {'the whole graph' if result.whole_graph else 'part of the graph'}"
    )
    if args.json is not None:
        found = {"model": model.name, **result.to_json(), "provenance": provenance()}
        write_json(args.json, found)
        say(f"wrote {args.json}")
    if result.probability > LARGEST or result.equal_answers < len(pictures):
        other = len(pictures) - result.equal_answers
        fail(
            f"{other} of {len(pictures)} answers are others than Python's, probabilities are up to "
            f"{result.probability:.2g} apart; no other answer and {LARGEST} are accepted."
        )
        return 1
    return 0
