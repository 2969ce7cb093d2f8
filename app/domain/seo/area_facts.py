"""Everything one area's page is made of, in one statement: terms, goods in stock, deliveries.

What the goods in stock are worth showing is decided here, in the database, because a store may
have thousands and the page shows four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.catalog.cards import CARD_JSON
from app.domain.catalog.queries import NEWEST_ORDERS, Card, cards_of
from app.domain.delivery.fees import FeeRule
from app.domain.delivery.queries import StoreArea, place_from_json, rule_from_json
from app.domain.stores.hosts import HOST
from app.domain.stores.trust import MOST_DELIVERED

PICKS = 4
ENOUGH_DELIVERIES = 5
TRUTH_DAYS = 30
BOUGHT_DAYS = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class StockedCategory:
    slug: str
    name: str
    products: int  # in stock now


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaTruth:
    """What the store's own deliveries to an area say; made only from five or more."""

    deliveries: int  # in the last 30 days; at most one more than MOST_DELIVERED
    usual_minutes: (
        int  # the middle one, from paid (or ordered, to be paid at the door) to delivered
    )

    @property
    def is_many(self) -> bool:
        """Whether there were more than are counted; the newest of them were timed."""
        return self.deliveries > MOST_DELIVERED


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Where a store delivers, on which terms, and the host under which it is known."""

    host: str
    areas: list[StoreArea]  # by name
    rules: list[FeeRule]

    def find(self, slug: str) -> StoreArea | None:
        """The served area of this slug."""
        return next((one for one in self.areas if one.area.slug == slug), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaFacts:
    """What is known for one area, and with a category for that one alone. Amounts in cents."""

    served: Served
    category_name: str | None  # None where no category was asked for, or there is no such one
    in_stock: int
    lowest_cents: int | None
    picks: list[Card]
    categories: list[StockedCategory]
    truth: AreaTruth | None


_SERVED = f"""
  'host', {HOST},
  'areas', (SELECT json_agg(json_build_object('area', area, 'fee_cents', fee_cents,
                     'minimum_order_cents', minimum_order_cents,
                     'free_from_cents', free_from_cents, 'minutes', minutes))
              FROM app.delivery_areas WHERE store_id = app.store_id() AND is_active),
  'rules', (SELECT json_agg(json_build_object('id', id, 'position', position, 'kind', kind,
                     'area', area, 'terms', terms) ORDER BY position, id)
              FROM app.fee_rules WHERE store_id = app.store_id() AND is_active)
"""  # noqa: S608 - put together from our own text

# Deliveries count from when the money was there, or the order where it is paid at the door.
_TRUTH = f"""
  SELECT count(*) AS deliveries,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM delivered_at -
           CASE payment_method WHEN 'on_delivery' THEN placed_at
                               ELSE coalesce(paid_at, placed_at) END)) / 60 AS minutes
    FROM (SELECT delivered_at, payment_method, placed_at, paid_at FROM app.orders
           WHERE store_id = app.store_id() AND area = :area AND NOT is_pickup
             AND delivered_at >= :since AND delivered_at < :now
           ORDER BY delivered_at DESC LIMIT {MOST_DELIVERED + 1}) newest
"""  # noqa: S608 - put together from our own numbers

_SERVED_ALONE = text(f"SELECT json_build_object({_SERVED})")

_FACTS = text(
    f"""
