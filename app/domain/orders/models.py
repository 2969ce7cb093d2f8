"""What a customer committed to: the order with the prices agreed, its timeline, its held stock."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, StoreOwned
from app.domain.customers.models import Customer
from app.domain.delivery.models import Rider
from app.domain.errors import IllegalTransition
from app.domain.orders.states import NEXT, OrderStatus
from app.vault import vault


class Order(StoreOwned, Base):
    __tablename__ = "orders"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "placed_as"], ["app.customers.store_id", "app.customers.id"]
        ),
        ForeignKeyConstraint(["store_id", "rider_id"], ["app.riders.store_id", "app.riders.id"]),
    )

    code: Mapped[str]  # people say it aloud: KT-1042
    token_hash: Mapped[bytes]
    token_sealed: Mapped[bytes]  # staff and messages need the link again
    customer_id: Mapped[UUID]
    placed_as: Mapped[UUID | None]  # the merged profile whose number was typed
    cart_id: Mapped[UUID | None]
    status: Mapped[OrderStatus]
    payment_method: Mapped[str] = mapped_column(default="mpesa")
    channel: Mapped[str] = mapped_column(default="web")
    currency: Mapped[str] = mapped_column(default="KES")
    language: Mapped[str] = mapped_column(default="en")
    subtotal_cents: Mapped[int] = mapped_column(BigInteger)
    discount_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    delivery_fee_cents: Mapped[int] = mapped_column(BigInteger)
    rounding_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    total_cents: Mapped[int] = mapped_column(BigInteger)
    vat_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    fee_reason: Mapped[str] = mapped_column(default="")
    quote_id: Mapped[UUID | None]
    is_pickup: Mapped[bool] = mapped_column(default=False)
    area: Mapped[str | None]
    landmark: Mapped[str] = mapped_column(default="")
    customer_name: Mapped[str] = mapped_column(default="")
    coupon_code: Mapped[str | None]  # the code that was used
    rider_id: Mapped[UUID | None]
    promised_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    paid_at: Mapped[datetime | None]
    packed_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]

    lines: Mapped[list[OrderLine]] = relationship(back_populates="order", order_by="OrderLine.n")
    customer: Mapped[Customer] = relationship(
        viewonly=True, foreign_keys="[Order.store_id, Order.customer_id]"
    )
    rider: Mapped[Rider | None] = relationship(viewonly=True)

    @property
    def discounts(self) -> list[tuple[str, int]]:
        """What deals, bundles, the code and points took off, by name, in cents."""
        found: dict[str, int] = {}
        for line in self.lines:
            for step in line.steps:
                if step["kind"] in ("deal", "bundle", "coupon", "points"):
                    found[step["name"]] = found.get(step["name"], 0) + step["cents"]
        return list(found.items())

    @property
    def is_paid_with_points(self) -> bool:
        """Whether points took something off its price."""
        return any(step["kind"] == "points" for line in self.lines for step in line.steps)

    def move_to(self, status: OrderStatus) -> None:
        """The only way a status changes in Python. Raises IllegalTransition."""
        if status not in NEXT[OrderStatus(self.status)]:
            raise IllegalTransition("order", self.status, status)
        self.status = status
        self.version += 1

    @property
    def token(self) -> str:
        """The secret of the order's own page, opened from its seal."""
        return vault().open(self.token_sealed, store_id=self.store_id, column="orders.token")


class OrderLine(StoreOwned, Base):
    """One variant as it was sold. Keeps name and price, whatever happens to the product."""

    __tablename__ = "order_lines"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    order_id: Mapped[UUID]
    n: Mapped[int]
    variant_id: Mapped[UUID | None]
    sku: Mapped[str]
    name: Mapped[str]
    option_text: Mapped[str] = mapped_column(default="")
    quantity: Mapped[int]
    price_cents: Mapped[int] = mapped_column(BigInteger)
    cost_cents: Mapped[int | None] = mapped_column(BigInteger)
    vat_class: Mapped[str] = mapped_column(default="none")  # standard, zero, exempt, none
    vat_rate: Mapped[int] = mapped_column(default=0)
    vat_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    total_cents: Mapped[int] = mapped_column(BigInteger)  # price times quantity
    discount_cents: Mapped[int] = mapped_column(
        BigInteger, default=0
    )  # by deals, the code and points
    trace: Mapped[dict[str, Any]] = mapped_column(default=dict)  # promotions.pricing: why so much

    order: Mapped[Order] = relationship(back_populates="lines")

    @property
    def net_cents(self) -> int:
        """What was paid for the line, with its VAT and after its discount."""
        return self.total_cents - self.discount_cents

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Why it cost less than its list price: kind, name and cents of each reason."""
        return list(self.trace.get("steps", ()))


class OrderEvent(StoreOwned, Base):
    """One entry of the timeline: what, when, who, by which channel. Never edited."""

    __tablename__ = "order_events"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    order_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    kind: Mapped[str]
    actor: Mapped[str] = mapped_column(default="system")
    channel: Mapped[str] = mapped_column(default="web")
    is_public: Mapped[bool] = mapped_column(default=True)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Reservation(StoreOwned, Base):
    """Stock held for an order that is being paid, or for a link of the waiting line."""

    __tablename__ = "reservations"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
        ForeignKeyConstraint(
            ["store_id", "variant_id"], ["app.variants.store_id", "app.variants.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "offer_id"], ["app.stock_offers.store_id", "app.stock_offers.id"]
        ),
    )

    order_id: Mapped[UUID | None]  # one of the two
    offer_id: Mapped[UUID | None]
    variant_id: Mapped[UUID]
    quantity: Mapped[int]
    status: Mapped[str] = mapped_column(default="live")  # live, consumed, released
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
