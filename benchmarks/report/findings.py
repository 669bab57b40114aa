"""Everything that a report stands on, read and matched to one export."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import accuracy, costs, devices, opinions, phones, trials, trust
from benchmarks.report.accuracy import TestSide, read_test_side
from benchmarks.report.costs import Costs, read_costs
from benchmarks.report.devices import Device, read_machine
from benchmarks.report.document import Document, read_document
from benchmarks.report.evaluation import Evaluation, read_evaluation
from benchmarks.report.export import Export, read_export
from benchmarks.report.opinions import Opinions, read_arm, read_opinions
from benchmarks.report.phones import read_phones
from benchmarks.report.trials import Trials, read_trials
from benchmarks.report.trust import Trust, read_trust
from runtimes.errors import InputError

MOST_DEVICES = 20


@dataclass(frozen=True)
class Inputs:
    """Where the figures lie; all but the export may be missing."""

    artifacts: Path
    parity: Path | None = None
    latency: tuple[Path, ...] = ()
    flops: Path | None = None
    quantization: Path | None = None
    phone: tuple[Path, ...] = ()
    metrics: Path | None = None
    opinions: Path | None = None
    arm: Path | None = None
    trust: Path | None = None


@dataclass(frozen=True)
class Missing:
    """What the report has no figures of, and the command that makes them."""

    what: str
    sentence: str
    command: str


@dataclass(frozen=True)
class Note:
    """What a reader has to know of a source.

    Attributes:
        source: its copy in the report's folder.
        sentence: in words.
    """

    source: str
    sentence: str


# What every version of a result has, and the others do not have together.
_KEYS = {
    "parity": {"rows", "side"},
    "latency": {"settings"},
    "flops": {"networks"},
    "metrics": {"metrics", "side"},
    "quantization": {"trials"},
    "opinions": {"answers"},
    "arm": {"rows", "images"},
    "trust": {"schema", "withheld"},
}


@dataclass(frozen=True)
class Findings:
    """The figures, as they were read."""

    export: Export
    test_side: TestSide | None
    devices: tuple[Device, ...]
    costs: Costs | None
    evaluation: Evaluation | None
    trials: Trials | None
    opinions: Opinions | None
    arm: Opinions | None
    trust: Trust | None
    missing: tuple[Missing, ...]
    notes: tuple[Note, ...]
    documents: tuple[Document, ...]

    def source(self, role: str) -> str:
        """The copy of the document with that role."""
        return next(document.copy for document in self.documents if document.role == role)


def read_findings(inputs: Inputs) -> Findings:
    """Reads every input and matches it to the export.

    Raises:
        InputError: an input is damaged, or of another student or of other files.
    """
    export = read_export(inputs.artifacts)
    commands = _commands(inputs.artifacts)
    documents = list(export.documents)

    def opened(path: Path | None, role: str) -> Document | None:
        if path is None:
            return None
        document = read_document(path, role, f"data/{role.replace(' ', '-')}.json")
        kind = role.split()[0]
        if missing := sorted(_KEYS.get(kind, set()) - document.root.content().keys()):
            raise InputError(
                f"{path}: it has no '{missing[0]}', so it is not what --{kind} takes. Name the "
                f"file that this writes with --json: {commands[kind]}"
            )
        if twin := next((each for each in documents if each.sha256 == document.sha256), None):
            raise InputError(
                f"{path} is byte for byte {twin.path}, and would be counted twice. Name it once."
            )
        documents.append(document)
        return document

    parity, flops = opened(inputs.parity, "parity"), opened(inputs.flops, "flops")
    metrics = opened(inputs.metrics, "metrics")
    quantization = opened(inputs.quantization, "quantization")
    others, arm = opened(inputs.opinions, "opinions"), opened(inputs.arm, "arm")
    trusted = opened(inputs.trust, "trust")
    found: list[Device] = []
    for role, path in _numbered("latency", inputs.latency):
        if (document := opened(path, role)) is not None:
            found.append(read_machine(document, export, commands["latency"]))
    for role, path in _numbered("phone", inputs.phone):
        if (document := opened(path, role)) is not None:
            found += read_phones(document, export, commands["phone"])
    if len(found) > MOST_DEVICES:
        raise InputError(f"{len(found)} devices are named; a report has at most {MOST_DEVICES}.")
    read = Findings(
        export=export,
        test_side=None if parity is None else read_test_side(parity, export, commands["parity"]),
        devices=tuple(found),
        costs=None if flops is None else read_costs(flops, export, commands["flops"]),
        evaluation=None if metrics is None else read_evaluation(metrics, export),
        trials=None
        if quantization is None
        else read_trials(quantization, export, commands["quantization"]),
        opinions=None if others is None else read_opinions(others, export, commands["opinions"]),
        arm=None if arm is None else read_arm(arm, export, commands["arm"]),
        trust=None if trusted is None else read_trust(trusted, export, commands["trust"]),
        missing=_missing(inputs, export, commands),
        notes=(),
        documents=tuple(documents),
    )
    return Findings(**{**vars(read), "notes": _notes(read)})


def _numbered(role: str, paths: Sequence[Path]) -> list[tuple[str, Path]]:
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise InputError(f"{path} is named twice; name each file once.")
    return [(f"{role} {number}", path) for number, path in enumerate(paths, 1)]


def _commands(artifacts: Path) -> dict[str, str]:
    """What makes each input, without the place of anybody's home in it."""
    name = artifacts.resolve().name
    run, released = Path("runs", name), Path("models", name)
    apart = not run.is_dir() and released.is_dir()  # a released model has no run of its name
    folders = {
        "folder": Path("artifacts", name) if artifacts.is_absolute() else artifacts,
        "run": released if apart else run,
        "figures": Path("figures", name),
    }
    places = {key: shlex.quote(str(folder)) for key, folder in folders.items()}
    made = {
        "parity": accuracy.REMAKE + (" --run {run} --data DATA" if apart else ""),
        "latency": devices.REMAKE,
        "phone": phones.REMAKE,
        "opinions": opinions.REMAKE,
        "arm": opinions.REMAKE_ARM,
        "trust": trust.REMAKE + (" --data DATA" if apart else ""),
        "flops": costs.REMAKE,
        "quantization": trials.REMAKE + (" --data DATA" if apart else ""),
        "metrics": "python -m benchmarks report {folder} --metrics {run}/metrics.json",
        "export check": "python -m export run {run} --out {folder}",
    }
    return {key: command.format(**places) for key, command in made.items()}


