"""People who buy from a store, known by their phone number."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, StoreOwned
from app.vault import vault


class Customer(StoreOwned, Base):
    __tablename__ = "customers"

    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    name: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="en")
    last_area: Mapped[str | None]
    last_landmark: Mapped[str] = mapped_column(default="")
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def phone(self) -> str:
        """E.164, opened from its seal. Mask it before showing it."""
        return vault().open(self.phone_sealed, store_id=self.store_id, column="customers.phone")


class ShopperSession(StoreOwned, Base):
    __tablename__ = "shopper_sessions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
    )

    token_hash: Mapped[bytes]
    customer_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    customer: Mapped[Customer] = relationship(viewonly=True)
