"""An import as a piece of work: begun by a person, carried on by a worker, resumed after a crash.

Each chunk of products is one short transaction, together with the place in the file where the
next one begins and with what it changed. Whoever is killed in between leaves nothing half-done,
and whoever comes next goes on from there, so that nothing comes in twice.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.importing.applying import (
    COUNTED,
    AppliedReport,
    apply_catalogue,
    audit_import,
)
from app.domain.catalog.importing.catalogue import read_catalogue
from app.domain.catalog.importing.drafts import CatalogueFile
from app.domain.catalog.importing.images import facts_of
from app.domain.catalog.importing.records import (
    CatalogueImport,
    ImportChange,
    ImportPicture,
    ImportStatus,
    get_import,
    refused_facts,
    upload_of,
)
from app.domain.errors import DomainError
from app.i18n import current_locale
from app.i18n import gettext as _
from app.ids import new_id
from app.jobs import Topic, ask_for

# Products of the first chunk of a link. The next are as many as come in within CHUNK_SECONDS: short
# enough that no checkout waits long for the rows a chunk has locked, and few enough chunks, since
# with each of them the shop's pages are made anew.
CHUNK: Final = 100
MOST_OF_A_CHUNK: Final = 600
CHUNK_SECONDS: Final = 1.0
LINK_SECONDS: Final = 10.0
# Products that come in while the person waits for the answer to their tap.
AT_ONCE: Final = 100


class AlreadyBegun(DomainError):
    """Somebody pressed the button before."""

    def __init__(self) -> None:
        super().__init__(_("This file is being brought in already, or was."))


def begin_import(
    session: Session,
    import_id: UUID,
    *,
    mapping: dict[str, str] | None,
    uncounted_stock: int = 0,
    actor: str,
) -> CatalogueImport:
    """Decide that an uploaded file comes in, and ask a worker for it. Does not commit.

    ``mapping`` is field → column. ``uncounted_stock`` is how many units a new variant gets where
    the file gives none. Raises NotFound, AlreadyBegun, UploadGone and ImportFileRefused.
    """
    kept = get_import(session, import_id, lock=True)
    if kept.status is not ImportStatus.UPLOADED:
        raise AlreadyBegun
    file = read_catalogue(upload_of(session, kept), kept.filename, mapping)
    kept.mapping = dict(mapping or {})
    kept.total = len(file.drafts)
    kept.format = file.report.format.value
    kept.actor = actor
    kept.report = _report_of(file) | {"uncounted_stock": uncounted_stock}
    kept.status = ImportStatus.RUNNING
    kept.begun_at = func.clock_timestamp()
    session.flush()
    _ask_to_go_on(session, kept)
    return kept


def go_on(
    session: Session,
    import_id: UUID,
    *,
    seconds: float = LINK_SECONDS,
    rest: Callable[[float], object] | None = None,
) -> bool:
    """Bring in the next products of an import for about ``seconds``; True while some are left.

    Commits after each chunk, on purpose: an import may be thousands of products, and pages and
    checkouts need the same rows. ``rest`` is called between two chunks with the seconds that the
    last one took. What is left is asked for as a job of its own. Safe to call twice, also at once.
    """
    kept = get_import(session, import_id)
    if kept.status is not ImportStatus.RUNNING:
        session.commit()
        return False
    try:
        file = read_catalogue(upload_of(session, kept), kept.filename, dict(kept.mapping) or None)
    except DomainError as gone:
        _stop(session, import_id, str(gone))
        return False
    session.commit()
    end = monotonic() + seconds
    size = CHUNK
    while True:
        begun = monotonic()
        status = _bring_in_chunk(session, import_id, file, size)
        took = monotonic() - begun
        if status is not ImportStatus.RUNNING:
            return False
        if monotonic() > end:
            kept = get_import(session, import_id, lock=True)
            _ask_to_go_on(session, kept)
            session.commit()
            return True
        size = _next_size(size, took)
        if rest is not None:
            rest(took)


def _next_size(size: int, took: float) -> int:
    """How many products to bring in next, when so many took so many seconds."""
    as_fast = int(size * CHUNK_SECONDS / max(took, 0.001))
    return min(MOST_OF_A_CHUNK, max(10, as_fast, size // 2))


def _bring_in_chunk(
    session: Session, import_id: UUID, file: CatalogueFile, size: int
) -> ImportStatus:
    """One transaction: at most ``size`` products, what they were, and where the next chunk begins."""
    kept = get_import(session, import_id, lock=True)
    if kept.status is ImportStatus.RUNNING:
        if kept.position < len(file.drafts):
            done = apply_catalogue(
                session,
                file,
                actor=kept.actor,
                uncounted_stock=int(kept.report.get("uncounted_stock", 0)),
                start=kept.position,
                limit=size,
                is_part=True,
            )
            _keep_changes(session, kept, done)
            kept.counts = _added(kept.counts, done)
            kept.position = done.next_start or len(file.drafts)
            if done.refused:
                refused = [*kept.report["refused"], *(refused_facts(row) for row in done.refused)]
                kept.report = kept.report | {"refused": refused}
        if kept.position >= len(file.drafts):
            _finish(session, kept, file)
    status = ImportStatus(kept.status)
    session.commit()
    return status


def _keep_changes(session: Session, kept: CatalogueImport, done: AppliedReport) -> None:
    known = _changed_before(session, kept, done)
    rows: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    for change in done.changes:
        product, before = change.product, change.before
        after = {} if before is None else facts_of(product)
        if before != after and product.id not in known:
            rows.append(
                {
                    "store_id": kept.store_id,
                    "id": new_id(),
                    "import_id": kept.id,
                    "product_id": product.id,
                    "is_new": before is None,
                    "before": before or {},
                    "after": after,
                }
            )
        pictures += [
            {
                "store_id": kept.store_id,
                "id": new_id(),
                "import_id": kept.id,
                "product_id": product.id,
                "source": picture.source,
                "option_value": picture.option_value,
                "alt": picture.alt,
            }
            for picture in change.pictures
        ]
    if rows:
        session.execute(insert(ImportChange), rows)
    if pictures:
        session.execute(insert(ImportPicture), pictures)


def _changed_before(session: Session, kept: CatalogueImport, done: AppliedReport) -> set[UUID]:
    """Products of this part that an earlier part of the same file has changed already."""
    if not kept.position or not done.changes:
        return set()
    return set(
        session.scalars(
            select(ImportChange.product_id).where(
                ImportChange.store_id == bound_store(),
                ImportChange.import_id == kept.id,
                ImportChange.product_id.in_([change.product.id for change in done.changes]),
            )
        )
    )


def _added(counts: dict[str, Any], done: AppliedReport) -> dict[str, Any]:
    return {name: counts.get(name, 0) + getattr(done, name) for name in COUNTED}


def _finish(session: Session, kept: CatalogueImport, file: CatalogueFile) -> None:
    kept.status = ImportStatus.DONE
    kept.finished_at = func.clock_timestamp()
    counts = {name: int(kept.counts.get(name, 0)) for name in COUNTED}
    kept.counts = counts
    if waiting_pictures(session, kept.id):
        ask_for(
            session,
            Topic.FETCH_IMPORT_PICTURES,
            key=f"{kept.id}:pictures",
            import_id=str(kept.id),
            language=current_locale(),
        )
    audit_import(session, counts, file, kept.actor)


def waiting_pictures(session: Session, import_id: UUID) -> int:
    """How many pictures of an import are still to come."""
    query = (
        select(func.count())
        .select_from(ImportPicture)
        .where(
            ImportPicture.store_id == bound_store(),
            ImportPicture.import_id == import_id,
            ImportPicture.status == "waiting",
        )
    )
    return session.scalar(query) or 0


def _stop(session: Session, import_id: UUID, why: str) -> None:
    session.rollback()
    kept = get_import(session, import_id, lock=True)
    if kept.status is ImportStatus.RUNNING:
        kept.status, kept.problem = ImportStatus.FAILED, why
        kept.finished_at = func.clock_timestamp()
    session.commit()


def _ask_to_go_on(session: Session, kept: CatalogueImport) -> None:
    ask_for(
        session,
        Topic.GO_ON_WITH_IMPORT,
        # The place in the file and a new id: a link that was killed late must not block the next.
        key=f"{kept.id}:{kept.position}:{new_id()}",
        import_id=str(kept.id),
        language=current_locale(),  # the report speaks as whoever began it
    )


def _report_of(file: CatalogueFile) -> dict[str, Any]:
    read = file.report
    return {
        "rows_read": read.rows_read,
        "products": read.products,
        "variants": read.variants,
        "repeated": len(read.repeated),
        "refused": [refused_facts(row) for row in read.refused],
        "notes": [{"sentence": str(note.sentence), "row": note.row} for note in read.notes],
        "mapping": dict(read.mapping),
    }
