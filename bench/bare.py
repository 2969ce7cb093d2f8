"""The least a WSGI program can do: POST writes one row durably, GET reads one. To compare with."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

_own = threading.local()  # a connection for each of the server's threads, kept open


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    connection = getattr(_own, "connection", None)
    if connection is None:
        connection = _own.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        connection.execute("INSERT INTO bench.rows (body) VALUES (%s)", (body,))
    else:
        connection.execute("SELECT id FROM bench.rows WHERE id = %s", (1,)).fetchone()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
