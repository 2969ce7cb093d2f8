"""What a shop gives for points: how much of goods earns one, and what one is worth at checkout."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.stores.models import Store

MOST_PERCENT = 50
"""A shop gives back at most half of what was paid; more is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class PointRules:
    """Amounts in cents."""

    goods_per_point_cents: int
    point_worth_cents: int

    @property
    def percent(self) -> float:
        """How much of what is paid for goods comes back, in percent."""
        return 100 * self.point_worth_cents / self.goods_per_point_cents

    def earned_by(self, goods_cents: int) -> int:
        """The points that so much of goods earns; what is left over earns none."""
        return max(0, goods_cents) // self.goods_per_point_cents


def rules_of(store: Store) -> PointRules | None:
    """What this shop gives; None where it gives no points."""
    if not store.gives_points:
        return None
    return PointRules(store.goods_per_point_cents, store.point_worth_cents)
