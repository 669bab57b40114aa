"""Run the files that travel: predict with any of them, or show what one says of itself."""

from __future__ import annotations

import sys

from runtimes.console import Verb, run_program

VERBS = (
    Verb(
        "predict",
        "write a model's answers for images, folders or zips to a CSV file",
        "runtimes.commands.predict",
    ),
    Verb(
        "show",
        "print a model file's contract: labels, preprocessing, calibration, training",
        "runtimes.commands.show",
    ),
)

if __name__ == "__main__":
    sys.exit(run_program("runtimes", str(__doc__), VERBS, sys.argv[1:]))
