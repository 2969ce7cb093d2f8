"""What a basket costs, and why. Pure: goods and rules in, prices and their reasons out.

The one rule of combining (docs/promotions.md says it to owners):

1. A unit has one price: the lowest of its shelf price, the timed sale, the tier of its quantity
   and the price of the shopper's group. These never add up.
2. A unit takes part in one deal or bundle at most. The deal that gives most goes first.
3. One code per order comes on top, and after it the points the shopper spends.

Nothing goes below a floor price unless the promotion was allowed to. All amounts are cents;
what is taken off is whole shillings, so what remains is whole where prices are. The answer does
not depend on the order in which goods or rules come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.money import CENTS_PER_SHILLING, percent_off, round_to_shilling


@dataclass(frozen=True, kw_only=True, slots=True)
class Goods:
    """One line of a basket as the shelf has it. ``key`` is the variant's id.

    ``price_cents`` is the list price of one, ``now_cents`` what everybody pays at this instant.
    """

    key: UUID
    quantity: int
    price_cents: int
    now_cents: int
    shelves: frozenset[UUID] = frozenset()  # its category and the one above
    floor_cents: int = 0
    sale_id: UUID | None = None
    sale_name: str = ""


@dataclass(frozen=True, slots=True)
class Tier:
    """From so many units on, each costs this much less, or exactly this much."""

    from_quantity: int
    percent: int = 0
    price_cents: int | None = None

    def unit_cents(self, price_cents: int) -> int:
        if self.price_cents is not None:
            return self.price_cents
        return percent_off(price_cents, self.percent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One promotion, as far as prices go. Without categories and variants it is for everything."""

    id: UUID
    kind: str
    effect: str
    name: str
    percent: int = 0
    amount_cents: int = 0
    buy_n: int = 0
    get_m: int = 0
    tiers: tuple[Tier, ...] = ()
    categories: frozenset[UUID] = frozenset()
    variants: frozenset[UUID] = frozenset()
    minimum_cents: int = 0
    ignores_floor: bool = False

    def covers(self, goods: Goods) -> bool:
        """Whether it is for these goods."""
        if not self.categories and not self.variants:
            return True
        return goods.key in self.variants or not self.categories.isdisjoint(goods.shelves)