WITH stocked AS MATERIALIZED (
  SELECT p.id, p.slug, p.category_id,
         min(app.price_now(v)) FILTER (WHERE v.on_hand > v.reserved) AS price
    FROM app.products p
    JOIN app.variants v ON v.store_id = p.store_id AND v.product_id = p.id AND v.is_active
   WHERE p.store_id = app.store_id() AND p.status = 'active'
   GROUP BY p.store_id, p.id
  HAVING bool_or(v.on_hand > v.reserved)),
 shelf AS (
  SELECT s.* FROM stocked s
   WHERE CAST(:category AS text) IS NULL OR s.category_id IN
         (SELECT k.id FROM app.categories k
            LEFT JOIN app.categories top ON top.store_id = k.store_id AND top.id = k.parent_id
           WHERE k.store_id = app.store_id() AND :category IN (k.slug, top.slug))),
 lately AS MATERIALIZED (
  SELECT o.id FROM app.orders o
   WHERE o.store_id = app.store_id() AND o.area = :area
     AND o.delivered_at >= :bought_since AND o.delivered_at < :now AND o.status <> 'returned'
   ORDER BY o.delivered_at DESC LIMIT {NEWEST_ORDERS}),
 -- Line by line and by their keys: a planner that knows nothing of young tables yet would join them whole.
 lines AS MATERIALIZED (
  SELECT l.variant_id, l.quantity FROM lately o CROSS JOIN LATERAL (
    SELECT variant_id, quantity FROM app.order_lines
     WHERE store_id = app.store_id() AND order_id = o.id OFFSET 0) l),
 bought AS (
  SELECT w.product_id, sum(l.quantity) AS n
    FROM lines l CROSS JOIN LATERAL (
      SELECT v.product_id FROM app.variants v
       WHERE v.store_id = app.store_id() AND v.id = l.variant_id OFFSET 0) w
   GROUP BY w.product_id),
 picked AS (
  -- What this area bought most, then an order of the area's own that is the same every day.
  SELECT s.*, row_number() OVER (ORDER BY coalesce(b.n, 0) DESC, md5(:area || '/' || s.slug)) AS place
    FROM shelf s LEFT JOIN bought b ON b.product_id = s.id
   ORDER BY place LIMIT :picks)
SELECT json_build_object({_SERVED},
  'category', (SELECT name FROM app.categories
                WHERE store_id = app.store_id() AND slug = :category),
  'in_stock', (SELECT count(*) FROM shelf),
  'lowest_cents', (SELECT min(price) FROM shelf),
  'picks', (SELECT json_agg({CARD_JSON} ORDER BY s.place) FROM picked s
              JOIN app.product_cards c ON c.store_id = app.store_id() AND c.product_id = s.id),
  'categories', (SELECT json_agg(json_build_object('slug', k.slug, 'name', k.name,
                           'products', k.products) ORDER BY k.position, k.name)
                   FROM (SELECT c.slug, c.name, c.position, count(*) AS products FROM stocked s
                           JOIN app.categories c ON c.store_id = app.store_id()
                                                AND c.id = s.category_id
                          GROUP BY c.slug, c.name, c.position) k),
  'truth', (SELECT json_build_array(deliveries, minutes) FROM ({_TRUTH}) t))
"""  # noqa: S608 - put together from this module's own text
)


def find_served(session: Session) -> Served:
    """Where the store delivers and on which terms."""
    return _served(session.execute(_SERVED_ALONE).scalar_one())


def find_area_facts(session: Session, area: str, category: str | None, now: datetime) -> AreaFacts:
    """What is known at ``now`` (UTC) for an area of this slug, served or not."""
    row: dict[str, Any] = session.execute(
        _FACTS,
        {
            "area": area,
            "category": category,
            "now": now,
            "since": now - timedelta(days=TRUTH_DAYS),
            "bought_since": now - timedelta(days=BOUGHT_DAYS),
            "picks": PICKS,
        },
    ).scalar_one()
    deliveries, minutes = row["truth"]
    return AreaFacts(
        served=_served(row),
        category_name=row["category"],
        in_stock=row["in_stock"],
        lowest_cents=row["lowest_cents"],
        picks=cards_of(row["picks"]),
        categories=[StockedCategory(**one) for one in row["categories"] or ()],
        truth=AreaTruth(deliveries=deliveries, usual_minutes=max(1, round(minutes)))
        if deliveries >= ENOUGH_DELIVERIES
        else None,
    )


def _served(row: Mapping[str, Any]) -> Served:
    known = filter(None, map(place_from_json, row["areas"] or ()))
    return Served(
        host=row["host"] or "",
        areas=sorted(known, key=lambda one: one.area.name),
        rules=[rule_from_json(rule) for rule in row["rules"] or ()],
    )
