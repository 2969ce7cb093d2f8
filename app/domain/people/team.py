"""Who works in a store: reading the team, changing a role, taking somebody out and back in.

Memberships belong to the platform's role, so each verb is a transaction of its own with
its audit entry inside. A store that has an owner always keeps one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.audit.actions import record
from app.domain.errors import DomainError, FieldProblem, NotFound
from app.domain.people.models import FormerMember, Membership, Person
from app.domain.people.permissions import OWNER, ROLES
from app.domain.people.sessions import end_device
from app.domain.stores.actions import add_membership
from app.i18n import gettext_lazy as _
from app.vault import vault

# How long somebody who was taken out can be brought back with a click.
BRING_BACK_WITHIN = timedelta(days=7)
_ACT_IN = text("SELECT set_config('app.store_id', :store_id, true)")
# Two owners who demote each other at once must go one after the other.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(71004, hashint8(:store_id))")


class LastOwner(DomainError):
    """The store would be left without an owner."""

    def __init__(self) -> None:
        super().__init__(
            _("A store needs an owner. Make somebody else an owner first. Nothing was changed.")
        )


class RoleChangedSince(DomainError):
    """Somebody else changed the same role meanwhile."""

    def __init__(self) -> None:
        super().__init__(_("Somebody changed this role meanwhile. Nothing was changed now."))


class DeviceGone(NotFound):
    """The device is signed out already, or was never this person's."""

    def __init__(self) -> None:
        super().__init__(_("That device is signed out already."))


@dataclass(frozen=True)
class Member:
    """One person of a team. ``phone`` is E.164 or empty; ``seen_at`` is the last click here (UTC)."""

    person_id: UUID
    name: str
    phone: str
    email: str
    role: str
    since: datetime
    seen_at: datetime | None


@dataclass(frozen=True)
class Former:
    """Somebody taken out lately, who can be brought back."""

    person_id: UUID
    name: str
    role: str
    removed_by: str
    removed_at: datetime


@contextmanager
def acting_in(store_id: int) -> Iterator[Session]:
    """A transaction of the platform's role that writes its audit into one store's log."""
    with platform_session() as session:
        session.execute(_ACT_IN, {"store_id": str(store_id)})
        yield session


def team_of(store_id: int) -> list[Member]:
    """Everybody who works in the store, owners first, then by role and name."""
    with platform_session() as session:
        rows = session.execute(
            select(Membership, Person)
            .join(Person, Person.id == Membership.person_id)
            .where(Membership.store_id == store_id)
        ).all()
    members = [_member(membership, person) for membership, person in rows]
    return sorted(members, key=lambda one: (ROLES.index(one.role), one.name.casefold()))


def member_of(store_id: int, person_id: UUID) -> Member:
    """One person of the team. Raises NotFound for anybody else."""
    with platform_session() as session:
        row = session.execute(
            select(Membership, Person)
            .join(Person, Person.id == Membership.person_id)
            .where(Membership.store_id == store_id, Membership.person_id == person_id)
        ).one_or_none()
    if row is None:
        raise NotFound
    return _member(*row)


def former_members(store_id: int) -> list[Former]:
    """Who was taken out in the last week and has not come back, the latest first."""
    with platform_session() as session:
        rows = session.execute(
            select(FormerMember, Person.name)
            .join(Person, Person.id == FormerMember.person_id)
            .where(
                FormerMember.store_id == store_id,
                FormerMember.removed_at > utcnow() - BRING_BACK_WITHIN,
            )
            .order_by(FormerMember.removed_at.desc())
        )
        return [
            Former(row.person_id, name, row.role, row.removed_by, row.removed_at)
            for row, name in rows
        ]


def change_role(store_id: int, person_id: UUID, role: str, *, seen: str, actor: str) -> str:
    """Give a member another role; returns the one they had. It counts from their next click.

    ``seen`` is the role the page showed. Raises NotFound, FieldProblem for an unknown role,
    RoleChangedSince, LastOwner.
    """
    if role not in ROLES:
        raise FieldProblem("role", _("Choose a role."))
    with acting_in(store_id) as session:
        membership = _locked(session, store_id, person_id)
        before = membership.role
        if before == role:
            return before
        if before != seen:
            raise RoleChangedSince
        if before == OWNER:
            _keep_an_owner(session, store_id, person_id)
        membership.role = role
        record(
            session,
            "team.role",
            actor=actor,
            subject=f"person:{person_id}",
            before=before,
            after=role,
        )
    return before


