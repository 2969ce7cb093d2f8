"""Reading typed values out of a request. What cannot be read is a clear 4xx, never a guess."""

from __future__ import annotations

from uuid import UUID

from flask import abort, request


def positive_int(text: str) -> int:
    """1 to 999. Raises ValueError; only the digits 0 to 9 are digits."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:6]) <= 999:
        raise ValueError(text)
    return int(text)


def whole_number(text: str) -> int:
    """0 to 999. Raises ValueError."""
    return 0 if text == "0" else positive_int(text)


def cents_field(name: str) -> int | None:
    """A hidden amount in cents, only ever compared with our own; None when it is missing or odd."""
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 14 else None


def field(name: str, *, most: int = 200) -> str:
    """A text field, trimmed, without control characters, cut to ``most`` characters."""
    text = "".join(c for c in request.form.get(name, "") if c.isprintable() or c == "\n")
    return text.strip()[:most]


def uuid_field(name: str) -> UUID:
    """An id from a form; 404 when it is none."""
    try:
        return UUID(request.form.get(name, ""))
    except ValueError:
        abort(404)
