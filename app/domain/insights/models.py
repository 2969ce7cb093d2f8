"""A nudge: one change we suggest to the owner, with the numbers that speak for it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.domain.errors import IllegalTransition


class NudgeStatus(StrEnum):
    OFFERED = "offered"
    APPLIED = "applied"
    DISMISSED = "dismissed"  # the owner said "not now"
    UNDONE = "undone"
    STALE = "stale"  # the numbers or the fee moved on before anybody decided


S = NudgeStatus
NEXT: dict[NudgeStatus, frozenset[NudgeStatus]] = {
    S.OFFERED: frozenset({S.APPLIED, S.DISMISSED, S.STALE}),
    S.APPLIED: frozenset({S.UNDONE}),
    S.DISMISSED: frozenset(),
    S.UNDONE: frozenset(),
    S.STALE: frozenset(),
}


class Nudge(StoreOwned, Base):
    __tablename__ = "nudges"

    kind: Mapped[str]
    area: Mapped[str]  # slug in the product's area list
    status: Mapped[NudgeStatus] = mapped_column(default=NudgeStatus.OFFERED)
    from_fee_cents: Mapped[int] = mapped_column(BigInteger)
    to_fee_cents: Mapped[int] = mapped_column(BigInteger)
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)  # NudgeIdea.evidence()
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    applied_at: Mapped[datetime | None]
    applied_by: Mapped[str | None]
    undone_at: Mapped[datetime | None]

    def move_to(self, status: NudgeStatus) -> None:
        """The only way a status changes in Python. Raises IllegalTransition."""
        if status not in NEXT[NudgeStatus(self.status)]:
            raise IllegalTransition("nudge", self.status, status)
        self.status = status
