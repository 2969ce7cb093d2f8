"""Promotions, who used them, and the groups of customers some are for."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.vault import vault


class Promotion(StoreOwned, Base):
    """One reason why something costs less. What it gives is told by ``effect``."""

    __tablename__ = "promotions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "group_id"], ["app.customer_groups.store_id", "app.customer_groups.id"]
        ),
    )

    kind: Mapped[str]  # coupon, deal, bundle, tier, group, sale
    effect: Mapped[str]  # percent, amount, price, free_delivery, buy_get, tiers
    name: Mapped[str]  # as shoppers read it
    code: Mapped[str | None]  # what they type, in capitals
    percent: Mapped[int | None]
    amount_cents: Mapped[int | None] = mapped_column(BigInteger)  # taken off, or the price itself
    buy_n: Mapped[int | None]
    get_m: Mapped[int | None]
    tiers: Mapped[list[Any]] = mapped_column(default=list)
    categories: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list)
    variants: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list)
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    group_id: Mapped[UUID | None]
    is_first_order: Mapped[bool] = mapped_column(default=False)
    per_phone: Mapped[int | None]
    minimum_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    max_uses: Mapped[int | None]
    budget_cents: Mapped[int | None] = mapped_column(BigInteger)
    used: Mapped[int] = mapped_column(default=0)
    given_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    ignores_floor: Mapped[bool] = mapped_column(default=False)
    floor_allowed_by: Mapped[str] = mapped_column(default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PromotionUse(StoreOwned, Base):
    """What one order got from one promotion, in cents."""

    __tablename__ = "promotion_uses"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "promotion_id"], ["app.promotions.store_id", "app.promotions.id"]
        ),
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    promotion_id: Mapped[UUID]
    order_id: Mapped[UUID]
    phone_lookup: Mapped[bytes]
    given_cents: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    released_at: Mapped[datetime | None]
    is_over: Mapped[bool] = mapped_column(default=False)


class CustomerGroup(StoreOwned, Base):
    """Customers with prices of their own, like resellers."""

    __tablename__ = "customer_groups"

    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class GroupMember(StoreOwned, Base):
    """One phone in a group. Their prices show once the phone was proved by a code."""

    __tablename__ = "group_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "group_id"], ["app.customer_groups.store_id", "app.customer_groups.id"]
        ),
    )

    group_id: Mapped[UUID]
    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    added_by: Mapped[str] = mapped_column(default="")
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def phone(self) -> str:
        """E.164, opened from its seal. Mask it before showing it."""
        return vault().open(self.phone_sealed, store_id=self.store_id, column="group_members.phone")
