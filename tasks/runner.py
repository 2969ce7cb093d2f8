"""Claim, act, finish: what surrounds every job.

RQ calls ``run`` with an outbox row's id. The row decides: a second delivery finds
nothing to claim. Database-only jobs finish in one transaction with their effects;
jobs that talk to the outside commit on their own and are marked done after.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from psycopg import errors as pg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.jobs import Topic, TryLater, request_id
from app.logging import get_logger
from app.timings import timings

log = get_logger(__name__)

TRIES_ON_CONFLICT = 3

_CLAIM = text(
    "UPDATE app.outbox SET lease_until = now() + make_interval(secs => :lease)"
    " WHERE store_id = app.store_id() AND id = :id AND status = 'pending'"
    " AND (lease_until IS NULL OR lease_until < now())"
    " RETURNING topic, payload, request_id, attempts"
)
_DONE = text(
    "UPDATE app.outbox SET status = 'done', done_at = now(), lease_until = NULL"
    " WHERE store_id = app.store_id() AND id = :id AND status = 'pending'"
)
_LATER = text(
    "UPDATE app.outbox SET lease_until = NULL, last_error = :error,"
    " available_at = now() + make_interval(secs => :delay)"
    " WHERE store_id = app.store_id() AND id = :id AND status = 'pending'"
)


@dataclass(frozen=True)
class Handler:
    """What runs for a topic. ``is_external`` handlers commit by themselves."""

    run: Callable[..., None]
    is_external: bool


_handlers: dict[Topic, Handler] = {}


def handles(
    topic: Topic, *, external: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the one handler of a topic."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        if topic in _handlers:
            raise RuntimeError(f"{topic} has a handler already")
        _handlers[topic] = Handler(function, external)
        return function

    return register


def handlers() -> dict[Topic, Handler]:
    """Every topic's handler; the modules that define them are imported here."""
    from tasks import bulk, imports, messages, payments, pictures  # noqa: F401 - importing registers

    return _handlers


def run_all(rows: list[list[Any]]) -> None:
    """Run a few outbox rows, each on its own. What RQ calls, possibly twice, possibly at once."""
    for row_id, store_id in rows:
        run(row_id, store_id)


def run(row_id: str, store_id: int) -> None:
    """Run one outbox row inside its store."""
    with inside_store(store_id):
        session: Session = db.session()
        claimed = session.execute(
            _CLAIM, {"id": UUID(row_id), "lease": timings().lease}
        ).one_or_none()
        session.commit()
        if claimed is None:
            log.info("job_already_taken", job_id=row_id)
            return
        request = request_id.set(claimed.request_id)
        structlog.contextvars.bind_contextvars(
            request_id=claimed.request_id, job_id=row_id, store_id=store_id, topic=claimed.topic
        )
        try:
            _act(session, row_id, Topic(claimed.topic), claimed.payload, claimed.attempts)
        finally:
            request_id.reset(request)
            structlog.contextvars.clear_contextvars()
            db.session.remove()


def _act(session: Session, row_id: str, topic: Topic, payload: dict[str, Any], rings: int) -> None:
    handler = handlers()[topic]
    for attempt in range(1, TRIES_ON_CONFLICT + 1):
        try:
            handler.run(session, **payload)
            session.execute(_DONE, {"id": UUID(row_id)})
            session.commit()
        except TryLater as later:
            session.rollback()
            _ring_later(session, row_id, str(later), backed_off(later.after_seconds, rings))
            log.info("job_tries_later", reason=str(later))
        except DBAPIError as error:
            session.rollback()
            # An external handler may be past its call: its row rings again and finds the truth.
            if is_conflict(error) and not handler.is_external and attempt < TRIES_ON_CONFLICT:
                continue
            _ring_later(
                session, row_id, type(error.orig).__name__, backed_off(timings().retry_delay, rings)
            )
            log.warning("job_failed", error=type(error.orig).__name__)
        except Exception as error:
            session.rollback()
            _ring_later(
                session, row_id, type(error).__name__, backed_off(timings().retry_delay, rings)
            )
            log.error("job_failed", error=type(error).__name__, trace=traceback.format_exc())
        else:
            log.info("job_done")
        return


def backed_off(seconds: float, rings: int) -> float:
    """The wait before the next ring: as asked for three times, then doubling, never above five minutes.

    Twelve rings then last for half an hour, so that a provider's outage kills no message.
    """
    doublings = max(0, rings - 3)
    return float(min(max(seconds, 300.0), seconds * 2.0**doublings))


def is_conflict(error: DBAPIError) -> bool:
    """Two transactions met; the same one may simply run again."""
    return isinstance(
        error.orig, (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)
    )


def _ring_later(session: Session, row_id: str, error: str, delay: float) -> None:
    session.execute(_LATER, {"id": UUID(row_id), "error": error[:200], "delay": delay})
    session.commit()