def remove_member(store_id: int, person_id: UUID, *, actor: str) -> Former:
    """Take somebody out of the team: their next click in this store finds nothing.

    Their work in other stores goes on. Raises NotFound, LastOwner.
    """
    with acting_in(store_id) as session:
        membership = _locked(session, store_id, person_id)
        if membership.role == OWNER:
            _keep_an_owner(session, store_id, person_id)
        person = session.get_one(Person, person_id)
        former = Former(person_id, person.name, membership.role, actor, utcnow())
        values = {
            "role": former.role,
            "removed_by": former.removed_by,
            "removed_at": former.removed_at,
        }
        session.execute(
            insert(FormerMember)
            .values(store_id=store_id, person_id=person_id, **values)
            .on_conflict_do_update(
                index_elements=[FormerMember.store_id, FormerMember.person_id], set_=values
            )
        )
        session.delete(membership)
        record(
            session,
            "team.removed",
            actor=actor,
            subject=f"person:{person_id}",
            role=former.role,
        )
    return former


def bring_back(store_id: int, person_id: UUID, *, actor: str) -> Member:
    """Undo a removal of the last week, with the role they had. Twice is once.

    Raises NotFound for somebody who was not taken out of this store lately.
    """
    with acting_in(store_id) as session:
        former = session.scalar(
            select(FormerMember)
            .where(
                FormerMember.store_id == store_id,
                FormerMember.person_id == person_id,
                FormerMember.removed_at > utcnow() - BRING_BACK_WITHIN,
            )
            .with_for_update()
        )
        is_back = session.get(Membership, (store_id, person_id)) is not None
        if former is not None and not is_back:
            add_membership(session, store_id=store_id, person_id=person_id, role=former.role)
            session.delete(former)
            record(
                session,
                "team.brought_back",
                actor=actor,
                subject=f"person:{person_id}",
                role=former.role,
            )
    return member_of(store_id, person_id)


def forget_removal(session: Session, store_id: int, person_id: UUID) -> None:
    """Somebody joined again by invitation, so there is nothing to bring back."""
    session.execute(
        delete(FormerMember).where(
            FormerMember.store_id == store_id, FormerMember.person_id == person_id
        )
    )


def sign_out_device(store_id: int, person_id: UUID, device_id: UUID, *, actor: str) -> str:
    """Sign a colleague's lost phone out, wherever it was signed in; returns what it is called.

    Raises NotFound when the person does not work here, DeviceGone.
    """
    member_of(store_id, person_id)
    device = end_device(person_id, device_id)
    if device is None:
        raise DeviceGone
    with acting_in(store_id) as session:
        record(
            session,
            "team.device_signed_out",
            actor=actor,
            subject=f"person:{person_id}",
            device=device,
        )
    return device


def _locked(session: Session, store_id: int, person_id: UUID) -> Membership:
    session.execute(_ONE_AT_A_TIME, {"store_id": store_id})
    membership = session.get(Membership, (store_id, person_id), with_for_update=True)
    if membership is None:
        raise NotFound
    return membership


def _keep_an_owner(session: Session, store_id: int, leaving: UUID) -> None:
    """Raises LastOwner."""
    others = select(Membership.person_id).where(
        Membership.store_id == store_id,
        Membership.role == OWNER,
        Membership.person_id != leaving,
    )
    if session.scalar(others.limit(1)) is None:
        raise LastOwner


def _member(membership: Membership, person: Person) -> Member:
    phone = (
        vault().open(person.phone_sealed, store_id=PLATFORM_STORE, column="people.phone")
        if person.phone_sealed
        else ""
    )
    return Member(
        person.id,
        person.name,
        phone,
        person.email or "",
        membership.role,
        membership.created_at,
        membership.seen_at,
    )
