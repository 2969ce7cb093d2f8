"""The database's roles: what each may do, made the same way on a laptop and in production."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from local import roles
from local.postgres import Postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    postgres = Postgres(tmp_path_factory.mktemp("roles"), fast=True)
    postgres.start()
    yield postgres
    postgres.remove()


@pytest.fixture(scope="module")
def urls(server: Postgres) -> dict[str, str]:
    server.create_database("shop")
    roles.create_roles(server.superuser_url(), "shop")
    return roles.create_roles(server.superuser_url(), "shop")  # again: nothing must change


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.mark.row("N89")
def test_only_the_backup_role_sees_past_row_level_security(
    server: Postgres, urls: dict[str, str]
) -> None:
    found = ask(
        server.superuser_url("shop"),
        "SELECT rolname, rolcanlogin, rolbypassrls FROM pg_roles WHERE rolname LIKE 'dukani_%' "
        "AND NOT rolsuper AND NOT rolcreaterole AND NOT rolcreatedb ORDER BY 1",
    )
    assert found == [
        ("dukani_app", True, False),
        ("dukani_backup", True, True),
        ("dukani_definer", False, False),
        ("dukani_migrator", True, False),
        ("dukani_owner", False, False),
        ("dukani_platform", True, False),
        ("dukani_relay", True, False),
        ("dukani_search", False, False),
    ]


def test_membership_is_the_owners_and_the_migrators_alone(
    server: Postgres, urls: dict[str, str]
) -> None:
    found = ask(
        server.superuser_url("shop"),
        "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members "
        "WHERE member::regrole::text LIKE 'dukani_%' ORDER BY 1",
    )
    assert found == [
        ("dukani_definer", "dukani_owner"),
        ("dukani_owner", "dukani_migrator"),
        ("dukani_search", "dukani_owner"),
    ]


def test_the_migrator_works_as_the_owner_and_finds_the_schema(urls: dict[str, str]) -> None:
    with psycopg.connect(urls["dukani_migrator"]) as connection:
        connection.execute("CREATE TABLE baskets (id int)")
        connection.execute(
            "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
            "ALTER FUNCTION app.f() OWNER TO dukani_definer; DROP FUNCTION app.f()"
        )
    found = ask(
        urls["dukani_migrator"],
        "SELECT schemaname, tableowner FROM pg_tables WHERE tablename = 'baskets'",
    )
    assert found == [("app", "dukani_owner")]
    assert ask(urls["dukani_backup"], "SELECT count(*) FROM baskets") == [(0,)]
    with psycopg.connect(urls["dukani_migrator"]) as connection:
        connection.execute("DROP TABLE baskets")


@pytest.mark.parametrize("role", ["dukani_app", "dukani_relay", "dukani_platform"])
@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE dukani_owner",
        "CREATE TABLE app.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_the_products_roles_can_make_nothing(
    urls: dict[str, str], role: str, statement: str
) -> None:
    with (
        psycopg.connect(urls[role]) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_a_copied_database_lets_the_same_roles_in_and_nobody_else(
    server: Postgres, urls: dict[str, str]
) -> None:
    server.create_database("copy", template="shop")
    with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        assert ask(roles.url_for(urls["dukani_app"], dbname="copy"), "SELECT current_user") == [
            ("dukani_app",)
        ]
        with pytest.raises(psycopg.OperationalError, match="CONNECT"):
            psycopg.connect(server.url("stranger", "stranger", "copy"))
    finally:
        with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
            connection.execute("DROP ROLE stranger")
        server.drop_database("copy")
    assert not server.database_exists("copy")


def test_search_speaks_the_extensions_and_utf8(server: Postgres, urls: dict[str, str]) -> None:
    assert ask(
        urls["dukani_app"], "SELECT lower('ÉCOLE'), unaccent('Ngũgĩ'), 'sukari' % 'sukar'"
    ) == [("école", "Ngugi", True)]
    assert ask(urls["dukani_app"], "SHOW timezone") == [("UTC",)]
    assert ask(urls["dukani_app"], "SHOW listen_addresses") == [("",)]


def test_a_wrong_password_is_refused(urls: dict[str, str]) -> None:
    wrong = roles.url_for(urls["dukani_app"], dbname="shop", user="dukani_app", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)
