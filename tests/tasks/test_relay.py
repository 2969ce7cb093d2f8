"""The relay with a real Postgres and Valkey: rings once, rings again, and gives up loudly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic

import psycopg
import pytest
from redis import Redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.jobs import Topic, ask_for
from config import Settings
from tasks.relay import MOST_ATTEMPTS, REST, Relay
from tests.conftest import Database
from tests.world import wait_for


@pytest.fixture
def relay(settings: Settings, database: Database) -> Relay:
    """A relay whose queues are empty and stay so: what other tests asked for is done."""
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("UPDATE app.outbox SET status = 'done' WHERE status = 'pending'")
    redis = Redis.from_url(settings.redis_url)
    redis.flushdb()
    return Relay(settings.relay_database_url, redis, settings.timings)


@contextmanager
def running(relay: Relay) -> Iterator[None]:
    """The relay at its work, in a thread, until the block ends."""
    thread = Thread(target=relay.run_forever)
    thread.start()
    try:
        yield
    finally:
        relay.is_stopping = True
        thread.join(10)


def row_of(session: Session, key: str) -> tuple[str, int]:
    found = session.execute(
        text(
            "SELECT status, attempts FROM app.outbox WHERE store_id = app.store_id() AND dedupe_key = :key"
        ),
        {"key": key},
    ).one()
    session.commit()
    return found.status, found.attempts


def test_a_due_row_is_rung_once_and_not_again_before_its_time(
    relay: Relay, database: Database, session: Session
) -> None:
    ask_for(session, Topic.WRITE_SITEMAP, key="once")
    session.commit()
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        while relay.ring(connection):
            pass

    assert row_of(session, "once") == ("pending", 1)
    assert relay.queues["bulk"].count >= 1


def test_what_is_asked_for_in_quick_succession_is_rung_together(
    relay: Relay, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand callbacks a few milliseconds apart are no thousand looks at the outbox."""
    looks: list[int] = []
    ring = relay.ring
    monkeypatch.setattr(relay, "ring", lambda to: looks.append(ring(to)) or looks[-1])
    with running(relay):
        wait_for("its first look", lambda: looks)
        begun, quiet = monotonic(), len(looks)
        for n in range(20):
            ask_for(session, Topic.WRITE_SITEMAP, key=f"quick-{n}")
            session.commit()
        wait_for("every row rung", lambda: sum(looks) >= 20)
        seconds = monotonic() - begun

    assert len(looks) - quiet <= seconds / REST + 2


@pytest.mark.row("T74")
def test_a_relay_that_runs_gives_up_dead_rows_and_asks_for_what_is_due_by_the_clock(
    relay: Relay, session: Session
) -> None:
    ask_for(session, Topic.WRITE_SITEMAP, key="given up")
    session.execute(
        text(
            "UPDATE app.outbox SET attempts = :n WHERE store_id = app.store_id() AND dedupe_key = 'given up'"
        ),
        {"n": MOST_ATTEMPTS + 1},
    )
    session.execute(
        text("UPDATE app.schedules SET next_run_at = now() WHERE store_id = app.store_id()")
    )
    session.commit()

    def due() -> int:
        found = session.execute(
            text(
                "SELECT count(*) FROM app.schedules WHERE store_id = app.store_id() AND next_run_at <= now()"
            )
        ).scalar_one()
        session.commit()
        return int(found)

    with running(relay):
        wait_for("the row is dead", lambda: row_of(session, "given up")[0] == "dead")
        wait_for("every schedule has run", lambda: due() == 0)


@pytest.mark.row("T74")
def test_a_job_that_never_succeeds_is_kept_as_dead_and_can_run_again(
    relay: Relay, database: Database, session: Session
) -> None:
    ask_for(session, Topic.WRITE_SITEMAP, key="hopeless")
    session.execute(
        text(
            "UPDATE app.outbox SET attempts = :n WHERE store_id = app.store_id() AND dedupe_key = 'hopeless'"
        ),
        {"n": MOST_ATTEMPTS + 1},
    )
    session.commit()
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        relay.give_up(connection)
    died = row_of(session, "hopeless")
    session.execute(
        text(
            "UPDATE app.outbox SET status = 'pending', attempts = 0"
            " WHERE store_id = app.store_id() AND dedupe_key = 'hopeless'"
        )
    )
    session.commit()
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        while relay.ring(connection):
            pass

    assert died[0] == "dead"
    assert row_of(session, "hopeless") == ("pending", 1)


def test_a_full_queue_gets_no_more_bells(
    relay: Relay, database: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.relay.MOST_BELLS", 0)
    ask_for(session, Topic.WRITE_SITEMAP, key="patient")
    session.commit()
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        relay.ring(connection)

    assert row_of(session, "patient") == ("pending", 0)
