"""Run TFLite files on Android phones that are connected with a cable.

TensorFlow Lite's benchmark_model, whose path you give, is copied to every phone and runs each file
with every number of threads and every delegate, cooled down in between. What ran is shown beside
what was asked. Every run is kept at once: after a cable was pulled out, --resume goes on. The demo
app measures by itself and writes the same kind of record. docs/phone.md shows every step of both.

examples:
  python -m benchmarks phone artifacts/ssd_kd --runner benchmark_model --json phone.json
  python -m benchmarks phone artifacts/ssd_kd --runner benchmark_model --json phone.json --resume
  python -m benchmarks phone a.tflite --runner benchmark_model --threads 1 2 4 --delegate gpu

exit code: 0 all ran, 1 a run failed or a phone went away, 2 bad input or no phone
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from benchmarks.phone.records import DELEGATES
from runtimes.arguments import path, positive, seconds, threads

if TYPE_CHECKING:
    from benchmarks.latency.files import TimedFile
    from benchmarks.phone.document import Document, Settings
    from benchmarks.phone.records import Row
    from benchmarks.phone.runner import Runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m benchmarks phone`."""
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", type=path, help="folders of exports, or .tflite files")
    add("--runner", required=True, metavar="PATH", help="benchmark_model built for Android")
    add(
        *("--device", "-s"),
        action="append",
        default=[],
        metavar="SERIAL",
        help="as `adb devices` shows it; can be given more than once (default: all that are ready)",
    )
    add("--threads", nargs="+", type=threads, default=[1, 4], metavar="N", help="of the CPU")
    add(
        "--delegate",
        nargs="+",
        choices=DELEGATES,
        default=["xnnpack", "gpu"],
        help="cpu is TFLite's own kernels (default: xnnpack gpu)",
    )
    add("--runs", type=int, default=128, metavar="N", help="of each file, at least")
    add("--seconds", type=positive, default=10.0, metavar="T", help="a run, at least")
    add(
        "--limit", type=seconds, default=300.0, metavar="TIME", help="a run that takes longer hangs"
    )
    add(
        "--cool-down",
        type=seconds,
        default=300.0,
        metavar="TIME",
        help="to wait at most before a run until the phone is cool, 0s for never (default: 5m)",
    )
    add("--battery", type=positive, default=38.0, metavar="C", help="°C up to which it is cool")
    add("--json", type=path, metavar="FILE", help="also keep every run in this file")
    add("--resume", action="store_true", help="go on with the file of --json")


def run(args: argparse.Namespace) -> int:
    """Prints a table a phone, and why a run or a phone failed."""
    from benchmarks.phone.cooling import CoolDown
    from benchmarks.phone.document import SCHEMA, Settings
    from benchmarks.phone.runner import Amount
    from runtimes.atomic import check_output
    from runtimes.locks import alone_with

    _check(args)
    if args.json is not None:
        check_output(args.json, ".json", SCHEMA)
    settings = Settings(
        files=_tflite_files(args.files),
        threads=tuple(args.threads),
        delegates=tuple(args.delegate),
        amount=Amount(args.runs, args.seconds, args.limit),
        cool_down=CoolDown(args.cool_down, args.battery),
        runner=_runner(args.runner),
    )
    with nullcontext() if args.json is None else alone_with(args.json):
        return _measure(args, settings)


def _check(args: argparse.Namespace) -> None:
    from runtimes.errors import InputError

    if args.runs < 1:
        raise InputError(f"--runs is {args.runs}, expected 1 or more.")
    if args.limit < 2 * args.seconds:
        raise InputError(
            f"--limit is {args.limit:g} s, expected at least twice the {args.seconds:g} s of a run."
        )
    for name in ("threads", "delegate"):
        if len(set(getattr(args, name))) < len(getattr(args, name)):
            raise InputError(f"--{name} names a value twice; name each once.")


