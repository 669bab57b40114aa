"""Second opinions: other implementations and other processors that read the same files.

`python -m benchmarks opinions --json` and `python -m benchmarks arm --json` write them.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.arm.first_difference import Difference
from benchmarks.report.document import Document
from benchmarks.report.export import Export
from benchmarks.report.fields import LARGEST, count, number, share
from benchmarks.report.match import check_any, owner
from runtimes.strict_json import StrictObject

REMAKE = "python -m benchmarks opinions {folder} --json {figures}/opinions.json"
REMAKE_ARM = "python -m benchmarks arm {folder} --json {figures}/arm.json"


@dataclass(frozen=True)
class Opinion:
    """One file read by another implementation or processor.

    Attributes:
        format: of this export's file with that content.
        file: its name.
        by: who answered, with version, and processor.
        probability: largest difference of a probability; None without a finite answer.
        maps: difference of the class maps in standard deviations: the root mean square for
            implementations, the largest for processors; None likewise.
        agreement: share of images with the same first diagnosis; None where nobody counted.
        agrees: whether all is as near as it has to be.
        faults: why there is no answer, or what is too far apart.
    """

    format: str
    file: str
    by: str
    probability: float | None
    maps: float | None
    agreement: float | None
    agrees: bool
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Analysis:
    """What TensorFlow's analyzer says of a file on a phone's GPU.

    Attributes:
        format: of this export's file.
        by: its version.
        refused: its sentences about operators that the GPU delegate would not take.
        is_witness: whether it rejects a file that no GPU takes.
    """

    format: str
    by: str
    refused: tuple[str, ...]
    is_witness: bool


@dataclass(frozen=True)
class Opinions:
    """All of a document.

    Attributes:
        images: golden images that were answered.
        rows: of this export's files, disagreements first.
        gpu: likewise, in the document's order.
        others: names of files with another content, which are left out.
    """

    images: int
    rows: tuple[Opinion, ...]
    gpu: tuple[Analysis, ...]
    others: tuple[str, ...]

    @property
    def apart(self) -> tuple[Opinion, ...]:
        """The disagreements."""
        return tuple(row for row in self.rows if not row.agrees)


def read_opinions(document: Document, export: Export, remake: str) -> Opinions:
    """Reads what other implementations answered.

    Raises:
        InputError: damaged, or with none of this export's files.
    """
    top = document.root
    items = top.children("answers")
    found = _read(document, items, "answers", export, remake)
    # The analyzer's rows have no hash; the answers of the same folder know their names.
    formats = {item.text("file"): owner(item, export) for item in items}
    gpu = [
        Analysis(form, item.text("by"), item.texts("refused"), item.flag("is_witness"))
        for item in top.children("gpu")
        if (form := formats.get(item.text("file"), ""))
    ]
    return Opinions(**{**vars(found), "gpu": tuple(gpu)})


def read_arm(document: Document, export: Export, remake: str) -> Opinions:
    """Reads what emulated ARM processors answered.

    Raises:
        InputError: damaged, or with none of this export's files.
    """
    return _read(document, document.root.children("rows"), "rows", export, remake)


def _read(
    document: Document, items: list[StrictObject], key: str, export: Export, remake: str
) -> Opinions:
    check_any(document, export, [item.text("sha256") for item in items], key, remake)
    read = _answer if key == "answers" else _arm
    rows = [read(item, form) for item in items if (form := owner(item, export))]
    others = dict.fromkeys(item.text("file") for item in items if not owner(item, export))
    return Opinions(
        images=count(document.root, "images", 1),
        rows=tuple(sorted(rows, key=lambda row: row.agrees)),
        gpu=(),
        others=tuple(others),
    )


def _answer(item: StrictObject, form: str) -> Opinion:
    found, faults = item.child_or_none("comparison"), item.texts("faults")
    if found is None and not faults:
        raise item.error("comparison", None, "figures, for 'faults' is empty")
    return Opinion(
        format=form,
        file=item.text("file"),
        by=item.text("by"),
        probability=None if found is None else _distance(found, "probability"),
        maps=None if found is None else _distance(found, "cam"),
        agreement=None if found is None else share(found, "agreement"),
        agrees=not faults,
        faults=faults,
    )


def _arm(item: StrictObject, form: str) -> Opinion:
    probability, maps = _distance(item, "probability"), _distance(item, "maps")
    fault, limit = item.text("fault"), item.child("limit")
    faults = [fault] if fault else []
    if not item.flag("passed") and not fault:
        asked = [f"a probability may differ by {number(limit, 'probability', 0, 1):g}"]
        if limit.number_or_none("maps") is not None:
            asked.append(f"a class map by {number(limit, 'maps', 0, LARGEST):g}")
        faults.append(", ".join(asked))
        if item.has("first") and (first := item.child_or_none("first")):
            faults.append(f"it differs {_difference(first)}")
    return Opinion(
        format=form,
        file=item.text("file"),
        by=f"{item.text('by')} on {item.text('cpu')}",
        probability=probability,
        maps=maps,
        agreement=None,
        agrees=not faults,
        faults=tuple(faults),
    )


def _difference(item: StrictObject) -> Difference:
    return Difference(
        item.text("operator"),
        item.text("layer"),
        *(count(item, key, 0) for key in ("values", "of", "steps", "tensors", "of_tensors")),
    )


def _distance(item: StrictObject, key: str) -> float | None:
    return None if item.number_or_none(key) is None else number(item, key, 0, LARGEST)
