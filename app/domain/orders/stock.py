"""Holding stock for an order that is being paid, and what becomes of the hold.

Rows are locked in primary-key order, so two orders for the same goods queue up and
never deadlock. A CHECK on the table stands behind every statement here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from sqlalchemy import Case, case, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.catalog.models import StockMovement, Variant
from app.domain.errors import OutOfStock
from app.domain.orders.models import Order, OrderLine, Reservation
from app.ids import new_id

# Lock in key order, take what is there, note who has it: one statement, because every checkout
# of a store passes here while others wait.
_HOLD = text(
    "WITH wanted AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:variants AS uuid[]),"
    " CAST(:quantities AS integer[])) AS w(id, variant_id, quantity)),"
    " locked AS MATERIALIZED (SELECT v.id FROM app.variants v"
    " WHERE v.store_id = app.store_id() AND v.id = ANY(CAST(:variants AS uuid[]))"
    " ORDER BY v.id FOR UPDATE),"
    " held AS (UPDATE app.variants v SET reserved = v.reserved + w.quantity"
    " FROM locked l JOIN wanted w ON w.variant_id = l.id"
    " WHERE v.store_id = app.store_id() AND v.id = l.id AND v.on_hand - v.reserved >= w.quantity"
    " RETURNING w.id, v.id AS variant_id, w.quantity)"
    " INSERT INTO app.reservations (id, order_id, variant_id, quantity, status, expires_at)"
    " SELECT id, :order_id, variant_id, quantity, 'live', :until FROM held RETURNING variant_id"
)

# The same for the sale. A movement takes the id of its reservation, so that no hold sells twice.
_CONSUME = text(
    "WITH held AS MATERIALIZED (SELECT id, variant_id FROM app.reservations"
    " WHERE store_id = app.store_id() AND order_id = :order_id AND status = 'live'),"
    " locked AS MATERIALIZED (SELECT v.id FROM app.variants v WHERE v.store_id = app.store_id()"
    " AND v.id IN (SELECT variant_id FROM held) ORDER BY v.id FOR UPDATE),"
    " closed AS (UPDATE app.reservations r SET status = 'consumed' FROM held h"
    " WHERE r.store_id = app.store_id() AND r.id = h.id AND r.status = 'live'"
    " RETURNING r.id, r.variant_id, r.quantity),"
    " moved AS (INSERT INTO app.stock_movements (id, variant_id, quantity, reason, order_id, actor)"
    " SELECT id, variant_id, -quantity, 'sale', :order_id, :actor FROM closed)"
    " UPDATE app.variants v SET on_hand = v.on_hand - sold.quantity,"
    " reserved = v.reserved - sold.quantity"
    " FROM locked l JOIN (SELECT variant_id, sum(quantity)::integer AS quantity FROM closed"
    " GROUP BY variant_id) sold ON sold.variant_id = l.id"
    " WHERE v.store_id = app.store_id() AND v.id = l.id RETURNING v.on_hand - v.reserved"
)
LAST_FEW = 3  # from here on pages say how many are left


def hold(session: Session, order_id: UUID, wanted: Mapping[UUID, int], *, until: datetime) -> None:
    """Reserve every variant of ``wanted``, or none: the caller rolls back when this says no.

    Raises OutOfStock naming the first variant that is short, as it stands now.
    """
    held = session.scalars(
        _HOLD,
        {
            "order_id": order_id,
            "until": until,
            "ids": [new_id() for _ in wanted],
            "variants": list(wanted),
            "quantities": list(wanted.values()),
        },
    ).all()
    if len(held) < len(wanted):
        _refuse(session, wanted, set(held))


def _refuse(session: Session, wanted: Mapping[UUID, int], held: set[UUID]) -> NoReturn:
    """Say which variant is short. Raises OutOfStock."""
    short = session.execute(
        select(Variant.sku, Variant.on_hand - Variant.reserved)
        .where(Variant.store_id == bound_store(), Variant.id.in_(set(wanted) - held))
        .order_by(Variant.id)
        .limit(1)
    ).one_or_none()
    sku, available = short or ("", 0)
    raise OutOfStock(sku, available=available)


def hold_again(session: Session, order: Order, *, until: datetime) -> bool:
    """Reserve an order's goods once more after its hold was released. Raises OutOfStock.

    Returns whether it had been: then what its promotions gave is to be taken again too.
    """
    if live_hold(session, order.id):
        return False
    hold(session, order.id, _wanted(session, order.id), until=until)
    return True


def live_hold(session: Session, order_id: UUID) -> dict[UUID, int]:
    """What is still reserved for this order: variant → quantity."""
    rows = session.execute(
        select(Reservation.variant_id, Reservation.quantity)
        .where(
            Reservation.store_id == bound_store(),
            Reservation.order_id == order_id,
            Reservation.status == "live",
        )
        .order_by(Reservation.variant_id)
    )
    return {row.variant_id: row.quantity for row in rows}


def release_hold(session: Session, order: Order) -> bool:
    """Put an order's reserved stock back on sale. Returns whether there was a hold."""
    held = live_hold(session, order.id)
    if not held:
        return False
    _lock(session, held)
    _close(session, order.id, "released")
    _add_to_reserved(session, held, sign=-1)
    return True


