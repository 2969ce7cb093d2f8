"""Search: words as people type them, in one statement.

``understanding`` reads the words; the database's own ``app.search_products`` finds the goods. It runs
with the rights of a role that may read the cards of every store, because an index of words is not
used under row-level security, and names the store in each of its statements. Relevance comes
in classes, so that of two goods that fit as well the one in stock stands first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.catalog.cards import CARD_JSON, PRICES
from app.domain.catalog.listing import (
    MAX_PAGE,
    PLACE,
    PRICE_STEPS_CENTS,
    SHELVES,
    SORTS,
    Counts,
    Filters,
    Listing,
    Understood,
    everything,
)
from app.domain.catalog.queries import PAGE_SIZE, cards_of, shelves_of
from app.domain.catalog.understanding import Term, Wish, clean, plain_words, understand
from app.domain.errors import NotFound
from app.domain.stores.hosts import HOST

BEST = "best"
SEARCH_SORTS = (BEST, *SORTS)
MAX_SUGGESTED_PRODUCTS = 5
MAX_SUGGESTED_SHELVES = 3
MOST_FOUND = 500  # as in app.search_products: more are not counted
SHORTEST_BEGUN = 2  # letters, before anything is suggested

_FIND = (
    "app.search_products(CAST(:plain AS text[]), CAST(:heads AS text[]), CAST(:names AS text[]),"
    " CAST(:typed AS text[]), :pairs, :sort, :least, :most, :in_stock, :shown, :skip)"
)


def _cards_in_order(ids: str) -> str:
    """The cards of a JSON list of ids, each looked up by its index however many the shop has.

    Without OFFSET 0 Postgres, which knows nothing of such a list's length, reads the whole table.
    """
    return f"""
  (SELECT json_agg({CARD_JSON} ORDER BY x.place)
     FROM jsonb_array_elements_text(nullif({ids}, 'null')) WITH ORDINALITY x(id, place)
    CROSS JOIN LATERAL (SELECT * FROM app.product_cards
      WHERE store_id = app.store_id() AND product_id = x.id::uuid OFFSET 0) c)
"""  # noqa: S608 - put together from our own text


_FOUND = _cards_in_order("found.r->'ids'")
_CLOSE = _cards_in_order("found.r->'close'")

_SEARCH = text(
    f"""
WITH {PRICES}, found AS MATERIALIZED (SELECT {_FIND} AS r)
SELECT json_build_object(
  'found', found.r,
  'host', {HOST},
  'cards', {_FOUND},
  'close', {_CLOSE},
  'place', CASE WHEN CAST(:place AS text) IS NOT NULL THEN {PLACE} END,
  'shelves', {SHELVES})
  FROM found
"""  # noqa: S608 - put together from our own text
)
_SUGGEST = text(
    f"""
WITH found AS MATERIALIZED (SELECT {_FIND} AS r)
SELECT json_build_object(
  'shelves', (SELECT json_agg(json_build_object('slug', y.slug, 'name', y.name) ORDER BY y.position, y.name)
     FROM (SELECT k.slug, k.name, k.position FROM app.categories k
            WHERE k.store_id = app.store_id()
              AND app.shelf_words(k.name) @@ CAST(:all AS tsquery)
              AND EXISTS (SELECT 1 FROM app.product_cards c WHERE c.store_id = k.store_id
                             AND c.category_id = k.id AND c.is_shown)
            ORDER BY k.position, k.name LIMIT 3) y),
  'products', {_FOUND})
  FROM found
