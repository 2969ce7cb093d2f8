"""The desks as an app on a phone: for a packer or a rider who opens them every day."""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, render_template, request
from flask.typing import ResponseReturnValue

from app.db.tenancy import PLATFORM_STORE
from app.web import installed
from app.web.assets import DEFAULT_HUE
from app.web.auth import open_to, staff_token
from app.web.tenancy import platform_only

bp = Blueprint("desk_installed", __name__)
bp.before_request(platform_only)

NAME = "Dukani"


@bp.get("/desk.webmanifest")
@open_to("everybody")
def manifest() -> ResponseReturnValue:
    return installed.manifest(
        name=NAME, short_name=NAME, icons="/desk-icon-", version=_version(), start="/stores"
    )


@bp.get("/desk-icon-<int:size>.png")
@open_to("everybody")
def icon(size: int) -> ResponseReturnValue:
    return _icon(size, maskable=False)


@bp.get("/desk-icon-<int:size>-maskable.png")
@open_to("everybody")
def maskable_icon(size: int) -> ResponseReturnValue:
    return _icon(size, maskable=True)


@bp.get("/desk-sw.js")
@open_to("everybody")
def worker() -> ResponseReturnValue:
    """Only the pages under /staff/ are kept: lists to work from. Money and settings are not."""
    one = "[0-9a-f-]{36}"
    return installed.worker(
        installed.WorkerFacts(
            offline="/desk-offline",
            files=tuple(map(installed.asset, ("htmx.js", "office.js", "office.css"))),
            mine=f"^/staff/[^/]+/(orders|dispatch|run)/({one}(/slip)?|sheet)?$",
            taps=f"^/staff/[^/]+/(orders/{one}/(pack|give|deliver|collect)|run/{one}/delivered)$",
            once=True,
            icon=f"/desk-icon-192.png?v={_version()}",
        ),
        scope="/staff/",
    )


@bp.get("/desk-offline")
@open_to("everybody")
def offline() -> ResponseReturnValue:
    """What the worker shows in place of a list it has not kept."""
    return render_template("backoffice/offline.html")


@bp.after_app_request
def _say_whose(response: Response) -> Response:
    """Lists say whether the same person still looks at them, so that another finds none of them."""
    if request.path.startswith("/staff/") and g.get("person") is not None:
        response.headers["X-Whose"] = installed.whose(staff_token(), store_id=PLATFORM_STORE)
    return response


def _icon(size: int, *, maskable: bool) -> Response:
    if size not in installed.ICON_SIZES:
        abort(404)
    return installed.icon(NAME, DEFAULT_HUE, size, maskable=maskable)


def _version() -> str:
    return installed.icon_version(NAME, DEFAULT_HUE)
