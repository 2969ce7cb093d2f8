"""The audit log: append-only, chained by hashes that the database fills in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.db.tenancy import bound_store


class AuditEntry(Base):
    __tablename__ = "audit_log"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]
