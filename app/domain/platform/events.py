"""What providers told us and what we asked them, over all stores; and handling one event again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.errors import DomainError, NotFound
from app.domain.orders.models import Order
from app.domain.payments.callbacks import handle_again
from app.domain.payments.models import Callback, PaymentAttempt, ProviderCall
from app.i18n import gettext_lazy as _
from app.logging import scrub

KINDS: dict[str, str] = {
    "stk": _("Answer to a prompt"),
    "c2b_confirmation": _("Money that arrived"),
    "c2b_validation": _("May this money come?"),
    "refused": _("Turned away"),
}
VERDICTS: dict[str, str] = {
    "settled": _("Settled"),
    "confirming": _("Asking M-Pesa whether it is true"),
    "failed": _("The prompt was not paid"),
    "repeated": _("Known already"),
    "failure_after_success": _("A failure after success: ignored"),
    "amount_differs": _("Another amount: a person decides"),
    "unmatched": _("Money without an order: a person decides"),
    "wrong_checkout_id": _("Refused: about another prompt"),
    "checkout_id_of_another": _("Refused: the prompt of another payment"),
    "wrong_shortcode": _("Refused: another till"),
    "unreadable": _("Refused: cannot be read"),
    "unknown_secret": _("Refused: nobody's address"),
    "too_large": _("Refused: too large"),
}
MOST_SHOWN = 100
# Names of people travel in these; numbers are masked wherever they stand.
_NAMES = frozenset({"FirstName", "MiddleName", "LastName", "CustomerName"})

_EVENTS = text("SELECT * FROM app.ops_events(:store_id, :kind, :verdict, :until, :most)")
_CALLS = text("SELECT * FROM app.ops_calls(:store_id, :only_failed, :until, :most)")


@dataclass(frozen=True)
class Event:
    """The outside of one callback. ``verdict`` is None until a worker has looked at it."""

    store_id: int
    id: UUID
    kind: str
    verdict: str | None
    source_ip: str
    is_listed_ip: bool | None
    received_at: datetime
    handled_at: datetime | None


@dataclass(frozen=True)
class OutgoingCall:
    """How one call of ours to a provider ended. ``latency_ms`` in milliseconds."""

    store_id: int
    id: UUID
    provider: str
    endpoint: str
    http_status: int | None
    latency_ms: int | None
    error: str | None
    at: datetime


@dataclass(frozen=True)
class Replay:
    """What handling an event again came to, and whether its payment stands elsewhere now."""

    verdict: str
    has_changed: bool


class NotReplayable(DomainError):
    """This event was turned away at the door: there is nothing to handle."""

    def __init__(self) -> None:
        super().__init__(_("This was turned away at the door. There is nothing to run again."))


def find_events(
    session: Session,
    *,
    store_id: int | None = None,
    kind: str | None = None,
    verdict: str | None = None,
    until: datetime | None = None,
    most: int = MOST_SHOWN,
) -> list[Event]:
    """Callbacks of every store, the newest first. Platform's session."""
    rows = session.execute(
        _EVENTS,
        {"store_id": store_id, "kind": kind, "verdict": verdict, "until": until, "most": most},
    )
    return [Event(**row) for row in rows.mappings()]


def find_calls(
    session: Session,
    *,
    store_id: int | None = None,
    only_failed: bool = False,
    until: datetime | None = None,
    most: int = MOST_SHOWN,
) -> list[OutgoingCall]:
    """Calls to providers, the newest first. Platform's session."""
    rows = session.execute(
        _CALLS, {"store_id": store_id, "only_failed": only_failed, "until": until, "most": most}
    )
    return [OutgoingCall(**row) for row in rows.mappings()]


def open_event(session: Session, event_id: UUID) -> Callback:
    """One callback of the bound store. Raises NotFound."""
    found = session.get(Callback, (bound_store(), event_id))
    if found is None:
        raise NotFound
    return found


def open_call(session: Session, call_id: UUID) -> ProviderCall:
    """One call of the bound store. Raises NotFound."""
    found = session.get(ProviderCall, (bound_store(), call_id))
    if found is None:
        raise NotFound
    return found


def masked_body(body: bytes) -> str:
    """A body for a screen: as it came where it is no JSON, indented where it is; nobody's number or name."""
    raw = body.decode("utf-8", errors="replace")
    try:
        return scrub(json.dumps(_without_people(json.loads(raw)), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return scrub(raw)


def replay(session: Session, event_id: UUID, *, actor: str) -> Replay:
    """Handle one callback of the bound store again. What was applied is not applied twice.

    Writes the audit trail. Does not commit. Raises NotFound, NotReplayable.
    """
    event = open_event(session, event_id)
    if event.kind not in ("stk", "c2b_confirmation"):
        raise NotReplayable
    before = _standing(session, event)
    verdict = handle_again(session, event_id)
    session.flush()
    has_changed = _standing(session, event) != before
    record(
        session,
        "event.replayed",
        actor=actor,
        subject=f"callback:{event_id}",
        verdict=verdict,
        has_changed=has_changed,
    )
    return Replay(verdict, has_changed)


def _standing(session: Session, event: Callback) -> tuple[Any, ...]:
    """Where the event's payment stands: statuses, receipt, and how much was written about it."""
    session.expire_all()
    counts = session.execute(
        text(
            "SELECT (SELECT count(*) FROM app.incoming_payments WHERE store_id = app.store_id()),"
            " (SELECT count(*) FROM app.review_items WHERE store_id = app.store_id()),"
            " (SELECT max(at) FROM app.ledger_tx WHERE store_id = app.store_id())"
        )
    ).one()
    attempt = (
        session.get(PaymentAttempt, (bound_store(), event.attempt_id))
        if event.attempt_id is not None
        else None
    )
    if attempt is None:
        return tuple(counts)
    order = session.get_one(Order, (bound_store(), attempt.order_id))
    return (*counts, attempt.status, attempt.receipt, attempt.callback_result_code, order.status)


def _without_people(value: Any) -> Any:
    """The same value with names blanked and numbers of phones masked, also where they are JSON numbers."""
    if isinstance(value, dict):
        if value.get("Name") in ("PhoneNumber", "MSISDN") and "Value" in value:
            return value | {"Value": "07•••"}
        return {
            key: "•••" if key in _NAMES and item else _without_people(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_people(item) for item in value]
    return value
