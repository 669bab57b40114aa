"""The server of the page: who may ask for what, and how much."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from benchmarks.web import server as module
from benchmarks.web.address import checked_address, qr_code
from benchmarks.web.packages import PACKAGES
from benchmarks.web.server import MOST_BODY_BYTES, Certificate, PageServer
from benchmarks.web.site import build_site, read_export
from benchmarks.web.visits import Visits
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject

from .conftest import Exported
from .web_records import FACTS, ended, small_export, visits_of

_ENTER = {"facts": FACTS, "id": None, "again": False}


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return visits_of(small_export(tmp_path))


@contextmanager
def served(visits: Visits, certificate: Certificate | None = None) -> Iterator[PageServer]:
    folder = visits.document.settings.files[0].path.parent
    names = [name for package in PACKAGES for name in package.members.values()]
    site = build_site(
        "a", small_export(folder), visits.document.settings, dict.fromkeys(names, b"//")
    )
    answers = {"enter": visits.enter, "begin": visits.begin, "end": visits.end}
    server = PageServer("127.0.0.1", 0, site, answers, certificate)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.finish()
        thread.join(10)


@pytest.fixture
def server(visits: Visits) -> Iterator[PageServer]:
    with served(visits) as running:
        yield running


def ask(
    server: PageServer,
    path: str,
    method: str = "GET",
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """One request; `path` is put after the token unless it begins with a slash."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    path = path if path.startswith("/") else f"/{server.token}/{path}"
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        content = b"" if body is None else json.dumps(body).encode()
        told = {"Host": server.hosts[0], **({} if headers is None else headers)}
        if method == "POST":
            told.setdefault("Origin", server.origins[0])
            told.setdefault("Content-Type", "application/json")
            told.setdefault("Content-Length", str(len(content)))
        for key, value in told.items():
            if value:
                connection.putheader(key, value)
        connection.endheaders(content)
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        connection.close()


def refusal(told: tuple[int, bytes, dict[str, str]]) -> tuple[int, str]:
    return told[0], str(json.loads(told[1])["error"])


def test_the_page_and_every_name_of_it_are_sent_with_their_types(server: PageServer) -> None:
    status, content, headers = ask(server, "")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"not a diagnosis" in content
    types = {name: ask(server, name)[2]["Content-Type"] for name in server.site}
    assert types["ort.mjs"] == types["page.js"] == "text/javascript; charset=utf-8"
    assert types["litert_wasm_internal.wasm"] == "application/wasm"
    assert ask(server, "models/1")[1] == b"a-fp32.tflite" * 10
    assert len(ask(server, "golden")[1]) == 2 * 4 * 4 * 3


def test_every_answer_lets_threads_run_and_nothing_else_in(server: PageServer) -> None:
    for path in ("", "worker.js", "/wrong/", "nothing"):
        headers = ask(server, path)[2]
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


def test_without_the_token_nothing_is_told(server: PageServer) -> None:
    token = server.token
    assert len(token) >= 22
    wrong = ["/", "/page.js", "/x/page.js", f"/{token[:-1]}/page.js", f"/{token}x/", f"/{token}"]
    wrong += ["/%00/", f"/?token={token}"]
    for path in wrong:
        status, why = refusal(ask(server, path))
        assert (status, "token" in why) == (403, True), path
        assert refusal(ask(server, path, "POST", _ENTER))[0] == 403
    assert ask(server, f"/{token}/")[0] == 200


