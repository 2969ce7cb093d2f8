"""What a store sells: categories, products, the variants that have price and stock, pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, StoreOwned

LOW_STOCK = 3


class Category(StoreOwned, Base):
    __tablename__ = "categories"

    slug: Mapped[str]
    name: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Product(StoreOwned, Base):
    __tablename__ = "products"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "category_id"], ["app.categories.store_id", "app.categories.id"]
        ),
    )

    slug: Mapped[str]
    name: Mapped[str]
    description_html: Mapped[str] = mapped_column(default="")  # sanitised when it is saved
    brand: Mapped[str] = mapped_column(default="")
    category_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(default="active")  # draft, active, archived
    vat_class: Mapped[str] = mapped_column(default="standard")
    facts: Mapped[list[Any]] = mapped_column(default=list)  # [["Battery", "2 years"], …]
    options: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # ["Colour", "Strap"]
    warranty_months: Mapped[int] = mapped_column(default=0)
    source_key: Mapped[str | None]  # where an import knows it from
    is_featured: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    category: Mapped[Category | None] = relationship(viewonly=True)
    variants: Mapped[list[Variant]] = relationship(
        back_populates="product",
        order_by="Variant.position",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    images: Mapped[list[ProductImage]] = relationship(
        back_populates="product",
        order_by="ProductImage.position",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )


class Variant(StoreOwned, Base):
    __tablename__ = "variants"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "product_id"], ["app.products.store_id", "app.products.id"]
        ),
    )

    product_id: Mapped[UUID]
    sku: Mapped[str]
    option_values: Mapped[list[str]] = mapped_column(
        ARRAY(Text), default=list
    )  # same order as product.options
    position: Mapped[int] = mapped_column(default=0)
    price_cents: Mapped[int] = mapped_column(BigInteger)
    compare_at_cents: Mapped[int | None] = mapped_column(BigInteger)
    cost_cents: Mapped[int | None] = mapped_column(BigInteger)
    weight_grams: Mapped[int] = mapped_column(default=0)
    is_bulky: Mapped[bool] = mapped_column(default=False)
    on_hand: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)
    barcode: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    product: Mapped[Product] = relationship(back_populates="variants")

    @property
    def stock(self) -> int:
        """Units we may still sell."""
        return self.on_hand - self.reserved

    @property
    def option_text(self) -> str:
        """What tells it from its sisters: ``Black, Rubber``; empty for a product with one variant."""
        return ", ".join(self.option_values)


class ProductImage(StoreOwned, Base):
    __tablename__ = "product_images"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "product_id"], ["app.products.store_id", "app.products.id"]
        ),
    )

    product_id: Mapped[UUID]
    option_value: Mapped[str | None]  # shown when this value of the first option is chosen
    position: Mapped[int] = mapped_column(default=0)
    alt: Mapped[str] = mapped_column(default="")
    media_key: Mapped[str]  # 32 hex; the file of a size is /media/<key>-<width>.webp
    width: Mapped[int]
    height: Mapped[int]
    tint: Mapped[int] = mapped_column(default=0)  # one of 64 palette classes
    sizes: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"320": bytes, "640": bytes, …}

    product: Mapped[Product] = relationship(back_populates="images")


class StockMovement(StoreOwned, Base):
    """One change of a variant's on_hand, with its reason. Never edited."""

    __tablename__ = "stock_movements"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "variant_id"], ["app.variants.store_id", "app.variants.id"]
        ),
    )

    variant_id: Mapped[UUID]
    quantity: Mapped[int]
    reason: Mapped[str]
    order_id: Mapped[UUID | None]
    actor: Mapped[str] = mapped_column(default="system")
    at: Mapped[datetime] = mapped_column(server_default=func.now())
