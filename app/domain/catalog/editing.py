"""Changing what goods cost and how many there are, with who and what before on the audit trail."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import receive_stock, touch_content
from app.domain.catalog.models import Variant
from app.domain.errors import FieldProblem, NotFound
from app.i18n import gettext_lazy as _
from app.money import format_kes

MAX_STOCK = 1_000_000
MAX_PRICE_CENTS = 100_000_000_00  # the database keeps no higher one


class ChangedMeanwhile(FieldProblem):
    """Somebody else set another value while this one was being typed. Nothing was changed."""


def get_variant_to_edit(session: Session, variant_id: UUID) -> Variant:
    """A variant with its product, locked until the transaction ends. Raises NotFound."""
    variant = session.scalar(
        select(Variant)
        .where(Variant.store_id == bound_store(), Variant.id == variant_id)
        .options(joinedload(Variant.product))
        .with_for_update(of=Variant)
        .execution_options(populate_existing=True)
    )
    if variant is None:
        raise NotFound
    return variant


def change_price(
    session: Session,
    variant: Variant,
    price_cents: int,
    *,
    actor: str,
    seen_cents: int | None = None,
) -> bool:
    """Set a price, in cents of whole shillings. Returns whether it is another one than before.

    ``seen_cents`` is the price the person saw: ChangedMeanwhile when it is no longer the
    price. A price above the crossed-out one removes that. Raises FieldProblem.
    """
    if price_cents % 100 or not 0 < price_cents <= MAX_PRICE_CENTS:
        raise FieldProblem("price", _("A price is whole shillings, like 1,250."))
    if price_cents < (variant.floor_cents or 0):
        floor = format_kes(variant.floor_cents or 0)
        raise FieldProblem("price", _("Its lowest price is %(amount)s.", amount=floor))
    before = variant.price_cents
    if seen_cents is not None and seen_cents != before:
        raise ChangedMeanwhile(
            "price",
            _("Somebody set %(now)s meanwhile. Nothing was changed.", now=format_kes(before)),
        )
    if before == price_cents:
        return False
    variant.price_cents = price_cents
    if variant.compare_at_cents is not None and variant.compare_at_cents <= price_cents:
        variant.compare_at_cents = None
    touch_content(session)
    record(
        session,
        "price.changed",
        actor=actor,
        subject=f"variant:{variant.id}",
        name=_full_name(variant),
        before=before,
        after=price_cents,
    )
    return True


def set_stock(session: Session, variant: Variant, on_hand: int, *, actor: str) -> bool:
    """Say how many units were counted on the shelf. Returns whether that changed anything.

    Units held for orders that are being paid stay held. Raises FieldProblem when fewer were
    counted than are held.
    """
    if not 0 <= on_hand <= MAX_STOCK:
        raise FieldProblem("stock", _("Stock is a number from 0 to 1,000,000."))
    if on_hand < variant.reserved:
        raise FieldProblem(
            "stock", _("Not saved. %(n)s are held by orders being paid.", n=variant.reserved)
        )
    before = variant.on_hand
    if before == on_hand:
        return False
    receive_stock(session, variant, on_hand - before, "count", actor=actor)
    record(
        session,
        "stock.counted",
        actor=actor,
        subject=f"variant:{variant.id}",
        name=_full_name(variant),
        before=before,
        after=on_hand,
    )
    return True


def _full_name(variant: Variant) -> str:
    name = variant.product.name
    return f"{name}, {variant.option_text}" if variant.option_text else name
