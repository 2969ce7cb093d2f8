"""Looking at a store as its owner would, to help. It is seen, it is written down, and it changes nothing.

Changing something needs a second reason and lasts a quarter of an hour. The rows are the
platform's own; each step is also written to the store's audit trail, where its owner reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.errors import DomainError, NotFound
from app.domain.people.models import Person
from app.domain.platform.models import Impersonation
from app.domain.platform.suspending import need_reason
from app.domain.stores.models import Store
from app.i18n import gettext_lazy as _
from app.ids import new_id, token_hash

LOOKING = timedelta(hours=1)
WRITING = timedelta(minutes=15)
# Nobody from outside the shop does these, whatever the reason: who works there, where money goes.
NEVER = frozenset({"team.change", "payouts.change"})


class OnlyLooking(DomainError):
    """Somebody of the platform is looking at this store; nothing may be changed."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "You are looking at this shop for Dukani, so nothing can be changed."
                " Nothing was changed now."
            )
        )


class NotFromOutside(DomainError):
    """The team and the place money goes to are changed by the shop's own people alone."""

    def __init__(self) -> None:
        super().__init__(
            _("Only the shop's own people can open this. Nobody from Dukani does it for them.")
        )


@dataclass(frozen=True)
class Acting:
    """Who looks at which store, until when, and whether they may change things."""

    store_id: int
    slug: str
    store_name: str
    person_id: UUID
    person_name: str
    reason: str
    ends_at: datetime
    writes_until: datetime | None

    @property
    def may_write(self) -> bool:
        """Whether changes are allowed at this moment."""
        return self.writes_until is not None and utcnow() < self.writes_until

    def refuse(self, permission: str, *, is_reading: bool) -> None:
        """Raise NotFromOutside or OnlyLooking when this request is not for them."""
        if permission in NEVER:
            raise NotFromOutside
        if not is_reading and not self.may_write:
            raise OnlyLooking


def begin_looking(
    session: Session, store_id: int, *, person: Person, token: str, reason: str
) -> Impersonation:
    """Begin to look at a store, in this browser's session only; ends any other look of it.

    Through the platform's session. Does not commit. Raises NotFound, FieldProblem.
    """
    why = need_reason(reason)
    if store_id == PLATFORM_STORE or session.get(Store, store_id) is None:
        raise NotFound
    end_looking(session, token)
    row = Impersonation(
        store_id=store_id,
        id=new_id(),
        person_id=person.id,
        person_name=person.name,
        session_hash=token_hash(token),
        reason=why,
        ends_at=utcnow() + LOOKING,
    )
    session.add(row)
    session.flush()
    return row


def begin_writing(session: Session, store_id: int, *, token: str, reason: str) -> Impersonation:
    """Allow changes for fifteen minutes. Does not commit. Raises NotFound, FieldProblem."""
    why = need_reason(reason)
    row = session.scalar(
        select(Impersonation)
        .where(
            Impersonation.session_hash == token_hash(token),
            Impersonation.store_id == store_id,
            Impersonation.ended_at.is_(None),
            Impersonation.ends_at > func.now(),
        )
        .with_for_update()
    )
    if row is None:
        raise NotFound
    row.write_reason, row.writes_until = why, utcnow() + WRITING
    session.flush()
    return row


def end_looking(session: Session, token: str) -> int | None:
    """Stop looking; returns the store that was looked at, or None. Does not commit."""
    return session.scalar(
        update(Impersonation)
        .where(Impersonation.session_hash == token_hash(token), Impersonation.ended_at.is_(None))
        .values(ended_at=func.now())
        .returning(Impersonation.store_id)
    )


def acting_now(token: str) -> Acting | None:
    """The store that this session looks at now, or None."""
    if not token:
        return None
    with platform_session() as session:
        found = session.execute(
            select(Impersonation, Store.slug, Store.name)
            .join(Store, Store.id == Impersonation.store_id)
            .where(
                Impersonation.session_hash == token_hash(token),
                Impersonation.ended_at.is_(None),
                Impersonation.ends_at > func.now(),
            )
        ).one_or_none()
    if found is None:
        return None
    row, slug, store_name = found
    return Acting(
        store_id=row.store_id,
        slug=slug,
        store_name=store_name,
        person_id=row.person_id,
        person_name=row.person_name,
        reason=row.reason,
        ends_at=row.ends_at,
        writes_until=row.writes_until,
    )
