"""The picture that a link to a page shows where it is shared, drawn when it is first asked for.

Its name is a hash of everything on it, so a new price is a new picture under a new address and
an old one may be kept for ever. What is to be drawn is always worked out from the store's own
rows: an address alone cannot make us draw.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from app.domain.catalog.queries import Picture
from app.domain.media.pictures import open_picture
from app.domain.media.storage import fetch, forget, keep, older_than, open_bucket, place_for
from app.domain.media.tints import oklch_hex, tint_colours
from app.domain.seo import drawing
from app.domain.stores.models import Store

LOOK = 1
"""Counted up when the drawing changes, so that every picture gets a new address."""

MOST_PHOTOS = 4
WALL_SECONDS = 15
_WIDE, _NARROW = 960, 320


class CannotDraw(Exception):
    """The program that draws did not answer with a picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CardPhoto:
    key: str
    width: int  # of the file that is drawn
    tint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareCard:
    """Everything on the picture: ``figure`` is its biggest words, ``line`` what stands in the pill."""

    store_id: int
    store: str
    hue: int
    title: str
    figure: str
    line: str
    photos: tuple[CardPhoto, ...]

    @property
    def key(self) -> str:
        """The picture's name: 32 hex digits that no other words and photos have."""
        whole = json.dumps([LOOK, asdict(self)], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:32]


def share_card(
    store: Store,
    *,
    title: str,
    figure: str = "",
    line: str = "",
    pictures: Sequence[Picture | None] = (),
) -> ShareCard:
    """A card of this store. Of the pictures that are there, one is shown large or up to four small."""
    shown = [picture for picture in pictures if picture is not None and picture.sizes][:MOST_PHOTOS]
    if len(shown) == MOST_PHOTOS - 1:
        shown.pop()  # three would leave a hole
    most = _WIDE if len(shown) == 1 else _NARROW
    return ShareCard(
        store_id=store.id,
        store=store.name,
        hue=store.colour_hue,
        title=title,
        figure=figure,
        line=line,
        photos=tuple(
            CardPhoto(
                key=picture.key,
                width=max(
                    (width for width in picture.widths if width <= most), default=picture.widths[0]
                ),
                tint=picture.tint,
            )
            for picture in shown
        ),
    )


def open_card(store_id: int, key: str, *, media_dir: str | None = None) -> bytes | None:
    """The picture of this name, if it was drawn already."""
    return fetch(open_bucket(place_for(media_dir)), _path(store_id, key))


def draw_card(card: ShareCard, *, media_dir: str | None = None) -> bytes:
    """Draw a card, keep it under its name and return it. Raises CannotDraw.

    Drawn by a program of its own, so that what a strange photo can cost is bounded.
    """
    photos, grounds = [], []
    for photo in card.photos:
        data = open_picture(photo.key, photo.width, media_dir=media_dir)
        if data is not None:
            photos.append(data)
            grounds.append(tint_colours(photo.tint)[0])
    order = {
        "store": card.store,
        "title": card.title,
        "figure": card.figure,
        "line": card.line,
        "accent": oklch_hex(0.46, 0.12, card.hue),
        "grounds": grounds,
        "lengths": [len(data) for data in photos],
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own file, and the order comes by its input
            [sys.executable, "-I", str(Path(drawing.__file__))],
            input=json.dumps(order).encode() + b"\n" + b"".join(photos),
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
            env={"MALLOC_ARENA_MAX": "1", "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as late:
        raise CannotDraw from late
    if done.returncode != 0 or not done.stdout.startswith(b"\xff\xd8\xff"):
        raise CannotDraw(done.stderr[-400:].decode(errors="replace"))
    keep(open_bucket(place_for(media_dir)), _path(card.store_id, card.key), done.stdout, kind="jpg")
    return done.stdout


def sweep_cards(store_id: int, before: datetime, *, media_dir: str | None = None) -> int:
    """Remove what was drawn before ``before``; what is still asked for is drawn again."""
    bucket = open_bucket(place_for(media_dir))
    paths = list(older_than(bucket, f"cards/{store_id}/", before))
    forget(bucket, paths)
    return len(paths)


def _path(store_id: int, key: str) -> str:
    return f"cards/{store_id}/{key}.jpg"
