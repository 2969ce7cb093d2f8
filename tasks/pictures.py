"""Jobs that make the files of photos."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.media import avif
from app.domain.media.actions import make_photo
from app.jobs import Topic
from tasks.politeness import be_polite
from tasks.runner import handles


@handles(Topic.MAKE_PICTURE, external=True)
def make_picture(session: Session, photo_id: str) -> None:
    """Make the files that one uploaded photo is first shown with."""
    be_polite()
    make_photo(session, UUID(photo_id))


@handles(Topic.MAKE_AVIF, external=True)
def make_avif(session: Session, photo_ids: list[str]) -> None:
    """Make the smaller files of photos that are shown already."""
    be_polite()
    avif.make_avif(session, [UUID(photo_id) for photo_id in photo_ids])
