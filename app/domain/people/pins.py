"""Action PINs: 4 to 6 digits for what moves money, kept as slowly as passwords.

A PIN is a person's own, in every store they work in. An owner can take one away, never choose
or read it; the person sets a new one after a code to their phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.domain.audit.actions import record
from app.domain.errors import FieldProblem, NotFound
from app.domain.people import lockout, telling
from app.domain.people.lockout import Door
from app.domain.people.models import ActionPin, Membership, Person, SessionProof, StaffSession
from app.domain.people.passwords import hash_secret, is_right
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.phones import national

_PIN = re.compile(r"[0-9]{4,6}")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_DIGITS = "0123456789"


class WeakPin(FieldProblem):
    """A PIN that somebody who knows the person, or a list of common PINs, finds soon."""

    def __init__(self, reason: str) -> None:
        super().__init__("pin", reason)


@dataclass(frozen=True)
class PinHolder:
    """Somebody in a store, and when they set their PIN (UTC), if they did."""

    person_id: UUID
    name: str
    role: str
    set_at: datetime | None


def why_weak(pin: str, *, phone: str | None = None, numbers: Iterable[str] = ()) -> str | None:
    """Why nobody may choose this PIN, in a sentence; None when it is good.

    ``phone`` is the person's own number in E.164, ``numbers`` the shop's till and paybill.
    """
    if not _PIN.fullmatch(pin):
        return _("A PIN has 4 to 6 digits.")
    for is_guessable, reason in _guesses(pin, phone, numbers):
        if is_guessable:
            return reason
    return None


def has_pin(person_id: UUID) -> bool:
    """Whether the person has set a PIN."""
    return pin_set_at(person_id) is not None


def pin_set_at(person_id: UUID) -> datetime | None:
    """When the person's PIN was set (UTC), or None."""
    with platform_session() as session:
        return session.scalar(select(ActionPin.set_at).where(ActionPin.person_id == person_id))


def pins_in(store_id: int) -> list[PinHolder]:
    """Everybody who works in the store, by name, and whether they have a PIN."""
    with platform_session() as session:
        rows = session.execute(
            select(Person.id, Person.name, Membership.role, ActionPin.set_at)
            .join(Membership, Membership.person_id == Person.id)
            .outerjoin(ActionPin, ActionPin.person_id == Person.id)
            .where(Membership.store_id == store_id)
            .order_by(Person.name, Person.id)
        )
        return [PinHolder(*row) for row in rows]


def set_pin(session: Session, person: Person, pin: str, *, numbers: Iterable[str] = ()) -> None:
    """Set or change the person's PIN. Inside store 0; the caller commits the audit entry.

    The caller has made sure that it is this person. Raises WeakPin.
    """
    reason = why_weak(pin, phone=telling.phone_of(person), numbers=numbers)
    if reason is not None:
        raise WeakPin(reason)
    pin_hash = hash_secret(pin)
    with platform_session() as platform:
        platform.execute(
            insert(ActionPin)
            .values(person_id=person.id, pin_hash=pin_hash)
            .on_conflict_do_update(
                index_elements=[ActionPin.person_id],
                set_={"pin_hash": pin_hash, "set_at": func.now()},
            )
        )
        _forget_proofs(platform, person.id)
    lockout.forget(session, Door.PIN, str(person.id))
    record(session, "pin.set", actor=person.name, subject=f"person:{person.id}")


def check_pin(session: Session, person: Person, pin: str) -> bool:
    """Whether this is the person's PIN. Inside store 0; commits the try, the caller the answer.

    Wrong ones are counted together, whichever device they came from. Raises LockedOut, TooManyTries.
    """
    tries = lockout.take_try(session, Door.PIN, str(person.id))
    with platform_session() as platform:
        kept = platform.scalar(select(ActionPin.pin_hash).where(ActionPin.person_id == person.id))
    if is_right(pin, kept):
        lockout.forget(session, Door.PIN, str(person.id))
        return True
    lockout.was_wrong(session, Door.PIN, person, tries=tries)
    return False


def reset_pin(session: Session, store: Store, person_id: UUID, *, actor: str) -> Person:
    """An owner takes away the PIN of somebody in their store; the owners are told.

    Inside that store. Does not commit the audit entry and the messages. Raises NotFound for
    a person who does not work there.
    """
    with platform_session() as platform:
        person = platform.scalar(
            select(Person)
            .join(Membership, Membership.person_id == Person.id)
            .where(Person.id == person_id, Membership.store_id == store.id)
        )
        if person is None:
            raise NotFound
        platform.execute(delete(ActionPin).where(ActionPin.person_id == person_id))
        _forget_proofs(platform, person_id)
    words = _(
        "%(store)s: %(who)s reset the PIN of %(name)s. They set a new one after a code to their "
        "phone.",
        store=store.name,
        who=actor,
        name=person.name,
    )
    own = telling.phone_of(person)
    told = telling.owners_of_store(store.id)
    telling.tell(session, [*told, *([telling.Phone(person.id, own)] if own else [])], words)
    record(session, "pin.reset", actor=actor, subject=f"person:{person_id}", name=person.name)
    return person


def _forget_proofs(platform: Session, person_id: UUID) -> None:
    """What an earlier PIN proved counts no more, on any device."""
    theirs = select(StaffSession.token_hash).where(StaffSession.person_id == person_id)
    platform.execute(
        delete(SessionProof).where(SessionProof.token_hash.in_(theirs), SessionProof.way == "pin")
    )


def _guesses(pin: str, phone: str | None, numbers: Iterable[str]) -> Iterator[tuple[bool, str]]:
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    yield steps == {0}, _("Do not use one digit again and again, like 1111.")
    yield steps in ({1}, {9}), _("Do not use digits in a row, like 1234 or 4321.")
    yield _repeats(pin), _("Do not use a pattern that repeats, like 1212 or 1122.")
    yield _is_year(pin), _("Do not use a year, like 1990 or 2004. Birthdays are guessed first.")
    local = "".join(c for c in national(phone) if c in _DIGITS) if phone else ""
    yield bool(local) and pin in local[-7:], _("Do not use digits of your phone number.")
    yield (
        any(number.startswith(pin) or number.endswith(pin) for number in numbers),
        _("Do not use digits of the shop's till or paybill number."),
    )


def _repeats(pin: str) -> bool:
    half, odd = divmod(len(pin), 2)
    doubled = not odd and all(pin[n] == pin[n + 1] for n in range(0, len(pin), 2))
    thrice = len(pin) == 6 and pin[:2] * 3 == pin
    alternating = len(pin) == 5 and pin[:2] * 2 + pin[0] == pin
    return (not odd and pin[:half] == pin[half:]) or doubled or thrice or alternating


def _is_year(pin: str) -> bool:
    """A year, alone or with a day or a month before or after it: 1990, 071990, 199007."""
    return bool(_YEAR.match(pin)) or bool(_YEAR.fullmatch(pin[-4:]))
