"""The grounds of a page's pictures: of 64 tints, only those that it shows are in its style.

A list of goods leaves room for them. When the page is whole its classes say which ones it has,
and the content policy gets the hash of the style as it then is.
"""

from __future__ import annotations

import base64
import hashlib
import re

from flask import Flask, Response, g, request

from app.domain.media.tints import TINTS, tint_colours

ROOM = "/*tints*/"  # at the end of the style
PLACE = "dukani.tints"  # in the request's own environment

_CLASS = re.compile(rb'class="[^"]*\bt(\d{1,2})\b')
_COLOURS = [tint_colours(tint) for tint in range(TINTS)]


def tint_css(tints: list[int]) -> str:
    """One class per tint, by day and by night. Older phones have no ``oklch()``."""
    day = "".join(f".t{tint}{{background:{_COLOURS[tint][0]}}}" for tint in tints)
    night = "".join(f".t{tint}{{background:{_COLOURS[tint][1]}}}" for tint in tints)
    return f"{day}@media(prefers-color-scheme:dark){{{night}}}" if tints else ""


def leave_room() -> str:
    """Where the page's style wants the tints; it is filled when the page is whole."""
    request.environ[PLACE] = True
    return ROOM


def style_hash(style: str) -> str:
    """A style's hash, as the content policy writes it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"


def add_tints(app: Flask) -> None:
    """Fill the room in every page that has it."""

    @app.after_request
    def write_tints(response: Response) -> Response:
        if PLACE not in request.environ or response.mimetype != "text/html":
            return response
        text = response.get_data()
        before, room, after = text.partition(ROOM.encode())
        if room:
            shown = sorted({int(number) for number in _CLASS.findall(after)} & set(range(TINTS)))
            text = before + tint_css(shown).encode() + after
            response.set_data(text)
            g.style_hash = style_hash(
                text.partition(b"<style>")[2].partition(b"</style>")[0].decode()
            )
        return response
