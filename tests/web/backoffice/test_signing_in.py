"""Signing in by phone and by password, and where each role lands."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.engine import db, platform_session
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.messaging.models import Message
from app.domain.people.models import RateCounter
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk

SignIn = Callable[..., Desk]


def hire(store: Store, **facts: str) -> str:
    phone = any_phone("71")
    with platform_session() as session:
        person = add_person(session, name="Wanjiku Mwangi", phone=phone, **facts)  # type: ignore[arg-type]
        add_membership(session, store_id=store.id, person_id=person, role="owner")
    return phone


def newest_code(app_session: Session) -> str:
    """The last code that store 0 asked to be sent."""
    app_session.rollback()
    with inside_store(PLATFORM_STORE):
        body = db.session.scalars(
            select(Message).where(Message.kind == "otp").order_by(Message.id.desc())
        ).first()
        assert body is not None
        found = re.search(r"\b[0-9]{6}\b", body.body)
        db.session.rollback()
    assert found is not None
    return found[0]


@pytest.mark.row("N53", "T7")
def test_signing_in_by_phone(session: Session, store: Store, visitor: Desk) -> None:
    phone = hire(store)

    page = visitor.press(visitor.read("/sign-in"), "/sign-in/code", {"phone": phone}).text
    answer = visitor.press(page, "/sign-in/check", {"code": newest_code(session)})

    assert answer.status_code == 303
    landed = visitor.client.get(answer.headers["Location"])
    assert landed.headers["Location"] == f"/dash/{store.slug}/"
    assert store.name in visitor.read("/dash/<store>/")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-staff"))
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


@pytest.mark.row("N53")
def test_signing_in_by_email_and_password(session: Session, store: Store, visitor: Desk) -> None:
    email, password = f"{secrets.token_hex(6)}@duka.example", secrets.token_hex(8)
    hire(store, email=email, password=password)
    page = visitor.read("/sign-in?way=password")

    wrong = visitor.press(page, "/sign-in/password", {"email": email, "password": "not this one"})
    assert wrong.status_code == 422
    assert "do not belong together" in wrong.text
    right = visitor.press(page, "/sign-in/password", {"email": email.upper(), "password": password})
    assert right.status_code == 303
    assert visitor.get("/dash/<store>/").status_code == 200


def test_a_known_and_an_unknown_number_get_the_same_answer(
    session: Session, store: Store, visitor: Desk
) -> None:
    known, unknown = hire(store), any_phone("71")
    answers = []
    for phone in (known, unknown):
        answer = visitor.press(visitor.read("/sign-in"), "/sign-in/code", {"phone": phone})
        page = re.sub(r'value="[^"]*"|07•• ••• [0-9]{3}', "", answer.text)
        answers.append((answer.status_code, page, sorted(answer.headers.keys())))

    assert answers[0] == answers[1]


@pytest.mark.row("N88")
def test_codes_are_limited_with_words_and_a_time(
    session: Session, store: Store, visitor: Desk
) -> None:
    phone = hire(store)
    page = visitor.read("/sign-in")
    assert visitor.press(page, "/sign-in/code", {"phone": phone}).status_code == 200

    second = visitor.press(page, "/sign-in/code", {"phone": phone})

    assert second.status_code == 429
    assert 1 <= int(second.headers["Retry-After"]) <= 60
    assert "Please try again in" in second.text


@pytest.mark.row("N88")
def test_ten_wrong_passwords_make_an_account_wait(
    session: Session, store: Store, visitor: Desk
) -> None:
    email, password = f"{secrets.token_hex(6)}@duka.example", secrets.token_hex(8)
    hire(store, email=email, password=password)
    page = visitor.read("/sign-in?way=password")
    for _ in range(10):
        wrong = visitor.press(page, "/sign-in/password", {"email": email, "password": "wrong"})
        assert wrong.status_code == 422

    right = {"email": email, "password": password}
    assert visitor.press(page, "/sign-in/password", right).status_code == 429
    session.rollback()
    with inside_store(PLATFORM_STORE):
        db.session.execute(delete(RateCounter).where(RateCounter.name == "sign-in:account"))
        db.session.commit()
    assert visitor.press(page, "/sign-in/password", right).status_code == 303


def test_a_code_typed_in_another_browser_does_nothing(
    session: Session, store: Store, visitor: Desk, app: object
) -> None:
    phone = hire(store)
    page = visitor.press(visitor.read("/sign-in"), "/sign-in/code", {"phone": phone}).text
    code = newest_code(session)
    visitor.client.delete_cookie("__Host-sign-in", domain="localhost")

    answer = visitor.press(page, "/sign-in/check", {"code": code})

    assert answer.status_code == 422


@pytest.mark.row("W2")
@pytest.mark.parametrize(
    ("role", "landing"),
    [
        ("owner", "/dash/{}/"),
        ("manager", "/dash/{}/"),
        ("accountant", "/dash/{}/"),
        ("sales", "/staff/{}/orders/"),
        ("packer", "/staff/{}/orders/"),
        ("support", "/staff/{}/orders/"),
        ("dispatcher", "/staff/{}/dispatch/"),
        ("rider", "/staff/{}/run/"),
    ],
)
def test_each_role_lands_on_its_own_home(sign_in: SignIn, role: str, landing: str) -> None:
    desk = sign_in(role)

    answer = desk.get("/stores")

    assert answer.headers["Location"] == landing.format(desk.store.slug)
    assert desk.get(answer.headers["Location"]).status_code == 200
    if not landing.startswith("/dash"):
        assert desk.get("/dash/<store>/").headers["Location"] == landing.format(desk.store.slug)


@pytest.mark.row("W2")
def test_ops_is_not_there_for_owners(owner: Desk) -> None:
    assert owner.get("/ops").status_code == 404


def test_several_stores_are_a_choice(sign_in: SignIn, store: Store, theirs: Store) -> None:
    phone = any_phone("71")
    desk = sign_in("packer", phone=phone)
    with platform_session() as session:
        person = add_person(session, name="same", phone=phone)
        add_membership(session, store_id=theirs.id, person_id=person, role="owner")

    page = desk.read("/stores")

    assert f"/staff/{store.slug}/orders/" in page
    assert f"/dash/{theirs.slug}/" in page


def test_signing_out_ends_the_session(owner: Desk) -> None:
    cookie = owner.client.get_cookie("__Host-staff", domain="localhost")
    assert cookie is not None
    owner.press(owner.read("/staff/<store>/more"), "/sign-out")
    owner.client.set_cookie("__Host-staff", cookie.value, domain="localhost", secure=True)

    assert owner.get("/dash/<store>/").headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil", "/o/abc", "/dash/x/../../o"]
)
def test_the_way_back_never_leads_elsewhere(owner: Desk, wanted: str) -> None:
    answer = owner.get("/stores", query_string={"next": wanted})

    assert answer.headers["Location"] == f"/dash/{owner.store.slug}/"


def test_the_landing_page_says_what_this_is(visitor: Desk) -> None:
    page = visitor.read("/")

    assert "M-Pesa" in page
    assert 'href="/sign-in"' in page


def test_the_desks_do_not_exist_on_a_shops_host(owner: Desk, store: Store) -> None:
    for path in ("/sign-in", f"/dash/{store.slug}/", f"/staff/{store.slug}/orders/"):
        shop = f"https://{store.slug}.localhost:8000"
        assert owner.client.get(path, base_url=shop).status_code == 404
