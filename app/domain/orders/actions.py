"""What staff do with an order: pack it, give it to a rider, deliver it, or cancel it.

Every action takes the order's row lock first, so two people at the same order act one after
the other; the second is told what the first did. None of them commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.models import StockMovement
from app.domain.delivery.models import Rider
from app.domain.errors import DomainError, FieldProblem, NotFound
from app.domain.ledger.actions import post
from app.domain.loyalty.actions import earn
from app.domain.messaging.actions import tell_customer
from app.domain.orders.events import note, words
from app.domain.orders.models import Order, OrderEvent
from app.domain.orders.queries import timeline
from app.domain.orders.states import NEXT, TO_PACK, OrderStatus
from app.domain.orders.stock import release_hold, return_to_stock
from app.domain.orders.units import name_units, units_come_back
from app.domain.payments.models import ReviewItem
from app.domain.payments.reviews import open_review
from app.domain.payments.settling import payment_entries
from app.domain.promotions.using import give_back
from app.i18n import gettext as _
from app.ids import new_id
from app.vault import vault

S = OrderStatus

MAX_REASON = 200
HAS_UNITS = (S.PACKED, S.DISPATCHED, S.DELIVERED, S.CLOSED)  # its numbered units are known


class OrderChanged(DomainError):
    """Somebody else was quicker with this order. Says who, what and when is on the timeline."""

    def __init__(self, order: Order, *, what: str, actor: str) -> None:
        self.code = order.code
        self.status = order.status
        self.what = what
        self.actor = actor
        super().__init__(
            _(
                "%(code)s was just changed by %(actor)s: %(what)s. Nothing was done twice.",
                code=order.code,
                actor=actor,
                what=what.lower(),
            )
        )


def mark_packed(
    session: Session,
    order: Order,
    *,
    actor: str,
    version: int | None = None,
    numbers: Mapping[int, Iterable[str]] | None = None,
) -> None:
    """The goods are in the bag. The customer is told.

    ``version`` is the one the person saw; an older one raises OrderChanged, as does an order
    that is not waiting to be packed. ``numbers`` are those of units that have one, by line;
    raises FieldProblem as ``units.name_units`` does.
    """
    _lock(session, order, version)
    _move(session, order, S.PACKED)
    name_units(session, order, numbers or {}, actor=actor)
    order.packed_at = utcnow()
    note(session, order, "packed", actor=actor, channel="staff")
    _finish(session, order, "packed", actor, tell="packed")


def correct_units(
    session: Session,
    order: Order,
    numbers: Mapping[int, Iterable[str]],
    *,
    actor: str,
    version: int | None = None,
) -> None:
    """Put right which numbered units are in the bag, after it was packed.

    Raises OrderChanged when it is not packed yet or was called off, and FieldProblem as
    ``units.name_units`` does.
    """
    _lock(session, order, version)
    if order.status not in HAS_UNITS:
        raise _changed(session, order)
    name_units(session, order, numbers, actor=actor)
    order.version += 1
    note(session, order, "units_corrected", actor=actor, channel="staff", is_public=False)


def assign_rider(
    session: Session,
    order: Order,
    rider: Rider | None,
    *,
    actor: str,
    version: int | None = None,
) -> None:
    """Say who will carry it, or with None that nobody does yet. The order stays where it is.

    Raises OrderChanged when the order has left or was cancelled.
    """
    _lock(session, order, version)
    if order.status not in (*TO_PACK, S.PACKED) or order.is_pickup:
        raise _changed(session, order)
    before = order.rider_id
    if before == (rider.id if rider else None):
        return
    order.rider_id = rider.id if rider else None
    order.version += 1
    note(
        session,
        order,
        "rider_assigned" if rider else "rider_removed",
        actor=actor,
        channel="staff",
        is_public=False,
        rider=rider.name if rider else "",
    )
    record(
        session,
        "order.rider",
        actor=actor,
        subject=f"order:{order.id}",
        code=order.code,
        before=before,
        after=order.rider_id,
    )


def give_to_rider(
    session: Session, order: Order, rider: Rider, *, actor: str, version: int | None = None
) -> None:
    """The rider takes the bag and leaves. The customer is told. Raises OrderChanged."""
    _lock(session, order, version)
    if order.is_pickup:
        raise _changed(session, order)
    _move(session, order, S.DISPATCHED)
    order.rider_id = rider.id
    order.dispatched_at = utcnow()
    note(session, order, "dispatched", actor=actor, channel="staff", rider=rider.name)
    _finish(
        session,
        order,
        "dispatched",
        actor,
        tell="dispatched",
        rider_name=rider.name,
        rider=rider.id,
    )


def mark_dispatched(
    session: Session, order: Order, *, actor: str, version: int | None = None
) -> None:
    """It left with the rider it was assigned to, or with somebody from outside.

    The customer is told. Raises OrderChanged.
    """
    _lock(session, order, version)
    if order.is_pickup:
        raise _changed(session, order)
    _move(session, order, S.DISPATCHED)
    order.dispatched_at = utcnow()
    rider_name = order.rider.name if order.rider else ""
    note(session, order, "dispatched", actor=actor, channel="staff", rider=rider_name)
    _finish(
        session,
        order,
        "dispatched",
        actor,
        tell="dispatched",
        rider_name=rider_name,
        rider=order.rider_id,
    )


def mark_delivered(
    session: Session, order: Order, *, actor: str, version: int | None = None
) -> None:
    """The customer has the goods. The customer is told. Raises OrderChanged."""
    _lock(session, order, version)
    if order.status != S.DISPATCHED:
        raise _changed(session, order)
    _move(session, order, S.DELIVERED)
    order.delivered_at = utcnow()
    earned = earn(session, order, actor=actor)
    note(session, order, "delivered", actor=actor, channel="staff", **_points(earned))
    _finish(session, order, "delivered", actor, tell="delivered")


def mark_collected(
    session: Session, order: Order, *, actor: str, version: int | None = None
) -> None:
    """The customer took the packed goods at the shop. Raises OrderChanged."""
    _lock(session, order, version)
    if order.status != S.PACKED:
        raise _changed(session, order)
    _move(session, order, S.DELIVERED)
    order.delivered_at = utcnow()
    earned = earn(session, order, actor=actor)
    note(session, order, "collected", actor=actor, channel="staff", **_points(earned))
    _finish(session, order, "collected", actor, tell="collected")


def cancel_order(
    session: Session, order: Order, *, reason: str, actor: str, version: int | None = None
) -> None:
    """Call the order off: its goods go back on sale and money that came is owed back.

    Money received opens a review item that asks for the refund; money that arrives later is
    found and reviewed by the payments. The customer is told. Raises FieldProblem without a
    reason, OrderChanged when the goods have left already.
    """
    why = " ".join(reason.split())
    if not why:
        raise FieldProblem("reason", _("Say in a few words why, for whoever asks later."))
    if len(why) > MAX_REASON:
        raise FieldProblem("reason", _("Say it in at most %(n)s characters.", n=MAX_REASON))
    _lock(session, order, version)
    before = order.status
    _move(session, order, S.CANCELLED)
    order.cancelled_at = utcnow()
    if not release_hold(session, order) and _goods_are_out(session, order):
        return_to_stock(session, order, actor=actor)
    units_come_back(session, order)
    give_back(session, order.id, actor=actor)
    note(session, order, "cancelled", actor=actor, channel="staff")
    note(session, order, "note", actor=actor, channel="staff", is_public=False, text=why)
    owed_cents = _owe_back(session, order)
    if owed_cents:
        note(session, order, "refund_due", actor=actor, channel="staff", amount_cents=owed_cents)
        tell_customer(session, order, "refund_due")
    _finish(
        session,
        order,
        "cancelled",
        actor,
        tell="cancelled",
        before=before,
        reason=why,
        owed_cents=owed_cents,
    )


def add_note(session: Session, order: Order, *, text: str, actor: str) -> None:
    """Leave a remark that only staff see. Raises FieldProblem for an empty or endless one."""
    remark = " ".join(text.split())
    if not remark or len(remark) > MAX_REASON:
        raise FieldProblem("text", _("Write 1 to %(n)s characters.", n=MAX_REASON))
    note(session, order, "note", actor=actor, channel="staff", is_public=False, text=remark)


def reveal_phone(session: Session, order: Order, *, actor: str, why: str) -> str:
    """The customer's whole number in E.164. Every look is on the audit trail and the timeline."""
    phone = order.customer.phone
    note(session, order, "phone_revealed", actor=actor, channel="staff", is_public=False)
    record(
        session,
        "phone.revealed",
        actor=actor,
        subject=f"order:{order.id}",
        code=order.code,
        customer=order.customer_id,
        why=why,
    )
    return phone


