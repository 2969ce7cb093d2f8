"""Changing many goods at once: first shown as before → after, then done whole, then undone whole.

A preview and the change that follows are worked out by the same function; the change is refused
when anything it speaks of is no longer as the preview showed it. One statement changes them all,
so there is no half of it, however many they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, Text, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.catalog.editing import MAX_PRICE_CENTS, MAX_STOCK
from app.domain.catalog.models import Category, Product, Variant
from app.domain.catalog.saving import STATUSES, VAT_CLASSES
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem
from app.i18n import gettext_lazy as _

Field = Literal["price", "category", "status", "vat_class", "low_mark"]
FIELDS: tuple[Field, ...] = ("price", "category", "status", "vat_class", "low_mark")
ROUNDINGS = (1, 10, 50, 99)
MAX_PERCENT = 900


@dataclass(frozen=True, kw_only=True)
class BulkChange:
    """What to change. A price moves by ``percent``, or by ``cents`` when that is given.

    ``rounding`` is to the nearest 1, 10 or 50 shillings, or 99: to the nearest price that ends
    in 99. ``value`` is a category's id (or empty), a status, a VAT class or a low mark.
    """

    field: Field
    value: str = ""
    percent: int = 0
    cents: int = 0
    rounding: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that would change; ``id`` is a variant's for prices and marks, else a product's."""

    id: UUID
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One thing that would stay as it is, and why."""

    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a bulk change would do. ``digest`` names exactly this and goes with the form."""

    lines: list[Line]
    refused: list[Refusal]
    unchanged: int
    digest: str


class NotAsShown(FieldProblem):
    """Something changed since the preview. Nothing was changed; look again."""

    def __init__(self) -> None:
        super().__init__("digest", _("Something changed since this list was made. Look again."))


# Each compares with what the preview showed, so that the count tells whether all were changed.
_PRICES = text(
    "UPDATE app.variants v SET price_cents = w.price, compare_at_cents = w.compare"
    " FROM jsonb_to_recordset(CAST(:wanted AS jsonb))"
    " AS w(id uuid, price bigint, compare bigint, was bigint, was_compare bigint)"
    " WHERE v.store_id = app.store_id() AND v.id = w.id AND v.price_cents = w.was"
    " AND v.compare_at_cents IS NOT DISTINCT FROM w.was_compare"
)
_MARKS = text(
    "UPDATE app.variants v SET low_mark = w.value"
    " FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w(id uuid, value integer, was integer)"
    " WHERE v.store_id = app.store_id() AND v.id = w.id AND v.low_mark = w.was"
)
_CATEGORIES = text(
    "UPDATE app.products p SET category_id = w.value, updated_at = now()"
    " FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w(id uuid, value uuid, was uuid)"
    " WHERE p.store_id = app.store_id() AND p.id = w.id"
    " AND p.category_id IS NOT DISTINCT FROM w.was"
)
_VAT_CLASSES = text(
    "UPDATE app.products p SET vat_class = w.value, updated_at = now()"
    " FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w(id uuid, value text, was text)"
    " WHERE p.store_id = app.store_id() AND p.id = w.id AND p.vat_class = w.was"
)
_STATUSES = text(
    "UPDATE app.products p SET status = w.value, updated_at = now()"
    " FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w(id uuid, value text, was text)"
    " WHERE p.store_id = app.store_id() AND p.id = w.id AND p.status = w.was"
)
_UPDATES = {
    "price": _PRICES,
    "low_mark": _MARKS,
    "category": _CATEGORIES,
    "vat_class": _VAT_CLASSES,
    "status": _STATUSES,
}


def preview(session: Session, product_ids: Sequence[UUID], change: BulkChange) -> Preview:
    """What would become of these products. Raises FieldProblem for a change that makes no sense."""
    wanted = _check(session, change)
    lines, refused, unchanged = [], [], 0
    for row in _rows(session, product_ids, change.field):
        after = _new_price(row, change) if change.field == "price" else wanted
        before = _before(row, change.field)
        name = f"{row.name}, {', '.join(row.option_values)}" if row.option_values else row.name
        if isinstance(after, str) and change.field == "price":
            refused.append(Refusal(name=name, why=after))
        elif after == before:
            unchanged += 1
        else:
            lines.append(Line(row.id, name, before, after))
    return Preview(lines=lines, refused=refused, unchanged=unchanged, digest=_digest(change, lines))


def apply_bulk(
    session: Session,
    product_ids: Sequence[UUID],
    change: BulkChange,
    *,
    actor: str,
    digest: str,
) -> Change | None:
    """Do what the preview of this digest showed, all of it. Does not commit.

    Returns what can be taken back; None when there was nothing to change. Raises NotAsShown with
    nothing changed.
    """
    shown = preview(session, product_ids, change)
    if shown.digest != digest:
        raise NotAsShown
    if not shown.lines:
        return None
    if not _write(session, change.field, [(x.id, x.before, x.after) for x in shown.lines]):
        raise NotAsShown
    touch_content(session)
    return remember(
        session,
        "goods",
        subject="bulk",
        actor=actor,
        before={"field": change.field, "values": {str(x.id): x.before for x in shown.lines}},
        after={"field": change.field, "values": {str(x.id): x.after for x in shown.lines}},
    )


