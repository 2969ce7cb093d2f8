"""Taps that a phone kept while it had no network, and sends when it is back.

The worker behind the pages (static/js/sw.js) gives every such tap a key with its first try, so that a
second delivery is told from a second tap, and says of a later try that it is late: the answer is
then a sentence for whichever page the person looks at by now.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Response, request

from app.web.htmx import fragment

KEY, LATE = "Idempotency-Key", "X-Late"


def tap_key() -> str:
    """The key of this tap; empty from a browser without the worker, or when it is none of ours."""
    key = request.headers.get(KEY, "")
    return key if 16 <= len(key) <= 80 and key.isascii() and key.isprintable() else ""


def is_late() -> bool:
    """Whether this tap was kept for a while before it came."""
    return request.headers.get(LATE) == "1"


def tap_fingerprint() -> bytes:
    """What makes this tap this tap: the same key with another is refused."""
    facts = [request.path, sorted(request.form.items(multi=True))]
    return hashlib.sha256(json.dumps(facts).encode()).digest()


def late_answer(words: str, *, status: int = 200, **choice: Any) -> Response:
    """What became of a late tap, in one sentence; with ``sku`` a choice what to do now."""
    return fragment("_late.html", status=status, message=words, **choice)
