"""What a store's orders of the last 90 days say about it. Counted, never typed.

A figure is told from 20 orders on: below that it says more about chance, or about one person,
than about the shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.stores.hosts import HOST
from app.domain.stores.trust import TRUST_JSON, Trust

ENOUGH = 20
RECORD_DAYS = 90

# Reviews in which a customer's money waits for a decision; the others are about a provider's words.
QUESTIONS = (
    *("refund_due", "paid_twice", "amount_differs", "late_money", "late_money_sold_out"),
    *("unmatched_money", "unconfirmed_callback"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackRecord:
    """Counts of the last 90 days, and what they come to where there are enough of them."""

    sold: int  # orders that were paid, or accepted to be paid at the door
    left: int  # orders that left the shop, or were collected
    came_back: int  # of those
    dispatched: int  # orders whose way to the rider was timed
    dispatch_minutes: int | None  # the middle one, from paid (or accepted) to dispatched
    questions: int  # about money, opened in these days
    solved: int  # of those
    trust: Trust  # where the money goes
    host: str  # the store's canonical one

    @property
    def returned_percent(self) -> str | None:
        """How many of a hundred came back, to a tenth; None below 20 orders."""
        if self.left < ENOUGH:
            return None
        tenths = (self.came_back * 2000 + self.left) // (2 * self.left)
        return f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)

    @property
    def shows_questions(self) -> bool:
        return self.sold >= ENOUGH

    @property
    def has_figures(self) -> bool:
        """Whether there is anything to tell."""
        return self.sold >= ENOUGH


_RECORD = text(
    f"""
WITH o AS (
  SELECT dispatched_at, delivered_at, status, id,
         CASE payment_method WHEN 'on_delivery' THEN placed_at ELSE coalesce(paid_at, placed_at) END
           AS begins_at
    FROM app.orders
   WHERE store_id = app.store_id() AND placed_at >= :since AND placed_at < :now
     AND status NOT IN ('pending_payment', 'cancelled'))
SELECT count(*) AS sold,
       count(*) FILTER (WHERE dispatched_at IS NOT NULL OR delivered_at IS NOT NULL) AS left,
       count(*) FILTER (WHERE status = 'returned' OR (status = 'closed' AND EXISTS (
         SELECT FROM app.order_events e WHERE e.store_id = app.store_id() AND e.order_id = o.id
            AND e.kind = 'returned'))) AS came_back,
       count(dispatched_at) AS dispatched,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM dispatched_at - begins_at))
         FILTER (WHERE dispatched_at IS NOT NULL) / 60 AS minutes,
       (SELECT count(*) FROM app.review_items WHERE store_id = app.store_id()
           AND opened_at >= :since AND kind = ANY(:questions)) AS questions,
       (SELECT count(*) FROM app.review_items WHERE store_id = app.store_id()
           AND opened_at >= :since AND kind = ANY(:questions) AND status = 'resolved') AS solved,
       {TRUST_JSON} AS trust,
       {HOST} AS host
  FROM o
"""  # noqa: S608 - put together from our own modules' text
)


def find_track_record(session: Session, now: datetime) -> TrackRecord:
    """What the orders of the 90 days before ``now`` (UTC) come to."""
    row = session.execute(
        _RECORD,
        {
            "now": now,
            "since": now - timedelta(days=RECORD_DAYS),
            "questions": list(QUESTIONS),
        },
    ).one()
    return TrackRecord(
        sold=row.sold,
        left=row.left,
        came_back=row.came_back,
        dispatched=row.dispatched,
        dispatch_minutes=max(1, round(row.minutes)) if row.dispatched >= ENOUGH else None,
        questions=row.questions,
        solved=row.solved,
        trust=Trust.from_json(row.trust),
        host=row.host or "",
    )
