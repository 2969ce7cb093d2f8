"""An order's life. The database keeps the same table as a trigger; a test compares the two."""

from __future__ import annotations

from enum import StrEnum


class OrderStatus(StrEnum):
    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    ACCEPTED = "accepted"  # to be paid on delivery
    PACKED = "packed"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CLOSED = "closed"
    CANCELLED = "cancelled"


S = OrderStatus
FIRST: frozenset[OrderStatus] = frozenset({S.PENDING_PAYMENT, S.ACCEPTED})
NEXT: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.PENDING_PAYMENT: frozenset({S.PAID, S.ACCEPTED, S.CANCELLED}),
    S.PAID: frozenset({S.PACKED, S.CANCELLED}),
    S.ACCEPTED: frozenset({S.PACKED, S.CANCELLED}),
    # Delivered at once: the customer collected it at the shop.
    S.PACKED: frozenset({S.DISPATCHED, S.DELIVERED, S.CANCELLED}),
    S.DISPATCHED: frozenset({S.DELIVERED, S.RETURNED}),
    S.DELIVERED: frozenset({S.CLOSED, S.RETURNED}),
    S.RETURNED: frozenset({S.CLOSED}),
    S.CLOSED: frozenset(),
    # The owner may honour money that came after the order was cancelled.
    S.CANCELLED: frozenset({S.PAID}),
}

TO_PACK: frozenset[OrderStatus] = frozenset({S.PAID, S.ACCEPTED})
SOLD: frozenset[OrderStatus] = frozenset(
    {S.PAID, S.ACCEPTED, S.PACKED, S.DISPATCHED, S.DELIVERED, S.CLOSED}
)
