"""Everything a provider sends is kept and shown; forging is refused; running it again changes nothing."""

from __future__ import annotations

import contextvars
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.db.engine import platform_session
from app.db.tenancy import bound_store
from app.domain.ledger.models import LedgerTx
from app.domain.orders.models import Order
from app.domain.payments.models import Callback, PaymentAttempt, PaymentSettings, ReviewItem
from app.domain.platform.events import find_events
from app.domain.stores.models import Store
from app.ids import new_token, token_hash
from tasks.runner import run
from tests.builders import attempt_of, make_order, make_payment_settings
from tests.web.backoffice.conftest import platform_client
from tests.web.platform.conftest import OpsDesk

Body = dict[str, Any]


@dataclass
class Paying:
    """An order whose prompt is on a phone, with the address its callback comes to."""

    order_id: UUID
    attempt_id: UUID
    token: str
    checkout: str
    shillings: int
    c2b_token: str
    reference: str


@pytest.fixture
def paying(session: Session) -> Paying:
    settings = make_payment_settings(session)
    c2b_token = new_token()
    session.get_one(PaymentSettings, (bound_store(), settings.id)).c2b_token_hash = token_hash(
        c2b_token
    )
    order = make_order(session)
    attempt = attempt_of(session, order)
    attempt.checkout_request_id = f"ws_CO_{secrets.randbelow(10**18):018d}"
    for status in ("sending", "awaiting_customer"):
        attempt.status = status  # type: ignore[assignment]
        session.flush()
    made = Paying(
        order.id,
        attempt.id,
        attempt.callback_token,
        attempt.checkout_request_id,
        attempt.amount_cents // 100,
        c2b_token,
        attempt.account_reference,
    )
    session.commit()
    return made


def stk(checkout: str, amount: object, receipt: str = "TKB4XY12AB", code: object = 0) -> Body:
    """A callback as Daraja writes it."""
    items = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "PhoneNumber", "Value": 254712345678},
    ]
    result: Body = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": checkout,
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }
    return {"Body": {"stkCallback": result}}


def confirmation(shortcode: str, reference: str, amount: str, receipt: str) -> Body:
    """A C2B confirmation as Daraja writes it."""
    return {
        "TransactionType": "Pay Bill",
        "TransID": receipt,
        "TransTime": "20261120183000",
        "TransAmount": amount,
        "BusinessShortCode": shortcode,
        "BillRefNumber": reference,
        "MSISDN": "254712345678",
        "FirstName": "Wanjiku",
    }


def send(app: Flask, token: str, body: object) -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return platform_client(app).post(
        f"/hooks/pay/{token}",
        data=data,
        headers={"X-Odd": "kept", "Cookie": "a=b", "Authorization": "Bearer abcdef123456"},
        content_type="application/json",
    )


def handle_all(app: Flask, session: Session, topic: str = "handle_callback") -> None:
    """Run every waiting job of this kind, as the worker would."""
    rows = session.execute(
        text(
            "SELECT id FROM app.outbox WHERE store_id = app.store_id() AND topic = :topic AND status = 'pending'"
        ),
        {"topic": topic},
    ).all()
    store_id = bound_store()
    session.commit()

    def act() -> None:
        for row in rows:
            with app.app_context():
                run(str(row.id), store_id)

    contextvars.Context().run(act)


def events_of(session: Session, attempt_id: UUID) -> list[Callback]:
    session.rollback()
    session.expire_all()
    return list(
        session.scalars(
            select(Callback)
            .where(Callback.store_id == bound_store(), Callback.attempt_id == attempt_id)
            .order_by(Callback.received_at, Callback.id)
        )
    )


