"""Counting what promotions give: taken with an order, given back with it, kept when it is paid late.

A code's limits are one conditional UPDATE with a CHECK behind it, so that no number of orders at
once can spend more than the owner allowed. Goods are always held before a code is counted, and
let go before it is given back: two orders meet their locks in one order. Points that an order
spent go the same ways, after its code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.loyalty.actions import give_back_points, take_points_again
from app.domain.promotions.coupons import CodeRefused, Coupon, only_first, used_before, used_up
from app.ids import new_id

_TAKE = text(
    "UPDATE app.promotions SET used = used + 1, given_cents = given_cents + :cents"
    " WHERE store_id = app.store_id() AND id = :id AND is_active AND removed_at IS NULL"
    " AND (max_uses IS NULL OR used < max_uses)"
    " AND (budget_cents IS NULL OR given_cents + :cents <= budget_cents) RETURNING 1"
)
# Of its own, after the code's row is locked: so it sees what was committed while it waited.
_USES_OF_PHONE = text(
    "SELECT count(*) FROM app.promotion_uses WHERE store_id = app.store_id()"
    " AND promotion_id = :id AND phone_lookup = :phone AND released_at IS NULL"
)
_ORDERS_OF_PHONE = text(
    "SELECT EXISTS (SELECT 1 FROM app.orders o JOIN app.customers c"
    " ON c.store_id = o.store_id AND c.id = o.customer_id WHERE o.store_id = app.store_id()"
    " AND c.phone_lookup = :phone AND o.status <> 'cancelled' AND o.id <> :order_id)"
)
_NOTE = text(
    "INSERT INTO app.promotion_uses (id, promotion_id, order_id, phone_lookup, given_cents)"
    " SELECT id, promotion_id, :order_id, :phone, given_cents"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb))"
    " AS w(id uuid, promotion_id uuid, given_cents bigint)"
)
_GIVE_BACK = text(
    "WITH back AS (UPDATE app.promotion_uses u SET released_at = now()"
    " WHERE u.store_id = app.store_id() AND u.order_id = :order_id AND u.released_at IS NULL"
    " RETURNING u.promotion_id, u.given_cents, u.is_over),"
    " freed AS (UPDATE app.promotions p SET used = p.used - 1,"
    " given_cents = p.given_cents - b.given_cents"
    " FROM back b WHERE p.store_id = app.store_id() AND p.id = b.promotion_id"
    " AND p.kind = 'coupon' AND NOT b.is_over)"
    " SELECT EXISTS (SELECT 1 FROM app.point_moves WHERE store_id = app.store_id()"
    " AND order_id = :order_id)"
)
# What an order lost is taken once more: where the limits allow it, or beside them.
_TAKE_AGAIN = text(
    "WITH lost AS MATERIALIZED (SELECT u.id, u.promotion_id, u.given_cents, p.kind"
    " FROM app.promotion_uses u JOIN app.promotions p"
    " ON p.store_id = u.store_id AND p.id = u.promotion_id WHERE u.store_id = app.store_id()"
    " AND u.order_id = :order_id AND u.released_at IS NOT NULL),"
    " counted AS (UPDATE app.promotions p SET used = p.used + 1,"
    " given_cents = p.given_cents + l.given_cents FROM lost l"
    " WHERE p.store_id = app.store_id() AND p.id = l.promotion_id AND l.kind = 'coupon'"
    " AND (p.max_uses IS NULL OR p.used < p.max_uses)"
    " AND (p.budget_cents IS NULL OR p.given_cents + l.given_cents <= p.budget_cents)"
    " RETURNING p.id)"
    " UPDATE app.promotion_uses u SET released_at = NULL,"
    " is_over = l.kind = 'coupon' AND l.promotion_id NOT IN (SELECT id FROM counted)"
    " FROM lost l WHERE u.store_id = app.store_id() AND u.id = l.id"
    " AND (:is_paid OR l.kind <> 'coupon' OR l.promotion_id IN (SELECT id FROM counted))"
    " RETURNING u.id"
)
_LOST = text(
    "SELECT (SELECT count(*) FROM app.promotion_uses WHERE store_id = app.store_id()"
    " AND order_id = :order_id AND released_at IS NOT NULL) AS uses,"
    " EXISTS (SELECT 1 FROM app.point_moves WHERE store_id = app.store_id()"
    " AND order_id = :order_id AND reason = 'given_back') AS points"
)


def count_uses(
    session: Session,
    order_id: UUID,
    given: Mapping[UUID, int],
    *,
    phone_lookup: bytes,
    coupon: Coupon | None = None,
) -> None:
    """Write down what an order got, and count its code against the code's limits.

    ``given`` is cents by promotion, the code's own included. Raises CodeRefused when the code
    was used up meanwhile; the caller rolls back.
    """
    if coupon is not None:
        _count_code(session, order_id, coupon, given.get(coupon.rule.id, 0), phone_lookup)
    if given:
        rows = [
            {"id": str(new_id()), "promotion_id": str(id), "given_cents": cents}
            for id, cents in given.items()
        ]
        session.execute(
            _NOTE, {"order_id": order_id, "phone": phone_lookup, "rows": json.dumps(rows)}
        )


def give_back(session: Session, order_id: UUID, *, actor: str = "system") -> None:
    """The order is called off, or its time to pay ran out: its uses are free again. Once.

    The points it spent are the customer's again.
    """
    if session.scalar(_GIVE_BACK, {"order_id": order_id}):
        give_back_points(session, order_id, actor=actor)


def take_again(session: Session, order_id: UUID, *, is_paid: bool) -> None:
    """The order lives again. Raises CodeRefused when its code was used up since, and PointsGone.

    ``is_paid``: the money has come, at the price that was agreed, so it is never refused; what
    no longer fits the code's limits is counted beside them (``is_over``).
    """
    lost = session.execute(_LOST, {"order_id": order_id}).one()
    if lost.uses:
        kept = session.scalars(_TAKE_AGAIN, {"order_id": order_id, "is_paid": is_paid}).all()
        if len(kept) < lost.uses:
            raise CodeRefused(used_up())
    if lost.points:
        take_points_again(session, order_id, is_paid=is_paid)


def _count_code(
    session: Session, order_id: UUID, coupon: Coupon, cents: int, phone_lookup: bytes
) -> None:
    if session.scalar(_TAKE, {"id": coupon.rule.id, "cents": cents}) is None:
        raise CodeRefused(used_up())
    facts = {"id": coupon.rule.id, "phone": phone_lookup}
    if coupon.per_phone is not None:
        uses = session.scalar(_USES_OF_PHONE, facts) or 0
        if uses >= coupon.per_phone:
            raise CodeRefused(used_before())
    if coupon.is_first_order and session.scalar(
        _ORDERS_OF_PHONE, {"phone": phone_lookup, "order_id": order_id}
    ):
        raise CodeRefused(only_first())
