"""One-time codes: what kills them, who may use them, how often they may be asked for."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.errors import TooManyTries
from app.domain.messaging.models import Message
from app.domain.people.models import OtpCode, RateCounter
from app.domain.people.otp import check_code, request_code, tries_left
from app.ids import new_token

PHONE = "+254712345678"
BROWSER = new_token()


def send(session: Session, *, browser: str = BROWSER, phone: str = PHONE, **facts: object) -> str:
    """Ask for a code and read it from the SMS."""
    request_code(
        session,
        phone=phone,
        purpose="test",
        browser=browser,
        language="en",
        **facts,  # type: ignore[arg-type]
    )
    message = session.scalars(
        select(Message)
        .where(Message.kind == "otp")
        .order_by(Message.created_at.desc(), Message.id.desc())
    ).first()
    assert message is not None
    found = re.search(r"\b[0-9]{6}\b", message.body)
    assert found is not None
    return found[0]


def check(session: Session, code: str, *, browser: str = BROWSER, phone: str = PHONE) -> bool:
    return check_code(session, phone=phone, purpose="test", browser=browser, code=code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def let_pass(session: Session, span: timedelta) -> None:
    """Make every counted try that much older. The product itself may not change them."""
    tries = [
        (row.name, row.subject_hash, row.at - span) for row in session.scalars(select(RateCounter))
    ]
    forget_limits(session)
    for name, subject_hash, at in tries:
        session.add(RateCounter(name=name, subject_hash=subject_hash, at=at))
    session.flush()


def forget_limits(session: Session) -> None:
    session.query(RateCounter).filter_by(store_id=bound_store()).delete()


@pytest.mark.row("W5", "T6")
def test_a_code_works_once(session: Session) -> None:
    code = send(session)

    assert check(session, code)
    assert not check(session, code)


@pytest.mark.row("W5", "T6")
def test_five_wrong_tries_kill_the_code(session: Session) -> None:
    code = send(session)

    for left in (4, 3, 2, 1, 0):
        assert not check(session, wrong(code))
        assert tries_left(session, phone=PHONE, purpose="test", browser=BROWSER) == left

    assert not check(session, code)


def test_four_wrong_tries_leave_the_right_one(session: Session) -> None:
    code = send(session)
    for _ in range(4):
        assert not check(session, wrong(code))

    assert check(session, code)


@pytest.mark.row("W5")
def test_a_code_dies_after_five_minutes(session: Session) -> None:
    code = send(session)
    row = session.scalars(select(OtpCode)).one()
    assert timedelta(minutes=4, seconds=50) < row.expires_at - utcnow() <= timedelta(minutes=5)
    session.execute(update(OtpCode).values(expires_at=utcnow() - timedelta(seconds=1)))

    assert not check(session, code)


def test_a_code_belongs_to_the_browser_that_asked(session: Session) -> None:
    code = send(session)
    thief = new_token()

    for _ in range(6):
        assert not check(session, code, browser=thief)

    assert check(session, code), "a stranger's tries must not use up the owner's"


def test_a_newer_code_replaces_the_older(session: Session) -> None:
    older = send(session)
    forget_limits(session)
    newer = send(session)

    assert older == newer or not check(session, older)
    assert check(session, newer)


def test_only_a_keyed_hash_is_stored(session: Session) -> None:
    code = send(session)
    row = session.scalars(select(OtpCode)).one()

    stored = b"".join(v for v in vars(row).values() if isinstance(v, bytes))
    assert code.encode() not in stored
    assert PHONE.encode() not in stored
    assert len(row.code_hmac) == 32


@pytest.mark.row("N88")
def test_a_phone_gets_a_code_a_minute_and_three_in_fifteen(session: Session) -> None:
    send(session)
    with pytest.raises(TooManyTries) as soon:
        send(session)
    assert 1 <= soon.value.retry_after_seconds <= 60

    for _ in range(2):
        let_pass(session, timedelta(minutes=2))
        send(session)
    let_pass(session, timedelta(minutes=2))
    with pytest.raises(TooManyTries) as often:
        send(session)
    # The first of the three was six minutes ago.
    assert 8 * 60 < often.value.retry_after_seconds <= 9 * 60 + 1


def test_a_phone_gets_six_codes_a_day(session: Session) -> None:
    for _ in range(6):
        send(session)
        let_pass(session, timedelta(minutes=20))

    with pytest.raises(TooManyTries):
        send(session)


def test_an_address_gets_ten_codes_an_hour_for_all_phones(session: Session) -> None:
    for n in range(10):
        send(session, phone=f"+25471234500{n}", address="41.90.64.7")

    with pytest.raises(TooManyTries):
        send(session, phone="+254712345999", address="41.90.64.7")
    send(session, phone="+254712345998", address="41.90.65.7")


def test_an_unwanted_code_counts_the_same_and_sends_nothing(session: Session) -> None:
    request_code(
        session, phone=PHONE, purpose="test", browser=BROWSER, language="en", is_wanted=False
    )

    assert session.scalars(select(Message)).first() is None
    assert session.scalars(select(OtpCode)).one().used_at is None
    with pytest.raises(TooManyTries):
        send(session)
