"""Wrong tries: each one waits longer than the last, and the tenth locks.

Counted in Postgres in store 0, per door (password, code, PIN) and subject, from whatever
device or address. Nothing sleeps: a try that comes too early is refused, unread and uncounted.
A subject that belongs to nobody is counted and refused in the same words as one that does. A
lock shuts one door of one person; a code to their own phone opens it again, and so a stranger
who guesses passwords keeps nobody out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import extract, func, select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.errors import TooManyTries
from app.domain.people import limits, telling
from app.domain.people.models import Person, RateCounter
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.timings import timings
from app.vault import vault

LOCKED_AT = 10
_AGE = extract("epoch", func.clock_timestamp() - RateCounter.at)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(71003, hashtext(:what))")


class Door(Enum):
    """Where something secret is tried: the counter's name, and how many seconds it remembers."""

    PASSWORD = ("sign-in:account", 3600)
    CODE = ("sign-in:code", 3600)
    PIN = ("pin:person", 86_400)

    @property
    def counter(self) -> str:
        return self.value[0]

    @property
    def seconds(self) -> int:
        return self.value[1]


class LockedOut(TooManyTries):
    """Ten wrong tries. The same words for an account that exists and one that does not."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        minutes = max(1, -(-retry_after_seconds // 60))
        self.args = (
            gettext_lazy(
                "Too many wrong tries. Use a code sent to your phone, or wait %(n)s min.", n=minutes
            ),
        )


@dataclass(frozen=True)
class Wrong:
    """How often somebody was wrong lately, and how many seconds until they may try again."""

    tries: int
    wait_seconds: int

    @property
    def is_locked(self) -> bool:
        return self.tries >= LOCKED_AT


def wrong_tries(session: Session, door: Door, subject: str) -> Wrong:
    """What is counted against this subject now. Inside store 0."""
    ages = session.scalars(
        select(_AGE)
        .where(
            RateCounter.store_id == bound_store(),
            RateCounter.name == door.counter,
            RateCounter.subject_hash == _hashed(subject),
            door.seconds > _AGE,
        )
        .order_by(RateCounter.at.desc())
        .limit(LOCKED_AT)
    ).all()
    if not ages:
        return Wrong(0, 0)
    if len(ages) >= LOCKED_AT:
        return Wrong(len(ages), max(1, math.ceil(door.seconds - float(ages[-1]))))
    wait = timings().wrong_try_delay(len(ages)) - float(ages[0])
    return Wrong(len(ages), max(0, math.ceil(wait)))


def take_try(session: Session, door: Door, subject: str) -> int:
    """Count one try before it is read; returns which one in a row it is. Inside store 0. Commits.

    Counting first means that a hundred at once are a hundred, and that the turn is held for a
    millisecond and not for as long as a hash takes. Raises LockedOut, TooManyTries.
    """
    session.execute(_ONE_AT_A_TIME, {"what": f"{door.counter}:{_hashed(subject).hex()}"})
    wrong = wrong_tries(session, door, subject)
    if wrong.is_locked:
        raise LockedOut(wrong.wait_seconds)
    if wrong.wait_seconds:
        raise TooManyTries(wrong.wait_seconds)
    limits.note_try(session, door.counter, subject)
    session.commit()
    return wrong.tries + 1


def was_wrong(session: Session, door: Door, person: Person | None, *, tries: int) -> None:
    """The try was wrong; the tenth locks and, where there is a person, tells the owners.

    ``tries`` is what ``take_try`` returned. Inside store 0; the caller commits.
    """
    if tries < LOCKED_AT or person is None:
        return
    telling.tell(session, telling.owners_around(person.id), _locked_words(door, person))
    record(
        session,
        "person.locked",
        actor="system",
        subject=f"person:{person.id}",
        door=door.name.lower(),
        tries=tries,
    )


def forget(session: Session, door: Door, subject: str) -> None:
    """A right answer: this subject begins anew. Inside store 0; the caller commits."""
    limits.forget_tries(session, door.counter, subject)


def open_again(session: Session, person: Person) -> None:
    """A code to their own phone proved who this is: every door of theirs opens again.

    Inside store 0; the caller commits.
    """
    doors = [(door, subject) for door, subject in _doors_of(person)]
    was_locked = [
        door.name.lower()
        for door, subject in doors
        if wrong_tries(session, door, subject).is_locked
    ]
    for door, subject in doors:
        forget(session, door, subject)
    if was_locked:
        record(
            session,
            "person.unlocked",
            actor=person.name,
            subject=f"person:{person.id}",
            doors=was_locked,
        )


def is_locked(session: Session, person: Person) -> bool:
    """Whether any door of this person is locked now. Inside store 0."""
    return any(wrong_tries(session, door, subject).is_locked for door, subject in _doors_of(person))


def _doors_of(person: Person) -> list[tuple[Door, str]]:
    doors = [(Door.PIN, str(person.id))]
    return [*doors, (Door.PASSWORD, person.email)] if person.email else doors


def _locked_words(door: Door, person: Person) -> str:
    what = {
        Door.PASSWORD: _("10 wrong passwords"),
        Door.CODE: _("10 wrong codes"),
        Door.PIN: _("10 wrong PINs"),
    }[door]
    return _(
        "Dukani: %(what)s were tried for %(name)s. We locked it. A code to their own phone opens "
        "it. If that was not them, look at the team and sign them out.",
        what=what,
        name=person.name,
    )


def _hashed(subject: str) -> bytes:
    return vault().lookup(f"tries:{subject}", store_id=bound_store())
