"""Asking the provider what became of an attempt: to confirm a callback, or because it is silent.

Each check asks for its own next one, so nothing sweeps over all stores. A query is
believed when it says paid; when it says failed it is believed only after the prompt's
own time is over, and a later success still wins.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.payments import calls
from app.domain.payments.locking import lock_payment
from app.domain.payments.models import PaymentAttempt
from app.domain.payments.reviews import open_review
from app.domain.payments.sending import fail
from app.domain.payments.settling import settle
from app.domain.payments.states import OPEN, AttemptStatus, IntentStatus
from app.ids import new_id
from app.jobs import Topic, TryLater, ask_for
from app.logging import get_logger
from app.providers.errors import ProviderError, Unavailable
from app.providers.payments import PaymentProvider, PaymentStatus, Verdict
from app.timings import timings

log = get_logger("mpesa")

NOT_YET = PaymentStatus(verdict=Verdict.PENDING)


def confirm_attempt(
    session: Session, attempt_id: UUID, *, tries: int, provider: PaymentProvider
) -> None:
    """A callback said paid: ask the provider, and settle when it agrees. Commits.

    Pending, an error and "failed" all mean "not yet". After ten minutes of them the owner
    decides, and the attempt stays open for late news.
    """
    attempt = session.get_one(PaymentAttempt, (bound_store(), attempt_id))
    if attempt.status == AttemptStatus.SUCCEEDED or attempt.checkout_request_id is None:
        session.commit()
        return
    answer = _ask(session, attempt, provider)
    payment = lock_payment(session, attempt_id)
    if answer.verdict == Verdict.PAID and not payment.attempt.has_other_amount:
        settle(session, attempt_id, confirmed_by="query")
    elif payment.attempt.status != AttemptStatus.SUCCEEDED:
        _confirm_later(session, payment.attempt, tries + 1)
    session.commit()


def _confirm_later(session: Session, attempt: PaymentAttempt, tries: int) -> None:
    since = attempt.callback_at or attempt.sent_at or attempt.created_at
    delay = timings().confirm_delay(tries, (utcnow() - since).total_seconds())
    if delay is None:
        open_review(
            session,
            "unconfirmed_callback",
            subject_id=attempt.id,
            order_id=attempt.order_id,
            amount_cents=attempt.amount_cents,
            next_action="accept_or_wait",
        )
        return
    ask_for(
        session,
        Topic.CONFIRM_ATTEMPT,
        key=f"{attempt.id}:{new_id()}",
        attempt_id=str(attempt.id),
        tries=tries,
        after_seconds=delay,
    )


def check_attempt(session: Session, attempt_id: UUID, *, provider: PaymentProvider) -> None:
    """Look at an attempt nobody told us about, act on what is known, and plan the next look. Commits."""
    attempt = session.get_one(PaymentAttempt, (bound_store(), attempt_id))
    waited = (utcnow() - (attempt.sent_at or attempt.created_at)).total_seconds()
    if attempt.status == AttemptStatus.SUCCEEDED or (
        attempt.result_code == "replaced" and attempt.checkout_request_id is None
    ):
        session.commit()
        return
    if attempt.status == AttemptStatus.SENDING and waited >= timings().sending_is_lost_after:
        _lose(session, attempt_id)
    answer = NOT_YET if attempt.checkout_request_id is None else _ask(session, attempt, provider)
    payment = lock_payment(session, attempt_id)
    attempt = payment.attempt
    attempt.checks += 1
    if (
        answer.verdict == Verdict.PAID
        and not attempt.has_other_amount
        and attempt.status != AttemptStatus.SUCCEEDED
    ):
        settle(session, attempt_id, confirmed_by="query")
    elif answer.verdict == Verdict.FAILED and _may_be_believed(attempt):
        fail(session, payment, code=answer.result_code, text=answer.result_text)
    if attempt.status != AttemptStatus.SUCCEEDED:
        _check_later(session, attempt, waited)
    session.commit()


def _lose(session: Session, attempt_id: UUID) -> None:
    """Whoever was sending this is gone. They may have asked the phone: the outcome is unknown."""
    attempt = lock_payment(session, attempt_id).attempt
    if attempt.status == AttemptStatus.SENDING:
        attempt.move_to(AttemptStatus.UNKNOWN)
        attempt.result_text = "sender lost"
    session.commit()


def _may_be_believed(attempt: PaymentAttempt) -> bool:
    """A query's "failed" counts only once the prompt cannot be answered any more."""
    ends = attempt.prompt_ends_at
    is_over = ends is None or utcnow() >= ends
    return (
        is_over
        and attempt.status in OPEN
        and attempt.callback_result_code != "0"
        and attempt.status
        not in (
            AttemptStatus.CREATED,
            AttemptStatus.SENDING,
        )
    )


def _check_later(session: Session, attempt: PaymentAttempt, waited: float) -> None:
    delay = timings().check_delay(waited)
    if attempt.status == AttemptStatus.FAILED and attempt.callback_at is not None:
        return  # the provider told us itself; should money come after all, it will say so too
    if delay is None:
        _give_up(session, attempt)
        return
    ask_for(
        session,
        Topic.CHECK_ATTEMPT,
        key=f"{attempt.id}:{new_id()}",
        attempt_id=str(attempt.id),
        after_seconds=delay,
    )


def _give_up(session: Session, attempt: PaymentAttempt) -> None:
    """A day of silence: expired, and a person compares with the statement. Late money still counts."""
    if attempt.status in (AttemptStatus.AWAITING_CUSTOMER, AttemptStatus.UNKNOWN):
        payment = lock_payment(session, attempt.id)
        payment.attempt.move_to(AttemptStatus.EXPIRED)
        payment.attempt.ended_at = utcnow()
        if payment.intent.status == IntentStatus.PROCESSING:
            payment.intent.move_to(IntentStatus.REQUIRES_PAYMENT_METHOD)
        open_review(
            session,
            "silent_attempt",
            subject_id=attempt.id,
            order_id=attempt.order_id,
            amount_cents=attempt.amount_cents,
            next_action="compare_with_statement",
        )


def _ask(session: Session, attempt: PaymentAttempt, provider: PaymentProvider) -> PaymentStatus:
    """One STK query, with no transaction open while it runs. An error is "not yet".

    Raises TryLater, with nothing counted, when this second's queries are used up.
    """
    assert attempt.checkout_request_id is not None
    try:
        provider.take_query()
    except Unavailable as spent:
        raise TryLater(spent.reason, after_seconds=1) from spent
    checkout_request_id, attempt_id = attempt.checkout_request_id, attempt.id
    call = calls.started(
        session, provider=provider.name, endpoint="payment_status", attempt_id=attempt_id
    )
    session.commit()
    try:
        answer = provider.payment_status(checkout_request_id, on_exchange=call.note)
    except ProviderError as error:
        log.info("query_failed", attempt_id=str(attempt_id), reason=error.reason)
        answer = NOT_YET
    call.ended(session)
    session.commit()
    return answer