def money(session: Session, paying: Paying) -> tuple[Any, ...]:
    """Everything about this payment that money could change."""
    session.rollback()
    session.expire_all()
    attempt = session.get_one(PaymentAttempt, (bound_store(), paying.attempt_id))
    order = session.get_one(Order, (bound_store(), paying.order_id))
    ledger = session.scalars(
        select(LedgerTx.source_id).where(LedgerTx.store_id == bound_store()).order_by(LedgerTx.id)
    ).all()
    reviews = session.scalars(
        select(ReviewItem.kind).where(ReviewItem.store_id == bound_store()).order_by(ReviewItem.id)
    ).all()
    jobs = session.execute(
        text(
            "SELECT topic, count(*) FROM app.outbox WHERE store_id = app.store_id() GROUP BY 1 ORDER BY 1"
        )
    ).all()
    return (
        str(order.status),
        str(attempt.status),
        attempt.receipt,
        attempt.callback_result_code,
        tuple(ledger),
        tuple(reviews),
        tuple(map(tuple, jobs)),
    )


@pytest.mark.row("M44")
def test_an_event_is_kept_with_body_headers_address_time_and_verdict(
    app: Flask, ops: OpsDesk, session: Session, store: Store, paying: Paying
) -> None:
    assert send(app, paying.token, stk(paying.checkout, paying.shillings)).status_code == 200
    handle_all(app, session)

    listed = ops.read("/ops/events", query_string={"store": store.slug})
    assert "Answer to a prompt" in listed
    assert "Asking M-Pesa whether it is true" in listed
    (event,) = events_of(session, paying.attempt_id)
    page = ops.read(f"/ops/events/{store.id}/{event.id}")

    assert "MerchantRequestID" in page
    assert "TKB4XY12AB" in page
    assert "254712345678" not in page
    assert "X-Odd" in page
    assert "kept" in page
    assert "Bearer" not in page
    assert "a=b" not in page
    assert "Cookie" not in event.headers
    assert event.source_ip in page
    assert event.source_ip.startswith("127.")


@pytest.mark.row("M44", "N85", "W23")
def test_a_captured_event_sent_or_run_again_changes_nothing(
    app: Flask, ops: OpsDesk, session: Session, store: Store, paying: Paying
) -> None:
    """A trusted small payment settles; the same words again, by the door or by the button, are nothing."""
    session.get_one(Store, store.id).callback_trust_limit_cents = 200_000
    session.commit()
    captured = stk(paying.checkout, paying.shillings)
    send(app, paying.token, captured)
    handle_all(app, session)
    settled = money(session, paying)
    assert settled[:2] == ("paid", "succeeded")

    assert send(app, paying.token, captured).status_code == 200
    handle_all(app, session)
    events = events_of(session, paying.attempt_id)
    assert [event.verdict for event in events] == ["settled", "repeated"]
    after = money(session, paying)
    assert after[:-1] == settled[:-1]
    for event in events:
        for _ in range(2):
            page = ops.read(f"/ops/events/{store.id}/{event.id}")
            assert ops.press(page, "/replay").status_code == 303
            assert "Nothing changed." in ops.read(f"/ops/events/{store.id}/{event.id}")

    assert money(session, paying) == after
    assert [event.verdict for event in events_of(session, paying.attempt_id)] == [
        "settled",
        "repeated",
    ]


@pytest.mark.row("M44")
def test_an_event_nobody_has_looked_at_is_looked_at_by_the_button(
    app: Flask, ops: OpsDesk, session: Session, store: Store, paying: Paying
) -> None:
    body = stk(paying.checkout, paying.shillings, code=1032)
    body["Body"]["stkCallback"].pop("CallbackMetadata")
    send(app, paying.token, body)
    (event,) = events_of(session, paying.attempt_id)
    page = ops.read(f"/ops/events/{store.id}/{event.id}")
    assert "Not looked at yet" in page

    assert ops.press(page, "/replay").status_code == 303

    assert "Something changed" in ops.read(f"/ops/events/{store.id}/{event.id}")
    handle_all(app, session)
    (event,) = events_of(session, paying.attempt_id)
    assert event.verdict == "failed"
    assert money(session, paying)[1] == "failed"


