"""Points: earned once, spent once, never below zero, and back with the order that spent them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import bound_store, inside_store
from app.domain.changes.actions import take_back
from app.domain.checkout.actions import CheckoutForm, place_order, release_hold
from app.domain.customers.actions import find_or_add_customer, start_shopper_session
from app.domain.customers.merging import merge_customers
from app.domain.customers.models import Customer
from app.domain.delivery.actions import serve_area
from app.domain.errors import KeyReused, PriceChanged
from app.domain.loyalty.actions import (
    PointsGone,
    earn,
    give_back_points,
    spend,
    take_points_again,
)
from app.domain.loyalty.models import PointMove
from app.domain.loyalty.queries import balance_of, purse_of
from app.domain.orders.actions import (
    cancel_order,
    mark_collected,
    mark_delivered,
    mark_dispatched,
    mark_packed,
)
from app.domain.orders.models import Order
from app.domain.payments.beginning import retry_payment
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_id, new_token
from tests.builders import (
    PHONE,
    attempt_of,
    fill_form,
    make_cart,
    make_order,
    make_promotion,
    make_variant,
)
from tests.conftest import Database
from tests.world import wait_for

OTHER_PHONE = "+254700000002"


def turn_on(session: Session, **facts: Any) -> None:
    """One point for every KES 100 of goods, worth KES 1, unless said otherwise."""
    store = session.get_one(Store, bound_store())
    store.gives_points = True
    for name, value in facts.items():
        setattr(store, name, value)
    session.flush()


def with_points(session: Session, points: int, *, phone: str = PHONE) -> tuple[Customer, str]:
    """A customer who has points, and the token of the browser in which they proved their phone."""
    customer = find_or_add_customer(session, phone=phone)
    session.add(PointMove(customer_id=customer.id, points=points, reason="earned"))
    session.flush()
    return customer, start_shopper_session(session, customer)


def known(customer: Customer, token: str, **facts: Any) -> CheckoutForm:
    return fill_form(customer_id=customer.id, shopper_token=token, use_points=True, **facts)


def order_with_points(session: Session, customer: Customer, token: str, **facts: Any) -> Order:
    """An order of tea for KES 450 and KES 250 of delivery, less the points."""
    return make_order(
        session, phone=PHONE, customer_id=customer.id, shopper_token=token, use_points=True, **facts
    )


def let_go(session: Session, order: Order) -> None:
    """The time to pay runs out with no prompt under way."""
    attempt_of(session, order).move_to(AttemptStatus.FAILED)
    session.flush()
    assert release_hold(session, order.id) is None


def moves(session: Session, order: Order) -> list[tuple[str, int]]:
    rows = session.execute(
        select(PointMove.reason, PointMove.points)
        .where(PointMove.order_id == order.id)
        .order_by(PointMove.at, PointMove.id)
    )
    return [(row.reason, row.points) for row in rows]


def deliver(session: Session, order: Order) -> None:
    mark_packed(session, order, actor="Wanjiku")
    mark_dispatched(session, order, actor="Wanjiku")
    mark_delivered(session, order, actor="Kamau")


@pytest.mark.row("W38")
def test_a_delivered_order_earns_once_on_what_was_paid_for_goods(session: Session) -> None:
    turn_on(session, goods_per_point_cents=50_00)
    make_promotion(session)
    cart = make_cart(session, make_variant(session))
    session.execute(text("UPDATE app.carts SET coupon_code = 'KARIBU'"))
    order = make_order(session, cart, pay_on_delivery=True)
    assert order.total_cents == (450 - 45 + 250) * 100
    assert balance_of(session, order.customer_id) == 0

    deliver(session, order)

    assert moves(session, order) == [("earned", 8)]  # 405 of goods by 50, the delivery not counted
    assert earn(session, order, actor="Kamau") == 8
    assert balance_of(session, order.customer_id) == 8
    [moved] = purse_of(session, order.customer_id).moves
    assert moved.words == f"Order {order.code} delivered"
    made_by = session.scalars(select(PointMove.actor).where(PointMove.order_id == order.id)).one()
    assert made_by == "Kamau"


def test_collecting_earns_too_and_a_shop_without_points_gives_none(session: Session) -> None:
    off = make_order(session, pay_on_delivery=True)
    deliver(session, off)
    turn_on(session)
    order = make_order(session, phone=OTHER_PHONE, pay_on_delivery=True, is_pickup=True, area="")
    mark_packed(session, order, actor="Wanjiku")
    mark_collected(session, order, actor="Wanjiku")

    assert (moves(session, off), moves(session, order)) == ([], [("earned", 4)])


@pytest.mark.row("W38")
def test_points_take_off_the_goods_and_never_all_of_them(session: Session) -> None:
    turn_on(session, goods_per_point_cents=100_00, point_worth_cents=7_00)
    customer, token = with_points(session, 1000)

    order = order_with_points(session, customer, token)

    # 64 points are KES 448; one more would leave less than nothing of the goods' KES 450.
    assert moves(session, order) == [("spent", -64)]
    assert (order.discount_cents, order.total_cents) == (448_00, 252_00)
    assert order.discounts == [("Points", 448_00)]
    assert sum(line.vat_cents for line in order.lines) == order.vat_cents
    assert balance_of(session, customer.id) == 936


def test_points_stop_at_a_lowest_price_and_come_after_the_code(session: Session) -> None:
    turn_on(session)
    make_promotion(session)
    customer, token = with_points(session, 1000)
    tea = make_variant(session)
    tea.floor_cents = 300_00
    cart = make_cart(session, tea)
    session.execute(text("UPDATE app.carts SET coupon_code = 'KARIBU'"))

    order = order_with_points(session, customer, token, cart=cart)

    assert order.discounts == [("Karibu", 45_00), ("Points", 105_00)]
    given = session.execute(text("SELECT given_cents FROM app.promotions")).scalars().all()
    assert given == [45_00]  # points are nothing that the code gave


def test_only_the_browser_that_proved_the_phone_spends(session: Session) -> None:
    turn_on(session)
    customer, _ = with_points(session, 100)
    stranger = start_shopper_session(session, find_or_add_customer(session, phone=OTHER_PHONE))
    for claim in (
        {},
        {"customer_id": customer.id},
        {"customer_id": customer.id, "shopper_token": stranger},
        {"customer_id": customer.id, "shopper_token": new_token()},
    ):
        with pytest.raises(PointsGone):
            make_order(session, use_points=True, **claim)
    assert balance_of(session, customer.id) == 100


@pytest.mark.row("W38")
def test_the_same_form_spends_once_and_another_choice_is_another_form(session: Session) -> None:
    turn_on(session)
    customer, token = with_points(session, 100)
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    store, cart = session.get_one(Store, bound_store()), make_cart(session)
    key = new_token()
    form = known(customer, token, shown_total_cents=600_00)

    first = place_order(session, store, cart.id, form, key=key)
    again = place_order(session, store, cart.id, form, key=key)
    other_tab = place_order(session, store, cart.id, form, key=new_token())

    assert first.order_id == again.order_id == other_tab.order_id
    assert balance_of(session, customer.id) == 0
    without = known(customer, token, shown_total_cents=600_00)
    without = CheckoutForm(**{**without.__dict__, "use_points": False})
    with pytest.raises(KeyReused):
        place_order(session, store, cart.id, without, key=key)


def test_an_order_made_anew_without_points_gives_them_back(session: Session) -> None:
    turn_on(session)
    customer, token = with_points(session, 100)
    cart = make_cart(session)
    first = order_with_points(session, customer, token, cart=cart)
    attempt_of(session, first).move_to(AttemptStatus.FAILED)

    plain = make_order(session, cart, customer_id=customer.id, shopper_token=token)
    assert (plain.discount_cents, balance_of(session, customer.id)) == (0, 100)
    attempt_of(session, plain).move_to(AttemptStatus.FAILED)
    with_them = order_with_points(session, customer, token, cart=cart)

    assert len({first.id, plain.id, with_them.id}) == 3
    assert moves(session, first) == [("spent", -100), ("given_back", 100)]
    assert moves(session, with_them) == [("spent", -100)]


def test_a_price_that_moved_spends_nothing(session: Session) -> None:
    turn_on(session)
    customer, token = with_points(session, 100)
    with pytest.raises(PriceChanged):
        order_with_points(session, customer, token, shown_total_cents=700_00)


@pytest.mark.row("W38")
def test_a_cancelled_order_gives_its_points_back_once(session: Session) -> None:
    turn_on(session)
    customer, token = with_points(session, 120)
    order = order_with_points(session, customer, token, pay_on_delivery=True)
    assert balance_of(session, customer.id) == 0

    cancel_order(session, order, reason="Asked for", actor="Wanjiku")
    give_back_points(session, order.id, actor="Wanjiku")

    assert moves(session, order) == [("spent", -120), ("given_back", 120)]
    assert balance_of(session, customer.id) == 120


def test_a_hold_that_runs_out_gives_back_and_a_retry_spends_again(session: Session) -> None:
    turn_on(session)
    customer, token = with_points(session, 120)
    order = order_with_points(session, customer, token)
    for _ in range(2):
        let_go(session, order)
        release_hold(session, order.id)
        assert balance_of(session, customer.id) == 120
        retry_payment(session, order, phone=None, key=new_token())
        assert balance_of(session, customer.id) == 0
    take_points_again(session, order.id, is_paid=True)
    assert balance_of(session, customer.id) == 0

    let_go(session, order)
    elsewhere = order_with_points(session, customer, token, pay_on_delivery=True)
    assert balance_of(session, customer.id) == 0
    with pytest.raises(PointsGone):
        retry_payment(session, order, phone=None, key=new_token())
    assert moves(session, elsewhere) == [("spent", -120)]


@pytest.mark.row("W38")
@pytest.mark.parametrize(("left", "taken"), [(0, 0), (50, 50), (500, 120)])
def test_late_money_keeps_the_price_and_takes_what_is_left(
    session: Session, left: int, taken: int
) -> None:
    turn_on(session)
    customer, token = with_points(session, 120)
    order = order_with_points(session, customer, token)
    attempt = attempt_of(session, order)
    let_go(session, order)
    elsewhere = make_order(session, phone=PHONE)
    spend(session, customer.id, elsewhere.id, 120, actor="test")
    if left:
        session.add(PointMove(customer_id=customer.id, points=left, reason="earned"))
        session.flush()

    settle(session, attempt.id, confirmed_by="query")

    assert (order.status, order.total_cents) == ("paid", (450 - 120 + 250) * 100)
    assert balance_of(session, customer.id) == left - taken
    cancel_order(session, order, reason="Asked for", actor="Wanjiku")
    assert balance_of(session, customer.id) == left  # no more than it took


def test_below_zero_is_shown_and_nothing_is_spent(session: Session) -> None:
    """Two were taken apart after one had spent what the other earned: the one way under zero."""
    turn_on(session)
    customer, token = with_points(session, 20)
    order_with_points(session, customer, token)
    other = find_or_add_customer(session, phone="+254733000111")
    session.execute(
        update(PointMove).where(PointMove.reason == "earned").values(customer_id=other.id)
    )
    assert balance_of(session, customer.id) == purse_of(session, customer.id).balance == -20
    with pytest.raises(PointsGone):
        order_with_points(session, customer, token)
    with pytest.raises(PointsGone):
        spend(session, customer.id, make_order(session).id, 1, actor="test")


@pytest.mark.row("W38")
def test_orders_at_once_cannot_spend_the_same_points(app: Flask, session: Session) -> None:
    turn_on(session)
    customer, token = with_points(session, 120)
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    tea = make_variant(session, stock=50)
    carts = [make_cart(session, tea).id for _ in range(6)]
    session.commit()
    store_id, customer_id = bound_store(), customer.id
    form = known(customer, token, pay_on_delivery=True)
    gate = threading.Barrier(len(carts))

    def buy(cart_id: UUID) -> str:
        with app.app_context(), inside_store(store_id):
            one = db.session()
            store = one.get_one(Store, store_id)
            gate.wait()
            try:
                place_order(one, store, cart_id, form, key=new_token())
                one.commit()
            except PointsGone:
                one.rollback()
                return "gone"
            finally:
                db.session.remove()
            return "bought"

    with ThreadPoolExecutor(len(carts)) as pool:
        said = list(pool.map(buy, carts))

    assert sorted(said) == ["bought", *["gone"] * 5]
    session.rollback()
    assert balance_of(session, customer_id) == 0
    assert session.scalars(select(Order.discount_cents)).all() == [120_00]


@pytest.mark.row("W38")
def test_who_spends_waits_for_whoever_spends_now(
    app: Flask, session: Session, database: Database
) -> None:
    """Not by the locks of goods or of the order's number: by a lock of the points alone."""
    customer, _ = with_points(session, 120)
    one, two = make_order(session), make_order(session)
    session.commit()
    store_id, customer_id, other = bound_store(), customer.id, two.id
    spend(session, customer_id, one.id, 100, actor="test")

    def spend_too() -> str:
        with app.app_context(), inside_store(store_id):
            try:
                spend(db.session(), customer_id, other, 100, actor="test")
            except PointsGone:
                return "gone"
            finally:
                db.session.rollback()
                db.session.remove()
            return "spent"

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.superuser) as looking:
        said = pool.submit(spend_too)
        wait_for(
            "the other to wait",
            lambda: looking.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 71005"
                " AND NOT granted"
            ).fetchone(),
        )
        session.commit()
        assert said.result() == "gone"
    assert balance_of(session, customer_id) == 20


