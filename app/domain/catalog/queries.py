"""What a shopper may look at: one statement for each page, answered as plain values.

Pages are read far more often than they change, and a page that misses the cache must stay
within four statements, the session's own and the store's row included. So each page is one
statement that brings its pieces as JSON, and the pieces become the small classes below.
Row-level security decides whose rows these are; ``store_id`` is named where an index wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.cards import CARD_JSON, PRICES, RELATED_JSON
from app.domain.catalog.models import (
    LOW_STOCK,
    Category,
    OldCategorySlug,
    OldSlug,
    Product,
    Variant,
)
from app.domain.errors import NotFound
from app.domain.stores.hosts import HOST
from app.domain.stores.trust import MOST_DELIVERED, TRUST_JSON, Trust

PAGE_SIZE = 24
NEWEST_ORDERS = 100  # as many, of a shop or of an area, say what sells; more would only take longer


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One photo: its files are /media/<key>-<width>.<format>, with their bytes in ``files``.

    ``sizes`` are those of WebP, which every photo has.
    """

    key: str
    width: int
    height: int
    tint: int
    alt: str
    sizes: dict[str, int]
    option_value: str | None = None
    files: dict[str, dict[str, int]] = field(default_factory=dict)
    is_filled: bool = False  # cut to fill its frame, around the focal point in percent
    focal: tuple[int, int] = (50, 50)

    @property
    def widths(self) -> list[int]:
        """The named widths that were made, the narrowest first."""
        return sorted(int(width) for width in self.sizes)

    @property
    def widest(self) -> int:
        return max(self.widths, default=0)

    def modern(self, width: int) -> str:
        """The format whose file of this width is the smaller one: avif or webp."""
        avif = self.files.get("avif", {}).get(str(width))
        return "avif" if avif is not None and avif <= self.sizes[str(width)] else "webp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A product as a list shows it. ``price_cents`` is that of the cheapest variant."""

    slug: str
    name: str
    price_cents: int
    has_range: bool
    stock: int
    option_name: str | None
    choices: int
    picture: Picture | None
    compare_cents: int | None = None  # crossed out beside the price

    @property
    def is_low(self) -> bool:
        return 0 < self.stock <= LOW_STOCK


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """A category with how many of its products can be seen."""

    slug: str
    name: str
    count: int
    cards: list[Card] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaFee:
    """An area of the list and what delivery there costs, for the home page."""

    area: str
    fee_cents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HomePage:
    host: str  # the store's canonical one, for its canonical address
    lead: Card | None
    selling: list[Card]
    is_by_sales: bool  # False: nothing sold this week, so these are the newest
    shelves: list[Shelf]
    product_count: int
    areas: list[AreaFee]
    area_count: int
    delivered_count: int  # at most one more than MOST_DELIVERED


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantView:
    sku: str
    options: list[str]
    price_cents: int
    compare_at_cents: int | None
    stock: int
    weight_grams: int
    is_bulky: bool
    sale_ends_at: str | None = None  # as ISO 8601, while it is on sale
    barcode: str | None = None

    @property
    def is_low(self) -> bool:
        return 0 < self.stock <= LOW_STOCK

    @property
    def sale_ends(self) -> datetime | None:
        """When the sale it is in ends, in UTC."""
        return datetime.fromisoformat(self.sale_ends_at) if self.sale_ends_at else None


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionValue:
    """One thing to choose. ``extra_cents`` is what it adds to the cheapest of its option."""

    value: str
    is_available: bool
    extra_cents: int
    picture: Picture | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductPage:
    host: str
    id: UUID
    slug: str
    name: str
    description_html: str
    brand: str
    facts: list[tuple[str, str]]
    size_chart: list[list[str]]  # the first row is headings; empty for none
    return_days: int | None  # where the category's rule is not the store's
    return_note: str
    seo_title: str  # empty: the name
    seo_description: str
    options: list[str]
    warranty_months: int
    category_slug: str | None
    category_name: str | None
    variants: list[VariantView]
    pictures: list[Picture]
    related: list[Card]
    cheapest_fee_cents: int | None
    most_fee_cents: int | None  # that delivery may cost at all, whatever the area and the rule
    trust: Trust

    def choose(self, wanted: Mapping[int, str]) -> VariantView:
        """The variant of these option values, by position; else one in stock; else the first."""
        if wanted:
            for variant in self.variants:
                if all(variant.options[at : at + 1] == [value] for at, value in wanted.items()):
                    return variant
        return next((v for v in self.variants if v.stock > 0), self.variants[0])

    def values_of(self, position: int, chosen: VariantView) -> list[OptionValue]:
        """The values of one option, told for somebody who has chosen the others already."""
        seen: dict[str, list[VariantView]] = {}
        for variant in self.variants:
            if position < len(variant.options):
                seen.setdefault(variant.options[position], []).append(variant)
        beside = {value: self._beside(position, chosen, rows) for value, rows in seen.items()}
        cheapest = min((v.price_cents for v in beside.values()), default=0)
        return [
            OptionValue(
                value=value,
                is_available=variant.stock > 0,
                extra_cents=variant.price_cents - cheapest,
                picture=self.picture_of(value) if position == 0 else None,
            )
            for value, variant in beside.items()
        ]

    def pictures_for(self, chosen: VariantView) -> list[Picture]:
        """The photos with those of the chosen first option in front; their order else stays."""
        value = chosen.options[0] if chosen.options else None
        return sorted(self.pictures, key=lambda p: value is None or p.option_value != value)

    def picture_of(self, value: str) -> Picture | None:
        """The photo that shows this value of the first option."""
        return next((p for p in self.pictures if p.option_value == value), None)

    @staticmethod
    def _beside(position: int, chosen: VariantView, rows: list[VariantView]) -> VariantView:
        """Of the variants with one value, the one that shares the other choices."""
        for variant in rows:
            others = list(chosen.options)
            if position < len(others):
                others[position] = variant.options[position]
            if variant.options == others:
                return variant
        return next((v for v in rows if v.stock > 0), rows[0])


