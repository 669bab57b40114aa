"""log.jsonl of a run: one JSON object an epoch, and never a row of steps that did not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distill.schedule import Epoch
from distill.trainstate import TrainState
from runtimes.atomic import write_text
from runtimes.errors import InputError
from runtimes.json_files import parse_json


class RunLog:
    """Appends rows to log.jsonl; rows later than the state that training goes on from are cut."""

    def __init__(self, path: Path, keep_until: int, writes: bool) -> None:
        self._path, self._writes = path, writes
        self._rows = [row for row in read_log(path) if row["step"] <= keep_until]

    def epoch(
        self,
        stage: str,
        epoch: Epoch,
        state: TrainState,
        terms: dict[str, float],
        lr: float,
        validation: dict[str, float],
        best: bool,
    ) -> None:
        """Writes the row of a finished epoch."""
        row: dict[str, Any] = {
            "kind": "epoch",
            "stage": stage,
            "epoch": epoch.number,
            "step": state.step,
            "size": epoch.phase.size,
            "views": epoch.phase.views,
            "loss": sum(terms.values()),
            "terms": terms,
            "lr": lr,
            "seconds": round(state.seconds, 1),
            "validation": validation,
            "best": best,
        }
        self._rows.append(row)
        if self._writes:
            lines = (json.dumps(row, allow_nan=False) for row in self._rows)
            write_text(self._path, "\n".join(lines) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Rows of a log.jsonl; none where there is no file.

    Raises:
        InputError: a line is no JSON object.
    """
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            rows.append(dict(parse_json(line)))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path}, line {number}: no JSON object ({error}). Remove that line to go on "
                "without it."
            ) from error
    return rows
