"""Files that were exported anew, measured; all else is kept of an earlier measurement.

Calibration in torch, held-out classes, class maps and groups do not depend on a file. They need
other students and take long, so a new export need not ask for them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.trust.ask import Setting
from benchmarks.trust.files import measure_changed, measure_files
from benchmarks.trust.folder import JSON_FILE
from benchmarks.trust.measure import SCHEMA, VERSION, carries
from benchmarks.trust.question import Question
from distill.checkpoint import STUDENT_FILE
from distill.provenance import provenance
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json

_OF_FILES = ("files", "changes of the picture")  # how what is missing about them begins


def read_earlier(out: Path, setting: Setting, question: Question) -> dict[str, Any]:
    """Reads what was measured before, and checks that it is about the same.

    Args:
        out: folder that a measurement wrote.
        setting: of the measurement that is to come.
        question: of it.

    Raises:
        InputError: there is none, it is damaged, or it is about another student, split, number of
            images, or another decision than the contract's.
    """
    path = out / JSON_FILE
    again = "Measure all of it: the same command without --files-only."
    if not path.is_file():
        raise InputError(f"{path} is not there, so there is nothing to renew. {again}")
    try:
        earlier = read_json(path)
        told = {
            "schema": [earlier["schema"], earlier["version"]],
            "student": earlier["student"]["sha256"],
            "split": earlier["split"]["sha256"],
            "amounts": earlier["amounts"],
            "lesion masks": earlier["where"] is not None,
        }
        own = carries(
            setting.contract,
            earlier["unknown"]["kind"],
            [earlier["calibration"]["temperature"], earlier["unknown"]["threshold"]],
            [point["threshold"] for point in earlier["operating_points"]],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error!r}). {again}") from error
    wanted = {
        "schema": [SCHEMA, VERSION],
        "student": sha256_of(question.run / STUDENT_FILE),
        "split": setting.dataset.split.sha256,
        "amounts": vars(setting.amounts),
        "lesion masks": setting.masks is not None,
    }
    for what, value in wanted.items():
        if told[what] != value:
            raise InputError(
                f"{path} was measured with another {what} ({told[what]}, now {value}). {again}"
            )
    if not own:
        raise InputError(
            f"{path} fitted another temperature, score or thresholds than the contract of "
            f"{question.run} carries. {again}"
        )
    return dict(earlier)


def renew(earlier: Mapping[str, Any], setting: Setting, question: Question) -> dict[str, Any]:
    """Returns the earlier measurement with the files and changes of the picture measured anew.

    A file with the same bytes as before keeps its figures.

    Args:
        earlier: what `read_earlier` returned.
        setting: what all questions share.
        question: of the files.
    """
    decision = setting.contract.decision
    missing = [told for told in earlier["missing"] if not told.startswith(_OF_FILES)]
    known = {row["sha256"]: row for row in earlier["files"]}
    alerts = () if decision is None else decision.alerts
    renewed = {
        "files": measure_files(setting, question, alerts, missing, known),
        "changes": measure_changed(setting, question, missing),
        "missing": missing,
        "files_provenance": provenance(),
    }
    return {**earlier, **renewed}
