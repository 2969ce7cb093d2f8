"""A prompt is sent at most once; whatever the provider answers, or does not, is written down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.payments.locking import lock_payment
from app.domain.payments.models import PaymentAttempt, PaymentIntent, ProviderCall
from app.domain.payments.sending import fail, send_attempt
from app.jobs import TryLater
from app.providers.http import OnExchange, ignore_exchange
from app.providers.payments import PaymentAccepted, PaymentRequest, PaymentStatus
from tasks.payments import payment_provider
from tests.builders import attempt_of, make_order
from tests.domain.payments.conftest import NOWHERE, Bank, Till, one


@pytest.mark.row("W53")
def test_an_accepted_prompt_waits_for_the_customer(till: Till) -> None:
    prompted = till.order(is_paid=False)

    attempt = prompted.attempt

    assert attempt.status == "awaiting_customer"
    assert attempt.checkout_request_id is not None
    assert attempt.prompt_ends_at is not None
    assert prompted.work("send_attempt") == 0


@pytest.mark.row("W53", "M32")
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"push_error": "wrong_credentials"}, "failed"),
        ({"push_error": "response_code"}, "failed"),
        ({"cut_connection_before_answer": True}, "unknown"),
        ({"push_error": "internal_accepted"}, "unknown"),
        ({"spike_arrest": "envelope"}, "created"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
def test_each_kind_of_answer_leads_to_one_status(
    till: Till, fault: dict[str, object], status: str
) -> None:
    prompted = till.order(is_paid=False, **fault)

    attempt = prompted.attempt

    assert attempt.status == status
    intent = one(till.session, PaymentIntent, order_id=prompted.order_id)
    assert intent.status == ("requires_payment_method" if status == "failed" else "processing")
    ended = till.session.scalars(
        select(ProviderCall.phase).where(ProviderCall.attempt_id == attempt.id)
    ).all()
    assert {"started", "ended"} <= set(ended)


@pytest.mark.row("W53")
def test_a_provider_out_of_reach_for_two_minutes_is_given_up(
    app: Flask, till: Till, bank: Bank
) -> None:
    """Before that the attempt is free for another go; after it the shopper is offered one."""
    prompted = till.order(is_paid=False, spike_arrest="envelope")
    session = till.session
    with pytest.raises(TryLater):
        send_attempt(
            session, prompted.attempt_id, provider=payment_provider(session), callback_url=NOWHERE
        )
    assert prompted.attempt.status == "created"
    prompted.attempt.created_at = utcnow() - timedelta(seconds=121)
    session.commit()

    send_attempt(
        session, prompted.attempt_id, provider=payment_provider(session), callback_url=NOWHERE
    )

    assert (prompted.attempt.status, prompted.attempt.result_code) == ("failed", "unreached")


class Overtaken:
    """The real provider, but meanwhile something else happens to the attempt."""

    name = "mpesa"

    def __init__(self, session: Session, meanwhile: Callable[[], None]) -> None:
        self.real = payment_provider(session)
        self.meanwhile = meanwhile

    def request_payment(
        self, request: PaymentRequest, *, on_exchange: OnExchange = ignore_exchange
    ) -> PaymentAccepted:
        try:
            return self.real.request_payment(request, on_exchange=on_exchange)
        finally:
            self.meanwhile()

    def payment_status(
        self, checkout_request_id: str, *, on_exchange: OnExchange = ignore_exchange
    ) -> PaymentStatus:
        return self.real.payment_status(checkout_request_id, on_exchange=on_exchange)

    def register_confirmations(
        self,
        *,
        confirmation_url: str,
        validation_url: str,
        on_exchange: OnExchange = ignore_exchange,
    ) -> None:
        self.real.register_confirmations(
            confirmation_url=confirmation_url,
            validation_url=validation_url,
            on_exchange=on_exchange,
        )


@pytest.mark.row("W53", "M38")
@pytest.mark.parametrize("fault", [{}, {"spike_arrest": "envelope"}], ids=["accepted", "unreached"])
def test_a_callback_that_overtakes_the_answer_is_right(
    till: Till, bank: Bank, fault: dict[str, str]
) -> None:
    session = till.session
    order = make_order(session, phone="+254700333441")
    attempt_id = attempt_of(session, order).id
    session.commit()
    if fault:
        bank.post("/_sim/faults", msisdn="+254700333441", **fault)

    def told() -> None:
        fail(session, lock_payment(session, attempt_id), code="1032", text="cancelled")
        session.commit()

    try:
        send_attempt(session, attempt_id, provider=Overtaken(session, told), callback_url=NOWHERE)
    except TryLater:
        assert fault
    session.expire_all()
    attempt = session.get_one(PaymentAttempt, (bound_store(), attempt_id))

    assert (attempt.status, attempt.result_code) == ("failed", "1032")
    assert (attempt.checkout_request_id is None) == bool(fault)


def test_an_attempt_that_somebody_sends_is_left_alone(till: Till) -> None:
    prompted = till.order(is_paid=False)
    before = len(till.bank.http.get("/_sim/calls").json()["calls"])

    send_attempt(
        till.session,
        prompted.attempt_id,
        provider=payment_provider(till.session),
        callback_url=NOWHERE,
    )

    assert len(till.bank.http.get("/_sim/calls").json()["calls"]) == before


def test_a_failure_after_the_order_was_settled_otherwise_leaves_its_intent(till: Till) -> None:
    prompted = till.order(is_paid=False)
    session = till.session
    payment = lock_payment(session, prompted.attempt_id)
    payment.intent.status = "requires_payment_method"  # type: ignore[assignment]
    session.flush()

    fail(session, payment, code="1037", text="x" * 300)

    assert payment.attempt.status == "failed"
    assert len(payment.attempt.result_text or "") == 200
