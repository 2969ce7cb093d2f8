"""Who is signed in: rows in Postgres, read and written by the platform's role alone.

The cookie holds a random token; the row holds its hash. A session ends after 12 hours
without a click, after 7 days, when it is ended, or when the person's ``session_version``
moves on (signed out everywhere, password changed).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update

from app.clock import utcnow
from app.db.engine import platform_session
from app.domain.people.models import Membership, Person, StaffSession
from app.domain.stores.models import Store
from app.ids import new_token, token_hash

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
# One write per click would be wasted; one a minute keeps the idle limit honest.
SEEN_EVERY = timedelta(minutes=1)
MAX_DEVICE = 120
MAX_PLACE = 60


@dataclass(frozen=True)
class StoreChoice:
    """A store a person works in."""

    store_id: int
    slug: str
    name: str
    role: str


@dataclass(frozen=True)
class Device:
    """A browser that is signed in: what it is, roughly where, and when it was last used (UTC)."""

    id: UUID
    device: str
    place: str
    signed_in_at: datetime
    seen_at: datetime
    is_this_one: bool


def start_session(person_id: UUID, device: str, *, place: str = "") -> str:
    """Sign a person in on a device: a new token each time, never one the browser brought.

    ``device`` and ``place`` are shown to the person later ("Chrome on Android", the network's
    part of an address, empty where it is not known). Raises LookupError when there is no
    such person.
    """
    token = new_token() + new_token()
    with platform_session() as session:
        person = session.get(Person, person_id)
        if person is None:
            raise LookupError("no such person")
        session.add(
            StaffSession(
                token_hash=token_hash(token),
                person_id=person_id,
                session_version=person.session_version,
                csrf_secret=secrets.token_hex(16),
                device=device[:MAX_DEVICE],
                place=place[:MAX_PLACE],
                expires_at=utcnow() + ABSOLUTE,
            )
        )
    return token


def find_session(token: str) -> tuple[Person, str] | None:
    """The person behind a token and the session's CSRF secret, or None. Notes the visit."""
    if not token:
        return None
    with platform_session() as session:
        found = session.execute(
            select(StaffSession, Person)
            .join(Person, Person.id == StaffSession.person_id)
            .where(StaffSession.token_hash == token_hash(token))
        ).one_or_none()
        if found is None:
            return None
        row, person = found
        now = utcnow()
        if not _is_alive(row, person, now):
            return None
        if now - row.seen_at > SEEN_EVERY:
            row.seen_at = now
        return person, row.csrf_secret


def end_session(token: str) -> None:
    """Sign out on this device. Fine to call twice."""
    with platform_session() as session:
        session.execute(
            update(StaffSession)
            .where(StaffSession.token_hash == token_hash(token), StaffSession.ended_at.is_(None))
            .values(ended_at=func.now())
        )


def end_all_sessions(person_id: UUID) -> None:
    """Sign out everywhere, now: every older session carries yesterday's version."""
    with platform_session() as session:
        session.execute(
            update(Person)
            .where(Person.id == person_id)
            .values(session_version=Person.session_version + 1)
        )


def devices_of(person_id: UUID, *, this_token: str = "") -> list[Device]:
    """Every browser where the person is signed in now, the last used first."""
    now, this = utcnow(), token_hash(this_token)
    with platform_session() as session:
        rows = session.execute(
            select(StaffSession, Person)
            .join(Person, Person.id == StaffSession.person_id)
            .where(StaffSession.person_id == person_id, StaffSession.ended_at.is_(None))
            .order_by(StaffSession.seen_at.desc(), StaffSession.id)
        )
        return [
            Device(
                row.id, row.device, row.place, row.created_at, row.seen_at, row.token_hash == this
            )
            for row, person in rows
            if _is_alive(row, person, now)
        ]


def end_device(person_id: UUID, device_id: UUID) -> str | None:
    """Sign one of the person's devices out: its next click asks for the sign-in page.

    Returns what the device is called, or None when it is not theirs or signed out already.
    """
    with platform_session() as session:
        return session.scalar(
            update(StaffSession)
            .where(
                StaffSession.id == device_id,
                StaffSession.person_id == person_id,
                StaffSession.ended_at.is_(None),
            )
            .values(ended_at=func.now())
            .returning(StaffSession.device)
        )


def end_other_sessions(person_id: UUID, *, keep: str) -> int:
    """Sign the person out everywhere but here. ``keep`` is this browser's token.

    Returns how many sessions ended.
    """
    with platform_session() as session:
        ended = session.scalars(
            update(StaffSession)
            .where(
                StaffSession.person_id == person_id,
                StaffSession.token_hash != token_hash(keep),
                StaffSession.ended_at.is_(None),
            )
            .values(ended_at=func.now())
            .returning(StaffSession.id)
        )
        return len(ended.all())


def role_in(person_id: UUID, store_slug: str) -> tuple[int, str] | None:
    """The store's id and the person's role there, or None: the same for no store and no role.

    Notes that the person was at work there, at most once a minute.
    """
    with platform_session() as session:
        found = session.execute(
            select(Membership.store_id, Membership.role, Membership.seen_at)
            .join(Store, Store.id == Membership.store_id)
            .where(Membership.person_id == person_id, Store.slug == store_slug)
        ).one_or_none()
        if found is None:
            return None
        now = utcnow()
        if found.seen_at is None or now - found.seen_at > SEEN_EVERY:
            # A statement, not an object: the row may be gone by now, and that is no error.
            session.execute(
                update(Membership)
                .where(Membership.store_id == found.store_id, Membership.person_id == person_id)
                .values(seen_at=now)
            )
        return found.store_id, found.role


def stores_of(person_id: UUID) -> list[StoreChoice]:
    """Every store the person works in, by name."""
    with platform_session() as session:
        rows = session.execute(
            select(Store.id, Store.slug, Store.name, Membership.role)
            .join(Store, Store.id == Membership.store_id)
            .where(Membership.person_id == person_id)
            .order_by(Store.name, Store.id)
        )
        return [StoreChoice(*row) for row in rows]


def _is_alive(row: StaffSession, person: Person, now: datetime) -> bool:
    return (
        row.ended_at is None
        and row.session_version == person.session_version
        and now < row.expires_at
        and now - row.seen_at <= IDLE
    )
