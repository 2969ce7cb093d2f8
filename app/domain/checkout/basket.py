"""A cart with everything that decides what it costs, read in one statement; a code is a second.

Cart page, checkout page and checkout itself look at the same things: lines as they are on the
shelf now, promotions in force, the code, who is shopping, where it goes and what delivery there
costs. However many lines there are, it is one question to the database, answered as plain values.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.queries import Picture
from app.domain.customers.consent import AGREES
from app.domain.delivery.areas import Area, UnknownArea, find_area, get_area
from app.domain.delivery.fees import FeeRule
from app.domain.delivery.queries import StoreArea, area_by_own_name, place_from_json, rule_from_json
from app.domain.promotions.coupons import Coupon, clean_code, coupon_from, rule_from
from app.domain.promotions.pricing import Goods, Rule
from app.domain.stores.trust import TRUST_JSON, Trust
from app.ids import token_hash
from app.vault import vault


@dataclass(frozen=True, kw_only=True, slots=True)
class BasketLine:
    """One variant in the cart, as it is on the shelf now."""

    id: UUID
    quantity: int
    sku: str
    slug: str
    name: str
    option_text: str
    stock: int  # what this cart may buy: free units, and those kept for it
    held: int  # of them by a link of the waiting line, until ``held_until``
    held_until: datetime | None
    is_sellable: bool
    weight_grams: int
    is_bulky: bool
    cost_cents: int | None
    vat_class: str
    goods: Goods
    picture: Picture | None

    @property
    def variant_id(self) -> UUID:
        return self.goods.key


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownShopper:
    """The customer who proved their phone in this browser."""

    id: UUID
    phone: str  # E.164; mask it before showing it
    name: str
    last_area: str | None
    last_landmark: str
    points: int  # of loyalty; what this cart's own unpaid order spent counts as there


@dataclass(frozen=True, kw_only=True, slots=True)
class Quoted:
    """A delivery fee that was told and still holds; a pick-up costs nothing and has no area."""

    reason: str
    id: UUID | None = None
    area: str = ""
    subtotal_cents: int = 0
    fee_cents: int = 0
    promised_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Basket:
    """A cart as a shopper sees it. ``area`` is the slug that counts: asked for, chosen, or last."""

    id: UUID
    store_id: int
    code: str
    lines: list[BasketLine]
    rules: list[Rule]
    typed_code: str  # the promotion code on the cart, or being tried
    coupon: Coupon | None  # None also where this store has no such code
    has_codes: bool  # whether this store has any
    shopper: KnownShopper | None
    area: str | None
    place: StoreArea | None  # None where the store does not deliver there
    fee_rules: list[FeeRule]
    quotes: list[Quoted]
    areas: list[Area]  # all that are served, by name; the checkout page's list
    trust: Trust | None
    is_test_shop: bool
    agrees_to_offers: bool  # whether the known shopper does; asked for the checkout page
    has_standing: bool  # whether it became an order that is not paid; asked when it is ordered

    @property
    def sellable(self) -> list[BasketLine]:
        """What can be ordered; what is off sale is left out."""
        return [line for line in self.lines if line.is_sellable]

    @property
    def item_count(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def grams(self) -> int:
        return sum(line.quantity * line.weight_grams for line in self.sellable)

    @property
    def is_bulky(self) -> bool:
        return any(line.is_bulky for line in self.sellable)


_HEAD = """
WITH cart AS (
   SELECT id, code, area, coupon_code FROM app.carts
    WHERE store_id = app.store_id() AND id = :cart_id),
 shopper AS (
   SELECT c.id, c.phone_sealed, c.phone_lookup, c.name, c.last_area, c.last_landmark
     FROM app.shopper_sessions s
     JOIN app.customers c ON c.store_id = s.store_id AND c.id = s.customer_id
    WHERE s.store_id = app.store_id() AND s.token_hash = CAST(:token AS bytea)
      AND s.expires_at > now()),
 facts AS (
   SELECT coalesce(CAST(:area AS text), (SELECT area FROM cart),
                   (SELECT last_area FROM shopper)) AS area,
          coalesce(CAST(:code AS text), (SELECT coupon_code FROM cart)) AS coupon_code)
