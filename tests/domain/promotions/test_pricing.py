"""What a basket costs: one price a unit, one deal a unit, one code an order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.promotions.pricing import (
    Goods,
    PricedBasket,
    Rule,
    Tier,
    price_basket,
)
from app.money import percent_off, vat_included_cents

TEA, MUG, POT = (UUID(int=n) for n in (1, 2, 3))
DRINKS, KITCHEN = UUID(int=101), UUID(int=102)


def goods(key: UUID = TEA, quantity: int = 1, price: int = 450, **facts: Any) -> Goods:
    facts.setdefault("now_cents", price * 100)
    facts.setdefault("shelves", frozenset({DRINKS}))
    return Goods(key=key, quantity=quantity, price_cents=price * 100, **facts)


def rule(kind: str, effect: str, n: int = 500, **facts: Any) -> Rule:
    return Rule(id=UUID(int=n), kind=kind, effect=effect, name=f"{kind} {n}", **facts)


def given_by(basket: PricedBasket) -> list[tuple[str, int]]:
    return [(name, cents // 100) for name, cents in basket.reasons()]


def test_a_percent_is_a_whole_shilling_half_up() -> None:
    assert percent_off(450_00, 15) == 383_00  # 382.50
    assert percent_off(1_00, 50) == 1_00
    assert percent_off(0, 50) == 0


def test_one_unit_has_the_lowest_of_its_prices_and_they_do_not_add_up() -> None:
    tier = rule("tier", "tiers", 1, tiers=(Tier(3, percent=5), Tier(10, price_cents=400_00)))
    group = rule("group", "percent", 2, percent=20)
    on_sale = goods(quantity=12, now_cents=420_00, sale_id=UUID(int=9), sale_name="Sale")
    assert price_basket([on_sale]).lines[0].unit_cents == 420_00
    assert price_basket([on_sale], [tier]).lines[0].unit_cents == 400_00
    assert price_basket([goods(quantity=3)], [tier]).lines[0].unit_cents == 428_00
    assert price_basket([goods(quantity=2)], [tier]).lines[0].unit_cents == 450_00
    line = price_basket([on_sale], [tier, group]).lines[0]
    assert line.unit_cents == 360_00
    assert [step.name for step in line.steps] == ["group 2"]


def test_buy_two_get_one_gives_the_cheapest() -> None:
    deal = rule("deal", "buy_get", buy_n=2, get_m=1, categories=frozenset({DRINKS}))
    basket = price_basket([goods(TEA, 2, 450), goods(MUG, 2, 300)], [deal])
    assert given_by(basket) == [("deal 500", 300)]
    assert basket.net_cents == (2 * 450 + 300) * 100


def test_a_bundle_needs_every_part_and_counts_whole_sets() -> None:
    bundle = rule("bundle", "price", amount_cents=1_000_00, variants=frozenset({TEA, POT}))
    assert price_basket([goods(TEA, 2)], [bundle]).discount_cents == 0
    basket = price_basket([goods(TEA, 3, 450), goods(POT, 2, 800)], [bundle])
    assert basket.discount_cents == 2 * 250_00
    assert basket.net_cents == (3 * 450 + 2 * 800 - 500) * 100


def test_a_unit_is_in_one_deal_and_the_better_one_goes_first() -> None:
    small = rule("deal", "percent", 1, percent=10)
    big = rule("deal", "percent", 2, percent=30, variants=frozenset({TEA}))
    basket = price_basket([goods(TEA, 1, 1000), goods(MUG, 1, 1000)], [small, big])
    # Ten percent of everything would be less than thirty of the tea; the mug is left for it.
    assert given_by(basket) == [("deal 2", 300), ("deal 1", 100)]


def test_a_deal_from_a_basket_value_waits_for_that_value() -> None:
    deal = rule("deal", "amount", amount_cents=200_00, minimum_cents=1_000_00)
    assert price_basket([goods(quantity=2)], [deal]).discount_cents == 0
    assert price_basket([goods(quantity=3)], [deal]).discount_cents == 200_00


def test_the_code_comes_on_top_and_shares_whole_shillings() -> None:
    deal = rule("deal", "percent", 1, percent=10)
    coupon = rule("coupon", "amount", 2, amount_cents=100_00)
    basket = price_basket([goods(TEA, 1, 450), goods(MUG, 1, 333)], [deal], coupon)
    assert basket.discount_cents == (45 + 33 + 100) * 100
    assert all(line.discount_cents % 100 == 0 for line in basket.lines)


@pytest.mark.row("N58")
def test_nothing_goes_below_its_floor_unless_that_was_allowed() -> None:
    coupon = rule("coupon", "percent", percent=90)
    assert price_basket([goods(floor_cents=400_00)], [], coupon).net_cents == 400_00
    allowed = rule("coupon", "percent", percent=90, ignores_floor=True)
    assert price_basket([goods(floor_cents=400_00)], [], allowed).net_cents == 45_00


# -- what holds for every basket -------------------------------------------------------------

KEYS = st.integers(1, 6).map(lambda n: UUID(int=n))
SHELVES = st.frozensets(st.sampled_from([DRINKS, KITCHEN]), max_size=2)


@st.composite
def any_goods(draw: st.DrawFn) -> Goods:
    price = draw(st.integers(1, 5_000)) * 100
    floor = draw(st.integers(0, price // 100)) * 100
    now = draw(st.integers(max(1, floor // 100), price // 100)) * 100
    return Goods(
        key=draw(KEYS),
        quantity=draw(st.integers(1, 12)),
        price_cents=price,
        now_cents=now,
        floor_cents=floor,
        shelves=draw(SHELVES),
        sale_id=UUID(int=77) if now < price else None,
    )


@st.composite
def any_rule(draw: st.DrawFn, kinds: tuple[str, ...] = ("deal", "bundle", "tier", "group")) -> Rule:
    kind = draw(st.sampled_from(kinds))
    effects = {
        "deal": ("percent", "amount", "buy_get"),
        "bundle": ("price",),
        "tier": ("tiers",),
        "group": ("percent", "price"),
        "coupon": ("percent", "amount", "free_delivery"),
    }
    tier = st.builds(
        Tier,
        st.integers(2, 8),
        percent=st.integers(1, 99),
        price_cents=st.none() | st.integers(1, 3_000).map(lambda n: n * 100),
    )
    return Rule(
        id=UUID(int=draw(st.integers(1000, 10**9))),
        kind=kind,
        effect=draw(st.sampled_from(effects[kind])),
        name=kind,
        percent=draw(st.integers(1, 99)),
        amount_cents=draw(st.integers(1, 4_000)) * 100,
        buy_n=draw(st.integers(1, 3)),
        get_m=draw(st.integers(1, 3)),
        tiers=tuple(draw(st.lists(tier, max_size=3))),
        categories=draw(SHELVES) if kind != "bundle" else frozenset(),
        variants=draw(st.frozensets(KEYS, min_size=2 if kind == "bundle" else 0, max_size=3)),
        minimum_cents=draw(st.integers(0, 5_000)) * 100,
    )


BASKETS = st.lists(any_goods(), min_size=1, max_size=6, unique_by=lambda each: each.key)
RULES = st.lists(any_rule(), max_size=5, unique_by=lambda each: each.id)
COUPONS = st.none() | any_rule(("coupon",))


@pytest.mark.row("N58", "N62")
@settings(max_examples=300, deadline=None)
@given(BASKETS, RULES, COUPONS)
def test_every_basket_adds_up(chosen: list[Goods], rules: list[Rule], coupon: Rule | None) -> None:
    basket = price_basket(chosen, rules, coupon)
    for line in basket.lines:
        assert 0 <= line.discount_cents <= line.total_cents
        assert line.net_cents >= line.goods.floor_cents * line.goods.quantity
        assert line.net_cents % 100 == 0
        assert line.unit_cents <= line.goods.price_cents
        trace = line.trace()
        taken = sum(step["cents"] for step in trace["steps"])
        assert trace["base_cents"] - taken == trace["final_cents"] == line.net_cents
        assert all(step["cents"] > 0 for step in trace["steps"])
    assert basket.net_cents >= 0
    assert sum(line.discount_cents for line in basket.lines) == basket.discount_cents
    assert sum(cents for _name, cents in basket.reasons()) == basket.discount_cents
    taxes = [vat_included_cents(line.net_cents, 16) for line in basket.lines]
    assert 0 <= sum(taxes) <= basket.net_cents


@pytest.mark.row("N58")
@settings(max_examples=200, deadline=None)
@given(BASKETS, RULES, COUPONS, st.randoms())
def test_the_order_of_goods_and_rules_changes_nothing(
    chosen: list[Goods], rules: list[Rule], coupon: Rule | None, dice: Any
) -> None:
    before = {line.goods.key: line.trace() for line in price_basket(chosen, rules, coupon).lines}
    dice.shuffle(chosen)
    dice.shuffle(rules)
    after = {line.goods.key: line.trace() for line in price_basket(chosen, rules, coupon).lines}
    assert after == before
