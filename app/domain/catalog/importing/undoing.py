"""Taking a whole import back: what it made goes, what it changed is as it was before.

Nothing that has a history is deleted. Goods with stock movements or orders are archived, and the
units the import brought leave by a movement of their own. What somebody changed since then is
theirs and stays.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import touch_content
from app.domain.catalog.importing.applying import UNDONE
from app.domain.catalog.importing.drafts import DraftStatus
from app.domain.catalog.importing.images import columns_of, facts_of, value_of
from app.domain.catalog.importing.records import (
    CatalogueImport,
    ImportChange,
    ImportPicture,
    ImportStatus,
    get_import,
)
from app.domain.catalog.models import Product, Serial, StockMovement, Variant
from app.domain.errors import DomainError
from app.domain.orders.models import OrderLine, Reservation
from app.i18n import gettext as _
from app.ids import new_id
from app.jobs import Topic, ask_for

CHUNK: Final = 50
LINK_SECONDS: Final = 10.0


class CannotTakeBack(DomainError):
    """This import cannot be taken back now."""

    def __init__(self) -> None:
        super().__init__(_("Only an import that has ended can be taken back, for a month, once."))


def can_take_back(session: Session, kept: CatalogueImport) -> bool:
    """Whether there is anything that taking this import back would do."""
    if kept.status not in (ImportStatus.DONE, ImportStatus.FAILED):
        return False
    return bool(session.scalar(select(exists().where(*_of(kept.id)))))


def begin_to_take_back(session: Session, import_id: UUID, *, actor: str) -> CatalogueImport:
    """Decide that an import is taken back, and ask a worker for it. Does not commit.

    A second call changes nothing. Raises NotFound and CannotTakeBack.
    """
    kept = get_import(session, import_id, lock=True)
    if kept.status in (ImportStatus.UNDOING, ImportStatus.UNDONE):
        return kept
    if not can_take_back(session, kept):
        raise CannotTakeBack
    kept.status = ImportStatus.UNDOING
    kept.undone_by = actor
    kept.position = 0
    kept.total = session.scalar(select(func.count()).where(*_of(kept.id))) or 0
    # Pictures that are still on their way have nowhere to go.
    session.execute(
        update(ImportPicture)
        .where(
            ImportPicture.store_id == bound_store(),
            ImportPicture.import_id == kept.id,
            ImportPicture.status == "waiting",
        )
        .values(status="refused", sentence=_("The import was taken back."))
    )
    _ask_to_go_on(session, kept)
    return kept


def go_on_taking_back(session: Session, import_id: UUID, *, seconds: float = LINK_SECONDS) -> bool:
    """Put back the next products for about ``seconds``; True while some are left.

    Commits after each chunk, as the import did. Safe to call twice, also at once.
    """
    end = monotonic() + seconds
    while True:
        kept = get_import(session, import_id, lock=True)
        if kept.status is not ImportStatus.UNDOING:
            session.commit()
            return False
        changes = session.scalars(
            select(ImportChange)
            .where(*_of(kept.id), ImportChange.outcome.is_(None))
            # The latest first, as one would by hand.
            .order_by(ImportChange.id.desc())
            .limit(CHUNK)
        ).all()
        products = _products(session, [change.product_id for change in changes])
        for change in changes:
            change.outcome = _put_back(session, change, products, actor=kept.undone_by)
        kept.position += len(changes)
        if not changes:
            _finish(session, kept)
            session.commit()
            return False
        touch_content(session)
        if monotonic() > end:
            _ask_to_go_on(session, kept)
            session.commit()
            return True
        session.commit()


def outcomes(session: Session, import_id: UUID) -> dict[str, int]:
    """How many products were deleted, archived, restored … when the import was taken back."""
    rows = session.execute(
        select(ImportChange.outcome, func.count())
        .where(*_of(import_id), ImportChange.outcome.is_not(None))
        .group_by(ImportChange.outcome)
    )
    return {str(outcome): int(count) for outcome, count in rows}


def _of(import_id: UUID) -> tuple[Any, ...]:
    return (ImportChange.store_id == bound_store(), ImportChange.import_id == import_id)


def _products(session: Session, ids: list[UUID]) -> dict[UUID, Product]:
    """The products, locked in the order of their ids, as every other writer takes them."""
    found = session.scalars(
        select(Product)
        .where(Product.store_id == bound_store(), Product.id.in_(ids))
        .options(selectinload(Product.variants))
        .order_by(Product.id)
        .with_for_update(of=Product)
        .execution_options(populate_existing=True)
    )
    return {product.id: product for product in found}


def _put_back(
    session: Session, change: ImportChange, products: dict[UUID, Product], *, actor: str
) -> str:
    product = products.get(change.product_id)
    if product is None:
        return "gone"
    try:
        with session.begin_nested():
            outcome = (
                _unmake(session, product, actor)
                if change.is_new
                else _restore(session, product, change, actor)
            )
            session.flush()
    except IntegrityError:
        # A SKU or an address that somebody else has taken meanwhile.
        session.refresh(product)
        return "partly"
    return outcome


def _unmake(session: Session, product: Product, actor: str) -> str:
    ids = [variant.id for variant in product.variants]
    if not _has_history(session, ids):
        session.delete(product)
        return "deleted"
    for variant in product.variants:
        _take_units_out(session, variant, actor)
    key = product.source_key or f"dukani:{product.slug}"
    product.source_key = f"{UNDONE}{key.removeprefix(UNDONE)}"
    if product.status != DraftStatus.ARCHIVED:
        product.status = DraftStatus.ARCHIVED.value
    return "archived"


def _restore(session: Session, product: Product, change: ImportChange, actor: str) -> str:
    """Put each fact back that the import changed and that still stands as it left it."""
    is_whole = True
    now = facts_of(product)
    before, after = dict(change.before), dict(change.after)
    variants_before, variants_after = before.pop("variants", {}), after.pop("variants", {})
    is_whole &= _restore_row(session, product, before, after, now)
    for variant in list(product.variants):
        key = str(variant.id)
        if key in variants_before:
            is_whole &= _restore_row(
                session,
                variant,
                variants_before[key],
                variants_after.get(key, {}),
                now["variants"][key],
            )
        elif key in variants_after:
            _unmake_variant(session, product, variant, actor)
    return "restored" if is_whole else "partly"


def _restore_row(
    session: Session,
    row: Product | Variant,
    before: dict[str, Any],
    after: dict[str, Any],
    now: dict[str, Any],
) -> bool:
    is_whole = True
    for name in columns_of(type(row)):
        if name not in before or before[name] == after.get(name):
            continue
        if now[name] != after.get(name):
            is_whole = False
        elif name == "status":
            _restore_status(session, row, before[name])
        else:
            setattr(row, name, value_of(type(row), name, before[name]))
    return is_whole


def _restore_status(session: Session, row: Product | Variant, wanted: str) -> None:
    """Archived goods come back on sale by way of a draft: the database knows no other way."""
    assert isinstance(row, Product)
    if row.status == DraftStatus.ARCHIVED and wanted == DraftStatus.ACTIVE:
        row.status = DraftStatus.DRAFT.value
        session.flush()
    row.status = wanted


def _unmake_variant(session: Session, product: Product, variant: Variant, actor: str) -> None:
    if _has_history(session, [variant.id]):
        _take_units_out(session, variant, actor)
        variant.is_active = False
    else:
        product.variants.remove(variant)


def _has_history(session: Session, variant_ids: list[UUID]) -> bool:
    """Whether stock ever moved or anybody ever ordered one of these."""
    return any(
        session.scalar(
            select(
                exists().where(
                    model.store_id == bound_store(),
                    model.variant_id.in_(variant_ids),
                )
            )
        )
        for model in (StockMovement, OrderLine, Reservation, Serial)
    )


def _take_units_out(session: Session, variant: Variant, actor: str) -> None:
    """Take out what imports brought in and is still free, by a movement that says why."""
    brought = session.scalar(
        select(func.coalesce(func.sum(StockMovement.quantity), 0)).where(
            StockMovement.store_id == bound_store(),
            StockMovement.variant_id == variant.id,
            StockMovement.reason == "import",
        )
    )
    units = min(int(brought or 0), variant.on_hand - variant.reserved)
    if units <= 0:
        return
    session.execute(
        update(Variant)
        .where(Variant.store_id == variant.store_id, Variant.id == variant.id)
        .values(on_hand=Variant.on_hand - units)
        .execution_options(synchronize_session=False)
    )
    session.add(
        StockMovement(
            id=new_id(),
            variant_id=variant.id,
            quantity=-units,
            reason="import",
            actor=actor,
            note=_("The import was taken back"),
        )
    )


def _finish(session: Session, kept: CatalogueImport) -> None:
    kept.status = ImportStatus.UNDONE
    kept.undone_at = func.clock_timestamp()
    touch_content(session)
    record(
        session,
        "catalogue.import_taken_back",
        actor=kept.undone_by,
        subject=f"store:{bound_store()}",
        file=kept.filename,
        **outcomes(session, kept.id),
    )


def _ask_to_go_on(session: Session, kept: CatalogueImport) -> None:
    ask_for(
        session,
        Topic.TAKE_IMPORT_BACK,
        key=f"{kept.id}:{kept.position}:{new_id()}",
        import_id=str(kept.id),
    )
