"""Beginning a payment: one open attempt per order, one prompt per attempt.

The attempt is written before anybody is asked, with the secret its callback will
carry; the prompt itself is sent by a worker after the commit.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from math import ceil
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.checkout.keys import claim_key, finish_key
from app.domain.errors import (
    AlreadyPaid,
    AmountNotPayable,
    FieldProblem,
    NotPayable,
    PromptStillAlive,
    TooManyTries,
)
from app.domain.orders import stock
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.models import PaymentAttempt, PaymentIntent
from app.domain.payments.states import OPEN, AttemptStatus, IntentStatus
from app.domain.promotions.using import take_again
from app.ids import new_id, new_reference, new_token, token_hash
from app.jobs import Topic, Work, ask_for_all
from app.phones import InvalidPhone, parse_msisdn
from app.timings import timings
from app.vault import vault

LIMIT_CENTS = 250_000_00
PROMPTS_PER_PHONE = 3
PROMPT_WINDOW_SECONDS = 600

_OPEN = text(
    "INSERT INTO app.payment_intents (id, order_id, amount_cents)"
    " VALUES (:id, :order_id, :amount_cents)"
)
_BEGIN = text(
    "WITH intent AS (UPDATE app.payment_intents SET status = 'processing'"
    " WHERE store_id = app.store_id() AND id = :intent_id)"
    " INSERT INTO app.payment_attempts (id, intent_id, order_id, amount_cents, phone_sealed,"
    " phone_lookup, account_reference, token_hash, token_sealed) VALUES (:id, :intent_id,"
    " :order_id, :amount_cents, :phone_sealed, :phone_lookup, :account_reference, :token_hash,"
    " :token_sealed)"
)
_QUEUE_UP = text("SELECT pg_advisory_xact_lock(71002, hashtext(:phone))")
_RECENT_PROMPTS = text(
    "SELECT count(*), extract(epoch FROM clock_timestamp() - min(created_at))"
    " FROM app.payment_attempts WHERE store_id = app.store_id() AND phone_lookup = :phone"
    " AND created_at > now() - make_interval(secs => :window)"
)


def open_intent(session: Session, order_id: UUID, amount_cents: int) -> UUID:
    """What this order has to collect. One per order; returns its id."""
    if not 100 <= amount_cents <= LIMIT_CENTS:
        raise AmountNotPayable(amount_cents)
    intent_id = new_id()
    session.execute(_OPEN, {"id": intent_id, "order_id": order_id, "amount_cents": amount_cents})
    return intent_id


def begin_attempt(
    session: Session, order_id: UUID, intent_id: UUID, *, amount_cents: int, phone: str
) -> UUID:
    """Write one try at collecting the order's money from ``phone`` (E.164) and ask for its prompt.

    The goods, which are held by now, go back on sale when the reservation's time is over.
    Returns the attempt's id. Raises TooManyTries when this phone was prompted too often in
    this store.
    """
    store_id = bound_store()
    lookup = vault().lookup(phone, store_id=store_id)
    _refuse_too_many_prompts(session, lookup)
    token, attempt_id = new_token(), new_id()
    session.execute(
        _BEGIN,
        {
            "id": attempt_id,
            "intent_id": intent_id,
            "order_id": order_id,
            "amount_cents": amount_cents,
            "phone_sealed": vault().seal(phone, store_id=store_id, column="payment_attempts.phone"),
            "phone_lookup": lookup,
            "account_reference": new_reference(8),
            "token_hash": token_hash(token),
            "token_sealed": vault().seal(token, store_id=store_id, column="payment_attempts.token"),
        },
    )
    ask_for_all(
        session,
        Work(Topic.SEND_ATTEMPT, str(attempt_id), {"attempt_id": str(attempt_id)}),
        Work(
            Topic.RELEASE_HOLD,
            str(attempt_id),
            {"order_id": str(order_id)},
            after_seconds=timings().reservation,
        ),
    )
    return attempt_id


def retry_payment(session: Session, order: Order, *, phone: str | None, key: str) -> PaymentAttempt:
    """Try again on the same intent, on the same number or another one typed by the shopper.

    Once per ``key``: the same form again returns the attempt that stands. Only when no
    earlier prompt can still be answered: raises PromptStillAlive with the seconds to wait.
    Raises AlreadyPaid, NotPayable, FieldProblem, OutOfStock when the goods were put back on
    sale and sold since, TooManyTries, KeyReused. Does not commit.
    """
    fingerprint = hashlib.sha256(f"{order.id}:{phone or ''}".encode()).digest()
    replay = claim_key(session, key, fingerprint)
    session.refresh(order, with_for_update=True)
    if replay is not None:
        return session.get_one(PaymentAttempt, (bound_store(), UUID(replay)))
    if order.status == OrderStatus.CANCELLED:
        raise NotPayable
    intent = session.scalars(
        select(PaymentIntent)
        .where(PaymentIntent.store_id == bound_store(), PaymentIntent.order_id == order.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if order.status != OrderStatus.PENDING_PAYMENT or intent.status == IntentStatus.SUCCEEDED:
        raise AlreadyPaid
    last = latest_attempt(session, order.id)
    now = utcnow()
    if last is not None:
        _make_way(session, last, now)
    if stock.hold_again(session, order, until=timings().reservation_end(now)):
        take_again(session, order.id, is_paid=False)
    attempt_id = begin_attempt(
        session,
        order.id,
        intent.id,
        amount_cents=intent.amount_cents,
        phone=_phone_for(order, last, phone),
    )
    session.expire(intent)
    finish_key(session, key, str(attempt_id))
    return session.get_one(PaymentAttempt, (bound_store(), attempt_id))


def latest_attempt(session: Session, order_id: UUID) -> PaymentAttempt | None:
    """The newest try at collecting this order's money."""
    return session.scalars(
        select(PaymentAttempt)
        .where(PaymentAttempt.store_id == bound_store(), PaymentAttempt.order_id == order_id)
        .order_by(PaymentAttempt.created_at.desc(), PaymentAttempt.id.desc())
        .limit(1)
    ).one_or_none()


