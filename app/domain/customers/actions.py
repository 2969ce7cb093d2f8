"""Remembering customers, and the browsers in which they proved their phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.customers.models import Customer, ProvenNumber, ShopperSession
from app.domain.customers.queries import get_customer, person_behind
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
    is one customer of the store, also when two requests come at once. The number of a profile
    that was merged into another one is that other customer's.
    """
    store_id = bound_store()
    about = _news(name=name, area=area, landmark=landmark, language=language)
    news = about | ({"verified_at": func.now()} if is_verified else {})
    found = session.scalars(
        insert(Customer)
        .values(
            id=new_id(),
            store_id=store_id,
            phone_sealed=vault().seal(phone, store_id=store_id, column="customers.phone"),
            phone_lookup=vault().lookup(phone, store_id=store_id),
            **news,
        )
        # Something is written, so that the row comes back; never its key, or an order that gives
        # points back would wait for this transaction, which may wait for that order's goods.
        .on_conflict_do_update(
            index_elements=["store_id", "phone_lookup"], set_=news or {"name": Customer.name}
        )
        .returning(Customer)
        .execution_options(populate_existing=True)
    ).one()
    if found.merged_into is None:
        return found
    return _remember(session, person_behind(session, found), about)


def remember_customer(
    session: Session, customer_id: UUID, *, name: str = "", area: str | None, landmark: str
) -> Customer:
    """A customer who is known already, brought up to date; what is empty leaves what is known.

    Raises NotFound.
    """
    customer = person_behind(session, get_customer(session, customer_id))
    return _remember(session, customer, _news(name=name, area=area, landmark=landmark))


def start_shopper_session(session: Session, customer: Customer, *, phone: str = "") -> str:
    """A token for the browser in which the customer proved a number. Only its hash is kept.

    ``phone`` (E.164) is what they proved; empty for the number of their profile.
    """
    token = new_token()
    begun = ShopperSession(
        token_hash=token_hash(token),
        customer_id=customer.id,
        expires_at=func.now() + SESSION_LIFETIME,
    )
    session.add(begun)
    session.flush()
    note_proven(session, begun, phone or customer.phone)
    return token


def note_proven(session: Session, browser: ShopperSession, phone: str) -> None:
    """Remember that this number (E.164) was proved by a code in this browser. Twice is once."""
    store_id = bound_store()
    session.execute(
        insert(ProvenNumber)
        .values(
            id=new_id(),
            store_id=store_id,
            session_id=browser.id,
            phone_lookup=vault().lookup(phone, store_id=store_id),
        )
        .on_conflict_do_nothing()
    )


def renew_shopper_session(session: Session, browser: ShopperSession) -> str:
    """A new token for a signed-in browser that has just proved something more. The old one is over."""
    token = new_token()
    browser.token_hash = token_hash(token)
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


def _news(
    *, name: str, area: str | None, landmark: str, language: str | None = None
) -> dict[str, Any]:
    said = {"name": name, "last_area": area, "last_landmark": landmark, "language": language}
    return {column: value for column, value in said.items() if value}


def _remember(session: Session, customer: Customer, news: dict[str, Any]) -> Customer:
    for column, value in news.items():
        setattr(customer, column, value)
    session.flush()
    return customer
