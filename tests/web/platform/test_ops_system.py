"""The platform about itself: which role each program has, and who is at a limit."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from psycopg import errors
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.errors import TooManyTries
from app.domain.people import limits, otp, signing_in
from app.domain.platform.programs import EXPECTED
from app.domain.stores.models import Store
from config import Settings
from tasks.relay import Relay
from tasks.worker import say_running_as
from tests.conftest import Database, store_client
from tests.web.platform.conftest import OpsDesk


@pytest.mark.row("W50")
def test_the_page_shows_the_role_of_web_worker_and_relay(
    app: Flask, ops: OpsDesk, settings: Settings
) -> None:
    with app.app_context():
        say_running_as("worker: money")
    relay = Relay(settings.relay_database_url, Redis.from_url(settings.redis_url), settings.timings)
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        relay._say_running(connection)
        page = ops.read("/ops/system/roles")

    assert '<code id="role-web">dukani_app</code>' in page
    assert '<code id="role-platform">dukani_platform</code>' in page
    rows = dict(re.findall(r'<tr><td class="medium">([^<]+)</td><td><code>([^<]+)</code>', page))
    assert rows == {"web": "dukani_app", "worker: money": "dukani_app", "relay": "dukani_relay"}
    assert "wrong role" not in page
    assert page.count("as it should be") == 3
    connected = re.search(r"Connected now(.*?)</section>", page, re.S)
    assert connected is not None
    assert "dukani_relay" in connected[1]


@pytest.mark.row("W50")
def test_the_role_is_what_postgres_says_not_what_a_program_says(
    database: Database, ops: OpsDesk
) -> None:
    with psycopg.connect(database.urls["dukani_app"], autocommit=True) as connection:
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(
                "INSERT INTO app.programs (name, host, role) VALUES ('relay', 'x', 'dukani_relay')"
            )
        connection.execute("INSERT INTO app.programs (name, host) VALUES ('relay', 'elsewhere')")
    try:
        page = ops.read("/ops/system/roles")
    finally:
        with psycopg.connect(database.superuser, autocommit=True) as connection:
            connection.execute("DELETE FROM app.programs WHERE host = 'elsewhere'")

    assert "wrong role" in page
    assert EXPECTED["relay"] == "dukani_relay"


@pytest.mark.row("T53")
def test_the_limits_page_shows_each_limit_and_who_is_at_it(
    app: Flask, ops: OpsDesk, session: Session
) -> None:
    account = "somebody@duka.example"
    for _ in range(signing_in.FAILED_PER_ADDRESS[0]):
        with inside_store(PLATFORM_STORE):
            db.session.remove()
            limits.note_try(db.session(), "sign-in:address", account)
            db.session.commit()
            db.session.remove()
    with inside_store(PLATFORM_STORE):
        with pytest.raises(TooManyTries):
            limits.take_turn(
                db.session(), "sign-in:address", account, signing_in.FAILED_PER_ADDRESS
            )
        subject = limits._hashed(account).hex()[:8]
        db.session.remove()

    page = ops.read("/ops/system/limits")

    assert f"<code>{subject}</code>" in page
    assert account not in page
    assert "Wrong passwords from one address" in page
    assert f"{otp.PER_PHONE[1][0]} / 15 minutes" in page


@pytest.mark.row("T53")
def test_an_address_that_asked_too_often_is_counted_and_not_named(
    app: Flask, ops: OpsDesk, redis: Redis, store: Store
) -> None:
    redis.flushdb()
    shopper = store_client(app, store)
    address = str(shopper.environ_base["REMOTE_ADDR"])
    answers = [shopper.get("/search?q=tea").status_code for _ in range(121)]
    assert answers[-1] == 429

    page = ops.read("/ops/system/limits")

    row = re.search(r"Searches and carts</td>(.*?)</tr>", page, re.S)
    assert row is not None
    assert "120 per minute" in row[1]
    assert re.search(r'<span class="pill pill--now">1</span> <code>[0-9a-f]{8}</code>', row[1])
    assert address not in page


def test_without_redis_the_page_says_so(
    app: Flask, ops: OpsDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        app.extensions,
        "cache_redis",
        Redis(host="127.0.0.1", port=9, retry=Retry(NoBackoff(), 0)),
    )

    assert "Redis does not answer" in ops.read("/ops/system/limits")


@pytest.mark.row("N5")
@pytest.mark.parametrize(
    "call",
    [
        "ops_find('', '', '{}', '{}')",
        "ops_jobs(NULL, NULL, 5)",
        "ops_job_totals()",
        "ops_events(NULL, NULL, NULL, NULL, 5)",
        "ops_calls(NULL, false, NULL, 5)",
        "ops_limits('{}', '{}', '{}')",
    ],
)
def test_only_the_platforms_role_may_look_over_all_stores(database: Database, call: str) -> None:
    for role in ("dukani_app", "dukani_relay"):
        with (
            psycopg.connect(database.urls[role]) as connection,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            connection.execute(f"SELECT * FROM app.{call}")
    with psycopg.connect(database.urls["dukani_platform"]) as connection:
        connection.execute(f"SELECT * FROM app.{call}")


@pytest.mark.row("N5")
@pytest.mark.parametrize(
    "table", ["callback_inbox", "orders", "customers", "outbox", "payment_settings"]
)
def test_the_platforms_role_reads_no_stores_rows_itself(database: Database, table: str) -> None:
    with (
        psycopg.connect(database.urls["dukani_platform"]) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute(f"SELECT * FROM app.{table}")


def test_a_list_names_stores_by_name(ops: OpsDesk, make_store: Callable[..., Store]) -> None:
    assert "No calls" in ops.read("/ops/events/calls", query_string={"store": "no-such-store"})
