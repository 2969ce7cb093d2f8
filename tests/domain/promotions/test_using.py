"""A code's uses: taken with an order, given back with it, kept when it is paid late."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store, inside_store
from app.domain.catalog.editing import change_price
from app.domain.checkout.actions import place_order, release_hold
from app.domain.delivery.actions import serve_area
from app.domain.errors import AmountNotPayable, FieldProblem
from app.domain.orders.actions import cancel_order
from app.domain.orders.models import Order
from app.domain.payments.beginning import retry_payment
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.domain.promotions.coupons import CodeRefused
from app.domain.promotions.models import Promotion
from app.domain.stores.models import Store
from app.ids import new_token
from app.money import vat_included_cents
from tests.builders import (
    attempt_of,
    fill_form,
    make_cart,
    make_order,
    make_promotion,
    make_variant,
)


def order_with_code(session: Session, *, phone: str = "+254712345678") -> Order:
    """An unpaid order of tea for KES 450 with the code KARIBU."""
    cart = make_cart(session, make_variant(session))
    session.execute(
        text("UPDATE app.carts SET coupon_code = 'KARIBU' WHERE id = :id"), {"id": cart.id}
    )
    return make_order(session, cart, phone=phone)


def taken(session: Session, promotion: Promotion) -> tuple[int, int]:
    """Uses and cents that count against the code's limits."""
    session.flush()
    row = session.execute(
        text("SELECT used, given_cents FROM app.promotions WHERE id = :id"), {"id": promotion.id}
    ).one()
    return row.used, row.given_cents


def let_go(session: Session, order: Order) -> None:
    """The time to pay runs out with no prompt under way."""
    attempt = attempt_of(session, order)
    attempt.move_to(AttemptStatus.FAILED)
    session.flush()
    assert release_hold(session, order.id) is None


@pytest.mark.row("N62")
def test_an_order_counts_its_code_against_the_limits(session: Session) -> None:
    promotion = make_promotion(session, max_uses=1, budget_cents=100_00)
    order_with_code(session)
    assert taken(session, promotion) == (1, 45_00)
    with pytest.raises(CodeRefused, match="used up"):
        order_with_code(session, phone="+254700000002")


@pytest.mark.row("N62")
def test_calling_an_order_off_frees_its_use_once(session: Session) -> None:
    promotion = make_promotion(session, max_uses=1)
    order = order_with_code(session)
    attempt_of(session, order).move_to(AttemptStatus.FAILED)
    cancel_order(session, order, reason="Customer asked", actor="Wanjiku")
    assert taken(session, promotion) == (0, 0)
    assert order_with_code(session, phone="+254700000002").discount_cents == 45_00
    assert taken(session, promotion) == (1, 45_00)


@pytest.mark.row("N62")
def test_when_the_time_to_pay_runs_out_the_use_is_free_and_a_retry_takes_it_again(
    session: Session,
) -> None:
    promotion = make_promotion(session, max_uses=1)
    order = order_with_code(session)
    let_go(session, order)
    assert taken(session, promotion) == (0, 0)
    release_hold(session, order.id)
    assert taken(session, promotion) == (0, 0)
    retry_payment(session, order, phone=None, key=new_token())
    assert taken(session, promotion) == (1, 45_00)
    let_go(session, order)
    other = order_with_code(session, phone="+254700000002")
    assert other.discount_cents == 45_00
    with pytest.raises(CodeRefused, match="used up"):
        retry_payment(session, order, phone=None, key=new_token())


@pytest.mark.row("N62")
def test_money_that_comes_late_keeps_the_price_and_never_the_budget(session: Session) -> None:
    promotion = make_promotion(session, max_uses=1, budget_cents=45_00)
    order = order_with_code(session)
    attempt = attempt_of(session, order)
    let_go(session, order)
    order_with_code(session, phone="+254700000002")
    settle(session, attempt.id, confirmed_by="query")
    assert order.status == "paid"
    assert order.total_cents == (450 - 45 + 250) * 100
    assert taken(session, promotion) == (1, 45_00)
    uses = session.execute(
        text("SELECT is_over FROM app.promotion_uses WHERE order_id = :id AND released_at IS NULL"),
        {"id": order.id},
    ).scalars()
    assert list(uses) == [True]


def test_paid_late_with_room_left_counts_as_ever(session: Session) -> None:
    promotion = make_promotion(session, max_uses=5)
    order = order_with_code(session)
    attempt = attempt_of(session, order)
    let_go(session, order)
    settle(session, attempt.id, confirmed_by="query")
    assert taken(session, promotion) == (1, 45_00)


