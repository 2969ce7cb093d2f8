"""Jobs that failed often or died, over all stores, and giving them another go.

Reading goes through the platform's functions; a job runs again only inside its own store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.jobs import Topic

MOST_SHOWN = 200
MOST_AT_ONCE = 1000

_JOBS = text("SELECT * FROM app.ops_jobs(:topic, :store_id, :most)")
_TOTALS = text("SELECT * FROM app.ops_job_totals()")
# A job whose lease lives is running now; one that is done stays done.
_AGAIN = text(
    "UPDATE app.outbox SET status = 'pending', attempts = 0, available_at = now(), lease_until = NULL"
    " WHERE store_id = app.store_id() AND id = :id"
    " AND (status = 'dead' OR (status = 'pending' AND attempts > 0"
    "      AND (lease_until IS NULL OR lease_until < now())))"
    " RETURNING topic"
)


@dataclass(frozen=True)
class StuckJob:
    """A job that died (``status`` dead) or keeps failing (pending, tried four times or more)."""

    store_id: int
    id: UUID
    topic: str
    queue: str
    status: str
    attempts: int
    created_at: datetime
    available_at: datetime
    last_error: str | None


@dataclass(frozen=True)
class TopicTotals:
    """How one topic's jobs are: waiting in all, tried often, dead; ``oldest`` of those in trouble."""

    topic: str
    waiting: int
    tired: int
    dead: int
    oldest: datetime | None


def stuck_jobs(
    session: Session,
    *,
    topic: Topic | None = None,
    store_id: int | None = None,
    most: int = MOST_SHOWN,
) -> list[StuckJob]:
    """Dead jobs first, then those that keep failing; the oldest first. Platform's session."""
    rows = session.execute(
        _JOBS, {"topic": topic.value if topic else None, "store_id": store_id, "most": most}
    )
    return [StuckJob(**row) for row in rows.mappings()]


def job_totals(session: Session) -> list[TopicTotals]:
    """Every topic that has jobs which are not done. Platform's session."""
    return [TopicTotals(**row) for row in session.execute(_TOTALS).mappings()]


def run_again(session: Session, job_id: UUID) -> str | None:
    """Give one job of the bound store another go; its topic, or None when there is nothing to do.

    Pressing twice is pressing once: a job that waits already, runs now or is done is left alone.
    Does not commit.
    """
    topic: str | None = session.scalar(_AGAIN, {"id": job_id})
    return topic
