"""What people see: verbs, progress, tables and errors; coloured on a terminal, plain in a pipe."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from runtimes.dependencies import missing_package
from runtimes.errors import DermportError, InputError, MissingDependencyError, ProgramFault

_SECONDS_BETWEEN_LINES = 15.0
_EXIT_CODES = (
    "exit code: 0 done, 1 a gate failed, 2 bad input, 3 a fault of the program, 130 interrupted"
)


@dataclass(frozen=True)
class Verb:
    """One verb: its module has `add_arguments(parser)` and `run(args) -> int | None`."""

    name: str
    summary: str
    module: str


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples as they are typed, and says what an option is when it is not given."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = action.help or ""
        if any(action.default is none for none in (None, False, argparse.SUPPRESS)):
            return told
        if action.default in ([], ()):
            return told
        says_so = "(default" in told or not action.option_strings
        return told if says_so else f"{told} (default: %(default)s)"


def run_program(program: str, description: str, verbs: Sequence[Verb], argv: Sequence[str]) -> int:
    """Runs one verb and returns the exit code; only that verb's module is imported.

    A module's docstring is its help text: the first line and, below it, worked examples.
    Exit codes: 0 done, 1 a gate failed, 2 bad input, 3 a fault of the program,
    130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        formatter_class=_HelpFormatter,
        epilog=f"python -m {program} VERB --help explains one verb, with examples.",
    )
    choices = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    asked = next((word for word in argv if not word.startswith("-")), None)
    for verb in verbs:
        if verb.name != asked:
            choices.add_parser(verb.name, help=verb.summary, add_help=False)
            continue
        module = importlib.import_module(verb.module)
        sub = choices.add_parser(
            verb.name,
            help=verb.summary,
            description=module.__doc__,
            formatter_class=_HelpFormatter,
            epilog="" if "exit code" in (module.__doc__ or "") else _EXIT_CODES,
        )
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal cannot show is no error
    signal.signal(signal.SIGTERM, _interrupt)  # so that what is half-written is tidied up
    try:
        return args.run(args) or 0
    except KeyboardInterrupt:
        exec("")  # Python 3.11 otherwise ends by SIGINT if an exec was interrupted on the way
        fail("interrupted; files that were finished are kept, and none is half-written.")
        return 130
    except BrokenPipeError:
        _discard_output()
        return 0
    except Exception as error:
        if args.debug:
            raise
        known = _meant_for_people(error)
        fail(str(known))
        return known.exit_code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _meant_for_people(error: Exception) -> DermportError:
    if isinstance(error, DermportError):
        return error
    if isinstance(error, ModuleNotFoundError) and (group := missing_package(error.name or "")):
        stage, package = group
        return MissingDependencyError(package, stage)
    if isinstance(error, OSError) and error.filename is not None:
        return InputError(f"{error.filename}: {error.strerror}. Check the path.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError("the disk is full. Free some space and run the same command again.")
    return ProgramFault(
        f"{type(error).__name__}: {error}\nThis is a fault of the program; --debug shows where."
    )


def say(text: str = "") -> None:
    """Prints one line of result to standard output; a reader that went away stops no work."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard_output()


def note(text: str) -> None:
    """Prints one line for the person who waits, to standard error."""
    with suppress(BrokenPipeError):  # nobody reads on; the work goes on
        print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Prints one warning to standard error."""
    _coloured("warning:", "33", text)


def fail(text: str) -> None:
    """Prints one error to standard error."""
    _coloured("error:", "31", text)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> str:
    """Returns an aligned plain-text table; numbers are set to the right."""
    body = [[str(cell) for cell in row] for row in rows]
    numeric = [bool(body) and all(_is_number(row[i]) for row in body) for i in range(len(headings))]
    widths = [max([len(h), *(len(row[i]) for row in body)]) for i, h in enumerate(headings)]

    def line(cells: Sequence[str]) -> str:
        pairs = zip(cells, widths, numeric, strict=True)
        return "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in pairs).rstrip()

    lines = [line(list(headings)), "  ".join("-" * width for width in widths), *map(line, body)]
    return "\n".join([title, *lines] if title else lines)


@contextmanager
def progress(what: str, total: int | None = None, done: int = 0) -> Iterator[Progress]:
    """Yields a counter from `done` to `total`: a bar with the time left, or lines in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Progress(None, None, what, total, done)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    ending = (TimeRemainingColumn(), TextColumn("{task.fields[text]}"))
    with Bar(*columns, *ending, console=console) as bar:
        task = bar.add_task(what, total=total, completed=done, text="")
        yield Progress(bar, task, what, total, done)


class Progress:
    """A counter of work done; see `progress`."""

    def __init__(self, bar: Any, task: Any, what: str, total: int | None, done: int) -> None:
        self._bar, self._task, self._what, self._total = bar, task, what, total
        self._first, self._done = done, done
        self._started = self._told = time.monotonic()
        self._text = ""

    def advance(self, count: int = 1, text: str = "") -> None:
        """Counts `count` more steps and shows `text` beside them."""
        self._done += count
        self._text = text or self._text
        if self._bar is not None:
            fields = {"text": text} if text else {}
            self._bar.update(self._task, advance=count, **fields)
        elif self._total and time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            rate = (self._done - self._first) / (self._told - self._started)
            left = (self._total - self._done) / rate
            ahead = f"{self._done}/{self._total}, {left / 60:.1f} min left"
            note(f"{self._what}: {ahead} {self._text}".rstrip())


def _coloured(word: str, colour: str, text: str) -> None:
    plain = not sys.stderr.isatty() or "NO_COLOR" in os.environ
    note(f"{word} {text}" if plain else f"\033[1;{colour}m{word}\033[0m {text}")


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or (cell[:1] in "-+±" and cell[1:2].isdigit()) or cell in ("", "–")
