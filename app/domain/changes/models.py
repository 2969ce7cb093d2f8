"""One thing a person changed, as it was and as they left it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned


class Change(StoreOwned, Base):
    """``before`` and ``after`` hold whatever the kind needs to put things back."""

    __tablename__ = "changes"

    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    actor: Mapped[str]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    taken_back_at: Mapped[datetime | None]
    taken_back_by: Mapped[str | None]
