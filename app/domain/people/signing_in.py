"""Proving who one is: by a code sent to the phone, or by e-mail and password.

Neither way tells a stranger whether a number or an address is known here.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.errors import TooManyTries
from app.domain.people import limits, lockout
from app.domain.people.lockout import Door
from app.domain.people.models import Person
from app.domain.people.otp import check_code, request_code
from app.domain.people.passwords import hash_password, is_acceptable, is_right, needs_rehash
from app.vault import vault

PURPOSE = "staff-sign-in"
FAILED_PER_ADDRESS = (50, 3600)
FAILED_CODES_PER_ADDRESS = (50, 3600)


def find_person_by_phone(phone: str) -> Person | None:
    """The person with this E.164 number."""
    with platform_session() as session:
        return session.scalar(
            select(Person).where(
                Person.phone_lookup == vault().lookup(phone, store_id=PLATFORM_STORE)
            )
        )


def find_person_by_email(email: str) -> Person | None:
    """The person with this e-mail address, however it was capitalised."""
    with platform_session() as session:
        return session.scalar(select(Person).where(Person.email == email.strip().lower()))


def ask_for_code(
    session: Session, *, phone: str, browser: str, language: str, address: str = ""
) -> None:
    """Send a sign-in code, if the number is somebody's. Inside store 0; the caller commits.

    Raises TooManyTries, for known and unknown numbers alike.
    """
    person = find_person_by_phone(phone)
    request_code(
        session,
        phone=phone,
        purpose=PURPOSE,
        browser=browser,
        language=language,
        address=address,
        is_wanted=person is not None,
    )


def person_with_code(
    session: Session, *, phone: str, browser: str, code: str, address: str = ""
) -> Person | None:
    """Who signs in with this code, or None. Inside store 0; the caller commits either answer.

    Each wrong code makes this browser wait longer for this number. A right one opens again
    what wrong passwords or PINs had locked. Raises TooManyTries, also after many wrong codes
    from one address; commits the try.
    """
    place = limits.address_group(address)
    _refuse_if_too_many(session, "sign-in-code:address", place, FAILED_CODES_PER_ADDRESS, address)
    tried = f"{phone}:{browser}"
    tries = lockout.take_try(session, Door.CODE, tried)
    is_same = check_code(session, phone=phone, purpose=PURPOSE, browser=browser, code=code)
    person = find_person_by_phone(phone)
    if is_same and person is not None:
        lockout.forget(session, Door.CODE, tried)
        lockout.open_again(session, person)
        return person
    lockout.was_wrong(session, Door.CODE, person, tries=tries)
    limits.note_try(session, "sign-in-code:address", place)
    return None


def person_with_password(
    session: Session, *, email: str, password: str, address: str = ""
) -> Person | None:
    """Who signs in with this password, or None. Inside store 0; the caller commits either answer.

    Each wrong password makes the next try wait longer, and the tenth in an hour locks the
    account: further tries are refused without looking at them, for an account that exists and
    for one that does not. A code to the person's phone opens it, or the hour. Raises LockedOut,
    TooManyTries; commits the try.
    """
    account = email.strip().lower()
    place = limits.address_group(address)
    _refuse_if_too_many(session, "sign-in:address", place, FAILED_PER_ADDRESS, address)
    tries = lockout.take_try(session, Door.PASSWORD, account)
    person = find_person_by_email(account)
    if not is_right(password, person.password_hash if person else None):
        lockout.was_wrong(session, Door.PASSWORD, person, tries=tries)
        if address:
            limits.note_try(session, "sign-in:address", place)
        return None
    assert person is not None
    lockout.forget(session, Door.PASSWORD, account)
    if person.password_hash and needs_rehash(person.password_hash):
        _refresh_hash(person.id, password)
    return person


def _refuse_if_too_many(
    session: Session, name: str, subject: str, limit: tuple[int, int], given: str
) -> None:
    if given and (wait := limits.too_many(session, name, subject, *limit)):
        raise TooManyTries(wait)


def _refresh_hash(person_id: UUID, password: str) -> None:
    with platform_session() as session:
        person = session.get(Person, person_id)
        # A password from before today's rules stays as it is: signing in is no exam.
        if person is not None and is_acceptable(password):
            person.password_hash = hash_password(password)
