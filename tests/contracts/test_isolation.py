"""Promises about the whole database, asked of the real schema, so that a new table cannot forget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import NoStoreBound, inside_store
from app.domain.stores.models import Store
from app.ids import new_token, token_hash
from tests.builders import attempt_of, make_callback, make_order, make_payment_settings
from tests.conftest import Database

LOGINS = ("dukani_app", "dukani_relay", "dukani_platform")
# Values that are random or given out by a provider: unique on the whole platform on purpose.
GLOBAL_KEYS = {
    "domains_host_key",
    "orders_token_key",
    "payment_attempts_token_key",
    "payment_attempts_checkout_key",
    "payment_attempts_receipt_key",
    "payment_settings_c2b_key",
    "incoming_payments_receipt_key",
    "shopper_sessions_token_key",
    "channel_settings_phone_number_id_key",
}
# Every function that runs with its owner's rights, and why it must.
DEFINERS = {
    "resolve_host": "host -> store, before any store is known",
    "resolve_callback": "callback secret -> attempt and store, before any store is known",
    "resolve_c2b": "C2B secret -> store, before any store is known",
    "ask_for_sitemap": "an edit by any role asks for the store's sitemap, once a quarter of an hour",
    "changed_pages": "versions of pages, by store, for a web process that serves every store",
    "fold_changes": "the relay counts every store's changes and asks for purges",
    "resolve_letter": "the provider's id of a letter that came back -> message and store",
    "note_changed_day": "a changed order says so of its day, in a table that no role may write",
    "note_return": "the same for an order that came back",
    "sum_order_days": "adds up the days of the bound store, in a table that no role may write",
    "people_with": "who of the bound store has one of these roles, for a job that tells them something",
    "run_due_schedules": "the relay advances every store's schedules and writes their outbox rows",
    "search_products": "an index of words is not used under row-level security",
    "near_words": "the same for a mistyped word",
    "ops_find": "receipt, till or a customer's number -> store, for the platform's desk alone",
    "ops_jobs": "jobs that died or keep failing, without payloads, for the platform's desk alone",
    "ops_job_totals": "how many jobs of each topic wait or died, for the platform's desk alone",
    "ops_events": "what providers sent, without bodies, for the platform's desk alone",
    "ops_calls": "how calls to providers ended, without bodies, for the platform's desk alone",
    "ops_limits": "how many are at a limit, by short hashes, for the platform's desk alone",
}


@pytest.fixture(scope="module")
def owner(database: Database) -> Iterator[psycopg.Connection]:
    """The superuser, for reading the catalogue only."""
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        yield connection


def store_tables(owner: psycopg.Connection) -> list[str]:
    rows = owner.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'store_id'"
        " AND NOT a.attisdropped WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'app'::regnamespace ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.row("W6", "N15", "J43")
def test_every_table_with_a_store_forces_row_level_security(owner: psycopg.Connection) -> None:
    unprotected = owner.execute(
        """
        SELECT c.relname FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'store_id' AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'app'::regnamespace
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                    AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
        """
    ).fetchall()

    assert unprotected == []
    assert len(store_tables(owner)) > 30


def test_every_key_between_store_tables_starts_with_the_store(owner: psycopg.Connection) -> None:
    keys = owner.execute(
        """
        SELECT con.conname, con.contype::text, pg_get_constraintdef(con.oid)
          FROM pg_constraint con JOIN pg_class c ON c.oid = con.conrelid
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'store_id' AND NOT a.attisdropped
         WHERE c.relnamespace = 'app'::regnamespace AND con.contype IN ('f', 'u', 'p')
        """
    ).fetchall()
    wrong = [
        (name, definition)
        for name, kind, definition in keys
        if not re.match(r"(?:PRIMARY KEY|UNIQUE|FOREIGN KEY) \(store_id", definition)
        and name not in GLOBAL_KEYS
        # memberships ties a store to a person, who is global.
        and name != "memberships_person_id_fkey"
    ]

    assert wrong == []


@pytest.mark.row("J44")
def test_views_ask_as_their_reader_and_definers_are_listed_and_pinned(
    owner: psycopg.Connection,
) -> None:
    views = owner.execute(
        "SELECT relname, coalesce(array_to_string(reloptions, ','), '') FROM pg_class"
        " WHERE relkind IN ('v', 'm') AND relnamespace = 'app'::regnamespace"
    ).fetchall()
    definers = owner.execute(
        "SELECT p.proname, coalesce(array_to_string(p.proconfig, ','), ''), r.rolname, r.rolsuper,"
        " has_function_privilege('public', p.oid, 'EXECUTE') FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner"
        " WHERE p.prosecdef AND p.pronamespace = 'app'::regnamespace"
    ).fetchall()

    assert [name for name, options in views if "security_invoker=true" not in options] == []
    assert len(views) >= 1
    assert {name for name, *_ in definers} == set(DEFINERS)
    for name, config, owner_name, is_super, is_public in definers:
        assert config.startswith("search_path=app, pg_temp"), name
        assert owner_name in ("dukani_definer", "dukani_search"), name
        assert not is_super, name
        assert not is_public, name


@pytest.mark.row("W43")
def test_a_secret_is_no_way_into_its_store_from_inside_another(
    database: Database, session: Session, store: Store, theirs: Store
) -> None:
    """The function that keeps callbacks binds a store by itself: not where one is bound already."""
    token = new_token()
    with inside_store(theirs.id):
        db.session.remove()
        make_payment_settings(db.session())
        attempt_of(db.session(), make_order(db.session())).token_hash = token_hash(token)
        db.session.commit()
    keep = (
        "SELECT store_id FROM app.store_callback(%s, 'c2b_confirmation', gen_random_uuid(),"
        " gen_random_uuid(), ''::bytea, '{}', '', NULL, '')"
    )
    address = database.urls["dukani_app"]

    with psycopg.connect(address) as connection:
        connection.execute("SELECT set_config('app.store_id', %s, true)", (str(store.id),))
        with pytest.raises(errors.InvalidTransactionState):
            connection.execute(keep, (token,))
    with psycopg.connect(address, autocommit=True) as connection:
        stored = connection.execute(keep, (token,)).fetchall()
        left = connection.execute("SELECT app.store_id()").fetchone()

    assert stored == [(theirs.id,)]
    assert left == (None,)  # and the next to use the connection is in no store


@pytest.mark.row("J45")
def test_people_and_sessions_cannot_be_read_by_the_shops_role(owner: psycopg.Connection) -> None:
    granted = owner.execute(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee IN ('dukani_app', 'dukani_relay', 'PUBLIC') AND table_schema = 'app'"
        " AND table_name IN ('people', 'sessions', 'memberships')"
    ).fetchall()

    assert granted == []


@pytest.mark.parametrize("role", LOGINS)
def test_no_login_of_the_product_can_step_around_isolation(database: Database, role: str) -> None:
    with psycopg.connect(database.urls[role]) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid)"
            " FROM pg_roles r WHERE rolname = current_user"
        ).fetchone()

    assert row == (False, False, 0)


def test_no_table_can_be_truncated_or_referenced_by_a_login(owner: psycopg.Connection) -> None:
    granted = owner.execute(
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = 'app'"
        " AND grantee = ANY(%s) AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')",
        (list(LOGINS),),
    ).fetchall()

    assert granted == []


@pytest.fixture
def two_full_stores(session: Session, store: Store, theirs: Store) -> tuple[int, int]:
    """Both stores with an order, an attempt, money settings, ledger and messages."""
    from app.domain.payments.settling import settle

    for one in (store, theirs):
        with inside_store(one.id):
            db.session.remove()
            inner = db.session()
            make_payment_settings(inner)
            order = make_order(inner)
            attempt = attempt_of(inner, order)
            make_callback(inner, "stk", b"{}", attempt_id=attempt.id)
            for status in ("sending", "awaiting_customer"):
                attempt.status = status  # type: ignore[assignment]
                inner.flush()
            settle(inner, attempt.id, confirmed_by="query")
            inner.commit()
            db.session.remove()
    return store.id, theirs.id


@pytest.mark.row("W43", "N78", "N5")
def test_no_role_reaches_another_stores_rows_by_any_verb(
    database: Database, owner: psycopg.Connection, two_full_stores: tuple[int, int]
) -> None:
    """Every table x role x {read, insert, update, move, delete}, as us on them and as nobody: 0 rows or 42501."""
    ours, theirs = two_full_stores
    asked = 0
    filled = 0
    for table in store_tables(owner):
        name = sql.Identifier("app", table)
        theirs_rows = owner.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE store_id = %s").format(name), (theirs,)
        ).fetchone()
        filled += bool(theirs_rows and theirs_rows[0])
        columns = sql.SQL(", ").join(map(sql.Identifier, _written_columns(owner, table)))
        verbs = {
            "read": sql.SQL("SELECT 1 FROM {} WHERE store_id = {}").format(name, theirs),
            "update": sql.SQL("UPDATE {} SET store_id = store_id WHERE store_id = {}").format(
                name, theirs
            ),
            "move": sql.SQL("UPDATE {} SET store_id = {} WHERE store_id = {}").format(
                name, ours, theirs
            ),
            "give away": sql.SQL("UPDATE {} SET store_id = {} WHERE store_id = {}").format(
                name, theirs, ours
            ),
            "delete": sql.SQL("DELETE FROM {} WHERE store_id = {}").format(name, theirs),
            "insert": sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} WHERE store_id = {}").format(
                name, columns, columns, name, theirs
            ),
        }
        for bound in (str(ours), ""):
            for verb, statement in verbs.items():
                with psycopg.connect(database.urls["dukani_app"]) as connection:
                    connection.execute("SELECT set_config('app.store_id', %s, true)", (bound,))
                    assert _touched(connection, statement) == 0, (table, verb, bound)
                    asked += 1

    assert filled >= 20, "the walk must meet real rows of the other store"
    assert asked == len(store_tables(owner)) * 12


def _written_columns(owner: psycopg.Connection, table: str) -> list[str]:
    """The columns that a row brings along; what the database works out itself is none of them."""
    return [
        row[0]
        for row in owner.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'app'"
            " AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position",
            (table,),
        ).fetchall()
    ]


def _touched(connection: psycopg.Connection, statement: sql.Composed) -> int:
    """Rows read or changed; 0 also for the refusals that keep them apart."""
    try:
        return connection.execute(statement).rowcount
    except (errors.InsufficientPrivilege, errors.NotNullViolation, errors.CheckViolation):
        return 0


@pytest.mark.row("M39")
def test_a_session_without_a_store_reads_nothing_and_says_why(
    app: object, session: Session
) -> None:
    from app.db.tenancy import current_store

    db.session.remove()
    token = current_store.set(None)
    try:
        with pytest.raises(NoStoreBound):
            db.session.get(Store, 1)
    finally:
        current_store.reset(token)
        db.session.remove()


def test_the_owner_cannot_add_a_key_over_an_orphan_row(
    database: Database, owner: psycopg.Connection
) -> None:
    """Forced row-level security must not blind migrations: the owner's policy shows it every row."""
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("SET ROLE dukani_owner")
        connection.execute(
            "CREATE TABLE app.probe_parent (store_id bigint, id int, PRIMARY KEY (store_id, id))"
        )
        connection.execute(
            "CREATE TABLE app.probe_child (store_id bigint, id int, parent_id int, PRIMARY KEY (store_id, id))"
        )
        try:
            connection.execute(
                "SELECT app.protect('app.probe_parent'), app.protect('app.probe_child')"
            )
            connection.execute("INSERT INTO app.probe_child VALUES (1, 1, 99)")
            with pytest.raises(errors.ForeignKeyViolation):
                connection.execute(
                    "ALTER TABLE app.probe_child ADD FOREIGN KEY (store_id, parent_id) REFERENCES app.probe_parent"
                )
        finally:
            connection.execute("DROP TABLE app.probe_child, app.probe_parent")


