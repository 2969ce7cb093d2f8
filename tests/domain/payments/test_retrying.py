"""Another prompt is sent only when no earlier one can still take the money."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.errors import AmountNotPayable, FieldProblem, TooManyTries
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments import beginning
from app.domain.payments.beginning import open_intent, retry_payment, seconds_until_retry
from app.domain.payments.models import PaymentAttempt
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.ids import new_token
from tests.builders import attempt_of, make_order


def fail_last(session: Session, order: Order) -> PaymentAttempt:
    attempt = attempt_of(session, order)
    attempt.move_to(AttemptStatus.FAILED)
    attempt.intent.status = "requires_payment_method"  # type: ignore[assignment]
    session.flush()
    return attempt


@pytest.mark.row("W53")
def test_after_a_failure_the_same_phone_is_asked_again(session: Session) -> None:
    order = make_order(session)
    first = fail_last(session, order)
    key = new_token()

    second = retry_payment(session, order, phone=None, key=key)

    assert second.id != first.id
    assert second.phone == first.phone
    assert retry_payment(session, order, phone=None, key=key).id == second.id


@pytest.mark.row("W53")
def test_another_phone_may_be_typed_and_nonsense_is_refused(session: Session) -> None:
    order = make_order(session)
    fail_last(session, order)
    with pytest.raises(FieldProblem):
        retry_payment(session, order, phone="12", key=new_token())

    second = retry_payment(session, order, phone="0722 111 333", key=new_token())

    assert second.phone == "+254722111333"


@pytest.mark.row("W53")
def test_an_order_whose_first_attempt_is_gone_is_asked_by_its_customers_phone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(session)
    fail_last(session, order)
    monkeypatch.setattr(beginning, "latest_attempt", lambda session, order_id: None)

    attempt = retry_payment(session, order, phone=None, key=new_token())

    assert attempt.phone == order.customer.phone


@pytest.mark.row("W53")
def test_a_paid_or_cancelled_order_is_not_paid_again(session: Session) -> None:
    paid, cancelled = make_order(session), make_order(session)
    attempt = attempt_of(session, paid)
    for status in (AttemptStatus.SENDING, AttemptStatus.AWAITING_CUSTOMER):
        attempt.move_to(status)
        session.flush()
    settle(session, attempt.id, confirmed_by="query")
    cancelled.move_to(OrderStatus.CANCELLED)
    session.flush()

    with pytest.raises(beginning.AlreadyPaid):
        retry_payment(session, paid, phone=None, key=new_token())
    with pytest.raises(beginning.NotPayable):
        retry_payment(session, cancelled, phone=None, key=new_token())


@pytest.mark.row("W53")
def test_an_unanswered_prompt_blocks_until_it_cannot_be_approved(session: Session) -> None:
    order = make_order(session)
    attempt = attempt_of(session, order)
    with pytest.raises(beginning.PromptStillAlive):
        retry_payment(session, order, phone=None, key=new_token())
    attempt.move_to(AttemptStatus.SENDING)
    session.flush()
    attempt.move_to(AttemptStatus.UNKNOWN)
    attempt.sent_at = utcnow()
    session.flush()
    with pytest.raises(beginning.PromptStillAlive):
        retry_payment(session, order, phone=None, key=new_token())
    attempt.sent_at = utcnow() - timedelta(seconds=9)
    session.flush()

    second = retry_payment(session, order, phone=None, key=new_token())

    assert second.status == "created"
    assert (attempt.status, attempt.result_code) == ("expired", "replaced")


@pytest.mark.row("W53")
def test_how_long_to_wait_in_each_status(session: Session) -> None:
    now = utcnow()
    attempt = attempt_of(session, make_order(session))

    def wait(status: AttemptStatus, **facts: object) -> int | None:
        attempt.status = status
        for name in ("checkout_request_id", "callback_at", "prompt_ends_at", "sent_at"):
            setattr(attempt, name, facts.get(name))
        attempt.callback_result_code = "0" if facts.get("is_paid") else None
        return seconds_until_retry(attempt, now)

    assert wait(AttemptStatus.FAILED) == 0
    assert wait(AttemptStatus.FAILED, is_paid=True) is None
    assert wait(AttemptStatus.UNKNOWN, sent_at=now) == 2
    assert wait(AttemptStatus.UNKNOWN, sent_at=now, checkout_request_id="ws_CO_1") is None
    assert wait(AttemptStatus.UNKNOWN, sent_at=now, callback_at=now) is None
    ends = now + timedelta(seconds=30)
    assert wait(AttemptStatus.AWAITING_CUSTOMER, prompt_ends_at=ends) == 30
    assert wait(AttemptStatus.AWAITING_CUSTOMER, prompt_ends_at=ends, callback_at=now) is None
    assert wait(AttemptStatus.AWAITING_CUSTOMER, prompt_ends_at=now) is None
    session.rollback()


@pytest.mark.row("W53")
def test_three_prompts_to_a_phone_and_then_a_pause(session: Session) -> None:
    order = make_order(session)
    for _ in range(2):
        fail_last(session, order)
        retry_payment(session, order, phone=None, key=new_token())
    fail_last(session, order)

    with pytest.raises(TooManyTries):
        retry_payment(session, order, phone=None, key=new_token())


@pytest.mark.row("W53")
@pytest.mark.parametrize("cents", [0, 250_001_00])
def test_amounts_that_mpesa_does_not_take(session: Session, cents: int) -> None:
    order = make_order(session)
    with pytest.raises(AmountNotPayable):
        open_intent(session, order.id, cents)
    session.rollback()
