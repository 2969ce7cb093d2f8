"""Photos made here, of the kinds that phones make."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

MAKER, ORIENTATION, PLACE = 0x010F, 0x0112, 0x8825


def plain_photo(colour: str = "teal", size: tuple[int, int] = (800, 600)) -> bytes:
    """A small JPEG: one colour with something white on it."""
    picture = Image.new("RGB", size, colour)
    box = (size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 2)
    ImageDraw.Draw(picture).ellipse(box, fill="white")
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


def busy_photo(colour: str, size: tuple[int, int] = (1200, 900)) -> bytes:
    """A JPEG with something to see everywhere: a browser takes a plain one for a background."""
    grain = Image.effect_noise((size[0] // 4, size[1] // 4), 160).resize(size)
    out = io.BytesIO()
    Image.blend(Image.new("RGB", size, colour), grain.convert("RGB"), 0.5).save(out, "JPEG")
    return out.getvalue()


@lru_cache(maxsize=1)
def phone_photo() -> bytes:
    """Six megabytes of 12 megapixels, lying on its side, with where it was taken in it."""
    soft = Image.effect_noise((504, 378), 120).resize((4032, 3024), Image.Resampling.BICUBIC)
    grain = Image.effect_noise((4032, 3024), 14)
    grey = Image.blend(soft.filter(ImageFilter.GaussianBlur(6)), grain, 0.4)
    picture = Image.merge(
        "RGB", (grey, grey.point(lambda v: v * 0.8), grey.point(lambda v: 255 - v))
    )
    ImageDraw.Draw(picture).ellipse((1200, 700, 2800, 2300), fill=(40, 60, 160))
    exif = Image.Exif()
    exif[MAKER] = "Pocket Phone"
    exif[ORIENTATION] = 6
    exif[PLACE] = {1: "S", 2: (1.0, 17.0, 8.0), 3: "E", 4: (36.0, 49.0, 33.0)}
    for quality in range(98, 60, -1):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, exif=exif)
        if len(out.getvalue()) <= 6_600_000:
            break
    return out.getvalue()
