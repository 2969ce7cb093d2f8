"""What happens to a product's photos: added, made by a job, framed, put in order, removed.

A photo is stored as it came, its row waits, and a job makes the files that it is shown with. The
smaller AVIF files follow (``avif.py``), and then what came is forgotten: it may say where it was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.catalog.models import Product, ProductImage
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import DomainError, FieldProblem, NotFound
from app.domain.media.apart import made_apart
from app.domain.media.hanging import (
    FIRST,
    MAX_ALT,
    MAX_PHOTOS,
    NewPhoto,
    avif_work,
    facts_of,
    forget_photo,
    hang_photos,
    raw_name,
)
from app.domain.media.making import WIDTHS, Unfit, look_at
from app.domain.media.pictures import (
    MAX_BYTES,
    MAX_PIXELS,
    MAX_SIDE,
    PictureRefused,
    StoredPicture,
    open_picture,
    read_picture,
    store_picture,
)
from app.domain.media.queries import get_photo, option_values, photos_of
from app.domain.media.refusals import LOST
from app.domain.media.storage import (
    Bucket,
    fetch,
    forget,
    keep,
    older_than,
    open_bucket,
    place_for,
)
from app.i18n import gettext_lazy as _
from app.ids import new_token
from app.jobs import ask_for_all

__all__ = [
    "MAX_ALT",
    "MAX_BYTES",
    "MAX_PHOTOS",
    "MAX_PIXELS",
    "MAX_SIDE",
    "WIDTHS",
    "PictureRefused",
    "StoredPicture",
    "add_photo",
    "describe_photo",
    "make_photo",
    "move_photo",
    "open_picture",
    "order_photos",
    "read_picture",
    "remove_photo",
    "start_making",
    "store_picture",
    "sweep_photos",
]

RAW_KEPT = timedelta(days=1)
REMOVED_KEPT = timedelta(days=30)


def add_photo(
    session: Session,
    product_id: UUID,
    data: bytes,
    *,
    filename: str,
    actor: str,
    option_value: str | None = None,
) -> ProductImage:
    """Keep a photo as it came and ask for the job that makes its files. Does not commit.

    A file that is no photo at first sight gets its row at once, as refused with the reason,
    so that the others of the same upload go on. Raises NotFound for a product this store
    does not have, and FieldProblem when the product has its fill of photos.
    """
    refusal = ""
    try:
        look_at(data)
    except Unfit as unfit:
        refusal = unfit.reason
    new = NewPhoto(
        product_id=product_id,
        media_key=new_token(),
        filename=filename,
        option_value=option_value,
        refusal=refusal,
    )
    bucket = open_bucket(place_for(None))
    if not refusal:  # before the audit trail is locked, which all of the store would wait for
        keep(bucket, raw_name(new.media_key), data)
    [photo] = hang_photos(session, [new], actor=actor)
    if isinstance(photo, DomainError):
        forget(bucket, [raw_name(new.media_key)])
        raise photo
    return photo


def start_making(session: Session, photo_id: UUID) -> ProductImage | None:
    """Take a photo into work; None when it is done already or gone. Does not commit."""
    photo = session.scalar(
        select(ProductImage)
        .where(ProductImage.store_id == bound_store(), ProductImage.id == photo_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if photo is None or photo.status not in ("waiting", "making"):
        return None
    photo.status = "making"
    session.flush()
    return photo


def make_photo(session: Session, photo_id: UUID) -> None:
    """Make the first files of a photo that was taken into work, or refuse it with a reason.

    Talks to the store of pictures and runs for up to half a minute, so it commits before:
    call it outside of any transaction of value. Running it twice makes the same files twice.
    """
    photo = start_making(session, photo_id)
    if photo is None:
        session.rollback()
        return
    key = photo.media_key
    session.commit()
    bucket = open_bucket(place_for(None))
    data = fetch(bucket, raw_name(key))
    facts: dict[str, Any] = {}
    try:
        if data is None:
            raise Unfit(LOST)
        facts = facts_of(key, made_apart(data, FIRST))
    except Unfit as unfit:
        finished = _finish(session, photo_id, status="refused", refusal=unfit.reason)
    else:
        finished = _finish(session, photo_id, status="ready", **facts)
    if finished:
        touch_content(session)
        if facts:
            ask_for_all(session, avif_work([photo_id]))
    session.commit()
    if finished and not facts:
        forget(bucket, [raw_name(key)])


def _finish(session: Session, photo_id: UUID, **values: Any) -> bool:
    """Write what became of a photo, unless somebody else finished it meanwhile."""
    done = session.execute(
        update(ProductImage)
        .where(
            ProductImage.store_id == bound_store(),
            ProductImage.id == photo_id,
            ProductImage.status == "making",
        )
        .values(**values)
        .returning(ProductImage.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    session.expire_all()
    return done is not None


# -- order, frame, words --------------------------------------------------------------------


def order_photos(
    session: Session, product_id: UUID, wanted: Sequence[UUID], *, actor: str
) -> Change | None:
    """Put a product's photos in this order; those not named follow as they were.

    Raises NotFound for a product without photos. Does not commit.
    """
    photos = _locked(session, product_id)
    known = {photo.id: photo for photo in photos}
    first = [known[photo_id] for photo_id in dict.fromkeys(wanted) if photo_id in known]
    after = first + [photo for photo in photos if photo not in first]
    return _arrange(session, product_id, photos, after, actor=actor)


def move_photo(
    session: Session, product_id: UUID, photo_id: UUID, step: int, *, actor: str
) -> Change | None:
    """Move one photo ``step`` places; -1 is towards the front. Stops at the ends."""
    photos = _locked(session, product_id)
    at = next((n for n, photo in enumerate(photos) if photo.id == photo_id), None)
    if at is None:
        raise NotFound
    after = list(photos)
    after.insert(max(0, min(len(photos) - 1, at + step)), after.pop(at))
    return _arrange(session, product_id, photos, after, actor=actor)


def _arrange(
    session: Session,
    product_id: UUID,
    before: Sequence[ProductImage],
    after: Sequence[ProductImage],
    *,
    actor: str,
) -> Change | None:
    change = remember(
        session,
        "photo_order",
        subject=str(product_id),
        actor=actor,
        before={"order": [str(photo.id) for photo in before]},
        after={"order": [str(photo.id) for photo in after]},
    )
    if change is not None:
        for position, photo in enumerate(after):
            photo.position = position
        touch_content(session)
    return change


def _locked(session: Session, product_id: UUID) -> list[ProductImage]:
    """A product's photos, with the product locked so that one order is written at a time."""
    session.execute(
        select(Product.id)
        .where(Product.store_id == bound_store(), Product.id == product_id)
        .with_for_update()
    )
    session.expire_all()
    photos = photos_of(session, product_id)
    if not photos:
        raise NotFound
    return photos


