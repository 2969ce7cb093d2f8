"""Delivery fees: the golden table of baskets by areas, and the edges of each rule."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, time
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delivery.areas import BANDS, get_area
from app.domain.delivery.fees import (
    DEFAULT_FEE_CENTS,
    AreaTerms,
    Basket,
    FeeRule,
    RuleKind,
    SizeClass,
    Slot,
    quote_fee,
)
from app.domain.errors import AreaNotServed, BelowMinimumOrder, DomainError
from app.i18n import using_locale

DATA = Path(__file__).parents[1] / "data"
NOON = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEN_AT_NIGHT = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)


def _area(slug: str, fee_cents: int, **terms: int | bool) -> AreaTerms:
    return AreaTerms(area_slug=slug, area_name=get_area(slug).name, fee_cents=fee_cents, **terms)


AREAS = {
    terms.area_slug: terms
    for terms in (
        _area("nairobi-cbd", 200_00),
        _area("westlands", 250_00),
        _area("kilimani", 250_00, free_from_cents=8_000_00),
        _area("karen", 450_00, minimum_order_cents=1_000_00),
        _area("south-b", 250_00),
        _area("south-c", 250_00),
        _area("embakasi", 350_00, minimum_order_cents=500_00),
        _area("ongata-rongai", 600_00, minimum_order_cents=1_500_00),
        _area("thika", 800_00, minimum_order_cents=2_000_00),
        _area("kamulu", 800_00, is_served=False),
    )
}

USUAL = Basket(subtotal_cents=2_450_00)
BASKETS = {
    "small": Basket(subtotal_cents=400_00),
    "at the smallest order": Basket(subtotal_cents=500_00),
    "usual": USUAL,
    "a cent under free": Basket(subtotal_cents=4_999_99),
    "five thousand": Basket(subtotal_cents=5_000_00),
    "eight thousand": Basket(subtotal_cents=8_000_00),
    "ten thousand": Basket(subtotal_cents=10_000_00),
    "heavy": Basket(subtotal_cents=3_000_00, weight_grams=10_001),
    "ten kilos exactly": Basket(subtotal_cents=3_000_00, weight_grams=10_000),
    "bulky and heavy": Basket(
        subtotal_cents=12_000_00, weight_grams=30_000, size_class=SizeClass.BULKY
    ),
    "express": Basket(subtotal_cents=2_450_00, slot=Slot.EXPRESS),
    "evening": Basket(subtotal_cents=6_000_00, slot=Slot.EVENING),
    "pickup": Basket(subtotal_cents=400_00, is_pickup=True),
    "at night": USUAL,
}

NAMED_RULES = {
    "pickup": {"kind": RuleKind.PICKUP},
    "bulky": {
        "kind": RuleKind.SIZE_CLASS,
        "size_class": SizeClass.BULKY,
        "fee_cents": 1_500_00,
    },
    "heavy": {
        "kind": RuleKind.WEIGHT_OVER,
        "over_grams": 10_000,
        "fee_cents": 300_00,
        "is_extra": True,
    },
    "express": {
        "kind": RuleKind.TIME_SLOT,
        "slot": Slot.EXPRESS,
        "fee_cents": 250_00,
        "is_extra": True,
    },
    "evening": {
        "kind": RuleKind.TIME_SLOT,
        "slot": Slot.EVENING,
        "fee_cents": 150_00,
        "is_extra": True,
    },
    "free over 5,000 in Westlands": {
        "kind": RuleKind.FREE_OVER,
        "threshold_cents": 5_000_00,
        "area_slug": "westlands",
    },
    "free over 10,000": {"kind": RuleKind.FREE_OVER, "threshold_cents": 10_000_00},
    "night": {
        "kind": RuleKind.TIME_SLOT,
        "starts_at": time(20),
        "ends_at": time(6),
        "fee_cents": 100_00,
        "is_extra": True,
    },
}
RULE_IDS = {name: UUID(int=number) for number, name in enumerate(NAMED_RULES, 1)}
RULES = [FeeRule(id=RULE_IDS[name], **facts) for name, facts in NAMED_RULES.items()]


def _cases() -> list[dict[str, str]]:
    with (DATA / "fee_cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


CASES = _cases()


@pytest.mark.row("N45")
def test_the_golden_table_has_100_baskets_by_areas() -> None:
    assert len({(case["basket"], case["area"]) for case in CASES}) >= 100
    assert {case["basket"] for case in CASES} == set(BASKETS)
    assert {case["area"] for case in CASES} == set(AREAS)


@pytest.mark.row("N45")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['basket']}, {case['area']}")
def test_a_basket_to_an_area_costs(case: dict[str, str]) -> None:
    at = TEN_AT_NIGHT if case["basket"] == "at night" else NOON
    expected = (
        int(case["fee_kes"]) * 100 if case["fee_kes"] else None,
        RULE_IDS.get(case["rule"]),
        case["words"],
    )

    outcome: tuple[int | None, UUID | None, str]
    try:
        quote = quote_fee(BASKETS[case["basket"]], AREAS[case["area"]], RULES, at)
        outcome = (quote.fee_cents, quote.rule_id, quote.reason)
    except DomainError as refusal:
        outcome = (None, None, str(refusal))

    assert (*outcome[:2], outcome[2].replace("\u00a0", " ")) == expected


@pytest.mark.row("N45")
def test_the_first_rule_that_applies_decides() -> None:
    heavy_and_rich = Basket(subtotal_cents=20_000_00, weight_grams=12_000)
    heavy, free = RULES[2], RULES[6]

    assert quote_fee(heavy_and_rich, AREAS["karen"], [heavy, free], NOON).fee_cents == 750_00
    assert quote_fee(heavy_and_rich, AREAS["karen"], [free, heavy], NOON).fee_cents == 0


@pytest.mark.row("N45")
def test_an_area_rule_and_the_merchants_own_words_win_over_the_area_fee() -> None:
    rule = FeeRule(
        id=UUID(int=99),
        kind=RuleKind.AREA,
        area_slug="westlands",
        fee_cents=100_00,
        label="Launch week",
    )

    quote = quote_fee(USUAL, AREAS["westlands"], [rule], NOON)

    assert (quote.fee_cents, quote.reason, quote.rule_id) == (100_00, "Launch week", UUID(int=99))
    assert quote_fee(USUAL, AREAS["karen"], [rule], NOON).fee_cents == 450_00


@pytest.mark.row("N45")
@pytest.mark.parametrize(
    ("minute", "fee_cents"),
    [
        pytest.param(datetime(2026, 3, 2, 16, 59, tzinfo=UTC), 250_00, id="19:59 is not yet night"),
        pytest.param(datetime(2026, 3, 2, 17, 0, tzinfo=UTC), 350_00, id="20:00 is"),
        pytest.param(datetime(2026, 3, 3, 2, 59, tzinfo=UTC), 350_00, id="05:59 still is"),
        pytest.param(datetime(2026, 3, 3, 3, 0, tzinfo=UTC), 250_00, id="06:00 is morning"),
    ],
)
def test_a_slot_may_run_past_midnight(minute: datetime, fee_cents: int) -> None:
    assert quote_fee(USUAL, AREAS["kilimani"], RULES, minute).fee_cents == fee_cents


@pytest.mark.row("N45")
def test_an_order_below_the_area_minimum_is_refused_with_the_minimum() -> None:
    with pytest.raises(BelowMinimumOrder, match="KES\u00a01,000") as refusal:
        quote_fee(Basket(subtotal_cents=999_99), AREAS["karen"], RULES, NOON)
    assert refusal.value.minimum_cents == 1_000_00


@pytest.mark.row("N45")
def test_an_area_that_is_not_served_is_named_and_no_area_is_asked_for() -> None:
    with pytest.raises(AreaNotServed, match="Kamulu"):
        quote_fee(USUAL, AREAS["kamulu"], RULES, NOON)
    with pytest.raises(AreaNotServed, match="Choose your area"):
        quote_fee(USUAL, None, RULES, NOON)


@pytest.mark.row("N45")
def test_collecting_at_the_shop_is_free_and_needs_no_area() -> None:
    quote = quote_fee(BASKETS["pickup"], None, [], NOON)

    assert (quote.fee_cents, quote.reason, quote.rule_id) == (0, "Pick up at the shop", None)


@pytest.mark.row("N45")
@pytest.mark.parametrize(
    "facts",
    [
        {"kind": RuleKind.FREE_OVER},
        {"kind": RuleKind.FREE_OVER, "threshold_cents": 1_00, "fee_cents": 5_00},
        {"kind": RuleKind.WEIGHT_OVER},
        {"kind": RuleKind.SIZE_CLASS},
        {"kind": RuleKind.TIME_SLOT},
        {"kind": RuleKind.TIME_SLOT, "starts_at": time(20)},
        {"kind": RuleKind.AREA},
        {"kind": RuleKind.PICKUP, "fee_cents": 50_50},
        {"kind": RuleKind.PICKUP, "fee_cents": -1_00},
    ],
)
def test_a_rule_that_could_not_be_applied_or_paid_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        FeeRule(**facts)  # type: ignore[arg-type]


@pytest.mark.row("N45")
@given(
    st.integers(min_value=2_000_00, max_value=50_000_00),
    st.integers(min_value=0, max_value=60_000),
    st.sampled_from(SizeClass),
    st.none() | st.sampled_from(Slot),
    st.sampled_from([area for area in AREAS.values() if area.is_served]),
)
def test_every_fee_is_in_whole_shillings_and_says_why(
    subtotal_cents: int, weight_grams: int, size: SizeClass, slot: Slot | None, area: AreaTerms
) -> None:
    basket = Basket(
        subtotal_cents=subtotal_cents, weight_grams=weight_grams, size_class=size, slot=slot
    )

    quote = quote_fee(basket, area, RULES, NOON)

    assert quote.fee_cents >= 0
    assert quote.fee_cents % 100 == 0
    assert quote.reason


def test_a_language_without_a_catalogue_still_says_the_reason() -> None:
    with using_locale("sw"):
        assert "Karen" in quote_fee(USUAL, AREAS["karen"], [], NOON).reason


def test_default_fees_rise_with_the_distance_band() -> None:
    fees_cents = [DEFAULT_FEE_CENTS[band] for band in BANDS]

    assert fees_cents == sorted(fees_cents)
    assert all(fee_cents % 50_00 == 0 for fee_cents in fees_cents)
