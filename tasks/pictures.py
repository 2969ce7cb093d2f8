"""Jobs that make the files of photos."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.media.actions import make_photo
from app.jobs import Topic
from tasks.runner import handles


@handles(Topic.MAKE_PICTURE, external=True)
def make_picture(session: Session, photo_id: str) -> None:
    """Make every size and format of one uploaded photo."""
    make_photo(session, UUID(photo_id))