def test_tokens_differ_from_start_to_start(visits: Visits) -> None:
    with served(visits) as first, served(visits) as second:
        assert first.token != second.token
        assert ask(second, f"/{first.token}/")[0] == 403


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1", "localhost:1", "127.0.0.1:80"])
def test_another_name_that_points_here_is_refused(server: PageServer, host: str) -> None:
    assert refusal(ask(server, "", headers={"Host": host}))[0] == 403
    assert ask(server, "", headers={"Host": f"localhost:{server.server_port}"})[0] == 200


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "https://{host}"])
def test_a_post_from_another_site_is_refused(
    server: PageServer, visits: Visits, origin: str
) -> None:
    headers = {"Origin": origin.format(host=server.hosts[0])}
    assert refusal(ask(server, "enter", "POST", _ENTER, headers))[0] == 403
    assert visits.phones() == ()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../page.js",
            "models/../../../etc/passwd",
            "models/2",
            "models/",
            "models/0/",
            "models/00",
        ),
        *("%2e%2e/", "page.js%00", "page.js/", "./page.js", "//etc/passwd", "PAGE.JS"),
        *("packages.json", "index.html", "page.js?x"),
    ],
)
def test_a_name_that_is_not_exactly_one_of_the_site_is_nothing(
    server: PageServer, path: str
) -> None:
    assert refusal(ask(server, path if path[0] != "/" else f"/{server.token}/{path}"))[0] == 404


def test_a_phone_enters_and_ends_a_run(server: PageServer, visits: Visits) -> None:
    status, content, _ = ask(server, "enter", "POST", _ENTER)
    told = json.loads(content)
    assert (status, told["left"], told["name"]) == (
        *(200, [0, 1]),
        "Phone <1>, Chrome 150 on Android 15, 8 cores",
    )
    assert ask(server, "begin", "POST", {"id": told["id"], "ask": 0})[0] == 200
    status, content, _ = ask(server, "end", "POST", ended(told["id"], 0))
    assert (status, json.loads(content)["figures"]["p50"]) == (200, 2.0)
    assert len(visits.document.rows[told["id"]]) == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "expected an object"),
        ({}, "'facts' is missing"),
        ({**_ENTER, "id": {}}, "a string or null"),
        ({**_ENTER, "again": 1}, "true or false"),
        ({**_ENTER, "facts": "x"}, "an object"),
    ],
)
def test_hostile_json_is_refused_in_words(server: PageServer, body: Any, named: str) -> None:
    status, why = refusal(ask(server, "enter", "POST", body))
    assert status == 400
    assert named in why


def raw(server: PageServer, content: bytes, end: bool = False) -> bytes:
    """Sends bytes and reads until the server closes, or has answered."""
    with socket.create_connection(("127.0.0.1", server.server_port), 10) as connection:
        connection.sendall(content)
        if end:
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def post_head(server: PageServer, **headers: str) -> bytes:
    told = {
        **{"Host": server.hosts[0], "Origin": server.origins[0]},
        **{"Content-Type": "application/json", **headers},
    }
    lines = [f"{key.replace('_', '-')}: {value}" for key, value in told.items()]
    return "\r\n".join([f"POST /{server.token}/enter HTTP/1.1", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"a": NaN}', 400),
        (b'{"a": 1, "a": 2}', 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
        (b"", 400),
    ],
)
def test_what_is_no_json_is_refused(server: PageServer, content: bytes, status: int) -> None:
    head = post_head(server, Content_Length=str(len(content)))
    assert raw(server, head + content).startswith(f"HTTP/1.1 {status} ".encode())
    assert ask(server, "")[0] == 200


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(MOST_BODY_BYTES + 1), 413),
        ("9" * 5000, 413),
        ("-1", 411),
        ("", 411),
        ("1e3", 411),
        ("²", 411),
    ],
)
def test_a_body_too_large_or_without_a_length_is_not_read(
    server: PageServer, length: str, status: int
) -> None:
    answer = raw(server, post_head(server, Content_Length=length))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer


def test_a_chunked_body_is_not_read(server: PageServer) -> None:
    head = post_head(server, Content_Length="5", Transfer_Encoding="chunked")
    assert raw(server, head).startswith(b"HTTP/1.1 411 ")


def test_a_body_of_another_kind_is_refused(server: PageServer) -> None:
    kinds = {"Content-Type": "text/plain"}
    assert refusal(ask(server, "enter", "POST", _ENTER, kinds))[0] == 415
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD"):
        assert ask(server, "", method)[0] == 501


