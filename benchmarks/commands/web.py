"""Run an export's files in the browser of a phone that needs no cable.

It serves a page, on this computer alone or with --network to others in its network, and prints the
address, as a QR code too. On the page one tap runs every .tflite file by LiteRT.js and every .onnx
file by ONNX Runtime Web, compares the answers with the golden tensors of the export, and sends the
figures back, which are kept at once. Who has the address may open the page: it holds a token that
is new at every start. Several phones may come, also one after another; Ctrl-C ends it.

The browser's runtimes are npm packages at exact versions, fetched once (45 MB) with --fetch; the
page loads nothing from elsewhere. docs/phone.md shows every step.

examples:
  python -m benchmarks web --fetch
  python -m benchmarks web artifacts/ssd_kd --json web.json
  python -m benchmarks web artifacts/ssd_kd --network --json web.json
  python -m benchmarks web artifacts/ssd_kd --network 192.168.1.20 --threads 1 4 \
      --certificate cert.pem --key key.pem

exit code: 0 all ran with the answers of the export, 1 a file failed or answered otherwise, or no
phone came, 2 bad input
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.arguments import path, positive, seconds, threads

if TYPE_CHECKING:
    from benchmarks.web.document import Document
    from benchmarks.web.records import Row
    from benchmarks.web.server import Certificate, PageServer
    from benchmarks.web.site import Export
    from benchmarks.web.visits import Visits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks web`."""
    add = parser.add_argument
    add("artifacts", metavar="ARTIFACTS", nargs="?", type=path, help="folder that an export wrote")
    add("--fetch", action="store_true", help="fetch the browser's runtimes with npm, and end")
    add("--folder", type=path, default=Path(".web"), help="where those lie or are put")
    add(
        "--network",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="let others in this computer's network open the page, at one of its IPv4 addresses "
        "(default: the page opens on this computer only)",
    )
    add("--port", type=int, default=0, help="(default: any that is free)")
    add("--certificate", type=path, metavar="FILE", help="PEM, to serve over HTTPS; with --key")
    add("--key", type=path, metavar="FILE", help="the key of --certificate, PEM without password")
    add("--threads", nargs="+", type=threads, default=[1], metavar="N", help="of the CPU")
    add("--runs", type=int, default=128, metavar="N", help="of each file, at least")
    add("--seconds", type=positive, default=10.0, metavar="T", help="of each file, at least")
    add(
        "--limit",
        type=seconds,
        default=120.0,
        metavar="TIME",
        help="a file that takes longer hangs",
    )
    add("--phones", type=int, metavar="N", help="end when so many phones have finished")
    add("--json", type=path, metavar="FILE", help="also keep every run in this file")


def run(args: argparse.Namespace) -> int:
    """Serves the page, then prints a table a phone and why a file failed."""
    from benchmarks.web.document import SCHEMA
    from benchmarks.web.packages import fetch_packages, read_packages
    from benchmarks.web.site import read_export
    from runtimes.atomic import check_output
    from runtimes.console import note, say
    from runtimes.locks import alone_with

    if args.fetch:
        note(f"fetching the browser's runtimes into {args.folder}")
        fetch_packages(args.folder)
        say(f"wrote {args.folder}")
        return 0
    _check(args)
    certificate = _certificate(args)
    if args.json is not None:
        check_output(args.json, ".json", SCHEMA)
    export = read_export(args.artifacts)
    packages = read_packages(args.folder)
    with nullcontext() if args.json is None else alone_with(args.json):
        return _measure(args, export, packages, certificate)


