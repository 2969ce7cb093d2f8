"""A shop's own small pictures, its logo first: read under tighter limits than photos of goods.

They are small enough to be made while the person waits.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, UnidentifiedImageError

from app.domain.errors import FieldProblem
from app.domain.media.making import NOT_A_PHOTO, TAKEN, Unfit, read, widths_of
from app.domain.media.pictures import store_picture
from app.domain.media.refusals import refusal_words
from app.i18n import gettext_lazy as _

MAX_BYTES = 2 * 1024 * 1024
MAX_SIDE = 4_000
LOGO_SIDE = 320


def keep_logo(data: bytes, *, media_dir: str) -> dict[str, Any]:
    """Store a logo at most 320 pixels wide and high; what the store's row says about it.

    Raises FieldProblem, saying what to do.
    """
    return keep_small_picture(data, "logo", side=LOGO_SIDE, media_dir=media_dir)


def keep_small_picture(data: bytes, field: str, *, side: int, media_dir: str) -> dict[str, Any]:
    """Store a picture at most ``side`` pixels wide and high: key, width, height, widest file.

    Raises FieldProblem for ``field``, saying what to do.
    """
    try:
        _look_at(data, field)
        picture = read(data, widest=side)
    except Unfit as unfit:
        raise FieldProblem(field, str(refusal_words(unfit.reason))) from unfit
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    stored = store_picture(picture, media_dir=media_dir)
    return {
        "key": stored.media_key,
        "width": stored.width,
        "height": stored.height,
        "file": widths_of(stored.width)[-1],
    }


def _look_at(data: bytes, field: str) -> None:
    """Refuse by the first bytes what would be too large: they say so before it is decoded."""
    if len(data) > MAX_BYTES:
        raise FieldProblem(field, _("This picture is larger than 2 MB. Take a smaller one."))
    try:
        with Image.open(io.BytesIO(data), formats=TAKEN) as opened:
            if max(opened.size) > MAX_SIDE:
                raise FieldProblem(
                    field, _("This picture is more than 4,000 pixels wide or high. Take less.")
                )
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise Unfit(NOT_A_PHOTO) from error
