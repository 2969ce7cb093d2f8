"""Whatever is sent, the answer is a page or a 4xx with words; never a 500, nothing half-written.

The generator is that of ``python -m bench.fuzz``, which runs it for longer.
"""

from __future__ import annotations

import contextvars
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event

from app.db.engine import db
from bench.fuzz import GOOD, MADE, POOLS, Figures, Maker, run, send
from bench.fuzz_shop import open_aim, refill
from tests.conftest import Database

SEED = 20261
PASSES = 2
NAMED = re.compile(r"<(?:input|select|textarea|button)\b[^>]*?\bname=\"([^\"{]+)\"", re.S)
# What sqlmap begins with: a way out of a string, a second statement, a tautology, a wait, a union.
INJECTIONS = (
    "zqzq' OR pg_sleep(3) IS NULL --",
    "zqzq\"); SELECT set_config('app.store_id', '1', true); --",
    "zqzq%' UNION SELECT password_hash FROM app.people --\\",
)


@pytest.fixture(scope="module")
def figures(app: Flask) -> Figures:
    return run(app, seed=SEED, passes=PASSES)


@pytest.fixture(scope="module")
def maker(app: Flask) -> Maker:
    """Makes requests at a store of its own."""
    ours, theirs = open_aim(app, "Duka la Fuzz"), open_aim(app, "Duka Jirani")
    refill(app, ours)
    refill(app, theirs)
    return Maker(app, random.Random(SEED), ours, theirs)


@pytest.mark.row("T58")
def test_no_request_is_answered_with_500_or_above(figures: Figures) -> None:
    assert figures.bugs == []
    assert figures.missed(least=PASSES) == []
    print(*figures.lines(), sep="\n")


def test_requests_hit_every_rule_and_method_as_everybody(app: Flask, figures: Figures) -> None:
    wanted = {
        (rule.rule, method, role)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        for role in ("visitor", "shopper", "owner")
    }

    assert set(figures.hits) == wanted
    assert figures.share >= 0.4


def test_the_same_seed_makes_the_same_requests(app: Flask, maker: Maker) -> None:
    def shape(seed: int) -> list[tuple[str, str, str, int]]:
        # What is signed carries the time, so queries and bodies are told apart by hosts and paths.
        again = Maker(app, random.Random(seed), maker.ours, maker.theirs)
        shots = [shot for shot, _ in zip(again.one_pass(), range(200), strict=False)]
        return [
            (shot.host, shot.method, shot.path.partition("?")[0], len(shot.headers))
            for shot in shots
        ]

    assert shape(7) == shape(7) != shape(8)


def test_the_generator_knows_every_field_of_every_page() -> None:
    """A new field gets a value somebody would send, or only hostile ones would be tried."""
    known = {*GOOD, *POOLS, *MADE, "csrf_token", "file"}
    names = {
        name
        for page in Path("templates").rglob("*.html")
        for name in NAMED.findall(page.read_text())
        if not name.startswith(("option-", "col:"))
    }

    assert names - known == set()
    assert len(names) > 20


@pytest.mark.row("T59")
def test_no_field_reaches_a_statement_as_text(app: Flask, maker: Maker) -> None:
    """Typed words travel beside the statement, never in it; and nothing they say is done."""
    refill(app, maker.ours)
    slow: list[str] = []
    with statements(app) as asked:
        for rule in maker.rules:
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                for n, name in enumerate(maker.fields[rule.endpoint]):
                    words = INJECTIONS[n % len(INJECTIONS)]
                    shot = maker.shot("owner", rule, method, {name: words})
                    started = time.monotonic()
                    assert contextvars.Context().run(send, app, shot) < 500, str(shot)
                    if time.monotonic() - started > 2.9:
                        slow.append(str(shot))

    assert [statement for statement in asked if "zqzq" in statement] == []
    assert slow == []
    assert len(asked) > 1000


@pytest.mark.row("W10")
def test_saying_paid_pays_nothing(app: Flask, maker: Maker, database: Database) -> None:
    """Every form of the shop, with the fields a browser would need to decide about money."""
    refill(app, maker.ours)
    claims = {
        "status": "paid",
        "payment_status": "succeeded",
        "is_paid": "true",
        "receipt": "TJ3MX6CLYC",
        "amount_cents": "0",
        "total_cents": "0",
        "fee_cents": "0",
    }
    before = money(database, maker.ours.store_id)
    tried = 0
    for rule in maker.rules:
        if "POST" in (rule.methods or ()) and not maker.is_platforms(rule):
            for role in ("visitor", "shopper", "owner"):
                status = contextvars.Context().run(
                    send, app, maker.shot(role, rule, "POST", claims)
                )
                assert status < 500
                tried += status in (200, 303, 422)

    assert tried > 10
    assert money(database, maker.ours.store_id) == before


def money(database: Database, store_id: int) -> dict[str, object]:
    """What says that money came: paid orders, succeeded attempts and intents, the ledger, and old totals."""
    questions = {
        "paid": "SELECT count(*) FROM app.orders WHERE store_id = %s AND paid_at IS NOT NULL",
        "attempts": "SELECT count(*) FROM app.payment_attempts WHERE store_id = %s AND status = 'succeeded'",
        "intents": "SELECT count(*) FROM app.payment_intents WHERE store_id = %s AND status = 'succeeded'",
        "ledger": "SELECT count(*) FROM app.ledger_entries WHERE store_id = %s",
        "free": "SELECT count(*) FROM app.orders WHERE store_id = %s AND total_cents < 450_00",
    }
    with psycopg.connect(database.superuser) as connection:
        return {
            name: connection.execute(statement, (store_id,)).fetchall()
            for name, statement in questions.items()
        }


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Every statement that either of the web process's roles sends meanwhile."""
    asked: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany):  # type: ignore[no-untyped-def]
        asked.append(statement)

    from app.db import engine

    assert engine._platform is not None
    with app.app_context():
        engines = [db.engine, engine._platform.kw["bind"]]
    for one in engines:
        event.listen(one, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        for one in engines:
            event.remove(one, "before_cursor_execute", note)
