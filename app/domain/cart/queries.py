"""Reading carts. A cart is known by its id, which only its shopper's signed cookie holds."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, selectinload

from app.db.tenancy import bound_store
from app.domain.cart.models import Cart, CartLine
from app.domain.catalog.models import Variant

_SUMMARY = text(
    "SELECT coalesce(sum(l.quantity), 0)::int AS units,"
    " coalesce(sum(l.quantity * app.price_now(v)), 0)::bigint AS cents FROM app.cart_lines l"
    " JOIN app.variants v ON v.store_id = l.store_id AND v.id = l.variant_id"
    " WHERE l.store_id = app.store_id() AND l.cart_id = :cart_id"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CartSummary:
    """What the bag and the bar show: units, and their price in cents."""

    item_count: int = 0
    subtotal_cents: int = 0


def find_cart(session: Session, cart_id: UUID | None) -> Cart | None:
    """The cart with its lines, variants and products, or None."""
    if cart_id is None:
        return None
    return session.scalars(
        select(Cart)
        .where(Cart.store_id == bound_store(), Cart.id == cart_id)
        .options(selectinload(Cart.lines).joinedload(CartLine.variant).joinedload(Variant.product))
    ).one_or_none()


def find_cart_by_code(session: Session, code: str) -> Cart | None:
    """The cart somebody said the code of, as typed: case and spaces do not matter."""
    said = "".join(code.split()).upper()
    return session.scalars(
        select(Cart).where(Cart.store_id == bound_store(), Cart.code == said)
    ).one_or_none()


def summarise_cart(session: Session, cart_id: UUID | None) -> CartSummary:
    """Units and subtotal in cents, in one statement."""
    if cart_id is None:
        return CartSummary()
    row = session.execute(_SUMMARY, {"cart_id": cart_id}).one()
    return CartSummary(item_count=row.units, subtotal_cents=row.cents)
