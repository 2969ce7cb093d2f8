"""Who is shopping: by phone number, or by the token of a signed-in browser."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.customers.models import Customer, ShopperSession
from app.domain.errors import NotFound
from app.ids import token_hash
from app.vault import vault


def get_customer(session: Session, customer_id: UUID) -> Customer:
    """A customer of this store. Raises NotFound."""
    customer = session.get(Customer, (bound_store(), customer_id))
    if customer is None:
        raise NotFound
    return customer


def find_customer(session: Session, phone: str) -> Customer | None:
    """The customer with this E.164 number, if this store knows them."""
    profile = find_profile(session, phone)
    return person_behind(session, profile) if profile else None


def find_profile(session: Session, phone: str) -> Customer | None:
    """The profile of this very number (E.164), also when it is part of another one by now."""
    store_id = bound_store()
    return session.scalars(
        select(Customer).where(
            Customer.store_id == store_id,
            Customer.phone_lookup == vault().lookup(phone, store_id=store_id),
        )
    ).one_or_none()


def person_behind(session: Session, profile: Customer) -> Customer:
    """The profile that counts for this one: itself, or what it was merged into."""
    while profile.merged_into is not None:
        profile = session.get_one(Customer, (profile.store_id, profile.merged_into))
    return profile


def profiles_of(session: Session, customer: Customer) -> list[UUID]:
    """Every profile that is part of this one, however many merges ago."""
    found: list[UUID] = []
    level = [customer.id]
    while level:
        level = list(
            session.scalars(
                select(Customer.id).where(
                    Customer.store_id == bound_store(), Customer.merged_into.in_(level)
                )
            )
        )
        found += level
    return found


def placed_as(session: Session, customer: Customer, phone: str) -> UUID | None:
    """Whose number an order of this customer is placed with: a merged profile's id, else None."""
    if vault().lookup(phone, store_id=bound_store()) == customer.phone_lookup:
        return None
    profile = find_profile(session, phone)
    if profile is None or profile.id == customer.id:
        return None
    return profile.id if person_behind(session, profile).id == customer.id else None


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


def find_browser(session: Session, token: str | None) -> ShopperSession | None:
    """The signed-in browser with this token, while it counts."""
    if not token:
        return None
    return session.scalars(
        select(ShopperSession).where(
            ShopperSession.store_id == bound_store(),
            ShopperSession.token_hash == token_hash(token),
            ShopperSession.expires_at > func.now(),
        )
    ).one_or_none()
