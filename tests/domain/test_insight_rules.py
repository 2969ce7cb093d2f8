"""When a fee is worth lowering, and the small sums behind the cards."""

from __future__ import annotations

import random

import pytest

from app.domain.insights.rules import (
    AreaStats,
    days_left,
    find_fee_nudges,
    gridlines,
    is_clearly_lower,
    percent_change,
)

FEES = {"westlands": 250_00, "kilimani": 250_00, "south-b": 200_00}


def stats(area: str, now: tuple[int, int], before: tuple[int, int]) -> AreaStats:
    """Pairs are (paid, begun)."""
    return AreaStats(
        area=area,
        paid_now=now[0],
        begun_now=now[1],
        paid_before=before[0],
        begun_before=before[1],
        average_order_cents=2_000_00,
    )


STEADY = [stats("kilimani", (46, 90), (95, 180)), stats("south-b", (48, 91), (93, 181))]


@pytest.mark.row("N34")
def test_an_area_that_fell_against_itself_and_the_others_is_suggested() -> None:
    ideas = find_fee_nudges([stats("westlands", (11, 38), (42, 76)), *STEADY], FEES)

    assert [idea.area for idea in ideas] == ["westlands"]
    idea = ideas[0]
    assert (idea.from_fee_cents, idea.to_fee_cents) == (250_00, 200_00)
    assert idea.evidence() == {
        "begun": 38,
        "paid": 11,
        "begun_before": 76,
        "paid_before": 42,
        "others_begun": 181,
        "others_paid": 94,
        "estimate_cents": 20_000_00,  # ten more orders, KES 2,000 each
    }


@pytest.mark.parametrize(
    "westlands",
    [
        pytest.param(stats("westlands", (20, 38), (42, 76)), id="steady"),
        pytest.param(stats("westlands", (11, 38), (22, 76)), id="always lower than the others"),
        pytest.param(stats("westlands", (2, 9), (42, 76)), id="too few this week"),
        pytest.param(stats("westlands", (11, 38), (8, 10)), id="too few before"),
        pytest.param(stats("westlands", (18, 38), (42, 76)), id="a small dip"),
        pytest.param(stats("westlands", (38, 38), (42, 76)), id="better than before"),
    ],
)
def test_an_area_without_a_clear_drop_is_left_alone(westlands: AreaStats) -> None:
    assert find_fee_nudges([westlands, *STEADY], FEES) == []


def test_a_week_in_which_every_area_fell_is_no_fees_fault() -> None:
    fallen = [stats("kilimani", (45, 90), (122, 180)), stats("south-b", (45, 91), (123, 181))]

    assert find_fee_nudges([stats("westlands", (11, 38), (40, 76)), *fallen], FEES) == []


@pytest.mark.parametrize("fees", [{}, {"westlands": 0}, {"westlands": 50_00}])
def test_a_fee_that_is_gone_or_low_already_is_not_lowered(fees: dict[str, int]) -> None:
    assert find_fee_nudges([stats("westlands", (11, 38), (42, 76)), *STEADY], fees) == []


def test_an_only_area_has_nothing_to_be_compared_with() -> None:
    assert find_fee_nudges([stats("westlands", (11, 38), (42, 76))], FEES) == []


def test_the_largest_drop_comes_first() -> None:
    ideas = find_fee_nudges(
        [
            stats("south-b", (30, 100), (55, 100)),
            stats("westlands", (20, 100), (60, 100)),
            stats("kilimani", (300, 500), (600, 1000)),
        ],
        FEES,
    )

    assert [idea.area for idea in ideas] == ["westlands", "south-b"]


def test_chance_alone_seldom_makes_a_nudge() -> None:
    """200 stores where nothing changed: the rule may be wrong for very few of them."""
    dice = random.Random(20261120)

    def draw(begun: int) -> tuple[int, int]:
        return sum(dice.random() < 0.5 for _ in range(begun)), begun

    wrong = sum(
        bool(find_fee_nudges([stats(area, draw(40), draw(80)) for area in FEES], FEES))
        for _ in range(200)
    )
    assert wrong <= 10


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        ((11, 38), (94, 181), True),
        ((19, 38), (94, 181), False),
        ((0, 15), (15, 15), True),
        ((0, 14), (15, 15), False),
        ((15, 15), (15, 15), False),
        ((450, 1000), (500, 1000), False),  # certain, and too small to act on
    ],
)
def test_clearly_lower(some: tuple[int, int], others: tuple[int, int], expected: bool) -> None:
    assert is_clearly_lower(some, others) is expected


@pytest.mark.parametrize(
    ("stock", "sold", "expected"), [(3, 0, None), (7, 14, 7), (1, 28, 0), (0, 5, 0), (10, 3, 46)]
)
def test_days_left_at_the_pace_of_two_weeks(stock: int, sold: int, expected: int | None) -> None:
    assert days_left(stock, sold) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"), [(112, 100, 12), (0, 80, -100), (5, 0, None)]
)
def test_percent_change(now: int, before: int, expected: int | None) -> None:
    assert percent_change(now, before) == expected


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (52_100, [0, 20_000, 40_000, 60_000]),
        (9, [0, 5, 10]),
        (1, [0, 1]),
        (300, [0, 100, 200, 300]),
        (0, [0, 1000, 2000]),
    ],
)
def test_gridlines_are_round_and_reach_the_largest(largest: int, expected: list[int]) -> None:
    assert gridlines(largest) == expected


def test_gridlines_are_few_for_any_amount() -> None:
    for largest in range(1, 40_000, 7):
        lines = gridlines(largest)
        assert lines[-1] >= largest
        assert 2 <= len(lines) <= 4
