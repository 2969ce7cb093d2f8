"""Applying a payment's result. This is the one place where money becomes "paid".

Whoever brings the news (callback and query, silence and query, a C2B confirmation, a
person's decision), it ends in ``settle``: one transaction over attempt, intent, ledger,
order, stock, timeline, audit and the messages that follow.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.audit.actions import record
from app.domain.cart.actions import take_out_ordered
from app.domain.errors import OutOfStock
from app.domain.ledger.actions import post
from app.domain.messaging.actions import complete_receipt, tell_customer
from app.domain.orders import stock
from app.domain.orders.events import note
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.locking import lock_payment
from app.domain.payments.models import PaymentAttempt, PaymentIntent
from app.domain.payments.reviews import open_review
from app.domain.payments.states import AttemptStatus, IntentStatus
from app.domain.promotions.using import give_back, take_again
from app.logging import get_logger
from app.timings import timings

log = get_logger("mpesa")


def settle(
    session: Session,
    attempt_id: UUID,
    *,
    confirmed_by: str,
    receipt: str | None = None,
    taken_from: str = "mpesa_till",
) -> bool:
    """Money for this attempt is in the store's till. Applied once; returns whether this call applied it.

    ``confirmed_by`` is query, c2b, trust or staff. ``taken_from`` is ``unmatched`` where the
    ledger holds this money already. A receipt that comes later is still kept. Does not commit.
    """
    payment = lock_payment(session, attempt_id)
    order, intent, attempt = payment.order, payment.intent, payment.attempt
    receipt = receipt or attempt.reported_receipt
    if attempt.status == AttemptStatus.SUCCEEDED:
        if receipt and attempt.receipt is None and order.status == OrderStatus.PAID:
            complete_receipt(session, order, receipt)
        _keep_receipt(session, attempt, receipt)
        return False

    attempt.move_to(AttemptStatus.SUCCEEDED)
    attempt.confirmed_by, attempt.ended_at, attempt.result_code = confirmed_by, utcnow(), "0"
    session.flush()
    _keep_receipt(session, attempt, receipt)
    if order.status == OrderStatus.PENDING_PAYMENT and intent.status != IntentStatus.SUCCEEDED:
        _pay_order(session, order, intent, attempt, taken_from)
    else:
        _owe_back(session, order, attempt, taken_from)
    record(
        session,
        "payment.settled",
        actor=f"mpesa:{confirmed_by}",
        subject=f"order:{order.id}",
        attempt_id=attempt.id,
        amount_cents=attempt.amount_cents,
        order_status=str(order.status),
    )
    log.info(
        "attempt_settled",
        attempt_id=str(attempt.id),
        order_id=str(order.id),
        confirmed_by=confirmed_by,
    )
    return True


def _pay_order(
    session: Session, order: Order, intent: PaymentIntent, attempt: PaymentAttempt, taken_from: str
) -> None:
    """The order gets its money, and its goods if they can still be had."""
    now = utcnow()
    try:
        with session.begin_nested():
            if stock.hold_again(session, order, until=timings().reservation_end(now)):
                take_again(session, order.id, is_paid=True)
    except OutOfStock:
        give_back(session, order.id)
        order.move_to(OrderStatus.CANCELLED)
        order.cancelled_at = now
        intent.move_to(IntentStatus.CANCELED)
        note(session, order, "cancelled", reason="sold_out")
        _credit(
            session, order, attempt, taken_from, review="late_money_sold_out", next_action="refund"
        )
        return
    stock.consume_hold(session, order)
    intent.move_to(IntentStatus.SUCCEEDED)
    intent.succeeded_at = now
    entries = payment_entries(order)
    entries[taken_from] = entries.pop("mpesa_till")
    post(session, "mpesa_payment", attempt.id, entries)
    order.move_to(OrderStatus.PAID)
    order.paid_at = now
    take_out_ordered(session, order.cart_id, order.id)
    note(session, order, "paid", channel="mpesa", amount_cents=attempt.amount_cents)
    # A query knows no code: the callback or the C2B confirmation gets a moment to bring it.
    patience = 0 if attempt.receipt else timings().receipt_patience
    tell_customer(session, order, "receipt", receipt=attempt.receipt or "", after_seconds=patience)


def payment_entries(order: Order) -> dict[str, int]:
    """How an order's money is split in the ledger, in cents that sum to zero."""
    return {
        "mpesa_till": order.total_cents,
        "delivery_income": -order.delivery_fee_cents,
        "vat_payable": -order.vat_cents,
        "sales": -(order.total_cents - order.delivery_fee_cents - order.vat_cents),
    }


def _owe_back(session: Session, order: Order, attempt: PaymentAttempt, taken_from: str) -> None:
    """Money the order cannot use: it came twice, or after the order was cancelled."""
    if order.status == OrderStatus.CANCELLED:
        note(session, order, "paid_late", channel="mpesa", amount_cents=attempt.amount_cents)
        _credit(
            session, order, attempt, taken_from, review="late_money", next_action="honour_or_refund"
        )
    else:
        note(session, order, "paid_twice", channel="mpesa", amount_cents=attempt.amount_cents)
        _credit(session, order, attempt, taken_from, review="paid_twice", next_action="refund")


def _credit(
    session: Session,
    order: Order,
    attempt: PaymentAttempt,
    taken_from: str,
    *,
    review: str,
    next_action: str,
) -> None:
    post(
        session,
        "mpesa_payment",
        attempt.id,
        {taken_from: attempt.amount_cents, "customer_credit": -attempt.amount_cents},
    )
    open_review(
        session,
        review,
        subject_id=attempt.id,
        order_id=order.id,
        amount_cents=attempt.amount_cents,
        next_action=next_action,
    )
    note(session, order, "refund_due", is_public=False, amount_cents=attempt.amount_cents)


def _keep_receipt(session: Session, attempt: PaymentAttempt, receipt: str | None) -> None:
    """Save the receipt; one that is already used elsewhere must not stop the money."""
    if receipt is None or attempt.receipt is not None:
        return
    try:
        with session.begin_nested():
            attempt.receipt = receipt
            session.flush()
    except IntegrityError:
        session.refresh(attempt)
        open_review(
            session,
            "receipt_used_elsewhere",
            subject_id=attempt.id,
            order_id=attempt.order_id,
            amount_cents=attempt.amount_cents,
            next_action="compare_with_statement",
        )
