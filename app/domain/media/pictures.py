"""Keeping a picture that is decoded already or was drawn here: every width, every format.

Only what we encoded ourselves is ever served, so no metadata (a photo's place, above all)
and no clever file gets through. Photos that people upload come by ``actions.add_photo``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PIL import Image

from app.domain.errors import DomainError
from app.domain.media import making
from app.domain.media.making import FORMATS, WEBP, WIDTHS, Unfit, files_of, read
from app.domain.media.refusals import refusal_words
from app.domain.media.storage import fetch, keep, open_bucket, place_for
from app.domain.media.tints import tint_of, without_ground
from app.ids import new_token

MAX_BYTES = making.MAX_BYTES
MAX_SIDE = making.MAX_SIDE
MAX_PIXELS = making.MAX_PIXELS

Sizes = dict[str, int]


class PictureRefused(DomainError):
    """The file is not a picture we can show."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(refusal_words(reason))


@dataclass(frozen=True, kw_only=True)
class StoredPicture:
    """A picture in the store: the bytes of each file by format and width.

    ``sizes`` are those of WebP, which every picture has.
    """

    media_key: str
    width: int
    height: int
    tint: int
    files: dict[str, Sizes] = field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        return self.files.get(WEBP, {})


def store_picture(
    image: Image.Image | bytes,
    *,
    media_dir: str | None = None,
    cut_ground: bool = False,
    formats: Sequence[str] = FORMATS,
) -> StoredPicture:
    """Encode a picture in every width and format and keep it under a new random key.

    Never enlarges: the widest file holds the picture as it is. ``cut_ground`` takes a flat,
    pale, tinted ground away, as drawn goods have it and people's photos do not. ``formats``
    always holds WebP. Raises PictureRefused for bytes that are not a picture we accept.
    """
    picture = read_picture(image) if isinstance(image, bytes) else image
    if cut_ground and not picture.has_transparency_data:
        picture = without_ground(picture)
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    key = new_token()
    return StoredPicture(
        media_key=key,
        width=picture.width,
        height=picture.height,
        tint=tint_of(picture),
        files=keep_files(key, files_of(picture, formats), media_dir=media_dir),
    )


def keep_files(
    key: str, made: Iterable[tuple[str, int, bytes]], *, media_dir: str | None = None
) -> dict[str, Sizes]:
    """Put a picture's files in the store; returns their bytes by format and width."""
    bucket = open_bucket(place_for(media_dir))
    files: dict[str, Sizes] = {}
    for name, width, data in made:
        keep(bucket, file_name(key, width, name), data, kind=name)
        files.setdefault(name, {})[str(width)] = len(data)
    return files


def read_picture(data: bytes) -> Image.Image:
    """Decode bytes from outside, upright. Raises PictureRefused, saying what to do."""
    try:
        return read(data)
    except Unfit as unfit:
        raise PictureRefused(unfit.reason) from unfit


def file_name(key: str, width: int, name: str = WEBP) -> str:
    """Where one size lies in the store. Two letters per folder keep folders small."""
    return f"{key[:2]}/{key}-{width}.{name}"


def open_picture(
    key: str, width: int, name: str = WEBP, *, media_dir: str | None = None
) -> bytes | None:
    """The bytes of one size of a stored picture in one format, or None."""
    if width not in WIDTHS or name not in FORMATS:
        return None
    return fetch(open_bucket(place_for(media_dir)), file_name(key, width, name))
