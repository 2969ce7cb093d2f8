"""Remembering what people changed, so that a screen can say who did it and take it back.

A kind of change says once how it is put back (``@puts_back``); everything else, from the
words "changed by Wanjiku" to the Undo button, is the same for every screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.changes.models import Change
from app.domain.errors import DomainError, NotFound
from app.i18n import gettext_lazy as _

PutBack = Callable[[Session, Change], None]
_put_back: dict[str, PutBack] = {}


class ChangedSince(DomainError):
    """Somebody changed the same thing again, so putting the old back would undo their work."""

    def __init__(self) -> None:
        super().__init__(_("This was changed again since then. Nothing was changed now."))


def puts_back(kind: str) -> Callable[[PutBack], PutBack]:
    """Register how one kind of change is put back.

    The function writes ``change.before`` where it belongs and raises ChangedSince when what
    stands there now is no longer ``change.after``. It does not commit.
    """

    def register(function: PutBack) -> PutBack:
        if kind in _put_back:
            raise RuntimeError(f"{kind} is put back by another function already")
        _put_back[kind] = function
        return function

    return register


def remember(
    session: Session,
    kind: str,
    *,
    subject: str = "",
    actor: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> Change | None:
    """Keep what a person just changed, and write it to the audit trail. Does not commit.

    Returns None when nothing differs: saving a form untouched is no change.
    """
    if before == after:
        return None
    change = Change(kind=kind, subject=subject, actor=actor, before=before, after=after)
    session.add(change)
    session.flush()
    record(session, f"{kind}.changed", actor=actor, subject=f"change:{change.id}", of=subject)
    return change


def take_back(session: Session, change_id: UUID, *, actor: str) -> Change:
    """Put one change back, once. A second try changes nothing. Does not commit.

    Raises NotFound, and ChangedSince when somebody changed the same thing after it.
    """
    change = session.scalar(
        select(Change)
        .where(Change.store_id == bound_store(), Change.id == change_id)
        .with_for_update()
    )
    if change is None:
        raise NotFound
    if change.taken_back_at is None:
        _put_back[change.kind](session, change)
        change.taken_back_at, change.taken_back_by = func.now(), actor
        record(
            session,
            f"{change.kind}.taken_back",
            actor=actor,
            subject=f"change:{change.id}",
            of=change.subject,
        )
        session.flush()
    return change


def latest_change(session: Session, kind: str, *, subject: str = "") -> Change | None:
    """The last change that still stands: who made it and when (UTC) is what the screen says."""
    return session.scalar(
        select(Change)
        .where(
            Change.store_id == bound_store(),
            Change.kind == kind,
            Change.subject == subject,
            Change.taken_back_at.is_(None),
        )
        .order_by(Change.at.desc())
        .limit(1)
    )
