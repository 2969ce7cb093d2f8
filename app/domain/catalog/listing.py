"""Lists of goods: a shelf, or all of the shop, filtered and sorted, a page of 24 at a time.

A page costs the same in a shop of a hundred products and in one of a hundred thousand. The goods
come in the order of an index, from where the page before it ended; a page asked for by its number
first finds that place in the index alone, from whichever end is nearer. Counts come ready from
``shelf_counts``, but for filters that have no count of their own: those are counted as far as a
thousand, and said to be "more than" that. Everything read here is kept by the database itself
(migration 0023), in the transaction that changes the goods.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from app.domain.catalog.cards import CARD_JSON, PRICES
from app.domain.catalog.queries import PAGE_SIZE, Card, Shelf, cards_of, shelves_of
from app.domain.errors import NotFound
from app.domain.stores.hosts import HOST

SORTS = ("new", "price", "-price")
PRICE_STEPS_CENTS = (
    500_00, 1_000_00, 2_500_00, 5_000_00, 10_000_00, 25_000_00, 50_000_00, 100_000_00,
)  # fmt: skip
MAX_PAGE = 100_000
MOST_COUNTED = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """Something the goods of a category differ in: value → how many of them have it."""

    key: str
    name: str
    counts: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What a list is narrowed to. Prices in cents; ``traits`` by the key of an attribute."""

    least_cents: int | None = None
    most_cents: int | None = None
    in_stock: bool = False
    traits: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def is_set(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, kw_only=True, slots=True)
class Understood:
    """What a search took the words for."""

    said: str  # the words that were meant, where some were mistyped; else empty
    is_close: bool  # nothing has all of the words: these come nearest
    least_cents: int | None
    most_cents: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A page of a list. ``count`` is exact unless ``is_many``: then it is at least that."""

    host: str
    title: str
    slug: str | None
    cards: list[Card]
    page: int
    has_more: bool
    count: int  # that match
    is_many: bool
    total: int  # on the shelf, before filters
    price_steps: list[tuple[int, int]]  # (cents, how many up to it)
    in_stock_count: int
    lowest_cents: int | None
    close: list[Card]  # without the filters, shown when nothing matches
    shelves: list[Shelf]
    facets: list[Facet]
    understood: Understood | None = None
    place: dict[str, Any] | None = None  # the store's terms and rules for the area asked about

    @property
    def last_slug(self) -> str | None:
        """Where the next page goes on."""
        return self.cards[-1].slug if self.has_more else None


# -- the statement, put together from the pieces below ----------------------------------------

SHELVES = """
  (SELECT json_agg(json_build_object('slug', k.slug, 'name', k.name, 'count', x.n)
                    ORDER BY k.position, k.name)
     FROM (SELECT category_id, sum(n) AS n FROM prices GROUP BY category_id) x
     JOIN app.categories k ON k.store_id = app.store_id() AND k.id = x.category_id)
"""

# What the store asks for delivery to one area, for whoever named it in a search.
PLACE = """
  (SELECT json_build_object('terms', to_json(d),
            'rules', (SELECT json_agg(to_json(f) ORDER BY f.position, f.id) FROM app.fee_rules f
                       WHERE f.store_id = app.store_id() AND f.is_active))
     FROM app.delivery_areas d
    WHERE d.store_id = app.store_id() AND d.area = :place AND d.is_active)
"""

# A shelf is itself and those directly under it; each has its own place in the index.
_SHELF = """
  here AS MATERIALIZED (
    SELECT id, name, attributes FROM app.categories
     WHERE store_id = app.store_id() AND slug = :category),
  shelf AS MATERIALIZED (
    SELECT id FROM here UNION ALL
    SELECT k.id FROM app.categories k JOIN here ON k.parent_id = here.id
     WHERE k.store_id = app.store_id()),
  asked AS MATERIALIZED (
    SELECT a.n, a.attribute, a.attribute->>'key' AS key,
           ARRAY[app.trait_key(a.attribute->>'key'), app.trait_key(a.attribute->>'name')] AS keys
      FROM here, jsonb_array_elements(here.attributes) WITH ORDINALITY AS a(attribute, n)
     WHERE (a.attribute->>'is_filter')::boolean),
  mine AS MATERIALIZED (
    SELECT mark, sum(n)::int AS n FROM prices WHERE category_id IN (SELECT id FROM shelf) GROUP BY mark)
