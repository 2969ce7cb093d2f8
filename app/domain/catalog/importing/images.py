"""Before-images and after-images: all that is said about a product, as plain JSON.

Stock is not part of it: that has its own history, and goes back by a movement.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Mapper, class_mapper

from app.domain.catalog.models import Product, Variant

_NOT_SAID: Final = frozenset(
    {
        "store_id",
        "id",
        "product_id",
        "created_at",
        "updated_at",
        "changed_at",
        "on_hand",
        "reserved",
    }
)


@lru_cache(maxsize=2)
def columns_of(model: type[Product] | type[Variant]) -> tuple[str, ...]:
    """The columns an import may change and taking it back restores."""
    mapper: Mapper[Any] = class_mapper(model)
    return tuple(
        attribute.key for attribute in mapper.column_attrs if attribute.key not in _NOT_SAID
    )


def facts_of(product: Product) -> dict[str, Any]:
    """What the store says about a product and its variants at this moment."""
    return {
        **{name: _plain(getattr(product, name)) for name in columns_of(Product)},
        "variants": {
            str(variant.id): {name: _plain(getattr(variant, name)) for name in columns_of(Variant)}
            for variant in product.variants
        },
    }


def value_of(model: type[Product] | type[Variant], name: str, kept: Any) -> Any:
    """A kept fact as the column holds it."""
    is_id = kept is not None and name.endswith("_id")
    return UUID(kept) if is_id and name in columns_of(model) else kept


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
