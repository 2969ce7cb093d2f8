"""Pictures. This route knows no store, no person and no database: only names of files."""

from __future__ import annotations

from flask import Blueprint, abort, make_response
from flask.typing import ResponseReturnValue

from app.domain.media.pictures import open_picture
from app.domain.media.storage import FOR_EVER, TYPES

bp = Blueprint("media", __name__)


@bp.get("/media/<regex32:key>-<int:width>.<any(avif, webp, jpg):name>")
def picture(key: str, width: int, name: str) -> ResponseReturnValue:
    """One size of one picture. Names are random and contents never change, so caches keep it."""
    data = open_picture(key, width, name)
    if data is None:
        abort(404)
    response = make_response(data)
    response.headers["Content-Type"] = TYPES[name]
    response.headers["Content-Disposition"] = "inline"
    response.headers["Cache-Control"] = FOR_EVER
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
