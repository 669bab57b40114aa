"""Write one page about an export: which files may be shipped, and what each costs.

It only reads what other verbs wrote with --json. What is missing is said on the page, with the
command that makes it; figures of another student or of other files are refused. The folder holds
report.html (which needs nothing but itself), report.json (docs/report.schema.json) and, in data/,
the JSON files that both stand on.

examples:
  python -m benchmarks report artifacts/ssd_kd
  python -m benchmarks report artifacts/ssd_kd --parity parity.json --latency latency.json
  python -m benchmarks report artifacts/ssd_kd --parity a.json --latency laptop.json server.json
  python -m benchmarks report artifacts/ssd_kd --phone phone.json --opinions opinions.json
  python -m benchmarks report artifacts/ssd_kd --compare reports/old/report.json --out reports/new

exit code: 0 written (whatever the verdict says), 2 bad input
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runtimes.arguments import path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks report`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", type=path, help="folder that an export wrote")
    add("--parity", type=path, metavar="FILE", help="of `benchmarks parity --json`")
    add(
        "--latency",
        type=path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="of `benchmarks latency --json`, one a device",
    )
    add("--flops", type=path, metavar="FILE", help="of `benchmarks flops --json`")
    add("--quantization", type=path, metavar="FILE", help="of `benchmarks quantization --json`")
    add(
        "--phone",
        type=path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="of `benchmarks phone --json` or `benchmarks web --json`; one file may hold several "
        "phones",
    )
    add("--opinions", type=path, metavar="FILE", help="of `benchmarks opinions --json`")
    add("--arm", type=path, metavar="FILE", help="of `benchmarks arm --json`")
    add("--trust", type=path, metavar="FILE", help="trust.json of `benchmarks trust`")
    add("--metrics", type=path, metavar="FILE", help="metrics.json of the run or released model")
    add("--compare", type=path, metavar="FILE", help="report.json of an older report")
    add("--out", type=path, metavar="FOLDER", help="(default reports/ and the export's name)")


def run(args: argparse.Namespace) -> int:
    """Writes the folder and prints the verdict."""
    from benchmarks.report.changes import read_known
    from benchmarks.report.findings import Inputs
    from benchmarks.report.folder import HTML_FILE, JSON_FILE, check_report_folder, write_report
    from benchmarks.report.report import build_report
    from runtimes.atomic import check_apart
    from runtimes.console import say

    out = args.out or Path("reports") / args.artifacts.resolve().name
    check_report_folder(out)
    check_apart(out, args.artifacts)
    before = None if args.compare is None else read_known(args.compare)
    inputs = Inputs(
        artifacts=args.artifacts,
        parity=args.parity,
        latency=tuple(args.latency),
        flops=args.flops,
        quantization=args.quantization,
        phone=tuple(args.phone),
        metrics=args.metrics,
        opinions=args.opinions,
        arm=args.arm,
        trust=args.trust,
    )
    report = build_report(inputs, before)
    write_report(report, out)
    say(report.headline)
    for verdict in report.verdicts:
        say(f"{verdict.word:<11} {verdict.format}: {verdict.sentence}")
    for note in report.found.notes:
        say(f"note on {note.source}: {note.sentence}")
    for item in report.found.missing:
        say(f"missing: {item.sentence} {item.command}")
    say(f"wrote {out / HTML_FILE} and {out / JSON_FILE}")
    return 0
