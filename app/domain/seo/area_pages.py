"""One area's page: what the store can bring there, for how much and by when, and what is known.

A page exists only where the store delivers today and has goods in stock to bring. With fewer
than ``ENOUGH_TO_INDEX`` products it is shown to people and kept out of the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy.orm import Session

from app.domain.catalog.queries import Card
from app.domain.delivery.areas import Area, get_area
from app.domain.delivery.fees import Basket, FeeQuote, FeeRule
from app.domain.delivery.promises import Promise, promise_for, promise_words
from app.domain.delivery.queries import StoreArea, price_delivery, promise_terms
from app.domain.errors import NotFound
from app.domain.seo.area_facts import AreaTruth, StockedCategory, find_area_facts, find_served
from app.domain.stores.models import Store

ENOUGH_TO_INDEX = 3
MOST_NEIGHBOURS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaLine:
    """An area with its fee: a row of the list, or a neighbour on another area's page."""

    area: Area
    fee_cents: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AtGate:
    """What one product costs in this area with its delivery, bought alone."""

    name: str
    total_cents: int
    is_from: bool  # for its cheapest variant


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaList:
    host: str  # the store's canonical one
    lines: list[AreaLine]


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
    at_gate: list[AtGate]  # of the picks that may be ordered alone there
    in_stock: int
    lowest_cents: int
    categories: list[StockedCategory]  # on the area's own page alone
    neighbours: list[AreaLine]
    truth: AreaTruth | None
    is_indexed: bool


def area_list(session: Session, at: datetime) -> AreaList:
    """Every area the store delivers to with its fee in cents, by name. Raises NotFound for none."""
    served = find_served(session)
    if not served.areas:
        raise NotFound
    return AreaList(
        host=served.host,
        lines=[
            AreaLine(area=one.area, fee_cents=_fee(one, 0, served.rules, at).fee_cents)
            for one in served.areas
        ],
    )


def get_area_page(
    session: Session, store: Store, area_slug: str, category_slug: str | None, at: datetime
) -> AreaPage:
    """The facts of one area, or of one category in it, as they are at ``at`` (UTC).

    Raises NotFound where the store does not deliver, or has nothing in stock to bring.
    """
    get_area(area_slug)  # a slug of no place costs no question
    facts = find_area_facts(session, area_slug, category_slug, at)
    served = facts.served
    found = served.find(area_slug)
    if found is None or facts.lowest_cents is None:
        raise NotFound
    if category_slug is not None and facts.category_name is None:
        raise NotFound
    quoted = _fee(found, facts.lowest_cents, served.rules, at)
    terms = promise_terms(store, found)
    promise = promise_for(terms, at)
    return AreaPage(
        area=found.area,
        host=served.host,
        category_slug=category_slug,
        category_name=facts.category_name,
        fee_cents=quoted.fee_cents,
        fee_reason=quoted.reason,
        minimum_cents=found.terms.minimum_order_cents,
        free_from_cents=found.terms.free_from_cents,
        promise=promise,
        promise_text=promise_words(promise, at),
        order_by=terms.cutoff,
        picks=facts.picks,
        at_gate=[
            AtGate(
                name=pick.name,
                total_cents=pick.price_cents
                + _fee(found, pick.price_cents, served.rules, at).fee_cents,
                is_from=pick.has_range,
            )
            for pick in facts.picks
            if pick.price_cents >= found.terms.minimum_order_cents
        ],
        in_stock=facts.in_stock,
        lowest_cents=facts.lowest_cents,
        categories=facts.categories if category_slug is None else [],
        neighbours=[
            AreaLine(
                area=one.area,
                fee_cents=_fee(one, facts.lowest_cents, served.rules, at).fee_cents,
            )
            for one in neighbours(found.area, served.areas)
        ],
        truth=facts.truth,
        is_indexed=facts.in_stock >= ENOUGH_TO_INDEX,
    )


def neighbours(area: Area, served: Sequence[StoreArea]) -> list[StoreArea]:
    """Up to four served areas that people would call near: the same ward, then as far out.

    Among equals those that follow in the alphabet come first, so that the pages of two
    areas do not all name the same four.
    """

    def nearness(one: StoreArea) -> tuple[int, bool, str]:
        other = one.area
        if other.ward == area.ward:
            rank = 0
        elif (other.county, other.band) == (area.county, area.band):
            rank = 1
        else:
            rank = 2
        return rank, other.name < area.name, other.name

    near = [one for one in served if one.area.slug != area.slug and nearness(one)[0] < 2]
    return sorted(near, key=nearness)[:MOST_NEIGHBOURS]


def _fee(found: StoreArea, basket_cents: int, rules: Sequence[FeeRule], at: datetime) -> FeeQuote:
    """The fee for a basket of this size, or for the smallest that the area takes."""
    basket = Basket(subtotal_cents=max(basket_cents, found.terms.minimum_order_cents))
    return price_delivery(found, basket, rules, at)
