"""``bin/manage migrate``, ``migration``, ``check-db`` and ``schema``."""

from __future__ import annotations

import re
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations" / "versions"
SCHEMA_PAGE = Path(__file__).resolve().parents[3] / "docs" / "schema.md"
# Read and written by SQL alone: triggers keep most of these up to date.
NOT_MODELLED = {
    "alembic_version",
    "changed_days",
    "content_changes",
    "content_versions",
    "idempotency_keys",
    "order_days",
    "product_cards",
    "schedules",
    "shelf_counts",
    "shop_words",
    "transitions",
}


@click.command("migrate")
@with_appcontext
def migrate() -> None:
    """Bring the database up to the newest migration."""
    from flask_migrate import Migrate, upgrade

    from app.db.engine import db

    Migrate(current_app, db, directory=str(MIGRATIONS.parent))  # whoever made the app
    upgrade()
    click.echo(f"The database is at {_newest()}.")


@click.command("migration")
@click.argument("words")
@with_appcontext
def migration(words: str) -> None:
    """Start the next numbered migration: bin/manage migration "add riders"."""
    newest = _newest()
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if not name:
        raise click.BadParameter("say in a few words what changes")
    revision = f"{int(newest[:4]) + 1:04d}_{name}"
    file = MIGRATIONS / f"{revision}.py"
    file.write_text(_blank(words, revision, newest))
    click.echo(f"Fill in UP and DOWN of migrations/versions/{file.name}, then bin/manage migrate.")


@click.command("check-db")
@click.option(
    "--empty-database",
    "url",
    metavar="URL",
    help="As dukani_migrator: also run every migration up, down and up there.",
)
@with_appcontext
def check_db(url: str | None) -> None:
    """Say whether the database is at the newest migration and agrees with the models."""
    from app.db.engine import db

    if url:
        _go_up_down_up(url)
        click.echo("Every migration goes up, down and up.")
    at, newest = _migrated_to(db.engine), _newest()
    if at != newest:
        raise click.ClickException(
            f"The database is at {at}, the code at {newest}: run bin/manage migrate"
        )
    differences = disagreements(db.engine)
    for difference in differences:
        click.echo(difference)
    if differences:
        raise click.ClickException("The models and the database differ.")
    click.echo(f"The database is at {newest} and agrees with the models.")


@click.command("schema")
@click.option("--write", is_flag=True, help="Write docs/schema.md.")
@with_appcontext
def schema(write: bool) -> None:
    """Describe every table of the migrated database."""
    from app.db.engine import db
    from app.web.commands.schema_page import schema_page

    with db.engine.connect() as connection:
        try:
            page = schema_page(connection)
        except KeyError as error:
            message = f"Say in schema_page.PURPOSE what the table {error} is for."
            raise click.ClickException(message) from error
    if not write:
        click.echo(page)
        return
    SCHEMA_PAGE.write_text(page)
    click.echo("Wrote docs/schema.md.")


def disagreements(engine: Engine) -> list[str]:
    """Where models and tables differ: names of tables and columns, and what may be NULL."""
    from app.db.base import Base

    inspector = inspect(engine)
    in_database = set(inspector.get_table_names(schema="app"))
    modelled = {table.name: table for table in Base.metadata.sorted_tables}
    found = [f"{name}: no such table" for name in sorted(modelled.keys() - in_database)]
    found += [f"{name}: no model" for name in sorted(in_database - modelled.keys() - NOT_MODELLED)]
    for name in sorted(modelled.keys() & in_database):
        columns = {c["name"]: c for c in inspector.get_columns(name, schema="app")}
        known = modelled[name].columns
        found += [f"{name}.{c}: no such column" for c in sorted(known.keys() - columns.keys())]
        found += [f"{name}.{c}: not in the model" for c in sorted(columns.keys() - known.keys())]
        found += [
            f"{name}.{column}: differs in what may be NULL"
            for column in sorted(known.keys() & columns.keys())
            if bool(columns[column]["nullable"]) != bool(known[column].nullable)
        ]
    return found


def _go_up_down_up(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    from config import postgres_url

    engine = create_engine(postgres_url(url), poolclass=NullPool)
    is_empty = not inspect(engine).has_table("alembic_version", schema="app")
    engine.dispose()
    if not is_empty:
        raise click.ClickException("That database is not empty: going down would delete all of it.")
    config = Config(str(MIGRATIONS.parent / "alembic.ini"))
    config.attributes["url"] = postgres_url(url)
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    command.upgrade(config, "head")


def _migrated_to(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version", schema="app"):
        return None
    with engine.connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM app.alembic_version")))


def _newest() -> str:
    from app.web.health import newest_migration

    return newest_migration()


def _blank(words: str, revision: str, follows: str) -> str:
    return f'''"""{words.strip().rstrip(".").capitalize()}.

Say here whether the old and the new code can run side by side.
"""

from alembic import op

revision = "{revision}"
down_revision = "{follows}"

UP = """
"""

DOWN = """
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
'''
