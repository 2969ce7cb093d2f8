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

from app.domain.catalog.queries import Card, Picture
from app.domain.delivery.areas import UnknownArea, get_area
from app.domain.delivery.fees import FeeRule
from app.domain.delivery.models import DeliveryArea, FeeRuleRow
from app.domain.delivery.queries import StoreArea, fee_rule

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

    deliveries: int  # in the last 30 days
    usual_minutes: (
        int  # the middle one, from paid (or ordered, to be paid at the door) to delivered
    )


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


_SERVED = """
  'host', (SELECT host FROM app.domains
            WHERE store_id = app.store_id() AND verified_at IS NOT NULL
            ORDER BY is_canonical DESC, verified_at LIMIT 1),
  'areas', (SELECT jsonb_agg(jsonb_build_object('area', area, 'fee_cents', fee_cents,
                     'minimum_order_cents', minimum_order_cents,
                     'free_from_cents', free_from_cents, 'minutes', minutes))
              FROM app.delivery_areas WHERE store_id = app.store_id() AND is_active),
  'rules', (SELECT jsonb_agg(jsonb_build_object('id', id, 'position', position, 'kind', kind,
                     'area', area, 'terms', terms) ORDER BY position, id)
              FROM app.fee_rules WHERE store_id = app.store_id() AND is_active)
"""

# Deliveries count from when the money was there, or the order where it is paid at the door.
_TRUTH = """
  SELECT count(*) AS deliveries,
         percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM delivered_at -
           CASE payment_method WHEN 'on_delivery' THEN placed_at
                               ELSE coalesce(paid_at, placed_at) END)) / 60 AS minutes
    FROM app.orders
   WHERE store_id = app.store_id() AND area = :area AND NOT is_pickup
     AND delivered_at >= :since AND delivered_at < :now
"""

_SERVED_ALONE = text(f"SELECT jsonb_build_object({_SERVED})")

_FACTS = text(
    f"""
WITH stocked AS MATERIALIZED (
  SELECT p.id, p.slug, p.name, p.options, p.category_id,
         min(app.price_now(v)) FILTER (WHERE v.on_hand > v.reserved) AS price,
         max(app.price_now(v)) AS dearest, sum(v.on_hand - v.reserved)::int AS stock,
         count(DISTINCT v.option_values[1])::int AS choices
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
     AND o.placed_at >= :bought_since AND o.placed_at < :now
     AND o.status NOT IN ('pending_payment', 'cancelled', 'returned')),
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
SELECT jsonb_build_object({_SERVED},
  'category', (SELECT name FROM app.categories
                WHERE store_id = app.store_id() AND slug = :category),
  'in_stock', (SELECT count(*) FROM shelf),
  'lowest_cents', (SELECT min(price) FROM shelf),
  'picks', (SELECT jsonb_agg(jsonb_build_object(
                'slug', s.slug, 'name', s.name, 'price_cents', s.price,
                'has_range', s.dearest > s.price, 'stock', s.stock, 'option_name', s.options[1],
                'choices', s.choices, 'picture', (
                   SELECT jsonb_build_object('key', media_key, 'width', width, 'height', height,
                            'tint', tint, 'alt', alt, 'sizes', sizes, 'option_value', option_value,
                            'files', files, 'is_filled', is_filled,
                            'focal', jsonb_build_array(focal_x, focal_y))
                     FROM app.product_images
                    WHERE store_id = app.store_id() AND product_id = s.id
                      AND status = 'ready' AND removed_at IS NULL
                    ORDER BY position, id LIMIT 1)) ORDER BY s.place) FROM picked s),
  'categories', (SELECT jsonb_agg(jsonb_build_object('slug', k.slug, 'name', k.name,
                           'products', k.products) ORDER BY k.position, k.name)
                   FROM (SELECT c.slug, c.name, c.position, count(*) AS products FROM stocked s
                           JOIN app.categories c ON c.store_id = app.store_id()
                                                AND c.id = s.category_id
                          GROUP BY c.slug, c.name, c.position) k),
  'truth', (SELECT jsonb_build_array(deliveries, minutes) FROM ({_TRUTH}) t))
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
        picks=[_card(pick) for pick in row["picks"] or ()],
        categories=[StockedCategory(**one) for one in row["categories"] or ()],
        truth=AreaTruth(deliveries=deliveries, usual_minutes=max(1, round(minutes)))
        if deliveries >= ENOUGH_DELIVERIES
        else None,
    )


def _served(row: Mapping[str, Any]) -> Served:
    known = []
    for terms in row["areas"] or ():
        try:
            known.append(StoreArea(get_area(terms["area"]), DeliveryArea(**terms)))
        except UnknownArea:
            continue  # taken out of the product's list since the store chose it
    return Served(
        host=row["host"] or "",
        areas=sorted(known, key=lambda one: one.area.name),
        rules=[fee_rule(FeeRuleRow(**rule)) for rule in row["rules"] or ()],
    )


def _card(row: dict[str, Any]) -> Card:
    picture = row["picture"]
    return Card(**(row | {"picture": Picture(**picture) if picture else None}))
