"""Sessions, passwords, the permission table."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import platform_session
from app.domain.errors import FieldProblem
from app.domain.people.models import StaffSession
from app.domain.people.passwords import WeakPassword, hash_password, is_right, needs_rehash
from app.domain.people.permissions import PERMISSIONS, ROLES, can
from app.domain.people.sessions import (
    end_all_sessions,
    end_session,
    find_session,
    role_in,
    start_session,
    stores_of,
)
from app.domain.stores.actions import add_membership, add_person, create_store
from app.domain.stores.models import Store
from app.ids import token_hash


@pytest.fixture
def person(app: Flask) -> UUID:
    with platform_session() as session:
        return add_person(
            session, name="Achieng Otieno", email=f"{secrets.token_hex(6)}@duka.example"
        )


def age(token: str, **moments: timedelta) -> None:
    now = utcnow()
    with platform_session() as session:
        session.execute(
            update(StaffSession)
            .where(StaffSession.token_hash == token_hash(token))
            .values({name: now - span for name, span in moments.items()})
        )


def test_a_session_knows_its_person_until_it_ends(person: UUID) -> None:
    token = start_session(person, "Chrome on Android")
    found = find_session(token)
    assert found is not None
    assert found[0].id == person

    end_session(token)
    assert find_session(token) is None
    assert find_session("") is None
    assert find_session("0" * 64) is None


def test_every_sign_in_gets_a_token_of_its_own(person: UUID) -> None:
    assert start_session(person, "") != start_session(person, "")


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(
            {"seen_at": timedelta(hours=12, minutes=1)}, id="twelve hours without a click"
        ),
        pytest.param({"expires_at": timedelta(seconds=1)}, id="seven days"),
    ],
)
def test_a_session_ends_by_itself(person: UUID, moments: dict[str, timedelta]) -> None:
    token = start_session(person, "")
    age(token, **moments)

    assert find_session(token) is None


def test_signing_out_everywhere_ends_every_session(person: UUID) -> None:
    tokens = [start_session(person, "phone"), start_session(person, "desk")]
    end_all_sessions(person)

    assert [find_session(token) for token in tokens] == [None, None]
    assert find_session(start_session(person, "phone")) is not None


def test_a_role_is_read_per_store(person: UUID, store: Store, theirs: Store) -> None:
    with platform_session() as session:
        add_membership(session, store_id=store.id, person_id=person, role="packer")

    assert role_in(person, store.slug) == (store.id, "packer")
    assert role_in(person, theirs.slug) is None
    assert role_in(person, "no-such-store") is None
    assert [choice.slug for choice in stores_of(person)] == [store.slug]


@pytest.mark.row("J45")
@pytest.mark.parametrize("table", ["people", "memberships", "sessions"])
def test_the_stores_role_cannot_read_people(session: Session, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text(f"SELECT 1 FROM app.{table} LIMIT 1"))


def test_passwords_are_argon2id_with_our_settings() -> None:
    kept = hash_password("a long enough one")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert is_right("a long enough one", kept)
    assert not is_right("a long enough on", kept)
    assert not is_right("nobody has this password", None)
    assert not needs_rehash(kept)
    assert needs_rehash(kept.replace("t=2", "t=1"))
    for bad in ("short", "x" * 129):
        with pytest.raises(WeakPassword):
            hash_password(bad)


def test_every_permission_has_its_owner_and_a_rider_sees_only_the_run() -> None:
    assert all(can("owner", permission) for permission in PERMISSIONS)
    assert {p for p in PERMISSIONS if can("rider", p)} == {"door.open", "run.see", "orders.deliver"}
    assert {role for roles in PERMISSIONS.values() for role in roles} == set(ROLES)
    with pytest.raises(KeyError):
        can("owner", "no.such.permission")


@pytest.mark.parametrize("slug", ["A", "x", "ma--ma", "-ab", "www", "dash", "a b", "ünder"])
def test_a_store_needs_a_short_name_that_can_be_a_host(app: Flask, slug: str) -> None:
    with pytest.raises(FieldProblem), platform_session() as session:
        create_store(session, slug=slug, name="Duka", host_suffix=".localhost")


def test_a_person_is_known_again_by_their_phone(app: Flask) -> None:
    phone = f"+2547{secrets.randbelow(10**8):08d}"
    with platform_session() as session:
        first = add_person(session, name="Achieng", phone=phone)
        assert add_person(session, name="Achieng O.", phone=phone) == first
