"""Fetching a picture whose address a stranger chose: only from the open internet, and only so much."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.providers.web_files import NotAllowed, NotGiven, WebFiles
from config import Settings, UnsafeSetting


class Answers(http.server.BaseHTTPRequestHandler):
    """What a host on this machine says, by path."""

    seen: list[tuple[str, str]] = []  # noqa: RUF012 - one list per run is what is wanted

    def do_GET(self) -> None:
        self.seen.append((self.headers["Host"], self.path))
        status, headers, body = {
            "/ok.jpg": (200, {}, b"picture"),
            "/inside": (302, {"Location": "http://127.0.0.2:5432/"}, b""),
            "/file": (302, {"Location": "file:///etc/passwd"}, b""),
            "/round": (302, {"Location": "/round"}, b""),
            "/there": (302, {"Location": "/ok.jpg"}, b""),
            "/large": (200, {}, b"x" * 5_000),
        }.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_facts: object) -> None:
        """Says nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    """A host on this machine: ``127.0.0.1:port``."""
    Answers.seen.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


class Anywhere(WebFiles):
    """Every host is named, so that only what stands at its address can refuse it."""

    def _is_named(self, host: str) -> bool:
        return True


@pytest.fixture
def strict() -> Iterator[WebFiles]:
    files = Anywhere(most_bytes=1_000, hosts=())
    yield files
    files.close()


@pytest.fixture
def lenient(host: str) -> Iterator[WebFiles]:
    files = WebFiles(most_bytes=1_000, hosts=(), allowed=[host])
    yield files
    files.close()


def test_a_host_on_this_machine_is_never_asked(strict: WebFiles, host: str) -> None:
    with pytest.raises(NotAllowed):
        strict.fetch(f"http://{host}/ok.jpg")

    assert Answers.seen == []


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost/", "http://0.0.0.0/", "http://[::1]/"),
        *("http://10.0.0.5/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/"),
        *("http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[fd00::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/"),
        *("http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://224.0.0.1/"),
        *("file:///etc/passwd", "ftp://example.com/a", "gopher://127.0.0.1/", "//nowhere", ""),
        *("http://user:word@example.com/", "http://[broken/", "http://x:99999/", "http:///a"),
    ],
)
def test_addresses_that_are_no_open_internet_are_refused(strict: WebFiles, url: str) -> None:
    with pytest.raises(NotAllowed):
        strict.fetch(url)


def test_a_name_with_one_private_address_among_public_ones_is_refused(
    strict: WebFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(host: str, port: int, **_facts: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("93.184.216.34", port)), (*kind, ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(NotAllowed):
        strict.fetch("http://pictures.example/a.jpg")


def test_a_name_that_changes_its_mind_is_asked_at_the_address_looked_at(
    lenient: WebFiles, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(host.rpartition(":")[2])
    asked: list[str] = []
    real = socket.getaddrinfo

    def answer(name: str, *facts: Any, **more: Any) -> Any:
        asked.append(name)
        return real("127.0.0.1" if name == "pictures.example" else name, *facts, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    files = WebFiles(most_bytes=1_000, hosts=(), allowed=[f"pictures.example:{port}"])
    assert files.fetch(f"http://pictures.example:{port}/ok.jpg") == b"picture"
    files.close()

    # The name is resolved once; the connection is made to the number and the host is named.
    assert asked.count("pictures.example") == 1
    assert Answers.seen == [(f"pictures.example:{port}", "/ok.jpg")]


def test_a_redirect_is_looked_at_anew(lenient: WebFiles, host: str) -> None:
    assert lenient.fetch(f"http://{host}/there") == b"picture"
    for path in ("inside", "file"):
        with pytest.raises(NotAllowed):
            lenient.fetch(f"http://{host}/{path}")
    with pytest.raises(NotGiven):
        lenient.fetch(f"http://{host}/round")


def test_only_hosts_that_were_named_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(host: str, port: int, **_facts: Any) -> list[Any]:
        asked.append(host)
        raise OSError(host)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    files = WebFiles(most_bytes=1_000, hosts=["Pictures.example"])
    for url in ("http://other.example/a.jpg", "http://notpictures.example/a.jpg"):
        with pytest.raises(NotAllowed):
            files.fetch(url)
    for url in ("https://pictures.example/a.jpg", "https://cdn.pictures.example/a.jpg"):
        with pytest.raises(NotGiven):
            files.fetch(url)
    files.close()

    assert asked == ["pictures.example", "cdn.pictures.example"]


@pytest.mark.parametrize("path", ["large", "gone"])
def test_too_much_or_nothing_is_not_given(lenient: WebFiles, host: str, path: str) -> None:
    with pytest.raises(NotGiven):
        lenient.fetch(f"http://{host}/{path}")


def test_private_hosts_cannot_be_opened_in_production(settings: Settings) -> None:
    from dataclasses import replace

    with pytest.raises(UnsafeSetting, match="PICTURE_TEST_HOSTS"):
        replace(
            settings, environment="production", picture_test_hosts=("127.0.0.1:80",)
        ).refuse_if_unsafe()
