"""Quoting a delivery, and changing what an area costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.audit.actions import record
from app.domain.delivery.areas import get_area
from app.domain.delivery.fees import DEFAULT_FEE_CENTS
from app.domain.delivery.models import DeliveryArea
from app.domain.delivery.promises import DEFAULT_PROMISE_TERMS
from app.domain.delivery.queries import FeePreview
from app.ids import new_id
from app.timings import timings

_KEEP = text(
    "INSERT INTO app.delivery_quotes (id, cart_id, area, subtotal_cents, fee_cents, reason,"
    " promised_at, created_at, expires_at) VALUES (:id, :cart_id, :area, :subtotal_cents,"
    " :fee_cents, :reason, :promised_at, :now, :until)"
)


def keep_quote(session: Session, cart_id: UUID, told: FeePreview, *, subtotal_cents: int) -> UUID:
    """Honour the fee that was told for these goods for 15 minutes, even if the owner changes it."""
    now, quote_id = utcnow(), new_id()
    session.execute(
        _KEEP,
        {
            "id": quote_id,
            "cart_id": cart_id,
            "area": told.area.slug,
            "subtotal_cents": subtotal_cents,
            "fee_cents": told.fee_cents,
            "reason": told.reason,
            "promised_at": told.promise.arrives_by,
            "now": now,
            "until": now + timedelta(seconds=timings().quote),
        },
    )
    return quote_id


def serve_area(session: Session, slug: str, *, actor: str, fee_cents: int | None = None) -> bool:
    """Deliver to an area, at the fee given or its band's usual one; False if we did already.

    An area that was switched off is switched on, at the fee given or else the one it had.
    One that is served stays as it is. Raises UnknownArea.
    """
    area = get_area(slug)
    again: dict[str, Any] = {"is_active": True, "changed_by": actor, "changed_at": utcnow()}
    if fee_cents is not None:
        again["fee_cents"] = fee_cents
    made = session.execute(
        insert(DeliveryArea)
        .values(
            id=new_id(),
            area=area.slug,
            fee_cents=DEFAULT_FEE_CENTS[area.band] if fee_cents is None else fee_cents,
            minutes=DEFAULT_PROMISE_TERMS[area.band].minutes,
            changed_by=actor,
        )
        .on_conflict_do_update(
            index_elements=["store_id", "area"],
            set_=again,
            where=DeliveryArea.is_active.is_(False),
        )
        .returning(DeliveryArea.id)
        .execution_options(populate_existing=True)
    )
    return made.scalar() is not None


def change_fee(session: Session, terms: DeliveryArea, fee_cents: int, *, actor: str) -> None:
    """Set what an area costs, with the change in the audit log. Does not commit."""
    from app.domain.catalog.actions import touch_content

    before = terms.fee_cents
    terms.fee_cents, terms.changed_by, terms.changed_at = fee_cents, actor, utcnow()
    touch_content(session)
    record(
        session,
        "fee.changed",
        actor=actor,
        subject=f"area:{terms.area}",
        before=before,
        after=fee_cents,
    )
