"""Answers of networks, kept on disk part by part, so that a stopped measurement goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtimes.atomic import check_apart, is_writable, replacing_file
from runtimes.console import note
from runtimes.errors import InputError

Arrays = dict[str, np.ndarray]
_FORMAT = 1  # goes up when what is asked changes, so that older answers are not taken for new ones


def check_work(folder: Path, out: Path) -> None:
    """Checks that answers can be kept in a folder, before hours of them are asked for.

    Args:
        folder: that is asked for.
        out: of the results, which is replaced as a whole.

    Raises:
        InputError: a file stands in its way, it cannot be written, or one lies in the other.
    """
    check_apart(out, folder, "--work or --out")
    standing = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    if not standing.is_dir():
        raise InputError(
            f"{folder}: {standing} is a file, expected a folder for answers. Name another one with "
            "--work."
        )
    if not is_writable(standing):
        raise InputError(
            f"{folder}: {standing} cannot be written into. Name another folder with --work."
        )


@dataclass(frozen=True)
class Kept:
    """A folder of answers.

    Attributes:
        folder: where they lie; anything in it may be removed at any time.
    """

    folder: Path

    def get(self, name: str, about: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """Returns arrays by name, from disk if they were made of the same.

        Args:
            name: what they are, in words that a file name may have.
            about: all that the arrays depend on, as JSON.
            make: makes them.
        """
        canonical = json.dumps([_FORMAT, name, about], sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
        path = self.folder / f"{name}-{digest}.npz"
        try:
            with np.load(path, allow_pickle=False) as found:
                arrays = {key: found[key] for key in found.files}
            note(f"{name}: kept from before")
            return arrays
        except (OSError, ValueError, EOFError, KeyError):  # none, or a damaged one
            pass
        except Exception as error:  # numpy raises zipfile's errors too
            if type(error).__module__ not in ("zipfile", "zlib"):
                raise
        arrays = make()
        with replacing_file(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        return arrays
