"""What tests of PINs, passkeys and codes share: setting them up as a person would."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.clock import utcnow
from app.db.engine import db, platform_session
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.messaging.models import Message
from app.domain.people.models import OtpCode, RateCounter, SessionProof, StaffSession
from app.ids import token_hash
from app.vault import vault
from tests.phone_lock import PhoneLock
from tests.web.backoffice.conftest import Desk

PIN = "5821"


def newest_code(session: Session) -> str:
    """The last code that store 0 asked to be sent."""
    for text in messages(session, PLATFORM_STORE, "otp"):
        found = re.search(r"\b[0-9]{6}\b", text)
        assert found is not None
        return found[0]
    raise AssertionError("no code was sent")


def messages(session: Session, store_id: int, kind: str, *, to: str = "") -> list[str]:
    """What a store asked to be sent, the newest first."""
    session.rollback()
    with inside_store(store_id):
        found = db.session.scalars(
            select(Message)
            .where(Message.store_id == store_id, Message.kind == kind)
            .order_by(Message.created_at.desc(), Message.id.desc())
        ).all()
        texts = [message.body for message in found if not to or message.recipient == to]
        session.rollback()
    return texts


def person_id(desk: Desk) -> UUID:
    """Who is signed in at this desk."""
    with platform_session() as session:
        found = session.scalar(
            select(StaffSession.person_id).where(StaffSession.token_hash == _token_hash(desk))
        )
    assert found is not None
    return found


def forget_codes(session: Session) -> None:
    """Let the next code be asked for at once."""
    session.rollback()
    with inside_store(PLATFORM_STORE):
        db.session.execute(delete(RateCounter).where(RateCounter.name.startswith("otp:")))
        db.session.execute(delete(OtpCode))
        db.session.commit()


def prove_by_code(session: Session, desk: Desk, asking: str) -> str:
    """On the page that asks, have a code sent and type it; returns where that leads."""
    forget_codes(session)
    sent = desk.press(asking, "/me/confirm", {"confirm_send": "sms"})
    assert sent.status_code == 200, sent.text[:400]
    answer = desk.press(sent.text, "/me/confirm", {"confirm_code": newest_code(session)})
    assert answer.status_code in (303, 307), answer.text[-1500:]
    return str(answer.headers["Location"])


def go_on(desk: Desk, asking: str, proof: dict[str, str]) -> TestResponse:
    """Give the proof on the page that asks, and do what a browser does with a 307 or 303."""
    path, fields = desk.form(asking, "/me/confirm")
    answer = desk.client.post(path, data=fields | proof)
    where = answer.headers.get("Location", "")
    if answer.status_code == 307:
        answer = desk.client.post(where, data=fields | proof)
        where = answer.headers.get("Location", "")
    return desk.client.get(where) if answer.status_code == 303 else answer


def set_pin(session: Session, desk: Desk, pin: str = PIN) -> None:
    """Set one's first PIN, after a code to one's phone; the proofs are forgotten again."""
    where = prove_by_code(session, desk, desk.read("/me/security/pin"))
    answer = desk.press(desk.read(where), "/me/security/pin", {"pin": pin, "again": pin})
    assert answer.status_code == 303, answer.text[-1500:]
    forget_proofs(desk)


def add_passkey(session: Session, desk: Desk) -> PhoneLock:
    """Add this phone's fingerprint; the proofs are forgotten again."""
    phone = PhoneLock()
    page = desk.read(prove_by_code(session, desk, desk.read("/me/security/passkeys/new")))
    options = desk.post("/me/security/passkeys/options")
    answer = desk.press(
        page, "/me/security/passkeys", {"credential": phone.create(options.text), "name": "Pixel"}
    )
    assert answer.status_code == 303, answer.text[-1500:]
    forget_proofs(desk)
    return phone


def forget_proofs(desk: Desk) -> None:
    """As if more than five minutes had passed."""
    with platform_session() as session:
        session.execute(delete(SessionProof).where(SessionProof.token_hash == _token_hash(desk)))


def grow_old(desk: Desk, span: timedelta) -> None:
    """Make what this session proved that much older."""
    with platform_session() as session:
        session.execute(
            update(SessionProof)
            .where(SessionProof.token_hash == _token_hash(desk))
            .values(proven_at=utcnow() - span)
        )


def proofs_of(desk: Desk) -> set[str]:
    with platform_session() as session:
        return set(
            session.scalars(
                select(SessionProof.way).where(SessionProof.token_hash == _token_hash(desk))
            )
        )


def lookup(phone: str) -> bytes:
    return vault().lookup(phone, store_id=PLATFORM_STORE)


def _token_hash(desk: Desk) -> bytes:
    cookie = desk.client.get_cookie("__Host-staff", domain="localhost")
    assert cookie is not None
    return token_hash(cookie.value)
