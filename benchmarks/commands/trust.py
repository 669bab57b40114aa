"""Measure whether a student's answers can be trusted: in torch, and in every exported file.

Calibration (ECE and adaptive ECE over 15 bins, Brier score, likelihood) before and after scaling;
the unknown score, chosen on validation images and pictures for choosing, reported on others; risk
and coverage; where the networks looked, beside lesion masks and pasted artefacts; groups of
patients; changes of the picture; operating points for melanoma. What was answered is kept in
--work, so the same command goes on after a stop. --adopt puts temperature, unknown score,
thresholds and their evidence into the run: export it again after that. --files-only measures the
files of a new export and changes of the picture, and keeps in --out all else.

examples:
  python -m benchmarks trust runs/ssd_kd --adopt
  python -m benchmarks trust runs/ssd_kd --artifacts artifacts/ssd_kd --leave-out runs/leave_out
  python -m benchmarks trust runs/ssd_kd --artifacts artifacts/ssd_kd --files-only
  python -m benchmarks trust models/NAME --data DATA --masks masks.zip --photos FOLDER
  python -m benchmarks trust runs/ssd_kd --run no_kd=runs/no_kd --run teacher=runs/ssd_kd/teacher

exit code: 0 measured (goals that are missed are told, not judged), 2 bad input
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtimes.arguments import path, seed, threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.trust.images import Amounts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks trust`."""
    add = parser.add_argument
    add("run_folder", metavar="RUN", type=path, help="a finished run or a released model")
    add("--artifacts", type=path, help="folder that an export of it wrote")
    add("--only", nargs="+", action="extend", metavar="FORMAT", help="formats or families")
    add("--data", type=path, help="where the run's data set lies now")
    add("--cache-dir", type=path, help="where decoded images go")
    add("--masks", type=path, help="folder or zip of lesion masks (default: beside the data set)")
    add("--leave-out", type=path, help="folder that `benchmarks leave-out` wrote")
    add("--photos", type=path, help="folder of further photos that show no skin, for reporting")
    add(
        "--run",
        action="append",
        default=[],
        dest="networks",
        metavar="NAME=FOLDER",
        help="another network whose class maps are compared: teacher, no_kd, blkd",
    )
    add("--images", type=int, help="at most so many validation and test images (default all)")
    add("--pictures", type=int, default=200, help="pictures of each kind that is no lesion")
    add("--masked", type=int, default=500, help="images with masks")
    add("--changed", type=int, default=300, help="images that are turned, blurred and so on")
    add("--seed", type=seed, default=0, help="of all draws")
    add("--threads", type=threads, default=2, help="of each runtime")
    add("--adopt", action="store_true", help="write what was fitted into RUN")
    add("--files-only", action="store_true", help="keep in --out what no file changes")
    add("--work", type=path, help="where answers are kept (default data/trust and the name)")
    add("--out", type=path, default=Path("results/trust"), metavar="FOLDER", help="of the results")


def run(args: argparse.Namespace) -> int:
    """Measures, writes the folder, and says which goals are met."""
    from benchmarks.trust.adopt import adopt, decided
    from benchmarks.trust.ask import Setting
    from benchmarks.trust.card import put_into_card
    from benchmarks.trust.fit import fit
    from benchmarks.trust.folder import JSON_FILE, check_trust_folder, write_trust
    from benchmarks.trust.kept import Kept, check_work
    from benchmarks.trust.masks import find_masks, open_masks
    from benchmarks.trust.measure import measure
    from benchmarks.trust.question import (
        Question,
        check_networks,
        check_question,
        named_networks,
    )
    from benchmarks.trust.renew import check_material, read_earlier, renew
    from distill.comparison import read_student
    from distill.dataset import open_dataset
    from export.formats import select_formats
    from runtimes.console import note, say

    _check_files_only(args)
    amounts = _amounts(args)
    check_trust_folder(args.out)
    _, contract = read_student(args.run_folder)
    question = Question(
        run=args.run_folder,
        artifacts=args.artifacts,
        formats=tuple(form.key for form in select_formats(args.only)) if args.only else None,
        leave_out=args.leave_out,
        networks=named_networks(args.networks),
        threads=args.threads,
    )
    check_question(question, contract)
    work = args.work or Path("data/trust") / contract.name
    check_work(work, args.out)
    earlier = None
    if args.files_only:
        earlier = read_earlier(args.out, args.run_folder, contract, amounts)
    _prepare_torch(args.threads)
    dataset = open_dataset(args.run_folder, args.data, args.cache_dir)
    check_networks(question, dataset.split.sha256)
    found_masks = args.masks or find_masks(dataset.source)
    masks = None if found_masks is None else open_masks(found_masks)
    if masks is None:
        note(f"{dataset.source} has no lesion masks beside it; --masks names some.")
    setting = Setting(dataset, contract, amounts, masks, _photos(args.photos), Kept(work))
    if earlier is not None:
        check_material(earlier, args.out / JSON_FILE, setting)
        document = renew(earlier, setting, question)
        write_trust(args.out, document, setting, None)
    else:
        fitted, held_out = fit(setting, question)
        document = measure(setting, question, fitted, held_out)
        write_trust(args.out, document, setting, question)
    _tell(document)
    if args.adopt:
        decision = decided(setting, fitted, document)
        for written in adopt(args.run_folder, decision, fitted):
            say(f"wrote {written}")
        say(f"Export {args.run_folder} again: its files do not have this yet.")
    if not amounts.whole or "groups" not in document:
        note("The model card is left as it is: fewer images were asked about than by default.")
    elif (card := put_into_card(args.run_folder, document)) is not None:
        say(f"wrote {card}")
    say(f"wrote {args.out}")
    return 0


def _check_files_only(args: argparse.Namespace) -> None:
    from runtimes.errors import InputError

    if not args.files_only:
        return
    if args.artifacts is None:
        raise InputError("--files-only measures exported files. Name them with --artifacts FOLDER.")
    given = {"--leave-out": args.leave_out, "--run": args.networks, "--adopt": args.adopt}
    if other := next((option for option, value in given.items() if value), None):
        raise InputError(
            f"{other} is about more than the files, which --files-only keeps as it was. Leave one "
            "of the two out."
        )


def _amounts(args: argparse.Namespace) -> Amounts:
    from benchmarks.trust.images import Amounts
    from runtimes.errors import InputError

    least = {"images": 20, "pictures": 4, "masked": 2, "changed": 2}
    for name, smallest in least.items():
        value = getattr(args, name)
        if value is not None and value < smallest:
            raise InputError(f"--{name} is {value}, expected {smallest} or more.")
    return Amounts(
        side=args.images,
        pictures=args.pictures,
        masked=args.masked,
        changed=args.changed,
        seed=args.seed,
    )


def _photos(folder: Path | None) -> Any:
    from dataclasses import replace

    from benchmarks.trust.pictures import bundled_photos
    from runtimes.image_files import list_images
    from runtimes.preprocess import load_image

    found = bundled_photos()
    if folder is None:
        return found
    more = {each.name: load_image(each.read(), each.name) for each in list_images([folder])}
    return replace(found, reporting={**found.reporting, **more})


def _prepare_torch(count: int) -> None:
    import torch

    from distill.device import keep_freed_memory

    torch.set_num_threads(count)
    keep_freed_memory()


def _tell(document: Mapping[str, Any]) -> None:
    from benchmarks.trust.summary import lines
    from runtimes.console import say

    for line in lines(document):
        say(line)
