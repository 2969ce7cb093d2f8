"""What the people who run Dukani do to stores: closing one, and looking at one as its owner would."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.clock import utcnow
from app.db.base import Base, StoreOwned


class Suspension(StoreOwned, Base):
    """A time in which the platform keeps a store closed, with the reason its staff are told."""

    __tablename__ = "suspensions"

    reason: Mapped[str]
    from_status: Mapped[str]  # what the store goes back to
    suspended_by: Mapped[str]
    suspended_at: Mapped[datetime] = mapped_column(server_default=func.now())
    restored_by: Mapped[str | None]
    restored_at: Mapped[datetime | None]


class Impersonation(StoreOwned, Base):
    """Somebody of the platform inside a store. It reads; it writes only until ``writes_until``."""

    __tablename__ = "impersonations"

    person_id: Mapped[UUID]
    person_name: Mapped[str]
    session_hash: Mapped[bytes]
    reason: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    write_reason: Mapped[str | None]
    writes_until: Mapped[datetime | None]

    @property
    def may_write(self) -> bool:
        """Whether changes are allowed at this moment."""
        return self.writes_until is not None and utcnow() < self.writes_until


class Program(Base):
    """A running program and the database role that Postgres says it has."""

    __tablename__ = "programs"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    is_unbound: Mapped[bool] = mapped_column(default=False)  # could look past a store: never
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
