"""Where a store delivers, what that costs, what was promised, and who carries it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.vault import vault


class DeliveryArea(StoreOwned, Base):
    __tablename__ = "delivery_areas"

    area: Mapped[str]  # slug in the product's area list
    fee_cents: Mapped[int] = mapped_column(BigInteger)
    minimum_order_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    free_from_cents: Mapped[int | None] = mapped_column(BigInteger)
    minutes: Mapped[int] = mapped_column(default=180)
    is_active: Mapped[bool] = mapped_column(default=True)
    aliases: Mapped[list[Any]] = mapped_column(default=list)  # the store's own names for it
    changed_by: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FeeRuleRow(StoreOwned, Base):
    """A store's fee rule; ``terms`` are the fields of the rule's kind in ``fees.py``."""

    __tablename__ = "fee_rules"

    position: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str]
    area: Mapped[str | None]
    terms: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_active: Mapped[bool] = mapped_column(default=True)


class DeliveryQuote(StoreOwned, Base):
    """A fee as it was shown at checkout, honoured until it expires."""

    __tablename__ = "delivery_quotes"

    cart_id: Mapped[UUID]
    area: Mapped[str]
    subtotal_cents: Mapped[int] = mapped_column(BigInteger)
    fee_cents: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(default="")
    promised_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class Rider(StoreOwned, Base):
    __tablename__ = "riders"

    name: Mapped[str]
    phone_sealed: Mapped[bytes | None]
    phone_lookup: Mapped[bytes | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def phone(self) -> str | None:
        """E.164, opened from its seal."""
        if self.phone_sealed is None:
            return None
        return vault().open(self.phone_sealed, store_id=self.store_id, column="riders.phone")
