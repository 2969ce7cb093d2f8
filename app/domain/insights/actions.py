"""Looking for something worth suggesting, and doing or undoing it with one tap."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.delivery.actions import change_fee
from app.domain.delivery.queries import area_name
from app.domain.errors import AreaNotServed, DomainError, NotFound
from app.domain.insights import queries
from app.domain.insights.models import Nudge, NudgeStatus
from app.domain.insights.rules import NudgeIdea, find_fee_nudges
from app.i18n import gettext_lazy as _
from app.ids import new_id
from app.money import format_kes

LOWER_FEE = "lower_fee"
REST = timedelta(days=14)
"""An area whose nudge was refused or undone is left alone for this long."""


class FeeMoved(DomainError):
    """Somebody changed the fee in the meantime, so the one tap would undo their work."""

    def __init__(self, fee_cents: int) -> None:
        self.fee_cents = fee_cents
        super().__init__(
            _(
                "The fee was changed to %(fee)s since then. Nothing was changed now.",
                fee=format_kes(fee_cents),
            )
        )


def look_for_nudges(session: Session, now: datetime) -> int:
    """Offer what the numbers speak for, and drop offers that they no longer do.

    Returns how many nudges are on offer. Running it again changes nothing: an area has
    at most one open nudge, kept fresh, and one that was refused or undone rests 14 days.
    """
    found = find_fee_nudges(queries.area_stats(session, now), queries.delivery_fees(session))
    ideas = {idea.area: idea for idea in found}
    known = _recent_nudges(session, now)
    offered = [nudge for nudge in known if nudge.status == NudgeStatus.OFFERED]
    resting = {nudge.area for nudge in known if nudge.status != NudgeStatus.OFFERED}

    kept: set[str] = set()
    for nudge in offered:
        idea = ideas.get(nudge.area)
        if idea is None or idea.from_fee_cents != nudge.from_fee_cents:
            nudge.move_to(NudgeStatus.STALE)
        else:
            nudge.evidence = idea.evidence()
            kept.add(nudge.area)
    session.flush()
    fresh = [idea for area, idea in ideas.items() if area not in kept | resting]
    return len(kept) + _offer(session, fresh, now)


def _recent_nudges(session: Session, now: datetime) -> list[Nudge]:
    since = now - REST
    return list(
        session.scalars(
            select(Nudge)
            .where(
                Nudge.store_id == bound_store(),
                Nudge.kind == LOWER_FEE,
                Nudge.status.in_([NudgeStatus.OFFERED, NudgeStatus.APPLIED])
                | ((Nudge.status == NudgeStatus.DISMISSED) & (Nudge.created_at > since))
                | ((Nudge.status == NudgeStatus.UNDONE) & (Nudge.undone_at > since)),
            )
            .order_by(Nudge.created_at)
            .with_for_update()
        )
    )


def _offer(session: Session, ideas: Iterable[NudgeIdea], now: datetime) -> int:
    rows = [
        {
            "store_id": bound_store(),
            "id": new_id(),
            "kind": LOWER_FEE,
            "area": idea.area,
            "status": NudgeStatus.OFFERED,
            "from_fee_cents": idea.from_fee_cents,
            "to_fee_cents": idea.to_fee_cents,
            "evidence": idea.evidence(),
            "created_at": now,
        }
        for idea in ideas
    ]
    if rows:
        # Two runs at once: the index of open nudges lets one of them in.
        session.execute(insert(Nudge).values(rows).on_conflict_do_nothing())
    return len(rows)


def apply_nudge(session: Session, nudge_id: UUID, actor: str) -> Nudge:
    """Change the area's fee as suggested. Applying it twice is applying it once.

    Orders already placed keep their fee. Raises NotFound, IllegalTransition when it is
    no longer on offer, AreaNotServed, and FeeMoved when the fee is another one by now;
    each leaves everything as it was.
    """
    nudge = _lock(session, nudge_id)
    if nudge.status == NudgeStatus.APPLIED:
        return nudge
    nudge.move_to(NudgeStatus.APPLIED)
    nudge.applied_at = func.now()
    nudge.applied_by = actor
    _set_fee(
        session,
        nudge,
        expected_cents=nudge.from_fee_cents,
        fee_cents=nudge.to_fee_cents,
        actor=actor,
    )
    return nudge


def undo_nudge(session: Session, nudge_id: UUID, actor: str) -> Nudge:
    """Put the fee back as it was before the nudge. Undoing it twice is undoing it once.

    Raises NotFound, IllegalTransition when it was never applied, AreaNotServed, and
    FeeMoved when somebody set another fee after the nudge; each changes nothing.
    """
    nudge = _lock(session, nudge_id)
    if nudge.status == NudgeStatus.UNDONE:
        return nudge
    nudge.move_to(NudgeStatus.UNDONE)
    nudge.undone_at = func.now()
    _set_fee(
        session,
        nudge,
        expected_cents=nudge.to_fee_cents,
        fee_cents=nudge.from_fee_cents,
        actor=actor,
    )
    return nudge


def dismiss_nudge(session: Session, nudge_id: UUID, actor: str) -> Nudge:
    """Not now: the nudge goes, and its area is left alone for 14 days.

    Raises NotFound, and IllegalTransition when it was decided already.
    """
    nudge = _lock(session, nudge_id)
    if nudge.status == NudgeStatus.DISMISSED:
        return nudge
    nudge.move_to(NudgeStatus.DISMISSED)
    record(session, "nudge.dismissed", actor=actor, subject=f"nudge:{nudge.id}", area=nudge.area)
    return nudge


def _lock(session: Session, nudge_id: UUID) -> Nudge:
    nudge = session.scalar(
        select(Nudge).where(Nudge.store_id == bound_store(), Nudge.id == nudge_id).with_for_update()
    )
    if nudge is None:
        raise NotFound
    return nudge


def _set_fee(
    session: Session, nudge: Nudge, *, expected_cents: int, fee_cents: int, actor: str
) -> None:
    terms = queries.lock_delivery_area(session, nudge.area)
    if terms is None:
        raise AreaNotServed(area_name(nudge.area))
    if terms.fee_cents != expected_cents:
        raise FeeMoved(terms.fee_cents)
    change_fee(session, terms, fee_cents, actor=actor)
    record(
        session, f"nudge.{nudge.status}", actor=actor, subject=f"nudge:{nudge.id}", area=nudge.area
    )
