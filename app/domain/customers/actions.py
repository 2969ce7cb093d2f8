"""Remembering customers, and the browsers in which they proved their phone."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.customers.models import Customer, ShopperSession
from app.ids import new_id, new_token, token_hash
from app.vault import vault

SESSION_LIFETIME = timedelta(days=90)


def find_or_add_customer(
    session: Session,
    *,
    phone: str,
    name: str = "",
    area: str | None = None,
    landmark: str = "",
    language: str | None = None,
    is_verified: bool = False,
) -> Customer:
    """The customer with this E.164 number, made or brought up to date.

    What is empty here leaves what is known as it was. The same number, however it was typed,
    is one customer of the store, also when two requests come at once.
    """
    store_id = bound_store()
    news: dict[str, object] = {"phone_lookup": vault().lookup(phone, store_id=store_id)}
    if name:
        news["name"] = name
    if area:
        news["last_area"] = area
    if landmark:
        news["last_landmark"] = landmark
    if language:
        news["language"] = language
    if is_verified:
        news["verified_at"] = func.now()
    return session.scalars(
        insert(Customer)
        .values(
            id=new_id(),
            store_id=store_id,
            phone_sealed=vault().seal(phone, store_id=store_id, column="customers.phone"),
            **news,
        )
        .on_conflict_do_update(index_elements=["store_id", "phone_lookup"], set_=news)
        .returning(Customer)
        .execution_options(populate_existing=True)
    ).one()


def start_shopper_session(session: Session, customer: Customer) -> str:
    """A token for the browser in which the customer proved their phone. Only its hash is kept."""
    token = new_token()
    session.add(
        ShopperSession(
            token_hash=token_hash(token),
            customer_id=customer.id,
            expires_at=func.now() + SESSION_LIFETIME,
        )
    )
    session.flush()
    return token


def end_shopper_session(session: Session, token: str | None) -> None:
    """Forget one browser. Forgetting an unknown one is no mistake."""
    if token:
        session.execute(
            delete(ShopperSession).where(
                ShopperSession.store_id == bound_store(),
                ShopperSession.token_hash == token_hash(token),
            )
        )
