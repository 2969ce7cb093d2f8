"""Runs migrations as dukani_migrator, which becomes dukani_owner for the time of the migration."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, pool, text

from app.db.base import Base

VERSION_TABLE = {"version_table": "alembic_version", "version_table_schema": "app"}


def migrator_url() -> str:
    """Given by the caller (tests), else from the app's settings."""
    return (
        context.config.attributes.get("url") or current_app.config["SETTINGS"].migrator_database_url
    )


def run_online() -> None:
    engine = create_engine(migrator_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET ROLE dukani_owner"))
        connection.execute(text("SET lock_timeout = '3s'"))
        connection.execute(text("SET search_path = app, public"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_schemas=True,
            include_name=lambda name, kind, parents: kind != "schema" or name == "app",
            transaction_per_migration=True,
            **VERSION_TABLE,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("GRANT SELECT ON app.alembic_version TO dukani_app"))
        connection.commit()
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: they create roles' grants and check rows.")
run_online()
