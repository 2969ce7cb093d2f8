"""Shoppers who want to be told when something is back: one row for each phone and variant."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import StockWait, Variant
from app.domain.people.limits import address_group, take_turn
from app.ids import new_id
from app.phones import parse_msisdn
from app.vault import vault

HOUR, DAY = 3_600, 86_400
OF_ONE_PHONE = ((10, HOUR), (30, DAY))
FROM_ONE_ADDRESS = ((60, HOUR),)


def ask_to_be_told(
    session: Session, variant: Variant, phone: str, *, language: str, address: str
) -> bool:
    """Remember that this phone waits for this variant. Returns False when it did already.

    ``phone`` is as typed. Somebody who was told and asks again waits again. Does not commit.
    Raises InvalidPhone, and TooManyTries.
    """
    number = parse_msisdn(phone)
    take_turn(session, "tell_me_from", address_group(address), *FROM_ONE_ADDRESS)
    take_turn(session, "tell_me", number, *OF_ONE_PHONE)
    store_id = bound_store()
    wait = insert(StockWait).values(
        id=new_id(),
        store_id=store_id,
        variant_id=variant.id,
        phone_sealed=vault().seal(number, store_id=store_id, column="stock_waits.phone"),
        phone_lookup=vault().lookup(number, store_id=store_id),
        language=language,
    )
    kept = session.execute(
        wait.on_conflict_do_update(
            index_elements=["store_id", "variant_id", "phone_lookup"],
            set_={"told_at": None, "asked_at": func.now(), "language": language},
            where=StockWait.told_at.is_not(None),
        ).returning(StockWait.id)
    ).first()
    return kept is not None


def find_wait(session: Session, variant: Variant, phone: str) -> StockWait | None:
    """The wait of this phone, as typed, for this variant. Raises InvalidPhone."""
    lookup = vault().lookup(parse_msisdn(phone), store_id=bound_store())
    return session.scalars(
        select(StockWait).where(
            StockWait.store_id == bound_store(),
            StockWait.variant_id == variant.id,
            StockWait.phone_lookup == lookup,
        )
    ).one_or_none()


def waits_of(session: Session, variant_ids: Sequence[UUID]) -> Sequence[StockWait]:
    """Who still waits for any of these variants, the longest wait first."""
    return session.scalars(
        select(StockWait)
        .where(
            StockWait.store_id == bound_store(),
            StockWait.variant_id.in_(variant_ids),
            StockWait.told_at.is_(None),
        )
        .order_by(StockWait.asked_at)
    ).all()


def waiting_for(session: Session, variant_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Variant → how many phones wait for it; those nobody waits for are left out."""
    rows = session.execute(
        select(StockWait.variant_id, func.count())
        .where(
            StockWait.store_id == bound_store(),
            StockWait.variant_id.in_(variant_ids),
            StockWait.told_at.is_(None),
        )
        .group_by(StockWait.variant_id)
    )
    return {row[0]: row[1] for row in rows}
