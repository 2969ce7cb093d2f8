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
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from app.db.connections import KeepsPlans

PLATFORM_STORE = 0

current_store: ContextVar[int | None] = ContextVar("current_store", default=None)


class NoStoreBound(RuntimeError):
    """Code asked for tenant data without saying whose."""


_PLAN_ONCE = "; SET LOCAL plan_cache_mode = force_generic_plan"


class StoreSession(FlaskSQLAlchemySession):
    """A session bound to the store of the current context."""


def plan_once(session: Session) -> None:
    """Have Postgres plan each statement of this session once for good, whatever its values.

    For what shoppers look at: its statements are long, were written so that one plan suits every shop, and
    take longer to plan than to run. Postgres by itself would plan a list anew for each page number, and
    what goes with a cart each time, once a shop has sold much. Call before the first statement.
    """
    session.info["plans_once"] = True


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
    words = f"SET LOCAL app.store_id = '{bound_store():d}'"
    if session.info.get("plans_once"):
        words += _PLAN_ONCE
    driver = connection.connection.driver_connection
    if not (isinstance(driver, KeepsPlans) and driver.begin_saying(words.encode())):
        connection.exec_driver_sql(words)
