"""bin/manage migrate, migration, check-db: what looks after the database."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.web.commands import database as commands
from local.postgres import Postgres
from tests.conftest import Database, make_database


def run(app: Flask, *words: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=list(words))
    return done.exit_code, done.output


def test_migrating_an_up_to_date_database_is_safe(app: Flask) -> None:
    status, said = run(app, "migrate")

    assert status == 0, said
    assert "The database is at 0" in said


@pytest.mark.row("T76")
def test_the_database_is_compared_with_the_models(app: Flask, database: Database) -> None:
    status, said = run(app, "check-db")
    assert (status, "agrees with the models" in said) == (0, True), said

    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("ALTER TABLE app.riders ADD COLUMN helmet text")
        try:
            status, said = run(app, "check-db")
        finally:
            connection.execute("ALTER TABLE app.riders DROP COLUMN helmet")

    assert status == 1
    assert "riders.helmet: not in the model" in said


@pytest.mark.row("T76")
def test_an_empty_database_is_taken_up_down_and_up(
    app: Flask, postgres: Postgres, database: Database
) -> None:
    empty = make_database(postgres, "roundtrip", migrate=False)
    try:
        status, said = run(app, "check-db", "--empty-database", empty.urls["dukani_migrator"])
        full, refused = run(app, "check-db", "--empty-database", database.urls["dukani_migrator"])
    finally:
        postgres.drop_database("roundtrip")

    assert status == 0, said
    assert "goes up, down and up" in said
    assert full == 1
    assert "not empty" in refused


def test_the_next_migration_is_numbered_after_the_last(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MIGRATIONS", tmp_path)

    status, said = run(app, "migration", "Add riders' helmets")

    assert status == 0, said
    (file,) = tmp_path.glob("*.py")
    assert file.name.endswith("_add_riders_helmets.py")
    made: dict[str, str] = {}
    exec(compile(file.read_text().replace("from alembic import op", ""), file.name, "exec"), made)
    assert int(made["revision"][:4]) == int(made["down_revision"][:4]) + 1
    assert made["revision"] == file.stem