def _missing(inputs: Inputs, export: Export, commands: dict[str, str]) -> tuple[Missing, ...]:
    found = []

    def add(what: str, sentence: str, command: str) -> None:
        found.append(Missing(what, sentence, command))

    if len(export.documents) < 3:
        sentence = "The export folder has no parity.json of its own check."
        add("export check", sentence, commands["export check"])
    if inputs.parity is None:
        add("parity", "The files were not measured on the whole test side.", commands["parity"])
    if not inputs.latency and not inputs.phone:
        add("latency", "The files were not timed on any device.", commands["latency"])
    if inputs.flops is None:
        add("flops", "Operations and memory were not counted.", commands["flops"])
    if inputs.metrics is None:
        add(
            "metrics",
            "There are no results by class; training writes them as metrics.json into its run.",
            commands["metrics"],
        )
    if inputs.quantization is None:
        sentence = "The ways to int8 were not compared."
        add("quantization", sentence, commands["quantization"])
    if inputs.opinions is None:
        sentence = "No other implementation was asked to read the files."
        add("opinions", sentence, commands["opinions"])
    if inputs.arm is None:
        sentence = "The kernels for ARM processors were not compared with those for x86."
        add("arm", sentence, commands["arm"])
    if inputs.trust is None:
        sentence = "Calibration, unknown and where the network looks were not measured."
        add("trust", sentence, commands["trust"])
    return tuple(found)


def _notes(read: Findings) -> tuple[Note, ...]:
    found = []

    def add(source: str, sentence: str) -> None:
        found.append(Note(source, sentence))

    if (table := read.test_side) is not None:
        source = read.source("parity")
        if not table.by_hash:
            add(
                source,
                "It names no hashes, as older versions wrote it: that its figures are of these "
                "files rests on their names alone.",
            )
        if table.others:
            add(source, _left_out("figures", table.others))
        if read.evaluation is not None and table.images < read.evaluation.images:
            add(
                source,
                f"It covers {table.images:,} of {read.evaluation.images:,} test images, so no gate "
                "is judged by it.",
            )
    for device in read.devices:
        others = tuple(dict.fromkeys(row.name for row in device.rows if row.kind == "other"))
        if others:
            add(device.source, _left_out("times", others))
        if doubts := _doubts(device):
            add(device.source, f"{device.name}: {' '.join(doubts)}")
    for role, asked in (("opinions", read.opinions), ("arm", read.arm)):
        if asked is None:
            continue
        if apart := asked.apart:
            found_apart = ", ".join(f"{row.format}, {row.by}" for row in apart)
            add(read.source(role), f"Disagreements, or no answer: {found_apart}.")
        if asked.others:
            add(read.source(role), _left_out("answers", asked.others))
    if read.trust is not None and read.trust.others:
        add(read.source("trust"), _left_out("figures", read.trust.others))
    if read.costs is not None:
        others = tuple(row.name for row in read.costs.files if not row.format)
        if others:
            add(read.source("flops"), f"Not of this export: {', '.join(others)}.")
    if read.trials is not None and not read.trials.by_hash:
        add(
            read.source("quantization"),
            "It names no student, as older versions wrote it: only its architecture is known to "
            "be the same.",
        )
    return tuple(found)


def _doubts(device: Device) -> list[str]:
    """What has to be known of a phone's times."""
    runs = [row.phone for row in device.rows if row.phone is not None and row.runs]
    said = [device.fault] if device.left else []
    if runs and device.measure == "mean":
        said.append("Not every run tells a p50, so its files are compared by the mean.")
    if other := [run for run in runs if run.is_other]:
        said.append(f"{len(other)} of {len(runs)} timed runs did not run on what was asked for.")
    if apart := [run for run in runs if run.apart]:
        said.append(f"{len(apart)} of {len(runs)} timed runs gave other answers than the export's.")
    if warm := [run for run in runs if run.cool is False]:
        said.append(f"{len(warm)} of {len(runs)} timed runs began while it was warm.")
    return said


def _left_out(what: str, names: Sequence[str]) -> str:
    return (
        f"It has {what} of files with another content than this export's, which are left out of "
        f"every comparison: {', '.join(names)}."
    )