def test_points_go_back_while_the_same_customer_orders(app: Flask, session: Session) -> None:
    """They do not wait for each other: one has the customer's row, the other may have the goods."""
    turn_on(session)
    customer, token = with_points(session, 120)
    order = order_with_points(session, customer, token)
    session.commit()
    store_id, order_id = bound_store(), order.id

    def let_it_go() -> None:
        with app.app_context(), inside_store(store_id):
            one = db.session()
            one.execute(text("SET LOCAL lock_timeout = '2s'"))
            give_back_points(one, order_id, actor="test")
            one.commit()
            db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        for name in ("", "Achieng"):
            find_or_add_customer(session, phone=PHONE, name=name)
            pool.submit(let_it_go).result()
            session.rollback()
    assert moves(session, order) == [("spent", -120), ("given_back", 120)]


@pytest.mark.row("W38")
def test_the_ledger_is_written_once(session: Session) -> None:
    """Nothing of a row changes but whose it is, and the database refuses what a bug would write."""
    customer, _ = with_points(session, 10)
    order = make_order(session)
    spend(session, customer.id, order.id, 4, actor="test")
    session.commit()
    for wrong in (
        "UPDATE app.point_moves SET points = 1000",
        "UPDATE app.point_moves SET reason = 'earned'",
        "UPDATE app.point_moves SET customer_id = customer_id, at = now()",
        "DELETE FROM app.point_moves",
        "TRUNCATE app.point_moves",
    ):
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            session.execute(text(wrong))
        session.rollback()
    rows: list[dict[str, Any]] = [
        {"points": -7, "reason": "spent", "order_id": None},  # more than there is
        {"points": -1, "reason": "spent", "order_id": order.id},  # the same order once more
        {"points": 0, "reason": "earned", "order_id": None},
        {"points": 5, "reason": "spent", "order_id": None},
        {"points": -5, "reason": "earned", "order_id": None},
        {"points": 5, "reason": "earned", "order_id": order.id, "round": 2},
        {"points": 5, "reason": "gift", "order_id": None},
    ]
    for row in rows:
        values = {"id": new_id(), "customer_id": customer.id} | row
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(PointMove).values(values))
    assert balance_of(session, customer.id) == 6


