"""Build and test the Android demo without Gradle and without a phone."""

from __future__ import annotations

import sys

from runtimes.console import Verb, run_program

VERBS = (
    Verb("core", "compile the core and run its JUnit tests", "android_demo.check.commands.core"),
    Verb(
        "litert",
        "run the core with the real LiteRT library and compare with Python",
        "android_demo.check.commands.litert",
    ),
    Verb(
        "app",
        "check the project's files and build an .apk as a build check",
        "android_demo.check.commands.app",
    ),
    Verb("built", "check an .apk that Gradle built", "android_demo.check.commands.built"),
    Verb(
        "speed",
        "time the core's preprocessing beside Pillow's",
        "android_demo.check.commands.speed",
    ),
    Verb(
        "golden",
        "write the golden files that the core's tests read",
        "android_demo.check.commands.golden",
    ),
    Verb(
        "screens",
        "draw the screens from the layout files",
        "android_demo.check.commands.screens",
    ),
    Verb("model", "put an exported .tflite into the app", "android_demo.check.commands.model"),
)

if __name__ == "__main__":
    sys.exit(run_program("android_demo.check", str(__doc__), VERBS, sys.argv[1:]))
