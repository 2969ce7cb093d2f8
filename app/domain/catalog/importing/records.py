"""What is kept of an import: the file, how far it came, what it changed, and the report.

The file lies in parts in the database, where web and workers both reach it and no other
store can. It is kept for a month, so that refused rows can be downloaded as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.base import Base, StoreOwned
from app.db.tenancy import bound_store
from app.domain.catalog.importing.drafts import RefusedRow
from app.domain.errors import DomainError, NotFound
from app.i18n import gettext_lazy as _
from app.ids import new_id

PART_BYTES: Final = 512 * 1024


class ImportStatus(StrEnum):
    """How far an import is. Only the database says which moves are legal."""

    UPLOADED = "uploaded"  # here to be looked at; nothing in the store has changed
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # stopped for good; what came in by then stays in
    UNDOING = "undoing"
    UNDONE = "undone"


class UploadGone(DomainError):
    """The file of this import is not kept any more."""

    def __init__(self) -> None:
        super().__init__(_("That file is no longer here. Nothing was changed. Choose it again."))


class CatalogueImport(StoreOwned, Base):
    """One file that was sent in: where it stands and the report on its rows.

    ``position`` counts the products of the file that are through, of ``total``; while an
    import is taken back, the products that are put back.
    """

    __tablename__ = "catalogue_imports"

    filename: Mapped[str]
    format: Mapped[str] = mapped_column(default="")
    status: Mapped[ImportStatus] = mapped_column(default=ImportStatus.UPLOADED)
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    position: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict, deferred=True)
    problem: Mapped[str] = mapped_column(default="")
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    actor: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    begun_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str] = mapped_column(default="")

    @property
    def is_busy(self) -> bool:
        """Whether a worker has something left to do with it."""
        return self.status in (ImportStatus.RUNNING, ImportStatus.UNDOING)


class ImportPart(Base):
    """A piece of an uploaded file."""

    __tablename__ = "import_parts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "import_id"],
            ["app.catalogue_imports.store_id", "app.catalogue_imports.id"],
        ),
    )

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[bytes]


class ImportChange(StoreOwned, Base):
    """What an import did to one product: made it, or changed it from ``before`` to ``after``.

    ``outcome`` says what became of it when the import was taken back.
    """

    __tablename__ = "import_changes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "import_id"],
            ["app.catalogue_imports.store_id", "app.catalogue_imports.id"],
        ),
    )

    import_id: Mapped[UUID]
    product_id: Mapped[UUID]
    is_new: Mapped[bool]
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    outcome: Mapped[str | None]


class ImportPicture(StoreOwned, Base):
    """A picture the file named for a product, until it is here or is known not to come."""

    __tablename__ = "import_pictures"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "import_id"],
            ["app.catalogue_imports.store_id", "app.catalogue_imports.id"],
        ),
        ForeignKeyConstraint(
            ["store_id", "product_id"], ["app.products.store_id", "app.products.id"]
        ),
    )

    import_id: Mapped[UUID]
    product_id: Mapped[UUID]
    source: Mapped[str]  # an address, or the name of a file in the same ZIP
    option_value: Mapped[str | None]
    alt: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="waiting")  # waiting, done, refused
    sentence: Mapped[str] = mapped_column(default="")


def keep_upload(session: Session, filename: str, data: bytes, *, actor: str) -> CatalogueImport:
    """Keep a file to be looked at. Nothing in the shop changes. Does not commit."""
    kept = CatalogueImport(id=new_id(), filename=filename, bytes=len(data), actor=actor)
    session.add(kept)
    session.flush()
    for n, start in enumerate(range(0, len(data), PART_BYTES)):
        session.add(ImportPart(import_id=kept.id, n=n, body=data[start : start + PART_BYTES]))
        # One at a time: a large upload is not held twice.
        session.flush()
    return kept


def get_import(session: Session, import_id: UUID, *, lock: bool = False) -> CatalogueImport:
    """One import of this store; ``lock`` holds it until the transaction ends. Raises NotFound."""
    query = (
        select(CatalogueImport)
        .where(CatalogueImport.store_id == bound_store(), CatalogueImport.id == import_id)
        .execution_options(populate_existing=True)
    )
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound
    return found


def upload_of(session: Session, kept: CatalogueImport) -> bytes:
    """The file's bytes, as they were sent. Raises UploadGone."""
    data = b"".join(_parts(session, kept))
    if not data:
        raise UploadGone
    return data


def _parts(session: Session, kept: CatalogueImport) -> Iterator[bytes]:
    return iter(
        session.scalars(
            select(ImportPart.body)
            .where(ImportPart.store_id == bound_store(), ImportPart.import_id == kept.id)
            .order_by(ImportPart.n)
        )
    )


def past_imports(session: Session, *, limit: int = 10) -> list[CatalogueImport]:
    """The latest imports that were begun, newest first, without their reports."""
    return list(
        session.scalars(
            select(CatalogueImport)
            .where(
                CatalogueImport.store_id == bound_store(),
                CatalogueImport.status != ImportStatus.UPLOADED,
            )
            .order_by(CatalogueImport.at.desc())
            .limit(limit)
        )
    )


def sweep_uploads(session: Session) -> None:
    """Let go of files: looked at and left alone after a day, brought in after a month.

    With the file goes what is needed to take the import back; the report stays.
    """
    old = select(CatalogueImport.id).where(CatalogueImport.store_id == bound_store())
    session.execute(
        delete(CatalogueImport).where(
            CatalogueImport.store_id == bound_store(),
            CatalogueImport.status == ImportStatus.UPLOADED,
            CatalogueImport.at < func.now() - func.make_interval(0, 0, 0, 1),
        )
    )
    month_old = old.where(
        CatalogueImport.status.not_in([ImportStatus.RUNNING, ImportStatus.UNDOING]),
        CatalogueImport.at < func.now() - func.make_interval(0, 0, 0, 30),
    )
    for table in (ImportPart, ImportChange, ImportPicture):
        session.execute(
            delete(table).where(table.store_id == bound_store(), table.import_id.in_(month_old))
        )


def refused_facts(row: RefusedRow) -> dict[str, Any]:
    """A refused row as it is kept and downloaded."""
    return {
        "row": row.row,
        "column": row.column,
        "value": row.value[:200],
        "sentence": str(row.sentence),
        "reason": row.reason_code,
    }
