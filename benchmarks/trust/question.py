"""What is asked for, and whether what it names can answer: told before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.artifacts import listed_files
from distill.checkpoint import STUDENT_FILE, TEACHER_FILE, load_tensors
from distill.splits import read_split
from runtimes.contract import Contract
from runtimes.errors import InputError
from runtimes.hashes import sha256_of
from runtimes.json_files import read_json
from runtimes.metadata import read_contract


@dataclass(frozen=True)
class Question:
    """What is asked for.

    Attributes:
        run: of the student.
        artifacts: folder of its files; None to measure torch alone.
        formats: which of the listed files; None for all.
        leave_out: folder of students that never saw a class, one folder a class, if any.
        networks: name to run folder of others whose class maps are compared.
        threads: of each runtime.
    """

    run: Path
    artifacts: Path | None
    formats: tuple[str, ...] | None
    leave_out: Path | None
    networks: Mapping[str, Path]
    threads: int


def named_networks(words: Sequence[str]) -> dict[str, Path]:
    """Reads NAME=FOLDER words.

    Raises:
        InputError: a word is not of that form, or a name stands twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, _, folder = word.partition("=")
        if not name or not folder or name in found:
            raise InputError(
                f"--run {word}: expected NAME=FOLDER, each name once, for example no_kd=runs/no_kd."
            )
        if not name.replace("_", "").replace("-", "").isalnum():
            raise InputError(f"--run {word}: the name may have letters, digits, - and _ only.")
        found[name] = Path(folder)
    return found


def check_question(question: Question, contract: Contract) -> None:
    """Checks files and folders before images are decoded.

    Args:
        question: what is asked for.
        contract: of the student.

    Raises:
        InputError: a folder is missing or of another kind, a name is the student's own, or the
            files are of another student, calibration or decision.
    """
    own = contract.training.method
    for name, folder in question.networks.items():
        if name == own:
            raise InputError(
                f"--run {name}={folder}: {name} is the method of {question.run}, which is compared "
                f"anyway. Give the other network another name, for example {name}-2={folder}."
            )
        if not folder.is_dir():
            raise InputError(f"--run names {folder}, which is no folder.")
        weights_of(folder)
    held_out_folders(question.leave_out, [label.code for label in contract.labels])
    _check_files(question)


def check_networks(question: Question, split: str) -> None:
    """Checks that no network may have seen the images that it is asked about.

    Args:
        question: what is asked for.
        split: SHA-256 of the student's.

    Raises:
        InputError: one was trained on another split, or does not tell.
    """
    for name, folder in question.networks.items():
        size_of(folder, split, name)


def weights_of(folder: Path) -> Path:
    """Returns the student or the teacher of a folder.

    Raises:
        InputError: it holds neither.
    """
    for file in (STUDENT_FILE, TEACHER_FILE):
        if (folder / file).is_file():
            return folder / file
    raise InputError(
        f"{folder} holds neither {STUDENT_FILE} nor {TEACHER_FILE}. Name a finished run, or the "
        "folder of a teacher."
    )


def size_of(folder: Path, split: str, name: str) -> int:
    """Returns the input size of a network in pixels.

    Args:
        folder: a run, a released model, or a teacher's run folder.
        split: SHA-256 of the split that it must have been trained on.
        name: what the network is called.

    Raises:
        InputError: it does not tell, or was trained on another split.
    """
    path = folder / "metrics.json"
    try:
        size, own = int(read_json(path)["size"]), read_split(folder / "split.json").sha256
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} does not tell the input size of {name} ({error}). Name a finished run, or the "
            "folder of a teacher; a damaged file is taken from a copy of it."
        ) from error
    if own != split:
        raise InputError(
            f"{folder} ({name}) was trained on another split ({own[:12]}…, the student on "
            f"{split[:12]}…), so it may have seen the images that it is asked about. Name a run of "
            "the same data, --split and --seed."
        )
    return size


def about_network(folder: Path) -> dict[str, Any]:
    """Returns how a network was trained and what it reached on the test side, as it was recorded.

    Args:
        folder: a run, a released model, or a teacher's run folder, that `size_of` took.
    """
    path = weights_of(folder)
    recorded = read_json(folder / "metrics.json")
    reached = (recorded.get("metrics") or {}).get("balanced_accuracy")
    return {
        "architecture": load_tensors(path)[1].get("architecture", ""),
        "sha256": sha256_of(path),
        "method": "teacher" if path.name == TEACHER_FILE else recorded.get("method"),
        "budget": recorded.get("budget"),
        "training_images": (recorded.get("training") or {}).get("images"),
        "size": recorded["size"],
        "balanced_accuracy": reached,
    }


def held_out_folders(root: Path | None, classes: Sequence[str]) -> list[Path]:
    """Returns the folders of students that never saw a class, called by the class's code.

    Args:
        root: the folder that `benchmarks leave-out` wrote, if any.
        classes: codes of the data set.

    Raises:
        InputError: it is no folder, holds no such student, or one of another name.
    """
    if root is None:
        return []
    if not root.is_dir():
        raise InputError(
            f"--leave-out {root} is no folder. Name the one that `python -m benchmarks leave-out` "
            "wrote."
        )
    found = sorted(path.parent for path in root.glob(f"*/{STUDENT_FILE}"))
    if not found:
        raise InputError(
            f"{root} holds no finished student that never saw a class. Train them with "
            "`python -m benchmarks leave-out`, or leave out --leave-out."
        )
    if other := next((folder for folder in found if folder.name not in classes), None):
        raise InputError(
            f"{other} is not called after a class ({', '.join(classes)}), so {root} is no folder "
            "that `python -m benchmarks leave-out` wrote. Name that one, or move the other run "
            "away."
        )
    return found


def _check_files(question: Question) -> None:
    if question.artifacts is None:
        if question.formats is not None:
            raise InputError(
                "--only chooses among exported files, and none are named. Add --artifacts FOLDER, "
                "or leave out --only."
            )
        return
    files, student = listed_files(question.artifacts)
    if student != sha256_of(question.run / STUDENT_FILE):
        raise InputError(
            f"{question.artifacts} was exported from another student than {question.run}'s. "
            "Export the run again, or name its folder with --artifacts."
        )
    if question.formats is not None and not set(question.formats) & set(files):
        raise InputError(
            f"{question.artifacts} has none of {', '.join(question.formats)}; it has "
            f"{', '.join(files)}. Name one of those with --only, or export it."
        )
    own = read_contract(question.run)
    for key, file in files.items():
        if question.formats is not None and key not in question.formats:
            continue
        told = read_contract(question.artifacts / file)
        if (told.calibration, told.decision) != (own.calibration, own.decision):
            raise InputError(
                f"{question.artifacts / file} ({key}) has another calibration or decision than "
                f"{question.run}. Export the run again, then measure its files."
            )
