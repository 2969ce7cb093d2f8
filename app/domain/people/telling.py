"""Telling owners what happened to their store's locks, and who they are.

A message about safety goes by SMS to every owner's own phone, never to a number that the
change itself brought in.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.messaging.actions import queue_message
from app.domain.people.models import Membership, Person
from app.domain.people.permissions import OWNER
from app.i18n import current_locale
from app.ids import new_id
from app.vault import vault

KIND = "security_notice"


@dataclass(frozen=True)
class Phone:
    """A person and their own number in E.164."""

    person_id: UUID
    number: str


def phone_of(person: Person) -> str | None:
    """The person's own number in E.164, opened from its seal; None for people without one."""
    if person.phone_sealed is None:
        return None
    return vault().open(person.phone_sealed, store_id=PLATFORM_STORE, column="people.phone")


def owners_of_store(store_id: int) -> list[Phone]:
    """The phones of everybody who owns this store."""
    return _phones(
        select(Membership.person_id).where(
            Membership.store_id == store_id, Membership.role == OWNER
        )
    )


def owners_around(person_id: UUID) -> list[Phone]:
    """The phones of the owners of every store this person works in."""
    theirs = select(Membership.store_id).where(Membership.person_id == person_id)
    return _phones(
        select(Membership.person_id).where(
            Membership.store_id.in_(theirs), Membership.role == OWNER
        )
    )


def tell(session: Session, phones: list[Phone], text: str) -> int:
    """Ask for one SMS to each phone, from the store that is bound. Does not commit.

    Returns how many were asked for.
    """
    event = new_id()
    told = {phone.number: phone for phone in phones}
    for phone in told.values():
        queue_message(
            session,
            KIND,
            phone=phone.number,
            text=text,
            key=f"{KIND}:{event}:{phone.person_id}",
            channel="sms",
            language=current_locale(),
        )
    return len(told)


def _phones(people: object) -> list[Phone]:
    with platform_session() as session:
        found = session.scalars(
            select(Person).where(Person.id.in_(people), Person.phone_sealed.is_not(None))  # type: ignore[arg-type]
        ).all()
    return [Phone(person.id, phone_of(person) or "") for person in found]
