"""What an owner does with promotions: make, change, pause, take away, and take any of it back.

None of them commits. Each is remembered with who did it (``changes``), so that the screen can say
so and undo it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import touch_content
from app.domain.catalog.models import Variant
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem, NotFound
from app.domain.promotions.models import CustomerGroup, GroupMember, Promotion
from app.i18n import gettext as _
from app.ids import new_id
from app.jobs import Topic, ask_for
from app.money import format_kes
from app.vault import vault

# Kind → what it may give.
EFFECTS: dict[str, tuple[str, ...]] = {
    "coupon": ("percent", "amount", "free_delivery"),
    "sale": ("percent", "price"),
    "deal": ("percent", "amount", "buy_get"),
    "bundle": ("price",),
    "tier": ("tiers",),
    "group": ("percent", "price"),
}
MOST_TIERS = 3
MOST_GOODS = 200

# What a person edits, as JSON holds it; the counters are the product's own.
_FIELDS = (
    *("kind", "effect", "name", "code", "percent", "amount_cents", "buy_n", "get_m", "tiers"),
    *("categories", "variants", "areas", "group_id", "is_first_order", "per_phone"),
    *("minimum_cents", "max_uses", "budget_cents", "starts_at", "ends_at", "ignores_floor"),
    *("floor_allowed_by", "is_active", "removed_at"),
)
_IDS = ("categories", "variants")
_MOMENTS = ("starts_at", "ends_at", "removed_at")

_REPRICE = text(
    "SELECT app.refresh_cards(array_agg(store_id ORDER BY product_id), array_agg(product_id ORDER BY product_id))"
    " FROM (SELECT DISTINCT store_id, product_id FROM app.variants"
    " WHERE store_id = app.store_id() AND sale_id = :id) v"
)
# A sale is written on its goods, so that whoever reads a price finds it there. Rows are locked in
# the order of their ids, as checkouts do. Goods of another sale that still runs are left to it.
_END_SALE = text(
    "WITH locked AS (SELECT id FROM app.variants WHERE store_id = app.store_id() AND sale_id = :id"
    " ORDER BY id FOR UPDATE)"
    " UPDATE app.variants v SET sale_id = NULL, sale_percent = NULL, sale_price_cents = NULL,"
    " sale_starts_at = NULL, sale_ends_at = NULL, sale_below_floor = false FROM locked l"
    " WHERE v.store_id = app.store_id() AND v.id = l.id"
)
_START_SALE = text(
    """
WITH covered AS MATERIALIZED (
   SELECT v.id, v.sale_id, v.sale_ends_at FROM app.variants v
     JOIN app.products p ON p.store_id = v.store_id AND p.id = v.product_id
     LEFT JOIN app.categories k ON k.store_id = p.store_id AND k.id = p.category_id
    WHERE v.store_id = app.store_id()
      AND ((:is_for_all) OR v.id = ANY(CAST(:variants AS uuid[]))
           OR p.category_id = ANY(CAST(:categories AS uuid[]))
           OR k.parent_id = ANY(CAST(:categories AS uuid[])))
    ORDER BY v.id FOR UPDATE OF v),
 written AS (
   UPDATE app.variants v SET sale_id = :id, sale_percent = :percent, sale_price_cents = :price,
          sale_starts_at = :starts_at, sale_ends_at = :ends_at, sale_below_floor = :below_floor
     FROM covered c
    WHERE v.store_id = app.store_id() AND v.id = c.id
      AND (c.sale_id IS NULL OR c.sale_ends_at <= now()) RETURNING v.id)
SELECT (SELECT count(*) FROM written) AS written,
       (SELECT count(*) FROM covered) - (SELECT count(*) FROM written) AS elsewhere
"""
)


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving did. ``elsewhere`` counts goods that stay in another sale."""

    promotion: Promotion
    change: Change | None
    elsewhere: int = 0


def save_promotion(
    session: Session, promotion_id: UUID | None, wanted: dict[str, Any], *, actor: str
) -> Saved:
    """Make a promotion of these values, or change the one of that id.

    ``wanted`` holds fields of ``Promotion`` that a person edits. Raises FieldProblem, NotFound.
    """
    promotion = None if promotion_id is None else get_promotion(session, promotion_id, lock=True)
    if promotion is not None:
        before = as_json(promotion)
    else:
        promotion = Promotion(id=new_id(), kind=wanted["kind"])
        before = {}
    for name, value in wanted.items():
        setattr(promotion, name, value)
    _check(session, promotion)
    session.add(promotion)
    session.flush()
    elsewhere = _write_sale(session, promotion)
    if not before:
        before = as_json(promotion) | {"removed_at": utcnow().isoformat()}
    return Saved(promotion, _remembered(session, promotion, before, actor), elsewhere)


