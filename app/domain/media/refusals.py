"""Why a photo cannot be used, said so that the person knows what to do next."""

from __future__ import annotations

from typing import Any

from app.domain.media import making
from app.i18n import gettext_lazy as _

LOST = "lost"

_WORDS = {
    making.EMPTY: _("This file is empty. Choose the photo again."),
    making.TOO_MANY_BYTES: _("This photo is larger than 8 MB. Choose a smaller size on the phone."),
    making.TOO_MANY_PIXELS: _("This photo has too many pixels. 24 megapixels is the most we take."),
    making.HEIC: _(
        "This is an iPhone HEIC photo, which most phones cannot show. On the iPhone open "
        "Settings, Camera, Formats and choose Most Compatible, then take it again."
    ),
    making.MOVING: _("This picture moves. Choose a still photo."),
    making.NOT_A_PHOTO: _("This file is not a JPEG, PNG or WebP photo."),
    making.BROKEN: _("This photo did not arrive whole or is damaged. Choose it again."),
    making.TOO_HEAVY: _("This photo takes too much work to open. Take it again with the camera."),
    LOST: _("This upload was lost before its pictures were made. Choose the photo again."),
}


def refusal_words(reason: str) -> Any:
    """The sentence for a reason; for one we do not know, that of a damaged photo."""
    return _WORDS.get(reason, _WORDS[making.BROKEN])
