"""Quoting a delivery, and changing what an area costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.delivery.areas import get_area
from app.domain.delivery.fees import DEFAULT_FEE_CENTS
from app.domain.delivery.models import DeliveryArea, DeliveryQuote
from app.domain.delivery.promises import DEFAULT_PROMISE_TERMS
from app.domain.delivery.queries import StoreArea, preview_of
from app.domain.stores.models import Store
from app.ids import new_id
from app.timings import timings

# Built once, as every checkout asks it.
_ALIVE = (
    select(DeliveryQuote)
    .where(
        DeliveryQuote.store_id == bindparam("store_id"),
        DeliveryQuote.cart_id == bindparam("cart_id"),
        DeliveryQuote.area == bindparam("area"),
        DeliveryQuote.subtotal_cents == bindparam("subtotal_cents"),
        DeliveryQuote.expires_at > bindparam("now"),
    )
    .order_by(DeliveryQuote.created_at.desc())
    .limit(1)
)


def quote(
    session: Session,
    store: Store,
    cart_id: UUID,
    found: StoreArea,
    *,
    subtotal_cents: int,
    grams: int = 0,
    is_bulky: bool = False,
) -> DeliveryQuote:
    """The fee for this cart and area, honoured for 15 minutes even if the owner changes it.

    A living quote for the same goods is used again. Raises BelowMinimumOrder.
    """
    now = utcnow()
    alive = find_quote(session, cart_id, found.area.slug, subtotal_cents=subtotal_cents)
    if alive is not None:
        return alive
    preview = preview_of(
        session,
        store,
        found,
        basket_cents=subtotal_cents,
        grams=grams,
        is_bulky=is_bulky,
        at=now,
    )
    made = DeliveryQuote(
        id=new_id(),
        cart_id=cart_id,
        area=preview.area.slug,
        subtotal_cents=subtotal_cents,
        fee_cents=preview.fee_cents,
        reason=preview.reason,
        promised_at=preview.promise.arrives_by,
        created_at=now,
        expires_at=now + timedelta(seconds=timings().quote),
    )
    session.add(made)
    session.flush()
    return made


def find_quote(
    session: Session, cart_id: UUID, area_slug: str, *, subtotal_cents: int
) -> DeliveryQuote | None:
    """The newest quote for these goods and area that has not expired."""
    facts = {
        "store_id": bound_store(),
        "cart_id": cart_id,
        "area": area_slug,
        "subtotal_cents": subtotal_cents,
        "now": utcnow(),
    }
    return session.scalars(_ALIVE, facts).one_or_none()


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
