"""A person on the way to a shop, and a new shop on the way to its first customer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.db.tenancy import bound_store
from app.ids import new_id


class SignUp(Base):
    """A proven phone whose shop is not open yet, or the story of how it was. Platform role only."""

    __tablename__ = "sign_ups"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID]
    kind: Mapped[str | None]
    opened_store: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    opened_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]  # the wizard was finished, or given up for the desk


class Onboarding(Base):
    """How far a store has come with its first setting-up. A step that is behind it has a moment."""

    __tablename__ = "onboarding"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "test_order_id"], ["app.orders.store_id", "app.orders.id"]
        ),
    )

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    goods_at: Mapped[datetime | None]
    areas_at: Mapped[datetime | None]
    till_at: Mapped[datetime | None]
    wanted_kind: Mapped[str | None]  # till or paybill, to be checked before real money moves
    wanted_number: Mapped[str | None]
    test_order_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
