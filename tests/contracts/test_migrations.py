"""Migrations go up, down and up again, also over data, and the models agree with the result."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect

from app import import_every_model
from app.db.base import Base
from config import postgres_url
from local.postgres import Postgres
from tests.conftest import Database, alembic_config, make_database


@pytest.mark.row("W58", "T76")
def test_every_migration_goes_up_down_and_up(postgres: Postgres) -> None:
    made = make_database(postgres, "updown", migrate=False)
    config = alembic_config(made.urls["dukani_migrator"])

    command.upgrade(config, "head")
    command.downgrade(config, "base")
    command.upgrade(config, "head")
    engine = create_engine(postgres_url(made.superuser))
    left = inspect(engine).get_table_names(schema="app")
    engine.dispose()
    postgres.drop_database("updown")

    assert "orders" in left


def test_models_and_tables_agree(database: Database) -> None:
    import_every_model()
    engine = create_engine(postgres_url(database.superuser))
    inspector = inspect(engine)
    different = []
    for table in Base.metadata.sorted_tables:
        columns = {
            column["name"]: column for column in inspector.get_columns(table.name, schema="app")
        }
        different += [
            f"{table.name}.{name} has no model" for name in columns.keys() - table.columns.keys()
        ]
        for column in table.columns:
            if column.name not in columns:
                different.append(f"{table.name}.{column.name} is not in the database")
            elif bool(columns[column.name]["nullable"]) != bool(column.nullable):
                different.append(f"{table.name}.{column.name} differs in NULL")
    engine.dispose()

    assert different == []
