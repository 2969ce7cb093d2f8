"""Payment keys and payout numbers: the owner alone, with a second factor, and everybody is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.audit.models import AuditEntry
from app.domain.payments.models import PaymentSettings, PayoutNumber
from app.domain.stores.models import Store
from app.ids import new_token
from app.jobs import OutboxRow
from tests.builders import make_payment_settings
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk
from tests.web.backoffice.locks import (
    PIN,
    add_passkey,
    forget_codes,
    forget_proofs,
    go_on,
    messages,
    newest_code,
    set_pin,
)

SignIn = Callable[..., Desk]
KEYS = "/dash/<store>/money/keys/"
PAYOUT = {"kind": "phone", "number": "0722 918 273", "label": "Main phone"}


@pytest.fixture
def desk(sign_in: SignIn) -> Desk:
    return sign_in("owner", phone=any_phone("71"))


def payouts(session: Session) -> list[PayoutNumber]:
    session.rollback()
    return list(session.scalars(select(PayoutNumber)))


def prove_with_passkey(session: Session, desk: Desk) -> None:
    phone = add_passkey(session, desk)
    answer = phone.get(desk.post("/me/confirm/options").text)
    asked = desk.read("/me/confirm?level=money&next=/me/security")
    assert desk.press(asked, "/me/confirm", {"confirm_passkey": answer}).status_code == 303


def typed_keys(**facts: str) -> dict[str, str]:
    secrets = {name: new_token() for name in ("consumer_key", "consumer_secret", "passkey")}
    return {"kind": "till", "shortcode": "600123", "till": "5551234", **secrets} | facts


@pytest.mark.row("T66")
def test_adding_a_payout_number_without_a_second_factor_is_refused(
    session: Session, desk: Desk
) -> None:
    page = desk.read(KEYS)
    assert desk.press(page, "keys/payouts", PAYOUT).status_code == 403
    set_pin(session, desk)

    asked = desk.press(page, "keys/payouts", PAYOUT)
    assert asked.status_code == 403
    only_pin = desk.press(asked.text, "/me/confirm", {"confirm_pin": PIN})
    assert only_pin.status_code == 422, "a PIN alone is not enough for where money goes"
    assert "PIN is right" in only_pin.text
    assert payouts(session) == []


@pytest.mark.row("T66")
def test_pin_and_code_add_the_payout_number_that_was_typed(
    session: Session, store: Store, desk: Desk, sign_in: SignIn
) -> None:
    partner = any_phone("71")
    sign_in("owner", phone=partner)
    set_pin(session, desk)
    forget_codes(session)
    asked = desk.press(desk.read(KEYS), "keys/payouts", PAYOUT).text
    asked = desk.press(asked, "/me/confirm", {"confirm_send": "sms"}).text

    done = go_on(desk, asked, {"confirm_pin": PIN, "confirm_code": newest_code(session)})

    assert "Payout number added" in done.text
    assert "07•• ••• 273" in done.text
    assert "722 918 273" not in done.text
    (row,) = payouts(session)
    assert (row.number, row.label, row.added_by) == ("+254722918273", "Main phone", desk.name)
    assert b"918273" not in row.number_sealed
    told = messages(session, store.id, "security_notice", to=partner)
    assert len(told) == 1
    assert "added the payout number 07•• ••• 273" in told[0]
    assert "918" not in told[0]
    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action.like("payout%"))).one()
    assert "918273" not in str(entry.detail)


@pytest.mark.row("T66")
def test_changing_keys_without_a_second_factor_is_refused(session: Session, desk: Desk) -> None:
    make_payment_settings(session)
    session.commit()
    set_pin(session, desk)
    typed = typed_keys()

    refused = desk.post(f"{KEYS}change", typed)

    assert refused.status_code == 403
    assert typed["consumer_secret"] not in refused.text
    assert "Is it you?" in desk.read(f"{KEYS}change")
    session.expire_all()
    assert session.scalars(select(PaymentSettings)).one().shortcode == "600984"


@pytest.mark.row("T66")
def test_with_a_passkey_keys_are_saved_sealed_registered_and_announced(
    session: Session, store: Store, desk: Desk, sign_in: SignIn
) -> None:
    make_payment_settings(session)
    session.commit()
    partner = any_phone("71")
    sign_in("owner", phone=partner)
    prove_with_passkey(session, desk)
    typed = typed_keys()

    saved = desk.press(desk.read(f"{KEYS}change"), "keys/change", typed)

    assert saved.status_code == 303
    page = desk.read(KEYS)
    assert "5551234" in page
    assert "••••••••" in page
    session.rollback()
    settings = session.scalars(select(PaymentSettings)).one()
    for name in ("consumer_key", "consumer_secret", "passkey"):
        assert settings.open_secret(name) == typed[name]
        assert typed[name] not in page + desk.read(f"{KEYS}change")
    assert (settings.kind, settings.shortcode, settings.till) == ("till", "600123", "5551234")
    assert settings.mode == "test"
    jobs = session.scalars(select(OutboxRow).where(OutboxRow.topic == "register_c2b")).all()
    assert len(jobs) == 2
    assert (
        "changed the M-Pesa keys" in messages(session, store.id, "security_notice", to=partner)[0]
    )
    session.rollback()
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "payment_settings.changed")
    ).all()
    assert len(entries) == 1
    assert typed["passkey"] not in str(entries[0].detail)


def test_an_empty_secret_keeps_the_saved_one_and_a_new_code_needs_all(
    session: Session, desk: Desk
) -> None:
    make_payment_settings(session)
    session.commit()
    before = session.scalars(select(PaymentSettings)).one().open_secret("passkey")
    session.commit()
    prove_with_passkey(session, desk)
    blank = {"consumer_key": "", "consumer_secret": "", "passkey": ""}
    form = desk.read(f"{KEYS}change")

    moved = desk.press(form, "keys/change", typed_keys(kind="paybill", **blank))
    assert moved.status_code == 422
    assert "A new short code needs its own consumer key" in moved.text
    stayed = desk.press(
        form, "keys/change", typed_keys(shortcode="600984", kind="paybill", till="", **blank)
    )

    assert stayed.status_code == 303
    session.expire_all()
    assert session.scalars(select(PaymentSettings)).one().open_secret("passkey") == before


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"shortcode": "12"}, "5 to 7 digits"),
        ({"shortcode": "６００１２３"}, "5 to 7 digits"),
        ({"till": ""}, "number that customers pay to"),
        ({"till": "600123"}, "differ"),
        ({"kind": "bank"}, "Choose paybill or till"),
        ({"passkey": "has space in it"}, "without spaces"),
    ],
)
def test_keys_that_cannot_be_right_are_refused_at_their_field(
    session: Session, desk: Desk, facts: dict[str, str], words: str
) -> None:
    prove_with_passkey(session, desk)
    typed = typed_keys(**facts)

    answer = desk.press(desk.read(f"{KEYS}change"), "keys/change", typed)

    assert answer.status_code == 422
    assert words in answer.text
    assert typed["consumer_secret"] not in answer.text
    assert session.scalars(select(PaymentSettings)).all() == []


def test_payout_numbers_are_checked_removed_and_kept_apart(
    session: Session, store: Store, theirs: Store, desk: Desk, sign_in: SignIn
) -> None:
    prove_with_passkey(session, desk)
    page = desk.read(KEYS)
    assert "landline" in desk.press(page, "keys/payouts", PAYOUT | {"number": "020 2345678"}).text
    till = {"kind": "till", "number": "555 1234"}
    assert desk.press(page, "keys/payouts", till).status_code == 303
    again = desk.press(page, "keys/payouts", till)
    assert (again.status_code, "already" in again.text) == (422, True)
    (row,) = payouts(session)
    neighbour = sign_in("owner", where=theirs, phone=any_phone("71"))
    prove_with_passkey(session, neighbour)
    assert "•••234" not in neighbour.read(KEYS)
    assert neighbour.post(f"{KEYS}payouts/{row.id}/remove").status_code == 404
    forget_proofs(desk)
    page = desk.read(KEYS)
    assert desk.press(page, f"{row.id}/remove").status_code == 403

    prove_with_passkey(session, desk)
    assert desk.press(page, f"{row.id}/remove").status_code == 303
    session.expire_all()
    assert payouts(session)[0].removed_by == desk.name
    assert "•••234" not in desk.read(KEYS)
    assert desk.press(desk.read(KEYS), "keys/payouts", till).status_code == 303


@pytest.mark.parametrize("role", ["manager", "accountant", "sales", "packer", "rider"])
def test_only_the_owner_sees_keys_and_payouts(sign_in: SignIn, role: str) -> None:
    somebody = sign_in(role)

    assert somebody.get(KEYS).status_code == 403
    assert somebody.post(f"{KEYS}payouts", PAYOUT).status_code == 403
    assert "money/keys" not in somebody.read("/staff/<store>/more")