"""
_ALL = """
  shelf AS MATERIALIZED (SELECT 1 AS id),
  mine AS MATERIALIZED (SELECT mark, sum(n)::int AS n FROM prices GROUP BY mark)
"""
_ON_SHELF = {True: "AND c.category_id = shelf.id", False: ""}

# Every wanted trait under the attribute's key, or under its name where it is an option.
_WANTED = """
  wanted AS MATERIALIZED (
    SELECT w.key, array_agg(app.trait(k, v)) AS any_of
      FROM jsonb_each(CAST(:traits AS jsonb)) w
      LEFT JOIN asked ON asked.key = w.key,
      jsonb_array_elements_text(w.value) v, unnest(coalesce(asked.keys, ARRAY[w.key])) k
     GROUP BY w.key)
"""
_FILTER = """
  AND (CAST(:least AS bigint) IS NULL OR c.price_cents >= :least)
  AND (CAST(:most AS bigint) IS NULL OR c.price_cents <= :most)
  AND NOT (CAST(:in_stock AS boolean) AND c.is_out)
"""
_TRAITS = "AND NOT EXISTS (SELECT 1 FROM wanted w WHERE NOT c.traits && w.any_of)"
_FACETS = """
  (SELECT json_agg(json_build_object('key', a.key, 'name', a.attribute->>'name',
                      'unit', a.attribute->>'unit', 'choices', a.attribute->'choices',
                      'counts', f.counts) ORDER BY a.n)
     FROM asked a CROSS JOIN LATERAL (
       SELECT json_object_agg(y.mark, y.n) AS counts FROM (
         SELECT c.mark, sum(c.n)::int AS n FROM shelf
           JOIN app.shelf_counts c ON c.store_id = app.store_id() AND c.key = ANY(a.keys)
                                  AND c.category_id = shelf.id
          GROUP BY c.mark HAVING sum(c.n) > 0 ORDER BY 2 DESC, 1 LIMIT 24) y) f
    WHERE f.counts IS NOT NULL)
"""

# In each order: how the goods stand, and what comes after the last one of the page before.
_ORDERS: dict[str, tuple[str, str, str]] = {
    "new": (
        "c.created_at DESC, c.slug",
        "c.created_at <= after.created_at AND (c.created_at < after.created_at OR c.slug > after.slug)",
        (
            "c.created_at <= CASE WHEN after.is_out THEN after.created_at ELSE 'infinity' END"
            " AND (NOT after.is_out OR c.created_at < after.created_at OR c.slug > after.slug)"
        ),
    ),
    "price": (
        "c.price_cents, c.slug",
        "c.price_cents >= after.price_cents AND (c.price_cents > after.price_cents OR c.slug > after.slug)",
        (
            "c.price_cents >= CASE WHEN after.is_out THEN after.price_cents ELSE 0 END"
            " AND (NOT after.is_out OR c.price_cents > after.price_cents OR c.slug > after.slug)"
        ),
    ),
    "-price": (
        "c.price_cents DESC, c.slug DESC",
        "c.price_cents <= after.price_cents AND (c.price_cents < after.price_cents OR c.slug < after.slug)",
        (
            "c.price_cents <= CASE WHEN after.is_out THEN after.price_cents ELSE 100000000000 END"
            " AND (NOT after.is_out OR c.price_cents < after.price_cents OR c.slug < after.slug)"
        ),
    ),
}
_AFTER = """
  after AS MATERIALIZED (
    SELECT c.is_out, c.created_at, c.price_cents, c.slug
      FROM app.products p
      JOIN app.product_cards c ON c.store_id = p.store_id AND c.product_id = p.id AND c.is_shown
     WHERE p.store_id = app.store_id() AND p.slug = :after)
