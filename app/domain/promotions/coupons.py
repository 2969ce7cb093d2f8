"""Whether a code may be used here and now, said in words.

What the words tell is this store's own; a code of another store is simply unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from babel.dates import format_date

from app.clock import nairobi
from app.domain.delivery.queries import area_name
from app.domain.errors import FieldProblem
from app.domain.promotions.pricing import PricedBasket, Rule, Tier
from app.i18n import current_locale
from app.i18n import gettext as _
from app.money import format_kes

CODE_LENGTH = 20


class CodeRefused(FieldProblem):
    """A code cannot be used for this order. The order without it would stand."""

    def __init__(self, message: str) -> None:
        super().__init__("code", message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coupon:
    """A code of this store with its limits. ``phone_uses`` and ``orders_before`` are of one phone."""

    rule: Rule
    code: str
    is_active: bool
    starts_at: datetime | None
    ends_at: datetime | None
    areas: tuple[str, ...]
    is_first_order: bool
    per_phone: int | None
    max_uses: int | None
    budget_cents: int | None
    used: int
    given_cents: int
    phone_uses: int = 0
    orders_before: int = 0

    @property
    def is_free_delivery(self) -> bool:
        return self.rule.effect == "free_delivery"


def clean_code(text: str) -> str:
    """A code as it is kept: capitals and digits. Case, spaces and dashes do not matter."""
    said = "".join(c for c in text.upper() if c.isascii() and c.isalnum())
    return said if len(said) <= CODE_LENGTH else ""


def why_not(
    coupon: Coupon,
    basket: PricedBasket,
    *,
    now: datetime,
    area: str | None,
    is_pickup: bool = False,
) -> str:
    """Why this code gives nothing for this basket, in a sentence; empty when it counts.

    ``basket`` is priced without the code. An area that is not chosen yet says nothing.
    """
    return (
        _why_not_now(coupon, now)
        or _why_not_there(coupon, area, is_pickup)
        or _why_not_for(coupon, basket)
    )


def _why_not_now(coupon: Coupon, now: datetime) -> str:
    if not coupon.is_active:
        return _("This code is not in use now.")
    if coupon.starts_at is not None and now < coupon.starts_at:
        return _("This code starts on %(day)s.", day=_day(coupon.starts_at))
    if coupon.ends_at is not None and now >= coupon.ends_at:
        return _("This code ended on %(day)s.", day=_day(coupon.ends_at))
    if coupon.max_uses is not None and coupon.used >= coupon.max_uses:
        return used_up()
    if coupon.budget_cents is not None and coupon.given_cents >= coupon.budget_cents:
        return used_up()
    if coupon.is_first_order and coupon.orders_before:
        return only_first()
    if coupon.per_phone is not None and coupon.phone_uses >= coupon.per_phone:
        return used_before()
    return ""


def _why_not_there(coupon: Coupon, area: str | None, is_pickup: bool) -> str:
    if is_pickup and coupon.is_free_delivery:
        return _("Only for deliveries.")
    if coupon.areas and (is_pickup or (area and area not in coupon.areas)):
        return _("Only for %(area)s.", area=", ".join(area_name(slug) for slug in coupon.areas))
    return ""


def _why_not_for(coupon: Coupon, basket: PricedBasket) -> str:
    if not any(coupon.rule.covers(line.goods) for line in basket.lines):
        return _("Nothing in your cart is part of this offer.")
    if basket.net_cents < coupon.rule.minimum_cents:
        return _("For goods from %(amount)s.", amount=format_kes(coupon.rule.minimum_cents))
    return ""


def unknown_code() -> str:
    return _("We do not know this code.")


def used_up() -> str:
    return _("This code has been used up.")


def used_before() -> str:
    return _("This phone has used this code already.")


def only_first() -> str:
    return _("Only for a first order.")


def _day(instant: datetime) -> str:
    return format_date(nairobi(instant).date(), "d MMMM", locale=current_locale())


# -- from the JSON that a statement brings ---------------------------------------------------


def rule_from(row: Mapping[str, Any]) -> Rule:
    """A promotion as the database's ``to_jsonb`` tells it."""
    return Rule(
        id=UUID(row["id"]),
        kind=row["kind"],
        effect=row["effect"],
        name=row["name"],
        percent=row["percent"] or 0,
        amount_cents=row["amount_cents"] or 0,
        buy_n=row["buy_n"] or 0,
        get_m=row["get_m"] or 0,
        tiers=tuple(
            Tier(tier["from"], tier.get("percent", 0), tier.get("price_cents"))
            for tier in row["tiers"]
        ),
        categories=frozenset(map(UUID, row["categories"])),
        variants=frozenset(map(UUID, row["variants"])),
        minimum_cents=row["minimum_cents"],
        ignores_floor=row["ignores_floor"],
    )


def coupon_from(row: Mapping[str, Any]) -> Coupon:
    """A code likewise, with what its phone did with it."""
    return Coupon(
        rule=rule_from(row),
        code=row["code"],
        starts_at=_moment(row["starts_at"]),
        ends_at=_moment(row["ends_at"]),
        areas=tuple(row["areas"]),
        phone_uses=row.get("phone_uses", 0),
        orders_before=row.get("orders_before", 0),
        **{
            name: row[name]
            for name in (
                *("is_active", "is_first_order", "per_phone"),
                *("max_uses", "budget_cents", "used", "given_cents"),
            )
        },
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