@pytest.mark.row("W24")
def test_nothing_could_hold_a_card_number(owner: psycopg.Connection) -> None:
    columns = owner.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'app'"
        " AND column_name ~ '(^|_)(pan|cvv|cvc|card|expiry_month)(_|$)'"
    ).fetchall()

    assert columns == []


def test_a_row_belongs_to_the_store_that_wrote_it(session: Session, store: Store) -> None:
    order = make_order(session)
    session.commit()

    assert order.store_id == store.id
    assert isinstance(order.id, UUID)


def test_another_store_does_not_find_our_order(
    session: Session, store: Store, theirs: Store, make_store: Callable[..., Store]
) -> None:
    from app.domain.orders.models import Order

    order = make_order(session)
    session.commit()
    order_id = order.id
    db.session.remove()
    with inside_store(theirs.id):
        assert db.session.get(Order, (theirs.id, order_id)) is None
        assert db.session.get(Order, (store.id, order_id)) is None
        db.session.remove()


@pytest.mark.row("W42")
def test_an_edit_by_a_superuser_is_reported_by_the_chain(
    database: Database, session: Session, store: Store
) -> None:
    make_order(session)
    session.commit()
    with psycopg.connect(database.superuser) as connection:
        whole = connection.execute(
            "SELECT count(*) FROM app.audit_breaks WHERE store_id = %s", (store.id,)
        ).fetchone()
        connection.execute("ALTER TABLE app.audit_log DISABLE TRIGGER no_change")
        connection.execute(
            "UPDATE app.audit_log SET actor = 'nobody' WHERE store_id = %s AND seq = 1", (store.id,)
        )
        broken = connection.execute(
            "SELECT seq FROM app.audit_breaks WHERE store_id = %s", (store.id,)
        ).fetchall()
        connection.rollback()

    assert whole == (0,)
    assert (1,) in broken
