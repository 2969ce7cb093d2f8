"""Every address as every role, the menu, and every table as every login, against docs/rights.md."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import errors, sql
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.db.engine import db, platform_session
from app.db.tenancy import inside_store
from app.domain.people.permissions import PERMISSIONS, ROLES, can
from app.domain.people.sessions import start_session
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from app.web.backoffice.shell import MENU, MENU_END
from app.web.commands.rights import LOGINS, RIGHTS_PAGE, grants, guarded, methods_of, rights_page
from tests.builders import make_order
from tests.conftest import Database
from tests.web.backoffice.conftest import platform_client

ARGUMENT = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
REFUSED = "Your role in this store does not include this"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Colleague:
    """Somebody with a role, at a browser."""

    role: str
    client: FlaskClient
    token: str

    def ask(self, method: str, path: str) -> int:
        return self.answer(method, path).status_code

    def answer(self, method: str, path: str) -> TestResponse:
        data = {"csrf_token": self.token} if method == "POST" else None
        return self.client.open(path, method=method, data=data)


def hire(app: Flask, store: Store, role: str) -> Colleague:
    with platform_session() as session:
        person = add_person(session, name=role, email=f"{secrets.token_hex(6)}@duka.example")
        add_membership(session, store_id=store.id, person_id=person, role=role)
    client = platform_client(app)
    found = TOKEN.search(client.get("/sign-in").text)
    assert found is not None
    client.set_cookie(
        "__Host-staff", start_session(person, "test"), domain="localhost", secure=True
    )
    return Colleague(role, client, found[1])


@pytest.fixture
def team(app: Flask, store: Store) -> dict[str, Colleague]:
    """One of every role in our store."""
    return {role: hire(app, store, role) for role in ROLES}


def address(rule: Rule, store: Store) -> str:
    """The rule's address in this store; what it names beyond the store is nowhere."""

    def fill(found: re.Match[str]) -> str:
        if found[2] == "store":
            return store.slug
        return {
            "uuid": "01a1f9d3-0000-7000-8000-000000000000",
            "regex32": "0" * 32,
            "int": "1",
        }.get(found[1] or "", "nothing")

    return ARGUMENT.sub(fill, rule.rule)


def verbs(rule: Rule) -> list[str]:
    return methods_of(rule).split(", ")


