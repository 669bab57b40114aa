"""Compares every loss term with a golden file; exits 1 where an error is above 1e-6.

The file is an .npz with numbered cases. caseK/in/ holds target (batch), class_weight (classes),
feat_s and feat_t (n, C, H, W), pool_s and pool_t (n, D), logits_s and logits_t (n, classes),
proj_s and proj_t (n, D); n = 4·batch views, the four rotations of an image one after another.
caseK/out/ holds gram_t0, crkd, rkd_distance, rkd_angle, drkd, blkd_lambda0.5_T5, similarity_s,
similarity_t, teacher_ss_loss, ss_rank, ss_keep, wce, kd, tf, ss, hr and total.
The error printed is the largest difference relative to the largest value, computed in float64.

Examples:
  python -m distill check-losses ../shared/golden/ssd_kd_losses.npz
  python -m distill check-losses golden.npz --json
"""

from __future__ import annotations

import argparse
import json
import math

from runtimes.arguments import path
from runtimes.console import say, table
from runtimes.errors import GateError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of the verb."""
    parser.add_argument("file", type=path, metavar="FILE.npz", help="golden inputs and outputs")
    parser.add_argument("--json", action="store_true", help="print the errors as JSON")


def run(args: argparse.Namespace) -> int:
    """Prints the relative error of each term in each case.

    Raises:
        GateError: an error is above the tolerance.
        InputError: the file is not of the layout.
    """
    from distill.losses.golden import OUTPUTS, TOLERANCE, check_golden

    errors = check_golden(args.file)
    failed = [error for error in errors if not error.passed]
    cases = sorted({error.case for error in errors})
    found = {(error.case, error.term): error.relative for error in errors}
    if args.json:
        # JSON knows neither NaN nor infinity: such an error is null, and is listed as failed.
        report = {
            "file": str(args.file),
            "tolerance": TOLERANCE,
            "passed": not failed,
            "failed": [f"case{error.case}/out/{error.term}" for error in failed],
            "relative_errors": {
                f"case{case}": {
                    term: found[case, term] if math.isfinite(found[case, term]) else None
                    for term in OUTPUTS
                }
                for case in cases
            },
        }
        say(json.dumps(report, indent=2))
    else:
        rows = [[term, *(f"{found[case, term]:.1e}" for case in cases)] for term in OUTPUTS]
        say(table(["term", *(f"case{case}" for case in cases)], rows))
    if failed:
        worst = ", ".join(f"case{e.case}/out/{e.term} {e.relative:.1e}" for e in failed)
        raise GateError(
            f"{len(failed)} of {len(errors)} loss terms differ from {args.file} by more than "
            f"{TOLERANCE:.0e}: {worst}. Either the file or the code of these terms is wrong."
        )
    if not args.json:
        say(f"All {len(errors)} errors are within {TOLERANCE:.0e}.")
    return 0