def seconds_until_retry(attempt: PaymentAttempt, now: datetime) -> int | None:
    """How long until another prompt may be sent: 0 for now, None while nobody can say."""
    if attempt.status not in OPEN:
        return None if attempt.is_paid_but_unconfirmed else 0
    if (
        attempt.status == AttemptStatus.UNKNOWN
        and attempt.checkout_request_id is None
        and attempt.callback_at is None
    ):
        asked = attempt.sent_at or attempt.created_at
        return max(0, ceil(timings().resend_after_unknown - (now - asked).total_seconds()))
    if (
        attempt.prompt_ends_at is not None
        and attempt.prompt_ends_at > now
        and attempt.callback_at is None
    ):
        return ceil((attempt.prompt_ends_at - now).total_seconds())
    return None


def _make_way(session: Session, last: PaymentAttempt, now: datetime) -> None:
    """Let a new attempt begin, or refuse while the last one may still take the money."""
    session.refresh(last, with_for_update=True)
    wait = seconds_until_retry(last, now)
    if last.status not in OPEN and wait == 0:
        return
    if last.status == AttemptStatus.UNKNOWN and wait == 0:
        # Nobody can ask about it (no CheckoutRequestID). Late money on it still counts.
        last.move_to(AttemptStatus.EXPIRED)
        last.result_code, last.ended_at = "replaced", now
        session.flush()
        return
    raise PromptStillAlive(wait_seconds=wait if wait is not None else int(timings().check_every))


def _phone_for(order: Order, last: PaymentAttempt | None, typed: str | None) -> str:
    if typed:
        try:
            return parse_msisdn(typed)
        except InvalidPhone as error:
            raise FieldProblem("phone", str(error)) from error
    return last.phone if last is not None else order.customer.phone


def _refuse_too_many_prompts(session: Session, lookup: bytes) -> None:
    """At most three prompts to a phone in ten minutes, counted in Postgres.

    The lock lets two checkouts of one phone count one after the other; it is a statement of
    its own, so that the count sees what was committed while it waited.
    """
    session.execute(_QUEUE_UP, {"phone": lookup.hex()})
    count, age = session.execute(
        _RECENT_PROMPTS, {"phone": lookup, "window": PROMPT_WINDOW_SECONDS}
    ).one()
    if count >= PROMPTS_PER_PHONE:
        raise TooManyTries(retry_after_seconds=max(1, int(PROMPT_WINDOW_SECONDS - age)))
