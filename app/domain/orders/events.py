"""An order's timeline: written with each change, read by shopper and staff alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.domain.orders.models import Order, OrderEvent
from app.i18n import gettext as _
from app.i18n import gettext_noop
from app.money import format_kes

SENTENCES: dict[str, str] = {
    "placed": gettext_noop("Order placed"),
    "prompt_sent": gettext_noop("Payment request sent to the phone"),
    "payment_failed": gettext_noop("Payment did not go through"),
    "paid": gettext_noop("Paid %(amount)s with M-Pesa"),
    "paid_late": gettext_noop("%(amount)s arrived late"),
    "paid_twice": gettext_noop("%(amount)s arrived a second time and is owed back"),
    "accepted": gettext_noop("To be paid on delivery"),
    "packed": gettext_noop("Packed"),
    "unpacked": gettext_noop("Put back to pack"),
    "rider_assigned": gettext_noop("Given to %(rider)s"),
    "dispatched": gettext_noop("On the way"),
    "delivered": gettext_noop("Delivered"),
    "collected": gettext_noop("Collected at the shop"),
    "returned": gettext_noop("Returned to the shop"),
    "closed": gettext_noop("Closed"),
    "cancelled": gettext_noop("Cancelled"),
    "hold_released": gettext_noop("The goods are on sale again until the order is paid"),
    "refund_due": gettext_noop("%(amount)s is owed back to the customer"),
    "note": gettext_noop("Note: %(text)s"),
    "rider_removed": gettext_noop("Taken back from the rider"),
    "payment_checked": gettext_noop("M-Pesa was asked again"),
    "units_corrected": gettext_noop("Numbers of units put right"),
    "phone_revealed": gettext_noop("Phone number shown to staff"),
}


def note(
    session: Session,
    order: Order,
    kind: str,
    *,
    actor: str = "system",
    channel: str = "web",
    is_public: bool = True,
    **detail: Any,
) -> None:
    """Add one entry. ``detail`` holds facts for ``words``; never a phone number."""
    session.add(
        OrderEvent(
            order_id=order.id,
            kind=kind,
            actor=actor,
            channel=channel,
            is_public=is_public,
            detail=detail,
        )
    )


def words(event: OrderEvent) -> str:
    """The entry as a sentence in the reader's language."""
    facts = dict(event.detail)
    if "amount_cents" in facts:
        facts["amount"] = format_kes(facts["amount_cents"])
    sentence = SENTENCES.get(event.kind)
    if sentence is None:
        return event.kind.replace("_", " ").capitalize()
    return _(sentence) % {"amount": "", "rider": "", "text": "", **facts}
