"""The server of the page: one address, one token, exact names, small bodies.

Every path begins with the token. A request whose Host is not the printed address is refused, which
is what a page of another site would send after it has made its own name point here; so is a post
whose Origin is another site's.
"""

from __future__ import annotations

import hmac
import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Condition
from typing import Any

from benchmarks.web.site import Resource
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, parse_object

MOST_BODY_BYTES = 2_000_000
_MOST_CONNECTIONS = 32
_PATIENCE_S = 30.0
_BODY_PATIENCE_S = 60.0
_FINISH_PATIENCE_S = 5.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self'; connect-src 'self'; worker-src 'self' blob:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # Together they let the page use threads, where the browser trusts its address.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Answer = Callable[[StrictObject], dict[str, Any]]


@dataclass(frozen=True)
class Certificate:
    """Files in PEM, with which the page is served over HTTPS."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Reads both.

        Raises:
            InputError: a file is missing, damaged, or the key is another's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"{self.certificate} and {self.key} are no certificate and its key without a "
                f"password ({error}). docs/phone.md shows how to make them."
            ) from error
        return context


class PageServer(ThreadingHTTPServer):
    """Serves the page until it is told to stop.

    Attributes:
        url: with the token; who has it may open the page.
    """

    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self,
        address: str,
        port: int,
        site: Mapping[str, Resource],
        answers: Mapping[str, Answer],
        certificate: Certificate | None = None,
    ) -> None:
        """Binds the address.

        Args:
            address: to listen on; no other is.
            port: 0 takes any that is free.
            site: name to what is sent.
            answers: name to what takes a posted object.
            certificate: for HTTPS.

        Raises:
            InputError: the address is not this computer's, or the port is taken.
        """
        self.site, self.answers = site, answers
        self.token = secrets.token_urlsafe(16)
        self._slots = BoundedSemaphore(_MOST_CONNECTIONS)
        self._working, self._idle = 0, Condition()
        context = None if certificate is None else certificate.context()
        try:
            super().__init__((address, port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"cannot listen on {address}, port {port}: {error}. Name another --port, or an "
                "address of this computer."
            ) from error
        if context is not None:
            # The handshake happens in the connection's own thread, so that nobody can hold it up.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if context is None else "https"
        names = [address, "localhost"] if address == "127.0.0.1" else [address]
        self.hosts = tuple(f"{name}:{self.server_port}" for name in names)
        self.origins = tuple(f"{scheme}://{host}" for host in self.hosts)
        self.url = f"{self.origins[0]}/{self.token}/"

    @contextmanager
    def work(self) -> Iterator[None]:
        """Holds `finish` up until the block has ended."""
        with self._idle:
            self._working += 1
        try:
            yield
        finally:
            with self._idle:
                self._working -= 1
                self._idle.notify_all()

    def finish(self) -> None:
        """Stops serving; an answer that is being written still arrives."""
        self.shutdown()
        with self._idle:
            self._idle.wait_for(lambda: not self._working, _FINISH_PATIENCE_S)
        self.server_close()

    def server_bind(self) -> None:
        """Binds without asking a name server for this computer's name."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Takes a connection in a thread of its own, or drops it where there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Frees the place of a connection that has ended."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A phone that went away in the middle, or talks no HTTP, is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "dermport", ""
    timeout = _PATIENCE_S

    def do_GET(self) -> None:
        """Sends what has the name."""
        with self.server.work():
            self._get()

    def do_POST(self) -> None:
        """Hands a JSON object to what takes it, and sends its answer."""
        with self.server.work():
            self._post()

    def _get(self) -> None:
        name = self._name()
        if name is None:
            return
        resource = self.server.site.get(name)
        if resource is None:
            self._say(404, "there is nothing of that name")
        else:
            self._send(200, resource.content, resource.type)

    def _post(self) -> None:
        name = self._name()
        if name is None:
            return
        answer = self.server.answers.get(name)
        if self.headers.get("Origin") not in self.server.origins:
            self._say(403, "the post does not come from this page")
        elif answer is None:
            self._say(404, "there is nothing of that name")
        elif self.headers.get_content_type() != "application/json":
            self._say(415, "expected application/json")
        elif (body := self._body()) is not None:
            try:
                told = parse_object(body.decode("utf-8"), "the post")
                self._send_json(200, answer(told))
            except UnicodeDecodeError:
                self._say(400, "the post is no UTF-8")
            except InputError as error:
                self._say(400, str(error))

    def _name(self) -> str | None:
        """What is asked for, without the token; None if the request was refused."""
        token, slash, name = self.path.removeprefix("/").partition("/")
        sent = token.encode("utf-8", "replace")
        if self.headers.get("Host") not in self.server.hosts:
            self._say(403, "open the address that the computer printed")
        elif not hmac.compare_digest(sent, self.server.token.encode()) or not slash:
            self._say(403, "the token is missing or of an earlier start; open the printed address")
        else:
            return name
        return None

    def _body(self) -> bytes | None:
        """The body; None if it was refused or did not come."""
        text = self.headers.get("Content-Length", "")
        if not (text.isascii() and text.isdigit()) or "Transfer-Encoding" in self.headers:
            self._say(411, "expected a Content-Length")
            return None
        if len(text) > 9 or int(text) > MOST_BODY_BYTES:
            self._say(413, f"expected at most {MOST_BODY_BYTES:,} bytes")
            return None
        left, parts = int(text), []
        until = time.monotonic() + _BODY_PATIENCE_S
        while left and time.monotonic() < until:
            part = self.rfile.read1(min(left, 1 << 16))
            if not part:
                break
            parts.append(part)
            left -= len(part)
        if left:
            self._say(408, "the rest of the post did not come")
            return None
        return b"".join(parts)

    def _say(self, status: int, why: str) -> None:
        """Refuses a request; the connection ends, for its body may not have been read."""
        self.close_connection = True
        self._send_json(status, {"error": why})

    def _send_json(self, status: int, value: dict[str, Any]) -> None:
        content = json.dumps(value, allow_nan=False).encode()
        self._send(status, content, "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        for key, value in _HEADERS.items():
            self.send_header(key, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the token stands in every path."""
