"""The database's roles, made by a superuser before the first migration.

What they may do is written once, in ``deploy/roles.sql``, so that a laptop, the tests and
production have the same rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from local.home import CHECKOUT

SCRIPT = CHECKOUT / "deploy" / "roles.sql"
LOGIN_ROLES = (
    "dukani_migrator",
    "dukani_app",
    "dukani_relay",
    "dukani_platform",
    "dukani_backup",
)
ENVIRONMENT = {
    "DATABASE_URL": "dukani_app",
    "DATABASE_RELAY_URL": "dukani_relay",
    "DATABASE_PLATFORM_URL": "dukani_platform",
    "DATABASE_MIGRATOR_URL": "dukani_migrator",
}


def make_passwords() -> dict[str, str]:
    """A random password for every role that signs in."""
    return {role: secrets.token_urlsafe(24) for role in LOGIN_ROLES}


def create_roles(
    superuser_url: str, dbname: str, passwords: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make or correct the roles, and prepare one database for the first migration.

    Returns the address of the database for each role that signs in, by role name
    (``environment`` turns these into the names of settings). Safe to run again and from several
    processes at once. Roles without a password here get a random one. Raises psycopg.Error, for
    example when the address is not a superuser's.
    """
    passwords = make_passwords() | dict(passwords or {})
    with psycopg.connect(url_for(superuser_url, dbname=dbname)) as connection:
        connection.execute(SCRIPT.read_text().encode())
        for role in LOGIN_ROLES:
            # Hashed here, so that the server's log can never hold the password itself.
            hashed = connection.pgconn.encrypt_password(
                passwords[role].encode(), role.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(hashed.decode())
                )
            )
    return {
        role: url_for(superuser_url, dbname=dbname, user=role, password=passwords[role])
        for role in LOGIN_ROLES
    }


def environment(urls: Mapping[str, str]) -> dict[str, str]:
    """The database settings of the product, from what ``create_roles`` returned."""
    return {name: urls[role] for name, role in ENVIRONMENT.items()}


def grant_database(superuser_url: str) -> None:
    """Give the grants on a database that was copied from a prepared one."""
    with psycopg.connect(superuser_url) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'dukani_app'").fetchone()
        if known:
            script = SCRIPT.read_text()
            connection.execute(script[script.index("DO $database$") :].encode())


def url_for(url: str, *, dbname: str, user: str | None = None, password: str | None = None) -> str:
    """The same server as ``url``, with another database and, if given, another role."""
    parts = urlsplit(url)
    who, _, where = parts.netloc.rpartition("@")
    if user is not None:
        who = f"{quote(user)}:{quote(password or '', safe='')}"
    netloc = f"{who}@{where}" if who else where
    return urlunsplit((parts.scheme, netloc, f"/{dbname}", parts.query, ""))


def database_of(url: str) -> str:
    """The name of the database in an address; Postgres takes the user's name when it has none."""
    parts = urlsplit(url)
    return parts.path.lstrip("/") or parts.username or "postgres"


def is_superuser(url: str) -> bool:
    """Whether this address signs in as a superuser. Raises psycopg.OperationalError."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        found = connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = session_user"
        ).fetchone()
        return bool(found and found[0])
