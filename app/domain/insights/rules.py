"""Rules that turn numbers into advice. No session, no clock: facts in, answers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt
from typing import Any

FEE_STEP_CENTS = 50_00
LOWEST_FEE_CENTS = 50_00
"""We suggest a lower fee, never a free one: giving delivery away is another decision."""

MIN_BEGUN = 15
"""Fewer checkouts than this, on either side of a comparison, prove nothing."""

CLEAR_POINTS = 0.10
"""A difference that matters to a shop: ten more in a hundred leave without paying."""

CLEAR_Z = 1.96
"""Of stores where nothing changed, about one in forty would show such a difference by chance."""

DAYS_LEFT_SOON = 7
SALES_DAYS = 14
FEW_LEFT = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaStats:
    """Checkouts of one area: in the last 7 days (``_now``) and the 14 before (``_before``)."""

    area: str
    begun_now: int
    paid_now: int
    begun_before: int
    paid_before: int
    average_order_cents: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NudgeIdea:
    """Lower one area's fee, and why."""

    area: str
    from_fee_cents: int
    to_fee_cents: int
    begun: int
    paid: int
    begun_before: int
    paid_before: int
    others_begun: int
    others_paid: int
    estimate_cents: int  # more sold in a week, if as many pay as before

    def evidence(self) -> dict[str, Any]:
        """The numbers as they are kept with the nudge."""
        return {
            "begun": self.begun,
            "paid": self.paid,
            "begun_before": self.begun_before,
            "paid_before": self.paid_before,
            "others_begun": self.others_begun,
            "others_paid": self.others_paid,
            "estimate_cents": self.estimate_cents,
        }


def find_fee_nudges(area_stats: Iterable[AreaStats], fees: Mapping[str, int]) -> list[NudgeIdea]:
    """Areas whose fee may be what makes shoppers leave, the largest drop first.

    ``fees`` is today's fee in cents of every area the store delivers to. An area is
    named when all of this holds:

    1. at least ``MIN_BEGUN`` checkouts begun there in the last 7 days, in the 14 before,
       and in the other areas together;
    2. fewer paid than in its own 14 days before, clearly (``is_clearly_lower``);
    3. fewer paid than in the other areas this week, clearly;
    4. the other areas did not fall as well: a day of failing payments is no fee's fault;
    5. its fee can come down by KES 50 and still be at least KES 50.
    """
    stats = list(area_stats)
    ideas = [idea for area in stats if (idea := _fee_idea(area, stats, fees.get(area.area)))]
    return sorted(ideas, key=lambda idea: (-_drop(idea), idea.area))


def _fee_idea(
    area: AreaStats, all_stats: Sequence[AreaStats], fee_cents: int | None
) -> NudgeIdea | None:
    if fee_cents is None or fee_cents - FEE_STEP_CENTS < LOWEST_FEE_CENTS:
        return None
    others = [other for other in all_stats if other.area != area.area]
    others_now = (sum(o.paid_now for o in others), sum(o.begun_now for o in others))
    others_before = (sum(o.paid_before for o in others), sum(o.begun_before for o in others))
    now, before = (area.paid_now, area.begun_now), (area.paid_before, area.begun_before)
    if not (is_clearly_lower(now, before) and is_clearly_lower(now, others_now)):
        return None
    drop = rate(before) - rate(now)
    if others_before[1] and drop - (rate(others_before) - rate(others_now)) < CLEAR_POINTS:
        return None
    estimate = round(drop * area.begun_now) * area.average_order_cents
    return NudgeIdea(
        area=area.area,
        from_fee_cents=fee_cents,
        to_fee_cents=fee_cents - FEE_STEP_CENTS,
        begun=area.begun_now,
        paid=area.paid_now,
        begun_before=area.begun_before,
        paid_before=area.paid_before,
        others_begun=others_now[1],
        others_paid=others_now[0],
        estimate_cents=estimate // 100_00 * 100_00,
    )


def is_clearly_lower(some: tuple[int, int], others: tuple[int, int]) -> bool:
    """Whether a smaller share paid, by more than chance explains. Pairs are (paid, begun).

    A two-proportion test with the pooled share, and both a size and a count below which
    a difference is not worth an owner's time.
    """
    if min(some[1], others[1]) < MIN_BEGUN:
        return False
    difference = rate(others) - rate(some)
    pooled = (some[0] + others[0]) / (some[1] + others[1])
    spread = sqrt(pooled * (1 - pooled) * (1 / some[1] + 1 / others[1]))
    return difference >= CLEAR_POINTS and difference >= CLEAR_Z * spread


def rate(paid_of_begun: tuple[int, int]) -> float:
    """The share that paid, 0 to 1; nothing begun is 0."""
    paid, begun = paid_of_begun
    return paid / begun if begun else 0.0


def _drop(idea: NudgeIdea) -> float:
    return rate((idea.paid_before, idea.begun_before)) - rate((idea.paid, idea.begun))


def days_left(stock: int, sold: int, days: int = SALES_DAYS) -> int | None:
    """Whole days until ``stock`` is gone at the pace of ``sold`` in ``days``; None if none sold."""
    if sold <= 0:
        return None
    return max(0, floor(stock * days / sold))


def percent_change(now: int, before: int) -> int | None:
    """By how many percent ``now`` is more (or, below zero, less); None when there was nothing."""
    if before <= 0:
        return None
    return round((now - before) * 100 / before)


def gridlines(largest: int) -> list[int]:
    """Three or four round values from 0 that reach at least ``largest``, for a chart's axis."""
    if largest <= 0:
        return [0, 1000, 2000]
    for step in _round_steps(largest):
        if largest <= step * 3:
            return [step * n for n in range(ceil(largest / step) + 1)]
    raise AssertionError("the steps grow without end")


def _round_steps(largest: int) -> Iterable[int]:
    power = 10 ** max(0, floor(log10(largest)) - 1)
    while True:
        for digit in (1, 2, 5):
            yield digit * power
        power *= 10
