"""Passkeys with a phone in software: what is accepted once, and everything that is refused."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import platform_session
from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.people.models import Passkey, PasskeyChallenge
from app.domain.stores.models import Store
from tests.phone_lock import PhoneLock, data
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk, platform_client
from tests.web.backoffice.locks import (
    add_passkey,
    messages,
    person_id,
    proofs_of,
    prove_by_code,
)

SignIn = Callable[..., Desk]
ASK = "/me/confirm?level=action&next=/me/security"


@pytest.fixture
def desk(sign_in: SignIn) -> Desk:
    return sign_in("owner", phone=any_phone("71"))


@pytest.fixture
def door(app: Flask, store: Store) -> Desk:
    """A browser where nobody is signed in."""
    return Desk(platform_client(app), store)


def sign_in_options(door: Desk) -> str:
    answer = door.post("/sign-in/passkey/options")
    assert answer.status_code == 200
    return answer.text


def enter(door: Desk, answer: str) -> int:
    return door.post("/sign-in/passkey", {"credential": answer}).status_code


def confirm(desk: Desk, answer: str) -> int:
    return desk.press(desk.read(ASK), "/me/confirm", {"confirm_passkey": answer}).status_code


def count_of(desk: Desk) -> int:
    with platform_session() as platform:
        return (
            platform.scalar(select(func.count()).where(Passkey.person_id == person_id(desk))) or 0
        )


def test_a_passkey_signs_its_person_in(session: Session, desk: Desk, door: Desk) -> None:
    phone = add_passkey(session, desk)
    assert "Pixel" in desk.read("/me/security")
    desk.press(desk.read("/staff/<store>/more"), "/sign-out")

    assert enter(door, phone.get(sign_in_options(door))) == 303

    assert desk.name in door.read("/me/security")
    assert proofs_of(door) == {"passkey"}
    assert "Last used:" in door.read("/me/security")


def test_the_challenge_for_signing_in_names_nobody(
    session: Session, desk: Desk, door: Desk
) -> None:
    add_passkey(session, desk)

    assert '"allowCredentials": []' in sign_in_options(door)
    assert '"userVerification": "required"' in sign_in_options(door)


def test_an_answer_works_once(session: Session, desk: Desk, door: Desk) -> None:
    phone = add_passkey(session, desk)
    phone.counts = False  # as phones whose counter always says 0
    answer = phone.get(sign_in_options(door))
    assert enter(door, answer) == 303

    assert enter(door, answer) == 422


def test_a_wrong_answer_uses_its_challenge_up(session: Session, desk: Desk, door: Desk) -> None:
    phone = add_passkey(session, desk)
    options = sign_in_options(door)
    liar = replace(phone, origin="https://evil.example")
    assert enter(door, liar.get(options)) == 422

    assert enter(door, phone.get(options)) == 422


def test_a_copied_key_is_noticed_by_its_counter(session: Session, desk: Desk, door: Desk) -> None:
    phone = add_passkey(session, desk)
    copy = replace(phone)
    assert enter(door, phone.get(sign_in_options(door))) == 303

    assert enter(door, copy.get(sign_in_options(door))) == 422
    assert enter(door, phone.get(sign_in_options(door))) == 303


def test_a_challenge_belongs_to_the_browser_that_asked(
    session: Session, app: Flask, store: Store, desk: Desk, door: Desk
) -> None:
    phone = add_passkey(session, desk)
    other = Desk(platform_client(app), store)
    sign_in_options(other)

    assert enter(other, phone.get(sign_in_options(door))) == 422


def test_a_challenge_dies_after_five_minutes(session: Session, desk: Desk, door: Desk) -> None:
    phone = add_passkey(session, desk)
    options = sign_in_options(door)
    with platform_session() as platform:
        mine = PasskeyChallenge.challenge == data(json.loads(options)["challenge"])
        row = platform.scalars(select(PasskeyChallenge).where(mine)).one()
        facts = {name: getattr(row, name) for name in ("challenge", "purpose", "bound_to")}
        platform.execute(delete(PasskeyChallenge).where(mine))
    with platform_session() as platform:
        platform.add(PasskeyChallenge(**facts, expires_at=utcnow() - timedelta(seconds=1)))

    assert enter(door, phone.get(options)) == 422


def test_an_answer_for_one_purpose_is_none_for_another(
    session: Session, desk: Desk, door: Desk
) -> None:
    phone = add_passkey(session, desk)
    door.client.set_cookie(
        "__Host-staff",
        desk.client.get_cookie("__Host-staff", domain="localhost").value,  # type: ignore[union-attr]
        domain="localhost",
        secure=True,
    )

    assert confirm(desk, phone.get(sign_in_options(door))) == 422
    assert enter(desk, phone.get(desk.post("/me/confirm/options").text)) == 422
    assert proofs_of(desk) == set()


def test_the_passkey_of_one_person_proves_nothing_about_another(
    session: Session, desk: Desk, sign_in: SignIn
) -> None:
    phone = add_passkey(session, desk)
    other = sign_in("owner", phone=any_phone("71"))
    add_passkey(session, other)

    assert confirm(other, phone.get(other.post("/me/confirm/options").text)) == 422
    assert proofs_of(other) == set()
    assert confirm(desk, phone.get(desk.post("/me/confirm/options").text)) == 303
    assert proofs_of(desk) == {"passkey"}


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"origin": "http://localhost:8001"}, id="another port"),
        pytest.param({"origin": "http://duka.localhost:8000"}, id="a store's host"),
        pytest.param({"rp_id": "evil.example"}, id="made for another host"),
        pytest.param({"is_verified": False}, id="nobody showed a finger"),
    ],
)
def test_an_answer_from_elsewhere_is_refused(
    session: Session, desk: Desk, door: Desk, facts: dict[str, object]
) -> None:
    phone = replace(add_passkey(session, desk), **facts)  # type: ignore[arg-type]

    assert enter(door, phone.get(sign_in_options(door))) == 422


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{}",
        "[]",
        "null",
        "no json",
        '{"response": {}}',
        '{"response": {"clientDataJSON": "e30"}}',
        '{"rawId": 5, "response": {"clientDataJSON": "%%%"}}',
        "[" * 5000,
        "x" * 20_000,
    ],
)
def test_nonsense_is_refused_with_words(door: Desk, answer: str) -> None:
    refused = door.post("/sign-in/passkey", {"credential": answer})

    assert refused.status_code == 422
    assert "was not accepted" in refused.text


def test_a_stolen_session_adds_and_removes_no_passkey(session: Session, desk: Desk) -> None:
    add_passkey(session, desk)
    thief = PhoneLock()

    assert desk.post("/me/security/passkeys/options").status_code == 403
    added = desk.post(
        "/me/security/passkeys", {"credential": thief.create(_options()), "name": "x"}
    )
    assert added.status_code == 403
    assert 'name="confirm_next" value="/me/security/passkeys/new"' in added.text
    page = desk.read("/me/security")
    with platform_session() as platform:
        key = platform.scalars(select(Passkey).where(Passkey.person_id == person_id(desk))).one()
    assert desk.press(page, f"{key.id}/remove").status_code == 403
    assert count_of(desk) == 1


def test_a_passkey_is_renamed_and_removed_by_its_person_alone(
    session: Session, store: Store, desk: Desk, sign_in: SignIn
) -> None:
    add_passkey(session, desk)
    other = sign_in("owner", phone=any_phone("71"))
    with platform_session() as platform:
        key = platform.scalars(select(Passkey).where(Passkey.person_id == person_id(desk))).one()
    path = f"/me/security/passkeys/{key.id}"
    prove_by_code(session, other, other.read("/me/security/passkeys/new"))
    assert other.post(f"{path}/remove").status_code == 404
    assert other.post(f"{path}/name", {"name": "mine now"}).status_code == 404

    assert (
        desk.press(desk.read("/me/security"), f"{key.id}/name", {"name": "Shop phone"}).status_code
        == 303
    )
    assert "Shop phone" in desk.read("/me/security")
    where = prove_by_code(session, desk, desk.read("/me/security/passkeys/new"))
    assert where == "/me/security/passkeys/new"
    assert desk.press(desk.read("/me/security"), f"{key.id}/remove").status_code == 303

    assert count_of(desk) == 0


def test_adding_a_passkey_is_audited_and_tells_its_person(
    session: Session, sign_in: SignIn
) -> None:
    phone = any_phone("71")
    desk = sign_in("packer", phone=phone)
    add_passkey(session, desk)

    assert "a passkey was added" in messages(session, 0, "security_notice", to=phone)[0]
    session.rollback()
    with inside_store(0):
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.subject == f"person:{person_id(desk)}")
        ).all()
        actions = [entry.action for entry in entries]
        session.rollback()
    assert "passkey.added" in actions


def _options() -> str:
    return '{"challenge": "' + secrets.token_hex(16) + '", "user": {"id": "AAAA"}, "rp": {}}'
