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
_CHANGED = text("SELECT store_id, content_version, hosts FROM app.changed_pages()")

MEMORY_SECONDS = 5.0  # the database tells the changes of the last thirty
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
        return self._learn(host, Known(found.store_id, found.content_version))

    def _ask(self) -> None:
        now = monotonic()
        if now - self._asked_at > MEMORY_SECONDS:
            self._forget_all()
        if not self._hosts:  # nothing that could have changed
            self._asked_at, self.due = now, now + self.recheck
            return
        try:
            with self._connect() as connection:
                changed = {row.store_id: row for row in connection.execute(_CHANGED)}
        except SQLAlchemyError as error:
            log.warning("page_versions_unknown", error=type(error).__name__)
            self._forget_all()
            changed = {}
        gone = set()
        for host, known in list(self._hosts.items()):
            now_so = changed.get(known.store_id)
            if now_so is not None and (
                now_so.content_version != known.version or host not in now_so.hosts
            ):
                self._forget(host, known)
                gone.add(known.store_id)
        if len(self._hosts) < MOST_HOSTS:
            for now_so in changed.values():
                for host in now_so.hosts:
                    self._learn(host, Known(now_so.store_id, now_so.content_version))
        self._asked_at = now
        self.due = now + self.recheck
        if gone:
            self.on_change(gone)

    def _learn(self, host: str, known: Known) -> Known:
        """What is known of a host: one object for all of its pages, or an edit would miss some."""
        with self._changing:
            before = self._hosts.get(host)
            if before is not None and before.version != OVER:
                return before
            self._hosts[host] = known
        return known

    def _forget(self, host: str, known: Known) -> None:
        known.stale_until = self._asked_at + self.trust
        with self._changing:
            known.version = OVER
            if self._hosts.get(host) is known:
                del self._hosts[host]

    def _forget_all(self) -> None:
        for host, known in list(self._hosts.items()):
            self._forget(host, known)
