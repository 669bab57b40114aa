"""Where everything comes from: student, files and JSON files, with their hashes."""

from __future__ import annotations

from benchmarks.report.page.figures import NONE, megabytes
from benchmarks.report.page.markup import Markup, element, table
from benchmarks.report.page.parts import code, figure, paragraph, section
from benchmarks.report.report import Report, Source


def provenance_section(report: Report) -> Markup:
    """The student's and the files' hashes, and the JSON files of the report."""
    export, about = report.found.export, report.found.export.contract
    files = [
        (file.format, file.file, megabytes(file.bytes), file.runs_on, code(file.sha256))
        for file in export.files
    ]
    sources = [
        (
            element("a", source.copy, href=source.copy),
            source.role,
            ", ".join(map(_short, _commits(source))) or NONE,
            source.python or NONE,
            source.machine or NONE,
            code(source.sha256),
        )
        for source in report.sources
    ]
    rows = (
        ("student", export.architecture),
        ("its weights, SHA-256", code(export.student)),
        ("method and teacher", f"{about.training.method}, {about.training.teacher or 'none'}"),
        ("trained on", f"{about.training.images:,} images: {about.training.data}"),
        ("split", f"by {about.training.split_protocol}, seed {about.training.seed}"),
        ("the split's SHA-256", code(export.contract.training.split_sha256)),
        ("detail of the training images", f"{about.preprocessing.effective_resolution} pixels"),
        ("licence", about.license),
        ("intended use", about.intended_use),
        ("this report's code", str(report.provenance.get("git_commit") or NONE)),
    )
    manifest = (report.found.source("manifest"),)
    contract = (*manifest, report.found.source("contract"))
    parts = (
        figure(
            report, contract, "The student.", table(("what", "value"), rows, "The student", True)
        ),
        figure(
            report,
            manifest,
            "The files.",
            table(("format", "file", "MB", "runs on", "SHA-256"), files, "The files", prose=True),
        ),
        paragraph(
            "The JSON files of this report lie beside it, byte for byte as they were read; ",
            element("a", "report.json", href="report.json"),
            " has everything on this page as data.",
        ),
        table(
            ("JSON file", "what it is", "commit", "Python", "machine", "SHA-256"),
            sources,
            "The JSON files of this report",
            prose=True,
        ),
    )
    return section(report, "provenance", "Provenance", *parts)


def _commits(source: Source) -> list[str]:
    return [commit for commit in (source.git_commit, *source.further_commits) if commit]


def _short(commit: str) -> str:
    """Twelve digits, and what says that the code was changed since."""
    return commit[:12] + commit[40:]
