"""The engines: one for the app's own role through Flask-SQLAlchemy, one for the platform's role.

Only the platform role can read people, sessions and memberships, and only code that
asks for ``platform_session`` uses it.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from app.db.base import Base
from app.db.connections import KeepsPlans
from app.db.tenancy import StoreSession

WEB_LIMITS = "-c statement_timeout=5s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
WORKER_LIMITS = (
    "-c statement_timeout=30s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
)
PING_AFTER = 30.0  # seconds a connection may lie in the pool and be trusted without a question

db = SQLAlchemy(model_class=Base, session_options={"class_": StoreSession})


def looking_up() -> Connection:
    """A connection for one question outside any transaction, such as whose host this is.

    One message to Postgres instead of three: nothing is begun, nothing ended.
    """
    return db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


_platform: sessionmaker[Session] | None = None


def engine_options(*, pooled: bool, limits: str) -> dict[str, Any]:
    """Options for one process. ``limits`` are Postgres settings given at connect."""
    options: dict[str, Any] = {
        "connect_args": {"options": limits, "connect_timeout": 5},
        "hide_parameters": True,  # an error's text must not carry what somebody typed
    }
    if pooled:
        # use_lifo keeps few connections warm.
        options |= {
            "pool_size": 10,
            "max_overflow": 10,
            "pool_use_lifo": True,
            "pool_timeout": 5,
            "pool_events": [(_note_return, "checkin"), (_refuse_if_gone, "checkout")],
        }
    else:
        options |= {"poolclass": NullPool}
    return options


def keep_plans(engine: Engine) -> None:
    """Have this engine open connections of that kind."""
    event.listen(engine, "do_connect", _open)


def _open(
    dialect: Dialect, record: ConnectionPoolEntry, args: list[Any], words: dict[str, Any]
) -> psycopg.Connection[Any]:
    return KeepsPlans.connect(*args, **words)


def _note_return(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["returned_at"] = monotonic()


def _refuse_if_gone(
    connection: psycopg.Connection[Any], record: ConnectionPoolEntry, proxy: object
) -> None:
    """Survive a restarted Postgres without asking it "are you there?" before every request.

    A server that ends closes its connections, which makes their sockets readable; only such a
    connection, and one that lay long enough for a silent network failure, is asked. When it is
    dead, so are its sisters: InvalidatePoolError has the pool connect anew.
    """
    lay = monotonic() - record.info.get("returned_at", monotonic())
    if lay < PING_AFTER and not _is_readable(connection):
        return
    try:
        connection.autocommit = True
        connection.execute("")
        connection.autocommit = False
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _is_readable(connection: psycopg.Connection[Any]) -> bool:
    watch = select.poll()  # not select(): descriptors may be above 1023
    try:
        watch.register(connection.fileno(), select.POLLIN)
    except psycopg.OperationalError:  # closed on our side already
        return True
    return bool(watch.poll(0))


def open_platform_engine(url: str, *, pooled: bool, limits: str) -> Engine:
    """Make the engine of the platform role for this process."""
    global _platform
    engine = create_engine(url, **engine_options(pooled=pooled, limits=limits))
    keep_plans(engine)
    _platform = sessionmaker(engine, expire_on_commit=False)
    return engine


def dispose_platform_engine() -> None:
    """Close the platform role's connections, when a process ends."""
    global _platform
    if _platform is not None:
        _platform.kw["bind"].dispose()
    _platform = None


@contextmanager
def platform_session() -> Iterator[Session]:
    """A transaction as dukani_platform: commits at the end, rolls back on an error.

    Raises RuntimeError in a process that was given no platform URL.
    """
    if _platform is None:
        raise RuntimeError("this process has no DATABASE_PLATFORM_URL")
    with _platform.begin() as session:
        yield session