def set_active(session: Session, promotion: Promotion, is_active: bool, *, actor: str) -> Saved:
    """Pause it, or let it go on."""
    before = as_json(promotion)
    promotion.is_active = is_active
    session.flush()
    elsewhere = _write_sale(session, promotion)
    return Saved(promotion, _remembered(session, promotion, before, actor), elsewhere)


def remove_promotion(session: Session, promotion: Promotion, *, actor: str) -> Change | None:
    """Take it away. Orders that had it keep it, and it can be brought back."""
    before = as_json(promotion)
    promotion.removed_at = utcnow()
    session.flush()
    _write_sale(session, promotion)
    return _remembered(session, promotion, before, actor)


def get_promotion(session: Session, promotion_id: UUID, *, lock: bool = False) -> Promotion:
    """A promotion that was not taken away. Raises NotFound."""
    found = session.get(
        Promotion, (bound_store(), promotion_id), with_for_update=lock, populate_existing=True
    )
    if found is None or found.removed_at is not None:
        raise NotFound
    return found


def as_json(promotion: Promotion) -> dict[str, Any]:
    """What a person may change of it, as JSON holds it."""
    return {name: _plain(getattr(promotion, name)) for name in _FIELDS}


def set_floor(session: Session, sku: str, floor_cents: int | None, *, actor: str) -> Change | None:
    """Say the lowest price of a variant in cents, or that it has none. Raises FieldProblem."""
    variant = session.scalar(
        select(Variant)
        .where(Variant.store_id == bound_store(), Variant.sku == sku)
        .with_for_update()
    )
    if variant is None:
        raise FieldProblem("sku", _("No goods of yours have this number."))
    if floor_cents is not None and floor_cents > variant.price_cents:
        raise FieldProblem(
            "floor",
            _("It costs %(price)s now, which is less.", price=format_kes(variant.price_cents)),
        )
    before, variant.floor_cents = variant.floor_cents, floor_cents
    touch_content(session)
    session.flush()
    return remember(
        session,
        "floor",
        subject=str(variant.id),
        actor=actor,
        before={"floor_cents": before},
        after={"floor_cents": floor_cents},
    )


# -- groups ------------------------------------------------------------------------------


def add_group(session: Session, name: str, *, actor: str) -> CustomerGroup:
    """A new group of customers. Raises FieldProblem for a name that is taken or empty."""
    clean = " ".join(name.split())[:60]
    if not clean:
        raise FieldProblem("name", _("Write a name, like Resellers."))
    taken = session.scalar(
        select(CustomerGroup.id).where(
            CustomerGroup.store_id == bound_store(), CustomerGroup.name == clean
        )
    )
    if taken is not None:
        raise FieldProblem("name", _("There is a group of this name already."))
    group = CustomerGroup(id=new_id(), name=clean)
    session.add(group)
    session.flush()
    record(session, "group.added", actor=actor, subject=f"group:{group.id}", name=clean)
    return group


def get_group(session: Session, group_id: UUID) -> CustomerGroup:
    """A group of this store. Raises NotFound."""
    group = session.get(CustomerGroup, (bound_store(), group_id))
    if group is None:
        raise NotFound
    return group


def add_member(session: Session, group: CustomerGroup, phone: str, *, actor: str) -> None:
    """Put an E.164 number into a group, out of any other."""
    store_id = bound_store()
    lookup = vault().lookup(phone, store_id=store_id)
    session.execute(
        insert(GroupMember)
        .values(
            id=new_id(),
            store_id=store_id,
            group_id=group.id,
            phone_lookup=lookup,
            phone_sealed=vault().seal(phone, store_id=store_id, column="group_members.phone"),
            added_by=actor,
        )
        .on_conflict_do_update(
            index_elements=["store_id", "phone_lookup"],
            set_={"group_id": group.id, "added_by": actor},
        )
    )
    record(session, "group.member_added", actor=actor, subject=f"group:{group.id}", name=group.name)


def remove_member(session: Session, member_id: UUID, *, actor: str) -> None:
    """Take a number out of its group. Raises NotFound."""
    gone = session.scalar(
        delete(GroupMember)
        .where(GroupMember.store_id == bound_store(), GroupMember.id == member_id)
        .returning(GroupMember.group_id)
    )
    if gone is None:
        raise NotFound
    record(session, "group.member_removed", actor=actor, subject=f"group:{gone}")


# -- steps -------------------------------------------------------------------------------


