"""Add to cart, the most pressed button of a shop: one statement from the tap to the new sum.

It finds the variant, makes the cart where there is none, raises the line up to what is in stock
and adds up what the cart holds. Two taps at once both count, because the line is raised where it
is; ``actions.add_to_cart`` does the same for code that has a cart in its hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.cart.actions import CODE_LENGTH, MOST_OF_ONE, only_so_many
from app.domain.cart.queries import CartSummary
from app.domain.errors import NotFound, OutOfStock
from app.ids import new_id, new_reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """The cart after the tap. ``note`` is for the shopper when they got less than they asked for."""

    id: UUID
    store_id: int
    summary: CartSummary
    note: str | None = None


_HEAD = """
WITH found AS MATERIALIZED (
   SELECT v.id, v.sku, app.price_now(v) AS price_cents,
          least(v.on_hand - v.reserved + coalesce((
            SELECT held FROM app.cart_lines WHERE store_id = app.store_id() AND cart_id = :cart_id
               AND variant_id = v.id AND held_until > now()), 0), :most) AS most
     FROM app.variants v
     JOIN app.products p ON p.store_id = v.store_id AND p.id = v.product_id
    WHERE v.store_id = app.store_id() AND v.is_active AND p.status = 'active' AND """
_REST = """ LIMIT 1),
 here AS MATERIALIZED (
   SELECT id FROM app.carts WHERE store_id = app.store_id() AND id = :cart_id),
 made AS (
   INSERT INTO app.carts (id, code, channel)
   SELECT :new_id, :code, 'web' FROM found WHERE most > 0 AND NOT EXISTS (SELECT 1 FROM here)
   ON CONFLICT DO NOTHING RETURNING id),
 cart AS (SELECT id FROM here UNION ALL SELECT id FROM made),
 touched AS (
   UPDATE app.carts c SET updated_at = now() FROM here, found
    WHERE c.store_id = app.store_id() AND c.id = here.id AND found.most > 0),
 held AS (
   INSERT INTO app.cart_lines AS l (id, cart_id, variant_id, quantity)
   SELECT :line_id, cart.id, found.id, least(:quantity, found.most) FROM cart, found
    WHERE found.most > 0
   ON CONFLICT (store_id, cart_id, variant_id) DO UPDATE
      SET quantity = least(l.quantity + :quantity, (SELECT most FROM found))
   RETURNING cart_id, quantity)
SELECT f.sku, f.most, held.cart_id, held.quantity AS held_quantity,
       coalesce(before.quantity, 0) AS quantity_before,
       held.quantity + coalesce(rest.quantity, 0) AS item_count,
       held.quantity * f.price_cents + coalesce(rest.cents, 0) AS subtotal_cents
  FROM found f
  LEFT JOIN held ON true
  LEFT JOIN app.cart_lines before ON before.store_id = app.store_id()
        AND before.cart_id = held.cart_id AND before.variant_id = f.id
  LEFT JOIN LATERAL (
    SELECT sum(l.quantity)::int AS quantity, sum(l.quantity * app.price_now(v))::bigint AS cents
      FROM app.cart_lines l
      JOIN app.variants v ON v.store_id = l.store_id AND v.id = l.variant_id
     WHERE l.store_id = app.store_id() AND l.cart_id = held.cart_id AND l.variant_id <> f.id)
       rest ON true
"""
_BY_SKU = text(_HEAD + "v.sku = :sku" + _REST)
_BY_CHOICE = text(_HEAD + "p.slug = :slug AND v.option_values = CAST(:options AS text[])" + _REST)


def put_in_cart(
    session: Session,
    cart_id: UUID | None,
    *,
    quantity: int = 1,
    sku: str = "",
    slug: str = "",
    options: Sequence[str] = (),
) -> Added:
    """Put more of a variant into the cart of that id, or into a new one. Does not commit.

    The variant is named by SKU, or by its product and the value of each option. Raises NotFound
    when no such variant is on sale, OutOfStock when there is none of it to sell.
    """
    if quantity < 1:
        raise ValueError("quantity must be at least 1")
    facts = {
        "cart_id": cart_id,
        "quantity": min(quantity, MOST_OF_ONE),
        "most": MOST_OF_ONE,
        "sku": sku,
        "slug": slug,
        "options": list(options),
        "new_id": new_id(),
        "line_id": new_id(),
    }
    for _try in range(5):
        row = session.execute(
            _BY_SKU if sku else _BY_CHOICE, facts | {"code": new_reference(CODE_LENGTH)}
        ).one_or_none()
        if row is None:
            raise NotFound
        if row.most < 1:
            raise OutOfStock(row.sku, available=0)
        if row.cart_id is not None:
            break
        # The code of the new cart is taken: one in millions, so simply draw another.
    else:
        raise RuntimeError("no free cart code in five tries")
    is_less = quantity + row.quantity_before > row.held_quantity
    return Added(
        id=row.cart_id,
        store_id=bound_store(),
        summary=CartSummary(item_count=row.item_count, subtotal_cents=row.subtotal_cents),
        note=only_so_many(row.held_quantity) if is_less else None,
    )
