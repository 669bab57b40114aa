"""Say what is installed, what can run here, and which command installs what is missing.

examples:
  python -m distill doctor
  python -m distill doctor --json
"""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `python -m distill doctor`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Prints the report; exit code 0 whatever is missing."""
    from distill.doctor import examine
    from runtimes.console import say, table

    found = examine()
    if args.json:
        say(json.dumps(found, indent=2))
        return 0
    say(f"Python {found['python']} on {found['system']}, {found['cores']} cores")
    say(f"{found['free_disk_gb']} GB of disk free\n")
    rows = [(p["stage"], p["package"], p["version"] or "missing") for p in found["packages"]]
    say(table(["stage", "package", "version"], rows))
    say("\ndevices: " + ("; ".join(found["devices"]) or "unknown without torch"))
    for name, possible in found["formats"].items():
        say(f"{'yes' if possible else 'no ':3}  {name}")
    say(f"ImageNet weights (DERMPORT_WEIGHTS): {found['imagenet_weights']}")
    for stage, command in found["missing"].items():
        say(f"stage {stage} is incomplete: {command}")
    return 0
