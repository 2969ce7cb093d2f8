"""One cell of the grid changed in place: one value of one product or of one way to buy it.

Price and stock have functions of their own in ``editing``; the others are alike.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.catalog.editing import (
    MAX_PRICE_CENTS,
    MAX_STOCK,
    ChangedMeanwhile,
    get_variant_to_edit,
)
from app.domain.catalog.models import Category, Product, Variant
from app.domain.catalog.saving import STATUSES, get_product_to_edit, set_status
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem
from app.i18n import gettext_lazy as _

VARIANT_CELLS = ("compare_at_cents", "cost_cents", "low_mark")
PRODUCT_CELLS = ("name", "status", "category_id")


def change_variant_cell(
    session: Session,
    variant: Variant,
    cell: str,
    value: int | None,
    *,
    actor: str,
    seen: int | None,
) -> Change | None:
    """Set a crossed-out price or a cost (cents, None for none), or a low mark (units).

    ``seen`` is what the person saw there. Returns what can be taken back, None when nothing
    changed. Raises ChangedMeanwhile and FieldProblem.
    """
    _check_variant_cell(variant, cell, value)
    before = getattr(variant, cell)
    if seen != before:
        raise ChangedMeanwhile(cell, _("Somebody changed it meanwhile. Nothing was changed."))
    setattr(variant, cell, value)
    session.flush()
    touch_content(session)
    return remember(
        session,
        "variant",
        subject=f"variant:{variant.id}",
        actor=actor,
        before={cell: before},
        after={cell: value},
    )


def change_product_cell(
    session: Session, product: Product, cell: str, value: str, *, actor: str, seen: str
) -> Change | None:
    """Set a name, a status, or a category (its id, or nothing). The rest as for a variant."""
    _check_product_cell(session, cell, value)
    before = _read(product, cell)
    if seen != before:
        raise ChangedMeanwhile(cell, _("Somebody changed it meanwhile. Nothing was changed."))
    _write(session, product, cell, value)
    return remember(
        session,
        "product_cell",
        subject=f"product:{product.id}",
        actor=actor,
        before={cell: before},
        after={cell: value},
    )


@puts_back("variant")
def _put_variant_back(session: Session, change: Change) -> None:
    variant = get_variant_to_edit(session, UUID(change.subject.removeprefix("variant:")))
    for cell, value in change.before.items():
        if getattr(variant, cell) != change.after[cell]:
            raise ChangedSince
        _check_variant_cell(variant, cell, value)
        setattr(variant, cell, value)
    session.flush()
    touch_content(session)


@puts_back("product_cell")
def _put_product_back(session: Session, change: Change) -> None:
    product = get_product_to_edit(session, UUID(change.subject.removeprefix("product:")))
    for cell, value in change.before.items():
        if _read(product, cell) != change.after[cell]:
            raise ChangedSince
        _write(session, product, cell, value)


def _check_variant_cell(variant: Variant, cell: str, value: int | None) -> None:
    if cell not in VARIANT_CELLS:
        raise ValueError(cell)
    if cell == "low_mark" and (value is None or not 0 <= value <= MAX_STOCK):
        raise FieldProblem(cell, _("A number from 0 up."))
    if cell == "cost_cents" and value is not None and not 0 <= value <= MAX_PRICE_CENTS:
        raise FieldProblem(cell, _("Write what one costs you, like 800."))
    if (
        cell == "compare_at_cents"
        and value is not None
        and not variant.price_cents < value <= MAX_PRICE_CENTS
    ):
        raise FieldProblem(cell, _("The crossed-out price is above the price, or empty."))


def _check_product_cell(session: Session, cell: str, value: str) -> None:
    if cell not in PRODUCT_CELLS:
        raise ValueError(cell)
    if cell == "name" and not 1 <= len(value) <= 200:
        raise FieldProblem(cell, _("Give it a name of up to 200 letters."))
    if cell == "status" and value not in STATUSES:
        raise FieldProblem(cell, _("Choose draft, shown or archived."))
    if cell == "category_id" and value and not _is_category(session, value):
        raise FieldProblem(cell, _("Choose one of your categories."))


def _is_category(session: Session, value: str) -> bool:
    try:
        return session.get(Category, (bound_store(), UUID(value))) is not None
    except ValueError:
        return False


def _read(product: Product, cell: str) -> str:
    found: Any = getattr(product, cell)
    return str(found) if found else ""


def _write(session: Session, product: Product, cell: str, value: str) -> None:
    if cell == "status":
        set_status(session, product, value)
    elif cell == "category_id":
        product.category_id = UUID(value) if value else None
    else:
        product.name = value
    session.flush()
    touch_content(session)