@dataclass(frozen=True, slots=True)
class Points:
    """What a shopper may spend: how many points, and what one takes off. They stop at floors."""

    available: int
    worth_cents: int
    name: str
    id: None = None
    kind: str = "points"
    ignores_floor: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One reason: how many cents it took off the whole line."""

    kind: str
    name: str
    cents: int
    rule_id: UUID | None = None


@dataclass(slots=True)
class PricedLine:
    """A line with its price worked out. ``unit_cents`` is after sale, tier and group."""

    goods: Goods
    unit_cents: int
    steps: list[Step] = field(default_factory=list)
    discount_cents: int = 0  # by deals, bundles, the code and points
    free_units: int = 0  # that no deal has taken yet

    @property
    def total_cents(self) -> int:
        """Before deals and code: what the line of an order says."""
        return self.unit_cents * self.goods.quantity

    @property
    def net_cents(self) -> int:
        """What is paid for it."""
        return self.total_cents - self.discount_cents

    def room_cents(self, rule: Rule | Points) -> int:
        """How much the rule may still take off, in whole shillings."""
        floor = 0 if rule.ignores_floor else min(self.goods.floor_cents, self.unit_cents)
        return (
            max(0, self.net_cents - floor * self.goods.quantity)
            // CENTS_PER_SHILLING
            * CENTS_PER_SHILLING
        )

    def take_off(self, rule: Rule | Points, cents: int) -> None:
        if cents:
            self.discount_cents += cents
            self.steps.append(Step(rule.kind, rule.name, cents, rule.id))

    def trace(self) -> dict[str, Any]:
        """Why this price, to be kept with the order: base, each rule with its amount, final."""
        return {
            # A list price below the floor was never anybody's price.
            "base_cents": max(self.goods.price_cents, self.goods.now_cents) * self.goods.quantity,
            "steps": [
                {"kind": s.kind, "name": s.name, "cents": s.cents, "id": str(s.rule_id or "")}
                for s in self.steps
            ],
            "final_cents": self.net_cents,
        }


@dataclass(frozen=True, slots=True)
class PricedBasket:
    """Every line priced, in the order the goods came."""

    lines: list[PricedLine]

    @property
    def subtotal_cents(self) -> int:
        return sum(line.total_cents for line in self.lines)

    @property
    def discount_cents(self) -> int:
        return sum(line.discount_cents for line in self.lines)

    @property
    def net_cents(self) -> int:
        return self.subtotal_cents - self.discount_cents

    def given(self) -> dict[UUID, int]:
        """Cents that each promotion gave."""
        found: dict[UUID, int] = {}
        for line in self.lines:
            for step in line.steps:
                if step.rule_id is not None:
                    found[step.rule_id] = found.get(step.rule_id, 0) + step.cents
        return found

    def reasons(self) -> list[tuple[str, int]]:
        """What deals, bundles, the code and points took off, by name, for the lines of a cart."""
        found: dict[tuple[UUID | None, str], int] = {}
        for line in self.lines:
            for step in line.steps:
                if step.kind in ("deal", "bundle", "coupon", "points"):
                    at = (step.rule_id, step.name)
                    found[at] = found.get(at, 0) + step.cents
        return [(name, cents) for (_id, name), cents in found.items()]


def price_basket(
    goods: Sequence[Goods], rules: Iterable[Rule] = (), coupon: Rule | None = None
) -> PricedBasket:
    """Price these goods by these rules, which are all in force now, and perhaps one code."""
    ruled = sorted(rules, key=lambda rule: rule.id)
    lines = [_on_the_shelf(each, ruled) for each in goods]
    in_order = sorted(lines, key=lambda line: line.goods.key)
    _apply_deals(in_order, [rule for rule in ruled if rule.kind in ("deal", "bundle")])
    if coupon is not None and coupon.effect != "free_delivery":
        _apply_coupon(in_order, coupon)
    return PricedBasket(lines)


def usable_points(basket: PricedBasket, points: Points) -> int:
    """How many of the points this basket can take: whole points, and something is left to pay."""
    room = sum(line.room_cents(points) for line in basket.lines)
    most = min(room, basket.net_cents - CENTS_PER_SHILLING)
    return max(0, min(points.available, most // points.worth_cents))


def spend_points(basket: PricedBasket, points: Points) -> PricedBasket:
    """The same basket, with as many of the points taken off as it can take."""
    lines = [replace(line, steps=list(line.steps)) for line in basket.lines]
    in_order = sorted(lines, key=lambda line: line.goods.key)
    weights = {at: line.net_cents for at, line in enumerate(in_order)}
    cents = usable_points(basket, points) * points.worth_cents
    for at, off in _share(points, in_order, weights, cents).items():
        in_order[at].take_off(points, off)
    return PricedBasket(lines)


# -- one price per unit --------------------------------------------------------------------


def _on_the_shelf(goods: Goods, rules: list[Rule]) -> PricedLine:
    """The lowest of what sale, tier and group make of one unit."""
    best = Step("sale", goods.sale_name, goods.price_cents - goods.now_cents, goods.sale_id)
    unit = goods.now_cents
    for rule in rules:
        offered = _unit_price(rule, goods)
        if offered is None:
            continue
        if not rule.ignores_floor:
            offered = max(offered, goods.floor_cents)
        if offered < unit:
            unit = offered
            best = Step(rule.kind, rule.name, goods.price_cents - offered, rule.id)
    line = PricedLine(goods=goods, unit_cents=unit, free_units=goods.quantity)
    if best.cents > 0:
        line.steps.append(Step(best.kind, best.name, best.cents * goods.quantity, best.rule_id))
    return line


def _unit_price(rule: Rule, goods: Goods) -> int | None:
    """What the rule makes of the list price of one; None when it says nothing about it."""
    if rule.kind not in ("tier", "group") or not rule.covers(goods):
        return None
    if rule.kind == "group":
        if rule.effect == "price":
            return rule.amount_cents
        return percent_off(goods.price_cents, rule.percent)
    reached = [tier for tier in rule.tiers if tier.from_quantity <= goods.quantity]
    return min((tier.unit_cents(goods.price_cents) for tier in reached), default=None)


# -- deals and bundles ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a deal would do now: units it takes and cents it gives, by the line's place."""

    rule: Rule
    units: dict[int, int]
    cents: dict[int, int]

    @property
    def worth(self) -> int:
        return sum(self.cents.values())


def _apply_deals(lines: list[PricedLine], rules: list[Rule]) -> None:
    """The deal that gives most goes first; what it took is gone for the others."""
    left = list(rules)
    while left:
        offers = [_offer(rule, lines) for rule in left]
        best = max(offers, key=lambda offer: (offer.worth, offer.rule.id))
        if best.worth <= 0:
            return
        for at, cents in best.cents.items():
            lines[at].take_off(best.rule, cents)
        for at, units in best.units.items():
            lines[at].free_units -= units
        left.remove(best.rule)


