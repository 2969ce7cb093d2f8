"""Writing to the audit log. Write it last in the transaction: the chain takes a lock per store."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_INSERT = text(
    "INSERT INTO app.audit_log (actor, action, subject, detail, seq, at, prev_hash, hash)"
    " VALUES (:actor, :action, :subject, CAST(:detail AS jsonb), 0, now(), '', '')"
)


def record(session: Session, action: str, *, actor: str, subject: str, **detail: Any) -> None:
    """Add one entry. ``subject`` is ``kind:id``; ``detail`` holds before and after, never a phone number."""
    session.flush()
    session.execute(
        _INSERT,
        {
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail, default=str),
        },
    )
