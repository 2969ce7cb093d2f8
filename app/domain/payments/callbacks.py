"""What providers tell us by themselves: stored first, believed later.

A callback is unsigned, may be doubled, late, reordered, lost or forged. It is matched
by the secret in its path, by ids and by the exact amount, and even then it only starts
a question to the provider; money is settled when that question is answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.ledger.actions import post
from app.domain.payments.locking import Payment, lock_payment
from app.domain.payments.models import Callback, IncomingPayment, PaymentAttempt, PaymentSettings
from app.domain.payments.reviews import open_review
from app.domain.payments.sending import fail
from app.domain.payments.settling import settle
from app.domain.payments.states import OPEN, AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_id
from app.jobs import Topic, ask_for, request_id
from app.logging import get_logger, scrub
from app.providers.payments.mpesa import (
    Confirmation,
    StkResult,
    Unreadable,
    read_confirmation,
    read_stk_callback,
)

log = get_logger("mpesa")

# One message to Postgres for each callback of each provider: what it does is in migration 0029.
_STORE = text(
    "SELECT store_id, kind, request_id FROM app.store_callback(:token, :c2b_kind, :id, :job_id, :body,"
    " CAST(:headers AS jsonb), :source_ip, :is_listed_ip, :request_id)"
)

_KEEP_REFUSED = text(
    "INSERT INTO app.callback_inbox"
    " (id, kind, verdict, body, body_sha256, headers, source_ip, request_id, handled_at)"
    " SELECT :id, 'refused', :verdict, :body, :body_sha256, CAST(:headers AS jsonb), :source_ip, :request_id, now()"
    "  WHERE (SELECT count(*) FROM app.callback_inbox WHERE store_id = app.store_id() AND kind = 'refused'"
    "         AND received_at > now() - interval '1 day') < :a_day"
    " RETURNING id"
)
MOST_REFUSED_A_MINUTE = 120
MOST_REFUSED_A_DAY = 5000
REFUSED_BYTES = 4096
MOST_HEADERS = 30
_NOT_KEPT = frozenset({"cookie", "authorization", "proxy-authorization", "x-csrf-token"})


@dataclass(frozen=True)
class Stored:
    """A callback that is kept: whose it is, and of what kind."""

    store_id: int
    kind: str


def store_callback(
    connection: Connection,
    token: str,
    body: bytes,
    *,
    c2b_kind: str,
    source_ip: str,
    is_listed_ip: bool | None,
    headers: Mapping[str, str],
) -> Stored | None:
    """Keep a callback exactly as it came and ask for it to be handled. None: nobody's secret.

    ``token`` is what its path said: of one prompt, or of a store's C2B addresses, and then it
    is of ``c2b_kind``. All of it is one statement, which stands by itself: ``connection`` is in
    no transaction and no store. What follows continues under the request id of the checkout
    that sent the prompt, so that one id tells the whole story.
    """
    found = connection.execute(
        _STORE,
        {
            "token": token,
            "c2b_kind": c2b_kind,
            "id": new_id(),
            "job_id": new_id(),
            "body": body,
            "headers": json.dumps(kept_headers(headers)),
            "source_ip": source_ip,
            "is_listed_ip": is_listed_ip,
            "request_id": request_id.get(),
        },
    ).one_or_none()
    if found is None:
        return None
    log.info(
        "callback_stored",
        kind=found.kind,
        is_listed_ip=is_listed_ip,
        store_id=found.store_id,
        request_id=found.request_id,
    )
    return Stored(found.store_id, found.kind)


def keep_refused(
    session: Session, why: str, body: bytes, *, source_ip: str, headers: Mapping[str, str]
) -> bool:
    """Keep what was turned away at the door, inside store 0. Returns whether there was room.

    Whoever guesses addresses must not fill the database: so many a day are kept (the door
    lets so many a minute come here), with the beginning of their bodies. Does not commit.
    """
    kept = session.execute(
        _KEEP_REFUSED,
        {
            "id": new_id(),
            "verdict": why,
            "body": body[:REFUSED_BYTES],
            "body_sha256": hashlib.sha256(body).digest(),
            "headers": json.dumps(kept_headers(headers)),
            "source_ip": source_ip,
            "request_id": request_id.get(),
            "a_day": MOST_REFUSED_A_DAY,
        },
    )
    log.warning("callback_refused", why=why)
    return kept.one_or_none() is not None


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping: nothing that signs somebody in, nobody's number, not without end."""
    kept = {
        name[:60]: scrub(value[:300]).replace("\x00", "")
        for name, value in headers.items()
        if name.lower() not in _NOT_KEPT
    }
    return dict(sorted(kept.items())[:MOST_HEADERS])


def handle_callback(session: Session, callback_id: UUID) -> str:
    """Read one stored callback and act on it, once. Returns the verdict. Does not commit."""
    callback = _locked(session, callback_id)
    if callback.handled_at is not None:
        return callback.verdict or ""
    callback.verdict, callback.handled_at = _act_on(session, callback), utcnow()
    log.info(
        "callback_handled",
        callback_id=str(callback_id),
        kind=callback.kind,
        verdict=callback.verdict,
    )
    return callback.verdict


