"""Which store a host shows and which version its public pages have, known without asking each time.

The database is the truth (`app.content_changes`). A process asks once in ``recheck`` seconds
what changed anywhere, whatever the number of stores, and forgets the hosts of stores that did;
a host it does not know costs one question. What was found current longer than two rechecks ago
is not believed any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from app.logging import get_logger

log = get_logger("web")

RESOLVE = text("SELECT store_id, content_version FROM app.resolve_host(:host)")
_CHANGED = text("SELECT store_id, content_version FROM app.changed_pages()")

MEMORY_SECONDS = 5.0  # the database tells the changes of the last ten
MOST_HOSTS = 20_000
OVER = -1


@dataclass(slots=True)
class Known:
    """A host's store and the version of its pages; ``OVER`` once that is not current any more."""

    store_id: int
    version: int
    stale_until: float = field(default=0.0)  # monotonic: how long its pages may still be shown
    facts: Any = None  # what a page of this version reads of the store itself, once it was read


class PageVersions:
    """What one process knows of hosts and versions. ``connect`` opens an autocommit connection."""

    def __init__(self, connect: Callable[[], Connection], *, recheck: float) -> None:
        self.recheck = recheck
        self.trust = 2 * recheck
        self.due = 0.0  # monotonic: when to ask again
        self.on_change: Callable[[set[int]], None] = lambda stores: None
        self._connect = connect
        self._asked_at = 0.0
        self._hosts: dict[str, Known] = {}
        self._asking = threading.Lock()
        self._changing = threading.Lock()

    def keep_up(self, now: float) -> None:
        """Ask what changed, when that is due; one thread does, the others go on while they may."""
        if now < self.due:
            return
        if self._asking.acquire(blocking=now - self._asked_at > self.trust):
            try:
                if monotonic() >= self.due:
                    self._ask()
            finally:
                self._asking.release()

    def look(self, host: str) -> Known | None:
        """The store of a host; None for an unknown one. Raises what a silent database raises."""
        known = self._hosts.get(host)
        if known is not None and known.version != OVER:
            return known
        with self._connect() as connection:
            found = connection.execute(RESOLVE, {"host": host}).one_or_none()
        if found is None:
            return None
        if len(self._hosts) >= MOST_HOSTS:
            self._forget_all()
        with self._changing:  # one for all pages of a host, or an edit would miss the other
            before = self._hosts.get(host)
            if before is not None and before.version != OVER:
                return before
            known = self._hosts[host] = Known(found.store_id, found.content_version)
        return known

    def _ask(self) -> None:
        now = monotonic()
        if now - self._asked_at > MEMORY_SECONDS:
            self._forget_all()
        try:
            with self._connect() as connection:
                changed = {
                    row.store_id: row.content_version for row in connection.execute(_CHANGED)
                }
        except SQLAlchemyError as error:
            log.warning("page_versions_unknown", error=type(error).__name__)
            self._forget_all()
            changed = {}
        gone = {
            host: known
            for host, known in list(self._hosts.items())
            if changed.get(known.store_id, known.version) != known.version
        }
        for host, known in gone.items():
            self._forget(host, known)
        self._asked_at = now
        self.due = now + self.recheck
        if gone:
            self.on_change({known.store_id for known in gone.values()})

    def _forget(self, host: str, known: Known) -> None:
        known.stale_until = self._asked_at + self.trust
        with self._changing:
            known.version = OVER
            if self._hosts.get(host) is known:
                del self._hosts[host]

    def _forget_all(self) -> None:
        for host, known in list(self._hosts.items()):
            self._forget(host, known)
