"""Three weeks of past trade for a demo store, so that every screen has something to show.

The generator only knows plain data: who asked for what, what the phone answered and how far the
parcel came. The same store, moment and seed always give the same history. Shoppers of one area of
one store stop paying in the last week, which is what a fee nudge looks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

from local.demo.chance import chance
from local.demo.goods import DemoProduct, DemoStore, DemoVariant
from local.demo.people import HOMES, Customer, People, people_of

NAIROBI = ZoneInfo("Africa/Nairobi")
DAYS = 21
LAST_WEEK = timedelta(days=7)
USUAL_FEE_CENTS = 300_00

Status = Literal[
    "pending_payment",
    "paid",
    "accepted",
    "packed",
    "dispatched",
    "delivered",
    "returned",
    "closed",
    "cancelled",
]
Outcome = Literal["succeeded", "cancelled", "wrong_pin", "low_balance", "unreachable", "expired"]

RESULT_CODES: dict[Outcome, str] = {
    "succeeded": "0",
    "cancelled": "1032",
    "wrong_pin": "2001",
    "low_balance": "1",
    "unreachable": "1037",
    "expired": "1019",
}
_FAILURES: tuple[Outcome, ...] = (
    "cancelled",
    "cancelled",
    "wrong_pin",
    "low_balance",
    "unreachable",
    "expired",
)

DROPPING_AREA: dict[str, str] = {"dakika": "westlands"}
"""Where checkouts stopped turning into payments a week ago, by store."""

_UNPACKED: tuple[Status, ...] = ("packed", "dispatched", "delivered")
_PACKED: tuple[Status, ...] = ("dispatched", "delivered")
_ON_THE_WAY: tuple[Status, ...] = ("delivered",)
"""What the newest orders have not reached yet."""

_BY_WEEKDAY = (11, 10, 11, 12, 15, 16, 9)
_FEWEST, _MOST = 8, 20
_LOST_PER_ORDER = 0.4
_LOST_A_DAY_IN_DROP = 3
_EVERY_AT_DOOR = 5


@dataclass(frozen=True, kw_only=True)
class PastAttempt:
    """One prompt on one phone. Moments are UTC."""

    started_at: datetime
    ended_at: datetime
    outcome: Outcome
    result_code: str
    receipt: str | None = None
    """The M-Pesa code when it succeeded."""


@dataclass(frozen=True, kw_only=True)
class PastLine:
    sku: str
    quantity: int
    unit_price_cents: int


@dataclass(frozen=True, kw_only=True)
class PastEvent:
    status: Status
    at: datetime


@dataclass(frozen=True, kw_only=True)
class PastOrder:
    """An order as it stands now, with how it got there. `area` is None when it is collected."""

    number: int
    customer: Customer
    area: str | None
    landmark: str
    lines: tuple[PastLine, ...]
    subtotal_cents: int
    delivery_fee_cents: int
    payment: Literal["mpesa", "on_delivery"]
    attempts: tuple[PastAttempt, ...]
    events: tuple[PastEvent, ...]
    rider_phone: str | None = None

    @property
    def placed_at(self) -> datetime:
        return self.events[0].at

    @property
    def status(self) -> Status:
        return self.events[-1].status

    @property
    def total_cents(self) -> int:
        return self.subtotal_cents + self.delivery_fee_cents

    @property
    def is_sold(self) -> bool:
        """Paid for, or accepted to be paid at the door."""
        return any(event.status in ("paid", "accepted") for event in self.events)


@dataclass(frozen=True, kw_only=True)
class PastCheckout:
    """A checkout that was begun. `order_number` is None where the shopper left before ordering."""

    begun_at: datetime
    area: str
    subtotal_cents: int
    delivery_fee_cents: int
    order_number: int | None
    is_paid: bool


@dataclass(frozen=True, kw_only=True)
class History:
    orders: tuple[PastOrder, ...] = field(repr=False)
    """Oldest first, numbered from 1001."""
    checkouts: tuple[PastCheckout, ...] = field(repr=False)


def past_trade(
    store: DemoStore,
    now: datetime,
    *,
    usual_fees: Mapping[str, int] | None = None,
    seed: int = 1,
) -> History:
    """Everything that happened in the three weeks before `now` (any time zone).

    `usual_fees` gives cents for areas without a fee of the store's own. Moments in the answer
    are UTC, inside the store's opening hours; only before today's opening do a few night orders
    stand for today. Raises ValueError when `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    trade = _Trade(store, now.astimezone(NAIROBI), dict(usual_fees or {}), seed)
    return trade.history()


def opening_hours(store: DemoStore, day: date) -> tuple[datetime, datetime] | None:
    """When the store opens and closes on a day, or None on a day it stays shut."""
    for hours in store.opening:
        if hours.weekday == day.weekday():
            return (
                datetime.combine(day, hours.opens, NAIROBI),
                datetime.combine(day, hours.closes, NAIROBI),
            )
    return None


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """A checkout before anything is known about its order."""

    at: datetime
    area: str
    is_paid: bool
    leaves_early: bool


class _Trade:
    def __init__(self, store: DemoStore, now: datetime, fees: dict[str, int], seed: int) -> None:
        self._store = store
        self._now = now
        own = {terms.area: terms.fee_cents for terms in store.areas if terms.fee_cents is not None}
        self._fees = fees | own
        self._people: People = people_of(store.slug)
        self._luck = chance(seed, store.slug, now.date().isoformat())
        self._shelf = _Shelf(store.products, chance(seed, store.slug, "shelf"))
        self._lost: dict[str, float] = defaultdict(float)
        self._sold = 0

    def history(self) -> History:
        orders: list[PastOrder] = []
        checkouts: list[PastCheckout] = []
        wishes = sorted(self._wishes(), key=lambda wish: (wish.at, wish.area))
        for wish in wishes:
            order = None if wish.leaves_early else self._order(1001 + len(orders), wish)
            if order:
                orders.append(order)
            checkouts.append(self._checkout(wish, order))
        return History(orders=tuple(self._settle(orders)), checkouts=tuple(checkouts))

    def _wishes(self) -> Iterator[_Wish]:
        for days_ago in range(DAYS - 1, -1, -1):
            day = self._now.date() - timedelta(days=days_ago)
            hours = self._trading_hours(day)
            if hours is None:
                continue
            for _ in range(self._target(day, days_ago, hours)):
                yield from self._order_and_those_who_left(hours)
            if days_ago < LAST_WEEK.days:
                yield from self._those_the_fee_put_off(hours)

    def _order_and_those_who_left(self, hours: tuple[datetime, datetime]) -> Iterator[_Wish]:
        at = self._moment(hours)
        area = self._pick_area(at)
        yield _Wish(at=at, area=area, is_paid=True, leaves_early=False)
        self._lost[area] += _LOST_PER_ORDER
        if self._lost[area] >= 1:
            self._lost[area] -= 1
            yield self._lost_one(area, hours)

    def _those_the_fee_put_off(self, hours: tuple[datetime, datetime]) -> Iterator[_Wish]:
        area = DROPPING_AREA.get(self._store.slug)
        if area:
            for _ in range(_LOST_A_DAY_IN_DROP):
                yield self._lost_one(area, hours)

    def _lost_one(self, area: str, hours: tuple[datetime, datetime]) -> _Wish:
        early = self._luck.random() < 0.75
        return _Wish(at=self._moment(hours), area=area, is_paid=False, leaves_early=early)

    def _trading_hours(self, day: date) -> tuple[datetime, datetime] | None:
        hours = opening_hours(self._store, day)
        if day != self._now.date():
            return hours
        midnight = datetime.combine(day, time(), NAIROBI)
        if hours is None or self._now < hours[0] + timedelta(minutes=30):
            return (midnight, self._now) if self._now > midnight + timedelta(minutes=10) else None
        return hours[0], min(hours[1], self._now)

    def _target(self, day: date, days_ago: int, hours: tuple[datetime, datetime]) -> int:
        busier = 3 if days_ago < LAST_WEEK.days else -1
        full = min(
            _MOST, max(_FEWEST, _BY_WEEKDAY[day.weekday()] + busier + self._luck.randint(-2, 2))
        )
        if days_ago:
            return full
        whole = opening_hours(self._store, day)
        if whole is None or hours[0] < whole[0]:
            return 3
        share = (hours[1] - hours[0]) / (whole[1] - whole[0])
        return max(2, round(full * share))

    def _moment(self, hours: tuple[datetime, datetime]) -> datetime:
        """Somewhere in the day, more often around lunch and the late afternoon."""
        opens, closes = hours
        share = (
            self._luck.random() if self._luck.random() < 0.4 else self._luck.triangular(0, 1, 0.6)
        )
        return (opens + (closes - opens) * share * 0.98).replace(microsecond=0)

    def _pick_area(self, at: datetime) -> str:
        homes = HOMES[self._store.slug]
        weights = [
            count * (0.4 if self._is_dropping(area, at) else 1.0) for area, count in homes.items()
        ]
        return self._luck.choices(list(homes), weights)[0]

    def _is_dropping(self, area: str, at: datetime) -> bool:
        return DROPPING_AREA.get(self._store.slug) == area and at > self._now - LAST_WEEK

    def _order(self, number: int, wish: _Wish) -> PastOrder:
        at = wish.at
        neighbours = [c for c in self._people.customers if c.area == wish.area]
        customer = self._luck.choice(neighbours)
        lines = self._shelf.pick(self._luck)
        subtotal = sum(line.quantity * line.unit_price_cents for line in lines)
        collects = wish.is_paid and self._luck.random() < 0.08
        at_door = wish.is_paid and not collects and self._is_at_door()
        attempts = () if at_door else tuple(self._attempts(at, succeeds=wish.is_paid))
        return PastOrder(
            number=number,
            customer=customer,
            area=None if collects else wish.area,
            landmark="" if collects else customer.landmark,
            lines=lines,
            subtotal_cents=subtotal,
            delivery_fee_cents=0 if collects else self._fee(wish.area, subtotal),
            payment="on_delivery" if at_door else "mpesa",
            attempts=attempts,
            events=tuple(self._events(at, attempts, at_door=at_door, collects=collects)),
            rider_phone=None if collects else self._luck.choice(self._people.riders).phone,
        )

    def _is_at_door(self) -> bool:
        """Every fifth one, so that the newest orders always hold one to be paid at the door."""
        if not self._store.pay_on_delivery:
            return False
        self._sold += 1
        return self._sold % _EVERY_AT_DOOR == 0

    def _attempts(self, at: datetime, *, succeeds: bool) -> Iterator[PastAttempt]:
        failures = 1 if not succeeds or self._luck.random() < 0.15 else 0
        if failures and self._luck.random() < 0.25:
            failures = 2
        started = at + timedelta(seconds=2)
        for _ in range(failures):
            outcome = self._luck.choice(_FAILURES)
            ended = started + timedelta(seconds=self._luck.randint(12, 62))
            yield _attempt(started, ended, outcome)
            started = ended + timedelta(seconds=self._luck.randint(8, 90))
        if succeeds:
            ended = started + timedelta(seconds=self._luck.randint(9, 34))
            yield replace(_attempt(started, ended, "succeeded"), receipt=_receipt(self._luck))

    def _events(
        self, at: datetime, attempts: Sequence[PastAttempt], *, at_door: bool, collects: bool
    ) -> Iterator[PastEvent]:
        if at_door:
            yield _event("accepted", at)
            yield from self._fulfilment(at, collects=False)
            return
        yield _event("pending_payment", at)
        ended = attempts[-1].ended_at
        if attempts[-1].outcome != "succeeded":
            yield _event("cancelled", ended + timedelta(minutes=15))
            return
        yield _event("paid", ended)
        if self._luck.random() < 0.04:
            yield _event("cancelled", ended + timedelta(minutes=self._luck.randint(6, 20)))
            return
        yield from self._fulfilment(ended, collects=collects)

    def _fulfilment(self, since: datetime, *, collects: bool) -> Iterator[PastEvent]:
        packed = self._in_hours(since + timedelta(minutes=self._luck.randint(12, 45)))
        yield _event("packed", packed)
        if collects:
            done = self._in_hours(packed + timedelta(minutes=self._luck.randint(30, 180)))
        else:
            sent = self._in_hours(packed + timedelta(minutes=self._luck.randint(12, 40)))
            yield _event("dispatched", sent)
            done = self._in_hours(sent + timedelta(minutes=self._luck.randint(30, 95)))
        yield _event("delivered", done)
        luck = self._luck.random()
        if luck < 0.03:
            yield _event("returned", self._in_hours(done + timedelta(days=2)))
        elif luck < 0.6:
            yield _event("closed", self._in_hours(done + timedelta(days=self._store.return_days)))

    def _in_hours(self, moment: datetime) -> datetime:
        """The moment itself, or a little after the store next opens."""
        local = moment.astimezone(NAIROBI)
        for ahead in range(8):
            hours = opening_hours(self._store, local.date() + timedelta(days=ahead))
            if hours is None or local >= hours[1]:
                continue
            if local >= hours[0]:
                return local
            return hours[0] + timedelta(minutes=5 + local.minute % 40, seconds=local.second)
        raise ValueError(f"{self._store.slug} never opens")

    def _settle(self, orders: list[PastOrder]) -> list[PastOrder]:
        """Cut off what lies ahead, and leave the newest parcels at work in every status."""
        caps = [*[_UNPACKED] * 5, *[_PACKED] * 4, *[_ON_THE_WAY] * 5]
        settled: list[PastOrder] = []
        for order in reversed(orders):
            past = [event for event in order.events if event.at <= self._now]
            if caps and order.area and order.is_sold and order.events[-1].status != "cancelled":
                stop = caps.pop(0)
                past = [
                    event for event in past if event.status not in (*stop, "closed", "returned")
                ]
            settled.append(_known_by(replace(order, events=tuple(past)), self._now))
        return settled[::-1]

    def _fee(self, area: str, subtotal_cents: int) -> int:
        free_over = self._store.free_over_cents
        if free_over is not None and subtotal_cents >= free_over:
            return 0
        return self._fees.get(area, USUAL_FEE_CENTS)

    def _checkout(self, wish: _Wish, order: PastOrder | None) -> PastCheckout:
        lines = order.lines if order else self._shelf.pick(self._luck)
        subtotal = sum(line.quantity * line.unit_price_cents for line in lines)
        return PastCheckout(
            begun_at=_utc(wish.at - timedelta(seconds=self._luck.randint(40, 200))),
            area=wish.area,
            subtotal_cents=subtotal,
            delivery_fee_cents=order.delivery_fee_cents
            if order
            else self._fee(wish.area, subtotal),
            order_number=order.number if order else None,
            is_paid=wish.is_paid,
        )


class _Shelf:
    """What sells: a few things far more often than the rest."""

    def __init__(self, products: Sequence[DemoProduct], luck: Random) -> None:
        self._variants: list[DemoVariant] = []
        self._weights: list[float] = []
        for product in products:
            pull = luck.choice((0.5, 1.0, 1.0, 1.5, 5.0))
            # Dear things sell less often, whatever their pull.
            pull *= min(1.0, 3_500_00 / product.price_cents)
            for variant in product.variants:
                self._variants.append(variant)
                self._weights.append(pull / len(product.variants))

    def pick(self, luck: Random) -> tuple[PastLine, ...]:
        count = luck.choices((1, 2, 3), (70, 24, 6))[0]
        chosen: dict[str, PastLine] = {}
        for variant in luck.choices(self._variants, self._weights, k=count):
            quantity = 2 if variant.price_cents < 1_000_00 and luck.random() < 0.3 else 1
            chosen[variant.sku] = PastLine(
                sku=variant.sku, quantity=quantity, unit_price_cents=variant.price_cents
            )
        return tuple(chosen.values())


def _known_by(order: PastOrder, now: datetime) -> PastOrder:
    """Without the attempts that have not happened, and without a rider before the dispatch."""
    attempts = tuple(attempt for attempt in order.attempts if attempt.ended_at <= now)
    sent = any(event.status == "dispatched" for event in order.events)
    return replace(order, attempts=attempts, rider_phone=order.rider_phone if sent else None)


def _attempt(started: datetime, ended: datetime, outcome: Outcome) -> PastAttempt:
    return PastAttempt(
        started_at=_utc(started),
        ended_at=_utc(ended),
        outcome=outcome,
        result_code=RESULT_CODES[outcome],
    )


def _event(status: Status, at: datetime) -> PastEvent:
    return PastEvent(status=status, at=_utc(at))


def _receipt(luck: Random) -> str:
    return "UD" + "".join(luck.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(8))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo("UTC"))
