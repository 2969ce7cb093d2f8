"""Short links that show staff a product as shoppers will see it, before they may."""

from __future__ import annotations

from uuid import UUID

from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.domain.catalog.models import Product

PREVIEW_SECONDS = 3_600


def preview_token(product: Product) -> str:
    """What the link carries: the store and the product, signed, good for an hour."""
    return str(_signer().dumps([product.store_id, product.id.hex]))


def read_preview(token: str, *, store_id: int) -> UUID | None:
    """The product a link shows in this store; None for a link that is old or not ours."""
    try:
        found = _signer().loads(token, max_age=PREVIEW_SECONDS)
        if not isinstance(found, list) or len(found) != 2 or found[0] != store_id:
            return None
        return UUID(hex=str(found[1]))
    except (BadSignature, ValueError):
        return None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="preview")