_CARDS_OF = text(
    f"""
SELECT {CARD_JSON} FROM app.product_cards c
 WHERE c.store_id = app.store_id() AND c.is_shown AND c.product_id IN (
   SELECT id FROM app.products
    WHERE store_id = app.store_id() AND slug = ANY(CAST(:slugs AS text[])))
"""  # noqa: S608 - put together from our own text
)

# Every part reads a few rows of an index, whatever the shop has and has sold: the goods that sold
# among the newest orders of the week, the newest goods, and four of each shelf. The steps are fenced
# off (MATERIALIZED, OFFSET 0): of a shop filled a moment ago Postgres knows no numbers yet, and what it
# then guesses took seconds.
_HOME = text(
    f"""
WITH {PRICES},
 recent AS MATERIALIZED (
   SELECT id FROM app.orders
    WHERE store_id = app.store_id() AND placed_at > now() - interval '7 days'
      AND status NOT IN ('pending_payment', 'cancelled', 'returned')
    ORDER BY placed_at DESC LIMIT {NEWEST_ORDERS}),
 units AS MATERIALIZED (
   SELECT l.variant_id, sum(l.quantity) AS n
     FROM recent CROSS JOIN LATERAL (
       SELECT variant_id, quantity FROM app.order_lines
        WHERE store_id = app.store_id() AND order_id = recent.id OFFSET 0) l
    GROUP BY l.variant_id),
 sold AS MATERIALIZED (
   SELECT v.product_id, sum(u.n) AS n
     FROM units u JOIN app.variants v ON v.store_id = app.store_id() AND v.id = u.variant_id
    GROUP BY v.product_id),
 newest AS MATERIALIZED (
   SELECT product_id FROM app.product_cards
    WHERE store_id = app.store_id() AND is_shown AND NOT is_out
    ORDER BY created_at DESC, slug LIMIT 8)
SELECT json_build_object(
  'host', {HOST},
  'lead', (SELECT {CARD_JSON} FROM app.product_cards c
            WHERE c.store_id = app.store_id() AND c.is_shown AND NOT c.is_out
              AND c.product_id = coalesce(
                (SELECT f.product_id FROM app.product_cards f
                  WHERE f.store_id = app.store_id() AND f.is_shown AND f.is_featured AND NOT f.is_out
                  ORDER BY f.created_at DESC, f.slug LIMIT 1),
                (SELECT product_id FROM newest LIMIT 1))),
  'selling', (SELECT json_agg({CARD_JSON} ORDER BY c.n DESC, c.created_at DESC, c.slug) FROM (
       SELECT c.*, coalesce(s.n, 0) AS n
         FROM (SELECT product_id FROM newest UNION SELECT product_id FROM sold) x
         JOIN app.product_cards c ON c.store_id = app.store_id() AND c.product_id = x.product_id
                                 AND c.is_shown AND NOT c.is_out
         LEFT JOIN sold s ON s.product_id = c.product_id
        ORDER BY n DESC, c.created_at DESC, c.slug LIMIT 8) c),
  'is_by_sales', EXISTS (SELECT 1 FROM sold),
  'shelves', (SELECT json_agg(json_build_object('slug', k.slug, 'name', k.name, 'count', x.n,
                       'cards', four.cards) ORDER BY k.position, k.name)
       FROM (SELECT category_id, sum(n) AS n FROM prices GROUP BY category_id) x
       JOIN app.categories k ON k.store_id = app.store_id() AND k.id = x.category_id
      CROSS JOIN LATERAL (
        SELECT json_agg({CARD_JSON} ORDER BY c.created_at DESC, c.slug) AS cards FROM (
          SELECT * FROM app.product_cards
           WHERE store_id = app.store_id() AND category_id = k.id AND is_shown AND NOT is_out
           ORDER BY created_at DESC, slug LIMIT 4) c) four),
  'product_count', (SELECT coalesce(sum(n), 0) FROM prices),
  'areas', (SELECT json_agg(x.terms) FROM (
       SELECT json_build_object('area', area, 'fee_cents', fee_cents) AS terms
         FROM app.delivery_areas
        WHERE store_id = app.store_id() AND is_active ORDER BY fee_cents, area LIMIT 6) x),
  'area_count', (SELECT count(*) FROM app.delivery_areas
                  WHERE store_id = app.store_id() AND is_active),
  'delivered_count', (SELECT count(*) FROM (
       SELECT FROM app.orders WHERE store_id = app.store_id() AND status IN ('delivered', 'closed')
        LIMIT {MOST_DELIVERED + 1}) x))
"""  # noqa: S608 - put together from our own text
)

