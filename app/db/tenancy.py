"""A session that sees one store's rows, and only those.

The store is announced to Postgres at the start of every transaction, and only for that
transaction, so a pooled connection cannot carry yesterday's store. Row-level security
does the rest; queries still name ``store_id`` where an index needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flask_sqlalchemy.session import Session as FlaskSQLAlchemySession
from sqlalchemy import Connection, event, text
from sqlalchemy.orm import SessionTransaction

PLATFORM_STORE = 0

current_store: ContextVar[int | None] = ContextVar("current_store", default=None)


class NoStoreBound(RuntimeError):
    """Code asked for tenant data without saying whose."""


class StoreSession(FlaskSQLAlchemySession):
    """A session bound to the store of the current context."""


def bound_store() -> int:
    """The store of the current context. Raises NoStoreBound."""
    store_id = current_store.get()
    if store_id is None:
        raise NoStoreBound("no store is bound to this context")
    return store_id


@contextmanager
def inside_store(store_id: int) -> Iterator[None]:
    """Everything in this block, and every transaction it begins, is this store's."""
    token = current_store.set(store_id)
    try:
        yield
    finally:
        current_store.reset(token)


@event.listens_for(StoreSession, "after_begin")
def _announce_store(
    session: StoreSession, transaction: SessionTransaction, connection: Connection
) -> None:
    if transaction.nested:
        return
    connection.execute(
        text("SELECT set_config('app.store_id', :store_id, true)"), {"store_id": str(bound_store())}
    )
