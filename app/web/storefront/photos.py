"""The switch in the foot of every page: photos on or off, on this phone."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.web.photos import remember_photos
from app.web.security import origin_checked
from app.web.storefront.deliver import local_path
from app.web.tenancy import open_store

bp = Blueprint("photos", __name__)
bp.before_request(open_store)


@bp.post("/photos")
@origin_checked
def switch() -> ResponseReturnValue:
    """Remember the choice and go back to the page it was made on."""
    back = redirect(local_path(request.form.get("next", "/")), code=303)
    return remember_photos(make_response(back), are_on=request.form.get("photos") != "off")