@pytest.mark.row("W38", "N5")
def test_another_store_has_points_of_its_own(session: Session, theirs: Store) -> None:
    turn_on(session)
    customer, token = with_points(session, 100)
    customer_id = customer.id
    session.commit()
    with inside_store(theirs.id):
        db.session.remove()
        inner = db.session()
        turn_on(inner)
        same_phone = find_or_add_customer(inner, phone=PHONE)
        assert balance_of(inner, same_phone.id) == balance_of(inner, customer_id) == 0
        with pytest.raises(PointsGone):
            make_order(inner, customer_id=customer_id, shopper_token=token, use_points=True)
        with pytest.raises(PointsGone):
            spend(inner, customer_id, new_id(), 1, actor="test")
        inner.rollback()
        db.session.remove()


# -- two profiles that are one person ------------------------------------------------------


@pytest.mark.row("J57")
def test_points_move_with_a_profile_and_back_with_what_came_since(session: Session) -> None:
    turn_on(session)
    keep, _ = with_points(session, 30)
    other, _ = with_points(session, 12, phone=OTHER_PHONE)
    waiting = make_order(session, phone=OTHER_PHONE, pay_on_delivery=True)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    assert (balance_of(session, keep.id), balance_of(session, other.id)) == (42, 0)
    deliver(session, waiting)
    since = make_order(session, phone=OTHER_PHONE, pay_on_delivery=True)
    own = make_order(session, phone=PHONE, pay_on_delivery=True)
    for order in (since, own):
        deliver(session, order)
    assert balance_of(session, keep.id) == 42 + 3 * 4

    take_back(session, change.id, actor="Wanjiku")

    assert (balance_of(session, keep.id), balance_of(session, other.id)) == (34, 12 + 8)
    assert moves(session, since) == [("earned", 4)]
