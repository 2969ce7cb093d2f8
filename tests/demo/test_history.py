"""Past trade: the same every time, believable, and with something for every screen."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.domain.insights.rules import AreaStats, find_fee_nudges
from local.demo.catalogue import DAKIKA, PAMBA, STORES, DemoStore
from local.demo.history import (
    DROPPING_AREA,
    NAIROBI,
    History,
    PastOrder,
    opening_hours,
    past_trade,
)

NEXT = {
    "pending_payment": {"paid", "cancelled"},
    "paid": {"packed", "cancelled"},
    "accepted": {"packed", "cancelled"},
    "packed": {"dispatched", "delivered", "cancelled"},
    "dispatched": {"delivered", "returned"},
    "delivered": {"closed", "returned"},
}
MOMENTS = [
    datetime(2026, 11, 17, 5, 10, tzinfo=UTC),  # a Tuesday, minutes after opening
    datetime(2026, 11, 20, 9, 30, tzinfo=UTC),  # Friday noon
    datetime(2026, 11, 21, 14, 40, tzinfo=UTC),  # Saturday, about to close
    datetime(2026, 11, 22, 8, 5, tzinfo=UTC),  # Sunday morning
    datetime(2026, 11, 24, 23, 50, tzinfo=UTC),  # the small hours in Nairobi
]

each_store = pytest.mark.parametrize("store", STORES, ids=lambda store: store.slug)
each_moment = pytest.mark.parametrize("now", MOMENTS, ids=lambda now: f"{now:%a-%H%M}")


def _nudged_areas(store: DemoStore, history: History, now: datetime) -> list[str]:
    week_ago = now - timedelta(days=7)
    areas = {checkout.area for checkout in history.checkouts}
    stats = []
    for area in areas:
        recent = [c for c in history.checkouts if c.area == area and c.begun_at > week_ago]
        before = [c for c in history.checkouts if c.area == area and c.begun_at <= week_ago]
        stats.append(
            AreaStats(
                area=area,
                begun_now=len(recent),
                paid_now=sum(c.is_paid for c in recent),
                begun_before=len(before),
                paid_before=sum(c.is_paid for c in before),
                average_order_cents=2_000_00,
            )
        )
    fees = {terms.area: terms.fee_cents or 300_00 for terms in store.areas}
    return [idea.area for idea in find_fee_nudges(stats, fees)]


def test_the_same_moment_gives_the_same_history() -> None:
    now = MOMENTS[1]
    assert past_trade(DAKIKA, now) == past_trade(DAKIKA, now.astimezone(NAIROBI))
    assert past_trade(DAKIKA, now, seed=2) != past_trade(DAKIKA, now)


@each_moment
def test_the_fee_nudge_fires_in_one_store_and_only_for_its_area(now: datetime) -> None:
    assert _nudged_areas(DAKIKA, past_trade(DAKIKA, now), now) == [DROPPING_AREA[DAKIKA.slug]]
    assert _nudged_areas(PAMBA, past_trade(PAMBA, now), now) == []


@each_moment
@each_store
def test_every_status_has_an_order(store: DemoStore, now: datetime) -> None:
    counts = Counter(order.status for order in past_trade(store, now).orders)
    for status in ("paid", "packed", "dispatched", "delivered", "cancelled", "closed"):
        assert counts[status] >= 1, status
    if store.pay_on_delivery:
        assert counts["accepted"] >= 1


@each_moment
@each_store
def test_orders_move_only_as_orders_may(store: DemoStore, now: datetime) -> None:
    for order in past_trade(store, now).orders:
        statuses = [event.status for event in order.events]
        assert statuses[0] in ("pending_payment", "accepted")
        for first, second in pairwise(statuses):
            assert second in NEXT[first], (first, second)
        moments = [event.at for event in order.events]
        assert moments == sorted(moments)
        assert moments[-1] <= now


@each_store
def test_money_and_attempts_agree_with_the_status(store: DemoStore) -> None:
    orders = past_trade(store, MOMENTS[1]).orders
    for order in orders:
        paid = sum(attempt.outcome == "succeeded" for attempt in order.attempts)
        assert order.subtotal_cents == sum(
            line.quantity * line.unit_price_cents for line in order.lines
        )
        assert order.total_cents % 100 == 0
        if order.payment == "on_delivery":
            assert order.attempts == ()
        elif order.is_sold:
            assert paid == 1
            assert order.attempts[-1].receipt
        else:
            assert paid == 0
    receipts = [a.receipt for order in orders for a in order.attempts if a.receipt]
    assert len(set(receipts)) == len(receipts)
    failures = {a.outcome for order in orders for a in order.attempts} - {"succeeded"}
    assert {"cancelled", "wrong_pin", "low_balance", "unreachable", "expired"} == failures


@each_store
def test_lines_name_goods_that_the_store_sells_at_their_price(store: DemoStore) -> None:
    prices = {v.sku: v.price_cents for product in store.products for v in product.variants}
    for order in past_trade(store, MOMENTS[1]).orders:
        assert order.lines
        for line in order.lines:
            assert prices[line.sku] == line.unit_price_cents
            assert line.quantity >= 1


@each_store
def test_full_days_hold_8_to_20_sales_in_opening_hours(store: DemoStore) -> None:
    now = MOMENTS[1]
    orders = [order for order in past_trade(store, now).orders if order.is_sold]
    per_day = Counter(_local(order).date() for order in orders)
    per_day.pop(now.astimezone(NAIROBI).date())
    assert len(per_day) == 20
    assert all(8 <= count <= 20 for count in per_day.values())
    for order in orders:
        hours = opening_hours(store, _local(order).date())
        assert hours is not None
        assert hours[0] <= _local(order) <= hours[1]
    week_ago = now - timedelta(days=7)
    recent = sum(order.placed_at > week_ago for order in orders)
    assert recent > len(orders) / 3


@each_moment
@each_store
def test_today_has_sales_to_show_at_any_hour(store: DemoStore, now: datetime) -> None:
    today = now.astimezone(NAIROBI).date()
    orders = past_trade(store, now).orders
    assert any(order.is_sold and _local(order).date() == today for order in orders)


def test_fees_are_the_stores_own_then_the_usual_ones_and_free_above_the_limit() -> None:
    now = MOMENTS[1]
    usual = {terms.area: 345_00 for terms in PAMBA.areas}
    own = {terms.area: terms.fee_cents for terms in PAMBA.areas if terms.fee_cents}
    for order in past_trade(PAMBA, now, usual_fees=usual).orders:
        if order.area is None or order.subtotal_cents >= (PAMBA.free_over_cents or 0):
            assert order.delivery_fee_cents == 0
        else:
            assert order.delivery_fee_cents == own.get(order.area, 345_00)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        past_trade(DAKIKA, datetime(2026, 11, 20, 9, 30))  # noqa: DTZ001  that is the mistake


def _local(order: PastOrder) -> datetime:
    return order.placed_at.astimezone(NAIROBI)