@pytest.mark.row("M44", "N85")
def test_money_told_of_by_confirmation_is_not_booked_twice(
    app: Flask, ops: OpsDesk, session: Session, store: Store, paying: Paying
) -> None:
    told = confirmation("600984", "NOBODY", "300.00", f"TC{secrets.token_hex(4).upper()}")
    send(app, paying.c2b_token, told)
    handle_all(app, session)
    before = money(session, paying)
    event = session.scalars(
        select(Callback).where(Callback.store_id == store.id, Callback.kind == "c2b_confirmation")
    ).one()
    page = ops.read(f"/ops/events/{store.id}/{event.id}")
    assert "Wanjiku" not in page

    ops.press(page, "/replay")
    send(app, paying.c2b_token, told)
    handle_all(app, session)

    assert before[4] != ()
    assert money(session, paying)[:6] == before[:6]


def forgeries(paying: Paying) -> list[tuple[str, str, object, set[str]]]:
    """(what it is, address, body, the verdicts that refuse it): twenty kinds of lies."""
    right, amount = paying.checkout, paying.shillings
    nobody = secrets.token_hex(16)
    no_money = {
        "confirming",
        "repeated",
    }  # believed only when M-Pesa itself agrees, and it does not
    deep: object = []
    for _ in range(400):
        deep = [deep]
    without_code = stk(right, amount)
    del without_code["Body"]["stkCallback"]["ResultCode"]
    without_id = stk(right, amount)
    del without_id["Body"]["stkCallback"]["CheckoutRequestID"]
    twice_amount = stk(right, amount)
    twice_amount["Body"]["stkCallback"]["CallbackMetadata"]["Item"].append(
        {"Name": "Amount", "Value": amount + 1}
    )
    return [
        ("a guessed address", nobody, stk(right, amount), {"unknown_secret"}),
        (
            "a guessed address, a lie about money",
            nobody,
            confirmation("600984", paying.reference, f"{amount}.00", "TF00000001"),
            {"unknown_secret"},
        ),
        (
            "the hash of a token",
            token_hash(paying.token).hex()[:32],
            stk(right, amount),
            {"unknown_secret"},
        ),
        (
            "larger than any callback",
            paying.token,
            b'{"Body":"' + b"x" * 17_000 + b'"}',
            {"too_large"},
        ),
        (
            "another prompt",
            paying.token,
            stk("ws_CO_000000000000000001", amount),
            {"wrong_checkout_id"},
        ),
        (
            "an id that is a list",
            paying.token,
            stk(["ws_CO"], amount),
            {"unreadable", "wrong_checkout_id"},
        ),  # type: ignore[arg-type]
        ("no id", paying.token, without_id, {"unreadable"}),
        ("no result", paying.token, without_code, {"unreadable"}),
        (
            "a result that is true",
            paying.token,
            stk(right, amount, code=True),
            {"unreadable", "failed", "failure_after_success", "repeated"},
        ),
        ("a shilling too little", paying.token, stk(right, amount - 1), {"amount_differs"}),
        ("a shilling too much", paying.token, stk(right, amount + 1), {"amount_differs"}),
        (
            "a broken shilling",
            paying.token,
            stk(right, amount + 0.5),
            {"amount_differs", "unreadable"},
        ),
        ("less than nothing", paying.token, stk(right, -amount), {"amount_differs", "unreadable"}),
        ("two amounts", paying.token, twice_amount, {"amount_differs", "unreadable"} | no_money),
        ("no JSON", paying.token, b"paid=true&amount=700", {"unreadable"}),
        ("cut off", paying.token, json.dumps(stk(right, amount)).encode()[:-9], {"unreadable"}),
        ("nested without end", paying.token, deep, {"unreadable"}),
        ("not UTF-8", paying.token, b"\xff\xfe\x00{", {"unreadable"}),
        (
            "money of another till",
            paying.c2b_token,
            confirmation("999999", paying.reference, f"{amount}.00", "TF00000002"),
            {"wrong_shortcode"},
        ),
        (
            "everything right, but no money",
            paying.token,
            stk(right, amount, "TF00000003"),
            no_money,
        ),
    ]


