"""nginx in front: the configuration that production mounts, run here by a real nginx."""

from __future__ import annotations

import http.client
import http.server
import json
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import os_process, ports
from local.home import CHECKOUT

SOURCE = CHECKOUT / "deploy" / "nginx"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that arrived, as the application would see them."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.dumps(
            {"path": self.path, "body": len(self.rfile.read(length)), **dict(self.headers)}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 -- the name that the base class looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Proxy:
    port: int
    log: Path
    pid: int

    def ask(
        self, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST" if body else "GET", path, body=body, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if answer.status == 200 else {}


@contextmanager
def nginx_before(*app_ports: int) -> Iterator[Proxy]:
    """The nginx of production in front of whatever listens on these ports of this machine."""
    # As root its workers are somebody else, who must reach the folder; pytest's are private.
    folder = Path(tempfile.mkdtemp(prefix="dukani-nginx-"))
    folder.chmod(0o755)
    port = ports.free_port()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert nginx, "nginx is one of the tools that bin/test asks for"

    # Only what differs between a container and here: names, ports and where files may be.
    changes = {
        "nginx.conf": {
            "listen 8080": f"listen 127.0.0.1:{port}",
            "/tmp/": f"{folder}/",
            "/dev/stdout": f"{folder}/access.log",
            "/dev/stderr": f"{folder}/error.log",
        },
        "upstream.conf": {
            "server web:8000 max_fails=3 fail_timeout=5s;": "".join(
                f"server 127.0.0.1:{each} max_fails=3 fail_timeout=5s;" for each in app_ports
            )
        },
        "proxy.conf": {},
        "pages.conf": {},
    }
    for name, words in changes.items():
        text = (SOURCE / name).read_text()
        for old, new in words.items():
            assert old in text
            text = text.replace(old, new)
        (folder / name).write_text(text)
    command = [nginx, "-e", f"{folder}/error.log", "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen([*command, "-g", "daemon off;"], start_new_session=True)
    try:
        assert os_process.wait_until(lambda: not ports.is_free(port), seconds=10)
        yield Proxy(port, folder / "access.log", process.pid)
    finally:
        os_process.end(
            [process.pid, *os_process.children_of([process.pid])], first=signal.SIGQUIT, patience=5
        )
        process.wait()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    with nginx_before(behind.server_address[1]) as made:
        yield made
    behind.shutdown()
    behind.server_close()


@pytest.mark.row("N89", "T79")
def test_what_a_visitor_says_about_themselves_is_not_passed_on(proxy: Proxy) -> None:
    forged = {
        "Host": "duka.dukani.example",
        "X-Forwarded-For": "10.0.0.1, 10.0.0.2",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "other.example",
        "X-Forwarded-Prefix": "/elsewhere",
        "Forwarded": "for=10.0.0.1",
        "X-Real-IP": "10.0.0.1",
        "X-Request-ID": "chosen",
    }
    status, seen = proxy.ask("/cart?size=2", forged)
    assert status == 200
    assert seen["path"] == "/cart?size=2"
    assert seen["Host"] == "duka.dukani.example"
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Real-IP"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"
    assert seen["X-Forwarded-Host"] == "duka.dukani.example"
    assert "X-Forwarded-Prefix" not in seen
    assert "Forwarded" not in seen
    assert len(seen["X-Request-ID"]) == 32


def test_figures_are_not_for_visitors(proxy: Proxy) -> None:
    assert proxy.ask("/metrics")[0] == 404


def test_a_picture_fits_and_a_film_does_not(proxy: Proxy) -> None:
    status, seen = proxy.ask("/upload", body=b"x" * 11_000_000)
    assert (status, seen["body"]) == (200, 11_000_000)
    assert proxy.ask("/upload", body=b"x" * 13_000_000)[0] == 413


def test_no_secret_path_or_search_reaches_the_log(proxy: Proxy) -> None:
    token = "unguessabletoken"
    for path in (f"/o/{token}", f"/hooks/pay/{token}", f"/r/{token}", "/search?q=0712345678"):
        assert proxy.ask(path)[0] == 200
    assert os_process.wait_until(lambda: "/search" in proxy.log.read_text(), seconds=5)
    logged = proxy.log.read_text()
    assert "/o/-" in logged
    assert token not in logged
    assert "0712345678" not in logged


@pytest.mark.row("N6")
def test_a_public_page_is_asked_for_with_nothing_of_the_visitor_but_the_language(
    proxy: Proxy,
) -> None:
    """What the key has is what is passed on. Percent signs and capitals fool neither."""

    def seen(path: str, **headers: str) -> dict[str, str]:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return proxy.ask(path, {"Host": "duka.example", **said})[1]

    known = seen(
        "/p/kettle?utm=1&fbclid=2", Cookie="__Host-shopper=1; a=2", Authorization="Basic eA"
    )
    assert known["path"] == "/p/kettle"
    assert "Cookie" not in known
    assert "Authorization" not in known
    assert seen("/c/tea?sort=price&x=1")["path"] == "/c/tea?sort=price&x=1"
    assert seen("/c/tea?%73ort=price")["path"] == "/c/tea"
    for language, cookie, path, wanted in (
        ("", "", "/", "en"),
        ("sw-KE,sw;q=0.9,en;q=0.8", "", "/", "sw"),
        ("fr-FR, sw;q=0.9", "", "/", "sw"),
        ("de", "", "/", "en"),
        ("sw", "a=1; __Host-lang=en", "/", "en"),
        ("en", "__Host-lang=sw; b=1", "/", "sw"),
        ("en", "x__Host-lang=sw", "/", "en"),
        ("en", "__Host-lang=swx", "/", "en"),
        ("en", "__Host-lang=en", "/?lang=sw", "sw"),
    ):
        asked = seen(path, Accept_Language=language, Cookie=cookie)
        assert asked["Accept-Language"] == wanted, (language, cookie, path)
    for accepted, wanted in (
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br ;q=0.0,gzip;q=0.5", "gzip"),
        ("br;q=0.1", "br"),
        ("brotli, xgzip", ""),
        ("", ""),
    ):
        assert seen("/", Accept_Encoding=accepted).get("Accept-Encoding", "") == wanted, accepted
    assert seen("/me", Cookie="a=2")["Cookie"] == "a=2"
