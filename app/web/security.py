"""Where a request may come from, and what a browser may do with our answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request
from flask_wtf.csrf import CSRFProtect

View = TypeVar("View", bound=Callable[..., object])

csrf = CSRFProtect()

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
URL_LIMIT = 4096

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
    "worker-src 'self'; "
    "object-src 'none'"
)


def origin_checked(view: View) -> View:
    """A form on a cached page: it carries no token, so the origin check alone guards it."""
    return csrf.exempt(view)  # type: ignore[no-any-return]


def provider_callback(view: View) -> View:
    """A provider's server calls this: no browser, no origin, no token; the path is the secret."""
    view._is_provider_callback = True  # type: ignore[attr-defined]
    return csrf.exempt(view)  # type: ignore[no-any-return]


def add_security(app: Flask) -> None:
    """Check what comes in before any view, and set the headers of what goes out."""
    app.before_request(_refuse_odd_input)
    app.before_request(_refuse_foreign_forms)
    csrf.init_app(app)
    app.after_request(_set_headers)


def _refuse_odd_input() -> None:
    target = (
        request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path
    )
    if len(target) > URL_LIMIT:
        abort(414)
    if (
        "\x00" in request.path
        or "%00" in target
        or "\x00" in request.environ.get("HTTP_COOKIE", "")
    ):
        abort(400)
    if request.method not in SAFE_METHODS and request.mimetype in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        if request.path.startswith("/hooks/"):
            return
        for name, value in request.form.items(multi=True):
            # A part of a multipart body may have no name at all.
            if not name or "\x00" in name or "\x00" in value or len(value) > 64 * 1024:
                abort(400)
        for name, upload in request.files.items(multi=True):
            if not name or "\x00" in name or "\x00" in (upload.filename or ""):
                abort(400)


def _refuse_foreign_forms() -> None:
    """Every changing request says where it comes from, and it comes from here.

    ``Sec-Fetch-Site`` is enough where the browser sends it; older ones send Origin or
    Referer. None of the three: refused, with words.
    """
    if request.method in SAFE_METHODS:
        return
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or getattr(view, "_is_provider_callback", False):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            abort(403)
        return
    source = request.headers.get("Origin") or request.headers.get("Referer")
    if not source or _host_of(source) != request.environ.get("HTTP_HOST", "").lower():
        abort(403)


def _host_of(address: str) -> str | None:
    """The host and port an address names; None when it cannot be read."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return None


def _set_headers(response: Response) -> Response:
    style = g.get("style_hash", "")
    policy = POLICY.format(style=f" '{style}'" if style else "")
    settings = current_app.config["SETTINGS"]
    headers = response.headers
    if settings.public_scheme == "https":
        policy += "; upgrade-insecure-requests"
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "private, no-store"
    return response
