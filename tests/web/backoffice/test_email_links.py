"""Signing in by a link in an e-mail."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE
from app.domain.people.models import SignInLink
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from tests.web.backoffice.conftest import Desk, platform_client
from tests.web.backoffice.test_team import messages


def hire(store: Store) -> str:
    email = f"{secrets.token_hex(6)}@duka.example"
    with platform_session() as session:
        person = add_person(session, name="Achieng Atieno", email=email)
        add_membership(session, store_id=store.id, person_id=person, role="owner")
    return email


def ask(desk: Desk, email: str, **more: str) -> str:
    """Ask for a link as the page's form does; returns the link's path."""
    page = desk.read("/sign-in?way=password")
    assert 'href="/sign-in/link"' in page
    sent = desk.press(desk.read("/sign-in/link"), "/sign-in/link", {"email": email, **more})
    assert sent.status_code == 200, sent.text[-800:]
    found = re.search(r"/sign-in/link/[0-9a-f]{32}", messages(PLATFORM_STORE, "sign_in_link")[0])
    assert found is not None
    return found[0]


@pytest.mark.row("N53")
def test_a_link_by_e_mail_signs_in_once(
    app: Flask, session: Session, store: Store, visitor: Desk
) -> None:
    email = hire(store)
    path = ask(visitor, email.upper(), next=f"/dash/{store.slug}/team/")

    # A mail program looks at the link first; that uses nothing up.
    page = visitor.read(path)
    assert "Sign in as Achieng Atieno" in page
    answer = visitor.press(visitor.read(path), path)

    assert answer.headers["Location"] == f"/dash/{store.slug}/team/"
    assert visitor.get(answer.headers["Location"]).status_code == 200
    later = Desk(platform_client(app), store)
    assert later.get(path).status_code == 410
    again = later.post(path)
    assert again.status_code == 410
    assert "It was used already" in again.text


def test_a_link_is_over_after_a_quarter_of_an_hour_and_by_a_newer_one(
    app: Flask, session: Session, store: Store, visitor: Desk
) -> None:
    path = ask(visitor, hire(store))
    with platform_session() as platform:
        platform.execute(update(SignInLink).values(expires_at=utcnow() - timedelta(seconds=1)))

    assert visitor.get(path).status_code == 410
    assert visitor.post(path).status_code == 410
    assert visitor.get("/me/devices").status_code == 303


def test_a_known_and_an_unknown_address_get_the_same_answer_and_limits(
    session: Session, store: Store, visitor: Desk
) -> None:
    known, unknown = hire(store), f"{secrets.token_hex(6)}@duka.example"
    before = len(messages(PLATFORM_STORE, "sign_in_link"))
    answers = []
    for email in (known, unknown):
        page = visitor.read("/sign-in/link")
        first = visitor.press(page, "/sign-in/link", {"email": email})
        second = visitor.press(page, "/sign-in/link", {"email": email})
        answers.append((first.status_code, first.text.replace(email, ""), second.status_code))

    assert answers[0] == answers[1]
    assert answers[0][2] == 429
    assert len(messages(PLATFORM_STORE, "sign_in_link")) == before + 1


@pytest.mark.parametrize("typed", ["", "achieng", "a@b", "two words@duka.example"])
def test_what_is_no_address_is_explained(visitor: Desk, typed: str) -> None:
    answer = visitor.press(visitor.read("/sign-in/link"), "/sign-in/link", {"email": typed})

    assert answer.status_code == 422
    assert "does not look like an e-mail address" in answer.text


def test_the_way_back_never_leads_elsewhere(session: Session, store: Store, visitor: Desk) -> None:
    path = ask(visitor, hire(store), next="https://evil.example/")

    answer = visitor.press(visitor.read(path), path)

    assert answer.headers["Location"].partition("?")[0] == "/stores"
