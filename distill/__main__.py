"""The command line of distill: data, training and evaluation."""

import sys

from runtimes.console import Verb, run_program

_VERBS = (
    Verb(
        "doctor", "what is installed, what can run here, what is missing", "distill.commands.doctor"
    ),
    Verb("sample", "draw a synthetic data set", "distill.commands.sample"),
    Verb("index", "read and check a data set", "distill.commands.index"),
    Verb("train", "train a student by a recipe", "distill.commands.train"),
    Verb("evaluate", "measure a finished run on a side of its split", "distill.commands.evaluate"),
    Verb("tables", "train and measure the rows of the paper's tables", "distill.commands.tables"),
    Verb("record", "keep the figures of a finished run as data", "distill.commands.record"),
    Verb("release", "turn a finished run into a released model", "distill.commands.release"),
    Verb("pack", "take a run apart into files of at most 15 MB", "distill.commands.pack"),
    Verb("unpack", "put a packed run together again", "distill.commands.unpack"),
    Verb("check-losses", "compare the losses with a golden file", "distill.commands.check_losses"),
)

if __name__ == "__main__":
    about = "Distill a small skin-lesion classifier from a large one (SSD-KD). Research only."
    sys.exit(run_program("distill", about, _VERBS, sys.argv[1:]))
