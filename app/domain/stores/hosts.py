"""The host a store is known under: in canonical addresses, links and pictures."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal_column, select
from sqlalchemy.orm import Session

from app.domain.errors import NotFound

# As a piece of a statement; NULL where no host of the store is verified yet.
HOST = """
  (SELECT host FROM app.domains WHERE store_id = app.store_id() AND verified_at IS NOT NULL
    ORDER BY is_canonical DESC, verified_at, host LIMIT 1)
"""


host_of_store: ColumnElement[str | None] = literal_column(HOST)  # the same, to select


def find_host(session: Session) -> str | None:
    """The host under which the store is known; None while it has none that is verified."""
    return session.scalar(select(host_of_store))


def canonical_host(session: Session) -> str:
    """The host under which search engines should know the store. Raises NotFound without one."""
    host = find_host(session)
    if host is None:
        raise NotFound
    return host
