"""Writing a new order: its code, its lines and the first entry of its timeline, in one statement.

Every checkout of a store waits here for the counter's row, so it is short and brings no objects.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.ids import new_id

_WRITE = text(
    """
WITH counted AS (
   INSERT INTO app.counters AS c (name, value) VALUES ('orders', 1001)
   ON CONFLICT (store_id, name) DO UPDATE SET value = c.value + 1 RETURNING value),
 lines AS (
   INSERT INTO app.order_lines (id, order_id, n, variant_id, sku, name, option_text, quantity,
       price_cents, cost_cents, vat_class, vat_rate, vat_cents, total_cents, discount_cents, trace)
   SELECT id, :id, n, variant_id, sku, name, option_text, quantity, price_cents, cost_cents,
          vat_class, vat_rate, vat_cents, total_cents, discount_cents, trace
     FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l(id uuid, n smallint, variant_id uuid,
       sku text, name text, option_text text, quantity integer, price_cents bigint,
       cost_cents bigint, vat_class text, vat_rate smallint, vat_cents bigint, total_cents bigint,
       discount_cents bigint, trace jsonb)),
 noted AS (
   INSERT INTO app.order_events (id, order_id, kind, channel) VALUES
       (:event_id, :id, 'placed', :channel))
INSERT INTO app.orders (id, code, token_hash, token_sealed, customer_id, placed_as, cart_id, status,
    payment_method, channel, language, subtotal_cents, discount_cents, delivery_fee_cents,
    rounding_cents, total_cents, vat_cents, fee_reason, quote_id, is_pickup, area, landmark,
    customer_name, coupon_code, promised_at, placed_at)
SELECT :id, :code_prefix || '-' || value, :token_hash, :token_sealed, :customer_id, :placed_as,
       :cart_id, :status, :payment_method, :channel, :language, :subtotal_cents, :discount_cents,
       :delivery_fee_cents, :rounding_cents, :total_cents, :vat_cents, :fee_reason, :quote_id,
       :is_pickup, :area, :landmark, :customer_name, :coupon_code, :promised_at, :placed_at
  FROM counted
"""
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLine:
    """One variant as it is sold. ``total_cents`` is price times quantity, before the discount."""

    variant_id: UUID
    sku: str
    name: str
    option_text: str
    quantity: int
    price_cents: int
    cost_cents: int | None
    vat_class: str
    vat_rate: int
    vat_cents: int
    total_cents: int
    discount_cents: int
    trace: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewOrder:
    """An order about to be written; the fields are those of ``Order``."""

    id: UUID
    code_prefix: str
    token_hash: bytes
    token_sealed: bytes
    customer_id: UUID
    placed_as: UUID | None
    cart_id: UUID
    status: str
    payment_method: str
    channel: str
    language: str
    subtotal_cents: int
    discount_cents: int
    delivery_fee_cents: int
    rounding_cents: int
    total_cents: int
    vat_cents: int
    fee_reason: str
    quote_id: UUID | None
    is_pickup: bool
    area: str | None
    landmark: str
    customer_name: str
    coupon_code: str | None
    promised_at: datetime | None
    placed_at: datetime


def write_order(session: Session, order: NewOrder, lines: list[NewLine]) -> None:
    """Write it under the next code of the store, e.g. ``KT-1042``. Does not commit."""
    rows = [{**asdict(line), "id": new_id(), "n": n} for n, line in enumerate(lines, start=1)]
    session.execute(
        _WRITE,
        {**_fields(order), "lines": json.dumps(rows, default=str), "event_id": new_id()},
    )


def _fields(order: NewOrder) -> dict[str, Any]:
    return {name: getattr(order, name) for name in NewOrder.__slots__}
