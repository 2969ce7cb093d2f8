"""Questions about where a store delivers and for how much. Nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.delivery.areas import Area, UnknownArea, find_area, get_area
from app.domain.delivery.fees import (
    AreaTerms,
    Basket,
    FeeQuote,
    FeeRule,
    RuleKind,
    SizeClass,
    Slot,
    quote_fee,
)
from app.domain.delivery.models import DeliveryArea, FeeRuleRow
from app.domain.delivery.promises import (
    DEFAULT_PROMISE_TERMS,
    Promise,
    PromiseTerms,
    promise_for,
    promise_words,
)
from app.domain.errors import AreaNotServed
from app.domain.stores.models import Store

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class StoreArea:
    """An area of the product's list with the store's own terms for it."""

    area: Area
    terms: DeliveryArea


@dataclass(frozen=True, kw_only=True)
class FeePreview:
    """What a shopper reads before ordering. ``fee_cents`` is what would be charged now."""

    area: Area
    fee_cents: int
    reason: str
    promise_text: str
    promise: Promise
    minimum_cents: int


def area_name(slug: str | None) -> str:
    """The area's name for people; empty for a pick-up."""
    if not slug:
        return ""
    try:
        return get_area(slug).name
    except UnknownArea:
        return slug.replace("-", " ").title()


def store_areas(session: Session) -> list[StoreArea]:
    """The areas this store delivers to, by name."""
    rows = session.scalars(
        select(DeliveryArea).where(DeliveryArea.store_id == bound_store(), DeliveryArea.is_active)
    )
    known = []
    for terms in rows:
        try:
            known.append(StoreArea(get_area(terms.area), terms))
        except UnknownArea:
            continue  # taken out of the product's list since the store chose it
    return sorted(known, key=lambda a: a.area.name)


_SERVED = select(DeliveryArea).where(
    DeliveryArea.store_id == bindparam("store_id"),
    DeliveryArea.area == bindparam("area"),
    DeliveryArea.is_active,
)


def find_store_area(session: Session, text: str | None) -> StoreArea | None:
    """The served area that a slug, a name, an alias or a near miss means; None where there is none."""
    if not text:
        return None
    try:
        area: Area | None = get_area(text)
    except UnknownArea:
        area = area_by_own_name(session, text) or find_area(text)
    if area is None:
        return None
    terms = session.scalar(_SERVED, {"store_id": bound_store(), "area": area.slug})
    return StoreArea(area, terms) if terms is not None else None


def area_by_own_name(session: Session, text: str) -> Area | None:
    """The area that this very store calls so, before anything the product's list says."""
    wanted = own_name(text)
    if not wanted:
        return None
    rows = session.execute(
        select(DeliveryArea.area, DeliveryArea.aliases).where(
            DeliveryArea.store_id == bound_store(),
            DeliveryArea.is_active,
            DeliveryArea.aliases != [],
        )
    )
    for slug, aliases in rows:
        if wanted in map(own_name, aliases):
            try:
                return get_area(slug)
            except UnknownArea:
                continue
    return None


def own_name(text: str) -> str:
    """How two spellings of a store's own place name are compared: letters and digits, small."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def fee_rules(session: Session) -> list[FeeRule]:
    """The store's fee rules in the order they are tried."""
    rows = session.scalars(
        select(FeeRuleRow)
        .where(FeeRuleRow.store_id == bound_store(), FeeRuleRow.is_active)
        .order_by(FeeRuleRow.position, FeeRuleRow.id)
    )
    return [fee_rule(row) for row in rows]


def fee_preview(
    session: Session,
    store: Store,
    area_slug: str,
    *,
    basket_cents: int,
    grams: int = 0,
    is_bulky: bool = False,
    at: datetime | None = None,
    rules: Sequence[FeeRule] | None = None,
) -> FeePreview:
    """What delivery to an area costs this basket, and when it arrives. Amounts in cents.

    Raises AreaNotServed and BelowMinimumOrder.
    """
    found = find_store_area(session, area_slug)
    if found is None:
        raise AreaNotServed(area_name(area_slug))
    return preview_of(
        session,
        store,
        found,
        basket_cents=basket_cents,
        grams=grams,
        is_bulky=is_bulky,
        at=at,
        rules=rules,
    )


