"""Idempotency keys: minted with a page, spent once, replayed as often as the form is posted."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.errors import FieldProblem, KeyReused
from app.i18n import gettext as _

_CLAIM = text(
    "INSERT INTO app.idempotency_keys (key, request_hash, location) VALUES (:key, :hash, :location)"
    " ON CONFLICT DO NOTHING RETURNING 1"
)
_FIND = text(
    "SELECT request_hash, location FROM app.idempotency_keys WHERE store_id = app.store_id() AND key = :key"
)
_FINISH = text(
    "UPDATE app.idempotency_keys SET location = :location WHERE store_id = app.store_id() AND key = :key"
)


def claim_key(
    session: Session, key: str, fingerprint: bytes, *, leads_to: str | None = None
) -> str | None:
    """Spend a key in this transaction. Returns the stored result when it was spent before.

    ``leads_to`` is the result, where its id is known beforehand; else ``finish_key`` tells.
    A second post of the same form waits here until the first has committed. Raises
    KeyReused when the content differs, FieldProblem for a key that no page of ours minted.
    """
    if not 16 <= len(key) <= 80:
        raise FieldProblem("key", _("This page is out of date. Please load it again."))
    if session.scalar(_CLAIM, {"key": key, "hash": fingerprint, "location": leads_to}) is not None:
        return None
    request_hash, location = session.execute(_FIND, {"key": key}).one()
    if bytes(request_hash) != fingerprint:
        raise KeyReused
    return str(location)


def finish_key(session: Session, key: str, location: str) -> None:
    """Store what this key led to, for replays."""
    session.execute(_FINISH, {"key": key, "location": location})
