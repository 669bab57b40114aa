"""The errors that a person is meant to read, and the exit code each of them carries."""

from __future__ import annotations

from runtimes.dependencies import install_command


class DermportError(Exception):
    """Something the user can mend: says what was wrong, what was expected and what to do next."""

    exit_code = 2


class InputError(DermportError):
    """A file, folder, value or setting that cannot be used (exit code 2)."""


class GateError(DermportError):
    """A result outside its tolerance (exit code 1)."""

    exit_code = 1


class ProgramFault(DermportError):
    """Something that the user cannot mend: an error that nobody foresaw (exit code 3)."""

    exit_code = 3


class MissingDependencyError(DermportError):
    """A package of another stage is not installed; the message names the command (exit code 2)."""

    def __init__(self, package: str, stage: str) -> None:
        self.package = package
        self.stage = stage
        super().__init__(
            f"the package '{package}' is not installed, and this step needs it. "
            f"Install its group with: {install_command(stage)}"
        )