@pytest.mark.row("W25", "M40")
def test_twenty_forgeries_are_refused_and_shown(
    app: Flask, ops: OpsDesk, session: Session, store: Store, paying: Paying
) -> None:
    lies = forgeries(paying)
    assert len(lies) == 20
    for what, token, body, verdicts in lies:
        seen_before = set(_all_events(session, store))
        answer = send(app, token, body)
        handle_all(app, session)
        assert answer.status_code == (
            404 if "unknown_secret" in verdicts else 413 if "too_large" in verdicts else 200
        ), what
        (event_id,) = set(_all_events(session, store)) - seen_before
        where = 0 if {"unknown_secret", "too_large"} & verdicts else store.id
        page = ops.read(f"/ops/events/{where}/{event_id}")
        from app.domain.platform.events import VERDICTS

        assert any(str(VERDICTS[verdict]) in page for verdict in verdicts), what
        after = money(session, paying)
        assert after[0] == "pending_payment", what
        assert after[1] != "succeeded", what
        assert after[4] == (), what
    shown = ops.read("/ops/events", query_string={"kind": "refused"})
    assert shown.count("nobody&#39;s address") + shown.count("nobody's address") >= 3
    assert "too large" in shown


def _all_events(session: Session, store: Store) -> list[UUID]:
    """Ids of this store's events and of what was turned away, as the platform's role lists them."""

    with platform_session() as platform:
        return [
            event.id
            for one in (store.id, 0)
            for event in find_events(platform, store_id=one, most=500)
        ]


def test_what_was_turned_away_cannot_be_run_again(
    app: Flask, ops: OpsDesk, session: Session
) -> None:

    send(app, secrets.token_hex(16), {"Body": "guess"})
    with platform_session() as platform:
        refused = find_events(platform, kind="refused", most=1)[0]

    assert ops.post(f"/ops/events/0/{refused.id}/replay").status_code == 422
    assert (
        ops.get(f"/ops/events/0/{new_token()[:8]}-0000-0000-0000-000000000000").status_code == 404
    )


@pytest.mark.parametrize(
    "limit",
    [
        "app.web.webhooks.payments.MOST_REFUSED_A_MINUTE",
        "app.domain.payments.callbacks.MOST_REFUSED_A_DAY",
    ],
)
def test_guessing_without_end_fills_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    def kept() -> int:
        with platform_session() as platform:
            return len(find_events(platform, kind="refused", most=1000))

    monkeypatch.setattr(limit, 0)
    before = kept()

    assert send(app, secrets.token_hex(16), {"Body": "guess"}).status_code == 404
    assert kept() == before


def test_the_lists_filter_and_go_on(
    app: Flask,
    ops: OpsDesk,
    session: Session,
    store: Store,
    theirs: Store,
    paying: Paying,
    monkeypatch: pytest.MonkeyPatch,
    make_store: Callable[..., Store],
) -> None:
    for _ in range(3):
        send(app, paying.token, stk("ws_CO_000000000000000002", 1))
    handle_all(app, session)
    address = f"/ops/events/{store.id}/"

    def listed(**query: str) -> int:
        return ops.read("/ops/events", query_string=query).count(address)

    assert listed(store=store.slug) == 3
    assert listed(store=store.slug, verdict="wrong_checkout_id") == 3
    assert listed(store=store.slug, verdict="settled") == 0
    assert listed(store=store.slug, kind="stk", until="1") == 0
    assert listed(store=theirs.slug) == 0
    assert listed(store="no-such-store") == 0
    assert listed(store=store.slug, until="9" * 40, kind="nonsense") == 3
