"""Wrong tries: longer and longer waits, a lock at the tenth, and the way back in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.audit.models import AuditEntry
from app.domain.people.models import RateCounter
from app.domain.stores.models import Store
from app.timings import configure_timings, timings
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk, platform_client
from tests.web.backoffice.locks import (
    PIN,
    forget_codes,
    messages,
    newest_code,
    person_id,
    prove_by_code,
    set_pin,
)
from tests.web.backoffice.test_signing_in import hire

SignIn = Callable[..., Desk]
ASK = "/me/confirm?level=action&next=/me/security"


@pytest.fixture
def real_waits() -> Iterator[None]:
    """The product's own waits between wrong tries."""
    quick = timings()
    configure_timings(replace(quick, wrong_try=1))
    yield
    configure_timings(quick)


def try_pin(desk: Desk, pin: str) -> tuple[int, str]:
    answer = desk.press(desk.read(ASK), "/me/confirm", {"confirm_pin": pin})
    return answer.status_code, answer.text


def try_password(desk: Desk, email: str, password: str) -> tuple[int, str]:
    page = desk.read("/sign-in?way=password")
    answer = desk.press(page, "/sign-in/password", {"email": email, "password": password})
    said = re.search(r'role="alert">(?:<svg.*?</svg>)?([^<]*)', answer.text, re.S)
    return answer.status_code, said[1].strip() if said else ""


def another_browser(app: Flask, desk: Desk) -> Desk:
    """The same session on another address."""
    client = platform_client(app)
    cookie = desk.client.get_cookie("__Host-staff", domain="localhost")
    assert cookie is not None
    client.set_cookie("__Host-staff", cookie.value, domain="localhost", secure=True)
    return Desk(client, desk.store, desk.name)


def audit_of(session: Session, action: str, subject: str) -> int:
    session.rollback()
    with inside_store(PLATFORM_STORE):
        found = session.scalars(
            select(AuditEntry.seq).where(AuditEntry.action == action, AuditEntry.subject == subject)
        ).all()
        session.rollback()
    return len(found)


def let_pass(session: Session, name: str, span: timedelta) -> None:
    """Make every counted try of this name that much older."""
    session.rollback()
    with inside_store(PLATFORM_STORE):
        rows = session.scalars(select(RateCounter).where(RateCounter.name == name)).all()
        kept = [(row.subject_hash, row.at - span) for row in rows]
        session.execute(delete(RateCounter).where(RateCounter.name == name))
        for subject_hash, at in kept:
            session.add(RateCounter(name=name, subject_hash=subject_hash, at=at))
        session.commit()


@pytest.mark.row("T68")
def test_ten_wrong_pins_lock_that_person_and_nobody_else(
    session: Session, app: Flask, store: Store, sign_in: SignIn
) -> None:
    boss_phone = any_phone("71")
    sign_in("owner", phone=boss_phone)
    careless, careful = (
        sign_in("manager", phone=any_phone("71")),
        sign_in("manager", phone=any_phone("71")),
    )
    set_pin(session, careless)
    set_pin(session, careful)
    devices = [careless, another_browser(app, careless)]

    answers = [try_pin(devices[n % 2], "9182")[0] for n in range(10)]

    assert answers == [422] * 10
    status, words = try_pin(careless, PIN)
    assert (status, "Too many wrong tries" in words) == (429, True)
    assert try_pin(careful, PIN)[0] == 303, "other staff go on working"
    told = messages(session, PLATFORM_STORE, "security_notice", to=boss_phone)
    assert len(told) == 1
    assert f"10 wrong PINs were tried for {careless.name}" in told[0]
    assert audit_of(session, "person.locked", f"person:{person_id(careless)}") == 1


@pytest.mark.row("T68")
def test_a_code_to_their_own_phone_opens_the_lock(session: Session, sign_in: SignIn) -> None:
    desk = sign_in("manager", phone=any_phone("71"))
    set_pin(session, desk)
    for _ in range(10):
        try_pin(desk, "9182")
    assert try_pin(desk, PIN)[0] == 429

    prove_by_code(session, desk, desk.read("/me/security/pin"))

    assert try_pin(desk, PIN)[0] == 303
    assert audit_of(session, "person.unlocked", f"person:{person_id(desk)}") == 1


@pytest.mark.row("T68")
def test_ten_wrong_passwords_lock_until_a_code_signs_the_person_in(
    session: Session, store: Store, visitor: Desk, sign_in: SignIn
) -> None:
    boss_phone = any_phone("71")
    sign_in("owner", phone=boss_phone)
    email, password = f"{secrets.token_hex(6)}@duka.example", secrets.token_hex(8)
    phone = hire(store, email=email, password=password)
    for _ in range(10):
        assert try_password(visitor, email, "wrong")[0] == 422
    assert try_password(visitor, email, password)[0] == 429
    told = messages(session, PLATFORM_STORE, "security_notice", to=boss_phone)
    assert "10 wrong passwords were tried for Wanjiku Mwangi" in told[0]

    forget_codes(session)
    page = visitor.press(visitor.read("/sign-in"), "/sign-in/code", {"phone": phone}).text
    entered = visitor.press(page, "/sign-in/check", {"code": newest_code(session)})
    assert entered.status_code == 303
    visitor.press(visitor.read("/staff/<store>/more"), "/sign-out")

    assert try_password(visitor, email, password)[0] == 303


