"""PINs: what they guard, how they are set, what a thief with a session can do."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.domain.audit.models import AuditEntry
from app.domain.payments.models import ReviewItem
from app.domain.payments.reviews import open_review
from app.domain.people.models import ActionPin
from app.domain.people.passwords import is_right
from app.domain.stores.models import Store
from app.ids import new_id
from tests.builders import make_payment_settings
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk
from tests.web.backoffice.locks import (
    PIN,
    forget_proofs,
    go_on,
    grow_old,
    messages,
    person_id,
    proofs_of,
    prove_by_code,
    set_pin,
)

SignIn = Callable[..., Desk]
REVIEWS = "/dash/<store>/reviews/"


@pytest.fixture
def desk(sign_in: SignIn) -> Desk:
    """An owner with a phone of their own."""
    return sign_in("owner", phone=any_phone("71"))


@pytest.fixture
def money(session: Session, store: Store) -> ReviewItem:
    """Money without an order, waiting to be sent back."""
    open_review(
        session,
        "unmatched_money",
        subject_id=new_id(),
        next_action="send it back",
        amount_cents=500_00,
    )
    session.commit()
    return session.scalars(select(ReviewItem).where(ReviewItem.store_id == store.id)).one()


def status_of(session: Session, item: ReviewItem) -> str:
    session.expire_all()
    status = item.status
    session.commit()
    return status


def pin_hash(holder: UUID) -> str | None:
    with platform_session() as platform:
        return platform.scalar(select(ActionPin.pin_hash).where(ActionPin.person_id == holder))


@pytest.mark.row("T8")
def test_a_refund_without_a_pin_is_refused(session: Session, desk: Desk, money: ReviewItem) -> None:
    page = desk.read(REVIEWS)

    nothing_set = desk.press(page, f"reviews/{money.id}", {"action": "refunded"})
    assert nothing_set.status_code == 403
    assert "Set a PIN" in nothing_set.text
    assert status_of(session, money) == "open"

    set_pin(session, desk)
    asked = desk.press(page, f"reviews/{money.id}", {"action": "refunded"})
    assert asked.status_code == 403
    assert "Your PIN" in asked.text
    assert status_of(session, money) == "open"


@pytest.mark.row("T8")
def test_with_the_pin_the_refund_goes_on_where_it_was(
    session: Session, desk: Desk, money: ReviewItem
) -> None:
    set_pin(session, desk)
    asked = desk.press(desk.read(REVIEWS), f"reviews/{money.id}", {"action": "refunded"}).text

    wrong = desk.press(asked, "/me/confirm", {"confirm_pin": "9999"})
    assert wrong.status_code == 422
    assert "not your PIN" in wrong.text
    assert status_of(session, money) == "open"
    right = go_on(desk, wrong.text, {"confirm_pin": PIN})

    assert right.status_code == 200
    assert "Settled" in right.text
    assert status_of(session, money) == "resolved"


def test_a_step_that_moves_no_money_asks_for_nothing(session: Session, desk: Desk) -> None:
    open_review(session, "unreadable_callback", subject_id=new_id(), next_action="look")
    session.commit()
    item = session.scalars(select(ReviewItem)).one()

    desk.press(desk.read(REVIEWS), f"reviews/{item.id}", {"action": "dismiss"})

    assert status_of(session, item) == "resolved"


def test_a_proof_counts_five_minutes_and_in_its_own_session(
    session: Session, desk: Desk, sign_in: SignIn, money: ReviewItem
) -> None:
    set_pin(session, desk)
    page = desk.read(REVIEWS)
    asked = desk.press(page, f"reviews/{money.id}", {"action": "refunded"}).text
    assert desk.press(asked, "/me/confirm", {"confirm_pin": PIN}).status_code == 307
    grow_old(desk, timedelta(minutes=5, seconds=1))

    late = desk.press(page, f"reviews/{money.id}", {"action": "refunded"})
    assert late.status_code == 403

    grow_old(desk, timedelta(minutes=4))
    elsewhere = sign_in("manager", phone=any_phone("71"))
    other = elsewhere.press(elsewhere.read(REVIEWS), f"reviews/{money.id}", {"action": "refunded"})
    assert other.status_code == 403
    assert status_of(session, money) == "open"
    assert desk.press(page, f"reviews/{money.id}", {"action": "refunded"}).status_code == 303


@pytest.mark.row("T8")
def test_a_pin_reset_by_the_owner_is_audited_and_tells_the_owners(
    session: Session, store: Store, desk: Desk, sign_in: SignIn, money: ReviewItem
) -> None:
    boss_phone, own_phone = any_phone("71"), any_phone("71")
    sign_in("owner", phone=boss_phone)
    manager = sign_in("manager", phone=own_phone, name="Achieng Manager")
    set_pin(session, manager)
    set_pin(session, desk)
    holder = person_id(manager)
    page = desk.read("/dash/<store>/pins/")
    asked = desk.press(page, f"pins/{holder}/reset")
    assert asked.status_code == 403, "resetting asks for the owner's own PIN"
    assert pin_hash(holder) is not None

    done = go_on(desk, asked.text, {"confirm_pin": PIN})

    assert "The PIN of Achieng Manager is gone" in done.text
    assert pin_hash(holder) is None
    for phone in (boss_phone, own_phone):
        told = messages(session, store.id, "security_notice", to=phone)
        assert len(told) == 1
        assert "reset the PIN of Achieng Manager" in told[0]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "pin.reset")).one()
    assert (entry.actor, entry.subject) == (desk.name, f"person:{holder}")
    session.commit()
    refused = manager.press(manager.read(REVIEWS), f"reviews/{money.id}", {"action": "refunded"})
    assert "Set a PIN" in refused.text


def test_who_may_not_reset_a_pin(
    session: Session, store: Store, theirs: Store, desk: Desk, sign_in: SignIn
) -> None:
    stranger = sign_in("packer", where=theirs, phone=any_phone("71"))
    set_pin(session, stranger)
    set_pin(session, desk)
    prove_by_code(session, desk, desk.read("/me/security/pin"))
    desk.press(
        desk.read("/me/confirm?level=action&next=/me/security"),
        "/me/confirm",
        {"confirm_pin": PIN},
    )

    assert desk.post(f"/dash/<store>/pins/{person_id(stranger)}/reset").status_code == 404
    manager = sign_in("manager", phone=any_phone("71"))
    assert manager.post(f"/dash/<store>/pins/{person_id(desk)}/reset").status_code == 403
    assert pin_hash(person_id(stranger)) is not None


@pytest.mark.row("T8")
def test_changing_a_pin_needs_the_old_one_or_a_code(session: Session, desk: Desk) -> None:
    set_pin(session, desk)
    before = pin_hash(person_id(desk))

    stolen = desk.post("/me/security/pin", {"pin": "7394", "again": "7394"})
    assert stolen.status_code == 403
    assert "7394" not in stolen.text, "what was typed does not travel through the page"
    assert pin_hash(person_id(desk)) == before
    asked = desk.read("/me/security/pin")
    assert desk.press(asked, "/me/confirm", {"confirm_pin": "7394"}).status_code == 422
    form = desk.press(asked, "/me/confirm", {"confirm_pin": PIN})
    assert form.headers["Location"] == "/me/security/pin"
    changed = desk.press(
        desk.read("/me/security/pin"), "/me/security/pin", {"pin": "7394", "again": "7394"}
    )

    assert changed.status_code == 303
    assert is_right("7394", pin_hash(person_id(desk)))
    assert pin_hash(person_id(desk)).startswith("$argon2id$")  # type: ignore[union-attr]


def test_a_new_pin_ends_what_the_old_one_proved_elsewhere(session: Session, desk: Desk) -> None:
    set_pin(session, desk)
    asked = desk.read("/me/confirm?level=action&next=/me/security")
    desk.press(asked, "/me/confirm", {"confirm_pin": PIN})
    assert proofs_of(desk) == {"pin"}

    desk.press(desk.read("/me/security/pin"), "/me/security/pin", {"pin": "123", "again": "123"})
    assert proofs_of(desk) == {"pin"}
    forget_proofs(desk)
    set_pin(session, desk, "7394")

    assert proofs_of(desk) == set()


@pytest.mark.row("T67")
@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("1234", "digits in a row"),
        ("1111", "one digit again and again"),
        ("1990", "a year"),
        ("678", "4 to 6 digits"),
        ("tail", "your phone number"),
        ("6009", "till or paybill"),
    ],
)
def test_a_weak_pin_is_refused_on_the_form_with_its_reason(
    session: Session, store: Store, sign_in: SignIn, pin: str, reason: str
) -> None:
    phone = f"+2547{secrets.randbelow(10**4):04d}8273"
    desk = sign_in("packer", phone=phone)
    make_payment_settings(session)
    session.commit()
    typed = phone[-4:] if pin == "tail" else pin
    where = prove_by_code(session, desk, desk.read("/me/security/pin"))

    answer = desk.press(desk.read(where), "/me/security/pin", {"pin": typed, "again": typed})

    assert answer.status_code == 422
    assert reason in answer.text.replace("&#39;", "'")
    assert pin_hash(person_id(desk)) is None


def test_two_different_pins_are_refused(session: Session, desk: Desk) -> None:
    where = prove_by_code(session, desk, desk.read("/me/security/pin"))

    answer = desk.press(desk.read(where), "/me/security/pin", {"pin": "5821", "again": "5822"})

    assert answer.status_code == 422
    assert "differ" in answer.text


def test_no_form_works_without_its_token(session: Session, desk: Desk) -> None:
    for path in (
        "/me/security/pin",
        "/me/confirm",
        "/me/confirm/options",
        "/me/security/passkeys",
        "/me/security/passkeys/options",
        "/sign-in/passkey",
        "/dash/<store>/money/keys/payouts",
    ):
        assert desk.client.post(desk.full(path), data={"pin": PIN}).status_code == 400, path


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil", "/me/../o", "/sign-out", ""]
)
def test_a_proof_never_leads_elsewhere(session: Session, desk: Desk, wanted: str) -> None:
    set_pin(session, desk)
    fields = {"confirm_next": wanted, "confirm_method": "post", "confirm_level": "action"}

    answer = desk.post("/me/confirm", fields | {"confirm_pin": PIN})

    assert answer.headers["Location"] == "/me/security"


def test_nobody_signed_in_is_sent_to_the_door(visitor: Desk) -> None:
    assert visitor.get("/me/security").headers["Location"] == "/sign-in?next=/me/security"
    assert visitor.post("/me/confirm", {"confirm_pin": PIN}).status_code == 401


@pytest.mark.row("T66")
def test_no_door_to_keys_and_payouts_lacks_its_second_factor(app: Flask) -> None:
    views = {
        rule.rule: app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
    }
    unguarded = [
        rule
        for rule, view in views.items()
        if getattr(view, "_permission", "") == "payouts.change"
        and getattr(view, "_second_factor", "") != "money"
    ]

    assert unguarded == []
    assert sum(getattr(view, "_second_factor", "") == "money" for view in views.values()) >= 3