def _offer(rule: Rule, lines: list[PricedLine]) -> _Offer:
    open_to = {
        at: line.free_units
        for at, line in enumerate(lines)
        if line.free_units and rule.covers(line.goods)
    }
    value = sum(lines[at].unit_cents * units for at, units in open_to.items())
    nothing = _Offer(rule, {}, {})
    if not open_to or value < rule.minimum_cents:
        return nothing
    if rule.kind == "bundle":
        return _bundle(rule, lines, open_to)
    if rule.effect == "buy_get":
        return _buy_get(rule, lines, open_to)
    if rule.effect == "percent":
        wished = {
            at: (lines[at].unit_cents - percent_off(lines[at].unit_cents, rule.percent)) * units
            for at, units in open_to.items()
        }
        return _Offer(rule, open_to, _within_room(rule, lines, wished))
    weights = {at: lines[at].unit_cents * units for at, units in open_to.items()}
    return _Offer(rule, open_to, _share(rule, lines, weights, rule.amount_cents))


def _buy_get(rule: Rule, lines: list[PricedLine], open_to: dict[int, int]) -> _Offer:
    """Of every n + m units, dearest first, the m cheapest cost nothing."""
    units = sorted(
        (at for at, count in open_to.items() for _ in range(count)),
        key=lambda at: (-lines[at].unit_cents, at),
    )
    size = rule.buy_n + rule.get_m
    taken: dict[int, int] = {}
    free: dict[int, int] = {}
    for n in range(len(units) // size * size):
        at = units[n]
        taken[at] = taken.get(at, 0) + 1
        if n % size >= rule.buy_n:
            free[at] = free.get(at, 0) + lines[at].unit_cents
    return _Offer(rule, taken, _within_room(rule, lines, free))


def _bundle(rule: Rule, lines: list[PricedLine], open_to: dict[int, int]) -> _Offer:
    """As many whole sets as there are; each costs the bundle's price."""
    if {lines[at].goods.key for at in open_to} != rule.variants:
        return _Offer(rule, {}, {})
    sets = min(open_to.values())
    apart = sum(lines[at].unit_cents for at in open_to)
    weights = {at: lines[at].unit_cents for at in open_to}
    saved = max(0, apart - rule.amount_cents) * sets
    return _Offer(rule, dict.fromkeys(open_to, sets), _share(rule, lines, weights, saved))


# -- the code ------------------------------------------------------------------------------


def _apply_coupon(lines: list[PricedLine], coupon: Rule) -> None:
    covered = {at: line for at, line in enumerate(lines) if coupon.covers(line.goods)}
    if coupon.effect == "percent":
        wished = {
            at: line.net_cents - percent_off(line.net_cents, coupon.percent)
            for at, line in covered.items()
        }
        cents = _within_room(coupon, lines, wished)
    else:
        weights = {at: line.net_cents for at, line in covered.items()}
        cents = _share(coupon, lines, weights, coupon.amount_cents)
    for at, off in cents.items():
        lines[at].take_off(coupon, off)


def _within_room(rule: Rule, lines: list[PricedLine], wished: dict[int, int]) -> dict[int, int]:
    """Whole shillings, and not below anybody's floor."""
    return {
        at: min(round_to_shilling(max(0, cents)).payable_cents, lines[at].room_cents(rule))
        for at, cents in wished.items()
    }


def _share(
    rule: Rule | Points, lines: list[PricedLine], weights: dict[int, int], cents: int
) -> dict[int, int]:
    """Split an amount over lines by weight, in whole shillings and within each line's room."""
    room = {at: lines[at].room_cents(rule) // CENTS_PER_SHILLING for at in weights}
    left = min(cents // CENTS_PER_SHILLING, sum(room.values()))
    given = dict.fromkeys(weights, 0)
    while left:
        still = [at for at in weights if given[at] < room[at]]
        weight = sum(weights[at] for at in still) or 1
        parts = {at: min(left * weights[at] // weight, room[at] - given[at]) for at in still}
        if not any(parts.values()):
            # Less than a shilling each: the heaviest lines get the odd shillings.
            heaviest = sorted(still, key=lambda at: (-weights[at], at))
            parts = dict.fromkeys(heaviest[:left], 1)
        for at, shillings in parts.items():
            given[at] += shillings
            left -= shillings
    return {at: shillings * CENTS_PER_SHILLING for at, shillings in given.items()}
