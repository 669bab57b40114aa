"""The command line of export: files for phones."""

import sys

from runtimes.console import Verb, run_program

_VERBS = (
    Verb("run", "write and check the files of a finished run", "export.commands.run"),
    Verb("finetune", "train weights and ranges for the int8 files", "export.commands.finetune"),
    Verb("sensitivity", "noise of each layer when rounded", "export.commands.sensitivity"),
    Verb("formats", "list the formats that can be written", "export.commands.formats"),
)

if __name__ == "__main__":
    about = "Turn a trained student into ONNX, Core ML and TFLite files that are right."
    sys.exit(run_program("export", about, _VERBS, sys.argv[1:]))
