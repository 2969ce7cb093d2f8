"""An app's icon: the shop's logo, or its first letter on its colour."""

from __future__ import annotations

import io
import unicodedata

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from app.domain.media import fonts
from app.domain.media.tints import oklch_hex

# A maskable icon may be cut to a circle of four fifths of its width; what matters stays inside.
SAFE = 0.56
WHOLE = 0.72
PAPER = "#fdfcf9"


def draw_icon(
    name: str, hue: int, size: int, *, maskable: bool = False, logo: bytes | None = None
) -> bytes:
    """A square PNG of ``size`` pixels a side. A logo that cannot be read is a letter instead."""
    picture = _opened(logo)
    ground = PAPER if picture is not None else oklch_hex(0.42, 0.11, hue)
    icon = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pen = ImageDraw.Draw(icon)
    radius = 0 if maskable or size == 180 else size // 5  # Apple rounds its own
    pen.rounded_rectangle((0, 0, size - 1, size - 1), radius, fill=ground)
    room = round(size * (SAFE if maskable else WHOLE))
    if picture is not None:
        picture.thumbnail((room, room), Image.Resampling.LANCZOS)
        at = ((size - picture.width) // 2, (size - picture.height) // 2)
        icon.alpha_composite(picture, at)
    else:
        font = ImageFont.truetype(fonts.BOLD, round(room * 0.86))
        middle = (size / 2, size / 2)
        pen.multiline_text(middle, first_letter(name), font=font, fill=PAPER, anchor="mm")
    out = io.BytesIO()
    icon.convert("RGB" if maskable else "RGBA").save(out, "PNG", optimize=True)
    return out.getvalue()


def first_letter(name: str) -> str:
    """The first letter or digit of a name, as a capital; a star for a name without any."""
    for letter in unicodedata.normalize("NFC", name):
        if letter.isalnum():
            return letter.upper()[:1]
    return "*"


def _opened(logo: bytes | None) -> Image.Image | None:
    if logo is None:
        return None
    try:
        with Image.open(io.BytesIO(logo), formats=("WEBP", "PNG", "JPEG")) as opened:
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError):
        return None
    if picture.width < 320 and picture.height < 320:  # a small logo is drawn larger, not lost
        factor = 320 / max(picture.size)
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    return picture
