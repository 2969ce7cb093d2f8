"""A full export: asked for, made by a worker, kept for a week to be downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.base import Base, StoreOwned
from app.db.tenancy import bound_store
from app.domain.errors import NotFound

PART_BYTES: Final = 512 * 1024


class Export(StoreOwned, Base):
    """One export of everything a store owns."""

    __tablename__ = "exports"

    status: Mapped[str] = mapped_column(default="waiting")  # waiting, done, failed
    with_phones: Mapped[bool] = mapped_column(default=False)
    with_pictures: Mapped[bool] = mapped_column(default=True)
    actor: Mapped[str]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    problem: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class ExportPart(Base):
    """A piece of the finished ZIP."""

    __tablename__ = "export_parts"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "export_id"], ["app.exports.store_id", "app.exports.id"]),
    )

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    export_id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[bytes]


def get_export(session: Session, export_id: UUID, *, lock: bool = False) -> Export:
    """One export of this store. Raises NotFound."""
    query = (
        select(Export)
        .where(Export.store_id == bound_store(), Export.id == export_id)
        .execution_options(populate_existing=True)
    )
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound
    return found


def past_exports(session: Session, *, limit: int = 5) -> list[Export]:
    """The latest exports, newest first."""
    return list(
        session.scalars(
            select(Export)
            .where(Export.store_id == bound_store())
            .order_by(Export.at.desc())
            .limit(limit)
        )
    )


def part_of(session: Session, export_id: UUID, n: int) -> bytes | None:
    """The nth piece of a finished export, or None after the last."""
    return session.scalar(
        select(ExportPart.body).where(
            ExportPart.store_id == bound_store(),
            ExportPart.export_id == export_id,
            ExportPart.n == n,
        )
    )


def pieces_of(session: Session, export_id: UUID) -> Iterator[bytes]:
    """The finished ZIP, a piece in memory at a time."""
    n = 0
    while (body := part_of(session, export_id, n)) is not None:
        yield body
        n += 1


def sweep_exports(session: Session) -> None:
    """Let go of exports a week old: they hold the whole shop."""
    session.execute(
        delete(Export).where(
            Export.store_id == bound_store(),
            Export.at < func.now() - func.make_interval(0, 0, 0, 7),
        )
    )