# No delivery costs more than this: the dearest area with the dearest extra, or the dearest rule.
MOST_FEE = """
(SELECT greatest(a.dearest + r.extra, r.whole)
   FROM (SELECT max(fee_cents) AS dearest FROM app.delivery_areas
          WHERE store_id = app.store_id() AND is_active) a,
        (SELECT coalesce(max((terms->>'fee_cents')::bigint)
                           FILTER (WHERE (terms->>'is_extra')::boolean), 0) AS extra,
                coalesce(max((terms->>'fee_cents')::bigint)
                           FILTER (WHERE NOT coalesce((terms->>'is_extra')::boolean, false)), 0)
                  AS whole
           FROM app.fee_rules
          WHERE store_id = app.store_id() AND is_active AND kind <> 'pickup') r
  WHERE a.dearest IS NOT NULL)
"""

_PRODUCT = text(
    f"""
WITH wanted AS (
   SELECT * FROM app.products
    WHERE store_id = app.store_id() AND slug = :slug
      AND (status = 'active' OR CAST(:with_drafts AS boolean))),
 these AS MATERIALIZED (SELECT id, category_id FROM wanted)
SELECT json_build_object(
  'host', {HOST},
  'id', p.id, 'slug', p.slug, 'name', p.name, 'description_html', p.description_html,
  'brand', p.brand,
  'facts', p.facts, 'options', to_json(p.options), 'warranty_months', p.warranty_months,
  'category_slug', k.slug, 'category_name', k.name,
  'variants', (SELECT json_agg(json_build_object('sku', sku, 'options', to_json(option_values),
                 'price_cents', app.price_now(w), 'compare_at_cents', app.compare_now(w),
                 'sale_ends_at', CASE WHEN app.price_now(w) < w.price_cents THEN w.sale_ends_at END,
                 'stock', on_hand - reserved, 'weight_grams', weight_grams, 'is_bulky', is_bulky,
                 'barcode', barcode) ORDER BY position, sku)
                 FROM app.variants w
                WHERE w.store_id = p.store_id AND w.product_id = p.id AND w.is_active),
  'attributes', p.attributes, 'seo_title', p.seo_title, 'seo_description', p.seo_description,
  'asked', k.attributes, 'size_chart', k.size_chart,
  'return_days', k.return_days, 'return_note', k.return_note,
  'pictures', (SELECT json_agg(json_build_object('key', media_key, 'width', width,
                 'height', height, 'tint', tint, 'alt', alt, 'sizes', sizes,
                 'option_value', option_value, 'files', files, 'is_filled', is_filled,
                 'focal', json_build_array(focal_x, focal_y)) ORDER BY position, id)
                 FROM app.product_images WHERE store_id = p.store_id AND product_id = p.id
                  AND status = 'ready' AND removed_at IS NULL),
  'related', {RELATED_JSON},
  'cheapest_fee_cents', (SELECT min(fee_cents) FROM app.delivery_areas
                          WHERE store_id = p.store_id AND is_active),
  'most_fee_cents', {MOST_FEE},
  'trust', {TRUST_JSON})
  FROM wanted p LEFT JOIN app.categories k ON k.store_id = p.store_id AND k.id = p.category_id
"""  # noqa: S608
)


def home_page(session: Session) -> HomePage:
    """Everything the home page shows. Sold-out goods are not on it."""
    row: dict[str, Any] = session.execute(_HOME).scalar_one()
    return HomePage(
        host=row["host"] or "",
        lead=card_of(row["lead"]) if row["lead"] else None,
        selling=cards_of(row["selling"]),
        is_by_sales=row["is_by_sales"],
        shelves=shelves_of(row["shelves"]),
        product_count=row["product_count"],
        areas=[AreaFee(**area) for area in row["areas"] or ()],
        area_count=row["area_count"],
        delivered_count=row["delivered_count"],
    )


