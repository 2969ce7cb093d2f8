"""What a session has proven lately beside being signed in, and what that is enough for.

A proof counts for five minutes in the session that gave it and nowhere else. Refunds need a
PIN or a passkey; keys and payout numbers need a passkey, or a PIN and a code to the phone;
changing the locks themselves needs what a stolen session cannot have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.domain.people import lockout, passkeys, pins
from app.domain.people.lockout import Door
from app.domain.people.models import Person, SessionProof
from app.domain.people.otp import check_code, request_code
from app.domain.people.passwords import is_right
from app.domain.people.telling import phone_of
from app.ids import token_hash

FRESH = timedelta(minutes=5)
PURPOSE = "staff-second-factor"


class Way(StrEnum):
    """How a person proves once more who they are."""

    PIN = "pin"
    CODE = "code"
    PASSKEY = "passkey"
    PASSWORD = "password"  # noqa: S105 - the name of a way


class Level(StrEnum):
    """What is about to be done: each level names the sets of proofs that are enough for it."""

    ACTION = "action"  # a refund, a price override
    MONEY = "money"  # payout numbers and payment keys
    PIN = "pin"  # setting or changing one's own PIN
    LOCKS = "locks"  # adding or removing a passkey


@dataclass(frozen=True)
class Means:
    """What a person could prove at all: a phone for codes, a PIN, a passkey, a password."""

    has_phone: bool
    has_pin: bool
    has_passkey: bool
    has_password: bool

    def has(self, way: Way) -> bool:
        return {
            Way.PIN: self.has_pin,
            Way.CODE: self.has_phone,
            Way.PASSKEY: self.has_passkey,
            Way.PASSWORD: self.has_password,
        }[way]


def means_of(person: Person) -> Means:
    """What this person has set up."""
    return Means(
        has_phone=person.phone_sealed is not None,
        has_pin=pins.has_pin(person.id),
        has_passkey=bool(passkeys.passkeys_of(person.id)),
        has_password=person.password_hash is not None,
    )


def enough_for(level: Level, means: Means) -> list[frozenset[Way]]:
    """The sets of proofs that open this level for somebody with these means, easiest first.

    A password counts only for people who have no phone, and never for money: it is what
    signed them in. Sets that they cannot give are left out.
    """
    by_code = Way.CODE if means.has_phone else Way.PASSWORD
    sets = {
        Level.ACTION: [{Way.PASSKEY}, {Way.PIN}],
        Level.MONEY: [{Way.PASSKEY}, {Way.PIN, Way.CODE}],
        Level.PIN: [{Way.PASSKEY}, {Way.PIN}, {by_code}],
        Level.LOCKS: [{Way.PASSKEY}, {by_code}],
    }[level]
    return [frozenset(ways) for ways in sets if all(means.has(way) for way in ways)]


def is_proven(token: str, person: Person, level: Level) -> bool:
    """Whether this session gave, within the last five minutes, proof enough for the level."""
    fresh = fresh_ways(token)
    return bool(fresh) and any(ways <= fresh for ways in enough_for(level, means_of(person)))


def fresh_ways(token: str) -> frozenset[Way]:
    """What this session proved within the last five minutes."""
    with platform_session() as session:
        rows = session.scalars(
            select(SessionProof.way).where(
                SessionProof.token_hash == token_hash(token),
                SessionProof.proven_at > func.clock_timestamp() - FRESH,
            )
        )
        return frozenset(Way(row) for row in rows)


def note_proof(token: str, way: Way) -> None:
    """Remember that the person at this session just proved themselves in this way."""
    with platform_session() as session:
        session.execute(
            insert(SessionProof)
            .values(token_hash=token_hash(token), way=way.value)
            .on_conflict_do_update(
                index_elements=[SessionProof.token_hash, SessionProof.way],
                set_={"proven_at": func.clock_timestamp()},
            )
        )


def forget_proofs(token: str, ways: Iterable[Way] = tuple(Way)) -> None:
    """What this session proved counts no more."""
    with platform_session() as session:
        session.execute(
            delete(SessionProof).where(
                SessionProof.token_hash == token_hash(token),
                SessionProof.way.in_([way.value for way in ways]),
            )
        )


def ask_for_code(session: Session, person: Person, *, token: str, language: str) -> bool:
    """Send a code to the person's own phone, good in this session only. Inside store 0.

    The caller commits. False when the person has no phone. Raises TooManyTries.
    """
    phone = phone_of(person)
    if phone is None:
        return False
    request_code(
        session, phone=phone, purpose=PURPOSE, browser=token, language=language, is_wanted=True
    )
    return True


def is_right_code(session: Session, person: Person, code: str, *, token: str) -> bool:
    """Whether this is the code last sent for this session. Inside store 0; commits the try.

    Raises TooManyTries, LockedOut.
    """
    phone = phone_of(person)
    if phone is None:
        return False
    tried = f"{phone}:{token}"
    tries = lockout.take_try(session, Door.CODE, tried)
    if check_code(session, phone=phone, purpose=PURPOSE, browser=token, code=code):
        lockout.forget(session, Door.CODE, tried)
        lockout.open_again(session, person)
        return True
    lockout.was_wrong(session, Door.CODE, person, tries=tries)
    return False


def is_right_password(session: Session, person: Person, password: str) -> bool:
    """Whether this is the person's password. Inside store 0; commits the try.

    Raises TooManyTries, LockedOut.
    """
    account = person.email or str(person.id)
    tries = lockout.take_try(session, Door.PASSWORD, account)
    if is_right(password, person.password_hash):
        lockout.forget(session, Door.PASSWORD, account)
        return True
    lockout.was_wrong(session, Door.PASSWORD, person, tries=tries)
    return False
