"""Taking a change back: one address for every kind of change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import redirect
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.changes.actions import ChangedSince, take_back
from app.i18n import gettext as _
from app.web.auth import require_staff
from app.web.backoffice.shell import actor, back_or, desk, toast, trouble

bp = desk("office_changes", __name__, "/dash/<store>/changes")


@bp.post("/<uuid:change_id>/undo")
@require_staff("store.change")
def undo(change_id: UUID) -> Any:
    """Put one change of settings or goods back as it was."""
    session: Session = db.session()
    try:
        take_back(session, change_id, actor=actor())
    except ChangedSince as problem:
        session.rollback()
        trouble(str(problem))
        return redirect(back_or("office_today.show"), code=303)
    session.commit()
    toast(_("Put back as it was before."))
    return redirect(back_or("office_today.show"), code=303)
