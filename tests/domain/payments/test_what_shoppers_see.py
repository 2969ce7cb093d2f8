"""The payment page's truth for each status an attempt may have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import db
from app.db.tenancy import bound_store, inside_store
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments import queries
from app.domain.payments.beginning import latest_attempt
from app.domain.payments.models import PaymentAttempt, PaymentSettings
from app.domain.payments.queries import attempt_stories, open_reviews, payment_view
from app.domain.payments.reviews import close_reviews, open_review
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_reference
from tests.builders import attempt_of, make_order, make_payment_settings

A = AttemptStatus


@pytest.fixture
def order(session: Session) -> Order:
    return make_order(session)


def view(session: Session, order: Order, status: AttemptStatus | None = None, **facts: Any) -> Any:
    """What the page says when the attempt is like this. Nothing is written."""
    now = utcnow()
    attempt = attempt_of(session, order)
    with session.no_autoflush:
        if status is not None:
            attempt.status = status
        for name, value in facts.items():
            setattr(attempt, name, value)
        return payment_view(session, order, now)


@pytest.mark.row("W53")
def test_each_status_has_its_words(session: Session, order: Order) -> None:
    now = utcnow()
    soon, past = now + timedelta(seconds=30), now - timedelta(seconds=30)
    with session.no_autoflush:
        assert view(session, order).kind == "sending"
        assert view(session, order, A.SENDING, sent_at=now).kind == "sending"
        on_phone = view(session, order, A.AWAITING_CUSTOMER, prompt_ends_at=soon)
        assert (on_phone.kind, on_phone.can_retry) == ("on_phone", False)
        assert 28 <= on_phone.seconds_left <= 30
        assert view(session, order, A.AWAITING_CUSTOMER, prompt_ends_at=past).kind == "checking"
        assert view(session, order, A.UNKNOWN).kind == "checking"
        assert view(session, order, A.EXPIRED).kind == "expired"
        confirming = view(session, order, A.AWAITING_CUSTOMER, callback_result_code="0")
        assert confirming.kind == "confirming"
        assert confirming.etag != on_phone.etag
    session.rollback()


@pytest.mark.row("W53", "M34")
@pytest.mark.parametrize(
    ("code", "kind", "next_tap"),
    [
        ("1", "low_balance", "same"),
        ("2001", "wrong_pin", "same"),
        ("8006", "wrong_pin", "other"),
        ("2028", "failed", "shop"),
        ("1037", "unreachable", "same"),
        ("1025", "unreachable", "same"),
        ("unreached", "failed", "same"),
        ("4242", "failed", "same"),
        (None, "failed", "same"),
    ],
)
def test_each_failure_says_what_to_do(
    session: Session, order: Order, code: str | None, kind: str, next_tap: str
) -> None:
    with session.no_autoflush:
        seen = view(session, order, A.FAILED, result_code=code, checkout_request_id=None)
    assert (seen.kind, seen.next_tap, seen.can_retry) == (kind, next_tap, True)
    assert seen.poll_seconds is None
    session.rollback()


@pytest.mark.row("W53")
def test_a_cancel_and_a_closed_prompt_are_told_apart_where_they_can_be(
    session: Session, order: Order
) -> None:
    now = utcnow()
    with session.no_autoflush:
        early = view(
            session,
            order,
            A.FAILED,
            result_code="1032",
            callback_at=now,
            prompt_ends_at=now + timedelta(seconds=20),
        )
        late = view(session, order, A.FAILED, prompt_ends_at=now + timedelta(seconds=1))
        unknown = view(session, order, A.FAILED, prompt_ends_at=None)
        silent = view(session, order, A.FAILED, callback_at=None, checkout_request_id="ws_CO_1")
        old = view(session, order, A.FAILED, sent_at=now - timedelta(seconds=400))
    assert early.kind == "cancelled"
    assert (late.kind, unknown.kind) == ("expired", "expired")
    assert silent.poll_seconds == queries.SLOW_POLL_SECONDS
    assert old.poll_seconds is None
    session.rollback()


@pytest.mark.row("W53")
def test_a_settled_order_says_so(session: Session, order: Order) -> None:
    now = utcnow()
    attempt = attempt_of(session, order)
    with session.no_autoflush:
        order.status, order.paid_at = OrderStatus.PAID, now
        paid = payment_view(session, order, now)
        assert (paid.kind, paid.is_final) == ("paid", True)
        assert paid.poll_seconds == queries.SLOW_POLL_SECONDS
        order.paid_at = now - timedelta(seconds=100)
        assert payment_view(session, order, now).poll_seconds is None
        attempt.receipt = "TKB4XY12AB"
        assert payment_view(session, order, now).receipt == "TKB4XY12AB"
        order.status = OrderStatus.CANCELLED
        assert "Nothing was taken" in payment_view(session, order, now).sentence
        attempt.status = A.SUCCEEDED
        late = payment_view(session, order, now)
        assert (late.kind, late.receipt) == ("order_cancelled", "TKB4XY12AB")
        order.status, order.payment_method = OrderStatus.ACCEPTED, "on_delivery"
        assert payment_view(session, order, now).kind == "pay_on_delivery"
    session.rollback()


@pytest.mark.row("I1", "W53")
def test_money_that_comes_between_two_reads_is_not_called_a_failure(
    app: Flask, session: Session, store: Store, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = attempt_of(session, order)
    attempt_id, receipt = attempt.id, new_reference(10)
    attempt.move_to(A.SENDING)
    session.commit()

    def settled_meanwhile() -> None:
        with app.app_context(), inside_store(store.id):
            settle(db.session(), attempt_id, confirmed_by="query", receipt=receipt)
            db.session.commit()

    def read_late(session: Session, order_id: UUID) -> PaymentAttempt | None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(settled_meanwhile).result()
        return latest_attempt(session, order_id)

    monkeypatch.setattr(queries, "latest_attempt", read_late)
    session.expunge(attempt)
    assert order.status == OrderStatus.PENDING_PAYMENT  # read now, before the money

    seen = payment_view(session, order, utcnow())

    assert (seen.kind, seen.receipt) == ("paid", receipt)


@pytest.mark.row("W53")
def test_an_order_without_a_try_can_be_paid(
    session: Session, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "latest_attempt", lambda session, order_id: None)

    seen = payment_view(session, order, utcnow())
    order.status = OrderStatus.PAID
    with session.no_autoflush:
        paid = payment_view(session, order, utcnow())

    assert (seen.kind, seen.can_retry) == ("not_started", True)
    assert (paid.kind, paid.receipt) == ("paid", None)
    session.rollback()


def test_asking_slows_down_and_stops() -> None:
    assert [queries._poll_after(age) for age in (0, 89, 90, 299, 300)] == [2, 2, 5, 5, None]


@pytest.mark.row("W53")
def test_the_phone_will_say_this_name_and_number(session: Session, order: Order) -> None:
    store = session.get_one(Store, bound_store())
    assert queries._till_words(session, store) == store.name.upper()
    settings = make_payment_settings(session)
    assert queries._till_words(session, store) == f"{store.name.upper()}, paybill 600984"
    kept = session.get_one(PaymentSettings, (bound_store(), settings.id))
    kept.kind, kept.till = "till", "543210"
    session.flush()
    assert queries._till_words(session, store).endswith("till 543210")


@pytest.mark.row("W53")
def test_the_staffs_story_and_what_waits(session: Session, order: Order) -> None:
    (story,) = attempt_stories(session, order.id)
    assert isinstance(story.attempt, PaymentAttempt)
    assert (story.calls, story.callbacks) == ([], [])
    for _ in range(2):
        open_review(session, "refund_due", subject_id=order.id, next_action="refund")
    session.flush()
    assert [item.kind for item in open_reviews(session)] == ["refund_due"]

    close_reviews(session, {"refund_due"}, order.id, resolution="refunded", by="system")
    session.flush()

    assert open_reviews(session) == []
