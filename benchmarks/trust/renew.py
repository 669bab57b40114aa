"""Files that were exported anew, measured; all else is kept of an earlier measurement.

Calibration in torch, held-out classes, class maps and groups do not depend on a file. They need
other students and take long, so a new export need not ask for them again. Changes of the picture
are asked about anew, in torch too, since the int8 file is shown beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.trust.adopt import evidence
from benchmarks.trust.ask import Setting
from benchmarks.trust.files import measure_changed, measure_files
from benchmarks.trust.folder import JSON_FILE
from benchmarks.trust.images import Amounts
from benchmarks.trust.measure import (
    ABOUT_EVIDENCE,
    SCHEMA,
    VERSIONS,
    carries,
    material,
    outdated_evidence,
)
from benchmarks.trust.question import Question
from benchmarks.trust.summary import amount_options, text
from distill.checkpoint import STUDENT_FILE
from distill.provenance import provenance
from distill.splits import read_split
from runtimes.console import note
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json

_ALL = "measure all of it, without --files-only."
# How what is missing begins, where it is looked at again.
_AGAIN = ("files", "changes of the picture", ABOUT_EVIDENCE)


def read_earlier(out: Path, run: Path, contract: Contract, amounts: Amounts) -> dict[str, Any]:
    """Reads what was measured before, and checks that it is about the same student.

    Args:
        out: folder that a measurement wrote.
        run: of the student.
        contract: of the student.
        amounts: how many images are to be asked about.

    Raises:
        InputError: there is none, it is damaged, or it is about another student, split, number of
            images, or another decision than the contract's.
    """
    path = out / JSON_FILE
    if not path.is_file():
        raise InputError(f"{path} is not there, so there is nothing to renew; {_ALL}")
    try:
        earlier = _checked(read_json(path))
        told = earlier["student"]["sha256"], earlier["split"]["sha256"]
        asked = Amounts(**earlier["amounts"])
        same = carries(
            contract,
            earlier["unknown"]["kind"],
            [earlier["calibration"]["temperature"], earlier["unknown"]["threshold"]],
            [point["threshold"] for point in earlier["operating_points"]],
        )
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged, or of another version ({type(error).__name__}: {error}); {_ALL}"
        ) from error
    if told != (sha256_of(run / STUDENT_FILE), read_split(run / "split.json").sha256):
        raise InputError(f"{path} was measured with another student or split than {run}'s; {_ALL}")
    if asked != amounts:
        options = " ".join(amount_options(earlier)) or "the default numbers of images"
        raise InputError(
            f"{path} was measured with {options}. Give the same, or {_ALL}",
        )
    if not same:
        raise InputError(
            f"{path} fitted another temperature, score or thresholds than the contract of {run} "
            f"carries. Put them into it with --adopt and export again, or {_ALL}"
        )
    return earlier


def check_material(earlier: Mapping[str, Any], path: Path, setting: Setting) -> None:
    """Checks that the pictures are those of the earlier measurement.

    Args:
        earlier: what `read_earlier` returned.
        path: where it lies.
        setting: of the measurement that is to come.

    Raises:
        InputError: there are other lesion masks or photos.
    """
    now = material(setting)
    if (earlier["where"] is None) != (now["masks"] is None):
        found = "has no lesion masks" if now["masks"] is None else "has lesion masks"
        raise InputError(
            f"the data set {found} now, unlike when {path} was measured. Name the same with "
            f"--masks, or {_ALL}"
        )
    if "material" not in earlier:
        note(f"{path} does not tell its masks and photos; they are taken to be the same.")
        return
    for what, sha256 in now.items():
        if earlier["material"].get(what) != sha256:
            raise InputError(
                f"{path} was measured with other {what}. Name the same with --{what}, or {_ALL}"
            )


def renew(earlier: Mapping[str, Any], setting: Setting, question: Question) -> dict[str, Any]:
    """Returns the earlier measurement with the files and changes of the picture measured anew.

    A file with the same bytes as before keeps its figures. What is measured carries its own
    provenance.

    Args:
        earlier: what `read_earlier` returned.
        setting: what all questions share.
        question: of the files.
    """
    decision = setting.contract.decision
    if decision is None:
        raise ValueError("read_earlier refuses a contract without a decision")
    missing = [told for told in earlier["missing"] if not told.startswith(_AGAIN)]
    # files of an earlier decision answered by other thresholds
    known = {row["sha256"]: row for row in earlier["files"] if earlier["adopted"]}
    rows = measure_files(setting, question, decision.alerts, missing, known)
    now = {"provenance": provenance()}
    renewed = {
        "adopted": True,
        "files": [row if row["sha256"] in known else row | now for row in rows],
        # the int8 file is looked at in any case, so that what is left out loses no figure
        "changes": measure_changed(setting, replace(question, formats=None), missing) | now,
        "missing": missing,
    }
    document = {**earlier, **renewed}
    if (told := outdated_evidence(setting.contract, evidence(document))) is not None:
        missing.append(told)
    return document


def _checked(found: Any) -> dict[str, Any]:
    """Returns a document of which all that is kept can be written again.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: something is missing or of another kind.
    """
    if (found["schema"], found["version"]) not in ((SCHEMA, version) for version in VERSIONS):
        raise ValueError(f"{found['schema']} {found['version']}")
    missing, about = found["missing"], found.get("material", {})
    if not isinstance(missing, list) or not all(isinstance(told, str) for told in missing):
        raise TypeError("missing")
    if not isinstance(about, dict) or not isinstance(found["adopted"], bool):
        raise TypeError("material or adopted")
    for row in found["files"]:
        if not isinstance(row["sha256"], str) or not isinstance(row["format"], str):
            raise TypeError("files")
    text(found)
    evidence(found)
    json.dumps(found, allow_nan=False)
    return dict(found)
