"""Questions about how the store is doing. Every figure has a function that lists its rows.

Days are Nairobi days. "Sold" means paid, or accepted to be paid at the door, and not
cancelled or returned since; an order belongs to the day it was placed. "Begun" means
that a shopper chose an area at checkout and was shown its fee: one per cart and area.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import TextClause, func, select, text
from sqlalchemy.orm import Session

from app.clock import business_day, day_bounds
from app.db.tenancy import bound_store
from app.domain.catalog.models import Product
from app.domain.delivery.models import DeliveryArea
from app.domain.errors import NotFound
from app.domain.insights.models import Nudge, NudgeStatus
from app.domain.insights.rules import DAYS_LEFT_SOON, FEW_LEFT, SALES_DAYS, AreaStats, days_left
from app.domain.orders.states import SOLD, TO_PACK, OrderStatus

CHART_DAYS = 7
NOW_DAYS = 7
BEFORE_DAYS = 14
MOST_ROWS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class DaySales:
    """One Nairobi day. ``by_now`` is until the time of day that it is now, a week ago."""

    day: date
    sold_cents: int = 0
    orders: int = 0
    sold_by_now_cents: int = 0  # of the day a week ago alone, as the next one
    orders_by_now: int = 0
    asked_cents: int = 0  # of today alone: still waiting for the customer's PIN


@dataclass(frozen=True, kw_only=True, slots=True)
class BestSeller:
    name: str
    sold_cents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaCheckouts:
    """Checkouts begun and paid in one area over the last 7 days; the fee is None when off."""

    area: str
    begun: int
    paid: int
    fee_cents: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LowStock:
    """A variant that is about to sell out, or did while people were buying it."""

    variant_id: UUID
    product_id: UUID
    product_slug: str
    name: str
    option_text: str
    sku: str
    stock: int
    sold: int  # in the last 14 days

    @property
    def days_left(self) -> int | None:
        """At the pace of the last 14 days; None when nothing was sold."""
        return days_left(self.stock, self.sold)

    @property
    def full_name(self) -> str:
        return f"{self.name}, {self.option_text}" if self.option_text else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class SoldOrder:
    """An order behind the sales card."""

    id: UUID
    code: str
    placed_at: datetime
    area: str | None
    is_pickup: bool
    status: str
    total_cents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """One checkout behind the area card: a cart that was shown an area's fee."""

    area: str
    begun_at: datetime
    fee_cents: int
    subtotal_cents: int
    is_paid: bool
    order_id: UUID | None
    order_code: str | None


_SALES_BY_DAY = text(
    """
    SELECT s.day, s.sold_cents, s.sold AS orders, coalesce(n.sold_cents, 0) AS sold_by_now_cents,
           coalesce(n.sold, 0) AS orders_by_now, coalesce(a.cents, 0)::bigint AS asked_cents
      FROM app.sums_by_day(:since, :until) s
      LEFT JOIN app.sums_by_day(:a_week_ago_since, :a_week_ago_until) n ON n.day = s.day
      LEFT JOIN (
        SELECT sum(total_cents) AS cents FROM app.orders
         WHERE store_id = :store_id AND status = 'pending_payment' AND placed_at >= :today_since) a
        ON s.day = :today
     WHERE s.day <= :today
     ORDER BY s.day
    """
)


def sales_by_day(session: Session, now: datetime) -> list[DaySales]:
    """The last 14 Nairobi days with today, oldest first, also days without orders; in cents."""
    today = business_day(now)
    since, until = day_bounds(today)
    week = timedelta(days=CHART_DAYS)
    rows = session.execute(
        _SALES_BY_DAY,
        {
            "store_id": bound_store(),
            "since": since - 2 * week + timedelta(days=1),
            "until": until,
            "today": today,
            "today_since": since,
            "a_week_ago_since": since - week,
            "a_week_ago_until": now
            - week
            + timedelta.resolution,  # what was placed just then counts
        },
    ).mappings()
    return [DaySales(**row) for row in rows]


_BEST_SELLER = text(
    """
    SELECT l.name, sum(l.total_cents)::bigint AS sold_cents
      FROM app.orders o JOIN app.order_lines l ON l.store_id = o.store_id AND l.order_id = o.id
     WHERE o.store_id = :store_id AND o.placed_at >= :since AND o.placed_at < :until
       AND o.status = ANY(:sold)
     GROUP BY l.name ORDER BY 2 DESC, 1 LIMIT 1
    """
)


def find_best_seller(session: Session, now: datetime) -> BestSeller | None:
    """What brought the most money today, in cents, before delivery; None before the first sale."""
    since, until = day_bounds(business_day(now))
    row = (
        session.execute(
            _BEST_SELLER,
            {"store_id": bound_store(), "since": since, "until": until, "sold": _values(SOLD)},
        )
        .mappings()
        .first()
    )
    return BestSeller(**row) if row else None


_TO_PACK = text(
    """
    SELECT count(*) AS orders, min(placed_at) AS oldest_at
      FROM app.orders WHERE store_id = :store_id AND status = ANY(:to_pack)
    """
)


