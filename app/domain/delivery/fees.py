"""What delivery costs: the store's rules in order, then the area's own fee.

Pure: facts in, answer out. All amounts are cents and whole shillings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from app.clock import nairobi
from app.domain.delivery.promises import time_words
from app.domain.errors import AreaNotServed, BelowMinimumOrder
from app.i18n import gettext as _
from app.money import format_kes, whole_shillings

GRAMS_PER_KG = 1000

DEFAULT_FEE_CENTS: dict[str, int] = {
    "A": 200_00,
    "B": 250_00,
    "C": 350_00,
    "D": 450_00,
    "E": 600_00,
    "F": 800_00,
}
"""By distance band, what a new store charges until its owner changes it (docs/data.md)."""


class RuleKind(StrEnum):
    """What makes a fee rule apply."""

    PICKUP = "pickup"
    FREE_OVER = "free_over"
    WEIGHT_OVER = "weight_over"
    SIZE_CLASS = "size_class"
    TIME_SLOT = "time_slot"
    AREA = "area"


class Slot(StrEnum):
    """A faster or later delivery that the shopper asked for."""

    EXPRESS = "express"
    EVENING = "evening"


class SizeClass(StrEnum):
    """How much room the biggest thing in the basket takes."""

    STANDARD = "standard"
    BULKY = "bulky"


@dataclass(frozen=True, kw_only=True)
class Basket:
    """What is being delivered, and how. ``subtotal_cents`` is the goods after discounts."""

    subtotal_cents: int
    weight_grams: int = 0
    size_class: SizeClass = SizeClass.STANDARD
    slot: Slot | None = None
    is_pickup: bool = False


@dataclass(frozen=True, kw_only=True)
class AreaTerms:
    """What one delivery area costs, as the merchant set it."""

    area_slug: str
    area_name: str
    fee_cents: int
    minimum_order_cents: int = 0
    free_from_cents: int | None = None
    is_served: bool = True

    def __post_init__(self) -> None:
        _check_fee(self.fee_cents)


@dataclass(frozen=True, kw_only=True)
class FeeRule:
    """One line of a store's fee table; the first line that applies decides.

    ``fee_cents`` is the whole fee, or with ``is_extra`` what is added to the area's own.
    A rule with an ``area_slug`` is for that area only. ``starts_at`` and ``ends_at``
    bound a TIME_SLOT rule by the Nairobi time of ordering (from, up to but not
    including; it may run past midnight). ``label`` is the merchant's own wording.
    Raises ValueError when its kind lacks the fact it depends on.
    """

    kind: RuleKind
    id: UUID | None = None
    fee_cents: int = 0
    is_extra: bool = False
    area_slug: str | None = None
    threshold_cents: int | None = None
    over_grams: int | None = None
    size_class: SizeClass | None = None
    slot: Slot | None = None
    starts_at: time | None = None
    ends_at: time | None = None
    label: str = ""

    def __post_init__(self) -> None:
        _check_fee(self.fee_cents)
        if (self.starts_at is None) != (self.ends_at is None):
            raise ValueError("a time slot has a start and an end, or neither")
        if self.kind is RuleKind.FREE_OVER and (self.fee_cents or self.is_extra):
            raise ValueError("free delivery costs nothing")
        needed: dict[RuleKind, object] = {
            RuleKind.FREE_OVER: self.threshold_cents,
            RuleKind.WEIGHT_OVER: self.over_grams,
            RuleKind.SIZE_CLASS: self.size_class,
            RuleKind.TIME_SLOT: self.slot if self.slot is not None else self.starts_at,
            RuleKind.AREA: self.area_slug,
        }
        if needed.get(self.kind, True) is None:
            raise ValueError(f"a {self.kind} rule lacks the fact it depends on")


@dataclass(frozen=True)
class FeeQuote:
    """The fee in cents, why in words, and the rule that decided (None: the area's own terms)."""

    fee_cents: int
    reason: str
    rule_id: UUID | None


def quote_fee(
    basket: Basket, area_terms: AreaTerms | None, rules: Sequence[FeeRule], at: datetime
) -> FeeQuote:
    """What the customer pays to have this basket delivered, ordered at the instant ``at``.

    Rules are tried in the order given; the first that applies decides. Collecting at
    the shop looks at pickup rules only, needs no area and is free when no rule says
    otherwise.

    Raises AreaNotServed when there is no area or the store does not go there, and
    BelowMinimumOrder when the area does not accept so small an order.
    """
    if basket.is_pickup:
        return _pickup_quote(rules)
    if area_terms is None or not area_terms.is_served:
        raise AreaNotServed(area_terms.area_name if area_terms else None)
    if basket.subtotal_cents < area_terms.minimum_order_cents:
        raise BelowMinimumOrder(area_terms.minimum_order_cents)
    for rule in rules:
        if _applies(rule, basket, area_terms, at):
            base_cents = area_terms.fee_cents if rule.is_extra else 0
            return FeeQuote(base_cents + rule.fee_cents, _reason(rule, area_terms), rule.id)
    free_from_cents = area_terms.free_from_cents
    if free_from_cents is not None and basket.subtotal_cents >= free_from_cents:
        return FeeQuote(0, _free_over(free_from_cents), None)
    return FeeQuote(area_terms.fee_cents, _area_delivery(area_terms), None)


def _pickup_quote(rules: Sequence[FeeRule]) -> FeeQuote:
    for rule in rules:
        if rule.kind is RuleKind.PICKUP:
            return FeeQuote(rule.fee_cents, rule.label or _("Pick up at the shop"), rule.id)
    return FeeQuote(0, _("Pick up at the shop"), None)


def _applies(rule: FeeRule, basket: Basket, area_terms: AreaTerms, at: datetime) -> bool:
    if rule.area_slug is not None and rule.area_slug != area_terms.area_slug:
        return False
    match rule.kind:
        case RuleKind.FREE_OVER:
            return basket.subtotal_cents >= (rule.threshold_cents or 0)
        case RuleKind.WEIGHT_OVER:
            return basket.weight_grams > (rule.over_grams or 0)
        case RuleKind.SIZE_CLASS:
            return basket.size_class is rule.size_class
        case RuleKind.TIME_SLOT:
            return rule.slot in {None, basket.slot} and _is_in_window(rule, at)
        case RuleKind.AREA:
            return True
        case RuleKind.PICKUP:
            return False


def _is_in_window(rule: FeeRule, at: datetime) -> bool:
    if rule.starts_at is None or rule.ends_at is None:
        return True
    clock_time = nairobi(at).time()
    if rule.starts_at <= rule.ends_at:
        return rule.starts_at <= clock_time < rule.ends_at
    return clock_time >= rule.starts_at or clock_time < rule.ends_at


def _reason(rule: FeeRule, area_terms: AreaTerms) -> str:
    if rule.label:
        return rule.label
    match rule.kind:
        case RuleKind.FREE_OVER:
            return _free_over(rule.threshold_cents or 0)
        case RuleKind.WEIGHT_OVER:
            return _("Heavy load over %(weight)s kg", weight=_kilograms(rule.over_grams or 0))
        case RuleKind.SIZE_CLASS:
            return _("Bulky item") if rule.size_class is SizeClass.BULKY else _("Standard size")
        case RuleKind.TIME_SLOT:
            return _slot_words(rule)
        case RuleKind.AREA | RuleKind.PICKUP:
            return _area_delivery(area_terms)


def _slot_words(rule: FeeRule) -> str:
    if rule.slot is Slot.EXPRESS:
        return _("Express delivery")
    if rule.slot is Slot.EVENING or rule.starts_at is None or rule.ends_at is None:
        return _("Evening delivery")
    start, end = time_words(rule.starts_at), time_words(rule.ends_at)
    return _("Ordered between %(start)s and %(end)s", start=start, end=end)


def _free_over(threshold_cents: int) -> str:
    return _("Free over %(amount)s", amount=format_kes(threshold_cents))


def _area_delivery(area_terms: AreaTerms) -> str:
    return _("%(area)s delivery", area=area_terms.area_name)


def _kilograms(grams: int) -> str:
    kilograms, rest = divmod(grams, GRAMS_PER_KG)
    return f"{kilograms}.{rest:03d}".rstrip("0").rstrip(".")


def _check_fee(fee_cents: int) -> None:
    if fee_cents < 0:
        raise ValueError("a delivery fee is not below zero")
    whole_shillings(fee_cents)
