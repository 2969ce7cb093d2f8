"""Who is shopping: by phone number, or by the token of a signed-in browser."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.customers.models import Customer, ShopperSession
from app.ids import token_hash
from app.vault import vault


def find_customer(session: Session, phone: str) -> Customer | None:
    """The customer with this E.164 number, if this store knows them."""
    store_id = bound_store()
    return session.scalars(
        select(Customer).where(
            Customer.store_id == store_id,
            Customer.phone_lookup == vault().lookup(phone, store_id=store_id),
        )
    ).one_or_none()


def find_shopper(session: Session, token: str | None) -> Customer | None:
    """The customer who proved their phone in the browser with this token, while it counts."""
    if not token:
        return None
    return session.scalars(
        select(Customer)
        .join(
            ShopperSession,
            (ShopperSession.store_id == Customer.store_id)
            & (ShopperSession.customer_id == Customer.id),
        )
        .where(
            ShopperSession.token_hash == token_hash(token),
            ShopperSession.store_id == bound_store(),
            ShopperSession.expires_at > func.now(),
        )
    ).one_or_none()