"""

# The same for a page asked for by its number: the one that ``skip`` goods end with. What is in stock
# and what is sold out are counted, so that each is stepped through from its nearer end. One shelf is
# stepped through in its index; several only when put together.
_STEPS = """
  sides AS MATERIALIZED (
    SELECT coalesce(sum(n) FILTER (WHERE mark LIKE '%+'), 0) AS there, coalesce(sum(n), 0) AS total FROM mine),
  steps AS MATERIALIZED (
    SELECT x.is_out, x.behind < x.before AS is_back,
           CASE WHEN one.is_one THEN least(x.before, x.behind) ELSE 0 END AS in_index,
           CASE WHEN one.is_one THEN 0 ELSE least(x.before, x.behind) END AS together
      FROM sides, (SELECT count(*) = 1 AS is_one FROM shelf) one, LATERAL (
        SELECT :skip > there AS is_out, :skip - 1 - CASE WHEN :skip > there THEN there ELSE 0 END AS before,
               CASE WHEN :skip > there THEN total ELSE there END - :skip AS behind) x
     WHERE x.behind >= 0)
"""
# In each order: what its index holds of a product, and the order from its end.
_BACK: dict[str, tuple[str, str]] = {
    "new": ("c.is_out, c.created_at, c.slug", "c.created_at, c.slug DESC"),
    "price": ("c.is_out, c.price_cents, c.slug", "c.price_cents DESC, c.slug DESC"),
    "-price": ("c.is_out, c.price_cents, c.slug", "c.price_cents, c.slug"),
}


def _after_steps(sort: str, *, on_shelf: bool) -> str:
    """The statement's ``after`` by number. Of several shelves each may hold all that is stepped over."""
    keys, back = _BACK[sort]

    def step(order: str, way: str) -> str:
        return f"""
          (SELECT y.* FROM shelf CROSS JOIN LATERAL (
             SELECT {keys} FROM app.product_cards c
              WHERE c.store_id = app.store_id() {_ON_SHELF[on_shelf]} AND c.is_shown
                AND c.is_out = steps.is_out
              ORDER BY {order} LIMIT steps.together + 1 OFFSET steps.in_index) y
            WHERE {way}
            ORDER BY {order.replace("c.", "y.")} LIMIT 1 OFFSET steps.together)"""  # noqa: S608 - as below

    on, from_end = step(_ORDERS[sort][0], "NOT steps.is_back"), step(back, "steps.is_back")
    return f"""{_STEPS},
  after AS MATERIALIZED (
    SELECT x.* FROM steps CROSS JOIN LATERAL ({on} UNION ALL {from_end}) x)
"""  # noqa: S608


