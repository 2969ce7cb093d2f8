"""What about money a person must decide. Each item has an owner, an age and a next action."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.payments.models import ReviewItem
from app.ids import new_id
from app.logging import get_logger

log = get_logger("mpesa")


def open_review(
    session: Session,
    kind: str,
    *,
    subject_id: UUID,
    next_action: str,
    order_id: UUID | None = None,
    amount_cents: int | None = None,
    **detail: Any,
) -> None:
    """Put something before the owner, once per kind and subject."""
    session.execute(
        insert(ReviewItem)
        .values(
            id=new_id(),
            kind=kind,
            subject_id=subject_id,
            order_id=order_id,
            amount_cents=amount_cents,
            next_action=next_action,
            detail=detail,
        )
        .on_conflict_do_nothing(index_elements=["store_id", "kind", "subject_id"])
    )
    log.warning("review_opened", kind=kind, subject_id=str(subject_id), next_action=next_action)


def close_reviews(
    session: Session, kinds: set[str], subject_id: UUID, *, resolution: str, by: str
) -> None:
    """Mark open items about one subject as done, because what they waited for has happened."""
    from app.clock import utcnow

    for item in session.scalars(
        select(ReviewItem).where(
            ReviewItem.store_id == bound_store(),
            ReviewItem.subject_id == subject_id,
            ReviewItem.kind.in_(kinds),
            ReviewItem.status == "open",
        )
    ):
        item.status, item.resolution, item.resolved_by, item.resolved_at = (
            "resolved",
            resolution,
            by,
            utcnow(),
        )
