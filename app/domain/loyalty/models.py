"""The ledger of points. A row is never changed, but for whose it is when two profiles become one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned


class PointMove(StoreOwned, Base):
    """Points that came to a customer (above zero) or went (below). The balance is their sum."""

    __tablename__ = "point_moves"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    customer_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    points: Mapped[int]
    reason: Mapped[str]  # earned, spent, given_back
    round: Mapped[int] = mapped_column(default=1)  # an order let go and paid after all spends again
    actor: Mapped[str] = mapped_column(default="system")
    at: Mapped[datetime] = mapped_column(server_default=func.now())
