"""A shop as an app on a phone: manifest, icons, worker, and the page for when there is no network."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, g, render_template, request
from flask.typing import ResponseReturnValue

from app.domain.media.pictures import open_picture
from app.web import installed
from app.web.shopper import SHOPPER_COOKIE
from app.web.tenancy import open_store

bp = Blueprint("installed", __name__)
bp.before_request(open_store)

SHORT = 12  # longer names are cut under an icon
PERSONAL = ("/cart", "/o/")


@bp.app_context_processor
def _words() -> dict[str, Any]:
    store = g.get("store")
    return {"icon_version": _version() if store is not None else ""}


@bp.get("/manifest.webmanifest")
def manifest() -> ResponseReturnValue:
    """The shop's own name, colour and icons."""
    return installed.manifest(
        name=g.store.name,
        short_name=_short(g.store.name),
        icons="/icon-",
        version=_version(),
        start="/",
    )


@bp.get("/icon-<int:size>.png")
def icon(size: int) -> ResponseReturnValue:
    return _icon(size, maskable=False)


@bp.get("/icon-<int:size>-maskable.png")
def maskable_icon(size: int) -> ResponseReturnValue:
    return _icon(size, maskable=True)


@bp.get("/sw.js")
def worker() -> ResponseReturnValue:
    return installed.worker(
        installed.WorkerFacts(
            offline="/offline",
            files=(installed.asset("htmx.js"), installed.asset("store.js")),
            mine="^/(cart|o/[0-9a-f]{32})$",
            seen="^/$|^/(p|c|areas)/",
            taps="^/cart/lines$",
            pay="/(checkout|pay|pay-on-delivery)$",
            forget="^/me/",
            icon=f"/icon-192.png?v={_version()}",
        ),
        scope="/",
    )


@bp.get("/offline")
def offline() -> ResponseReturnValue:
    """What the worker shows in place of a page it has not kept. The same for everybody."""
    return render_template("storefront/offline.html")


@bp.after_app_request
def _say_whose(response: Response) -> Response:
    """Pages of one shopper say whether it is still the same one, so that another finds none of them."""
    if g.get("store") is not None and request.path.startswith(PERSONAL):
        token = request.cookies.get(SHOPPER_COOKIE, "")
        response.headers["X-Whose"] = installed.whose(token, store_id=g.store_id)
    return response


def _icon(size: int, *, maskable: bool) -> Response:
    if size not in installed.ICON_SIZES:
        abort(404)
    return installed.icon(
        g.store.name, g.store.colour_hue, size, maskable=maskable, logo=_logo_file()
    )


def _logo_file() -> bytes | None:
    logo = g.store.logo
    return open_picture(logo["key"], int(logo["file"]), "webp") if logo else None


def _version() -> str:
    logo = g.store.logo
    return installed.icon_version(g.store.name, g.store.colour_hue, logo["key"] if logo else "")


def _short(name: str) -> str:
    """The whole words of a name that fit under an icon."""
    words, short = name.split(), ""
    for word in words:
        longer = f"{short} {word}".strip()
        if short and len(longer) > SHORT:
            break
        short = longer
    return short
