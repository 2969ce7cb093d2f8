"""Promotions as their owner looks at them: what each says, what it did, what a shopper sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from babel.dates import format_date
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.clock import nairobi
from app.db.tenancy import bound_store
from app.domain.catalog.models import Category, Product, Variant
from app.domain.delivery.queries import area_name
from app.domain.promotions.models import CustomerGroup, GroupMember, Promotion
from app.domain.promotions.pricing import Goods, Rule, Tier, price_basket
from app.i18n import current_locale, ngettext, pgettext
from app.i18n import gettext as _
from app.money import format_kes
from app.phones import masked

LATEST_ORDERS = 20


@dataclass(frozen=True, slots=True)
class Result:
    """What a promotion did so far. Amounts in cents; ``over`` is what was paid late."""

    uses: int = 0
    given_cents: int = 0
    sold_cents: int = 0
    over: int = 0


@dataclass(frozen=True, slots=True)
class UsedBy:
    """One order that had it."""

    order_id: UUID
    code: str
    at: datetime
    given_cents: int
    is_released: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its phones, masked."""

    id: UUID
    name: str
    members: list[tuple[UUID, str]]


@dataclass(frozen=True, slots=True)
class FloorRow:
    sku: str
    name: str
    price_cents: int
    floor_cents: int


_RESULTS = text(
    "SELECT u.promotion_id, count(*) FILTER (WHERE u.released_at IS NULL) AS uses,"
    " coalesce(sum(u.given_cents) FILTER (WHERE u.released_at IS NULL), 0)::bigint AS given_cents,"
    " coalesce(sum(o.total_cents) FILTER (WHERE u.released_at IS NULL), 0)::bigint AS sold_cents,"
    " count(*) FILTER (WHERE u.is_over AND u.released_at IS NULL) AS over"
    " FROM app.promotion_uses u JOIN app.orders o ON o.store_id = u.store_id AND o.id = u.order_id"
    " WHERE u.store_id = app.store_id() GROUP BY u.promotion_id"
)
_USED_BY = text(
    "SELECT o.id AS order_id, o.code, u.at, u.given_cents, u.released_at IS NOT NULL AS is_released"
    " FROM app.promotion_uses u JOIN app.orders o ON o.store_id = u.store_id AND o.id = u.order_id"
    " WHERE u.store_id = app.store_id() AND u.promotion_id = :id ORDER BY u.at DESC LIMIT :most"
)


def all_promotions(session: Session) -> list[Promotion]:
    """Every promotion that was not taken away, those in force first, then the newest."""
    return list(
        session.scalars(
            select(Promotion)
            .where(Promotion.store_id == bound_store(), Promotion.removed_at.is_(None))
            .order_by(Promotion.is_active.desc(), Promotion.created_at.desc(), Promotion.id)
        )
    )


def results(session: Session) -> dict[UUID, Result]:
    """What each promotion did."""
    return {
        row.promotion_id: Result(row.uses, row.given_cents, row.sold_cents, row.over)
        for row in session.execute(_RESULTS)
    }


def used_by(session: Session, promotion_id: UUID) -> list[UsedBy]:
    """The latest orders that had it."""
    rows = session.execute(_USED_BY, {"id": promotion_id, "most": LATEST_ORDERS})
    return [UsedBy(*row) for row in rows]


def all_groups(session: Session) -> list[Group]:
    """The groups by name, with their phones masked."""
    members: dict[UUID, list[tuple[UUID, str]]] = {}
    for member in session.scalars(
        select(GroupMember)
        .where(GroupMember.store_id == bound_store())
        .order_by(GroupMember.added_at, GroupMember.id)
    ):
        members.setdefault(member.group_id, []).append((member.id, masked(member.phone)))
    groups = session.scalars(
        select(CustomerGroup)
        .where(CustomerGroup.store_id == bound_store())
        .order_by(CustomerGroup.name)
    )
    return [Group(group.id, group.name, members.get(group.id, [])) for group in groups]


