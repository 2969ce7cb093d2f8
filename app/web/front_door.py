"""``/``: the shop on a store's host, the platform's own page on the platform's. And in which language."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue

from app.i18n import DEFAULT_LOCALE, LOCALES
from app.web.forms import field
from app.web.platform.landing import landing_page
from app.web.security import origin_checked
from app.web.storefront.browse import home_page
from app.web.tenancy import is_platform_host, open_store, remember_language

bp = Blueprint("front_door", __name__)


@bp.before_request
def _guard() -> Response | None:
    return None if is_platform_host() else open_store()


@bp.get("/")
def show() -> ResponseReturnValue:
    return landing_page() if is_platform_host() else home_page()


@bp.post("/language")
@origin_checked
def speak() -> ResponseReturnValue:
    """Speak the language that was chosen, from here on, and show the same page in it."""
    chosen = field("to", most=10)
    response = redirect(_page_before(), code=303)
    return remember_language(response, chosen if chosen in LOCALES else DEFAULT_LOCALE)  # type: ignore[arg-type]


def _page_before() -> str:
    """The page the form stood on, by the browser's own word; a language it named is no longer forced."""
    try:
        page = urlsplit(request.referrer or "")
    except ValueError:
        return "/"
    if page.netloc.lower() != request.environ.get("HTTP_HOST", "").lower():
        return "/"
    kept = [
        (name, value)
        for name, value in parse_qsl(page.query)
        if name != "lang" or is_platform_host()
    ]
    path = "/" + page.path.lstrip("/\\")  # never another host's
    return f"{path}?{urlencode(kept)}" if kept else path