def _measure(args: argparse.Namespace, settings: Settings) -> int:
    from threading import Event

    from benchmarks.phone.adb import find_adb
    from benchmarks.phone.devices import choose_devices, list_devices
    from benchmarks.phone.document import open_document
    from benchmarks.phone.measure import connect, measure_phones
    from runtimes.console import fail, note, say, warn

    document = open_document(settings, args.json, args.resume)
    adb = find_adb(Event())
    ready, others = choose_devices(list_devices(adb), args.device)
    for device in others:
        warn(f"{device} It is left out.")
    with connect(adb, ready, settings) as phones:
        for phone in phones:
            document.add_phone(phone.id, phone.facts)
            done = len(settings.asks()) - len(document.left(phone.id))
            note(f"{phone.phone.serial}: {phone.facts}; {done} of {len(settings.asks())} runs done")
        early = measure_phones(phones, document)
    for phone in phones:
        say(_table(document, phone.id, phone.phone.serial))
    rows = [(p.phone.serial, row) for p in phones for row in document.rows[p.id].values()]
    for serial, row in rows:
        for text in (*row.notes, *_doubts(row)):
            warn(f"{serial}: {row.ask}: {text}")
        if row.fault:
            fail(f"{serial}: {row.ask}: {row.fault}")
    if args.json is not None and args.json.exists():
        say(f"wrote {args.json}")
    for phone in phones:
        if why := early.get(phone.id):
            resume = "--resume" if args.json is not None else "--json FILE, to be able to --resume"
            fail(f"{phone.phone.serial}: {why}. Then run the same command with {resume}.")
    return 1 if early or any(row.fault for _, row in rows) else 0


def _doubts(row: Row) -> list[str]:
    """What the reader of a row has to know beside its figures."""
    doubts = []
    if row.ran and row.ran.delegate != row.ask.delegate:
        doubts.append(f"asked for {row.ask.delegate}; what ran: {row.ran.delegate}")
    if row.cool is False:
        doubts.append(f"it began warm ({row.before})")
    return doubts


def _tflite_files(named: list[Path]) -> tuple[TimedFile, ...]:
    """The .tflite files of export folders, and single ones."""
    from benchmarks.latency.files import LITERT, find_files
    from runtimes.errors import InputError

    files = find_files(named)
    for file in files:
        if file.runtime != LITERT and file.path in named:
            raise InputError(f"{file.path}: phones run .tflite files; name one of those.")
    chosen = tuple(file for file in files if file.runtime == LITERT)
    if not chosen:
        raise InputError(f"{named[0]} holds no .tflite file. Export one: --only tflite:int8.")
    for file in chosen:
        if file.fault:
            raise InputError(f"{file.path}: {file.fault}")
    return chosen


def _runner(name: str) -> Runner:
    from benchmarks.phone.benchmark_model import BenchmarkModel
    from runtimes.errors import InputError

    if name == "app":
        raise InputError(
            "--runner app: the demo app measures by itself; start it with `adb shell am start` and "
            "pull its record, as docs/phone.md shows. Or name the path of a benchmark_model."
        )
    return BenchmarkModel.at(path(name))


def _table(document: Document, phone: str, serial: str) -> str:
    from runtimes.console import table

    heads: tuple[str, ...] = ("file", "threads", "asked", "what ran", "load", "first", "mean")
    heads += ("± std", "p50", "p95", "peak MB", "thermal", "battery °C")
    title = f"{document.facts[phone]} ({serial}): milliseconds, batch 1"
    return table(heads, [_cells(row) for row in document.rows[phone].values()], title)


def _cells(row: Row) -> tuple[str, ...]:
    asked = (row.ask.file, str(row.ask.threads), row.ask.delegate)
    if row.figures is None or row.ran is None:
        return (*asked, shorten(row.fault, 60, placeholder=" …"), *["–"] * 9)
    figures = row.figures
    times = (figures.load, figures.first, figures.mean, figures.deviation, figures.p50, figures.p95)
    thermal, celsius = (_change(row, name) for name in ("thermal", "celsius"))
    return (
        *asked,
        str(row.ran),
        *("–" if value is None else f"{value:.2f}" for value in times),
        "–" if figures.peak_mb is None else f"{figures.peak_mb:.0f}",
        thermal,
        celsius,
    )


def _change(row: Row, name: str) -> str:
    """A value before and after, such as "31.0 → 32.5"."""
    both = [None if state is None else getattr(state, name) for state in (row.before, row.after)]
    shown = ["–" if value is None else f"{value:g}" for value in both]
    return shown[0] if shown[0] == shown[1] else " → ".join(shown)
