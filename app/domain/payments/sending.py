"""Sending an attempt's prompt: claim, commit, call, record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic, sleep
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.orders.events import note
from app.domain.payments import calls
from app.domain.payments.locking import Payment, lock_payment
from app.domain.payments.models import PaymentAttempt
from app.domain.payments.states import AttemptStatus, IntentStatus
from app.jobs import Topic, TryLater, ask_for
from app.logging import get_logger
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.payments import PaymentAccepted, PaymentProvider, PaymentRequest
from app.timings import timings

log = get_logger(__name__)

RECORD_PATIENCE = 20.0  # seconds; with the provider's own wait before it, within a job's minute
RECORD_EVERY = 0.25


def send_attempt(
    session: Session, attempt_id: UUID, *, provider: PaymentProvider, callback_url: str
) -> None:
    """Ask the provider for the money, at most once per attempt.

    Commits twice, on purpose: first to claim the attempt, so that no second worker
    sends it and no transaction stays open while we wait on the network; then to record
    what the provider said. ``callback_url`` ends in ``/`` and gets the attempt's secret.

    Raises TryLater, with the attempt free to be sent again, when the request never left.
    """
    attempt = _claim(session, attempt_id)
    if attempt is None:
        session.rollback()
        log.info("attempt_already_claimed", attempt_id=str(attempt_id))
        return
    request = PaymentRequest(
        amount_cents=attempt.amount_cents,
        phone=attempt.phone,
        account_reference=attempt.account_reference,
        callback_url=callback_url + attempt.callback_token,
    )
    call = calls.started(
        session, provider=provider.name, endpoint="request_payment", attempt_id=attempt_id
    )
    session.commit()

    try:
        accepted = provider.request_payment(request, on_exchange=call.note)
    except Refused as refusal:
        _surely(session, partial(_record, session, attempt_id, call, failed=refusal))
    except Unavailable as error:
        _surely(session, partial(_record_unreached, session, attempt_id, call, error))
    except OutcomeUnknown as doubt:
        _surely(session, partial(_record, session, attempt_id, call, doubt=doubt))
    else:
        _surely(session, partial(_record, session, attempt_id, call, accepted=accepted))


def _surely(session: Session, record: Callable[[], None]) -> None:
    """Write the provider's answer down, waiting for a database that is being restarted.

    It has the only name by which this payment can be asked about, and it is given once.
    """
    end = monotonic() + RECORD_PATIENCE
    while True:
        try:
            return record()
        except OperationalError as error:
            session.rollback()
            if monotonic() >= end:
                raise
            log.warning("answer_not_written_yet", error=type(error.orig).__name__)
            sleep(RECORD_EVERY)


def _claim(session: Session, attempt_id: UUID) -> PaymentAttempt | None:
    """Take the attempt from created to sending, unless someone already has.

    The first look at it is asked for here: should this process die during the call, the
    attempt is found again.
    """
    claimed = session.scalar(
        update(PaymentAttempt)
        .where(
            PaymentAttempt.store_id == bound_store(),
            PaymentAttempt.id == attempt_id,
            PaymentAttempt.status == AttemptStatus.CREATED,
        )
        .values(status=AttemptStatus.SENDING, sent_at=func.clock_timestamp())
        .returning(PaymentAttempt)
    )
    if claimed is not None:
        ask_for(
            session,
            Topic.CHECK_ATTEMPT,
            key=f"{attempt_id}:first",
            attempt_id=str(attempt_id),
            after_seconds=timings().first_check,
        )
    return claimed


def _record(
    session: Session,
    attempt_id: UUID,
    call: calls.Call,
    *,
    accepted: PaymentAccepted | None = None,
    failed: Refused | None = None,
    doubt: OutcomeUnknown | None = None,
) -> None:
    """Save the provider's answer. If a callback beat it here, the callback is right."""
    payment = lock_payment(session, attempt_id)
    attempt = payment.attempt
    if accepted is not None:
        attempt.checkout_request_id = attempt.checkout_request_id or accepted.checkout_request_id
        attempt.merchant_request_id = attempt.merchant_request_id or accepted.merchant_request_id
    if attempt.status == AttemptStatus.SENDING:
        now = utcnow()
        if accepted is not None:
            attempt.move_to(AttemptStatus.AWAITING_CUSTOMER)
            attempt.prompted_at = now
            attempt.prompt_ends_at = now + timedelta(seconds=timings().prompt_lifetime)
            note(session, payment.order, "prompt_sent", channel="mpesa")
        elif failed is not None:
            fail(session, payment, code=failed.code or "refused", text=failed.reason)
        elif doubt is not None:
            # The callback, a C2B confirmation or the statement will tell.
            attempt.move_to(AttemptStatus.UNKNOWN)
            attempt.result_text = doubt.reason[:200]
    call.ended(session)
    session.commit()


def _record_unreached(
    session: Session, attempt_id: UUID, call: calls.Call, error: Unavailable
) -> None:
    """The request never left: free the attempt for another go, or say so and offer a retry.

    A shopper waits on the page, so the giving up comes soon.
    """
    payment = lock_payment(session, attempt_id)
    attempt = payment.attempt
    waited = (utcnow() - attempt.created_at).total_seconds()
    gives_up = waited > timings().give_up_reaching
    if attempt.status == AttemptStatus.SENDING:
        if gives_up:
            fail(session, payment, code="unreached", text=error.reason)
        else:
            attempt.move_to(AttemptStatus.CREATED)
    call.ended(session)
    session.commit()
    if not gives_up:
        raise TryLater(error.reason, after_seconds=timings().retry_delay)


def fail(session: Session, payment: Payment, *, code: str, text: str) -> None:
    """Record that this try did not bring money. The intent may be tried again; late money still counts."""
    attempt = payment.attempt
    attempt.move_to(AttemptStatus.FAILED)
    attempt.result_code, attempt.result_text, attempt.ended_at = code, text[:200], utcnow()
    if payment.intent.status == IntentStatus.PROCESSING:
        payment.intent.move_to(IntentStatus.REQUIRES_PAYMENT_METHOD)
    note(session, payment.order, "payment_failed", channel="mpesa", code=code)