def written(heading: str) -> dict[str, list[str]]:
    """One table of the page: first cell → the others."""
    section = RIGHTS_PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_page_of_rights_is_the_product(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        page = rights_page(app, connection)

    assert RIGHTS_PAGE.read_text() == page, "run bin/manage rights --write, and read what changed"


def test_the_command_prints_the_page(app: Flask) -> None:
    from app.web.commands.rights import rights_command

    done = app.test_cli_runner().invoke(rights_command)

    assert done.exit_code == 0, done.output
    assert done.output.startswith("# Who may do what")


@pytest.mark.row("N54", "N86")
def test_every_address_opens_for_exactly_the_roles_of_the_page(
    app: Flask, store: Store, team: dict[str, Colleague]
) -> None:
    """403 for a role without the right; for one with it anything but that, and never a bug."""
    promised, wrong, asked = written("Addresses of the desks"), [], 0
    for rule, _permission in guarded(app):
        for method in verbs(rule):
            row = promised[f"{methods_of(rule)} {rule.rule}"]
            for role, cell in zip(ROLES, row, strict=True):
                answer = team[role].answer(method, address(rule, store))
                asked += 1
                # A second factor may still be asked of a role that has the right; its words differ.
                is_refused = answer.status_code == 403 and REFUSED in answer.text
                if answer.status_code >= 500 or is_refused == (cell == "yes"):
                    wrong.append((method, rule.rule, role, cell, answer.status_code))

    assert wrong == []
    assert asked >= len(promised) * len(ROLES)


@pytest.mark.row("N54", "W14")
def test_every_address_is_closed_to_visitors_and_to_other_stores(
    app: Flask, store: Store, theirs: Store
) -> None:
    visitor, neighbour = platform_client(app), hire(app, theirs, "owner")
    found = TOKEN.search(visitor.get("/sign-in").text)
    assert found is not None
    nobody = Colleague("nobody", visitor, found[1])
    wrong = []
    for rule, _permission in guarded(app):
        for method in verbs(rule):
            path = address(rule, store)
            statuses = (nobody.ask(method, path), neighbour.ask(method, path))
            if statuses != (303 if method == "GET" else 401, 404):
                wrong.append((method, rule.rule, statuses))

    assert wrong == []


def test_every_permission_guards_something_or_is_asked_in_a_page(app: Flask) -> None:
    from tests.contracts.source import ROOT

    used = {permission for _rule, permission in guarded(app)}
    pages = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    asked = {name for name in PERMISSIONS if f'may("{name}")' in pages + code}

    assert set(PERMISSIONS) - used - asked <= {"payouts.change"}


@pytest.mark.row("N54", "N86")
@pytest.mark.parametrize("role", ROLES)
def test_the_menu_shows_exactly_what_opens(
    app: Flask, store: Store, team: dict[str, Colleague], role: str
) -> None:
    me = team[role]
    page = me.client.get(f"/staff/{store.slug}/more").text
    with app.test_request_context(base_url="https://localhost:8000"):
        from flask import url_for

        entries = {
            url_for(entry.endpoint, store=store.slug): entry.permission
            for entry in (*MENU, *MENU_END)
        }

    shown = {path for path in entries if f'href="{path}"' in page}

    assert shown == {path for path, permission in entries.items() if can(role, permission)}
    assert {path: me.ask("GET", path) for path in shown} == dict.fromkeys(shown, 200)
    hidden = set(entries) - shown
    closed = dict.fromkeys(hidden, 403)
    if f"/dash/{store.slug}/" in hidden:
        closed[f"/dash/{store.slug}/"] = (
            303  # the store's front door leads each role to its own desk
        )
    assert {path: me.ask("GET", path) for path in hidden} == closed


@pytest.mark.row("N86")
@pytest.mark.parametrize("role", ROLES)
def test_no_link_of_any_page_leads_to_a_refusal(
    session: Session, store: Store, team: dict[str, Colleague], role: str
) -> None:
    """From the first page on, everything a role is shown is something it may open."""
    make_order(session)
    session.commit()
    me = team[role]
    prefixes = (f"/staff/{store.slug}/", f"/dash/{store.slug}/")
    seen: set[str] = set()
    queue = [f"/staff/{store.slug}/", f"/staff/{store.slug}/more"]
    refused = []
    while queue and len(seen) < 60:
        path = queue.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = me.client.get(path)
        if answer.status_code == 403:
            refused.append(path)
        queue += [
            where for where in [answer.headers.get("Location", "")] if where.startswith(prefixes)
        ]
        if answer.mimetype != "text/html":
            continue
        links = [
            link.partition("#")[0] for link in re.findall(r'<a [^>]*href="([^"]+)"', answer.text)
        ]
        queue += [link.replace("&amp;", "&") for link in links if link.startswith(prefixes)]

    assert refused == []
    assert len(seen) >= 2


@pytest.mark.row("N86")
def test_a_packer_who_opens_the_reports_is_refused_with_words(
    store: Store, team: dict[str, Colleague]
) -> None:
    packer = team["packer"].client
    page = packer.get(f"/staff/{store.slug}/more").text

    for report in ("sales", "areas", "stock"):
        answer = packer.get(f"/dash/{store.slug}/insights/{report}")
        assert answer.status_code == 403
        assert REFUSED in answer.text
    assert "/insights/" not in page
    assert team["accountant"].client.get(f"/dash/{store.slug}/insights/sales").status_code == 200


# -- the database ---------------------------------------------------------------------------

ASK = {
    "R": "EXPLAIN SELECT 1 FROM {}",
    "I": "EXPLAIN INSERT INTO {} DEFAULT VALUES",
    "U": "EXPLAIN UPDATE {} SET {} = DEFAULT",
    "D": "EXPLAIN DELETE FROM {}",
}


@pytest.fixture(scope="module")
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        yield connection


@pytest.mark.row("W43")
@pytest.mark.parametrize("login", LOGINS)
def test_every_login_may_do_to_every_table_what_the_page_says(
    app: Flask, database: Database, owner: psycopg.Connection, login: str
) -> None:
    """Logins x tables x verbs, each really asked of Postgres."""
    promised = {
        table: dict(zip(LOGINS, row, strict=True))[login]
        for table, row in written("What each login of the database may do").items()
    }
    columns = dict(
        owner.execute(
            "SELECT c.relname, min(a.attname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''"
            " WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1"
        ).fetchall()
    )
    tables = {
        row[0]
        for row in owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()
    }
    wrong = []
    with psycopg.connect(database.urls[login], autocommit=True) as connection:
        for table, letters in promised.items():
            for letter, statement in ASK.items():
                names = [sql.Identifier("app", table), sql.Identifier(columns[table])]
                question = sql.SQL(statement).format(*names[: statement.count("{}")])
                may = _may(connection, question)
                # With a right to some columns the table as a whole stays closed to writing.
                if letter == "U" and "u" in letters:
                    continue
                if may != (letter in letters.upper()):
                    wrong.append((table, letter, letters, may))

    assert set(promised) == tables
    assert wrong == []


def _may(connection: psycopg.Connection, question: sql.Composed) -> bool:
    try:
        connection.execute(question)
    except errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.row("W43")
def test_what_must_never_be_granted_is_not_on_the_page(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        rights = grants(connection)

    for table in ("people", "memberships", "sessions", "former_members"):
        assert rights[table]["dukani_app"] == rights[table]["dukani_relay"] == "–", table
    for table in ("audit_log", "ledger_tx", "ledger_entries"):
        assert set(rights[table]["dukani_app"]) == {"R", "I"}, table
    for table, by_login in rights.items():
        assert by_login["dukani_backup"] == "R", table
        if table not in ("outbox", "schedules"):
            assert not set(by_login["dukani_relay"]) & {"I", "U", "D"}, table


@pytest.mark.row("W14")
def test_the_wrong_role_is_refused_and_the_query_by_hand_finds_no_row(
    database: Database,
    app: Flask,
    session: Session,
    store: Store,
    theirs: Store,
    team: dict[str, Colleague],
) -> None:
    """As the wrong role of this store 403; by hand, bound to another store or to none, 0 rows."""
    with inside_store(store.id):
        make_order(session)
        session.commit()
    asked = {
        "orders": f"/staff/{store.slug}/orders/",
        "review_items": f"/dash/{store.slug}/reviews/",
        "audit_log": f"/dash/{store.slug}/audit/",
    }
    wrong_role = {"orders": "rider", "review_items": "packer", "audit_log": "sales"}
    for table, path in asked.items():
        assert team[wrong_role[table]].ask("GET", path) == 403
        for bound in (str(theirs.id), ""):
            with psycopg.connect(database.urls["dukani_app"]) as connection:
                connection.execute("SELECT set_config('app.store_id', %s, true)", (bound,))
                found = connection.execute(
                    sql.SQL("SELECT 1 FROM {} WHERE store_id = %s").format(
                        sql.Identifier("app", table)
                    ),
                    (store.id,),
                ).fetchall()
                assert found == [], (table, bound)
    with (
        psycopg.connect(database.urls["dukani_app"]) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT 1 FROM app.memberships")
