"""Locking a payment's rows, always in the same order: order, intent, attempt.

A shopper's retry, a callback, a query's answer and a person's decision may meet on one
order; with one order of locks they queue up instead of deadlocking.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.orders.models import Order
from app.domain.payments.models import PaymentAttempt, PaymentIntent


@dataclass(frozen=True)
class Payment:
    """One attempt with its order and intent, all as they are now and locked until the commit."""

    order: Order
    intent: PaymentIntent
    attempt: PaymentAttempt


def lock_payment(session: Session, attempt_id: UUID) -> Payment:
    """Lock an attempt with its order and intent. Raises NoResultFound."""
    order_id, intent_id = session.execute(
        select(PaymentAttempt.order_id, PaymentAttempt.intent_id).where(
            PaymentAttempt.store_id == bound_store(), PaymentAttempt.id == attempt_id
        )
    ).one()
    order = session.scalars(
        select(Order)
        .where(Order.store_id == bound_store(), Order.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    intent = session.scalars(
        select(PaymentIntent)
        .where(PaymentIntent.store_id == bound_store(), PaymentIntent.id == intent_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    attempt = session.scalars(
        select(PaymentAttempt)
        .where(PaymentAttempt.store_id == bound_store(), PaymentAttempt.id == attempt_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return Payment(order, intent, attempt)
