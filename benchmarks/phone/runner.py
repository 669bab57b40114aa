"""What runs model files on a phone: the interface that a runner has to meet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.phone.facts import Facts
from benchmarks.phone.records import Ask, Figures, Ran


class Nonsense(Exception):
    """What a runner printed cannot be true, or is no result; the text says which words."""


@dataclass(frozen=True)
class Amount:
    """How long a file is run.

    Attributes:
        runs: inferences at least.
        seconds: at least.
        limit: seconds after which a run counts as hanging and is ended.
    """

    runs: int
    seconds: float
    limit: float


@dataclass(frozen=True)
class Told:
    """What a runner's output says."""

    ran: Ran
    figures: Figures
    notes: tuple[str, ...]


class Runner(Protocol):
    """A program for phones that times one model file."""

    @property
    def program(self) -> Path:
        """The file that is copied to the phone."""

    def describe(self) -> dict[str, Any]:
        """Returns its name and hash for the record."""

    def check(self, facts: Facts) -> None:
        """Raises InputError where it cannot run on such a phone."""

    def words(self, program: str, model: str, ask: Ask, amount: Amount) -> list[str]:
        """Returns the command, as unquoted words; `program` and `model` are paths on the phone."""

    def read(self, text: str, ask: Ask, amount: Amount, seconds: float) -> Told:
        """Reads its output; `seconds` is what it took by this computer's clock.

        Raises:
            Nonsense: there is no result in it, or one that cannot be.
        """
