"""What a customer has in points, and how they came and went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.loyalty.models import PointMove
from app.i18n import gettext as _
from app.i18n import gettext_noop

SENTENCES: dict[str, str] = {
    "earned": gettext_noop("Order %(code)s delivered"),
    "spent": gettext_noop("Used for order %(code)s"),
    "given_back": gettext_noop("Given back, order %(code)s was not bought"),
}

# The newest moves, and with each the sum of all: one question.
_PURSE = text(
    "SELECT m.points, m.reason, m.at, o.code, sum(m.points) OVER () AS balance"
    " FROM app.point_moves m LEFT JOIN app.orders o ON o.store_id = m.store_id AND o.id = m.order_id"
    " WHERE m.store_id = app.store_id() AND m.customer_id = :customer_id"
    " ORDER BY m.at DESC, m.id DESC LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """One row of the ledger, for reading. ``at`` is UTC."""

    points: int
    reason: str
    at: datetime
    order_code: str

    @property
    def words(self) -> str:
        """Why, in the reader's language."""
        return _(SENTENCES[self.reason]) % {"code": self.order_code}


@dataclass(frozen=True, slots=True)
class Purse:
    """A customer's points and the last moves, the newest first. Below zero nothing can be spent."""

    balance: int
    moves: Sequence[Moved]


def balance_of(session: Session, customer_id: UUID) -> int:
    """The sum of all the points that came and went."""
    return int(
        session.scalar(
            select(func.coalesce(func.sum(PointMove.points), 0)).where(
                PointMove.store_id == bound_store(), PointMove.customer_id == customer_id
            )
        )
        or 0
    )


def purse_of(session: Session, customer_id: UUID, *, most: int = 8) -> Purse:
    """What this customer has, and how the last of it came about."""
    rows = session.execute(_PURSE, {"customer_id": customer_id, "most": most}).all()
    moves = [Moved(row.points, row.reason, row.at, row.code or "") for row in rows]
    return Purse(int(rows[0].balance) if rows else 0, moves)
