"""A real Postgres with our schema, and two stores in it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import NullPool

from app.db.tenancy import bound_store, inside_store
from local import roles
from local.postgres import Postgres

CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class CatalogueDatabase:
    """The app role's engine, and the ids of two stores."""

    engine: Engine
    ours: int
    theirs: int


def driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(scope="session")
def catalogue_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogueDatabase]:
    server = Postgres(tmp_path_factory.mktemp("catalogue-postgres"), fast=True)
    server.start()
    try:
        server.create_database("dukani")
        urls = roles.create_roles(server.superuser_url(), "dukani")
        config = Config(str(CHECKOUT / "migrations" / "alembic.ini"))
        config.attributes["url"] = driver(urls["dukani_migrator"])
        command.upgrade(config, "head")
        owner = create_engine(driver(server.superuser_url("dukani")), poolclass=NullPool)
        with owner.begin() as connection:
            ours, theirs = (make_store(connection, slug) for slug in ("kilimani", "buruburu"))
        engine = create_engine(driver(urls["dukani_app"]), poolclass=NullPool)
        yield CatalogueDatabase(engine, ours, theirs)
        engine.dispose()
        owner.dispose()
    finally:
        server.remove()


def make_store(connection: Connection, slug: str) -> int:
    made = connection.execute(
        text("INSERT INTO app.stores (slug, name) VALUES (:slug, :slug) RETURNING id"),
        {"slug": slug},
    )
    return int(made.scalar_one())


def announce_store(
    _session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    if not transaction.nested:
        connection.execute(
            text("SELECT set_config('app.store_id', :store_id, true)"),
            {"store_id": str(bound_store())},
        )


@pytest.fixture
def shop(catalogue_database: CatalogueDatabase) -> Iterator[Session]:
    """A session inside our store, as the app's own role; nothing of it is kept."""
    with inside_store(catalogue_database.ours), Session(catalogue_database.engine) as session:
        event.listen(session, "after_begin", announce_store)
        yield session
        session.rollback()
