"""Host name → store → session. Opened here for each request and closed here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, abort, current_app, g, make_response, render_template, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from app.db.engine import db
from app.db.tenancy import current_store, plan_once
from app.domain.platform.suspending import RETRY_AFTER_SECONDS, SUSPENDED
from app.domain.stores.models import Store
from app.i18n import DEFAULT_LOCALE, LOCALES, set_locale
from app.web.page_versions import Known, PageVersions

LANGUAGE_COOKIE = "__Host-lang"
LANGUAGE_SECONDS = 365 * 86_400
UNKNOWN_HOST = "Misdirected request: no shop lives at this address.\n"


def request_host(environ: Mapping[str, Any] | None = None) -> str:
    """The Host header, lower case, without a port. Never X-Forwarded-Host."""
    host: str = (request.environ if environ is None else environ).get("HTTP_HOST", "").lower()
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() and port.isascii() and name else host


def is_platform_host() -> bool:
    """Whether this request came to the platform's own host."""
    platform: str = current_app.config["SETTINGS"].platform_host.partition(":")[0]
    return request_host() == platform


def open_store() -> Response | None:
    """Guard of every storefront blueprint: bind the store that owns this host.

    Sets ``g.store``. Unknown hosts get a constant 421; the platform's host gets 404; a shop
    that the platform has closed answers 503, but for the orders people have there.
    """
    return _open_store(as_now=not _is_read())


def open_kept_store() -> Response | None:
    """The same for the cart: what lies in it is decided by goods and never by the store's own row.

    So whoever puts something in gets the store as whoever looks does, at most a second old.
    """
    return _open_store(as_now=False)


def _open_store(*, as_now: bool) -> Response | None:
    if is_platform_host():
        abort(404)
    if _is_read():
        plan_once(db.session())
    store = _store_of_host(as_now=as_now)
    if store is None:
        return make_response(
            UNKNOWN_HOST, 421, {"Content-Type": "text/plain", "Cache-Control": "no-store"}
        )
    g.store = store
    return _closed() if store.status == SUSPENDED and not _is_receipt() else None


def _is_read() -> bool:
    return request.method in ("GET", "HEAD")


def _known_host() -> Known | None:
    """What this process knows of the host, as of at most half a second ago; None for an unknown one."""
    versions: PageVersions = current_app.extensions["page_versions"]
    versions.keep_up(monotonic())
    return versions.look(request_host())


def _store_of_host(*, as_now: bool) -> Store | None:
    """The store of this host; None for an unknown one.

    ``as_now`` is the row as it is now, of the request's own session. Else it is the one read for
    this version of the store's pages, if it was: that belongs to no session, and an edit makes
    another version, which has it read anew.
    """
    known = _known_host()
    if known is None:
        return None
    bind_store(known.store_id)
    if not as_now and known.facts is not None:
        kept: Store = known.facts
        return kept
    store = db.session.get_one(Store, known.store_id)
    if not as_now:
        db.session.expunge(store)
        known.facts = store
    return store


def _is_receipt() -> bool:
    """Whoever has bought still sees their order; nothing new is begun in a closed shop."""
    return _is_read() and request.path.startswith("/o/")


def _closed() -> Response:
    """The shop is closed by the platform: kind words, and when to come again."""
    response = make_response(render_template("storefront/closed.html"), 503)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def bind_store(store_id: int) -> None:
    """Bind this request, and every transaction it begins, to one store."""
    if g.get("store_token") is not None:
        raise RuntimeError("a request has one store")
    g.store_id = store_id
    g.store_token = current_store.set(store_id)


def platform_only() -> None:
    """Guard of platform and back-office blueprints: they do not exist on a store's host."""
    if not is_platform_host():
        abort(404)


@lru_cache(maxsize=1024)
def requested_language(query_lang: str, cookie: str, accept_language: str) -> str:
    """The language of an answer, one of LOCALES: host, path and this are what a page depends on.

    An address that names a language (``?lang=sw``) is in that language for everybody; else the
    person's own choice counts, which a cookie keeps; else what the browser asks for; else English.
    A language we lack is as if it were not said.
    """
    for chosen in (query_lang, cookie):
        if chosen in LOCALES:
            return chosen
    # Not best_match(): it takes "sw;q=0.5" before "en-KE", which no Kenyan browser means.
    wanted = parse_accept_header(accept_language, LanguageAccept)
    plain = (tag.partition("-")[0].lower() for tag, quality in wanted if quality > 0)
    return next((language for language in plain if language in LOCALES), DEFAULT_LOCALE)


def choose_language() -> None:
    """Speak the language that was asked for. Only a shop's addresses can name one."""
    named = "" if is_platform_host() else request.args.get("lang", "")
    accepted = request.headers.get("Accept-Language", "")
    set_locale(requested_language(named, request.cookies.get(LANGUAGE_COOKIE, ""), accepted))


def language_cookie(cookies: str) -> str:
    """The language chosen in this browser, from its Cookie header; the first one, if it has two."""
    if LANGUAGE_COOKIE not in cookies:
        return ""
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == LANGUAGE_COOKIE:
            return value[:8]
    return ""


def remember_language(response: Response, locale: str) -> Response:
    """Keep the person's choice in this browser, for a year. It is no secret and tracks nobody."""
    response.set_cookie(
        LANGUAGE_COOKIE,
        locale,
        max_age=LANGUAGE_SECONDS,
        secure=True,
        httponly=True,
        samesite="Lax",
    )
    return response


# A load balancer asks these inside the network, where nothing is encrypted.
_NOT_FOR_BROWSERS = {"/healthz", "/readyz", "/metrics"}


def go_to_https() -> Response | None:
    """Where the product is public under https, plain http leads there; what was sent is not taken.

    Only hosts that are ours are led anywhere, and only to themselves.
    """
    settings = current_app.config["SETTINGS"]
    is_safe_already = settings.public_scheme != "https" or request.scheme == "https"
    if is_safe_already or request.path in _NOT_FOR_BROWSERS:
        return None
    if is_platform_host():
        start = settings.platform_url
    else:
        if _known_host() is None:
            return None  # the view answers as it does to every unknown host
        start = settings.store_url(request_host())
    if request.method not in ("GET", "HEAD"):
        abort(403)
    query = request.query_string.decode("latin-1")
    path = quote(request.path, safe="/:@!$&'()*+,;=-._~") + (f"?{query}" if query else "")
    return make_response("", 308, {"Location": start + path})


def add_tenancy(app: Flask) -> None:
    """Speak a language before each request; forget the store after it."""
    app.before_request(choose_language)
    app.before_request(go_to_https)

    @app.teardown_request
    def close(error: BaseException | None) -> None:
        token = g.pop("store_token", None)
        if token is not None:
            db.session.remove()
            current_store.reset(token)
