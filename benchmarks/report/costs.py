"""Operations, parameters and memory: what `python -m benchmarks flops --json` wrote."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import count, positive, text_or_empty
from benchmarks.report.match import check_any, owner
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks flops {folder} --json {figures}/flops.json"


@dataclass(frozen=True)
class Cost:
    """Of one image; see `benchmarks.flops.graph.Cost`."""

    macs: int
    macs_with_batchnorm: int
    flops: int
    parameters: int
    peak_activation_bytes: int
    operators: int


@dataclass(frozen=True)
class Network:
    """A torch module, beside what the paper says of it."""

    architecture: str
    classes: int
    size: int
    cost: Cost
    paper_giga_macs: float | None
    paper_mega_parameters: float | None
    fault: str


@dataclass(frozen=True)
class FileCost:
    """A file by its own operators; `format` is "" where it is not of this export."""

    name: str
    format: str
    bytes: int
    cost: Cost | None
    fault: str


@dataclass(frozen=True)
class Costs:
    """All rows."""

    convention: dict[str, str]
    networks: tuple[Network, ...]
    files: tuple[FileCost, ...]


def read_costs(document: Document, export: Export, remake: str) -> Costs:
    """Reads the networks and files.

    Raises:
        InputError: damaged, or with files and none of them of this export.
    """
    top = document.root
    items = top.children("files")
    check_any(document, export, [item.text("sha256") for item in items], "files", remake)
    convention = top.child("convention")
    return Costs(
        convention={name: convention.text(name) for name in convention.content()},
        networks=tuple(_network(item) for item in top.children("networks")),
        files=tuple(_file(item, export) for item in items),
    )


def _network(item: StrictObject) -> Network:
    paper = item.child_or_none("published")
    return Network(
        architecture=item.text("architecture"),
        classes=count(item, "classes", 1),
        size=count(item, "size", 1),
        cost=_cost(item.child("cost")),
        paper_giga_macs=None if paper is None else positive(paper, "giga_macs"),
        paper_mega_parameters=None if paper is None else positive(paper, "mega_parameters"),
        fault=text_or_empty(item, "fault"),
    )


def _file(item: StrictObject, export: Export) -> FileCost:
    cost = item.child_or_none("cost")
    return FileCost(
        name=item.text("file"),
        format=owner(item, export),
        bytes=count(item, "bytes"),
        cost=None if cost is None else _cost(cost),
        fault=text_or_empty(item, "fault"),
    )


def _cost(item: StrictObject) -> Cost:
    return Cost(**{name: count(item, name) for name in Cost.__dataclass_fields__})
