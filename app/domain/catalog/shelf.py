"""Questions about what is on the shelf, and whether the books agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.db.tenancy import bound_store
from app.domain.catalog.models import Category, Product, Serial, StockMovement, Variant
from app.domain.stores.models import Counter

REASONS_OF_STAFF = ("received", "count", "damage", "return", "transfer")
MOVEMENTS_SHOWN = 100
COUNTED_AT_ONCE = 300
_COUNTED_BREAKS = "stock_breaks"  # the name of its counter


@dataclass(frozen=True, slots=True)
class StockBreak:
    """A variant whose stock is not the sum of its movements."""

    variant_id: UUID
    on_hand: int
    moved: int


_BREAKS = text(
    "SELECT v.id, v.on_hand, coalesce(m.moved, 0)::bigint AS moved FROM app.variants v"
    " LEFT JOIN (SELECT variant_id, sum(quantity) AS moved FROM app.stock_movements"
    "   WHERE store_id = app.store_id() GROUP BY variant_id) m ON m.variant_id = v.id"
    " WHERE v.store_id = app.store_id() AND v.on_hand <> coalesce(m.moved, 0) ORDER BY v.id"
)


def stock_breaks(session: Session) -> list[StockBreak]:
    """Every variant whose stock differs from the sum of its movements. Empty when all is well."""
    return [StockBreak(row.id, row.on_hand, row.moved) for row in session.execute(_BREAKS)]


def keep_breaks(session: Session) -> int:
    """Add up every movement there ever was, keep how many variants differ, and return that number.

    Once a night: it takes the longer, the more was ever sold. Does not commit.
    """
    found = len(stock_breaks(session))
    session.execute(
        insert(Counter)
        .values(name=_COUNTED_BREAKS, value=found)
        .on_conflict_do_update(index_elements=["store_id", "name"], set_={"value": found})
    )
    return found


def breaks_last_night(session: Session) -> int:
    """How many variants differed from their movements last night; of a new shop, now."""
    known = session.scalar(
        select(Counter.value).where(
            Counter.store_id == bound_store(), Counter.name == _COUNTED_BREAKS
        )
    )
    return len(stock_breaks(session)) if known is None else known


def movements_of(session: Session, variant_id: UUID) -> Sequence[StockMovement]:
    """The newest movements of a variant first, at most a hundred."""
    return session.scalars(
        select(StockMovement)
        .where(StockMovement.store_id == bound_store(), StockMovement.variant_id == variant_id)
        .order_by(StockMovement.at.desc(), StockMovement.id.desc())
        .limit(MOVEMENTS_SHOWN)
    ).all()


def low_stock(session: Session, *, limit: int = 200) -> Sequence[Variant]:
    """Variants on sale at or below their low mark, those with least left first."""
    left = Variant.on_hand - Variant.reserved
    return session.scalars(
        select(Variant)
        .join(Variant.product)
        .where(Variant.store_id == bound_store(), Product.status == "active", Variant.is_active)
        .where(left <= Variant.low_mark)
        .order_by(left, Product.name, Variant.position)
        .options(contains_eager(Variant.product))
        .limit(limit)
    ).all()


def to_count(session: Session, category_slug: str) -> Sequence[Variant]:
    """What stands on one category's shelf (or on no category's, for an empty slug), by name."""
    query = (
        select(Variant)
        .join(Variant.product)
        .outerjoin(
            Category,
            (Category.store_id == Product.store_id) & (Category.id == Product.category_id),
        )
        .where(Variant.store_id == bound_store(), Variant.is_active, Product.status != "archived")
        .where(Category.slug == category_slug if category_slug else Product.category_id.is_(None))
    )
    return session.scalars(
        query.order_by(func.lower(Product.name), Product.id, Variant.position)
        .options(contains_eager(Variant.product))
        .limit(COUNTED_AT_ONCE)
    ).all()


def get_variant_on_shelf(session: Session, variant_id: UUID) -> Variant | None:
    """A variant with its product and photos, or None."""
    return session.scalar(
        select(Variant)
        .where(Variant.store_id == bound_store(), Variant.id == variant_id)
        .options(joinedload(Variant.product))
    )


def serials_of(session: Session, variant_id: UUID) -> Sequence[Serial]:
    """The numbered units of a variant, those on the shelf first, then the newest."""
    return session.scalars(
        select(Serial)
        .where(Serial.store_id == bound_store(), Serial.variant_id == variant_id)
        .order_by(Serial.status != "in_stock", Serial.received_at.desc(), Serial.serial)
        .limit(500)
    ).all()
