"""What a pooled connection keeps from one transaction to the next, and what it never keeps."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from sqlalchemy.orm import Session

from app.db.connections import KeepsPlans
from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.delivery.actions import serve_area
from app.domain.stores.models import Store
from tests.builders import make_variant
from tests.conftest import Database

READ = "SELECT id, name FROM {table} WHERE id = %s"


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[TupleRow]]:
    with KeepsPlans.connect(database.superuser) as connection:
        connection.prepare_threshold = 0
        yield connection


def prepared(connection: psycopg.Connection[TupleRow]) -> int:
    """How many statements this connection has in Postgres, this question left out."""
    rows = connection.execute(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement NOT LIKE '%%pg_prepared%%'",
        prepare=False,
    )
    return int(rows.fetchone()[0])  # type: ignore[index]


def test_a_transaction_that_is_only_given_up_keeps_its_plans(
    connection: psycopg.Connection[TupleRow],
) -> None:
    for _ in range(3):
        connection.execute("SELECT %s::int", (1,))
        connection.rollback()

    assert prepared(connection) == 1


@pytest.mark.row("J43")
def test_a_kept_plan_reads_the_store_of_its_transaction_and_no_other(
    app: Flask, store: Store, theirs: Store, database: Database
) -> None:
    """The plan that one store's page made serves the next store's page on the same connection."""
    for each in (store, theirs):
        with app.app_context(), inside_store(each.id):
            serve_area(db.session(), "kilimani", actor="test")
            db.session.commit()
            db.session.remove()
    with KeepsPlans.connect(database.urls["dukani_app"]) as connection:
        connection.prepare_threshold = 0
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.commit()
        for each in (store, theirs) * 3:
            connection.execute("SELECT set_config('app.store_id', %s, true)", (str(each.id),))
            seen = connection.execute("SELECT store_id FROM app.delivery_areas").fetchall()
            connection.rollback()
            assert seen == [(each.id,)]
        assert connection.execute("SELECT store_id FROM app.delivery_areas").fetchall() == []


def planned(app: Flask, words: str) -> tuple[int, int]:
    """How often the product's own pool planned such a statement anew, and how often it did not."""
    with app.app_context(), db.engine.connect() as pooled:
        found = pooled.exec_driver_sql(
            "SELECT coalesce(sum(custom_plans), 0), coalesce(sum(generic_plans), 0)"
            " FROM pg_prepared_statements WHERE statement LIKE %(words)s",
            {"words": f"%{words}%"},
        ).one()
    return int(found[0]), int(found[1])


def test_a_page_asked_for_again_is_neither_parsed_nor_planned_anew(
    app: Flask, session: Session, client: FlaskClient
) -> None:
    """Nothing is left of what psycopg would have forgotten."""
    make_variant(session, name="Kericho tea")
    session.commit()
    for _ in range(6):
        assert client.get("/p/kericho-tea").status_code == 200
    before = planned(app, "'related'")
    for _ in range(6):
        assert client.get("/p/kericho-tea").status_code == 200
    after = planned(app, "'related'")

    assert after[1] > before[1]
    assert after[0] == before[0]


def test_a_cart_looked_at_again_is_not_planned_anew(
    app: Flask, session: Session, client: FlaskClient
) -> None:
    """What goes with it is a long statement, which took ten times as long to plan as to run."""
    make_variant(session, name="Kericho tea", sku="TEA")
    session.commit()
    form = {"sku": "TEA", "quantity": "1"}
    client.post("/cart/lines", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    before = planned(app, "these AS MATERIALIZED")
    for _ in range(12):
        assert "Kericho tea" in client.get("/cart").text
    after = planned(app, "these AS MATERIALIZED")

    assert after[1] > before[1]
    assert after[0] == before[0]


def test_what_a_transaction_said_of_itself_is_forgotten_with_it(
    connection: psycopg.Connection[TupleRow],
) -> None:
    connection.execute("SELECT set_config('app.store_id', '7', true)")
    connection.rollback()

    [store] = connection.execute("SELECT current_setting('app.store_id', true)").fetchone() or ()

    assert not store


@pytest.mark.row("J43")
def test_a_transaction_begins_as_a_store_and_ends_as_none(
    connection: psycopg.Connection[TupleRow],
) -> None:
    assert isinstance(connection, KeepsPlans)
    for end in (connection.commit, connection.rollback):
        assert connection.begin_saying(b"SET LOCAL app.store_id = '7'")
        assert said_store(connection) == "7"
        end()
        assert not said_store(connection)
        connection.rollback()


def said_store(connection: psycopg.Connection[TupleRow]) -> str | None:
    """The store that Postgres was told of last."""
    [said] = connection.execute("SELECT current_setting('app.store_id', true)").fetchone() or ()
    return str(said) if said else None


def test_a_transaction_that_has_begun_is_not_begun_again(
    connection: psycopg.Connection[TupleRow],
) -> None:
    assert isinstance(connection, KeepsPlans)
    connection.execute("SELECT 1")

    assert not connection.begin_saying(b"SET LOCAL app.store_id = '7'")
    assert not said_store(connection)


def test_what_postgres_refuses_begins_nothing(connection: psycopg.Connection[TupleRow]) -> None:
    assert isinstance(connection, KeepsPlans)

    assert not connection.begin_saying(b"SET LOCAL no_such_thing = 1")
    assert connection.info.transaction_status == TransactionStatus.IDLE


def test_a_connection_that_died_begins_nothing_and_says_so_at_the_first_statement(
    connection: psycopg.Connection[TupleRow], database: Database
) -> None:
    assert isinstance(connection, KeepsPlans)
    with psycopg.connect(database.superuser, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))

    assert not connection.begin_saying(b"SET LOCAL app.store_id = '7'")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")


def test_a_connection_that_died_in_a_transaction_says_so(
    connection: psycopg.Connection[TupleRow], database: Database
) -> None:
    connection.execute("SELECT 1")
    with psycopg.connect(database.superuser, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))

    with pytest.raises(psycopg.OperationalError):
        connection.rollback()


def test_a_plan_that_no_longer_fits_its_table_goes_with_the_error(
    connection: psycopg.Connection[TupleRow], database: Database
) -> None:
    """A migration may change a column's type under a process that goes on running."""
    with psycopg.connect(database.superuser, autocommit=True) as other:
        other.execute("CREATE TABLE app.changing (id int PRIMARY KEY, name text)")
        other.execute("INSERT INTO app.changing VALUES (1, '7')")
        try:
            read = READ.format(table="app.changing")
            assert connection.execute(read, (1,)).fetchone() == (1, "7")
            connection.rollback()
            other.execute("ALTER TABLE app.changing ALTER name TYPE int USING name::int")

            with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
                connection.execute(read, (1,))
            connection.rollback()

            assert connection.execute(read, (1,)).fetchone() == (1, 7)
            connection.rollback()
        finally:
            other.execute("DROP TABLE app.changing")
