"""One-time codes by SMS: for shoppers in their store, for staff in store 0.

A code is bound to store, phone, purpose and browser, lives five minutes, dies at the fifth
wrong try and works once. Only a keyed hash of it is stored. Nothing here knows whether the
phone belongs to anybody: the answers are the same for every number.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.messaging.actions import send_code
from app.domain.people import limits
from app.domain.people.models import OtpCode
from app.vault import vault

LIFETIME = timedelta(minutes=5)
MAX_TRIES = 5
KEEP_FOR = timedelta(hours=24)

# (how many, in how many seconds)
PER_PHONE = ((1, 60), (3, 15 * 60), (6, 24 * 3600))
PER_ADDRESS = ((10, 3600),)
PER_NEIGHBOURHOOD = ((30, 3600),)
PER_STORE = ((200, 3600),)


def request_code(
    session: Session,
    *,
    phone: str,
    purpose: str,
    browser: str,
    language: str,
    address: str = "",
    is_wanted: bool = True,
) -> None:
    """Make a code for this E.164 number and ask for its SMS. The caller commits.

    ``browser`` is a secret that only this browser holds; ``address`` is where it asks from
    (empty: not limited by address). With ``is_wanted=False`` everything happens but the SMS,
    so that a stranger's number looks and counts like a known one and costs nothing.
    An older code of the same phone and purpose dies. Raises TooManyTries.
    """
    limits.take_turn(session, f"otp:{purpose}", phone, *PER_PHONE)
    if address:
        limits.take_turn(session, "otp:address", limits.address_group(address), *PER_ADDRESS)
        limits.take_turn(session, "otp:near", limits.neighbourhood(address), *PER_NEIGHBOURHOOD)
        limits.take_turn(session, "otp:store", "all", *PER_STORE)

    code = f"{secrets.randbelow(1_000_000):06d}"
    session.execute(
        update(OtpCode)
        .where(*_live_codes(phone, purpose))
        .values(used_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    session.add(
        OtpCode(
            purpose=purpose,
            phone_lookup=_lookup(phone),
            browser_hash=_browser_hash(browser),
            code_hmac=_code_hmac(phone, purpose, browser, code),
            expires_at=func.clock_timestamp() + LIFETIME,
        )
    )
    session.flush()
    if is_wanted:
        send_code(session, phone=phone, code=code, language=language)


def check_code(session: Session, *, phone: str, purpose: str, browser: str, code: str) -> bool:
    """Whether this is the live code; if so it is used up. The caller commits either answer.

    A wrong code costs one of the five tries, and is told apart from an expired, used or
    never-sent one by nobody.
    """
    candidate = session.execute(
        update(OtpCode)
        .where(
            *_live_codes(phone, purpose),
            OtpCode.browser_hash == _browser_hash(browser),
            OtpCode.expires_at > func.clock_timestamp(),
            OtpCode.tries < MAX_TRIES,
        )
        .values(tries=OtpCode.tries + 1)
        .returning(OtpCode.id, OtpCode.code_hmac)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    expected = candidate.code_hmac if candidate else bytes(32)
    is_same = hmac.compare_digest(expected, _code_hmac(phone, purpose, browser, code.strip()))
    if candidate is None or not is_same:
        return False
    used = session.execute(
        update(OtpCode)
        .where(
            OtpCode.store_id == bound_store(),
            OtpCode.id == candidate.id,
            OtpCode.used_at.is_(None),
        )
        .values(used_at=func.clock_timestamp())
        .returning(OtpCode.id)
        .execution_options(synchronize_session=False)
    )
    return used.one_or_none() is not None


def tries_left(session: Session, *, phone: str, purpose: str, browser: str) -> int:
    """How many tries the live code of this browser still has; 0 when there is none."""
    tries = session.scalar(
        select(OtpCode.tries).where(
            *_live_codes(phone, purpose),
            OtpCode.browser_hash == _browser_hash(browser),
            OtpCode.expires_at > func.clock_timestamp(),
        )
    )
    return 0 if tries is None else max(0, MAX_TRIES - tries)


def forget_codes(session: Session, phone_lookup: bytes, *, purpose: str) -> None:
    """Delete a number's codes that are over, and all of this purpose. Does not commit."""
    is_over = OtpCode.used_at.is_not(None) | (OtpCode.expires_at <= func.now())
    session.execute(
        delete(OtpCode).where(
            OtpCode.store_id == bound_store(),
            OtpCode.phone_lookup == phone_lookup,
            is_over | (OtpCode.purpose == purpose),
        )
    )


def sweep_codes(session: Session) -> int:
    """Delete codes older than a day. Returns how many rows went."""
    removed = session.execute(
        delete(OtpCode)
        .where(OtpCode.store_id == bound_store(), OtpCode.created_at < func.now() - KEEP_FOR)
        .returning(OtpCode.id)
    )
    return len(removed.all())


def _live_codes(phone: str, purpose: str) -> tuple[ColumnElement[bool], ...]:
    return (
        OtpCode.store_id == bound_store(),
        OtpCode.phone_lookup == _lookup(phone),
        OtpCode.purpose == purpose,
        OtpCode.used_at.is_(None),
    )


def _lookup(phone: str) -> bytes:
    return vault().lookup(phone, store_id=bound_store())


def _browser_hash(browser: str) -> bytes:
    return hashlib.sha256(browser.encode()).digest()


def _code_hmac(phone: str, purpose: str, browser: str, code: str) -> bytes:
    bound_to = "\n".join(("otp", phone, purpose, _browser_hash(browser).hex(), code))
    return vault().lookup(bound_to, store_id=bound_store())
