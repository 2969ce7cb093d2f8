"""Posting to the shop: results, confirmations and forgeries, to the URL exactly as given."""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
KEPT_ANSWER = 300


@dataclass(frozen=True)
class Answer:
    """What came back: an HTTP status, or why nothing did."""

    status: int | None
    text: str
    error: str | None
    took_ms: int


def post_json(url: str, body: bytes, *, timeout_s: float = TIMEOUT_S) -> Answer:
    """POST once; no redirects, no retry. Never raises.

    ``localhost`` and ``*.localhost`` are 127.0.0.1 whatever the resolver thinks; the Host
    header stays as the URL has it.
    """
    started = time.monotonic()
    status, text, error = None, "", None
    try:
        status, text = _post(url, body, timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    return Answer(status, text, error, round((time.monotonic() - started) * 1000))


def _post(url: str, body: bytes, timeout_s: float) -> tuple[int, str]:
    parts = urlsplit(url)
    name = parts.hostname or ""
    address = "127.0.0.1" if name == "localhost" or name.endswith(".localhost") else name
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            address, parts.port, timeout=timeout_s, context=_trust()
        )
    else:
        connection = http.client.HTTPConnection(address, parts.port, timeout=timeout_s)
    try:
        path = parts.path or "/"
        connection.request(
            "POST",
            f"{path}?{parts.query}" if parts.query else path,
            body,
            {
                "Host": parts.netloc.rpartition("@")[2],
                "Content-Type": "application/json",
                "Accept": "*/*",
                "User-Agent": "Apache-HttpClient/4.5.14 (Java/17)",
                "Connection": "close",
            },
        )
        answer = connection.getresponse()
        return answer.status, answer.read(KEPT_ANSWER).decode("utf-8", "replace")
    finally:
        connection.close()


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
