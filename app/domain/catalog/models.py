"""What a store sells: categories, products, the variants that have price and stock, pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Text, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, StoreOwned
from app.db.tenancy import bound_store
from app.money import CENTS_PER_SHILLING, percent_off
from app.vault import vault

LOW_STOCK = 3


class Category(StoreOwned, Base):
    """A shelf of the store, and what it asks of the goods on it. At most one level below another."""

    __tablename__ = "categories"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "parent_id"], ["app.categories.store_id", "app.categories.id"]
        ),
    )

    slug: Mapped[str]
    name: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    parent_id: Mapped[UUID | None]
    attributes: Mapped[list[Any]] = mapped_column(default=list)  # Attribute.as_json(), in order
    size_chart: Mapped[list[Any]] = mapped_column(
        default=list
    )  # rows of text; the first is headings
    return_days: Mapped[int | None]  # where this shelf differs from the store's own rule
    return_note: Mapped[str] = mapped_column(default="")
    photo_guide: Mapped[list[Any]] = mapped_column(default=list)  # one sentence per photo
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def as_choice(self) -> tuple[str, str]:
        """Its id as text, and its name."""
        return str(self.id), self.name


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
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"storage": "128 GB", …}
    options: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)  # ["Colour", "Strap"]
    warranty_months: Mapped[int] = mapped_column(default=0)
    seo_title: Mapped[str] = mapped_column(default="")
    seo_description: Mapped[str] = mapped_column(default="")
    tracks_serials: Mapped[bool] = mapped_column(default=False)  # each unit has its own number
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
    # Only those that can be shown; media.queries.photos_of knows the waiting and refused ones.
    images: Mapped[list[ProductImage]] = relationship(
        primaryjoin=(
            "and_(Product.store_id == ProductImage.store_id, Product.id == ProductImage.product_id,"
            " ProductImage.status == 'ready', ProductImage.removed_at.is_(None))"
        ),
        order_by="(ProductImage.position, ProductImage.id)",
        viewonly=True,
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
    is_active: Mapped[bool] = mapped_column(
        default=True
    )  # False: no longer offered, kept for its past
    low_mark: Mapped[int] = mapped_column(default=LOW_STOCK)  # at or below it, order more
    floor_cents: Mapped[int | None] = mapped_column(BigInteger)  # never sold for less
    # The timed sale it is in; app.price_now() says what it costs at an instant.
    sale_id: Mapped[UUID | None]
    sale_percent: Mapped[int | None]
    sale_price_cents: Mapped[int | None] = mapped_column(BigInteger)
    sale_starts_at: Mapped[datetime | None]
    sale_ends_at: Mapped[datetime | None]
    sale_below_floor: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime | None]  # when shoppers last saw another price or stock; by trigger

    product: Mapped[Product] = relationship(back_populates="variants")

    @property
    def stock(self) -> int:
        """Units we may still sell."""
        return self.on_hand - self.reserved

    def price_at(self, now: datetime) -> int:
        """What one costs everybody at this instant (UTC): as ``app.price_now`` says it."""
        has_begun = self.sale_starts_at is None or self.sale_starts_at <= now
        floor = self.floor_cents or 0
        is_over = self.sale_ends_at is not None and self.sale_ends_at <= now
        if self.sale_id is None or not has_begun or is_over:
            return max(self.price_cents, floor)
        sale = self.sale_price_cents or percent_off(self.price_cents, self.sale_percent or 0)
        return max(
            min(self.price_cents, sale), CENTS_PER_SHILLING if self.sale_below_floor else floor
        )

    @property
    def is_low(self) -> bool:
        """Whether it is time to order more, or too late for that."""
        return self.stock <= self.low_mark

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
    media_key: Mapped[str]  # 32 hex; the file of a size is /media/<key>-<width>.<format>
    width: Mapped[int]  # of the photo as it came, upright; 0 until its files are made
    height: Mapped[int]
    tint: Mapped[int] = mapped_column(default=0)  # one of 64 palette classes
    sizes: Mapped[dict[str, Any]] = mapped_column(default=dict)  # WebP: {"320": bytes, …}
    files: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"avif": {"320": bytes, …}, …}
    status: Mapped[str] = mapped_column(default="ready")  # waiting, making, ready, refused
    refusal: Mapped[str] = mapped_column(default="")  # why, one of media.making.REASONS
    filename: Mapped[str] = mapped_column(default="")  # as the phone named it
    is_filled: Mapped[bool] = mapped_column(default=False)  # has a ground: may be cut to a frame
    focal_x: Mapped[int] = mapped_column(default=50)  # percent from the left; stays in view
    focal_y: Mapped[int] = mapped_column(default=50)  # percent from the top
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship()


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
    note: Mapped[str] = mapped_column(default="")


class OldSlug(Base):
    """Where a product's page used to be."""

    __tablename__ = "old_slugs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "product_id"], ["app.products.store_id", "app.products.id"]
        ),
    )

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    slug: Mapped[str] = mapped_column(primary_key=True)
    product_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class OldCategorySlug(Base):
    """Where a category's page used to be."""

    __tablename__ = "old_category_slugs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "category_id"], ["app.categories.store_id", "app.categories.id"]
        ),
    )

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    slug: Mapped[str] = mapped_column(primary_key=True)
    category_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Serial(StoreOwned, Base):
    """One unit with a number of its own: an IMEI, or the maker's serial."""

    __tablename__ = "serials"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "variant_id"], ["app.variants.store_id", "app.variants.id"]
        ),
    )

    variant_id: Mapped[UUID]
    serial: Mapped[str]  # capital letters and digits, unique in the store
    status: Mapped[str] = mapped_column(default="in_stock")  # in_stock, sold, gone
    order_line_id: Mapped[UUID | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    received_by: Mapped[str] = mapped_column(default="system")
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StockWait(StoreOwned, Base):
    """Somebody who wants to be told when a variant is back."""

    __tablename__ = "stock_waits"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "variant_id"], ["app.variants.store_id", "app.variants.id"]
        ),
    )

    variant_id: Mapped[UUID]
    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    language: Mapped[str] = mapped_column(default="en")
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    told_at: Mapped[datetime | None]

    @property
    def phone(self) -> str:
        """E.164, opened from its seal. Mask it before showing it."""
        return vault().open(self.phone_sealed, store_id=self.store_id, column="stock_waits.phone")


class StockOffer(StoreOwned, Base):
    """A link for somebody who waited: it keeps one unit for a while, and works once."""

    __tablename__ = "stock_offers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "wait_id"], ["app.stock_waits.store_id", "app.stock_waits.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "variant_id"], ["app.variants.store_id", "app.variants.id"]
        ),
    )

    wait_id: Mapped[UUID]
    variant_id: Mapped[UUID]
    token_hash: Mapped[bytes]
    status: Mapped[str] = mapped_column(default="live")  # live, taken, used, lapsed
    cart_id: Mapped[UUID | None]  # the cart that took it
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    wait: Mapped[StockWait] = relationship(viewonly=True)
    variant: Mapped[Variant] = relationship(viewonly=True, overlaps="wait")
