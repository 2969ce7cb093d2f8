"""The few shapes every stand-in answers in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

# Of the server's threads, how many a fault may hold: control calls must still get through.
_HELD = threading.BoundedSemaphore(24)

View = Callable[..., Response]


def any_method(bp: Blueprint, rule: str) -> Callable[[View], View]:
    """A route that hears every method, because the company answers wrong ones its own way."""
    return bp.route(rule, methods=METHODS, provide_automatic_options=False)


def json_answer(body: Any, status: int = 200) -> Response:
    """JSON with its status."""
    return Response(json.dumps(body), status, mimetype="application/json")


def hang(seconds: float) -> None:
    """Keep the caller waiting for real seconds; not at all when too many wait already."""
    if seconds and _HELD.acquire(blocking=False):
        try:
            time.sleep(seconds)
        finally:
            _HELD.release()


def html_403() -> Response:
    """What the firewall in front sends to clients it dislikes."""
    page = (
        "<html><head><title>Error</title></head><body>Request unsuccessful. "
        "Incapsula incident ID: 1063000180038512345</body></html>"
    )
    return Response(page, 403, mimetype="text/html")


class _NoBody:
    """A body that cannot be had: the server notices and drops the connection."""

    def __iter__(self) -> _NoBody:
        return self

    def __next__(self) -> bytes:
        raise ConnectionResetError("cut by a fault")


def cut() -> Response:
    """Close the connection without a byte of an answer."""
    answer = Response(_NoBody(), mimetype="application/json")
    answer.headers["Content-Length"] = "512"
    return answer
