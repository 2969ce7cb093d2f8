"""The smaller files of photos that are shown already: made later, of many photos together.

Until then shoppers get WebP. What goes wrong here takes nothing away from a photo.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.catalog.models import ProductImage
from app.domain.media.apart import PROGRAMS, PhotoPrograms
from app.domain.media.hanging import raw_name
from app.domain.media.making import AVIF, WIDTHS, Unfit
from app.domain.media.pictures import Sizes, file_name, keep_files
from app.domain.media.storage import fetch, forget, open_bucket, place_for
from app.ids import new_id
from app.jobs import Topic, ask_for

# The last photos that are begun in time may take half a minute more; a job has a whole one.
SECONDS: Final = 10.0

_WRITE = text(
    "UPDATE app.product_images AS i SET files = i.files || jsonb_build_object('avif', m.sizes)"
    " FROM jsonb_to_recordset(CAST(:made AS jsonb)) AS m(id uuid, sizes jsonb)"
    " WHERE i.store_id = app.store_id() AND i.id = m.id AND i.status = 'ready' RETURNING i.id"
)


@dataclass(frozen=True, kw_only=True)
class _Photo:
    id: UUID
    media_key: str
    raw: str


def make_avif(session: Session, photo_ids: Sequence[UUID], *, seconds: float = SECONDS) -> bool:
    """Make the AVIF files of these photos, and of the others of their products that lack theirs.

    Works for about ``seconds`` and commits; True while some are left, for which it asks. Pages
    change once for all of them. Call it outside of any transaction of value. Running it twice
    makes the same files twice; a photo that cannot be made stays as it is.
    """
    photos = _lacking(session, photo_ids)
    session.commit()
    end = monotonic() + seconds
    bucket = open_bucket(place_for(None))
    with PhotoPrograms() as programs, ThreadPoolExecutor(PROGRAMS) as threads:
        outcomes = list(threads.map(lambda photo: _make(photo, programs, end), photos))
    left = [photo.id for photo, made in zip(photos, outcomes, strict=True) if made is None]
    done = [(photo, made) for photo, made in zip(photos, outcomes, strict=True) if made is not None]
    standing = _write(session, {photo.id: made for photo, made in done if made})
    if standing:
        touch_content(session)
    if left:
        ask_for(
            session,
            Topic.MAKE_AVIF,
            key=f"avif:{left[0]}:{new_id()}",
            photo_ids=[str(photo_id) for photo_id in left],
        )
    session.commit()
    for photo, made in done:
        names = [photo.raw]
        if made and photo.id not in standing:  # its row went meanwhile
            names += [file_name(photo.media_key, width, AVIF) for width in WIDTHS]
        forget(bucket, names)
    return bool(left)


def _lacking(session: Session, photo_ids: Sequence[UUID]) -> list[_Photo]:
    named = select(ProductImage.product_id).where(
        ProductImage.store_id == bound_store(), ProductImage.id.in_(photo_ids)
    )
    rows = session.execute(
        select(ProductImage.id, ProductImage.media_key)
        .where(
            ProductImage.store_id == bound_store(),
            ProductImage.product_id.in_(named),
            ProductImage.status == "ready",
            ~ProductImage.files.has_key(AVIF),
        )
        .order_by(ProductImage.id)
    )
    return [_Photo(id=row.id, media_key=row.media_key, raw=raw_name(row.media_key)) for row in rows]


def _make(photo: _Photo, programs: PhotoPrograms, end: float) -> Sizes | None:
    """The bytes of each AVIF file by width, nothing where there are none; None when it was too late."""
    if monotonic() > end:
        return None
    data = fetch(open_bucket(place_for(None)), photo.raw)
    if data is None:  # somebody else made them, or it was swept
        return {}
    with programs.borrowed(until=end) as program:
        if program is None:
            return None
        try:
            made = program.make(data, [AVIF])
        except Unfit:
            return {}
    return keep_files(photo.media_key, made.files)[AVIF]


def _write(session: Session, made: dict[UUID, Sizes]) -> set[UUID]:
    """Write down what was made; returns the ids of the photos that are still there."""
    if not made:
        return set()
    rows = [{"id": str(photo_id), "sizes": sizes} for photo_id, sizes in made.items()]
    return set(session.scalars(_WRITE, {"made": json.dumps(rows)}))
