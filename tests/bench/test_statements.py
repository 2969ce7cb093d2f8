"""How many statements a page may send to Postgres: every one is a wait that a shopper shares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.delivery.actions import serve_area
from tests.builders import make_variant
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import hidden_fields

BESIDE = re.compile(r"(?i)^\s*(begin|commit|set |rollback|savepoint|release)")


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What the web app asks Postgres meanwhile, ``set_config`` and the host's lookup included."""
    asked: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany):  # type: ignore[no-untyped-def]
        if not BESIDE.match(statement):
            asked.append(" ".join(statement.split()))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def goods(session: Session) -> str:
    variant = make_variant(session, sku="TEA-1", stock=100)
    make_variant(session, name="Teapot", sku="POT-1", stock=100)
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    slug = variant.product.slug
    session.commit()
    return slug


@pytest.fixture
def client(app, store):
    return shopper_of(app, store)


def test_checkout(app: Flask, client: Shopper, goods: str) -> None:
    client.post("/cart/lines", data={"sku": "TEA-1", "quantity": "1"})
    client.post("/cart/lines", data={"sku": "POT-1", "quantity": "1"})
    page = client.get("/checkout?area=kilimani")
    form = hidden_fields(page.text, "/checkout") | {
        "phone": "0712345678",
        "area": "kilimani",
        "landmark": "Blue gate",
    }
    print(form)
    with statements(app) as asked:
        answer = client.post("/checkout", data=form)
    assert answer.status_code == 303, answer.text
    for n, a in enumerate(asked, 1):
        print(n, a[:230])
    for path in (
        "/",
        "/p/" + goods,
        "/cart",
        "/checkout",
        answer.headers["location"],
        answer.headers["location"] + "/payment",
    ):
        with statements(app) as asked:
            answer = client.get(path)
        print("==", path[:10], answer.status_code, len(asked))
        for n, a in enumerate(asked, 1):
            print("   ", n, a[:140])
