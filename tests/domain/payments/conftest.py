"""M-Pesa's stand-in as a process of its own, and orders whose prompts really were sent to it."""

from __future__ import annotations

import contextvars
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.payments.models import PaymentAttempt
from app.ids import new_token, token_hash
from local import ports
from tasks.runner import run
from tests.builders import attempt_of, make_order, make_payment_settings
from tests.conftest import ROOT
from tests.phones import any_phone
from tests.web.backoffice.conftest import platform_client
from tests.world import wait_for

NOWHERE = "http://127.0.0.1:9/hooks/pay/"  # nobody listens: results are kept, and brought by hand


@dataclass
class Bank:
    """The running stand-in, by its control."""

    http: httpx.Client

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(path, json=body)
        answer.raise_for_status()
        return dict(answer.json())

    def transaction(self, phone: str) -> dict[str, Any]:
        """The one payment of this phone."""
        found = self.http.get("/_sim/transactions", params={"msisdn": phone}).json()
        return dict(found["transactions"][0])


@pytest.fixture(scope="session")
def bank() -> Iterator[Bank]:
    port = ports.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "sandbox ready" in process.stdout.readline()
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)
    yield Bank(client)
    client.close()
    process.terminate()
    process.wait(timeout=15)
    process.stdout.close()


@pytest.fixture
def daraja(app: Flask, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> str:
    """The app asks this stand-in; the address it asks at."""
    url = str(bank.http.base_url).rstrip("/") + "/daraja"
    monkeypatch.setitem(
        app.config,
        "SETTINGS",
        replace(app.config["SETTINGS"], daraja_base_url=url, mpesa_test_base_url=""),
    )
    return url


@dataclass
class Prompted:
    """An order whose prompt was sent through the real door to the stand-in."""

    app: Flask
    bank: Bank
    session: Session
    order_id: UUID
    attempt_id: UUID
    token: str
    c2b_token: str
    phone: str
    client: FlaskClient

    @property
    def attempt(self) -> PaymentAttempt:
        self.session.rollback()
        self.session.expire_all()
        return self.session.get_one(PaymentAttempt, (bound_store(), self.attempt_id))

    def told(self, kind: str) -> str:
        """The body that the stand-in wanted to deliver: ``stk`` or ``c2b``."""

        def bodies() -> list[str]:
            sent = self.bank.transaction(self.phone)["callbacks"]
            return [one["body"] for one in sent if one["kind"] == kind]

        return str(wait_for(f"a {kind} message", bodies)[0])

    def bring(self, kind: str) -> None:
        """Deliver that message by HTTP, and let a worker look at it."""
        token = self.token if kind == "stk" else self.c2b_token
        answer = self.client.post(f"/hooks/pay/{token}", data=self.told(kind))
        assert answer.status_code == 200
        self.work("handle_callback")

    def ask(self) -> None:
        """Let a worker ask M-Pesa, as a silent attempt's check does."""
        self.work("check_attempt")

    def work(self, *topics: str) -> int:
        """Run every waiting job of these topics once, as workers would."""
        rows = self.session.scalars(
            text(
                "SELECT id FROM app.outbox WHERE store_id = app.store_id() AND topic = ANY(:topics)"
                " AND status = 'pending' ORDER BY created_at"
            ),
            {"topics": list(topics)},
        ).all()
        store_id = bound_store()
        self.session.rollback()

        def act() -> None:
            for row in rows:
                with self.app.app_context():
                    run(str(row), store_id)

        contextvars.Context().run(act)
        return len(rows)


@dataclass
class Till:
    """A store's till at the stand-in, where prompts can be sent from."""

    app: Flask
    bank: Bank
    session: Session
    c2b_token: str

    def order(self, *, is_paid: bool = True, **facts: Any) -> Prompted:
        """Order, send the prompt, and have the phone pay at once."""
        phone = any_phone()
        order = make_order(self.session, phone=phone)
        attempt = attempt_of(self.session, order)
        self.bank.post(
            "/_sim/faults",
            msisdn=phone,
            **({"auto": "pay", "after_s": 0} if is_paid else {}),
            c2b="after",
            c2b_delay_s=0,
            **facts,
        )
        made = Prompted(
            self.app,
            self.bank,
            self.session,
            order.id,
            attempt.id,
            attempt.callback_token,
            self.c2b_token,
            phone,
            platform_client(self.app),
        )
        self.session.commit()
        made.work("send_attempt")
        if is_paid:
            wait_for("the phone pays", lambda: self.bank.transaction(phone)["status"] == "paid")
        return made


@pytest.fixture
def till(app: Flask, bank: Bank, daraja: str, session: Session) -> Till:
    c2b_token = new_token()
    keys = bank.post(
        "/_sim/credentials",
        name=f"T{secrets.token_hex(4)}".upper(),
        type="paybill",
        confirmation_url=NOWHERE + c2b_token,
        validation_url=NOWHERE + c2b_token,
    )
    settings = make_payment_settings(
        session,
        {name: keys[name] for name in ("shortcode", "consumer_key", "consumer_secret", "passkey")},
    )
    settings.c2b_token_hash = token_hash(c2b_token)
    session.commit()
    return Till(app, bank, session, c2b_token)


def ledger(session: Session) -> dict[str, int]:
    """The bound store's balances in cents, by account."""
    rows = session.execute(
        text(
            "SELECT account, sum(amount_cents)::bigint AS cents FROM app.ledger_entries"
            " WHERE store_id = app.store_id() GROUP BY account ORDER BY account"
        )
    )
    return {row.account: row.cents for row in rows}


def loads(body: str) -> Any:
    return json.loads(body)


def one(session: Session, model: type[Any], **facts: Any) -> Any:
    """The one row of the bound store with these facts."""
    query = select(model).where(model.store_id == bound_store()).filter_by(**facts)
    return session.scalars(query).one()