def describe_photo(
    session: Session,
    product_id: UUID,
    photo_id: UUID,
    *,
    alt: str,
    option_value: str | None,
    focal: tuple[int, int],
    actor: str,
) -> Change | None:
    """Say what a photo shows, which choice it belongs to and where its subject is, in percent.

    Raises NotFound, and FieldProblem for a choice that the product does not have. Does not commit.
    """
    photo = get_photo(session, product_id, photo_id)
    product = session.get_one(Product, (bound_store(), product_id))
    if option_value and option_value not in option_values(product):
        raise FieldProblem("option_value", _("This product has no such choice."))
    if not all(0 <= percent <= 100 for percent in focal):
        raise FieldProblem("focal", _("The point is outside of the photo."))
    before = _described(photo)
    photo.alt = " ".join(alt.split())[:MAX_ALT] or product.name
    photo.option_value = option_value or None
    photo.focal_x, photo.focal_y = focal
    change = remember(
        session,
        "photo_words",
        subject=str(product_id),
        actor=actor,
        before=before,
        after=_described(photo),
    )
    if change is not None:
        touch_content(session)
    return change


def _described(photo: ProductImage) -> dict[str, Any]:
    return {
        "photo_id": str(photo.id),
        "alt": photo.alt,
        "option_value": photo.option_value,
        "focal": [photo.focal_x, photo.focal_y],
    }


def remove_photo(session: Session, product_id: UUID, photo_id: UUID, *, actor: str) -> Change:
    """Take a photo off a product. It can be put back for thirty days. Does not commit."""
    photo = get_photo(session, product_id, photo_id)
    photo.removed_at = func.now()
    change = remember(
        session,
        "photo",
        subject=str(product_id),
        actor=actor,
        before={"photo_id": str(photo_id), "is_removed": False},
        after={"photo_id": str(photo_id), "is_removed": True},
    )
    assert change is not None
    touch_content(session)
    return change


@puts_back("photo")
def _put_photo_back(session: Session, change: Change) -> None:
    photo = _standing(session, change.after["photo_id"])
    if (photo.removed_at is not None) != change.after["is_removed"]:
        raise ChangedSince
    photo.removed_at = func.now() if change.before["is_removed"] else None
    touch_content(session)


@puts_back("photo_order")
def _put_order_back(session: Session, change: Change) -> None:
    photos = _locked(session, UUID(change.subject))
    if [str(photo.id) for photo in photos] != change.after["order"]:
        raise ChangedSince
    places = {photo_id: at for at, photo_id in enumerate(change.before["order"])}
    for photo in photos:
        photo.position = places[str(photo.id)]
    touch_content(session)


@puts_back("photo_words")
def _put_words_back(session: Session, change: Change) -> None:
    photo = _standing(session, change.after["photo_id"])
    if _described(photo) != change.after:
        raise ChangedSince
    photo.alt = change.before["alt"]
    photo.option_value = change.before["option_value"]
    photo.focal_x, photo.focal_y = change.before["focal"]
    touch_content(session)


def _standing(session: Session, photo_id: str) -> ProductImage:
    photo = session.scalar(
        select(ProductImage)
        .where(ProductImage.store_id == bound_store(), ProductImage.id == UUID(photo_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if photo is None:  # swept: removed more than thirty days ago
        raise ChangedSince
    return photo


# -- sweeping ---------------------------------------------------------------------------------


def sweep_photos(session: Session) -> int:
    """Forget photos removed thirty days ago, and uploads that nobody made anything of.

    Returns how many photos went. Their files go first: a crash between leaves rows that
    are swept the next time.
    """
    bucket = open_bucket(place_for(None))
    gone = session.scalars(
        select(ProductImage).where(
            ProductImage.store_id == bound_store(),
            ProductImage.removed_at < func.now() - REMOVED_KEPT,
        )
    ).all()
    for photo in gone:
        forget_photo(bucket, photo.media_key)
        session.delete(photo)
    _sweep_raw(session, bucket)
    return len(gone)


def _sweep_raw(session: Session, bucket: Bucket) -> None:
    """Forget what came long ago, and files that no photo is of: whoever made them was killed then."""
    old = list(older_than(bucket, raw_name(""), utcnow() - RAW_KEPT))
    keys = [path.rpartition("/")[2] for path in old]
    standing = set(
        session.scalars(
            select(ProductImage.media_key).where(
                ProductImage.store_id == bound_store(), ProductImage.media_key.in_(keys)
            )
        )
    )
    for key in keys:
        if key not in standing:
            forget_photo(bucket, key)
    forget(bucket, old)
