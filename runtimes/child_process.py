"""A process of its own for what may crash or take a core: messages, time limits, and its death.

Messages and answers are JSON, one a line. What native code of the child prints goes to its standard
error, so it cannot be taken for an answer.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Any

# Networks for phones need far less address space; a damaged shape can ask for all there is.
MEMORY_LIMIT = 8 << 30
_LONGEST_ANSWER = 64 << 20
_LONGEST_REASON = 400
_LONGEST_WORDS = 4096


class ChildDied(Exception):
    """The child ended or was ended; the text says why, in words for a table."""


class Child:
    """A process that runs a module, which calls `serve`; leaving the `with` block ends it."""

    def __init__(
        self,
        module: str,
        memory_limit: int | None = MEMORY_LIMIT,
        files: Collection[int] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Starts the process.

        Args:
            module: its name, as `python -m` takes it.
            memory_limit: bytes of address space that it may take; None for no limit.
            files: descriptors of open files that it has under the same numbers.
            environment: variables that it has beside or instead of this process's.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(memory_limit or 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                **environment,
            },
            pass_fds=tuple(files),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children
        )
        self._rest = b""

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
        """Sends a message and returns the answer, see `send` and `answer`."""
        self.send(**message)
        return self.answer(timeout)

    def send(self, **message: Any) -> None:
        """Sends a message: `do` and its arguments. Answers come in the order of messages.

        Raises:
            ChildDied: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ChildDied(self._reason()) from None

    def answer(self, timeout: float) -> dict[str, Any]:
        """Waits for the answer to the first message that has none yet.

        Args:
            timeout: seconds; the child is ended when they have passed.

        Raises:
            ChildDied: it crashed, failed, answered nonsense or did not answer in time.
        """
        line = self._line(timeout)
        try:
            answer = json.loads(line)
        except ValueError:
            self.end()
            raise ChildDied("its process answered nonsense") from None
        return dict(answer)

    def has_answer(self) -> bool:
        """Whether `answer` has not to wait: there is one, or there will be none."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest and selector.select(0):
                part = os.read(self._process.stdout.fileno(), 1 << 20)
                if not part:
                    return True
                self._rest += part
        return b"\n" in self._rest

    def said(self) -> str:
        """What it has written to standard error so far, at most the last 4 kB."""
        if self._errors.closed:  # `end` was here
            return ""
        size = os.fstat(self._errors.fileno()).st_size
        self._errors.seek(max(0, size - _LONGEST_WORDS))
        return self._errors.read().decode(errors="replace")

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
        said = [line.strip() for line in self.said().splitlines() if line.strip()]
        return said[-1][:_LONGEST_REASON] if said else f"it ended its process: exit code {code}"


def serve(answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Answers messages in a child process until its parent has no more; then the process may end.

    Args:
        answer: takes what to do and its arguments, and returns what the parent gets. What it raises
            ends the process, with the error as its last words.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if limit := int(sys.argv[1]):
        _limit_memory(limit)
    try:
        for line in sys.stdin:
            message = json.loads(line)
            answers.write(json.dumps(answer(message.pop("do"), message)) + "\n")
            answers.flush()
    except Exception as error:
        print(f"{type(error).__name__}: {str(error).strip() or 'no message'}", file=sys.stderr)
        sys.exit(1)


def _limit_memory(size: int) -> None:
    with suppress(ImportError, ValueError, OSError):  # not here, or a lower limit holds
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
