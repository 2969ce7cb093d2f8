"""Pictures. This route knows no store, no person and no database: only names of files."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, make_response
from flask.typing import ResponseReturnValue

from app.domain.media.actions import WIDTHS, open_picture

bp = Blueprint("media", __name__)

A_YEAR = 31_536_000


@bp.get("/media/<regex32:key>-<int:width>.webp")
def picture(key: str, width: int) -> ResponseReturnValue:
    """One size of one picture. Names are random and contents never change, so caches keep it."""
    data = None
    if width in WIDTHS:
        data = open_picture(key, width, media_dir=current_app.config["SETTINGS"].media_dir)
    if data is None:
        abort(404)
    response = make_response(data)
    response.headers["Content-Type"] = "image/webp"
    response.headers["Content-Disposition"] = "inline"
    response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