def note_check(session: Session, order: Order, *, actor: str) -> None:
    """Write down that a person asked the provider again how the payment stands."""
    note(session, order, "payment_checked", actor=actor, channel="staff", is_public=False)
    record(
        session,
        "payment.checked",
        actor=actor,
        subject=f"order:{order.id}",
        code=order.code,
    )


def give_run_to_rider(
    session: Session, orders: Iterable[Order], rider: Rider, *, actor: str
) -> list[Order]:
    """Assign several packed orders to one rider. Returns the ones that were still to give.

    Rows are locked in the order of their ids, so two dispatchers never block each other.
    """
    given = []
    for order in sorted(orders, key=lambda order: order.id):
        try:
            assign_rider(session, order, rider, actor=actor)
        except OrderChanged:
            continue
        given.append(order)
    return given


def add_rider(session: Session, *, name: str, actor: str, phone: str | None = None) -> Rider:
    """Take on a rider, with an E.164 number if they have told it."""
    rider = Rider(
        name=name,
        phone_sealed=vault().seal(phone, store_id=bound_store(), column="riders.phone")
        if phone
        else None,
        phone_lookup=vault().lookup(phone, store_id=bound_store()) if phone else None,
    )
    session.add(rider)
    session.flush()
    record(session, "rider.added", actor=actor, subject=f"rider:{rider.id}", name=name)
    return rider


