"""List the formats that can be written.

examples:
  python -m export formats
  python -m export formats --markdown
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m export formats`."""
    parser.add_argument("--markdown", action="store_true", help="as in the README")


def run(args: argparse.Namespace) -> int:
    """Prints the table."""
    from export.formats import FORMATS, markdown_table
    from runtimes.console import say, table

    if args.markdown:
        say(markdown_table())
        return 0
    rows = [(form.key, form.suffix, form.runs_on, form.note) for form in FORMATS]
    say(table(("format", "suffix", "runs on", "what it is"), rows))
    return 0
