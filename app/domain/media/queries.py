"""A product's photos as its people see them, waiting and refused ones too."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import Product, ProductImage
from app.domain.errors import NotFound


def photos_of(session: Session, product_id: UUID) -> list[ProductImage]:
    """Every photo that is not removed, in its order."""
    return list(
        session.scalars(
            select(ProductImage)
            .where(
                ProductImage.store_id == bound_store(),
                ProductImage.product_id == product_id,
                ProductImage.removed_at.is_(None),
            )
            .order_by(ProductImage.position, ProductImage.id)
        )
    )


def find_photo(
    session: Session, product_id: UUID, photo_id: UUID, *, locked: bool = False
) -> ProductImage | None:
    """One photo of a product, or None; ``locked`` until the transaction ends."""
    query = (
        select(ProductImage)
        .where(
            ProductImage.store_id == bound_store(),
            ProductImage.id == photo_id,
            ProductImage.product_id == product_id,
            ProductImage.removed_at.is_(None),
        )
        .execution_options(populate_existing=True)
    )
    return session.scalar(query.with_for_update() if locked else query)


def get_photo(session: Session, product_id: UUID, photo_id: UUID) -> ProductImage:
    """One photo of a product, locked until the transaction ends. Raises NotFound."""
    photo = find_photo(session, product_id, photo_id, locked=True)
    if photo is None:
        raise NotFound
    return photo


def option_values(product: Product) -> list[str]:
    """The values of the first option, which photos may belong to, in the variants' order."""
    return list(dict.fromkeys(v.option_values[0] for v in product.variants if v.option_values))