def preview_of(
    session: Session,
    store: Store,
    found: StoreArea,
    *,
    basket_cents: int,
    grams: int = 0,
    is_bulky: bool = False,
    at: datetime | None = None,
    rules: Sequence[FeeRule] | None = None,
) -> FeePreview:
    """The same for an area whose terms were read already. Raises BelowMinimumOrder."""
    at = at or utcnow()
    basket = Basket(
        subtotal_cents=basket_cents,
        weight_grams=grams,
        size_class=SizeClass.BULKY if is_bulky else SizeClass.STANDARD,
    )
    quote = price_delivery(found, basket, fee_rules(session) if rules is None else rules, at)
    promise = promise_for(promise_terms(store, found), at)
    return FeePreview(
        area=found.area,
        fee_cents=quote.fee_cents,
        reason=quote.reason,
        promise=promise,
        promise_text=promise_words(promise, at),
        minimum_cents=found.terms.minimum_order_cents,
    )


_TERMS = ("area", "fee_cents", "minimum_order_cents", "free_from_cents", "minutes")


def place_from_json(row: Mapping[str, Any]) -> StoreArea | None:
    """A served area from the JSON of its row; None when the product's list has lost it since."""
    try:
        area = get_area(row["area"])
    except UnknownArea:
        return None
    return StoreArea(area, DeliveryArea(**{name: row[name] for name in _TERMS}))  # in no session


def rule_from_json(row: Mapping[str, Any]) -> FeeRule:
    """A fee rule from the JSON of its row."""
    facts = {name: row[name] for name in ("kind", "area", "terms")}
    return fee_rule(FeeRuleRow(id=UUID(row["id"]), **facts))


def preview_of_place(
    session: Session,
    store: Store,
    place: Mapping[str, Any],
    *,
    basket_cents: int,
    at: datetime,
) -> FeePreview | None:
    """The same from the store's terms and rules as JSON, as a search brings them along.

    A basket below the area's minimum is told for the smallest that it takes. None as
    ``place_from_json``.
    """
    found = place_from_json(place["terms"])
    if found is None:
        return None
    return preview_of(
        session,
        store,
        found,
        basket_cents=max(basket_cents, found.terms.minimum_order_cents),
        at=at,
        rules=[rule_from_json(row) for row in place["rules"] or ()],
    )


def price_delivery(
    found: StoreArea, basket: Basket, rules: Sequence[FeeRule], at: datetime
) -> FeeQuote:
    """Apply the store's rules and the area's own terms to one basket."""
    terms = AreaTerms(
        area_slug=found.area.slug,
        area_name=found.area.name,
        fee_cents=found.terms.fee_cents,
        minimum_order_cents=found.terms.minimum_order_cents,
        free_from_cents=found.terms.free_from_cents,
    )
    return quote_fee(basket, terms, rules, at)


def promise_terms(store: Store, found: StoreArea) -> PromiseTerms:
    """What may be promised to an area: its band's hours, the store's own time and closed days."""
    usual = DEFAULT_PROMISE_TERMS[found.area.band]
    closed = frozenset(
        n
        for n, day in enumerate(WEEKDAYS)
        if store.opening_hours and day not in store.opening_hours
    )
    return PromiseTerms(
        minutes=found.terms.minutes,
        cutoff=usual.cutoff,
        today_by=usual.today_by,
        tomorrow_by=usual.tomorrow_by,
        closed_weekdays=closed if len(closed) < len(WEEKDAYS) else frozenset(),
        closed_dates=store.closed_dates,
        hours=_hours(store.opening_hours),
    )


def _hours(opening_hours: dict[str, Any]) -> dict[int, tuple[time, time]]:
    """The hours by weekday, Monday 0; a day whose hours cannot be read says nothing."""
    read = {}
    for number, day in enumerate(WEEKDAYS):
        try:
            opens, closes = map(time.fromisoformat, opening_hours.get(day) or ())
        except (TypeError, ValueError):
            continue
        read[number] = (opens, closes)
    return read


def fee_rule(row: FeeRuleRow) -> FeeRule:
    """A row as the rule it is."""
    facts: dict[str, Any] = dict(row.terms)
    for name, kind in (("size_class", SizeClass), ("slot", Slot)):
        if facts.get(name):
            facts[name] = kind(facts[name])
    for name in ("starts_at", "ends_at"):
        if facts.get(name):
            facts[name] = time.fromisoformat(facts[name])
    return FeeRule(kind=RuleKind(row.kind), id=row.id, area_slug=row.area, **facts)