def waiting_to_pack(session: Session) -> tuple[int, datetime | None]:
    """How many orders wait to be packed, and since when the oldest does (UTC)."""
    row = session.execute(_TO_PACK, {"store_id": bound_store(), "to_pack": _values(TO_PACK)}).one()
    return row.orders, row.oldest_at


# One row per cart and area: what was begun, and whether it was paid. An order is a begun
# checkout even where its quote is gone. One that will be paid at the door is neither paid
# nor lost yet, so it is left out until it is one of the two.
_VISITS = """
WITH visits AS (
  SELECT area, visit, is_now, min(at) AS begun_at, bool_or(is_paid) AS is_paid,
         max(subtotal_cents) FILTER (WHERE is_paid) AS paid_cents,
         max(fee_cents) AS fee_cents, max(subtotal_cents) AS subtotal_cents,
         (array_agg(order_id ORDER BY is_paid DESC, at DESC)
            FILTER (WHERE order_id IS NOT NULL))[1] AS order_id,
         (array_agg(code ORDER BY is_paid DESC, at DESC)
            FILTER (WHERE order_id IS NOT NULL))[1] AS order_code
    FROM (
      SELECT area, cart_id AS visit, created_at >= :now_since AS is_now, created_at AS at,
             false AS is_paid, false AS waits, subtotal_cents, fee_cents,
             NULL::uuid AS order_id, NULL AS code
        FROM app.delivery_quotes
       WHERE store_id = :store_id AND created_at >= :since AND created_at < :until
      UNION ALL
      SELECT area, coalesce(cart_id, id), placed_at >= :now_since, placed_at,
             paid_at IS NOT NULL,
             paid_at IS NULL AND payment_method = 'on_delivery' AND status <> 'cancelled',
             subtotal_cents, delivery_fee_cents, id, code
        FROM app.orders
       WHERE store_id = :store_id AND placed_at >= :since AND placed_at < :until
         AND NOT is_pickup AND area IS NOT NULL
    ) seen
   GROUP BY area, visit, is_now
  HAVING bool_or(is_paid) OR NOT bool_or(waits))
"""


def _of_visits(question: str) -> TextClause:
    return text("\n".join([_VISITS, question]))


_AREA_STATS = _of_visits(
    """
    SELECT area,
           count(*) FILTER (WHERE is_now) AS begun_now,
           count(*) FILTER (WHERE is_now AND is_paid) AS paid_now,
           count(*) FILTER (WHERE NOT is_now) AS begun_before,
           count(*) FILTER (WHERE NOT is_now AND is_paid) AS paid_before,
           coalesce(avg(paid_cents), 0)::bigint AS average_order_cents
      FROM visits GROUP BY area ORDER BY area
    """
)
_AREAS_THIS_WEEK = _of_visits(
    """
    SELECT v.area, v.begun, v.paid, a.fee_cents
      FROM (SELECT area, count(*) AS begun, count(*) FILTER (WHERE is_paid) AS paid
              FROM visits GROUP BY area) v
      LEFT JOIN app.delivery_areas a ON a.store_id = :store_id AND a.area = v.area AND a.is_active
    """
)
_CHECKOUTS = _of_visits(
    """
    SELECT area, begun_at, fee_cents, subtotal_cents, is_paid, order_id, order_code
      FROM visits WHERE area = coalesce(CAST(:area AS text), area)
     ORDER BY is_paid, begun_at DESC LIMIT :most
    """
)
_CHECKOUTS_SINCE = _of_visits(
    """
    SELECT count(*) FILTER (WHERE is_paid) AS paid, count(*) AS begun
      FROM visits WHERE area = :area
    """
)


def area_stats(session: Session, now: datetime) -> list[AreaStats]:
    """Checkouts begun and paid per area: in the last 7 days, and in the 14 before those."""
    rows = session.execute(_AREA_STATS, _visit_span(now, days_before=BEFORE_DAYS)).mappings()
    return [AreaStats(**row) for row in rows]


def area_checkouts(session: Session, now: datetime) -> list[AreaCheckouts]:
    """Every area chosen in the last 7 days, the one that loses the most shoppers first."""
    rows = session.execute(_AREAS_THIS_WEEK, _visit_span(now)).mappings()
    return sorted(
        (AreaCheckouts(**row) for row in rows),
        key=lambda area: (area.paid - area.begun, area.paid / area.begun, area.area),
    )


def list_checkouts(session: Session, now: datetime, area: str | None = None) -> list[Checkout]:
    """The checkouts behind the area card, unpaid first, newest first; at most 200.

    Of every area, or of the one with this slug. Amounts in cents.
    """
    values = {**_visit_span(now), "most": MOST_ROWS, "area": area}
    return [Checkout(**row) for row in session.execute(_CHECKOUTS, values).mappings()]


