"""Read and check a data set: classes, lesions, sources, duplicates and the sizes of its split.

DATA is one of: a folder with labels.csv (image, diagnosis, lesion_id, …) and a zip or folder of
images; the official ISIC 2019 download (…_GroundTruth.csv, …_Metadata.csv, …_Input); a tree with
one folder of images a class (CLASS/image, or CLASS/LESION/image where lesions are known). Nothing
is written unless --out names a file.

examples:
  python -m distill index ../shared/isic2019
  python -m distill index ../shared/isic2019 --images images224.zip --skip-unmatched
  python -m distill index my_images --split paper --seed 7
  python -m distill index my_images --json --out index.json
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runtimes.arguments import path, seed
from runtimes.console import say, table, warn

if TYPE_CHECKING:
    from distill.index import Index
    from distill.splits import Split

_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of the verb."""
    parser.add_argument("data", type=path, metavar="DATA", help="the data set")
    parser.add_argument(
        "--images", default="auto", help="zip or folder in DATA, where there are several"
    )
    parser.add_argument(
        "--skip-unmatched",
        action="store_true",
        help="leave out labels without an image and images without a label",
    )
    parser.add_argument(
        "--split", default="lesion", metavar="PROTOCOL", help="lesion (default) or paper"
    )
    parser.add_argument("--seed", type=seed, default=2021, help="of the split")
    parser.add_argument("--fold", type=int, default=2, help="of the split 'paper'")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--out", type=path, metavar="FILE", help="also write them there as JSON")


def run(args: argparse.Namespace) -> int:
    """Prints what a data set holds.

    Raises:
        InputError: it cannot be used, or cannot be split (its contents are printed first).
    """
    import json

    from distill.index import read_index
    from distill.splits import make_split
    from runtimes.atomic import check_output, write_json
    from runtimes.errors import InputError

    if args.out is not None:
        check_output(args.out, ".json")
    index = read_index(args.data, args.images, skip_unmatched=args.skip_unmatched)
    split: Split | None = None
    fault: InputError | None = None
    try:
        split = make_split(index, args.split, args.seed, args.fold)
    except InputError as error:
        fault = error
    findings = _findings(index, split)
    say(json.dumps(findings, indent=2, ensure_ascii=False) if args.json else _text(findings))
    for warning in index.warnings:
        warn(warning)
    if args.out is not None:
        write_json(args.out, findings)
        if not args.json:
            say(f"written to {args.out}")
    if fault is not None:
        raise fault
    return 0


def _findings(index: Index, split: Split | None) -> dict[str, Any]:
    from collections import Counter

    from distill.splits import SIDES, count_classes

    groups = {(record.label, record.group) for record in index.records}
    lesions = Counter(label for label, _ in groups)
    sides = count_classes(split, index) if split is not None else {}
    return {
        "reader": index.reader,
        "images_from": index.root,
        "synthetic": index.synthetic,
        "images": len(index.records),
        "lesions": len({record.group for record in index.records}),
        "lesion_unknown": sum(not record.lesion for record in index.records),
        "index_sha256": index.sha256,
        "classes": {
            code: {
                "images": images,
                "lesions": lesions[label],
                **{side: sides[side][label] for side in SIDES if sides},
            }
            for label, (code, images) in enumerate(zip(index.classes, index.counts(), strict=True))
        },
        "sources": dict(Counter(record.source for record in index.records).most_common()),
        "duplicates": [list(group) for group in index.duplicates],
        "contradictions": [list(group) for group in index.contradictions],
        "warnings": list(index.warnings),
        "split": None
        if split is None
        else {
            "protocol": split.protocol,
            "seed": split.seed,
            "fold": split.fold,
            "sha256": split.sha256,
            **{side: len(split.side(side)) for side in SIDES},
        },
    }


def _text(found: dict[str, Any]) -> str:
    kind = "SYNTHETIC data set" if found["synthetic"] else "data set"
    classes, split = found["classes"], found["split"]
    columns = list(next(iter(classes.values())))
    rows = [[code, *counts.values()] for code, counts in classes.items()]
    if split is not None:
        sides = [split[side] for side in columns[2:]]
        rows.append(["all", found["images"], found["lesions"], *sides])
    lines = [
        f"{kind} ({found['reader']}), images from {found['images_from']}",
        "",
        table(["class", *columns], rows),
        "",
        "sources: " + ", ".join(f"{name} {count}" for name, count in found["sources"].items()),
        f"lesion unknown (each image its own): {found['lesion_unknown']}",
        f"groups of identical images: {len(found['duplicates'])}"
        + _examples(found["duplicates"], len(found["duplicates"]) <= _SHOWN),
        f"of these with contradictory classes: {len(found['contradictions'])}"
        + _examples(found["contradictions"], True),
    ]
    if split is not None:
        fold = "" if split["fold"] is None else f", fold {split['fold']}"
        lines.append(
            f"split: by {split['protocol']}, seed {split['seed']}{fold}, "
            f"sha256 {split['sha256'][:12]}"
        )
    return "\n".join(lines)


def _examples(groups: list[list[str]], wanted: bool) -> str:
    if not groups or not wanted:
        return ""
    shown = "; ".join(" = ".join(group) for group in groups[:_SHOWN])
    return f" ({shown}{'; …' if len(groups) > _SHOWN else ''})"