def floors(session: Session) -> list[FloorRow]:
    """Every variant with a lowest price."""
    rows = session.execute(
        select(Variant.sku, Product.name, Variant.price_cents, Variant.floor_cents)
        .join(Variant.product)
        .where(Variant.store_id == bound_store(), Variant.floor_cents.is_not(None))
        .order_by(Product.name, Variant.position)
    )
    return [FloorRow(sku, name, price, floor or 0) for sku, name, price, floor in rows]


def shelf_choices(session: Session) -> list[tuple[UUID, str]]:
    """The categories a promotion may be for."""
    rows = session.execute(
        select(Category.id, Category.name)
        .where(Category.store_id == bound_store())
        .order_by(Category.position, Category.name)
    )
    return [(row[0], row[1]) for row in rows]


def skus_of(session: Session, ids: Sequence[UUID]) -> list[str]:
    """The numbers of these goods, in their order."""
    rows = session.execute(
        select(Variant.id, Variant.sku).where(
            Variant.store_id == bound_store(), Variant.id.in_(ids)
        )
    )
    known = {row[0]: row[1] for row in rows}
    return [known[id] for id in ids if id in known]


def variants_of(session: Session, skus: Sequence[str]) -> dict[str, UUID]:
    """The goods of these numbers, capitals or not."""
    wanted = [sku.lower() for sku in skus]
    rows = session.execute(
        select(Variant.sku, Variant.id).where(
            Variant.store_id == bound_store(), func.lower(Variant.sku).in_(wanted)
        )
    )
    return {row[0].lower(): row[1] for row in rows}


# -- words -------------------------------------------------------------------------------


def standing(promotion: Promotion, now: datetime) -> tuple[str, str]:
    """Whether it is in force: a key for the colour, and the words."""
    if not promotion.is_active:
        return "paused", pgettext("a promotion", "Paused")
    if promotion.starts_at is not None and now < promotion.starts_at:
        return "planned", _("From %(day)s", day=day_text(promotion.starts_at))
    if promotion.ends_at is not None and now >= promotion.ends_at:
        return "over", _("Ended %(day)s", day=day_text(promotion.ends_at))
    if promotion.max_uses is not None and promotion.used >= promotion.max_uses:
        return "over", _("Used up")
    if promotion.ends_at is not None:
        return "on", _("Until %(day)s", day=day_text(promotion.ends_at))
    return "on", _("Running")


def day_text(instant: datetime) -> str:
    return format_date(nairobi(instant).date(), "d MMM", locale=current_locale())


def what_it_gives(promotion: Promotion) -> str:
    """In a few words: "10 % off", "Buy 2, get 1 free", "KES 1,000 for the set"."""
    amount = format_kes(promotion.amount_cents or 0)
    match promotion.effect:
        case "percent":
            return _("%(n)s %% off", n=promotion.percent or 0)
        case "amount":
            return _("%(amount)s off", amount=amount)
        case "free_delivery":
            return _("Free delivery")
        case "buy_get":
            return _("Buy %(n)s, get %(m)s free", n=promotion.buy_n or 0, m=promotion.get_m or 0)
        case "tiers":
            return "; ".join(_tier_text(tier) for tier in promotion.tiers)
        case _ if promotion.kind == "bundle":
            return _("%(amount)s for the set", amount=amount)
        case _:
            return _("%(amount)s each", amount=amount)


def conditions(promotion: Promotion, shelves: dict[UUID, str]) -> list[str]:
    """What limits it, a short phrase each."""
    found = [shelves[id] for id in promotion.categories or () if id in shelves]
    if promotion.variants:
        n = len(promotion.variants)
        found.append(ngettext("%(n)s of your goods", "%(n)s of your goods", n))
    if promotion.areas:
        found.append(", ".join(area_name(slug) for slug in promotion.areas))
    if promotion.minimum_cents:
        found.append(_("from %(amount)s", amount=format_kes(promotion.minimum_cents)))
    if promotion.is_first_order:
        found.append(_("first order"))
    if promotion.per_phone:
        found.append(ngettext("%(n)s use a phone", "%(n)s uses a phone", promotion.per_phone))
    return found