def checkouts_since(session: Session, area: str, since: datetime, now: datetime) -> tuple[int, int]:
    """(paid, begun) of one area since a moment: how a fee that was changed then is doing."""
    values = {
        "store_id": bound_store(),
        "since": since,
        "now_since": since,
        "until": now,
        "area": area,
    }
    row = session.execute(_CHECKOUTS_SINCE, values).one()
    return row.paid, row.begun


def _visit_span(now: datetime, *, days_before: int = 0) -> dict[str, object]:
    now_since = now - timedelta(days=NOW_DAYS)
    return {
        "store_id": bound_store(),
        "since": now_since - timedelta(days=days_before),
        "now_since": now_since,
        "until": now,
    }


_LOW_STOCK = text(
    """
    SELECT v.id AS variant_id, p.id AS product_id, p.slug AS product_slug, p.name,
           array_to_string(v.option_values, ', ') AS option_text, v.sku,
           v.on_hand - v.reserved AS stock, coalesce(s.quantity, 0)::int AS sold
      FROM app.variants v
      JOIN app.products p ON p.store_id = v.store_id AND p.id = v.product_id AND p.status = 'active'
      LEFT JOIN app.sold_by_variant(:since, :until) s ON s.variant_id = v.id
     WHERE v.store_id = :store_id
       AND (v.on_hand - v.reserved BETWEEN 1 AND :few
            OR (s.quantity > 0 AND (v.on_hand - v.reserved) * :days <= s.quantity * :soon))
     ORDER BY (s.quantity IS NULL),
              (v.on_hand - v.reserved)::numeric / greatest(coalesce(s.quantity, 1), 1),
              s.quantity DESC, p.name, v.position
     LIMIT :most
    """
)


def low_stock(session: Session, now: datetime) -> list[LowStock]:
    """Variants with 1 to 3 left, or with a week or less at the pace of the last 14 days.

    A finished one is named while it still sold in those days; the most urgent comes
    first, and at most 200 are named.
    """
    rows = session.execute(
        _LOW_STOCK,
        {
            "store_id": bound_store(),
            "since": now - timedelta(days=SALES_DAYS),
            "until": now,
            "few": FEW_LEFT,
            "days": SALES_DAYS,
            "soon": DAYS_LEFT_SOON,
            "most": MOST_ROWS,
        },
    ).mappings()
    return [LowStock(**row) for row in rows]


def count_products_on_sale(session: Session) -> int:
    """Active products of the store."""
    on_sale = select(func.count()).where(
        Product.store_id == bound_store(), Product.status == "active"
    )
    return session.scalar(on_sale) or 0


_SOLD_ORDERS = text(
    """
    SELECT id, code, placed_at, area, is_pickup, status, total_cents FROM app.orders
     WHERE store_id = :store_id AND placed_at >= :since AND placed_at <= :until
       AND status = ANY(:sold)
     ORDER BY placed_at DESC LIMIT :most
    """
)


def sold_today_and_last_week(
    session: Session, now: datetime
) -> tuple[list[SoldOrder], list[SoldOrder]]:
    """The orders behind the sales card: today's, and last week's by the same time of day."""
    last_week = now - timedelta(days=7)

    def sold(until: datetime) -> list[SoldOrder]:
        since = day_bounds(business_day(until))[0]
        values = {
            "store_id": bound_store(),
            "since": since,
            "until": until,
            "sold": _values(SOLD),
            "most": MOST_ROWS,
        }
        return [SoldOrder(**row) for row in session.execute(_SOLD_ORDERS, values).mappings()]

    return sold(now), sold(last_week)


def open_nudges(session: Session) -> list[Nudge]:
    """Nudges to decide on, then those being measured; the newest first."""
    rows = session.scalars(
        select(Nudge)
        .where(
            Nudge.store_id == bound_store(),
            Nudge.status.in_([NudgeStatus.OFFERED, NudgeStatus.APPLIED]),
        )
        .order_by(Nudge.status.desc(), Nudge.created_at.desc())
    )
    return list(rows)


def get_nudge(session: Session, nudge_id: UUID) -> Nudge:
    """Raises NotFound."""
    nudge = session.get(Nudge, (bound_store(), nudge_id))
    if nudge is None:
        raise NotFound
    return nudge


def delivery_fees(session: Session) -> dict[str, int]:
    """Today's fee in cents of every area the store delivers to, by the area's slug."""
    rows = session.execute(
        select(DeliveryArea.area, DeliveryArea.fee_cents).where(
            DeliveryArea.store_id == bound_store(), DeliveryArea.is_active
        )
    )
    return {row.area: row.fee_cents for row in rows}


def lock_delivery_area(session: Session, area: str) -> DeliveryArea | None:
    """The store's terms for an area it delivers to, locked until the transaction ends."""
    return session.scalar(
        select(DeliveryArea)
        .where(
            DeliveryArea.store_id == bound_store(),
            DeliveryArea.area == area,
            DeliveryArea.is_active,
        )
        .with_for_update()
    )


def _values(statuses: Sequence[OrderStatus] | frozenset[OrderStatus]) -> list[str]:
    return sorted(status.value for status in statuses)
