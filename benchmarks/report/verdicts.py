"""Which file may be shipped: one verdict and one sentence each."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.export import ExportedFile
from benchmarks.report.findings import Findings

PASSED, FAILED, UNMEASURED = "passed", "failed", "unmeasured"


@dataclass(frozen=True)
class Verdict:
    """What the gates say of one file.

    Attributes:
        format: its key in the table of formats.
        file: its name; "" if it was not delivered.
        word: PASSED, FAILED or UNMEASURED: nothing speaks against it, and the whole test side was
            not measured.
        sentence: why, ending in a full stop.
    """

    format: str
    file: str
    word: str
    sentence: str


def judge_files(found: Findings) -> tuple[Verdict, ...]:
    """Returns the verdicts in the manifest's order, then what was not delivered."""
    listed = [_judge(file, found) for file in found.export.files]
    missing = [
        Verdict(form, "", FAILED, f"Not delivered: {problem.rstrip('.')}.")
        for form, problem in found.export.undelivered.items()
    ]
    return (*listed, *missing)


def headline(verdicts: tuple[Verdict, ...]) -> str:
    """The verdict on all files, in a sentence."""
    words = [verdict.word for verdict in verdicts]
    passed, failed = words.count(PASSED), words.count(FAILED)
    unmeasured = words.count(UNMEASURED)
    if passed == len(words):
        return f"All {passed} files pass their gates."
    parts = []
    if passed:
        parts.append(f"{passed} of {len(words)} files pass their gates")
    if failed:
        parts.append(f"{failed} {'does' if failed == 1 else 'do'} not")
    if unmeasured:
        were = "was" if unmeasured == 1 else "were"
        parts.append(f"{unmeasured} {were} not measured on the whole test side")
    if not passed and failed:
        parts[0] = f"{failed} of {len(words)} files {'fails its' if failed == 1 else 'fail their'}"
        parts[0] += " gates"
    return f"{', '.join(parts)}."


def _judge(file: ExportedFile, found: Findings) -> Verdict:
    faults = [file.unlike] if file.unlike else []
    table = found.test_side
    parity = None if table is None else table.rows.get(file.format)
    whole = parity is not None and not _is_part(found)
    if parity is not None and whole:
        faults += parity.faults
    for device in found.devices:
        rows = [time for time in device.rows if time.format == file.format]
        # A delegate may refuse a file that another runs, and another may still be to come.
        if not device.left and not any(time.runs for time in rows):
            broken = dict.fromkeys(time.fault for time in rows if time.broken)
            faults += [f"it cannot be run on {device.name}: {fault}" for fault in broken]
    if found.costs is not None:
        counted = (cost for cost in found.costs.files if cost.format == file.format)
        faults += [cost.fault for cost in counted if cost.fault]
    if faults:
        text = "; ".join(fault.rstrip(".") for fault in faults)
        return Verdict(file.format, file.file, FAILED, f"{text[0].upper()}{text[1:]}.")
    if table is not None and whole:
        sentence = f"Inside its gate on all {table.images:,} test images{_targets(file, found)}."
        return Verdict(file.format, file.file, PASSED, sentence)
    if file.check is not None:
        sentence = (
            f"Passed the check of its export on {file.check.images:,} validation images; the whole "
            f"test side is not measured{_targets(file, found)}."
        )
    else:
        sentence = f"Neither its export's check nor the test side is known{_targets(file, found)}."
    return Verdict(file.format, file.file, UNMEASURED, sentence)


def _is_part(found: Findings) -> bool:
    """Whether the table has only some of the test images, as far as one can know."""
    table, student = found.test_side, found.evaluation
    return table is not None and student is not None and table.images < student.images


def _targets(file: ExportedFile, found: Findings) -> str:
    """What was asked of its speed, where that is not reached; a target is no gate."""
    missed = [
        target
        for device in found.devices
        for target in device.targets
        if target.format == file.format and target.verdict != "reached"
    ]
    words = {"missed": "its speed target is missed", "open": "its speed target stays open"}
    return "".join(
        f"; {words[t.verdict]} ({t.ratio.value:.2f} of {t.base}'s time, asked {t.limit:.2f})"
        for t in missed
    )