@puts_back("goods")
def _put_back(session: Session, change: Change) -> None:
    before, after = change.before["values"], change.after["values"]
    moves = [(UUID(key), after[key], before[key]) for key in after]
    if not _write(session, change.after["field"], moves):
        raise ChangedSince
    touch_content(session)


def _write(session: Session, field: str, moves: Iterable[tuple[UUID, Any, Any]]) -> bool:
    """Change every row from what it was to what it shall be; False when one was not so any more."""
    rows = [_as_row(field, *move) for move in moves]
    if field == "status":
        # What was archived is a draft first: the database knows no shorter way.
        risen = [r for r in rows if (r["was"], r["value"]) == ("archived", "active")]
        if not _run(session, field, [r | {"value": "draft"} for r in risen]):
            return False
        rows = [r | {"was": "draft"} if r in risen else r for r in rows]
    return _run(session, field, rows)


def _run(session: Session, field: str, rows: list[dict[str, Any]]) -> bool:
    if not rows:
        return True
    done = session.execute(_UPDATES[field], {"wanted": json.dumps(rows)})
    session.expire_all()
    return bool(done.rowcount == len(rows))  # type: ignore[attr-defined]


def _as_row(field: str, row_id: UUID, was: Any, value: Any) -> dict[str, Any]:
    if field != "price":
        return {"id": str(row_id), "was": was, "value": value}
    return {
        "id": str(row_id),
        "was": was[0],
        "was_compare": was[1],
        "price": value[0],
        "compare": value[1],
    }


def _rows(session: Session, product_ids: Sequence[UUID], field: str) -> list[Row[Any]]:
    """What may change, each with its name, as the grid orders it."""
    if field in ("price", "low_mark"):
        of_variants = (
            select(
                Variant.id,
                Product.name,
                Variant.option_values,
                Variant.price_cents,
                Variant.compare_at_cents,
                Variant.low_mark,
            )
            .join(Variant.product)
            .where(Variant.store_id == bound_store(), Variant.product_id.in_(product_ids))
            .where(Variant.is_active)
            .order_by(Product.name, Product.id, Variant.position)
        )
        return list(session.execute(of_variants))
    of_products = (
        select(
            Product.id,
            Product.name,
            literal([], ARRAY(Text)).label("option_values"),
            Product.status,
            Product.category_id,
            Product.vat_class,
        )
        .where(Product.store_id == bound_store(), Product.id.in_(product_ids))
        .order_by(Product.name, Product.id)
    )
    return list(session.execute(of_products))


def _before(row: Row[Any], field: str) -> Any:
    if field == "price":
        return [row.price_cents, row.compare_at_cents]
    if field == "category":
        return str(row.category_id) if row.category_id else None
    return getattr(row, field)


def _new_price(row: Row[Any], change: BulkChange) -> list[int | None] | str:
    """The new price and crossed-out price in cents, or why there is none."""
    moved = row.price_cents + (change.cents or row.price_cents * change.percent // 100)
    price = round_price(moved, change.rounding)
    if price <= 0:
        return str(_("The price would be nothing."))
    if price > MAX_PRICE_CENTS:
        return str(_("The price would be too high."))
    keeps = row.compare_at_cents is not None and row.compare_at_cents > price
    return [price, row.compare_at_cents if keeps else None]


def round_price(cents: int, rounding: int) -> int:
    """A price in whole shillings: the nearest 1, 10 or 50, or the nearest that ends in 99."""
    if rounding == 99:
        hundreds = (cents + 100 + 5_000) // 10_000
        return max(hundreds, 1) * 10_000 - 100
    step = rounding * 100
    return (cents + step // 2) // step * step


def _check(session: Session, change: BulkChange) -> Any:
    """The value every row shall have, checked; None for a price. Raises FieldProblem."""
    if change.field == "price":
        return _check_price(change)
    if change.field == "category":
        return _check_category(session, change.value)
    if change.field == "low_mark":
        typed = change.value.strip()
        if not (typed.isascii() and typed.isdigit() and int(typed[:8]) <= MAX_STOCK):
            raise FieldProblem("value", _("A low mark is a number from 0 up."))
        return int(typed)
    choices = STATUSES if change.field == "status" else VAT_CLASSES
    if change.value not in choices:
        raise FieldProblem("value", _("Choose what it shall be."))
    return change.value


def _check_price(change: BulkChange) -> None:
    if change.rounding not in ROUNDINGS:
        raise FieldProblem("rounding", _("Choose how to round."))
    if not change.cents and not change.percent:
        raise FieldProblem("amount", _("Write by how much, like 10 or -5."))
    if not -100 < change.percent <= MAX_PERCENT:
        raise FieldProblem("amount", _("Percent is from -99 to 900."))
    if change.cents % 100 or abs(change.cents) > MAX_PRICE_CENTS:
        raise FieldProblem("amount", _("Write whole shillings, like 50 or -50."))


def _check_category(session: Session, value: str) -> str | None:
    if not value:
        return None
    try:
        category = session.get(Category, (bound_store(), UUID(value)))
    except ValueError:
        category = None
    if category is None:
        raise FieldProblem("value", _("Choose one of your categories."))
    return str(category.id)


def _digest(change: BulkChange, lines: Iterable[Line]) -> str:
    whole = json.dumps([change.field, *([str(x.id), x.before, x.after] for x in lines)])
    return hashlib.sha256(whole.encode()).hexdigest()
