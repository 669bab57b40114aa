"""A trial run in a process of its own, so that a damaged model file cannot end this one.

The C++ runtimes trust what a model file says. A file with a few wrong bytes can make them divide by
zero or read beyond their memory, which no `try` catches; in a child process it is an exit code.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtimes.errors import DermportError, InputError

_TIMEOUT_S = 300
# A damaged shape can ask for all the memory there is; the kernel might then end other processes.
_LIMIT_MEMORY = """
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
except (ImportError, ValueError, OSError):
    pass  # not on this system, or a lower limit holds already
"""
# Contents that have run before in this process are not tried again.
_survived: set[str] = set()


def check_survives(path: Path, content: bytes, script: str, runtime: str) -> None:
    """Runs `script` in a child process that gets the model file on its standard input.

    The child may take 8 GiB of address space, which networks for phones are far below.

    Args:
        path: the file, for the error.
        content: what the file holds.
        script: Python source that opens and runs `sys.stdin.buffer.read()`.
        runtime: the runtime's name, for the error.

    Raises:
        InputError: the child crashed, failed, wanted more memory or took longer than five minutes.
    """
    digest = hashlib.sha256(script.encode() + content).hexdigest()
    if digest in _survived:
        return
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    try:
        child = subprocess.run(
            [sys.executable, "-c", _LIMIT_MEMORY + script],
            input=content,
            capture_output=True,
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refusal(path, runtime, f"no answer within {_TIMEOUT_S} s") from error
    if child.returncode != 0:
        raise _refusal(path, runtime, _reason(child.returncode, child.stderr))
    _survived.add(digest)


@contextmanager
def refusals(path: Path, runtime: str) -> Iterator[None]:
    """Turns whatever a runtime raises into one error that names the file.

    Raises:
        InputError: the block raised anything that is not already meant for people to read.
    """
    try:
        yield
    except DermportError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise _refusal(path, runtime, f"{type(error).__name__}: {reason[:200]}") from error


def _reason(returncode: int, stderr: bytes) -> str:
    if returncode < 0:
        return f"it ends the process: {signal.Signals(-returncode).name}"
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else f"exit code {returncode}"


def _refusal(path: Path, runtime: str, reason: str) -> InputError:
    return InputError(
        f"{path}: {runtime} cannot run this file ({reason}). "
        "It may be truncated or damaged: fetch it again or export it again."
    )
