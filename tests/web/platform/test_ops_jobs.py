"""A job that dies is seen by the platform, runs again by a button, and works once."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.audit.models import AuditEntry
from app.domain.seo.models import Sitemap
from app.domain.stores.models import Store
from app.jobs import OutboxRow, Topic, ask_for
from config import Settings
from tasks import bulk
from tasks.relay import MOST_ATTEMPTS, Relay
from tasks.runner import run
from tests.builders import make_variant
from tests.web.platform.conftest import OpsDesk


class Broken(Exception):
    """What the job meets."""


def run_job(app: Flask, job_id: UUID, store: Store) -> None:
    """As a worker's child would, in a context of its own."""

    def act() -> None:
        with app.app_context():
            run(str(job_id), store.id)

    contextvars.Context().run(act)


def row(session: Session, store: Store, job_id: UUID) -> OutboxRow:
    session.rollback()
    session.expire_all()
    return session.get_one(OutboxRow, (store.id, job_id))


@pytest.fixture
def relay(settings: Settings) -> Relay:
    redis = Redis.from_url(settings.redis_url)
    redis.flushdb()
    return Relay(settings.relay_database_url, redis, settings.timings)


def make_dead(session: Session, relay: Relay, *ids: UUID) -> None:
    """Have the relay give these up, as it does after twelve tries."""
    session.execute(
        text(
            "UPDATE app.outbox SET attempts = :n WHERE store_id = app.store_id() AND id = ANY(:ids)"
        ),
        {"n": MOST_ATTEMPTS + 1, "ids": list(ids)},
    )
    session.commit()
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        relay.give_up(connection)


@pytest.mark.row("T74")
def test_a_job_dies_is_seen_runs_again_and_works_once(
    app: Flask,
    ops: OpsDesk,
    session: Session,
    store: Store,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_variant(session)
    job_id = ask_for(session, Topic.WRITE_SITEMAP, key="once")
    session.commit()

    def fails(*args: object) -> None:
        raise Broken

    with monkeypatch.context() as broken:
        broken.setattr(bulk, "write", fails)
        run_job(app, job_id, store)
    assert row(session, store, job_id).last_error == "Broken"
    make_dead(session, relay, job_id)
    assert row(session, store, job_id).status == "dead"

    assert "1 job" in ops.read("/ops/") or "jobs are dead" in ops.read("/ops/")
    page = ops.read("/ops/jobs", query_string={"store": store.slug})
    assert "write_sitemap" in page
    assert "Broken" in page
    assert store.name in page
    assert ops.press(page, f"/{job_id}/again").status_code == 303

    revived = row(session, store, job_id)
    assert (revived.status, revived.attempts) == ("pending", 0)
    run_job(app, job_id, store)
    run_job(app, job_id, store)
    assert row(session, store, job_id).status == "done"
    assert session.scalar(select(func.count()).select_from(Sitemap)) == 1


@pytest.mark.row("T74")
def test_pressing_twice_is_pressing_once_and_a_done_job_stays_done(
    app: Flask, ops: OpsDesk, session: Session, store: Store, relay: Relay
) -> None:
    make_variant(session)
    job_id = ask_for(session, Topic.WRITE_SITEMAP, key="twice")
    session.commit()
    make_dead(session, relay, job_id)
    page = ops.read("/ops/jobs", query_string={"store": store.slug})
    ops.press(page, f"/{job_id}/again")
    second = ops.press(page, f"/{job_id}/again")
    assert "Nothing to do" in ops.read("/ops/jobs")
    assert second.status_code == 303
    run_job(app, job_id, store)
    made_at = session.scalars(select(Sitemap.made_at)).all()

    ops.press(page, f"/{job_id}/again")

    assert row(session, store, job_id).status == "done"
    run_job(app, job_id, store)
    assert session.scalars(select(Sitemap.made_at)).all() == made_at
    entries = session.scalars(select(AuditEntry.action).where(AuditEntry.action == "job.rerun"))
    assert len(entries.all()) == 1


@pytest.mark.row("T74")
def test_all_dead_jobs_of_a_kind_run_again_over_stores(
    ops: OpsDesk,
    session: Session,
    store: Store,
    theirs: Store,
    relay: Relay,
    make_store: Callable[..., Store],
) -> None:
    from app.db.tenancy import inside_store

    jobs: list[tuple[Store, UUID]] = []
    for one in (store, theirs):
        with inside_store(one.id):
            db.session.remove()
            inner = db.session()
            ids = [ask_for(inner, Topic.LOOK_FOR_NUDGES, key=f"{n}") for n in range(3)]
            inner.commit()
            make_dead(inner, relay, *ids)
            jobs += [(one, job_id) for job_id in ids]
            db.session.remove()
    page = ops.read("/ops/jobs")

    form = page[page.index('value="look_for_nudges"') - 400 :]
    told = ops.press(form, "/ops/jobs/again", {"topic": "look_for_nudges"})

    assert told.status_code == 303
    for one, job_id in jobs:
        with inside_store(one.id):
            db.session.remove()
            found = db.session().get_one(OutboxRow, (one.id, job_id))
            assert (found.status, found.attempts) == ("pending", 0)
            db.session.remove()
    assert "Nothing of that kind is dead" in _after(ops, "look_for_nudges")


def _after(ops: OpsDesk, topic: str) -> str:
    ops.post("/ops/jobs/again", {"topic": topic})
    return ops.read("/ops/jobs")


def test_a_kind_that_is_none_is_not_found(ops: OpsDesk) -> None:
    assert ops.post("/ops/jobs/again", {"topic": "drop_tables"}).status_code == 404


def test_a_job_that_runs_now_is_left_alone(ops: OpsDesk, session: Session, store: Store) -> None:
    job_id = ask_for(session, Topic.WRITE_SITEMAP, key="running")
    session.execute(
        text(
            "UPDATE app.outbox SET attempts = 5, lease_until = now() + interval '1 minute'"
            " WHERE store_id = app.store_id() AND id = :id"
        ),
        {"id": job_id},
    )
    session.commit()

    page = ops.read("/ops/jobs", query_string={"store": store.slug})
    ops.press(page, f"/{job_id}/again")

    found = row(session, store, job_id)
    assert found.attempts == 5
    assert found.lease_until is not None
