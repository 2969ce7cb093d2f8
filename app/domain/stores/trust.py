"""What tells a shopper that the shop is real. Every value is read from data, none is made up.

The facts come as one JSON value, so that a page's own statement can bring them along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DELIVERED_DAYS = 90
# As many are counted: a page that says "more than" costs a busy shop no more than a new one.
MOST_DELIVERED = 1_000

# Delivered orders are counted by an index of their own.
TRUST_JSON = f"""
json_build_object(
  'pay_to', (SELECT json_build_array(kind, CASE WHEN kind = 'till' THEN coalesce(till, shortcode)
                                                 ELSE shortcode END)
               FROM app.payment_settings WHERE store_id = app.store_id()
              ORDER BY mode = 'live' DESC, created_at DESC LIMIT 1),
  'delivered', (SELECT count(*) FROM (
       SELECT FROM app.orders
        WHERE store_id = app.store_id() AND status IN ('delivered', 'closed')
          AND delivered_at > now() - interval '{DELIVERED_DAYS} days'
        LIMIT {MOST_DELIVERED + 1}) d))
"""  # noqa: S608 - put together from our own numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Facts of the money's way and of what was delivered in the last 90 days.

    ``pay_kind`` is ``till`` or ``paybill``, empty with ``pay_number`` where the store has no
    M-Pesa keys yet. ``delivered_count`` is at most one more than MOST_DELIVERED.
    """

    pay_kind: str
    pay_number: str
    delivered_count: int

    @property
    def delivered_many(self) -> bool:
        """Whether more were delivered than are counted."""
        return self.delivered_count > MOST_DELIVERED

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Trust:
        kind, number = found["pay_to"] or ("", "")
        return cls(pay_kind=kind, pay_number=number or "", delivered_count=found["delivered"])