@pytest.mark.row("N62")
def test_a_cart_ordered_again_takes_one_use(session: Session) -> None:
    promotion = make_promotion(session, max_uses=1, is_first_order=True, per_phone=1)
    cart = make_cart(session, make_variant(session))
    session.execute(text("UPDATE app.carts SET coupon_code = 'KARIBU'"))
    first = make_order(session, cart)
    assert make_order(session, cart).id == first.id  # the same goods: the same order
    attempt_of(session, first).move_to(AttemptStatus.FAILED)
    session.execute(text("UPDATE app.cart_lines SET quantity = 2"))
    second = make_order(session, cart)
    assert second.id != first.id
    assert second.discount_cents == 90_00
    assert taken(session, promotion) == (1, 90_00)


def test_the_database_refuses_what_a_bug_would_give(session: Session) -> None:
    promotion = make_promotion(session, max_uses=1, budget_cents=100_00)
    for wrong in ("used = 2", "given_cents = 10001", "used = -1"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(
                text(f"UPDATE app.promotions SET {wrong} WHERE id = :id"), {"id": promotion.id}
            )


@pytest.mark.row("N62", "N29")
def test_another_stores_code_is_no_code(session: Session, theirs: Store) -> None:
    make_promotion(session)
    session.commit()
    with inside_store(theirs.id):
        with pytest.raises(CodeRefused, match="do not know"):
            order_with_code(session)
        session.rollback()


@pytest.mark.row("N58")
def test_an_order_keeps_why_each_line_cost_what_it_did(session: Session, store: Store) -> None:
    store = session.get_one(Store, bound_store())
    store.is_vat_registered = True
    make_promotion(
        session, "deal", name="Two and one", effect="buy_get", buy_n=2, get_m=1, percent=None
    )
    make_promotion(session)
    tea, mug = make_variant(session, price_cents=450_00), make_variant(session, price_cents=333_00)
    cart = make_cart(session, tea, mug, quantity=2)
    session.execute(text("UPDATE app.carts SET coupon_code = 'KARIBU'"))
    order = make_order(session, cart)
    assert order.subtotal_cents == 1566_00
    assert order.discount_cents == sum(line.discount_cents for line in order.lines)
    assert order.vat_cents == sum(line.vat_cents for line in order.lines)
    for line in order.lines:
        paid = line.total_cents - line.discount_cents
        assert line.trace["final_cents"] == paid
        assert line.trace["base_cents"] - sum(step["cents"] for step in line.steps) == paid
        assert line.vat_cents == vat_included_cents(paid, 16)
        assert all(UUID(step["id"]) for step in line.steps)
    assert dict(order.discounts).keys() == {"Two and one", "Karibu"}


@pytest.mark.row("N58")
def test_python_and_the_database_say_one_price(session: Session) -> None:
    variant = make_variant(session, price_cents=455_00)
    cases = [
        {"percent": 15},
        {"percent": 99},
        {"effect": "price", "percent": None, "amount_cents": 300_00},
        {"effect": "price", "percent": None, "amount_cents": 900_00},
    ]
    for floor in (None, 200_00):
        session.execute(text("UPDATE app.variants SET floor_cents = :floor"), {"floor": floor})
        for facts in cases:
            sale = make_promotion(session, "sale", variants=[variant.id], **facts)
            session.refresh(variant)
            told = session.scalar(text("SELECT app.price_now(v) FROM app.variants v"))
            assert variant.price_at(utcnow()) == told
            assert told >= (floor or 1_00)
            sale.removed_at = utcnow()
            session.flush()
            session.execute(
                text(
                    "UPDATE app.variants SET sale_id = NULL, sale_percent = NULL, sale_price_cents = NULL"
                )
            )


def test_a_free_order_is_refused_in_words(session: Session) -> None:
    make_promotion(session, effect="amount", percent=None, amount_cents=900_00)
    cart = make_cart(session, make_variant(session))
    session.execute(text("UPDATE app.carts SET coupon_code = 'KARIBU'"))
    serve_area(session, "kilimani", actor="test", fee_cents=0)
    with pytest.raises(AmountNotPayable):
        place_order(
            session, session.get_one(Store, bound_store()), cart.id, fill_form(), key=new_token()
        )


def test_a_price_is_not_typed_below_the_lowest(session: Session) -> None:
    variant = make_variant(session, price_cents=450_00)
    variant.floor_cents = 400_00
    with pytest.raises(FieldProblem, match="Its lowest price is"):
        change_price(session, variant, price_cents=399_00, actor="Wanjiku")
    assert change_price(session, variant, price_cents=400_00, actor="Wanjiku")