def _tier_text(tier: dict[str, Any]) -> str:
    if tier.get("price_cents"):
        return _(
            "%(n)s or more: %(amount)s each", n=tier["from"], amount=format_kes(tier["price_cents"])
        )
    return _("%(n)s or more: %(percent)s %% off", n=tier["from"], percent=tier.get("percent", 0))


# -- what a shopper sees -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sight:
    """An example: goods of the shop, what they cost without and with the promotion."""

    rows: list[tuple[str, int, int]]  # name, quantity, cents before deals and code
    reasons: list[tuple[str, int]]
    before_cents: int
    after_cents: int


def rule_of(promotion: Promotion) -> Rule:
    """The promotion as the pricing knows it."""
    return Rule(
        id=promotion.id,
        kind=promotion.kind,
        effect=promotion.effect,
        name=promotion.name,
        percent=promotion.percent or 0,
        amount_cents=promotion.amount_cents or 0,
        buy_n=promotion.buy_n or 0,
        get_m=promotion.get_m or 0,
        tiers=tuple(
            Tier(tier["from"], tier.get("percent", 0), tier.get("price_cents"))
            for tier in promotion.tiers or ()
        ),
        categories=frozenset(promotion.categories or ()),
        variants=frozenset(promotion.variants or ()),
        minimum_cents=promotion.minimum_cents or 0,
        ignores_floor=bool(promotion.ignores_floor),
    )


def sight_of(session: Session, promotion: Promotion) -> Sight | None:
    """What a shopper sees with goods it is for; None where the shop has none."""
    rule = rule_of(promotion)
    samples = _samples(session, promotion)
    if not samples:
        return None
    goods = [each for each, _name in _enough(rule, samples)]
    names = {each.key: name for each, name in samples}
    if promotion.kind == "sale":
        rule = replace(rule, kind="group")
    is_coupon = promotion.kind == "coupon"
    priced = price_basket(goods, [] if is_coupon else [rule], rule if is_coupon else None)
    return Sight(
        rows=[
            (names[line.goods.key], line.goods.quantity, line.total_cents) for line in priced.lines
        ],
        reasons=priced.reasons(),
        before_cents=sum(each.now_cents * each.quantity for each in goods),
        after_cents=priced.net_cents,
    )


def _samples(session: Session, promotion: Promotion) -> list[tuple[Goods, str]]:
    query = (
        select(Variant, Product.name, Product.category_id, Category.parent_id)
        .join(Variant.product)
        .outerjoin(
            Category,
            (Category.store_id == Product.store_id) & (Category.id == Product.category_id),
        )
        .where(Variant.store_id == bound_store(), Variant.is_active, Product.status == "active")
        .order_by((Variant.on_hand > Variant.reserved).desc(), Product.created_at, Variant.position)
        .limit(max(2, len(promotion.variants or ())) if promotion.kind == "bundle" else 1)
    )
    if promotion.variants or promotion.categories:
        query = query.where(
            Variant.id.in_(promotion.variants or ())
            | Product.category_id.in_(promotion.categories or ())
            | Category.parent_id.in_(promotion.categories or ())
        )
    return [
        (
            Goods(
                key=variant.id,
                quantity=1,
                price_cents=variant.price_cents,
                now_cents=variant.price_cents,
                floor_cents=variant.floor_cents or 0,
                shelves=frozenset(id for id in (shelf, parent) if id),
            ),
            name,
        )
        for variant, name, shelf, parent in session.execute(query)
    ]


def _enough(rule: Rule, samples: list[tuple[Goods, str]]) -> list[tuple[Goods, str]]:
    """As many of them as the promotion needs to give something."""
    wanted = {"buy_get": rule.buy_n + rule.get_m}.get(rule.effect, 1)
    if rule.tiers:
        wanted = min(tier.from_quantity for tier in rule.tiers)
    first = samples[0][0]
    if rule.minimum_cents and first.now_cents:
        wanted = max(wanted, -(-rule.minimum_cents // first.now_cents))
    return [(replace(each, quantity=min(wanted, 99)), name) for each, name in samples]