def handle_again(session: Session, callback_id: UUID) -> str:
    """Act on a stored callback once more and return what it comes to now. Does not commit.

    What it brought is not applied twice: money is settled once, a confirmation is known by
    its receipt, a question to the provider is asked once. The first verdict stays written.
    """
    callback = _locked(session, callback_id)
    if callback.handled_at is None:
        return handle_callback(session, callback_id)
    verdict = _act_on(session, callback)
    log.info("callback_replayed", callback_id=str(callback_id), verdict=verdict)
    return verdict


def _locked(session: Session, callback_id: UUID) -> Callback:
    return session.scalars(
        select(Callback)
        .where(Callback.store_id == bound_store(), Callback.id == callback_id)
        .with_for_update()
    ).one()


def _act_on(session: Session, callback: Callback) -> str:
    try:
        payload: Any = json.loads(callback.body)
        if callback.kind == "stk":
            assert callback.attempt_id is not None
            return _apply_stk(session, callback.attempt_id, read_stk_callback(payload))
        return _apply_confirmation(session, read_confirmation(payload))
    except (ValueError, RecursionError, Unreadable):
        if callback.attempt_id is not None:
            open_review(
                session, "unreadable_callback", subject_id=callback.id, next_action="wait_for_query"
            )
        return "unreadable"


# -- STK --------------------------------------------------------------------------------


def _apply_stk(session: Session, attempt_id: UUID, result: StkResult) -> str:
    payment = lock_payment(session, attempt_id)
    attempt = payment.attempt
    if attempt.checkout_request_id not in (None, result.checkout_request_id):
        return "wrong_checkout_id"
    if attempt.checkout_request_id is None and not _adopt(session, attempt, result):
        return "checkout_id_of_another"
    if not result.says_paid:
        return _note_failure(session, payment, result)
    return _note_success(session, payment, result)


def _adopt(session: Session, attempt: PaymentAttempt, result: StkResult) -> bool:
    """Our push answer was lost: take the ids from the first callback. Refused if another attempt owns them."""
    from sqlalchemy.exc import IntegrityError

    try:
        with session.begin_nested():
            attempt.checkout_request_id = result.checkout_request_id
            attempt.merchant_request_id = attempt.merchant_request_id or result.merchant_request_id
            session.flush()
    except IntegrityError:
        session.refresh(attempt)
        return False
    return True


def _note_success(session: Session, payment: Payment, result: StkResult) -> str:
    attempt = payment.attempt
    if result.amount_cents is not None and result.amount_cents != attempt.amount_cents:
        if attempt.status != AttemptStatus.SUCCEEDED:
            attempt.reported_amount_cents = result.amount_cents
        _open_amount_review(session, attempt, result.amount_cents)
        return "amount_differs"
    if attempt.callback_result_code == "0" or attempt.status == AttemptStatus.SUCCEEDED:
        if attempt.status == AttemptStatus.SUCCEEDED and result.receipt:
            settle(session, attempt.id, confirmed_by="query", receipt=result.receipt)
        return "repeated"
    attempt.callback_result_code, attempt.callback_at = "0", utcnow()
    attempt.reported_receipt, attempt.reported_amount_cents = result.receipt, result.amount_cents
    session.flush()
    if _was_confirmed_by_c2b(session, attempt):
        settle(session, attempt.id, confirmed_by="c2b")
        return "settled"
    if result.amount_cents is not None and 0 < attempt.amount_cents <= _trust_limit(session):
        settle(session, attempt.id, confirmed_by="trust")
        return "settled"
    ask_for(
        session, Topic.CONFIRM_ATTEMPT, key=f"{attempt.id}:0", attempt_id=str(attempt.id), tries=0
    )
    return "confirming"


def _open_amount_review(session: Session, attempt: PaymentAttempt, cents: int) -> None:
    open_review(
        session,
        "amount_differs",
        subject_id=attempt.id,
        order_id=attempt.order_id,
        amount_cents=cents,
        next_action="compare_with_statement",
        expected_cents=attempt.amount_cents,
    )


def _note_failure(session: Session, payment: Payment, result: StkResult) -> str:
    """A failure never overrides success, nor a success that is being confirmed."""
    attempt = payment.attempt
    if attempt.status == AttemptStatus.SUCCEEDED or attempt.callback_result_code == "0":
        return "failure_after_success"
    if attempt.callback_at is None:
        attempt.callback_result_code, attempt.callback_at = result.result_code, utcnow()
    if attempt.status in OPEN and attempt.status != AttemptStatus.CREATED:
        fail(session, payment, code=result.result_code, text=result.result_text)
        return "failed"
    return "repeated"


def _trust_limit(session: Session) -> int:
    return session.get_one(Store, bound_store()).callback_trust_limit_cents