@lru_cache(maxsize=64)
def _statement(
    *,
    on_shelf: bool,
    sort: str,
    is_filtered: bool,
    has_traits: bool,
    goes_on: bool,
    steps: bool,
    has_place: bool,
) -> TextClause:
    """The one statement of a list, with only the parts that this kind of list needs."""
    order, after_in, after_out = _ORDERS[sort]
    filters = (_FILTER if is_filtered else "") + (_TRAITS if has_traits else "")
    parts = [PRICES, _SHELF if on_shelf else _ALL]
    parts += [_WANTED] if has_traits else []
    parts += [_after_steps(sort, on_shelf=on_shelf) if steps else _AFTER] if goes_on else []
    after = "CROSS JOIN after" if goes_on else ""

    def some(stock: str, more: str) -> str:
        return f"""
          (SELECT c.* FROM app.product_cards c
            WHERE c.store_id = app.store_id() {_ON_SHELF[on_shelf]} AND c.is_shown AND {stock}
              {filters} {more}
            ORDER BY {order} LIMIT :limit)"""  # noqa: S608 - put together from this module's own text

    first = some("NOT c.is_out", f"AND NOT after.is_out AND {after_in}" if goes_on else "")
    then = some("c.is_out", f"AND {after_out}" if goes_on else "")
    return text(
        f"""
WITH {", ".join(parts)},
 page AS MATERIALIZED (
   SELECT x.*, row_number() OVER (ORDER BY x.is_out, {order.replace("c.", "x.")}) AS place
     FROM shelf {after} CROSS JOIN LATERAL ({first} UNION ALL {then}) x
    ORDER BY place LIMIT :shown OFFSET :over)
SELECT json_build_object(
  'host', {HOST},
  'category', {"(SELECT name FROM here)" if on_shelf else "NULL"},
  'cards', (SELECT json_agg({CARD_JSON} ORDER BY c.place) FROM page c),
  'prices', (SELECT json_object_agg(mark, n) FROM mine),
  'count', CASE WHEN CAST(:is_counted AS boolean) THEN (
     SELECT count(*) FROM (SELECT 1 FROM shelf JOIN app.product_cards c
         ON c.store_id = app.store_id() {_ON_SHELF[on_shelf]} AND c.is_shown
         {filters} LIMIT :most_counted) y) END,
  'lowest_cents', (SELECT min(x.price_cents) FROM shelf CROSS JOIN LATERAL (
     SELECT c.price_cents FROM app.product_cards c
      WHERE c.store_id = app.store_id() {_ON_SHELF[on_shelf]} AND c.is_shown AND NOT c.is_out
      ORDER BY c.price_cents LIMIT 1) x),
  'close', CASE WHEN NOT EXISTS (SELECT 1 FROM page) THEN (
     SELECT json_agg(x.card ORDER BY x.price_cents, x.slug) FROM (
       SELECT c.price_cents, c.slug, {CARD_JSON} AS card FROM shelf CROSS JOIN LATERAL (
         SELECT c.* FROM app.product_cards c
          WHERE c.store_id = app.store_id() {_ON_SHELF[on_shelf]} AND c.is_shown AND NOT c.is_out
          ORDER BY c.price_cents, c.slug LIMIT 4) c
        ORDER BY c.price_cents, c.slug LIMIT 4) x) END,
  'facets', {_FACETS if on_shelf else "NULL"},
  'place', {PLACE if has_place else "NULL"},
  'shelves', {SHELVES})
"""  # noqa: S608
    )


# -- the questions --------------------------------------------------------------------------


def category_page(
    session: Session,
    slug: str,
    *,
    sort: str = SORTS[0],
    filters: Filters | None = None,
    page: int = 1,
    after: str | None = None,
    shown: int = PAGE_SIZE,
) -> Listing:
    """A page of one category and of those under it, filtered as asked.

    A product matches that has one of the wanted values of each attribute. ``after`` is the
    last product of the page before, from where an index goes on; without it the products before
    are stepped over. Raises NotFound for a category this store does not have, and for a page
    behind the last.
    """
    filters = filters or Filters()
    row = _ask(session, slug, sort, filters, page, after, shown)
    if row["category"] is None:
        raise NotFound
    return _as_listing(row, filters, page, shown, title=row["category"], slug=slug)


def everything(
    session: Session,
    *,
    sort: str = SORTS[0],
    filters: Filters | None = None,
    page: int = 1,
    after: str | None = None,
    place: str | None = None,
    shown: int = PAGE_SIZE,
) -> Listing:
    """The same of all that the store sells. Traits belong to categories and are not asked for."""
    filters = filters or Filters()
    row = _ask(session, None, sort, filters, page, after, shown, place=place)
    return _as_listing(row, filters, page, shown, title="", slug=None)


