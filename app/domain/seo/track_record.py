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


# Each day comes with its waits in order. The middle of so many lists is found by halving the time it may
# be at: how many waited no longer than a moment is one search in each list, and it ends when both ends
# are the same minute.
# More than ``low`` and at most ``high`` are the middle wait, or the middle two; ``high`` is NULL when
# ``low`` lies between these two.
_RECORD = text(
    f"""
WITH RECURSIVE parts AS MATERIALIZED (
  SELECT bought, left_shop, came_back, waits || '{{}}'::bigint[] AS waits  -- unpacked once
    FROM app.sums_by_day(:since, :now)),
total AS MATERIALIZED (
  SELECT coalesce(sum(bought), 0)::int AS sold, coalesce(sum(left_shop), 0)::int AS left,
         coalesce(sum(came_back), 0)::int AS came_back,
         coalesce(sum(cardinality(waits)), 0)::int AS dispatched,
         min(waits[1]) AS least, max(waits[cardinality(waits)]) AS most
    FROM parts),
halves(step, low, high) AS (
  SELECT 0, least - 1, most FROM total
   UNION ALL
  SELECT h.step + 1,
         CASE WHEN c.below > t.dispatched / 2 THEN h.low ELSE m.at END,
         CASE WHEN c.below > t.dispatched / 2 THEN m.at
              WHEN c.below < (t.dispatched + 1) / 2 THEN h.high END
    FROM halves h CROSS JOIN total t
   CROSS JOIN LATERAL (SELECT (h.low + h.high) / 2 AS at) m
   CROSS JOIN LATERAL (SELECT sum(width_bucket(m.at, p.waits)) AS below FROM parts p) c
   WHERE h.high - h.low > 1 AND round((h.low + 1) / 6e7::float8) <> round(h.high / 6e7::float8))
SELECT t.sold, t.left, t.came_back, t.dispatched,
       (SELECT CASE WHEN high IS NOT NULL THEN high
                    ELSE (SELECT (max(p.waits[w]) + min(p.waits[w + 1])) / 2.0
                            FROM parts p CROSS JOIN LATERAL width_bucket(low, p.waits) w) END
          FROM halves ORDER BY step DESC LIMIT 1) / 6e7::float8 AS minutes,
       (SELECT count(*) FROM app.review_items WHERE store_id = app.store_id()
           AND opened_at >= :since AND kind = ANY(:questions)) AS questions,
       (SELECT count(*) FROM app.review_items WHERE store_id = app.store_id()
           AND opened_at >= :since AND kind = ANY(:questions) AND status = 'resolved') AS solved,
       {TRUST_JSON} AS trust,
       {HOST} AS host
  FROM total t
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