def _was_confirmed_by_c2b(session: Session, attempt: PaymentAttempt) -> bool:
    return (
        session.scalar(
            select(IncomingPayment.id).where(
                IncomingPayment.store_id == bound_store(),
                IncomingPayment.attempt_id == attempt.id,
                IncomingPayment.amount_cents == attempt.amount_cents,
            )
        )
        is not None
    )


# -- C2B --------------------------------------------------------------------------------


def _apply_confirmation(session: Session, confirmation: Confirmation) -> str:
    """Money arrived, says the provider. Find what it is for, or keep it as unmatched."""
    if not _is_our_shortcode(session, confirmation.shortcode):
        return "wrong_shortcode"
    attempt_id = _attempt_for(session, confirmation)
    incoming_id = session.scalar(
        insert(IncomingPayment)
        .values(
            id=new_id(),
            receipt=confirmation.receipt,
            amount_cents=confirmation.amount_cents,
            reference=confirmation.reference,
            payer_masked=confirmation.payer[:40],
            attempt_id=attempt_id,
            status="matched" if attempt_id else "unmatched",
        )
        .on_conflict_do_nothing(index_elements=["provider", "receipt"])
        .returning(IncomingPayment.id)
    )
    if incoming_id is None:
        return "repeated"
    if attempt_id is None:
        return _keep_unmatched(session, incoming_id, confirmation, confirmation.amount_cents)
    payment = lock_payment(session, attempt_id)
    attempt = payment.attempt
    if _is_other_money(attempt, confirmation):
        return _keep_unmatched(
            session, incoming_id, confirmation, confirmation.amount_cents, order_id=attempt.order_id
        )
    if confirmation.amount_cents != attempt.amount_cents:
        return _note_other_amount(session, attempt, incoming_id, confirmation)
    if attempt.status == AttemptStatus.SUCCEEDED:
        settle(session, attempt.id, confirmed_by="c2b", receipt=confirmation.receipt)
        return "repeated"
    attempt.reported_receipt = attempt.reported_receipt or confirmation.receipt
    if attempt.callback_result_code == "0" or attempt.checkout_request_id is None:
        # The second voice about a callback we hold; or the only one there will ever be, as
        # the push answer was lost and nothing can be asked about.
        settle(session, attempt.id, confirmed_by="c2b", receipt=confirmation.receipt)
        return "settled"
    ask_for(
        session,
        Topic.CONFIRM_ATTEMPT,
        key=f"{attempt.id}:c2b:0",
        attempt_id=str(attempt.id),
        tries=0,
    )
    return "confirming"


def _is_other_money(attempt: PaymentAttempt, confirmation: Confirmation) -> bool:
    """The same reference paid a second time by hand: another receipt, so other money."""
    return attempt.receipt is not None and attempt.receipt != confirmation.receipt


def _note_other_amount(
    session: Session, attempt: PaymentAttempt, incoming_id: UUID, confirmation: Confirmation
) -> str:
    """This payment moved another amount than was asked for. What is over or short waits for a person."""
    attempt.reported_amount_cents = confirmation.amount_cents
    if attempt.status == AttemptStatus.SUCCEEDED:
        # The query had confirmed it, and a query knows no amount: only the difference is news.
        settle(session, attempt.id, confirmed_by="c2b", receipt=confirmation.receipt)
        return _keep_unmatched(
            session,
            incoming_id,
            confirmation,
            confirmation.amount_cents - attempt.amount_cents,
            order_id=attempt.order_id,
        )
    _open_amount_review(session, attempt, confirmation.amount_cents)
    return _keep_unmatched(
        session, incoming_id, confirmation, confirmation.amount_cents, order_id=attempt.order_id
    )


def _keep_unmatched(
    session: Session,
    incoming_id: UUID,
    confirmation: Confirmation,
    cents: int,
    *,
    order_id: UUID | None = None,
) -> str:
    post(
        session,
        "unmatched_payment",
        confirmation.receipt,
        {"mpesa_till": cents, "unmatched": -cents},
    )
    open_review(
        session,
        "unmatched_money",
        subject_id=incoming_id,
        order_id=order_id,
        amount_cents=cents,
        next_action="match_or_refund",
        receipt=confirmation.receipt,
    )
    return "unmatched"


def _is_our_shortcode(session: Session, shortcode: str) -> bool:
    ours = session.execute(
        select(PaymentSettings.shortcode, PaymentSettings.till).where(
            PaymentSettings.store_id == bound_store()
        )
    ).all()
    return any(shortcode in (row.shortcode, row.till) for row in ours)


def _attempt_for(session: Session, confirmation: Confirmation) -> UUID | None:
    """By our reference as the customer's phone showed it, else by a receipt a callback reported."""
    by_reference = session.scalar(
        select(PaymentAttempt.id).where(
            PaymentAttempt.store_id == bound_store(),
            PaymentAttempt.account_reference == confirmation.reference,
        )
    )
    return by_reference or session.scalar(
        select(PaymentAttempt.id)
        .where(
            PaymentAttempt.store_id == bound_store(),
            PaymentAttempt.reported_receipt == confirmation.receipt,
        )
        .limit(1)
    )