def _ask(
    session: Session,
    category: str | None,
    sort: str,
    filters: Filters,
    page: int,
    after: str | None,
    shown: int,
    *,
    place: str | None = None,
) -> dict[str, Any]:
    page = max(1, min(page, MAX_PAGE))
    is_linked = after is not None and page > 1
    before = (page - 1) * shown
    # Only of what the ready counts know is it known how many are on each side.
    steps = page > 1 and not is_linked and filters == Filters(in_stock=filters.in_stock)
    over = 0 if is_linked or steps else before
    values: dict[str, Any] = {
        "shown": shown + 1,
        "over": over,
        "limit": over + shown + 1,
        "is_counted": filters.is_set and _ready_count({}, filters) is None,
        "most_counted": MOST_COUNTED + 1,
        "least": filters.least_cents,
        "most": filters.most_cents,
        "in_stock": filters.in_stock,
        "place": place,
    }
    has_traits = category is not None and bool(filters.traits)
    if category is not None:
        values["category"] = category
    if has_traits:
        values["traits"] = json.dumps(filters.traits)
    if is_linked:
        values["after"] = after
    if steps:
        values["skip"] = before
    statement = _statement(
        on_shelf=category is not None,
        sort=sort if sort in SORTS else SORTS[0],
        is_filtered=filters.is_set,
        has_traits=has_traits,
        goes_on=is_linked or steps,
        steps=steps,
        has_place=place is not None,
    )
    row: dict[str, Any] = session.execute(statement, values).scalar_one()
    if is_linked and not row["cards"]:
        # What it went on from is no longer sold.
        return _ask(session, category, sort, filters, page, None, shown, place=place)
    return row


def _as_listing(
    row: dict[str, Any], filters: Filters, page: int, shown: int, *, title: str, slug: str | None
) -> Listing:
    cards = cards_of(row["cards"])
    if page > 1 and not cards:
        raise NotFound
    counts = Counts.from_marks(row["prices"] or {})
    ready = _ready_count(row["prices"] or {}, filters)
    count = row["count"] if ready is None else ready
    return Listing(
        host=row["host"] or "",
        title=title,
        slug=slug,
        cards=cards[:shown],
        page=page,
        has_more=len(cards) > shown,
        count=min(count, MOST_COUNTED) if ready is None else count,
        is_many=ready is None and count > MOST_COUNTED,
        total=counts.total,
        price_steps=counts.useful_steps(),
        in_stock_count=counts.in_stock,
        lowest_cents=row["lowest_cents"],
        close=cards_of(row["close"]),
        shelves=shelves_of(row["shelves"]),
        facets=[_facet(facet) for facet in row["facets"] or ()],
        place=row["place"],
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many goods a list has: in all, in stock, and up to each price step."""

    total: int
    in_stock: int
    steps: list[tuple[int, int]]

    @classmethod
    def from_marks(cls, marks: Mapping[str, int]) -> Counts:
        """From ``3+`` → n: price step 3 and in stock; ``3-`` is the same sold out."""
        return cls(
            total=sum(marks.values()),
            in_stock=sum(n for mark, n in marks.items() if mark.endswith("+")),
            steps=[
                (cents, sum(n for mark, n in marks.items() if int(mark[:-1]) <= at))
                for at, cents in enumerate(PRICE_STEPS_CENTS)
            ],
        )

    def useful_steps(self) -> list[tuple[int, int]]:
        """At most three prices that divide these goods: not none of them, and not all."""
        useful = [(step, count) for step, count in self.steps if 0 < count < self.total]
        if len(useful) <= 3:
            return useful
        return [useful[0], useful[len(useful) // 2], useful[-1]]


def _ready_count(marks: Mapping[str, int], filters: Filters) -> int | None:
    """How many match, where the counts by step and stock say it; else None."""
    if filters.traits or filters.least_cents is not None:
        return None
    if filters.most_cents is not None and filters.most_cents not in PRICE_STEPS_CENTS:
        return None
    most = (
        PRICE_STEPS_CENTS.index(filters.most_cents)
        if filters.most_cents is not None
        else len(PRICE_STEPS_CENTS)
    )
    return sum(
        n
        for mark, n in marks.items()
        if int(mark[:-1]) <= most and (mark.endswith("+") or not filters.in_stock)
    )


def _facet(row: dict[str, Any]) -> Facet:
    """The values in the order the category lists them, then the others by name."""
    order = {value: at for at, value in enumerate(row["choices"] or ())}
    values = sorted(row["counts"], key=lambda value: (order.get(value, len(order)), value))
    unit = f" {row['unit']}" if row["unit"] else ""
    return Facet(
        key=row["key"],
        name=row["name"] + (f",{unit}" if unit else ""),
        counts={value: row["counts"][value] for value in values},
    )