@pytest.mark.row("T68")
def test_the_words_do_not_tell_whether_the_account_exists(
    session: Session, store: Store, visitor: Desk
) -> None:
    known = f"{secrets.token_hex(6)}@duka.example"
    hire(store, email=known, password=secrets.token_hex(8))
    unknown = f"{secrets.token_hex(6)}@duka.example"

    said = {
        email: [try_password(visitor, email, "wrong") for _ in range(12)]
        for email in (known, unknown)
    }

    assert said[known] == said[unknown]
    assert said[known][9][0] == 422
    assert said[known][10] == said[known][11]
    assert said[known][11][0] == 429
    assert "Too many wrong tries" in said[known][11][1]


@pytest.mark.row("T68")
def test_each_wrong_try_waits_longer_than_the_last(
    session: Session, visitor: Desk, real_waits: None
) -> None:
    email = f"{secrets.token_hex(6)}@duka.example"
    page = visitor.read("/sign-in?way=password")
    form = {"email": email, "password": "wrong"}
    waits = []
    for n in range(1, 10):
        assert visitor.press(page, "/sign-in/password", form).status_code == 422
        if n >= 3:
            early = visitor.press(page, "/sign-in/password", form)
            assert early.status_code == 429
            waits.append(int(early.headers["Retry-After"]))
            let_pass(session, "sign-in:account", timedelta(seconds=waits[-1]))

    assert waits == [1, 2, 4, 8, 16, 32, 64]


def test_a_try_that_comes_too_early_is_neither_read_nor_counted(
    session: Session, store: Store, visitor: Desk, real_waits: None
) -> None:
    email, password = f"{secrets.token_hex(6)}@duka.example", secrets.token_hex(8)
    hire(store, email=email, password=password)
    for _ in range(3):
        assert try_password(visitor, email, "wrong")[0] == 422
    for _ in range(10):
        assert try_password(visitor, email, password)[0] == 429

    let_pass(session, "sign-in:account", timedelta(seconds=2))

    assert try_password(visitor, email, password)[0] == 303


def test_a_right_answer_begins_the_count_anew(session: Session, sign_in: SignIn) -> None:
    desk = sign_in("manager", phone=any_phone("71"))
    set_pin(session, desk)
    for _ in range(9):
        assert try_pin(desk, "9182")[0] == 422
    assert try_pin(desk, PIN)[0] == 303

    for _ in range(9):
        assert try_pin(desk, "9182")[0] == 422
    assert try_pin(desk, PIN)[0] == 303


def test_a_hundred_tries_at_once_are_no_more_than_ten(
    session: Session, app: Flask, sign_in: SignIn
) -> None:
    desk = sign_in("manager", phone=any_phone("71"))
    set_pin(session, desk)
    desks = [another_browser(app, desk) for _ in range(20)]
    path, fields = desk.form(desk.read(ASK), "/me/confirm")
    session_cookie = desk.client.get_cookie("__Host-csrf", domain="localhost")
    assert session_cookie is not None
    for one in desks:
        one.client.set_cookie("__Host-csrf", session_cookie.value, domain="localhost", secure=True)

    def guess(n: int) -> int:
        one = desks[n]
        return one.client.post(path, data=fields | {"confirm_pin": f"91{n:02d}"}).status_code

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(guess, range(20)))

    assert answers.count(422) == 10
    assert set(answers) == {422, 429}
    db.session.rollback()


@pytest.mark.row("W5")
def test_five_wrong_codes_kill_a_staff_code_and_a_good_one_works_once(
    session: Session,
    store: Store,
    visitor: Desk,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    phone = hire(store)
    page = visitor.press(visitor.read("/sign-in"), "/sign-in/code", {"phone": phone}).text
    dead = newest_code(session)
    for n in range(5):
        wrong = f"{(int(dead) + n + 1) % 1_000_000:06d}"
        assert visitor.press(page, "/sign-in/check", {"code": wrong}).status_code == 422
    assert visitor.press(page, "/sign-in/check", {"code": dead}).status_code == 422

    forget_codes(session)
    page = visitor.press(visitor.read("/sign-in"), "/sign-in/code", {"phone": phone}).text
    code = newest_code(session)
    assert visitor.press(page, "/sign-in/check", {"code": code}).status_code == 303
    assert visitor.press(page, "/sign-in/check", {"code": code}).status_code == 422

    said = capsys.readouterr()
    for secret in (dead, code):
        assert secret not in said.out + said.err + caplog.text