"""  # noqa: S608
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """Where a search that has only begun may lead: a shelf, or a product with its price."""

    path: str
    name: str
    price_cents: int | None = None


def search(
    session: Session,
    query: str,
    *,
    sort: str = BEST,
    filters: Filters | None = None,
    page: int = 1,
    after: str | None = None,
    place: str | None = None,
    shown: int = PAGE_SIZE,
) -> Listing:
    """A page of what fits the words; everything the shop sells for no words.

    Prices in the words ("under 3000", "chini ya 3000") are limits beside those of ``filters``.
    ``place`` is the area of the product's list whose terms the answer brings along. Raises
    NotFound for a page behind the last.
    """
    filters = filters or Filters()
    words = clean(query)
    wish = understand(words)
    least = _tighter(max, filters.least_cents, wish.least_cents)
    most = _tighter(min, filters.most_cents, wish.most_cents)
    if not wish.terms and words and not plain_words(words):
        wish = Wish(terms=(Term(phrases=("_",)),), pairs=())  # signs alone: no word has them
    if not wish.terms:
        return everything(
            session,
            sort=sort if sort in SORTS else SORTS[0],
            filters=Filters(least_cents=least, most_cents=most, in_stock=filters.in_stock),
            page=page,
            after=after,
            place=place,
            shown=shown,
        )
    page = max(1, min(page, MAX_PAGE))
    values = _values(wish) | {
        "sort": sort if sort in SEARCH_SORTS else BEST,
        "least": least,
        "most": most,
        "in_stock": filters.in_stock,
        "shown": shown + 1,
        "skip": (page - 1) * shown,
        "place": place,
    }
    answer: dict[str, Any] = session.execute(_SEARCH, values).scalar_one()
    row = answer.pop("found") | answer
    return _as_listing(row, wish, words, page, shown)


def suggest(session: Session, query: str) -> list[Suggestion]:
    """At most eight places to go while somebody types: shelves, then products."""
    wish = understand(query, is_begun=True)
    if not wish.terms or len("".join(plain_words(query))) < SHORTEST_BEGUN:
        return []
    values = _values(wish) | {
        "sort": BEST,
        "least": wish.least_cents,
        "most": wish.most_cents,
        "in_stock": False,
        "shown": MAX_SUGGESTED_PRODUCTS,
        "skip": 0,
    }
    values["all"] = " & ".join(f"({each})" for each in values["plain"])
    row: dict[str, Any] = session.execute(_SUGGEST, values).scalar_one()
    shelves = [
        Suggestion(path=f"/c/{shelf['slug']}", name=shelf["name"]) for shelf in row["shelves"] or ()
    ]
    products = [
        Suggestion(path=f"/p/{card.slug}", name=card.name, price_cents=card.price_cents)
        for card in cards_of(row["products"])
    ]
    return shelves[:MAX_SUGGESTED_SHELVES] + products


def _values(wish: Wish) -> dict[str, Any]:
    return {
        "plain": [_query(term, "", "") for term in wish.terms],
        "heads": [_query(term, "A", "AB") for term in wish.terms],
        "names": [_query(term, "AB", "AB") for term in wish.terms],
        "typed": [term.typed for term in wish.terms],
        "pairs": " | ".join(f"'{pair}'" for pair in wish.pairs) or None,
    }


def _query(term: Term, last: str, others: str) -> str:
    """All ways to say it as a text query; ``last`` and ``others`` are the weights asked of words."""
    return " | ".join(_phrase(phrase.split(), last, others, term) for phrase in term.phrases)


def _phrase(words: Sequence[str], last: str, others: str, term: Term) -> str:
    begun = "*" if term.is_begun and words[-1] == term.typed else ""
    # Quotation marks cannot be in a word: it is letters and digits.
    parts = [f"'{word}':{others}" if others else f"'{word}'" for word in words[:-1]]
    marks = begun + last
    parts.append(f"'{words[-1]}':{marks}" if marks else f"'{words[-1]}'")
    return "(" + " & ".join(parts) + ")"


def _tighter(choose: Any, one: int | None, other: int | None) -> int | None:
    limits = [limit for limit in (one, other) if limit is not None]
    return choose(limits) if limits else None


def _as_listing(row: dict[str, Any], wish: Wish, words: str, page: int, shown: int) -> Listing:
    cards = cards_of(row["cards"])
    if page > 1 and not cards:
        raise NotFound
    is_many = bool(row["is_cut"])
    marks = {f"{step}+": n for step, n in (row.get("steps") or {}).items()}
    counts = Counts.from_marks(marks)
    return Listing(
        host=row["host"] or "",
        title=words,
        slug=None,
        cards=cards[:shown],
        page=page,
        has_more=len(cards) > shown,
        count=MOST_FOUND if is_many else row["count"],
        is_many=is_many,
        total=row["total"],
        price_steps=[(cents, 0) for cents in PRICE_STEPS_CENTS[1:6:2]]
        if is_many
        else counts.useful_steps(),
        in_stock_count=0 if is_many else row["in_stock"],
        lowest_cents=row.get("lowest"),
        close=cards_of(row.get("close")),
        shelves=shelves_of(row["shelves"]),
        facets=[],
        understood=Understood(
            said=_said(wish, row["said"], words),
            is_close=row["is_close"],
            least_cents=wish.least_cents,
            most_cents=wish.most_cents,
        ),
        place=row["place"],
    )


def _said(wish: Wish, meant: list[str | None], words: str) -> str:
    """The words with the slips put right; empty where there were none."""
    if not any(meant):
        return ""
    right = {term.typed: new for term, new in zip(wish.terms, meant, strict=True) if new}
    return " ".join(right.get(word) or word for word in plain_words(words))