def test_a_phone_that_goes_away_in_the_middle_disturbs_nobody(
    server: PageServer, visits: Visits, capfd: pytest.CaptureFixture[str]
) -> None:
    head = post_head(server, Content_Length="1000")
    assert raw(server, head + b'{"facts"', end=True).startswith(b"HTTP/1.1 408 ")
    with socket.create_connection(("127.0.0.1", server.server_port), 10) as connection:
        connection.sendall(f"GET /{server.token}/models/0 HTTP/1.1\r\n".encode())
    raw(server, b"\x16\x03\x01 no HTTP\r\n\r\n")
    assert ask(server, "enter", "POST", _ENTER)[0] == 200
    assert len(visits.phones()) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_an_answer_that_is_being_made_still_arrives_when_it_ends(visits: Visits) -> None:
    def slow(told: StrictObject) -> dict[str, Any]:
        stop.set()
        time.sleep(0.3)
        return {"well": True}

    stop, told = Event(), []
    server = PageServer("127.0.0.1", 0, {}, {"slow": slow})
    Thread(target=server.serve_forever, args=(0.01,)).start()
    phone = Thread(target=lambda: told.append(ask(server, "slow", "POST", {})))
    phone.start()
    assert stop.wait(10)
    server.finish()
    assert server._working == 0
    phone.join(10)
    assert told[0][:2] == (200, b'{"well": true}')


def test_silent_connections_do_not_take_the_server(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module._Handler, "timeout", 2.0)
    monkeypatch.setattr(module, "_MOST_CONNECTIONS", 4)
    with served(visits) as server:
        address = ("127.0.0.1", server.server_port)
        silent = [socket.create_connection(address, 10) for _ in range(4)]
        time.sleep(0.1)
        with socket.create_connection(address, 1) as dropped:
            assert dropped.recv(10) == b""  # no place is left, and nobody waits for one
        for connection in silent:
            assert connection.recv(10) == b""
            connection.close()
        assert ask(server, "")[0] == 200


def test_with_a_certificate_the_page_is_served_over_https(visits: Visits, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    words = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "1"]
    words += ["-subj", "/CN=dermport", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    certificate = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    with served(visits, certificate) as server:
        assert server.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(certificate.certificate))
        with socket.create_connection(("127.0.0.1", server.server_port), 10):  # says nothing
            client = http.client.HTTPSConnection(
                "127.0.0.1", server.server_port, timeout=10, context=context
            )
            client.request("GET", f"/{server.token}/")
            assert client.getresponse().status == 200
            client.close()
    with pytest.raises(InputError, match="no certificate and its key"):
        PageServer("127.0.0.1", 0, {}, {}, Certificate(certificate.key, certificate.key))


def test_a_port_that_is_taken_is_an_error_in_words(server: PageServer) -> None:
    with pytest.raises(InputError, match="Name another --port"):
        PageServer("127.0.0.1", server.server_port, {}, {})


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "phone.local", "1.2.3", ""]
)
def test_the_network_has_one_address(text: str) -> None:
    with pytest.raises(InputError, match="--network"):
        checked_address(text)
    assert checked_address("192.168.1.20") == "192.168.1.20"


def test_a_qr_code_has_its_quiet_zone_and_fits_a_terminal() -> None:
    lines = qr_code("http://192.168.100.200:54321/" + "x" * 22 + "/").splitlines()
    assert all(len(line) < 80 for line in lines)
    assert all(line.startswith("\033[97;40m") and line.endswith("\033[0m") for line in lines)
    assert set(lines[0][8:-4]) == {"█"}
    assert {line[8:10] for line in lines[:-1]} == {"██"}


def test_of_an_export_browsers_get_what_they_can_run(exported: Exported, tmp_path: Path) -> None:
    export = read_export(exported.artifacts)
    assert [file.format for file in export.files] == ["onnx:fp32", "onnx:int8"]
    assert export.golden["onnx:fp32"].probabilities.shape[0] == len(export.images) == 8
    with pytest.raises(InputError, match="is no folder"):
        read_export(tmp_path / "missing")
    copy = tmp_path / "copy"
    shutil.copytree(exported.artifacts, copy)
    (copy / export.files[0].name).write_bytes(b"changed")
    with pytest.raises(InputError, match="not what was verified"):
        read_export(copy)
