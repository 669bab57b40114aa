"""The command line of benchmarks: numbers about training and about the exported files."""

import sys

from runtimes.console import Verb, run_program

_VERBS = (
    Verb(
        "training",
        "images per second of the training loop beside the bare networks",
        "benchmarks.commands.training",
    ),
    Verb(
        "parity", "every exported file on the whole test side, gated", "benchmarks.commands.parity"
    ),
    Verb(
        "quantization",
        "what each step on the way to int8 brings, on validation images",
        "benchmarks.commands.quantization",
    ),
    Verb("export", "time and peak memory of an export", "benchmarks.commands.export"),
    Verb("latency", "model files timed beside each other", "benchmarks.commands.latency"),
    Verb(
        "opinions",
        "what other implementations make of the files",
        "benchmarks.commands.opinions",
    ),
    Verb("arm", "the files on emulated ARM processors", "benchmarks.commands.arm"),
    Verb("coreml", "every operator of the Core ML files", "benchmarks.commands.coreml"),
    Verb("phone", "model files on phones over adb", "benchmarks.commands.phone"),
    Verb("web", "model files in the browser of a phone", "benchmarks.commands.web"),
    Verb("operators", "time of each operator of a model file", "benchmarks.commands.operators"),
    Verb(
        "flops", "operations, parameters and memory beside the paper's", "benchmarks.commands.flops"
    ),
    Verb("trust", "calibration, unknown, where it looked, groups", "benchmarks.commands.trust"),
    Verb(
        "leave-out",
        "students that never saw one class, to judge `unknown` by",
        "benchmarks.commands.leave_out",
    ),
    Verb(
        "unknown-cost",
        "what the unknown score adds to an inference",
        "benchmarks.commands.unknown_cost",
    ),
    Verb("report", "one page about an export and all its figures", "benchmarks.commands.report"),
    Verb("budget", "how long a student trains here under a budget", "benchmarks.commands.budget"),
)

if __name__ == "__main__":
    about = "Measure what this project trains and writes. Compare ratios, not single times."
    sys.exit(run_program("benchmarks", about, _VERBS, sys.argv[1:]))
