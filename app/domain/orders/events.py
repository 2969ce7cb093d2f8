"""An order's timeline: written with each change, read by shopper and staff alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.domain.orders.models import Order, OrderEvent
from app.i18n import gettext as _
from app.money import format_kes


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
        OrderEvent(order_id=order.id, kind=kind, actor=actor, channel=channel, is_public=is_public, detail=detail)
    )


def words(event: OrderEvent) -> str:
    """The entry as a sentence in the reader's language."""
    d = event.detail
    amount = format_kes(d["amount_cents"]) if "amount_cents" in d else ""
    match event.kind:
        case "placed":
            return _("Order placed")
        case "prompt_sent":
            return _("Payment request sent to the phone")
        case "payment_failed":
            return _("Payment did not go through")
        case "paid":
            return _("Paid %(amount)s with M-Pesa", amount=amount)
        case "paid_late":
            return _("%(amount)s arrived late", amount=amount)
        case "paid_twice":
            return _("%(amount)s arrived a second time and is owed back", amount=amount)
        case "accepted":
            return _("To be paid on delivery")
        case "packed":
            return _("Packed")
        case "rider_assigned":
            return _("Given to %(rider)s", rider=d.get("rider", ""))
        case "dispatched":
            return _("On the way")
        case "delivered":
            return _("Delivered")
        case "collected":
            return _("Collected at the shop")
        case "returned":
            return _("Returned to the shop")
        case "closed":
            return _("Closed")
        case "cancelled":
            return _("Cancelled")
        case "hold_released":
            return _("The goods are on sale again until the order is paid")
        case "refund_due":
            return _("%(amount)s is owed back to the customer", amount=amount)
        case "phone_revealed":
            return _("Phone number shown to staff")
        case "unpacked":
            return _("Put back to pack")
        case _:
            return event.kind.replace("_", " ").capitalize()