def _check(session: Session, promotion: Promotion) -> None:
    """Raises FieldProblem where the values cannot stand together."""
    if promotion.effect not in EFFECTS[promotion.kind]:
        raise FieldProblem("effect", _("Choose what it gives."))
    needed = {
        "percent": ("percent", _("Write a percentage from 1 to 99.")),
        "amount": ("amount_cents", _("Write how many shillings.")),
        "price": ("amount_cents", _("Write the price.")),
        "buy_get": ("buy_n", _("Write how many to buy and how many are free.")),
        "tiers": ("tiers", _("Write at least one quantity and its price.")),
    }
    field, sentence = needed.get(promotion.effect, ("name", ""))
    if not getattr(promotion, field) or (promotion.effect == "buy_get" and not promotion.get_m):
        raise FieldProblem(field, sentence or _("Write a name."))
    if promotion.kind == "bundle" and len(promotion.variants or ()) < 2:
        raise FieldProblem("goods", _("A bundle is made of at least two goods."))
    if promotion.kind == "group" and promotion.group_id is None:
        raise FieldProblem("group", _("Choose a group."))
    if promotion.starts_at and promotion.ends_at and promotion.ends_at <= promotion.starts_at:
        raise FieldProblem("ends", _("It ends before it starts."))
    if promotion.max_uses is not None and promotion.max_uses < (promotion.used or 0):
        raise FieldProblem("max_uses", _("It was used %(n)s times already.", n=promotion.used))
    if promotion.budget_cents is not None and promotion.budget_cents < (promotion.given_cents or 0):
        given = format_kes(promotion.given_cents)
        raise FieldProblem("budget", _("%(amount)s was given already.", amount=given))
    _check_code(session, promotion)


def _check_code(session: Session, promotion: Promotion) -> None:
    if promotion.kind != "coupon":
        return
    if not promotion.code or len(promotion.code) < 3:
        raise FieldProblem("code", _("A code has 3 to 20 letters and digits."))
    with session.no_autoflush:
        taken = session.scalar(
            select(Promotion.id).where(
                Promotion.store_id == bound_store(),
                Promotion.code == promotion.code,
                Promotion.removed_at.is_(None),
                Promotion.id != promotion.id,
            )
        )
    if taken is not None:
        raise FieldProblem("code", _("You have another promotion with this code."))


def reprice_cards(session: Session, promotion_id: UUID) -> None:
    """Have lists sort and filter the goods of a sale by what they cost now. Does not commit.

    What a card shows is always the price of this second; its place in a list follows by this,
    asked for at the moments when a sale begins and ends.
    """
    session.execute(_REPRICE, {"id": promotion_id})


def _ask_to_reprice(session: Session, promotion: Promotion) -> None:
    for moment in (promotion.starts_at, promotion.ends_at):
        wait = (moment - utcnow()).total_seconds() if moment is not None else 0
        if moment is not None and wait > 0:
            ask_for(
                session,
                Topic.REPRICE_CARDS,
                key=f"{promotion.id} {moment.isoformat()}",
                after_seconds=wait + 1,
                promotion=str(promotion.id),
            )


def _write_sale(session: Session, promotion: Promotion) -> int:
    """Put a sale on its goods, or take it off them; pages are made anew for any promotion."""
    touch_content(session)
    if promotion.kind != "sale":
        return 0
    session.execute(_END_SALE, {"id": promotion.id})
    if not promotion.is_active or promotion.removed_at is not None:
        return 0
    is_percent = promotion.effect == "percent"
    _ask_to_reprice(session, promotion)
    found = session.execute(
        _START_SALE,
        {
            "id": promotion.id,
            "is_for_all": not promotion.categories and not promotion.variants,
            "variants": promotion.variants,
            "categories": promotion.categories,
            "percent": promotion.percent if is_percent else None,
            "price": None if is_percent else promotion.amount_cents,
            "starts_at": promotion.starts_at,
            "ends_at": promotion.ends_at,
            "below_floor": promotion.ignores_floor,
        },
    ).one()
    session.expire_all()
    return int(found.elsewhere)


def _remembered(
    session: Session, promotion: Promotion, before: dict[str, Any], actor: str
) -> Change | None:
    return remember(
        session,
        "promotion",
        subject=str(promotion.id),
        actor=actor,
        before=before,
        after=as_json(promotion),
    )


@puts_back("promotion")
def _put_back(session: Session, change: Change) -> None:
    promotion = session.get_one(
        Promotion, (bound_store(), UUID(change.subject)), with_for_update=True
    )
    if as_json(promotion) != change.after:
        raise ChangedSince
    for name, value in change.before.items():
        if value is not None and name in _MOMENTS:
            value = datetime.fromisoformat(value)
        elif name in _IDS:
            value = [UUID(each) for each in value]
        elif name == "group_id" and value is not None:
            value = UUID(value)
        setattr(promotion, name, value)
    # Going below floors takes a PIN, which an Undo did not ask for.
    promotion.ignores_floor = change.before["ignores_floor"] and change.after["ignores_floor"]
    _check(session, promotion)
    session.flush()
    _write_sale(session, promotion)


@puts_back("floor")
def _put_floor_back(session: Session, change: Change) -> None:
    variant = session.get_one(Variant, (bound_store(), UUID(change.subject)), with_for_update=True)
    if variant.floor_cents != change.after["floor_cents"]:
        raise ChangedSince
    variant.floor_cents = change.before["floor_cents"]
    touch_content(session)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list):
        return [str(each) if isinstance(each, UUID) else each for each in value]
    return value