SELECT json_build_object(
  'cart', (SELECT to_json(cart) FROM cart), 'area', f.area, 'coupon_code', f.coupon_code,
  'lines', (SELECT json_agg(json_build_object(
       'id', l.id, 'quantity', l.quantity, 'variant_id', v.id, 'sku', v.sku, 'slug', p.slug,
       'name', p.name, 'options', to_json(v.option_values),
       'stock', v.on_hand - v.reserved + CASE WHEN l.held_until > now() THEN l.held ELSE 0 END,
       'held', CASE WHEN l.held_until > now() THEN l.held ELSE 0 END, 'held_until', l.held_until,
       'is_sellable', v.is_active AND p.status = 'active', 'weight_grams', v.weight_grams,
       'is_bulky', v.is_bulky, 'cost_cents', v.cost_cents, 'vat_class', p.vat_class,
       'price_cents', v.price_cents, 'now_cents', app.price_now(v), 'floor_cents', v.floor_cents,
       'sale_id', v.sale_id, 'sale_name', s.name, 'shelves',
       json_build_array(p.category_id, k.parent_id), 'picture', {picture})
       ORDER BY l.added_at, l.id)
     FROM app.cart_lines l
     JOIN app.variants v ON v.store_id = l.store_id AND v.id = l.variant_id
     JOIN app.products p ON p.store_id = v.store_id AND p.id = v.product_id
     LEFT JOIN app.categories k ON k.store_id = p.store_id AND k.id = p.category_id
     LEFT JOIN app.promotions s ON s.store_id = v.store_id AND s.id = v.sale_id
    WHERE l.store_id = app.store_id() AND l.cart_id = :cart_id),
  'rules', (SELECT json_agg(to_json(r)) FROM app.promotions r
    WHERE r.store_id = app.store_id() AND r.kind IN ('deal', 'bundle', 'tier', 'group')
      AND r.is_active AND r.removed_at IS NULL AND (r.starts_at IS NULL OR r.starts_at <= now())
      AND (r.ends_at IS NULL OR now() < r.ends_at)
      AND (r.group_id IS NULL OR r.group_id = (
            SELECT m.group_id FROM app.group_members m JOIN shopper s
                ON m.phone_lookup = s.phone_lookup WHERE m.store_id = app.store_id()))),
  'has_codes', EXISTS (SELECT 1 FROM app.promotions WHERE store_id = app.store_id()
       AND kind = 'coupon' AND is_active AND removed_at IS NULL),
  'shopper', (SELECT json_build_object('id', id, 'phone', encode(phone_sealed, 'base64'),
       'lookup', encode(phone_lookup, 'base64'), 'name', name, 'last_area', last_area,
       'last_landmark', last_landmark, 'points',
       (SELECT coalesce(sum(m.points), 0) FROM app.point_moves m
         WHERE m.store_id = app.store_id() AND m.customer_id = shopper.id)
       - (SELECT coalesce(sum(m.points), 0) FROM app.orders o
            JOIN app.point_moves m ON m.store_id = o.store_id AND m.order_id = o.id
           WHERE o.store_id = app.store_id() AND o.cart_id = :cart_id
             AND o.status = 'pending_payment' AND m.customer_id = shopper.id)) FROM shopper),
  'place', (SELECT json_build_object('area', a.area, 'fee_cents', a.fee_cents,
       'minimum_order_cents', a.minimum_order_cents, 'free_from_cents', a.free_from_cents,
       'minutes', a.minutes) FROM app.delivery_areas a
    WHERE a.store_id = app.store_id() AND a.area = f.area AND a.is_active),
  'fee_rules', (SELECT json_agg(json_build_object('id', r.id, 'kind', r.kind, 'area', r.area,
       'terms', r.terms) ORDER BY r.position, r.id) FROM app.fee_rules r
    WHERE r.store_id = app.store_id() AND r.is_active)
"""
_PICTURE = """(SELECT json_build_object('key', i.media_key, 'width', i.width, 'height', i.height,
       'tint', i.tint, 'alt', i.alt, 'sizes', i.sizes, 'option_value', i.option_value,
       'files', i.files, 'is_filled', i.is_filled,
       'focal', json_build_array(i.focal_x, i.focal_y))
     FROM app.product_images i
    WHERE i.store_id = v.store_id AND i.product_id = v.product_id
      AND i.status = 'ready' AND i.removed_at IS NULL
    ORDER BY (i.option_value IS NOT DISTINCT FROM v.option_values[1]
              AND i.option_value IS NOT NULL) DESC, i.position, i.id LIMIT 1)"""
_QUOTES = """,
  'quotes', (SELECT json_agg(to_json(q) ORDER BY q.created_at DESC) FROM (
       SELECT id, area, subtotal_cents, fee_cents, reason, promised_at, created_at
         FROM app.delivery_quotes
        WHERE store_id = app.store_id() AND cart_id = :cart_id AND area = f.area
          AND expires_at > now() ORDER BY created_at DESC LIMIT 20) q)
"""
_PAGE = f""",
  'areas', (SELECT json_agg(a.area) FROM app.delivery_areas a
             WHERE a.store_id = app.store_id() AND a.is_active),
  'trust', {TRUST_JSON},
  'agrees', (SELECT {AGREES} FROM shopper c),
  'is_live', EXISTS (SELECT 1 FROM app.payment_settings
                      WHERE store_id = app.store_id() AND mode = 'live')
"""  # noqa: S608 - put together from our own text
_FROM = ") FROM facts f"

# Asked only for a cart with a code. What the cart's own unpaid order took of it counts as free,
# because it is given back when that order is replaced.
_COUPON = text(
    """
SELECT to_jsonb(c) || jsonb_build_object(
       'used', c.used - own.n, 'given_cents', c.given_cents - own.cents,
       'phone_uses', (SELECT count(*) FROM app.promotion_uses u
            JOIN app.orders o ON o.store_id = u.store_id AND o.id = u.order_id
           WHERE u.store_id = app.store_id() AND u.promotion_id = c.id
             AND u.phone_lookup = CAST(:phone AS bytea) AND u.released_at IS NULL
             AND (o.cart_id IS DISTINCT FROM :cart_id OR o.status <> 'pending_payment')),
       'orders_before', (SELECT count(*) FROM app.orders o
            JOIN app.customers b ON b.store_id = o.store_id AND b.id = o.customer_id
           WHERE c.is_first_order AND o.store_id = app.store_id()
             AND b.phone_lookup = CAST(:phone AS bytea) AND o.status <> 'cancelled'
             AND (o.cart_id IS DISTINCT FROM :cart_id OR o.status <> 'pending_payment')))
  FROM app.promotions c
 CROSS JOIN LATERAL (
       SELECT count(*) AS n, coalesce(sum(u.given_cents), 0) AS cents
         FROM app.orders o
         JOIN app.promotion_uses u ON u.store_id = o.store_id AND u.order_id = o.id
        WHERE o.store_id = app.store_id() AND o.cart_id = :cart_id
          AND o.status = 'pending_payment' AND u.promotion_id = c.id
          AND u.released_at IS NULL AND NOT u.is_over) own
 WHERE c.store_id = app.store_id() AND c.kind = 'coupon' AND c.removed_at IS NULL
   AND c.code = :code
"""
)

# What each of the three looks at beyond the lines: pictures; the fee told, and the page's lists;
# the fee told alone.
_CART: TextClause = text(_HEAD.format(picture=_PICTURE) + _FROM)
_CHECKOUT: TextClause = text(_HEAD.format(picture="NULL") + _QUOTES + _PAGE + _FROM)
_STANDING = """,
  'has_standing', EXISTS (SELECT 1 FROM app.orders WHERE store_id = app.store_id()
                           AND cart_id = :cart_id AND status = 'pending_payment')
"""
_ORDER: TextClause = text(_HEAD.format(picture="NULL") + _QUOTES + _STANDING + _FROM)


def cart_basket(
    session: Session,
    cart_id: UUID | None,
    *,
    area: str | None = None,
    token: str | None = None,
    code: str | None = None,
) -> Basket | None:
    """The cart for its page, with pictures; ``code`` is one being tried. None for no cart."""
    return _read(session, _CART, cart_id, area=area, token=token, code=code)


def checkout_basket(
    session: Session,
    cart_id: UUID | None,
    *,
    area: str | None = None,
    token: str | None = None,
    code: str | None = None,
) -> Basket | None:
    """The cart for the checkout page, with the fees told so far and every area that is served."""
    return _read(session, _CHECKOUT, cart_id, area=area, token=token, code=code)


def order_basket(
    session: Session, cart_id: UUID, *, area: str | None, token: str | None, phone_lookup: bytes
) -> Basket | None:
    """The cart inside the transaction that orders it, for the phone that will pay."""
    return _read(session, _ORDER, cart_id, area=area, token=token, phone_lookup=phone_lookup)


def area_slug(session: Session, typed: str | None) -> str | None:
    """The area of the product's list that a slug, a name or a near miss means; None for none."""
    if not typed:
        return None
    try:
        return get_area(typed).slug
    except UnknownArea:
        found = area_by_own_name(session, typed) or find_area(typed)
    return found.slug if found is not None else None


def _read(
    session: Session,
    statement: TextClause,
    cart_id: UUID | None,
    *,
    area: str | None,
    token: str | None,
    code: str | None = None,
    phone_lookup: bytes | None = None,
) -> Basket | None:
    if cart_id is None:
        return None
    session.flush()  # what was changed in this transaction counts
    asked: dict[str, Any] = {
        "cart_id": cart_id,
        "token": token_hash(token) if token else None,
        "area": area or None,
        # What has no letter or digit is no code of anybody's, and still one that was tried.
        "code": (clean_code(code) or "?") if code else None,
    }
    row: dict[str, Any] = session.execute(statement, asked).scalar_one()
    if row["cart"] is None:
        return None
    coupon = None
    if row["coupon_code"]:
        if phone_lookup is None and row["shopper"]:
            phone_lookup = b64decode(row["shopper"]["lookup"])
        coupon = session.execute(
            _COUPON, {"cart_id": cart_id, "phone": phone_lookup, "code": row["coupon_code"]}
        ).scalar_one_or_none()
    return Basket(
        id=cart_id,
        store_id=bound_store(),
        code=row["cart"]["code"],
        lines=[_line(line) for line in row["lines"] or ()],
        rules=[rule_from(rule) for rule in row["rules"] or ()],
        typed_code=row["coupon_code"] or "",
        coupon=coupon_from(coupon) if coupon else None,
        has_codes=row["has_codes"],
        shopper=_shopper(row["shopper"]) if row["shopper"] else None,
        area=row["area"],
        place=place_from_json(row["place"]) if row["place"] else None,
        fee_rules=[rule_from_json(rule) for rule in row["fee_rules"] or ()],
        quotes=[_quoted(quote) for quote in row.get("quotes") or ()],
        areas=_areas(row.get("areas") or ()),
        trust=Trust.from_json(row["trust"]) if row.get("trust") else None,
        is_test_shop=not row.get("is_live", True),
        agrees_to_offers=bool(row.get("agrees")),
        has_standing=row.get("has_standing", False),
    )


def _line(row: Mapping[str, Any]) -> BasketLine:
    goods = Goods(
        key=UUID(row["variant_id"]),
        quantity=row["quantity"],
        price_cents=row["price_cents"],
        now_cents=row["now_cents"],
        floor_cents=row["floor_cents"] or 0,
        shelves=frozenset(UUID(shelf) for shelf in row["shelves"] if shelf),
        sale_id=UUID(row["sale_id"]) if row["sale_id"] else None,
        sale_name=row["sale_name"] or "",
    )
    return BasketLine(
        id=UUID(row["id"]),
        goods=goods,
        option_text=", ".join(row["options"]),
        held_until=datetime.fromisoformat(row["held_until"]) if row["held_until"] else None,
        picture=Picture(**row["picture"]) if row["picture"] else None,
        **{
            name: row[name]
            for name in (
                *("quantity", "sku", "slug", "name", "stock", "held", "is_sellable"),
                *("weight_grams", "is_bulky", "cost_cents", "vat_class"),
            )
        },
    )


def _shopper(row: Mapping[str, Any]) -> KnownShopper:
    phone = vault().open(b64decode(row["phone"]), store_id=bound_store(), column="customers.phone")
    return KnownShopper(
        id=UUID(row["id"]),
        phone=phone,
        name=row["name"],
        last_area=row["last_area"],
        last_landmark=row["last_landmark"],
        points=row["points"],
    )


def _quoted(row: Mapping[str, Any]) -> Quoted:
    promised = row["promised_at"]
    return Quoted(
        id=UUID(row["id"]),
        promised_at=datetime.fromisoformat(promised) if promised else None,
        **{name: row[name] for name in ("area", "subtotal_cents", "fee_cents", "reason")},
    )


def _areas(slugs: Any) -> list[Area]:
    known = []
    for slug in slugs:
        try:
            known.append(get_area(slug))
        except UnknownArea:
            continue
    return sorted(known, key=lambda area: area.name)
