"""Money that comes when nobody expects it any more: one choice for the owner, and it never vanishes."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import Variant
from app.domain.checkout import actions as checkout
from app.domain.errors import OutOfStock
from app.domain.ledger.models import LedgerEntry
from app.domain.orders import stock
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.actions import NotPossible, resolve_review
from app.domain.payments.models import PaymentAttempt, PaymentIntent, ReviewItem
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus, IntentStatus
from tests.builders import attempt_of, make_cart, make_order, make_variant


def prompted(session: Session, order: Order) -> PaymentAttempt:
    attempt = attempt_of(session, order)
    attempt.move_to(AttemptStatus.SENDING)
    session.flush()
    attempt.move_to(AttemptStatus.AWAITING_CUSTOMER)
    session.flush()
    return attempt


def cancel(session: Session, order: Order) -> None:
    stock.release_hold(session, order)
    order.move_to(OrderStatus.CANCELLED)
    session.flush()


def balance(session: Session, account: str) -> int:
    return int(
        session.scalar(
            select(func.coalesce(func.sum(LedgerEntry.amount_cents), 0)).where(
                LedgerEntry.store_id == bound_store(), LedgerEntry.account == account
            )
        )
        or 0
    )


def review_of(session: Session, order: Order) -> ReviewItem:
    return session.scalars(select(ReviewItem).where(ReviewItem.order_id == order.id)).one()


@pytest.mark.row("M45", "W52")
def test_success_after_cancel_gives_the_owner_one_choice(session: Session) -> None:
    order = make_order(session)
    attempt = prompted(session, order)
    cancel(session, order)

    assert settle(session, attempt.id, confirmed_by="query", receipt="TJ3MX6CLYD")
    session.commit()

    item = review_of(session, order)
    assert (order.status, item.kind, item.next_action) == (
        OrderStatus.CANCELLED,
        "late_money",
        "honour_or_refund",
    )
    assert (balance(session, "mpesa_till"), balance(session, "customer_credit")) == (
        700_00,
        -700_00,
    )


@pytest.mark.row("M45")
def test_honouring_late_money_pays_the_order_and_owes_nothing(session: Session) -> None:
    order = make_order(session)
    attempt = prompted(session, order)
    cancel(session, order)
    settle(session, attempt.id, confirmed_by="query")
    session.commit()

    resolve_review(session, review_of(session, order), "honour", actor="Owner")
    session.commit()

    assert order.status == OrderStatus.PAID
    assert balance(session, "customer_credit") == 0
    assert (
        balance(session, "sales")
        + balance(session, "delivery_income")
        + balance(session, "vat_payable")
        == -700_00
    )
    with pytest.raises(NotPossible):
        resolve_review(session, review_of(session, order), "refunded", actor="Owner")


@pytest.mark.row("M45")
def test_honouring_is_refused_when_the_goods_are_gone(session: Session) -> None:
    tea = make_variant(session, stock=1)
    order = make_order(session, make_cart(session, tea))
    attempt = prompted(session, order)
    cancel(session, order)
    settle(session, attempt.id, confirmed_by="query")
    make_order(session, make_cart(session, tea), phone="+254700111222")
    session.commit()

    with pytest.raises(OutOfStock):
        resolve_review(session, review_of(session, order), "honour", actor="Owner")


def test_money_after_the_hold_was_released_takes_the_goods_again(session: Session) -> None:
    tea = make_variant(session, stock=2)
    order = make_order(session, make_cart(session, tea))
    attempt = prompted(session, order)
    attempt.move_to(AttemptStatus.EXPIRED)
    session.flush()
    checkout.release_hold(session, order.id)
    session.commit()
    assert session.get_one(Variant, (bound_store(), tea.id)).stock == 2

    settle(session, attempt.id, confirmed_by="query")
    session.commit()
    session.refresh(tea)

    assert (order.status, tea.on_hand, tea.reserved) == (OrderStatus.PAID, 1, 0)


def test_money_for_goods_sold_meanwhile_is_owed_back(session: Session) -> None:
    tea = make_variant(session, stock=1)
    order = make_order(session, make_cart(session, tea))
    attempt = prompted(session, order)
    attempt.move_to(AttemptStatus.EXPIRED)
    session.flush()
    checkout.release_hold(session, order.id)
    other = make_order(session, make_cart(session, tea), phone="+254700111222")
    settle(session, prompted(session, other).id, confirmed_by="query")
    session.commit()

    settle(session, attempt.id, confirmed_by="query")
    session.commit()

    assert (order.status, other.status) == (OrderStatus.CANCELLED, OrderStatus.PAID)
    assert review_of(session, order).kind == "late_money_sold_out"
    assert balance(session, "customer_credit") == -700_00


@pytest.mark.row("W23", "M45")
def test_a_second_payment_of_one_order_is_owed_back_and_applied_once(session: Session) -> None:
    order = make_order(session)
    first = prompted(session, order)
    first.move_to(AttemptStatus.FAILED)
    intent = session.scalars(select(PaymentIntent).where(PaymentIntent.order_id == order.id)).one()
    intent.move_to(IntentStatus.REQUIRES_PAYMENT_METHOD)
    session.flush()
    from app.domain.payments.beginning import begin_attempt

    second_id = begin_attempt(
        session, order.id, intent.id, amount_cents=intent.amount_cents, phone="+254700111222"
    )
    prompted(session, order)

    settle(session, second_id, confirmed_by="query")
    settle(session, first.id, confirmed_by="query")
    assert not settle(session, first.id, confirmed_by="c2b")
    session.commit()

    assert review_of(session, order).kind == "paid_twice"
    assert balance(session, "mpesa_till") == 1400_00
    assert balance(session, "customer_credit") == -700_00


@pytest.mark.row("W20", "W42")
def test_paying_is_one_transaction_of_everything_or_nothing(session: Session) -> None:
    from sqlalchemy import text

    order = make_order(session)
    attempt = prompted(session, order)
    session.commit()

    settle(session, attempt.id, confirmed_by="query")
    session.rollback()

    counts = session.execute(
        text(
            "SELECT (SELECT count(*) FROM app.ledger_tx WHERE store_id = app.store_id()),"
            " (SELECT count(*) FROM app.messages WHERE store_id = app.store_id()),"
            " (SELECT count(*) FROM app.audit_log WHERE store_id = app.store_id() AND action = 'payment.settled'),"
            " (SELECT count(*) FROM app.stock_movements WHERE store_id = app.store_id() AND reason = 'sale')"
        )
    ).one()
    assert tuple(counts) == (0, 0, 0, 0)
    session.refresh(order)
    assert order.status == OrderStatus.PENDING_PAYMENT


def test_an_unbalanced_posting_is_refused_by_us_and_by_the_database(session: Session) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    from app.domain.ledger.actions import post
    from app.ids import new_id

    with pytest.raises(ValueError, match="balance"):
        post(session, "test", "1", {"mpesa_till": 100, "sales": -99})
    session.execute(
        text("INSERT INTO app.ledger_tx (id, kind, source_id) VALUES (:id, 'test', '1')"),
        {"id": new_id()},
    )
    with pytest.raises(IntegrityError):
        session.commit()
    session.rollback()


@pytest.mark.row("W42", "T64")
def test_the_ledger_and_the_audit_log_cannot_be_edited(session: Session) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    settle(session, prompted(session, make_order(session)).id, confirmed_by="query")
    session.commit()
    for statement in (
        "UPDATE app.audit_log SET actor = 'x'",
        "DELETE FROM app.audit_log",
        "UPDATE app.ledger_entries SET amount_cents = 1",
        "DELETE FROM app.ledger_tx",
        "TRUNCATE app.audit_log",
    ):
        with pytest.raises(ProgrammingError):
            session.execute(text(statement))
        session.rollback()
    assert session.execute(text("SELECT count(*) FROM app.audit_breaks")).scalar() == 0
