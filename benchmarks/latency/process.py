"""A child process seen from outside: messages, time limits and what it died of."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

# Networks for phones need far less address space; a damaged shape can ask for all there is.
MEMORY_LIMIT = 8 << 30
_LONGEST_ANSWER = 64 << 20
_LONGEST_REASON = 400


class ChildDied(Exception):
    """The child ended or was ended; the text says why, in words for a table."""


class Child:
    """A process of `benchmarks.latency.child`; leaving the `with` block ends it."""

    def __init__(self, memory_limit: int = MEMORY_LIMIT) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.latency.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children
        )
        self._rest = b""
        self.ask(60, do="limit", bytes=memory_limit)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, timeout: float, **message: Any) -> dict[str, Any]:
        """Sends a message and returns the answer.

        Args:
            timeout: seconds; the child is ended when they have passed.
            message: `do` and its arguments.

        Raises:
            ChildDied: it crashed, failed, answered nonsense or did not answer in time.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ChildDied(self._reason()) from None
        line = self._line(timeout)
        try:
            answer = json.loads(line)
        except ValueError:
            self.end()
            raise ChildDied("its process answered nonsense") from None
        return dict(answer)

    def end(self) -> None:
        """Ends the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            with suppress(BrokenPipeError):  # what was left to write
                stream.close()

    def _line(self, timeout: float) -> bytes:
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, end - time.monotonic())):
                    self._process.kill()
                    raise ChildDied(f"no answer within {timeout:.0f} s")
                part = os.read(self._process.stdout.fileno(), 1 << 20)
                if not part:
                    raise ChildDied(self._reason())
                self._rest += part
                if len(self._rest) > _LONGEST_ANSWER:
                    self._process.kill()
                    raise ChildDied("its process answered nonsense")
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _reason(self) -> str:
        """What the process died of: a signal, or the last line that it wrote."""
        code = self._process.wait()
        if code < 0:
            return f"it ended its process: {signal.Signals(-code).name}"
        size = os.fstat(self._errors.fileno()).st_size
        self._errors.seek(max(0, size - 4096))
        lines = self._errors.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:_LONGEST_REASON] if said else f"it ended its process: exit code {code}"
