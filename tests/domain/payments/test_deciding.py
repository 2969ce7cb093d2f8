"""What a person decides about money is done once, in the ledger and in the order."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.cart.actions import take_out_ordered
from app.domain.cart.models import CartLine
from app.domain.errors import IllegalTransition
from app.domain.orders import stock
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.actions import NotPossible, resolve_review
from app.domain.payments.models import IncomingPayment, PaymentAttempt, PaymentIntent, ReviewItem
from app.domain.payments.reviews import open_review
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus, IntentStatus
from app.ids import new_id
from tests.builders import attempt_of, make_cart, make_order, make_variant
from tests.domain.payments.conftest import ledger


def prompted(session: Session, order: Order) -> PaymentAttempt:
    attempt = attempt_of(session, order)
    for status in (AttemptStatus.SENDING, AttemptStatus.AWAITING_CUSTOMER):
        attempt.move_to(status)
        session.flush()
    return attempt


def item_of(session: Session, kind: str) -> ReviewItem:
    session.flush()
    return session.scalars(
        select(ReviewItem).where(ReviewItem.store_id == bound_store(), ReviewItem.kind == kind)
    ).one()


@pytest.mark.row("W53")
@pytest.mark.parametrize("arrived", [True, False])
def test_accepting_takes_the_money_from_where_it_is(session: Session, arrived: bool) -> None:
    order = make_order(session)
    attempt = prompted(session, order)
    open_review(session, "silent_attempt", subject_id=attempt.id, next_action="x")
    if arrived:
        session.add(
            IncomingPayment(
                id=new_id(),
                receipt=f"TM{str(new_id().int)[-8:]}",
                amount_cents=attempt.amount_cents,
                attempt_id=attempt.id,
                status="matched",
            )
        )
    session.flush()

    resolve_review(session, item_of(session, "silent_attempt"), "accept", actor="Owner")
    session.flush()

    assert order.status == "paid"
    assert ("unmatched" in ledger(session)) == arrived
    session.rollback()


@pytest.mark.row("W53")
def test_money_sent_back_leaves_the_till(session: Session) -> None:
    order = make_order(session)
    attempt = prompted(session, order)
    stock.release_hold(session, order)
    order.move_to(OrderStatus.CANCELLED)
    session.flush()
    settle(session, attempt.id, confirmed_by="query")
    item = item_of(session, "late_money")

    resolve_review(session, item, "refunded", actor="Owner")
    session.commit()

    assert ledger(session) == {"customer_credit": 0, "mpesa_till": 0}
    with pytest.raises(NotPossible):
        resolve_review(session, item, "refunded", actor="Owner")


@pytest.mark.row("W53")
def test_what_does_not_fit_is_refused(session: Session) -> None:
    order = make_order(session)
    open_review(session, "late_money", subject_id=order.id, next_action="x")
    open_review(session, "refund_due", subject_id=order.id, next_action="x")
    open_review(session, "paid_twice", subject_id=order.id, next_action="x", order_id=order.id)
    open_review(
        session, "late_money_sold_out", subject_id=order.id, next_action="x", order_id=order.id
    )
    open_review(session, "unreadable_callback", subject_id=order.id, next_action="x")
    session.flush()

    for kind, action in (
        ("late_money", "honour"),  # of no order
        ("late_money_sold_out", "honour"),  # of one that is not cancelled
        ("refund_due", "refunded"),  # of no amount
        ("paid_twice", "honour"),  # nobody offers that
    ):
        with pytest.raises(NotPossible):
            resolve_review(session, item_of(session, kind), action, actor="Owner")
    resolve_review(session, item_of(session, "unreadable_callback"), "dismiss", actor="Owner")
    assert item_of(session, "unreadable_callback").status == "resolved"


@pytest.mark.row("W53", "M45")
def test_money_whose_goods_are_gone_is_owed_back(session: Session) -> None:
    tea = make_variant(session, stock=1)
    order = make_order(session, make_cart(session, tea))
    attempt = prompted(session, order)
    attempt.move_to(AttemptStatus.EXPIRED)
    session.flush()
    stock.release_hold(session, order)
    make_order(session, make_cart(session, tea), phone="+254700111222")
    session.commit()

    settle(session, attempt.id, confirmed_by="c2b", receipt="TKSOLDOUT1")
    session.commit()

    assert (order.status, attempt.status) == ("cancelled", "succeeded")
    assert item_of(session, "late_money_sold_out").next_action == "refund"
    assert ledger(session)["customer_credit"] == -attempt.amount_cents


@pytest.mark.row("W53", "M45")
def test_money_for_a_paid_order_is_owed_back(session: Session) -> None:
    order = make_order(session)
    attempt = prompted(session, order)
    order.move_to(OrderStatus.PAID)
    session.flush()

    assert settle(session, attempt.id, confirmed_by="query", receipt="TKTWICE001")
    assert not settle(session, attempt.id, confirmed_by="query", receipt="TKTWICE001")

    assert item_of(session, "paid_twice").amount_cents == attempt.amount_cents


@pytest.mark.row("W53", "W25")
def test_anothers_receipt_is_kept_off_and_reported(session: Session) -> None:
    first, second = make_order(session), make_order(session, phone="+254700111223")
    for order in (first, second):
        prompted(session, order)
    receipt = f"TK{str(new_id().int)[-8:]}"
    settle(session, attempt_of(session, first).id, confirmed_by="query", receipt=receipt)
    settle(session, attempt_of(session, second).id, confirmed_by="query", receipt=receipt)
    session.commit()

    assert (second.status, attempt_of(session, second).receipt) == ("paid", None)
    assert item_of(session, "receipt_used_elsewhere").subject_id == attempt_of(session, second).id


@pytest.mark.row("W53")
def test_what_was_added_since_stays_in_the_cart(session: Session) -> None:
    tea, milk = make_variant(session), make_variant(session, name="Milk")
    cart = make_cart(session, tea, milk, quantity=2)
    order = make_order(session, cart)
    lines = {
        line.variant_id: line
        for line in session.scalars(select(CartLine).where(CartLine.cart_id == cart.id))
    }
    lines[tea.id].quantity = 5
    session.flush()

    take_out_ordered(session, order.cart_id, order.id)
    session.expire_all()

    left = session.scalars(select(CartLine).where(CartLine.cart_id == cart.id)).all()
    assert [(line.variant_id, line.quantity) for line in left] == [(tea.id, 3)]
    order.cart_id = None
    take_out_ordered(session, order.cart_id, order.id)


@pytest.mark.row("W53")
def test_a_status_moves_along_its_machine_only(session: Session) -> None:
    intent, attempt = PaymentIntent(status=IntentStatus.SUCCEEDED), PaymentAttempt()
    attempt.status = AttemptStatus.SUCCEEDED
    with pytest.raises(IllegalTransition):
        intent.move_to(IntentStatus.PROCESSING)
    with pytest.raises(IllegalTransition):
        attempt.move_to(AttemptStatus.FAILED)
    intent.move_to(IntentStatus.SUCCEEDED)