def consume_hold(session: Session, order: Order, *, actor: str = "system") -> None:
    """The goods are sold: take them out of stock, with a movement each. Once per hold."""
    left = session.scalars(_CONSUME, {"order_id": order.id, "actor": actor}).all()
    if any(stock <= LAST_FEW for stock in left):
        # Pages show stock in words; they must be made anew when those words change.
        touch_content(session)


def return_to_stock(session: Session, order: Order, *, actor: str) -> None:
    """The goods of a cancelled or returned order go back on the shelf."""
    sold = _wanted(session, order.id)
    if not sold:
        return
    _lock(session, sold)
    session.execute(
        update(Variant)
        .where(Variant.store_id == bound_store(), Variant.id.in_(sold))
        .values(on_hand=Variant.on_hand + _quantity_of(sold))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        insert(StockMovement),
        [
            {
                "id": new_id(),
                "variant_id": v,
                "quantity": q,
                "reason": "return",
                "order_id": order.id,
                "actor": actor,
            }
            for v, q in sold.items()
        ],
    )


def _wanted(session: Session, order_id: UUID) -> dict[UUID, int]:
    rows = session.execute(
        select(OrderLine.variant_id, OrderLine.quantity).where(
            OrderLine.store_id == bound_store(),
            OrderLine.order_id == order_id,
            OrderLine.variant_id.is_not(None),
        )
    )
    wanted: dict[UUID, int] = {}
    for variant_id, quantity in rows:
        if variant_id is not None:
            wanted[variant_id] = wanted.get(variant_id, 0) + quantity
    return wanted


def _lock(session: Session, variants: Mapping[UUID, int]) -> None:
    session.execute(
        select(Variant.id)
        .where(Variant.store_id == bound_store(), Variant.id.in_(variants))
        .order_by(Variant.id)
        .with_for_update()
    )


def _quantity_of(quantities: Mapping[UUID, int]) -> Case[int]:
    return case(*((Variant.id == v, q) for v, q in quantities.items()), else_=0)


def _add_to_reserved(session: Session, quantities: Mapping[UUID, int], *, sign: int) -> None:
    session.execute(
        update(Variant)
        .where(Variant.store_id == bound_store(), Variant.id.in_(quantities))
        .values(reserved=Variant.reserved + sign * _quantity_of(quantities))
        .execution_options(synchronize_session=False)
    )


def _close(session: Session, order_id: UUID, status: str) -> None:
    session.execute(
        update(Reservation)
        .where(
            Reservation.store_id == bound_store(),
            Reservation.order_id == order_id,
            Reservation.status == "live",
        )
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
