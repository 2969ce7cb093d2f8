"""The waiting line: who is told, what their link keeps, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store, inside_store
from app.domain.cart.actions import claim_cart, open_cart
from app.domain.cart.queries import find_cart
from app.domain.catalog.actions import receive_stock
from app.domain.catalog.models import StockOffer, StockWait, Variant
from app.domain.catalog.waiting import ask_to_be_told
from app.domain.customers.actions import find_or_add_customer
from app.domain.errors import NotFound, OutOfStock
from app.domain.messaging.models import Message
from app.domain.orders.models import Order, Reservation
from app.domain.orders.stock import release_hold
from app.domain.restock.actions import (
    OfferGone,
    find_offer,
    lapse_offer,
    offer_to_waiting,
    take_offer,
)
from app.domain.stores.models import Store
from app.jobs import OutboxRow, Topic
from tests.builders import make_cart, make_order, make_variant


def phone(n: int) -> str:
    return f"0712 000 {n:03d}"


def wait_in_line(session: Session, variant: Variant, people: int) -> list[StockWait]:
    """People who asked one after the other, a minute apart, the first first."""
    for n in range(people):
        ask_to_be_told(session, variant, phone(n), language="en", address=f"10.0.0.{n}")
    session.commit()
    waits = {
        wait.phone: wait
        for wait in session.scalars(select(StockWait).where(StockWait.variant_id == variant.id))
    }
    line = [waits[f"+254712000{n:03d}"] for n in range(people)]
    for n, wait in enumerate(line):
        wait.asked_at = utcnow() - timedelta(minutes=people - n)
    session.commit()
    return line


def asked_for(session: Session, topic: Topic) -> list[OutboxRow]:
    return list(
        session.scalars(
            select(OutboxRow)
            .where(OutboxRow.store_id == bound_store(), OutboxRow.topic == topic)
            .order_by(OutboxRow.created_at)
        )
    )


def run_asked(session: Session) -> int:
    """Do what the database asked for, as the worker would. Returns how many links went out."""
    told = 0
    for row in asked_for(session, Topic.OFFER_TO_WAITING):
        if row.status == "pending":
            told += offer_to_waiting(session, UUID(row.payload["variant_id"]))
            row.status = "done"
            session.commit()
    return told


def links(session: Session) -> dict[str, str]:
    """Phone → the token of the link it was sent."""
    found = session.scalars(
        select(Message)
        .where(Message.store_id == bound_store(), Message.kind == "restock")
        .order_by(Message.created_at, Message.id)
    )
    return {message.recipient: message.body.rsplit("/back/", 1)[1] for message in found}


def stock_of(session: Session, variant: Variant) -> tuple[int, int]:
    session.expire_all()
    return variant.on_hand, variant.reserved


@pytest.mark.row("N96")
def test_of_ten_who_wait_the_first_three_get_a_link_for_three_units(session: Session) -> None:
    variant = make_variant(session, stock=0)
    line = wait_in_line(session, variant, 10)

    receive_stock(session, variant, 3, "received")
    session.commit()
    assert run_asked(session) == 3

    assert list(links(session)) == [wait.phone for wait in line[:3]]
    assert stock_of(session, variant) == (3, 3)
    assert [wait.told_at is not None for wait in line] == [True] * 3 + [False] * 7
    assert len(asked_for(session, Topic.LAPSE_OFFER)) == 3
    offers = session.scalars(select(StockOffer).where(StockOffer.variant_id == variant.id)).all()
    half_an_hour = [(offer.expires_at - offer.created_at).total_seconds() for offer in offers]
    assert all(1_790 < seconds <= 1_801 for seconds in half_an_hour)


def test_the_job_twice_tells_nobody_twice(session: Session) -> None:
    variant = make_variant(session, stock=0)
    wait_in_line(session, variant, 4)
    receive_stock(session, variant, 2, "received")
    session.commit()

    assert [offer_to_waiting(session, variant.id) for _ in range(3)] == [2, 0, 0]
    session.commit()

    assert len(links(session)) == 2
    assert stock_of(session, variant) == (2, 2)


@pytest.mark.row("N96")
def test_what_is_not_taken_in_time_goes_to_the_next_in_line(session: Session) -> None:
    variant = make_variant(session, stock=0)
    line = wait_in_line(session, variant, 3)
    receive_stock(session, variant, 1, "received")
    session.commit()
    run_asked(session)
    offer = session.scalars(select(StockOffer).where(StockOffer.variant_id == variant.id)).one()

    left = lapse_offer(session, offer.id)
    assert left is not None
    assert 1_700 < left <= 1_800
    offer.expires_at = utcnow() - timedelta(seconds=1)
    session.commit()
    assert lapse_offer(session, offer.id) is None
    session.commit()
    assert lapse_offer(session, offer.id) is None  # once more changes nothing
    assert stock_of(session, variant) == (1, 0)

    assert run_asked(session) == 1
    assert list(links(session)) == [line[0].phone, line[1].phone]
    assert stock_of(session, variant) == (1, 1)
    with pytest.raises(OfferGone):
        take_offer(session, links(session)[line[0].phone], open_cart(session, None))


@pytest.mark.row("N96")
def test_a_link_works_once_and_its_unit_is_sold_to_its_holder_alone(session: Session) -> None:
    variant = make_variant(session, stock=0)
    line = wait_in_line(session, variant, 2)
    receive_stock(session, variant, 1, "received")
    session.commit()
    run_asked(session)
    token = links(session)[line[0].phone]

    mine, other = open_cart(session, None), open_cart(session, None)
    with pytest.raises(OutOfStock):
        make_cart(session, variant)  # for everybody else it is sold out
    take_offer(session, token, mine)
    take_offer(session, token, mine)  # the same tap again
    session.commit()
    with pytest.raises(OfferGone) as gone:
        take_offer(session, token, other)
    assert gone.value.was_used
    session.rollback()
    with pytest.raises(NotFound):
        take_offer(session, "0" * 32, other)

    cart = find_cart(session, mine.id)
    assert cart is not None
    assert [(each.quantity, each.stock, each.variant.stock) for each in cart.lines] == [(1, 1, 0)]
    order = make_order(session, cart)
    session.commit()

    assert stock_of(session, variant) == (1, 1)
    live = session.scalars(
        select(Reservation).where(
            Reservation.variant_id == variant.id, Reservation.status == "live"
        )
    ).all()
    assert [(each.order_id, each.offer_id) for each in live] == [(order.id, None)]
    offer = find_offer(session, token)
    assert offer is not None
    assert offer.status == "used"
    assert lapse_offer(session, offer.id) is None
    assert stock_of(session, variant) == (1, 1)


def test_an_order_that_is_never_paid_gives_its_unit_to_the_next_in_line(session: Session) -> None:
    variant = make_variant(session, stock=0)
    line = wait_in_line(session, variant, 2)
    receive_stock(session, variant, 1, "received")
    session.commit()
    run_asked(session)
    cart = open_cart(session, None)
    take_offer(session, links(session)[line[0].phone], cart)
    session.commit()
    order = make_order(session, find_cart(session, cart.id))
    session.commit()

    release_hold(session, session.get_one(Order, (bound_store(), order.id)))
    session.commit()

    assert run_asked(session) == 1
    assert list(links(session)) == [line[0].phone, line[1].phone]


def test_a_kept_unit_comes_along_when_its_shopper_signs_in(session: Session) -> None:
    variant = make_variant(session, stock=0)
    line = wait_in_line(session, variant, 1)
    receive_stock(session, variant, 1, "received")
    session.commit()
    run_asked(session)
    customer = find_or_add_customer(session, phone="+254712000000")
    theirs = open_cart(session, None)
    claim_cart(session, theirs, customer.id)
    guest = open_cart(session, None)
    take_offer(session, links(session)[line[0].phone], guest)
    session.commit()
    held = find_cart(session, guest.id)
    assert held is not None

    joined = claim_cart(session, held, customer.id)
    session.commit()

    assert joined.id == theirs.id
    cart = find_cart(session, joined.id)
    assert cart is not None
    assert [(each.quantity, each.stock) for each in cart.lines] == [(1, 1)]
    make_order(session, cart)
    session.commit()
    assert stock_of(session, variant) == (1, 1)


@pytest.mark.parametrize("door", ["reserved", "on_hand"])
def test_stock_that_comes_back_by_any_door_rings(session: Session, door: str) -> None:
    """A statement by hand, as an import, a count and a cancelled order are to the table."""
    variant = make_variant(session, stock=1)
    session.execute(update(Variant).where(Variant.id == variant.id).values(reserved=1))
    wait_in_line(session, variant, 1)
    assert asked_for(session, Topic.OFFER_TO_WAITING) == []

    change = {"reserved": 0} if door == "reserved" else {"on_hand": 2}
    session.execute(update(Variant).where(Variant.id == variant.id).values(**change))
    session.commit()

    assert len(asked_for(session, Topic.OFFER_TO_WAITING)) == 1


def test_nobody_is_told_of_another_stores_stock(
    session: Session, make_store: Callable[..., Store]
) -> None:
    variant = make_variant(session, stock=0)
    wait_in_line(session, variant, 1)
    receive_stock(session, variant, 1, "received")
    session.commit()
    run_asked(session)
    (token,) = links(session).values()
    variant_id = variant.id
    session.commit()

    with inside_store(make_store().id):
        from app.db.engine import db

        other = db.session()
        assert offer_to_waiting(other, variant_id) == 0
        assert find_offer(other, token) is None
        assert other.scalar(select(func.count()).select_from(StockOffer)) == 0
