"""The engines: one for the app's own role through Flask-SQLAlchemy, one for the platform's role.

Only the platform role can read people, sessions and memberships, and only code that
asks for ``platform_session`` uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from app.db.base import Base
from app.db.tenancy import StoreSession

WEB_LIMITS = "-c statement_timeout=5s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
WORKER_LIMITS = (
    "-c statement_timeout=30s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
)

db = SQLAlchemy(model_class=Base, session_options={"class_": StoreSession})

_platform: sessionmaker[Session] | None = None


def engine_options(*, pooled: bool, limits: str) -> dict[str, Any]:
    """Options for one process. ``limits`` are Postgres settings given at connect."""
    options: dict[str, Any] = {
        "connect_args": {"options": limits, "connect_timeout": 5},
        "hide_parameters": True,  # an error's text must not carry what somebody typed
    }
    if pooled:
        # use_lifo keeps few connections warm; pre_ping survives a restarted Postgres.
        options |= {
            "pool_size": 10,
            "max_overflow": 10,
            "pool_pre_ping": True,
            "pool_use_lifo": True,
            "pool_timeout": 5,
        }
    else:
        options |= {"poolclass": NullPool}
    return options


def open_platform_engine(url: str, *, pooled: bool, limits: str) -> Engine:
    """Make the engine of the platform role for this process."""
    global _platform
    engine = create_engine(url, **engine_options(pooled=pooled, limits=limits))
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
