"""What people decide about money, and the ways into the payment story.

``retry_payment`` begins another attempt; ``settle`` is the one place money becomes paid.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.errors import DomainError
from app.domain.ledger.actions import post
from app.domain.messaging.actions import tell_customer
from app.domain.orders import stock
from app.domain.orders.events import note
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.beginning import retry_payment
from app.domain.payments.models import IncomingPayment, ReviewItem
from app.domain.payments.settling import payment_entries, settle
from app.domain.promotions.using import take_again
from app.i18n import gettext_lazy as _
from app.timings import timings

__all__ = ["ACTIONS", "resolve_review", "retry_payment", "settle"]

# What may be decided about each kind of item. Words are the buttons'.
ACTIONS: dict[str, dict[str, str]] = {
    "amount_differs": {"accept": _("The full amount arrived"), "dismiss": _("No money arrived")},
    "unconfirmed_callback": {"accept": _("The money arrived"), "dismiss": _("No money arrived")},
    "silent_attempt": {"accept": _("The money arrived"), "dismiss": _("No money arrived")},
    "late_money": {"honour": _("Honour the order"), "refunded": _("I sent the money back")},
    "late_money_sold_out": {
        "honour": _("Honour the order"),
        "refunded": _("I sent the money back"),
    },
    "paid_twice": {"refunded": _("I sent the money back")},
    "refund_due": {"refunded": _("I sent the money back")},
    "unmatched_money": {"refunded": _("I sent the money back")},
    "receipt_used_elsewhere": {"dismiss": _("I have compared it")},
    "unreadable_callback": {"dismiss": _("I have seen it")},
}


class NotPossible(DomainError):
    """This cannot be decided like that any more."""

    def __init__(self) -> None:
        super().__init__(_("That was already decided, or is not possible for this item."))


def resolve_review(session: Session, item: ReviewItem, action: str, *, actor: str) -> None:
    """Carry out a person's decision about money, with an audit entry. Does not commit.

    Raises NotPossible, and OutOfStock when an order is honoured whose goods are gone.
    """
    session.refresh(item, with_for_update=True)
    if item.status != "open" or action not in ACTIONS.get(item.kind, {}):
        raise NotPossible
    if action == "accept":
        settle(
            session, item.subject_id, confirmed_by="staff", taken_from=_where_it_is(session, item)
        )
    elif action == "honour":
        _honour(session, item, actor)
    elif action == "refunded":
        _give_back(session, item)
    item.status, item.resolution = "resolved", action
    item.resolved_at, item.resolved_by = utcnow(), actor
    record(
        session,
        f"review.{action}",
        actor=actor,
        subject=f"review:{item.id}",
        kind=item.kind,
        order_id=item.order_id,
        amount_cents=item.amount_cents,
    )


def _where_it_is(session: Session, item: ReviewItem) -> str:
    """The account that holds an attempt's money: ``unmatched`` once a C2B confirmation brought it."""
    arrived = session.scalar(
        select(IncomingPayment.id).where(
            IncomingPayment.store_id == bound_store(), IncomingPayment.attempt_id == item.subject_id
        )
    )
    return "unmatched" if arrived else "mpesa_till"


def _honour(session: Session, item: ReviewItem, actor: str) -> None:
    """Take the late money for the order after all: the goods must still be there."""
    if item.order_id is None:
        raise NotPossible
    order = session.get_one(Order, (bound_store(), item.order_id), with_for_update=True)
    if order.status != OrderStatus.CANCELLED:
        raise NotPossible
    stock.hold_again(session, order, until=timings().reservation_end(utcnow()))
    take_again(session, order.id, is_paid=True)
    stock.consume_hold(session, order, actor=actor)
    order.move_to(OrderStatus.PAID)
    order.paid_at, order.cancelled_at = utcnow(), None
    entries = payment_entries(order)
    del entries["mpesa_till"]
    post(
        session,
        "late_money_honoured",
        item.subject_id,
        {"customer_credit": order.total_cents, **entries},
    )
    note(session, order, "paid", actor=actor, channel="staff", amount_cents=order.total_cents)
    tell_customer(session, order, "receipt")


def _give_back(session: Session, item: ReviewItem) -> None:
    """The owner sent money back by hand: what is owed goes down, and so does the till."""
    if item.amount_cents is None:
        raise NotPossible
    owed = "unmatched" if item.kind == "unmatched_money" else "customer_credit"
    post(
        session,
        "refund_by_hand",
        item.id,
        {owed: item.amount_cents, "mpesa_till": -item.amount_cents},
    )
