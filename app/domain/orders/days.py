"""The orders of days that are over, added up, so that figures of weeks need not read every order.

Whoever asks about a span asks ``app.sums_by_day`` or ``app.sold_by_variant``: days that are added up
come from ``app.order_days``, the others from their orders by the functions that added these up. A day
whose orders changed is read from them at once, and added up again by the next job.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def sum_order_days(session: Session) -> int:
    """Add up the store's days that are over and were not added up yet, or changed since.

    Returns how many: at most 31 at once, and 0 while another job is at it. Does not commit.
    """
    return session.scalar(text("SELECT app.sum_order_days()")) or 0
