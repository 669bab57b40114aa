"""Answers of networks, kept on disk part by part, so that a stopped measurement goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtimes.atomic import replacing_file
from runtimes.console import note

Arrays = dict[str, np.ndarray]
_FORMAT = 1  # goes up when what is asked changes, so that older answers are not taken for new ones


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
