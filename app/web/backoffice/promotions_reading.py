"""Reading the form of a promotion: what was typed, what it means, and what is wrong with it.

What was typed is never lost: the form is shown again from ``typed``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from app.clock import at_nairobi, nairobi
from app.domain.delivery.areas import UnknownArea, get_area
from app.domain.promotions.actions import EFFECTS, MOST_GOODS, MOST_TIERS
from app.domain.promotions.coupons import clean_code
from app.domain.promotions.models import Promotion
from app.domain.promotions.queries import skus_of, variants_of
from app.i18n import gettext as _
from app.money import CENTS_PER_SHILLING, InvalidAmount, parse_kes, round_to_shilling
from app.web.backoffice.settings_reading import Read, line

_NUMBER = re.compile(r"[0-9]{1,6}")
_PERCENT = re.compile(r"([0-9]{1,2}) ?%")


def form_of(session: Session, promotion: Promotion) -> dict[str, Any]:
    """The form as the promotion fills it."""
    p = promotion
    tiers = [(str(tier["from"]), _tier_value(tier)) for tier in (p.tiers or ())]
    return {
        "kind": p.kind,
        "effect": p.effect,
        "name": p.name,
        "code": p.code or "",
        "percent": _text(p.percent),
        "amount": _kes(p.amount_cents),
        "buy_n": _text(p.buy_n),
        "get_m": _text(p.get_m),
        "tiers": [*tiers, *[("", "")] * (MOST_TIERS - len(tiers))],
        "categories": [str(id) for id in p.categories or ()],
        "goods": ", ".join(skus_of(session, p.variants or [])),
        "areas": list(p.areas or ()),
        "group": str(p.group_id or ""),
        "is_first_order": bool(p.is_first_order),
        "per_phone": _text(p.per_phone),
        "minimum": _kes(p.minimum_cents or None),
        "max_uses": _text(p.max_uses),
        "budget": _kes(p.budget_cents),
        "starts": _local(p.starts_at),
        "ends": _local(p.ends_at),
        "ignores_floor": bool(p.ignores_floor),
    }


def empty_form(kind: str) -> dict[str, Any]:
    """The form of a new promotion."""
    return {
        **dict.fromkeys(
            (
                *("name", "code", "percent", "amount", "buy_n", "get_m", "goods", "group"),
                *("per_phone", "minimum", "max_uses", "budget", "starts", "ends"),
            ),
            "",
        ),
        "kind": kind,
        "effect": EFFECTS[kind][0],
        "tiers": [("", "")] * MOST_TIERS,
        "categories": [],
        "areas": [],
        "is_first_order": False,
        "ignores_floor": False,
    }


def read_promotion(session: Session, form: MultiDict[str, str], kind: str) -> Read:
    """What the form says for a promotion of this kind."""
    read = Read(_typed(form, kind))
    typed, wanted, wrong = read.typed, read.wanted, read.wrong
    wanted |= {"kind": kind, "effect": typed["effect"], "name": typed["name"]}
    if not typed["name"]:
        wrong["name"] = _("Write a name. Shoppers read it.")
    effect = typed["effect"]
    wanted["percent"] = _whole(read, "percent", 99) if effect == "percent" else None
    has_amount = effect in ("amount", "price")
    wanted["amount_cents"] = _money(read, "amount") if has_amount else None
    for name in ("buy_n", "get_m"):
        wanted[name] = _whole(read, name, 99) if effect == "buy_get" else None
    wanted["tiers"] = _tiers(read) if effect == "tiers" else []
    wanted["categories"] = [UUID(id) for id in typed["categories"]] if kind != "bundle" else []
    wanted["variants"] = _goods(session, read)
    wanted["minimum_cents"] = (_money(read, "minimum") or 0) if kind in ("coupon", "deal") else 0
    wanted["group_id"] = UUID(typed["group"]) if kind == "group" and typed["group"] else None
    wanted["starts_at"], wanted["ends_at"] = _moment(read, "starts"), _moment(read, "ends")
    is_coupon = kind == "coupon"
    wanted["code"] = clean_code(typed["code"]) if is_coupon else None
    wanted["areas"] = typed["areas"] if is_coupon else []
    wanted["is_first_order"] = is_coupon and typed["is_first_order"]
    wanted["per_phone"] = _whole(read, "per_phone", 99) if is_coupon else None
    wanted["max_uses"] = _whole(read, "max_uses", 999_999) if is_coupon else None
    wanted["budget_cents"] = _money(read, "budget") if is_coupon else None
    return read


def _typed(form: MultiDict[str, str], kind: str) -> dict[str, Any]:
    typed = empty_form(kind)
    texts = {"name": 60, "code": 40, "goods": 4000, "group": 40, "starts": 16, "ends": 16}
    numbers = ("percent", "amount", "buy_n", "get_m", "per_phone", "minimum", "max_uses", "budget")
    typed |= {name: line(form, name, most) for name, most in texts.items()}
    typed |= {name: line(form, name, 14) for name in numbers}
    if form.get("effect") in EFFECTS[kind]:
        typed["effect"] = form["effect"]
    typed["tiers"] = [
        (line(form, f"tier-from-{at}", 4), line(form, f"tier-value-{at}", 14))
        for at in range(MOST_TIERS)
    ]
    typed["categories"] = [id for id in form.getlist("categories")[:200] if _is_id(id)]
    typed["areas"] = [slug for slug in form.getlist("areas")[:400] if _is_area(slug)]
    typed["group"] = typed["group"] if _is_id(typed["group"]) else ""
    for name in ("is_first_order", "ignores_floor"):
        typed[name] = form.get(name) == "yes"
    return typed


def _goods(session: Session, read: Read) -> list[UUID]:
    """The goods named by their numbers, with commas or lines between."""
    named = [sku for sku in re.split(r"[\s,;]+", read.typed["goods"]) if sku][:MOST_GOODS]
    found = variants_of(session, named) if named else {}
    missing = [sku for sku in named if sku.lower() not in found]
    if missing:
        read.wrong["goods"] = _("No goods of yours have the number %(sku)s.", sku=missing[0])
    return list(dict.fromkeys(found[sku.lower()] for sku in named if sku.lower() in found))


def _tiers(read: Read) -> list[dict[str, int]]:
    tiers: dict[int, dict[str, int]] = {}
    for quantity, value in read.typed["tiers"]:
        if not quantity and not value:
            continue
        percent = _PERCENT.fullmatch(value)
        try:
            cents = 0 if percent else _whole_shillings(parse_kes(value))
        except InvalidAmount:
            cents = -1
        if not _NUMBER.fullmatch(quantity) or not 2 <= int(quantity) <= 999 or cents < 0:
            read.wrong["tiers"] = _("Write a quantity from 2, and a price like 400 or 5%.")
            continue
        at = int(quantity)
        if percent and int(percent[1]):
            tiers[at] = {"from": at, "percent": int(percent[1])}
        elif cents:
            tiers[at] = {"from": at, "price_cents": cents}
    return [tiers[at] for at in sorted(tiers)]


def _whole(read: Read, name: str, most: int) -> int | None:
    text = read.typed[name].removesuffix("%").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        read.wrong[name] = _("Write a whole number from 1 to %(n)s.", n=most)
        return None
    return int(text)


def _money(read: Read, name: str) -> int | None:
    if not read.typed[name]:
        return None
    try:
        return _whole_shillings(parse_kes(read.typed[name])) or None
    except InvalidAmount as problem:
        read.wrong[name] = str(problem)
        return None


def _moment(read: Read, name: str) -> datetime | None:
    if not read.typed[name]:
        return None
    try:
        local = datetime.fromisoformat(read.typed[name])
        return at_nairobi(local.date(), time(local.hour, local.minute))
    except (ValueError, OverflowError):
        read.wrong[name] = _("Choose a day and a time.")
        return None


def _whole_shillings(cents: int) -> int:
    return round_to_shilling(cents).payable_cents


def _tier_value(tier: Mapping[str, int]) -> str:
    if tier.get("price_cents"):
        return _kes(tier["price_cents"])
    return f"{tier.get('percent', 0)}%"


def _kes(cents: int | None) -> str:
    return f"{cents // CENTS_PER_SHILLING:,}" if cents else ""


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _local(instant: datetime | None) -> str:
    return f"{nairobi(instant):%Y-%m-%dT%H:%M}" if instant else ""


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _is_area(slug: str) -> bool:
    try:
        get_area(slug)
    except UnknownArea:
        return False
    return True
