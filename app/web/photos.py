"""Photos or none: what this browser wants, read from the request alone.

A page exists at most twice, with photos and without: the page cache in front of Flask asks
``wants_photos`` for the one bit that tells them apart, and knows nothing else of cookies.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, request

PHOTOS_COOKIE = "__Host-photos"
PHOTOS_SECONDS = 180 * 86_400

PLACE = "dukani.photos"  # in the request's own environment
_CHOICE = re.compile(r"(?:^|;)\s*__Host-photos=(on|off)\s*(?:;|$)")


def wants_photos(environ: dict[str, Any]) -> bool:
    """Whether to show photos: as the person chose in this browser, else as it asks to save data."""
    cookies = environ.get("HTTP_COOKIE") or ""
    chosen = _CHOICE.search(cookies) if PHOTOS_COOKIE in cookies else None
    if chosen:
        return chosen.group(1) == "on"
    return bool(environ.get("HTTP_SAVE_DATA", "").strip().lower() != "on")


def remember_photos(response: Response, *, are_on: bool) -> Response:
    """Keep the choice in this browser."""
    response.set_cookie(
        PHOTOS_COOKIE,
        "on" if are_on else "off",
        max_age=PHOTOS_SECONDS,
        path="/",
        secure=True,
        httponly=True,
        samesite="Lax",
    )
    return response


def photos_on() -> bool:
    """What this request wants."""
    if PLACE not in request.environ:
        request.environ[PLACE] = wants_photos(request.environ)
    return bool(request.environ[PLACE])


def add_photos(app: Flask) -> None:
    """Give the templates the choice, and tell caches in between what a page depends on."""

    @app.after_request
    def vary(response: Response) -> Response:
        if response.cache_control.public and response.mimetype == "text/html":
            response.vary.update(("Cookie", "Save-Data"))
        return response

    app.jinja_env.globals["photos_on"] = photos_on
