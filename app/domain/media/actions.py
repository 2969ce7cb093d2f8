"""Keeping pictures: decoded with limits, re-encoded, and stored under random names.

Only what we encoded ourselves is ever served, so no metadata (a photo's place, above all)
and no clever file gets through. ``read_picture`` is for bytes from outside and belongs in a
job; ``store_picture`` keeps an image that is already decoded or was drawn here.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from obstore.store import LocalStore
from PIL import Image, ImageOps, UnidentifiedImageError

from app.domain.errors import DomainError
from app.domain.media.tints import tint_of, without_ground
from app.i18n import gettext_lazy as _
from app.ids import new_token

WIDTHS = (320, 640, 960, 1440)
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 8 * 1024 * 1024
MAX_SIDE = 8_000
MAX_PIXELS = 24_000_000
QUALITY = 78


class PictureRefused(DomainError):
    """The file is not a picture we can show."""


@dataclass(frozen=True, kw_only=True)
class StoredPicture:
    """A picture in the store. ``sizes`` is the bytes of each width, by its text."""

    media_key: str
    width: int
    height: int
    tint: int
    sizes: dict[str, int] = field(default_factory=dict)


def store_picture(image: Image.Image | bytes, *, media_dir: str) -> StoredPicture:
    """Encode a picture in every width and keep it under a new random key.

    A width above the picture's own is not made larger: it holds the picture as it is.
    Raises PictureRefused for bytes that are not a picture we accept.
    """
    picture = read_picture(image) if isinstance(image, bytes) else image
    if not picture.has_transparency_data:
        picture = without_ground(picture)
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    key = new_token()
    bucket = _bucket(media_dir)
    sizes = {}
    for width in WIDTHS:
        data = _encoded(picture, width)
        bucket.put(file_name(key, width), data)
        sizes[str(width)] = len(data)
    return StoredPicture(
        media_key=key,
        width=picture.width,
        height=picture.height,
        tint=tint_of(picture),
        sizes=sizes,
    )


def read_picture(data: bytes) -> Image.Image:
    """Decode bytes from outside, upright. Raises PictureRefused, saying what to do."""
    if len(data) > MAX_BYTES:
        raise PictureRefused(_("The picture is larger than 8 MB. Take a smaller one."))
    try:
        with warnings.catch_warnings():
            # Pillow only warns about a file that unpacks to a giant; for us that is the end.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                if max(opened.size) > MAX_SIDE or opened.width * opened.height > MAX_PIXELS:
                    raise PictureRefused(_("The picture has too many pixels. Take a smaller one."))
                if getattr(opened, "n_frames", 1) > 1:
                    raise PictureRefused(_("The picture moves. We need a still one."))
                return ImageOps.exif_transpose(opened)
    except (
        UnidentifiedImageError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
    ) as error:
        raise PictureRefused(_("That file is not a JPEG, PNG or WebP picture.")) from error


def file_name(key: str, width: int) -> str:
    """Where one size lies, below the media folder. Two letters per folder keep folders small."""
    return f"{key[:2]}/{key}-{width}.webp"


def open_picture(key: str, width: int, *, media_dir: str) -> bytes | None:
    """The bytes of one size of a stored picture, or None."""
    try:
        return bytes(_bucket(media_dir).get(file_name(key, width)).bytes())
    except FileNotFoundError:
        return None


def _encoded(picture: Image.Image, width: int) -> bytes:
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


@lru_cache(maxsize=4)
def _bucket(media_dir: str) -> LocalStore:
    Path(media_dir).mkdir(parents=True, exist_ok=True)
    return LocalStore(prefix=media_dir)
