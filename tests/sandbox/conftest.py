"""A sandbox process of its own, a shop with keys in it, and a receiver for what it posts."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
STAMP = "20261120183000"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_sandbox(port: int, *more: str) -> subprocess.Popen[str]:
    """Start a sandbox and wait for its one line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", str(port), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"sandbox ready on http://127.0.0.1:{port}\n"
    return process


def stop_sandbox(process: subprocess.Popen[str]) -> int:
    """SIGTERM, and the exit status."""
    process.terminate()
    code = process.wait(timeout=15)
    assert process.stdout is not None
    process.stdout.close()
    return code


def eventually(question: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Ask until the answer is true; the answer, or a failure once the time is up."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, "this did not happen in time"
        pause.wait(0.02)


@dataclass(frozen=True)
class Post:
    """One POST that arrived. ``at`` is monotonic seconds."""

    path: str
    host: str
    type: str
    raw: str
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def result(self) -> dict[str, Any]:
        """The stkCallback object."""
        inner: dict[str, Any] = self.json["Body"]["stkCallback"]
        return inner

    @property
    def items(self) -> dict[str, Any]:
        """The metadata by name; an item without a Value is missing here."""
        items = self.result["CallbackMetadata"]["Item"]
        return {item["Name"]: item["Value"] for item in items if "Value" in item}


class Receiver:
    """A small real HTTP server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
                host, kind = self.headers["Host"], self.headers["Content-Type"]
                receiver.take(Post(self.path, host, kind, raw, time.monotonic()))
                answer = b'{"ResultCode":0,"ResultDesc":"Accepted"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, post: Post) -> None:
        with self._lock:
            self.posts.append(post)

    def at(self, path: str) -> list[Post]:
        """What came to one path, in order."""
        with self._lock:
            return [post for post in self.posts if post.path == path]

    def wait(self, path: str, count: int = 1, within_s: float = 10.0) -> list[Post]:
        """Wait until at least ``count`` posts came to one path."""
        eventually(lambda: len(self.at(path)) >= count, within_s)
        return self.at(path)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Shop:
    """A shop's keys and a client that speaks Daraja with them."""

    http: httpx.Client
    receiver: Receiver
    keys: dict[str, Any]
    token: str = ""
    pushes: int = field(default=0)

    def oauth(self) -> httpx.Response:
        """Ask for a token, and keep it when one is given."""
        answer = self.http.get(
            "/daraja/oauth/v1/generate",
            params={"grant_type": "client_credentials"},
            auth=(self.keys["consumer_key"], self.keys["consumer_secret"]),
        )
        if answer.status_code == 200:
            self.token = answer.json()["access_token"]
        return answer

    def bearer(self) -> dict[str, str]:
        if not self.token:
            assert self.oauth().status_code == 200
        return {"Authorization": f"Bearer {self.token}"}

    def password(self, stamp: str = STAMP) -> str:
        text = f"{self.keys['shortcode']}{self.keys['passkey']}{stamp}"
        return base64.b64encode(text.encode()).decode()

    def url(self, path: str) -> str:
        """A callback URL at the receiver, by a host name that no resolver knows."""
        return f"http://pay.localhost:{self.receiver.port}{path}"

    def body(self, msisdn: str, **changes: Any) -> dict[str, Any]:
        self.pushes += 1
        till = self.keys["type"] == "till"
        return {
            "BusinessShortCode": self.keys["shortcode"],
            "Password": self.password(),
            "Timestamp": STAMP,
            "TransactionType": "CustomerBuyGoodsOnline" if till else "CustomerPayBillOnline",
            "Amount": 2170,
            "PartyA": msisdn,
            "PartyB": self.keys["party_b"],
            "PhoneNumber": msisdn,
            "CallBackURL": self.url(f"/hooks/pay/{self.pushes:04x}"),
            "AccountReference": "KTP7Q2XM",
            "TransactionDesc": "Order KT-1042",
        } | changes

    def push(self, msisdn: str, **changes: Any) -> httpx.Response:
        return self.http.post(
            "/daraja/mpesa/stkpush/v1/processrequest",
            headers=self.bearer(),
            json=self.body(msisdn, **changes),
        )

    def accepted(self, msisdn: str, **changes: Any) -> str:
        """Push, insist that it was accepted; the CheckoutRequestID."""
        answer = self.push(msisdn, **changes)
        assert answer.status_code == 200, answer.text
        assert answer.json()["ResponseCode"] == "0"
        return str(answer.json()["CheckoutRequestID"])

    def hook(self) -> str:
        """The path the last push asked its result to."""
        return f"/hooks/pay/{self.pushes:04x}"

    def results(self, count: int = 1, within_s: float = 10.0) -> list[Post]:
        """The results of the last push."""
        return self.receiver.wait(self.hook(), count, within_s)

    def query(self, checkout_request_id: str) -> httpx.Response:
        return self.http.post(
            "/daraja/mpesa/stkpushquery/v1/query",
            headers=self.bearer(),
            json={
                "BusinessShortCode": self.keys["shortcode"],
                "Password": self.password(),
                "Timestamp": STAMP,
                "CheckoutRequestID": checkout_request_id,
            },
        )

    def register(self, version: int = 2, **changes: Any) -> httpx.Response:
        return self.http.post(
            f"/daraja/mpesa/c2b/v{version}/registerurl",
            headers=self.bearer(),
            json={
                "ShortCode": self.keys["shortcode"],
                "ResponseType": "Completed",
                "ConfirmationURL": self.url("/hooks/c2b/confirm"),
                "ValidationURL": self.url("/hooks/c2b/check"),
            }
            | changes,
        )

    def act(self, msisdn: str, action: str) -> dict[str, Any]:
        """What the person does with the open prompt."""
        answer = self.http.post(f"/_sim/prompts/{msisdn}", json={"action": action})
        assert answer.status_code == 200, answer.text
        done: dict[str, Any] = answer.json()
        return done

    def faults(self, **fields: Any) -> dict[str, Any]:
        answer = self.http.post("/_sim/faults", json=fields)
        assert answer.status_code == 200, answer.text
        rules: dict[str, Any] = answer.json()
        return rules

    def clock(self, **fields: Any) -> None:
        assert self.http.post("/_sim/clock", json=fields).status_code == 200

    def transactions(self, **filters: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get("/_sim/transactions", params=filters).json()
        return found

    def quiet(self) -> None:
        """Wait until everything that was to be posted has been."""
        eventually(lambda: self.transactions(summary="1")["posts_waiting"] == 0)


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    port = free_port()
    process = start_sandbox(port)
    yield f"http://127.0.0.1:{port}"
    assert stop_sandbox(process) == 0


@pytest.fixture
def http(sandbox_url: str) -> Iterator[httpx.Client]:
    """A client of an empty sandbox."""
    with httpx.Client(base_url=sandbox_url, timeout=15) as client:
        assert client.post("/_sim/reset", json={"credentials": True}).status_code == 200
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def new_shop(http: httpx.Client, receiver: Receiver) -> Callable[..., Shop]:
    def make(name: str = "Mtaani Gadgets", **keys: Any) -> Shop:
        answer = http.post("/_sim/credentials", json={"name": name, **keys})
        assert answer.status_code == 200, answer.text
        return Shop(http, receiver, answer.json())

    return make


@pytest.fixture
def shop(new_shop: Callable[..., Shop]) -> Shop:
    return new_shop()


@pytest.fixture
def till(new_shop: Callable[..., Shop]) -> Shop:
    return new_shop("Kitenge Corner", type="till", store_number="7654321", till_number="5123456")