def _measure(
    args: argparse.Namespace,
    export: Export,
    packages: dict[str, bytes],
    certificate: Certificate | None,
) -> int:
    from benchmarks.web.document import Settings, open_document
    from benchmarks.web.server import PageServer
    from benchmarks.web.site import build_site
    from benchmarks.web.visits import Visits
    from runtimes.console import fail, note, say
    from runtimes.errors import InputError

    settings = Settings(export.files, tuple(args.threads), args.runs, args.seconds, args.limit)
    document = open_document(settings, args.json)
    visits = Visits(document, export.golden, export.threshold)
    title = args.artifacts.resolve().name
    server = PageServer(
        _address(args.network),
        args.port,
        build_site(title, export, settings, packages),
        {"enter": visits.enter, "begin": visits.begin, "end": visits.end},
        certificate,
    )
    _announce(server, args.network is not None)
    try:
        _serve(server, visits, args.phones)
    except KeyboardInterrupt:
        note("")
    came = visits.phones()
    for phone in came:
        say(_table(document, phone))
    rows = [(phone, row) for phone in came for row in document.rows[phone].values()]
    for phone, row in rows:
        for reason in filter(None, (row.fault, *_apart(row))):
            fail(f"phone {phone}: {row.ask.file}, threads {row.ask.threads}: {reason}")
    for phone in came:
        if left := document.left(phone):
            fail(f"phone {phone}: {len(left)} of {len(settings.asks())} runs are missing.")
    if not rows:
        raise InputError("no phone measured anything. Start again, and open the address on one.")
    if args.json is not None:
        document.save()  # once more, for what could not be written when it came
        say(f"wrote {args.json}")
    failed = any(row.fault or _apart(row) for _, row in rows)
    return 1 if failed or any(document.left(phone) for phone in came) else 0


def _check(args: argparse.Namespace) -> None:
    from runtimes.errors import InputError

    if args.artifacts is None:
        raise InputError("ARTIFACTS is missing: name the folder of an export, or --fetch.")
    for name, most in (("runs", 20_000), ("phones", 20), ("port", 65_535)):
        value, least = getattr(args, name), 0 if name == "port" else 1
        if value is not None and not least <= value <= most:
            raise InputError(f"--{name} is {value}, expected {least} to {most:,}.")
    if args.limit < 2 * args.seconds:
        raise InputError(
            f"--limit is {args.limit:g} s, expected at least twice the {args.seconds:g} s of a run."
        )
    if len(set(args.threads)) < len(args.threads):
        raise InputError("--threads names a value twice; name each once.")


def _certificate(args: argparse.Namespace) -> Certificate | None:
    from benchmarks.web.server import Certificate
    from runtimes.errors import InputError

    if (args.certificate is None) != (args.key is None):
        raise InputError("--certificate and --key belong together; name both.")
    return None if args.certificate is None else Certificate(args.certificate, args.key)


def _address(network: str | None) -> str:
    from benchmarks.web.address import LOOPBACK, checked_address, own_address

    if network is None:
        return LOOPBACK
    return own_address() if network == "auto" else checked_address(network)


def _announce(server: PageServer, network: bool) -> None:
    import sys

    from benchmarks.web.address import qr_code
    from runtimes.console import note, say

    if network and sys.stdout.isatty():
        say(qr_code(server.url))
    say(f"Open on the phone: {server.url}" if network else f"Open on this computer: {server.url}")
    if network:
        note("Whoever has this address can open the page while it is served.")
    else:
        note("For a phone without a cable, add --network.")
    note("Ctrl-C ends it; what was measured is kept.")


def _serve(server: PageServer, visits: Visits, phones: int | None) -> None:
    from threading import Thread

    thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        while phones is None or visits.finished() < phones:
            visits.changed.wait(0.5)
            visits.changed.clear()
    finally:
        server.finish()


def _apart(row: Row) -> list[str]:
    if row.answers is None or not row.answers.faults:
        return []
    return [f"other answers than at the export: {'; '.join(row.answers.faults)}"]


def _table(document: Document, phone: str) -> str:
    from runtimes.console import table

    heads = ("file", "threads", "what ran", "load", "first", "p50", "p90", "p99", "runs", "Δp")
    rows = [_cells(row) for row in document.rows[phone].values()]
    title = f"{document.facts[phone]} (phone {phone}): milliseconds, batch 1"
    return table(heads, rows, title)


def _cells(row: Row) -> tuple[str, ...]:
    from textwrap import shorten

    asked = (row.ask.file, str(row.ask.threads))
    if row.figures is None or row.answers is None:
        return (*asked, shorten(row.fault, 60, placeholder=" …"), *["–"] * 7)
    figures = row.figures
    times = (figures.load, figures.first, figures.p50, figures.p90, figures.p99)
    return (
        *(*asked, row.ran),
        *(f"{value:.2f}" for value in times),
        f"{figures.runs:,}",
        f"{row.answers.comparison.probability:.1e}",
    )
