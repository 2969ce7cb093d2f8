"""A photo gets its place on a product: alone as a person sends it, or many at once.

What came is kept until every file is made of it, and no longer: it may say where it was taken.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import Product, ProductImage
from app.domain.changes.actions import remember
from app.domain.errors import DomainError, FieldProblem, NotFound
from app.domain.media.apart import Made
from app.domain.media.making import FORMATS, JPEG, WEBP, WIDTHS
from app.domain.media.pictures import file_name, keep_files
from app.domain.media.storage import Bucket, forget
from app.domain.media.tints import tint_of
from app.i18n import gettext_lazy as _
from app.jobs import Topic, Work, ask_for_all

MAX_PHOTOS = 24
MAX_ALT = 160
# What a photo is shown with first. AVIF costs more than both, and comes later (avif.py).
FIRST = (WEBP, JPEG)
# Photos that nobody has seen yet come before smaller files of those that are shown already.
AVIF_AFTER_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class NewPhoto:
    """A photo to hang. What came lies in the store of pictures under its key already.

    ``facts`` are what ``facts_of`` says of a photo whose first files are made; a photo without
    them waits for a job of its own.
    """

    product_id: UUID
    media_key: str
    filename: str
    option_value: str | None = None
    alt: str = ""
    refusal: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        if self.refusal:
            return "refused"
        return "ready" if self.facts else "waiting"


def hang_photos(
    session: Session, wanted: Sequence[NewPhoto], *, actor: str
) -> list[ProductImage | DomainError]:
    """Give each photo its place behind those of its product, and ask for its files.

    For each the photo, or why it does not hang: NotFound for a product this store does not
    have, FieldProblem for one that has its fill of photos. Does not commit.
    """
    names = _locked_names(session, {new.product_id for new in wanted})
    places = _places(session, names)
    hung: list[ProductImage | DomainError] = []
    for new in wanted:
        if new.product_id not in names:
            hung.append(NotFound())
            continue
        count, last = places.get(new.product_id, (0, -1))
        if count >= MAX_PHOTOS:
            full = _("A product has at most %(n)s photos.", n=MAX_PHOTOS)
            hung.append(FieldProblem("photos", full))
            continue
        places[new.product_id] = (count + 1, last + 1)
        hung.append(_row(new, position=last + 1, name=names[new.product_id]))
    rows = [row for row in hung if isinstance(row, ProductImage)]
    session.add_all(rows)
    session.flush()
    ask_for_all(session, *_work(rows))
    for row in rows:
        remember(
            session,
            "photo",
            subject=str(row.product_id),
            actor=actor,
            before={"photo_id": str(row.id), "is_removed": True},
            after={"photo_id": str(row.id), "is_removed": False},
        )
    return hung


def _locked_names(session: Session, product_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of products, each locked, so that one photo gets its place at a time."""
    rows = session.execute(
        select(Product.id, Product.name)
        .where(Product.store_id == bound_store(), Product.id.in_(product_ids))
        .order_by(Product.id)
        .with_for_update()
    )
    return {row.id: row.name for row in rows}


def _places(session: Session, product_ids: Iterable[UUID]) -> dict[UUID, tuple[int, int]]:
    """How many photos each product has, and the place of the last of them."""
    rows = session.execute(
        select(ProductImage.product_id, func.count(), func.max(ProductImage.position))
        .where(
            ProductImage.store_id == bound_store(),
            ProductImage.product_id.in_(product_ids),
            ProductImage.removed_at.is_(None),
        )
        .group_by(ProductImage.product_id)
    )
    return {product_id: (count, last) for product_id, count, last in rows}


def _row(new: NewPhoto, *, position: int, name: str) -> ProductImage:
    return ProductImage(
        product_id=new.product_id,
        option_value=new.option_value,
        position=position,
        alt=new.alt or name,
        media_key=new.media_key,
        status=new.status,
        refusal=new.refusal,
        filename=_plain_name(new.filename),
        **({"width": 0, "height": 0} | new.facts),
    )


def _work(rows: Sequence[ProductImage]) -> list[Work]:
    work = [
        Work(Topic.MAKE_PICTURE, f"picture:{row.id}", {"photo_id": str(row.id)})
        for row in rows
        if row.status == "waiting"
    ]
    if ready := [row.id for row in rows if row.status == "ready"]:
        work.append(avif_work(ready))
    return work


def avif_work(photo_ids: Sequence[UUID]) -> Work:
    """The later work of making AVIF files of these photos."""
    ids = [str(photo_id) for photo_id in photo_ids]
    return Work(Topic.MAKE_AVIF, f"avif:{ids[0]}", {"photo_ids": ids}, AVIF_AFTER_SECONDS)


def facts_of(key: str, made: Made) -> dict[str, Any]:
    """Put the first files of a photo in the store; returns what its row says of them."""
    files = keep_files(key, made.files)
    smallest = next(body for name, step, body in made.files if (name, step) == (WEBP, WIDTHS[0]))
    with Image.open(io.BytesIO(smallest), formats=("WEBP",)) as small:
        tint, is_filled = tint_of(small), not small.has_transparency_data
    return {
        "width": made.width,
        "height": made.height,
        "tint": tint,
        "is_filled": is_filled,
        "files": files,
        "sizes": files[WEBP],
    }


def raw_name(media_key: str) -> str:
    """Where a photo lies as it came. No address leads there: /media/ knows only finished files."""
    return f"raw/{bound_store()}/{media_key}"


def forget_photo(bucket: Bucket, media_key: str) -> None:
    """Remove every file of a photo, and what came."""
    names = [file_name(media_key, width, name) for width in WIDTHS for name in FORMATS]
    forget(bucket, [*names, raw_name(media_key)])


def _plain_name(filename: str) -> str:
    """The file's own name, to recognise it by: no folders, nothing unprintable, 80 characters."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable())[:80].strip()