def _lock(session: Session, order: Order, version: int | None) -> None:
    """Take the row's lock and read it afresh. Raises NotFound, OrderChanged."""
    session.flush()
    fresh = session.get(
        Order, (bound_store(), order.id), with_for_update=True, populate_existing=True
    )
    if fresh is None:
        raise NotFound
    if version is not None and fresh.version != version:
        raise _changed(session, fresh)


def _move(session: Session, order: Order, status: OrderStatus) -> None:
    if status not in NEXT[OrderStatus(order.status)]:
        raise _changed(session, order)
    order.move_to(status)


def _points(earned: int) -> dict[str, Any]:
    return {"points": earned} if earned else {}


def _changed(session: Session, order: Order) -> OrderChanged:
    events: list[OrderEvent] = timeline(session, order, public_only=True)
    if not events:
        return OrderChanged(order, what=str(order.status), actor=_("someone else"))
    latest = events[0]
    actor = _("Dukani") if latest.actor == "system" else latest.actor
    return OrderChanged(order, what=words(latest), actor=actor)


def _finish(
    session: Session,
    order: Order,
    action: str,
    actor: str,
    *,
    tell: str,
    rider_name: str = "",
    **detail: Any,
) -> None:
    tell_customer(session, order, tell, rider=rider_name)
    record(
        session,
        f"order.{action}",
        actor=actor,
        subject=f"order:{order.id}",
        code=order.code,
        **detail,
    )


def _goods_are_out(session: Session, order: Order) -> bool:
    """Whether more of this order's goods went out of stock than came back."""
    moved = session.scalar(
        select(func.coalesce(func.sum(StockMovement.quantity), 0)).where(
            StockMovement.store_id == bound_store(), StockMovement.order_id == order.id
        )
    )
    return bool(moved and moved < 0)


def _owe_back(session: Session, order: Order) -> int:
    """Money that paid for a cancelled order is the customer's again, and somebody must send it.

    Returns the cents owed, 0 when none had come. Money that came twice has an item of its own.
    """
    if order.paid_at is None:
        return 0
    entries = {account: -cents for account, cents in payment_entries(order).items() if cents}
    # The money itself stays in the till until it is sent back.
    entries["customer_credit"] = entries.pop("mpesa_till")
    asked_before = session.scalar(
        select(ReviewItem.id).where(
            ReviewItem.store_id == bound_store(),
            ReviewItem.kind == "refund_due",
            ReviewItem.subject_id == order.id,
        )
    )
    subject_id = new_id() if asked_before else order.id
    post(session, "order_cancelled", subject_id, entries)
    open_review(
        session,
        "refund_due",
        subject_id=subject_id,
        order_id=order.id,
        amount_cents=order.total_cents,
        next_action="refund",
    )
    return order.total_cents
