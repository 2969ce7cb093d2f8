"""One area's page: what the store can bring there, for how much and by when, and what is known.

A page exists only where the store delivers today and has goods in stock to bring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zlib import crc32

from sqlalchemy.orm import Session

from app.domain.catalog.queries import Card, category_page, search
from app.domain.delivery.areas import Area
from app.domain.delivery.fees import Basket, FeeQuote, FeeRule
from app.domain.delivery.promises import Promise, promise_for, promise_words
from app.domain.delivery.queries import (
    StoreArea,
    fee_rules,
    price_delivery,
    promise_terms,
    store_areas,
)
from app.domain.errors import NotFound
from app.domain.seo import queries
from app.domain.seo.queries import ENOUGH_TO_INDEX, AreaTruth, StockedCategory
from app.domain.stores.models import Store

PICKS = 4
SEEN = 120
"""How many goods are looked through for an area's picks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    area: Area
    fee_cents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaPage:
    """Everything the page shows. Amounts in cents; the fee is for the cheapest of its goods."""

    area: Area
    host: str  # the store's canonical one
    category_slug: str | None
    category_name: str | None
    fee_cents: int
    fee_reason: str
    minimum_cents: int
    free_from_cents: int | None
    promise: Promise
    promise_text: str
    order_by: time  # for the same day, on a Nairobi clock
    picks: list[Card]
    in_stock: int
    lowest_cents: int
    categories: list[StockedCategory]  # on the area's own page alone
    neighbours: list[Neighbour]
    truth: AreaTruth | None
    is_indexed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaLine:
    """One row of the list of areas."""

    area: Area
    fee_cents: int


def area_list(session: Session, at: datetime) -> list[AreaLine]:
    """Every area the store delivers to with its fee in cents, by name. Raises NotFound for none."""
    served = store_areas(session)
    if not served:
        raise NotFound
    rules = fee_rules(session)
    return [AreaLine(area=one.area, fee_cents=_fee(one, 0, rules, at).fee_cents) for one in served]


def get_area_page(
    session: Session, store: Store, area_slug: str, category_slug: str | None, at: datetime
) -> AreaPage:
    """The facts of one area, or of one category in it, as they are at ``at`` (UTC).

    Raises NotFound where the store does not deliver, or has nothing in stock to bring.
    """
    served = store_areas(session)
    found = next((one for one in served if one.area.slug == area_slug), None)
    if found is None:
        raise NotFound
    listing = (
        category_page(session, category_slug, in_stock=True, shown=SEEN)
        if category_slug is not None
        else search(session, "", in_stock=True, shown=SEEN)
    )
    if not listing.count or listing.lowest_cents is None:
        raise NotFound
    rules = fee_rules(session)
    quoted = _fee(found, listing.lowest_cents, rules, at)
    terms = promise_terms(store, found)
    promise = promise_for(terms, at)
    return AreaPage(
        area=found.area,
        host=listing.host,
        category_slug=category_slug,
        category_name=listing.title if category_slug is not None else None,
        fee_cents=quoted.fee_cents,
        fee_reason=quoted.reason,
        minimum_cents=found.terms.minimum_order_cents,
        free_from_cents=found.terms.free_from_cents,
        promise=promise,
        promise_text=promise_words(promise, at),
        order_by=terms.cutoff,
        picks=pick(
            listing.cards,
            found.area.slug,
            queries.favourites(session, found.area.slug),
        ),
        in_stock=listing.count,
        lowest_cents=listing.lowest_cents,
        categories=queries.stocked_categories(session) if category_slug is None else [],
        neighbours=[
            Neighbour(area=one.area, fee_cents=_fee(one, listing.lowest_cents, rules, at).fee_cents)
            for one in queries.neighbours(found.area, served)
        ],
        truth=queries.find_area_truth(session, found.area.slug, at),
        is_indexed=listing.count >= ENOUGH_TO_INDEX,
    )


def pick(cards: Sequence[Card], area_slug: str, bought: dict[str, int]) -> list[Card]:
    """The few to show: what this area bought most, then in an order of the area's own.

    The order is the same every day, and another one for another area, so that two areas'
    pages do not show the same few.
    """

    def place(card: Card) -> tuple[int, int]:
        return -bought.get(card.slug, 0), crc32(f"{area_slug}/{card.slug}".encode())

    return sorted(cards, key=place)[:PICKS]


def _fee(found: StoreArea, basket_cents: int, rules: Sequence[FeeRule], at: datetime) -> FeeQuote:
    """The fee for a basket of this size, or for the smallest that the area takes."""
    basket = Basket(subtotal_cents=max(basket_cents, found.terms.minimum_order_cents))
    return price_delivery(found, basket, rules, at)
