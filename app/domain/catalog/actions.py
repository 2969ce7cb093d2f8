"""Putting goods on the shelf. Everything here marks the store's pages as changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import nh3
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import Category, Product, ProductImage, StockMovement, Variant
from app.domain.media.pictures import StoredPicture
from app.domain.stores.models import Store

ALLOWED_TAGS = {"p", "br", "b", "strong", "i", "em", "ul", "ol", "li", "h3", "h4"}

SLUG = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,79}")  # of a product or a category
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class NewVariant:
    """A variant to be made. ``options`` in the order of the product's option names."""

    sku: str
    price_cents: int
    options: Sequence[str] = ()
    stock: int = 0
    compare_at_cents: int | None = None
    cost_cents: int | None = None
    weight_grams: int = 0
    is_bulky: bool = False
    barcode: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewPicture:
    """A stored picture to hang on a product, and the value of the first option it shows."""

    stored: StoredPicture
    alt: str = ""
    option_value: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewProduct:
    """A product to be made, with everything it is sold as."""

    name: str
    variants: Sequence[NewVariant]
    category: Category | None = None
    slug: str | None = None
    description_html: str = ""
    brand: str = ""
    options: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    pictures: Sequence[NewPicture] = ()
    warranty_months: int = 0
    vat_class: str = "standard"
    status: str = "active"
    is_featured: bool = False
    source_key: str | None = field(default=None)


def touch_content(session: Session) -> None:
    """Say that the store's public pages changed, so that cached copies are no longer served."""
    session.execute(
        update(Store)
        .where(Store.id == bound_store())
        .values(content_version=Store.content_version + 1)
        .execution_options(synchronize_session=False)
    )


def add_category(session: Session, name: str, *, slug: str | None = None) -> Category:
    """The category of this slug, made when the store has none yet. New ones come last."""
    slug = slug or slug_of(name)
    category = session.scalars(select(Category).where(Category.slug == slug)).one_or_none()
    if category is None:
        last = session.scalar(select(func.max(Category.position)))
        category = Category(slug=slug, name=name, position=(last or 0) + 1)
        session.add(category)
        session.flush()
        touch_content(session)
    return category


def add_product(session: Session, new: NewProduct, *, actor: str = "system") -> Product:
    """Make a product with its variants, stock and pictures.

    The description is sanitised here, once, so that pages may show it as it is. Raises
    ValueError for a product without variants: there would be nothing to buy.
    """
    if not new.variants:
        raise ValueError("a product needs at least one variant")
    product = Product(
        slug=free_slug(session, new.slug or slug_of(new.name)),
        name=new.name,
        description_html=safe_html(new.description_html),
        brand=new.brand,
        category_id=new.category.id if new.category else None,
        status=new.status,
        vat_class=new.vat_class,
        facts=[list(fact) for fact in new.facts],
        options=list(new.options),
        warranty_months=new.warranty_months,
        source_key=new.source_key,
        is_featured=new.is_featured,
    )
    session.add(product)
    session.flush()
    for position, variant in enumerate(new.variants):
        add_variant(session, product, variant, position=position, actor=actor)
    add_pictures(session, product, new.pictures)
    touch_content(session)
    return product


def add_variant(
    session: Session, product: Product, new: NewVariant, *, position: int, actor: str = "system"
) -> Variant:
    """One more way to buy a product, with its first stock."""
    variant = Variant(
        product_id=product.id,
        sku=new.sku,
        option_values=list(new.options),
        position=position,
        price_cents=new.price_cents,
        compare_at_cents=new.compare_at_cents,
        cost_cents=new.cost_cents,
        weight_grams=new.weight_grams,
        is_bulky=new.is_bulky,
        barcode=new.barcode,
    )
    session.add(variant)
    session.flush()
    if new.stock:
        receive_stock(session, variant, new.stock, "received", actor=actor)
    return variant


def add_pictures(session: Session, product: Product, pictures: Iterable[NewPicture]) -> None:
    """Hang pictures on a product after those it has."""
    last = session.scalar(
        select(func.max(ProductImage.position)).where(ProductImage.product_id == product.id)
    )
    for position, new in enumerate(pictures, start=0 if last is None else last + 1):
        session.add(
            ProductImage(
                product_id=product.id,
                option_value=new.option_value,
                position=position,
                alt=new.alt or product.name,
                media_key=new.stored.media_key,
                width=new.stored.width,
                height=new.stored.height,
                tint=new.stored.tint,
                sizes=dict[str, Any](new.stored.sizes),
                files=dict[str, Any](new.stored.files),
            )
        )
    session.flush()
    touch_content(session)


def receive_stock(
    session: Session,
    variant: Variant,
    quantity: int,
    reason: str,
    *,
    actor: str = "system",
    order_id: UUID | None = None,
    note: str = "",
) -> None:
    """Change what is on hand by ``quantity`` (below zero for a loss) and write down why.

    Raises ValueError for zero. The database refuses to go below what is reserved.
    """
    if quantity == 0:
        raise ValueError("a stock movement of nothing")
    session.flush()
    session.execute(
        update(Variant)
        .where(Variant.store_id == variant.store_id, Variant.id == variant.id)
        .values(on_hand=Variant.on_hand + quantity)
        .execution_options(synchronize_session=False)
    )
    session.add(
        StockMovement(
            variant_id=variant.id,
            quantity=quantity,
            reason=reason,
            order_id=order_id,
            actor=actor,
            note=note,
        )
    )
    session.flush()
    session.refresh(variant, ["on_hand"])
    touch_content(session)


def safe_html(text: str) -> str:
    """A merchant's description with only harmless tags left: no links, scripts or styles."""
    return nh3.clean(text, tags=ALLOWED_TAGS, attributes={})


def slug_of(name: str) -> str:
    """The name as a piece of a URL, at most 60 characters, never empty."""
    return _NOT_SLUG.sub("-", name.lower()).strip("-")[:60].strip("-") or "product"


def free_slug(session: Session, slug: str) -> str:
    """The slug, or the first of slug-2, slug-3 … that no product of this store has."""
    taken = set(
        session.scalars(select(Product.slug).where(Product.slug.startswith(slug, autoescape=True)))
    )
    number = 1
    free = slug
    while free in taken:
        number += 1
        free = f"{slug}-{number}"
    return free
