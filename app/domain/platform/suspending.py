"""Closing a store and opening it again. Through the platform's session; the database refuses anybody else."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import PLATFORM_STORE
from app.domain.errors import FieldProblem, NotFound
from app.domain.platform.models import Suspension
from app.domain.stores.models import Store
from app.i18n import gettext_lazy as _
from app.ids import new_id

SUSPENDED = "suspended"
# How long a browser or a search engine may wait before it asks a closed shop again, in seconds.
RETRY_AFTER_SECONDS = 3600
SHORTEST_REASON = 3
LONGEST_REASON = 300


def need_reason(reason: str) -> str:
    """The reason, trimmed to what is kept. Raises FieldProblem when there is none."""
    trimmed = " ".join(reason.split())[:LONGEST_REASON]
    if len(trimmed) < SHORTEST_REASON:
        raise FieldProblem("reason", _("Say why in a few words. It is kept and shown."))
    return trimmed


def suspend(session: Session, store_id: int, *, reason: str, actor: str) -> bool:
    """Close a store; its staff read ``reason``. Returns whether this call closed it. Does not commit.

    Money callbacks and the jobs about orders that exist go on. Raises NotFound, FieldProblem.
    """
    why = need_reason(reason)
    store = _locked(session, store_id)
    if store.status == SUSPENDED:
        return False
    session.add(
        Suspension(
            store_id=store_id,
            id=new_id(),
            reason=why,
            from_status=store.status,
            suspended_by=actor,
        )
    )
    store.status = SUSPENDED
    store.content_version += 1  # what is cached shows an open shop
    session.flush()
    return True


def restore(session: Session, store_id: int, *, actor: str) -> bool:
    """Open a store again, as it was before. Returns whether this call opened it. Does not commit.

    Raises NotFound.
    """
    store = _locked(session, store_id)
    if store.status != SUSPENDED:
        return False
    open_one = current_suspension(session, store_id)
    store.status = open_one.from_status if open_one else "active"
    store.content_version += 1
    if open_one is not None:
        open_one.restored_by, open_one.restored_at = actor, utcnow()
    session.flush()
    return True


def current_suspension(session: Session, store_id: int) -> Suspension | None:
    """Why a store is closed now, or None."""
    return session.scalar(
        select(Suspension).where(Suspension.store_id == store_id, Suspension.restored_at.is_(None))
    )


def _locked(session: Session, store_id: int) -> Store:
    store = session.get(Store, store_id, with_for_update=True)
    if store is None or store.id == PLATFORM_STORE:
        raise NotFound
    return store