def product_page(session: Session, slug: str, *, with_drafts: bool = False) -> ProductPage:
    """One product with its variants, photos and what goes with it. Raises NotFound.

    ``with_drafts`` shows what is not on sale too, to staff alone.
    """
    row: dict[str, Any] | None = session.execute(
        _PRODUCT, {"slug": slug, "with_drafts": with_drafts}
    ).scalar_one_or_none()
    if row is None or not row["variants"]:
        raise NotFound
    return ProductPage(
        host=row["host"] or "",
        id=UUID(row["id"]),
        **{name: row[name] for name in ("slug", "name", "description_html", "brand", "options")},
        warranty_months=row["warranty_months"],
        facts=[
            *_answers(row["asked"] or (), row["attributes"]),
            *((str(fact[0]), str(fact[1])) for fact in row["facts"] if len(fact) == 2),
        ],
        size_chart=[list(map(str, line)) for line in row["size_chart"] or ()],
        return_days=row["return_days"],
        return_note=row["return_note"] or "",
        seo_title=row["seo_title"],
        seo_description=row["seo_description"],
        category_slug=row["category_slug"],
        category_name=row["category_name"],
        variants=[VariantView(**variant) for variant in row["variants"]],
        pictures=[Picture(**picture) for picture in row["pictures"] or ()],
        related=cards_of(row["related"]),
        cheapest_fee_cents=row["cheapest_fee_cents"],
        most_fee_cents=row["most_fee_cents"],
        trust=Trust.from_json(row["trust"]),
    )


def find_cards(session: Session, slugs: list[str]) -> list[Card]:
    """The cards of these products in this order; what is not on sale is left out."""
    rows = session.scalars(_CARDS_OF, {"slugs": slugs}).all()
    return sorted(cards_of(list(rows)), key=lambda card: slugs.index(card.slug))


def find_moved(session: Session, slug: str) -> str | None:
    """Where the page of this old address is now, if its product is on sale."""
    return session.scalar(
        select(Product.slug)
        .join(OldSlug, (OldSlug.store_id == Product.store_id) & (OldSlug.product_id == Product.id))
        .where(OldSlug.store_id == bound_store(), OldSlug.slug == slug, Product.status == "active")
    )


def get_chosen_variant(session: Session, slug: str, chosen: Iterable[str]) -> Variant:
    """The variant of a product with exactly these option values. Raises NotFound."""
    variant = session.scalars(
        select(Variant)
        .join(Variant.product)
        .where(Product.slug == slug, Product.status == "active", Variant.is_active)
        .where(Variant.option_values == list(chosen))
    ).first()
    if variant is None:
        raise NotFound
    return variant


def find_moved_category(session: Session, slug: str) -> str | None:
    """Where the category of this old address is now; one step, however often it moved."""
    return session.scalar(
        select(Category.slug)
        .join(
            OldCategorySlug,
            (OldCategorySlug.store_id == Category.store_id)
            & (OldCategorySlug.category_id == Category.id),
        )
        .where(OldCategorySlug.store_id == bound_store(), OldCategorySlug.slug == slug)
    )


def _answers(asked: Iterable[dict[str, Any]], attributes: dict[str, Any]) -> list[tuple[str, str]]:
    """What the category asks and the product answers, as facts to show."""
    return [
        (str(each["name"]), f"{attributes[each['key']]} {each.get('unit', '')}".strip())
        for each in asked
        if attributes.get(each["key"])
    ]


def get_variant(session: Session, sku: str) -> Variant:
    """The variant a shopper may buy by its SKU. Raises NotFound."""
    variant = session.scalars(
        select(Variant)
        .join(Variant.product)
        .where(Variant.sku == sku, Variant.is_active, Product.status == "active")
    ).one_or_none()
    if variant is None:
        raise NotFound
    return variant


def escape_like(words: str) -> str:
    """The words as a LIKE pattern that matches only themselves."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def card_of(row: dict[str, Any]) -> Card:
    """A card from its JSON."""
    picture = row["picture"]
    return Card(**(row | {"picture": Picture(**picture) if picture else None}))


def cards_of(rows: list[dict[str, Any]] | None) -> list[Card]:
    """Cards from their JSON; none for NULL."""
    return [card_of(row) for row in rows or ()]


def shelves_of(rows: list[dict[str, Any]] | None) -> list[Shelf]:
    """Shelves from their JSON; none for NULL."""
    return [Shelf(**(row | {"cards": cards_of(row.get("cards"))})) for row in rows or ()]
