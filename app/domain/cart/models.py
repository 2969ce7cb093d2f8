"""What a shopper is considering. A cart promises nothing and reserves nothing."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import utcnow
from app.db.base import Base, StoreOwned
from app.domain.catalog.models import Variant


class Cart(StoreOwned, Base):
    __tablename__ = "carts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
    )

    code: Mapped[str]  # said in WhatsApp to open this cart there
    customer_id: Mapped[UUID | None]
    area: Mapped[str | None]  # slug of the area last chosen
    coupon_code: Mapped[str | None]  # as it was typed, in capitals
    channel: Mapped[str] = mapped_column(default="web")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    lines: Mapped[list[CartLine]] = relationship(
        back_populates="cart",
        order_by="CartLine.added_at",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    @property
    def subtotal_cents(self) -> int:
        return sum(line.total_cents for line in self.lines)

    @property
    def item_count(self) -> int:
        return sum(line.quantity for line in self.lines)

    def line_for(self, variant_id: UUID) -> CartLine | None:
        """The line of this variant, if the cart has one."""
        return next((line for line in self.lines if line.variant_id == variant_id), None)


class CartLine(StoreOwned, Base):
    __tablename__ = "cart_lines"
    # Both foreign keys carry store_id: row-level security does not apply to
    # foreign-key checks, so only the key itself stops a cross-store line.
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "cart_id"], ["app.carts.store_id", "app.carts.id"]),
        ForeignKeyConstraint(
            ["store_id", "variant_id"], ["app.variants.store_id", "app.variants.id"]
        ),
    )

    cart_id: Mapped[UUID]
    variant_id: Mapped[UUID]
    quantity: Mapped[int]
    held: Mapped[int] = mapped_column(default=0)  # units kept for this cart by the waiting line …
    held_until: Mapped[datetime | None]  # … until then
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())

    cart: Mapped[Cart] = relationship(back_populates="lines")
    variant: Mapped[Variant] = relationship(viewonly=True)

    @property
    def total_cents(self) -> int:
        return self.quantity * self.variant.price_at(utcnow())

    @property
    def stock(self) -> int:
        """Units this cart may still buy: what is free, and what is kept for it."""
        is_kept = self.held_until is not None and self.held_until > utcnow()
        return self.variant.stock + (self.held if is_kept else 0)
