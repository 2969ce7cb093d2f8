"""``/``: the shop on a store's host, the platform's own page on the platform's."""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from app.web.platform.landing import landing_page
from app.web.storefront.browse import home_page
from app.web.tenancy import is_platform_host, open_store

bp = Blueprint("front_door", __name__)


@bp.before_request
def _guard() -> Response | None:
    return None if is_platform_host() else open_store()


@bp.get("/")
def show() -> ResponseReturnValue:
    return landing_page() if is_platform_host() else home_page()
