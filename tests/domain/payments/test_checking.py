"""Asking M-Pesa what became of a prompt, until somebody knows or a person has to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.payments.checking import check_attempt, confirm_attempt
from app.domain.payments.models import PaymentIntent, ReviewItem
from tasks.payments import payment_provider
from tests.domain.payments.conftest import Prompted, Till, one


def age(prompted: Prompted, seconds: float, **more: Any) -> None:
    """Move the attempt's story into the past."""
    attempt = prompted.attempt
    for name in ("created_at", "sent_at", "prompted_at", "prompt_ends_at", "callback_at"):
        moment = getattr(attempt, name)
        if moment is not None:
            setattr(attempt, name, moment - timedelta(seconds=seconds))
    for name, value in more.items():
        setattr(attempt, name, value)
    prompted.session.commit()


def check(prompted: Prompted) -> None:
    session = prompted.session
    check_attempt(session, prompted.attempt_id, provider=payment_provider(session))


def confirm(prompted: Prompted, tries: int = 0) -> None:
    session = prompted.session
    confirm_attempt(session, prompted.attempt_id, tries=tries, provider=payment_provider(session))


def waiting(session: Session, topic: str) -> int:
    """How many looks of this kind are planned."""
    count = session.scalar(
        text(
            "SELECT count(*) FROM app.outbox WHERE store_id = app.store_id() AND topic = :topic"
            " AND status = 'pending'"
        ),
        {"topic": topic},
    )
    session.rollback()
    return int(count or 0)


def reviews(session: Session) -> list[str]:
    session.rollback()
    return list(
        session.scalars(select(ReviewItem.kind).where(ReviewItem.store_id == bound_store()))
    )


@pytest.mark.row("W53")
def test_silence_is_settled_by_asking(till: Till) -> None:
    prompted = till.order()

    check(prompted)
    check(prompted)
    confirm(prompted)

    assert prompted.attempt.status == "succeeded"
    assert prompted.attempt.confirmed_by == "query"
    assert prompted.attempt.checks == 1


@pytest.mark.row("W53")
def test_a_failed_answer_counts_only_after_the_prompts_time(till: Till) -> None:
    prompted = till.order(query="failed")
    before = waiting(till.session, "check_attempt")
    check(prompted)
    assert prompted.attempt.status == "awaiting_customer"
    assert waiting(till.session, "check_attempt") == before + 1

    age(prompted, 5)
    check(prompted)

    assert prompted.attempt.status == "failed"
    check(prompted)
    assert prompted.attempt.checks == 3


@pytest.mark.row("W53")
@pytest.mark.parametrize("query", ["pending_500", "error_500"])
def test_pending_and_errors_mean_not_yet(till: Till, query: str) -> None:
    prompted = till.order(query=query)
    age(prompted, 5)

    check(prompted)
    confirm(prompted)

    assert prompted.attempt.status == "awaiting_customer"
    assert waiting(till.session, "confirm_attempt") == 1


@pytest.mark.row("W53")
def test_a_lost_sender_leaves_an_unknown_attempt(till: Till) -> None:
    prompted = till.order(is_paid=False, spike_arrest="envelope")
    attempt = prompted.attempt
    attempt.move_to("sending")  # type: ignore[arg-type]
    attempt.sent_at = utcnow()
    till.session.commit()
    check(prompted)
    assert prompted.attempt.status == "sending"

    age(prompted, 3)
    check(prompted)
    check(prompted)

    assert (prompted.attempt.status, prompted.attempt.result_text) == ("unknown", "sender lost")


@pytest.mark.row("W53", "W20")
@pytest.mark.parametrize("intent_status", ["processing", "requires_payment_method"])
def test_a_day_of_silence_is_put_before_a_person(till: Till, intent_status: str) -> None:
    prompted = till.order(query="pending_500")
    one(till.session, PaymentIntent, order_id=prompted.order_id).status = intent_status
    till.session.commit()
    age(prompted, 13)

    check(prompted)

    assert prompted.attempt.status == "expired"
    assert reviews(till.session) == ["silent_attempt"]
    intent = one(till.session, PaymentIntent, order_id=prompted.order_id)
    assert intent.status == "requires_payment_method"
    planned = waiting(till.session, "check_attempt")
    check(prompted)
    assert waiting(till.session, "check_attempt") == planned
    assert reviews(till.session) == ["silent_attempt"]


@pytest.mark.row("W53")
def test_a_failure_that_mpesa_told_itself_is_not_asked_about_again(till: Till) -> None:
    prompted = till.order(query="failed")
    age(prompted, 5, callback_at=utcnow(), callback_result_code="1032")

    check(prompted)

    planned = waiting(till.session, "check_attempt")
    assert prompted.attempt.status == "failed"
    check(prompted)
    assert waiting(till.session, "check_attempt") == planned


@pytest.mark.row("W53")
def test_a_query_that_says_failed_does_not_override_a_callback_that_says_paid(till: Till) -> None:
    prompted = till.order(query="failed")
    age(prompted, 5, callback_at=utcnow(), callback_result_code="0")

    check(prompted)

    assert prompted.attempt.status == "awaiting_customer"


@pytest.mark.row("W53", "M33")
def test_paid_with_another_amount_is_no_querys_to_settle(till: Till) -> None:
    prompted = till.order()
    age(prompted, 0, reported_amount_cents=1_00)

    check(prompted)
    confirm(prompted)

    assert prompted.attempt.status == "awaiting_customer"


@pytest.mark.row("W53", "M40")
def test_ten_minutes_without_confirmation_are_put_before_the_owner(till: Till) -> None:
    prompted = till.order(query="pending_500")
    age(prompted, 0, callback_at=utcnow(), callback_result_code="0")
    age(prompted, 7)

    confirm(prompted, tries=9)

    assert reviews(till.session) == ["unconfirmed_callback"]
    assert prompted.attempt.status == "awaiting_customer"


def test_what_cannot_be_asked_about_is_left_alone(till: Till) -> None:
    prompted = till.order(is_paid=False, cut_connection_before_answer=True)
    confirm(prompted)
    check(prompted)
    assert prompted.attempt.checks == 1
    attempt = prompted.attempt
    attempt.move_to("expired")  # type: ignore[arg-type]
    attempt.result_code = "replaced"
    till.session.commit()

    check(prompted)

    assert prompted.attempt.checks == 1
