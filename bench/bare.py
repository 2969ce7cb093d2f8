"""The least a WSGI program can do, to compare with: POST writes one row durably, GET reads one.

``page`` sends an answer that it holds (a JSON file of headers and body, BARE_PAGE), as any page
cache must at least.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
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


_held = json.loads(Path(os.environ["BARE_PAGE"]).read_text()) if os.environ.get("BARE_PAGE") else {}
_HEADERS = [(name, value) for name, value in _held.get("headers", [])]
_BODY = base64.b64decode(_held.get("body", ""))


def page(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", _HEADERS)
    return [_BODY]
