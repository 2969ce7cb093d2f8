"""``bin/manage rights``: who may do what, by role and by address, and what each database login may.

The page is written from the permission table, the application's addresses and the migrated
database. Tests compare it with them and drive every cell, so a change of rights is a change
of this page, for somebody to read.
"""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import Connection, text
from werkzeug.routing import Rule

from app.domain.people.permissions import PERMISSIONS, ROLES, can
from app.domain.people.roles import ROLE_SENTENCES, ROLE_WORDS

RIGHTS_PAGE = Path(__file__).resolve().parents[3] / "docs" / "rights.md"
LOGINS = ("dukani_app", "dukani_relay", "dukani_platform", "dukani_backup")
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")

HEAD = """# Who may do what

Written by `bin/manage rights --write`; tests compare it with the application and the database,
ask every address below as every role, and try every verb on every table as every login.

A person has one role in each store they work in; it is read anew for every request. The first
two tables come from `app/domain/people/permissions.py`, which the menu and the guards read. The
database keeps stores apart: a login that works for one store reads and changes no row of another.
"""

TABLES_HEAD = """## What each login of the database may do

R reads, I inserts, U updates, D deletes; a small letter: some columns only. To `dukani_app` (web
and workers) a table with a store has the rows of the store that is bound, and none where no store
is. `dukani_platform` reads people, memberships and sessions, which no other login can.
"""

_GRANTS = text(
    "SELECT c.relname AS table, r.rolname AS login, v.verb,"
    " has_table_privilege(r.rolname, c.oid, v.verb) AS whole,"
    " v.verb <> 'DELETE' AND has_any_column_privilege(r.rolname, c.oid, v.verb) AS part"
    " FROM pg_class c CROSS JOIN pg_roles r CROSS JOIN unnest(CAST(:verbs AS text[])) AS v(verb)"
    " WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')"
    " AND NOT c.relispartition AND r.rolname = ANY(:logins) ORDER BY 1"
)


@click.command("rights")
@click.option("--write", is_flag=True, help="Write docs/rights.md.")
@with_appcontext
def rights_command(write: bool) -> None:
    """List who may do what."""
    from app.db.engine import db

    with db.engine.connect() as connection:
        page = rights_page(current_app, connection)
    if not write:
        click.echo(page)
        return
    RIGHTS_PAGE.write_text(page)
    click.echo("Wrote docs/rights.md.")


def rights_page(app: Flask, connection: Connection) -> str:
    """The page for this application and this database."""
    parts = [HEAD, "## Roles", "", "| role | what it is for |", "|---|---|"]
    parts += [f"| {ROLE_WORDS[role]} | {ROLE_SENTENCES[role]} |" for role in ROLES]
    parts += ["", "## Permissions", "", *_heading("permission")]
    parts += [_line(name, [can(role, name) for role in ROLES]) for name in sorted(PERMISSIONS)]
    parts += ["", "## Addresses of the desks", "", *_heading("address")]
    for rule, permission in guarded(app):
        name = f"`{methods_of(rule)} {rule.rule}`"
        parts.append(_line(name, [can(role, permission) for role in ROLES]))
    parts += ["", TABLES_HEAD]
    parts += [f"| table | {' | '.join(LOGINS)} |", "|---|" + "---|" * len(LOGINS)]
    for table, rights in grants(connection).items():
        parts.append(f"| {table} | {' | '.join(rights[login] for login in LOGINS)} |")
    return "\n".join(parts) + "\n"


def guarded(app: Flask) -> list[tuple[Rule, str]]:
    """Every address that a permission guards, with that permission."""
    found = [
        (rule, str(permission))
        for rule in app.url_map.iter_rules()
        if (permission := getattr(app.view_functions[rule.endpoint], "_permission", ""))
    ]
    return sorted(found, key=lambda each: (each[0].rule, methods_of(each[0])))


def methods_of(rule: Rule) -> str:
    """``GET`` or ``POST``, or both."""
    return ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def grants(connection: Connection) -> dict[str, dict[str, str]]:
    """Table → login → what it may do there: letters of RIUD, or a dash."""
    found: dict[str, dict[str, str]] = {}
    asked = connection.execute(_GRANTS, {"logins": list(LOGINS), "verbs": list(VERBS)})
    for row in asked.mappings():
        rights = found.setdefault(row["table"], dict.fromkeys(LOGINS, ""))
        letter = "R" if row["verb"] == "SELECT" else row["verb"][0]
        if row["whole"]:
            rights[row["login"]] += letter
        elif row["part"]:
            rights[row["login"]] += letter.lower()
    order = "RrIiUuD"
    return {
        table: {
            login: "".join(sorted(letters, key=order.index)) or "–"
            for login, letters in rights.items()
        }
        for table, rights in found.items()
    }


def _heading(first: str) -> list[str]:
    return [f"| {first} | {' | '.join(ROLES)} |", "|---|" + ":-:|" * len(ROLES)]


def _line(name: str, allowed: list[bool]) -> str:
    return f"| {name} | {' | '.join('yes' if may else '' for may in allowed)} |"
