"""How many statements a page may send to Postgres: each is a wait, and every shopper shares it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.delivery.actions import serve_area
from app.domain.payments.callbacks import MOST_REFUSED_A_MINUTE
from app.domain.payments.models import Callback
from app.domain.stores.models import Store
from app.ids import new_token, token_hash
from app.jobs import QUEUE_OF, OutboxRow, Topic
from tests.builders import attempt_of, make_order, make_payment_settings, make_variant
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import hidden_fields

CHECKOUT, PRODUCT = 25, 4
BRACKETS = re.compile(r"(?i)\s*(begin|commit|set |rollback|savepoint|release)")
TYPED = {"phone": "0712345678", "area": "kilimani", "landmark": "Blue gate"}


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What Postgres is asked meanwhile: the store's lookup counts, brackets do not.

    Whose store it is comes with BEGIN, in the same message.

    Rows that go one by one, as the driver's executemany does, are a statement each.
    """
    asked: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:  # type: ignore[no-untyped-def]
        if not BRACKETS.match(statement):
            asked.extend([statement] * (len(parameters) if isinstance(parameters, list) else 1))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def shopper(app: Flask, session: Session, store: Store) -> Shopper:
    """A phone with three different goods in its cart."""
    for sku in ("TEA", "POT", "CUP"):
        make_variant(session, name=f"Kericho {sku.lower()}", sku=sku)
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    session.commit()
    browser = shopper_of(app, store)
    for sku in ("TEA", "POT", "CUP"):
        browser.post("/cart/lines", data={"sku": sku})
    return browser


def form_of(shopper: Shopper) -> dict[str, str]:
    return hidden_fields(shopper.get("/checkout").text, "/checkout") | TYPED


@pytest.mark.row("W15")
@pytest.mark.parametrize("is_quoted", [False, True], ids=["area only in the form", "area chosen"])
def test_a_checkout_takes_at_most_twenty_five_statements(
    app: Flask, shopper: Shopper, is_quoted: bool
) -> None:
    form = form_of(shopper)
    if is_quoted:
        shopper.post("/checkout/summary", data=form)

    with statements(app) as asked:
        answer = shopper.post("/checkout", data=form)

    assert answer.status_code == 303
    assert len(asked) <= CHECKOUT, "\n".join(asked)


@pytest.mark.row("W15")
def test_pay_on_delivery_takes_no_more(
    app: Flask, shopper: Shopper, session: Session, store: Store
) -> None:
    session.get_one(Store, store.id).accepts_pay_on_delivery = True
    session.commit()
    form = form_of(shopper) | {"pay": "on_delivery"}

    with statements(app) as asked:
        answer = shopper.post("/checkout", data=form)

    assert answer.status_code == 303
    assert any("stock_movements" in statement for statement in asked)
    assert len(asked) <= CHECKOUT, "\n".join(asked)


def test_the_same_form_again_is_answered_from_its_key(app: Flask, shopper: Shopper) -> None:
    form = form_of(shopper)
    first = shopper.post("/checkout", data=form)

    with statements(app) as asked:
        again = shopper.post("/checkout", data=form)

    assert again.headers["Location"] == first.headers["Location"]
    assert len(asked) <= CHECKOUT // 3, "\n".join(asked)


def test_a_product_page_takes_at_most_four_statements(app: Flask, shopper: Shopper) -> None:
    with statements(app) as asked:
        answer = shopper.get("/p/kericho-tea")

    assert answer.status_code == 200
    assert len(asked) <= PRODUCT, "\n".join(asked)
    # Whose host it is, or that nothing of that has changed.
    assert any(re.search("resolve_host|changed_pages", statement) for statement in asked)


def reads_of_the_store(asked: list[str]) -> int:
    return sum("FROM app.stores" in statement for statement in asked)


@pytest.mark.parametrize("path", ["/cart", "/cart/count", "/checkout"])
def test_whoever_only_looks_reads_the_store_once_for_all(
    app: Flask, shopper: Shopper, path: str
) -> None:
    shopper.get(path)

    with statements(app) as asked:
        answer = shopper.get(path)

    assert answer.status_code == 200
    assert reads_of_the_store(asked) == 0, "\n".join(asked)


def test_whoever_only_looks_sees_what_the_owner_changed(
    app: Flask, shopper: Shopper, session: Session, store: Store
) -> None:
    assert "Closed for Eid" not in shopper.get("/cart").text
    row = session.get_one(Store, store.id)
    row.status, row.paused_words = "paused", "Closed for Eid"
    session.commit()

    assert "Closed for Eid" in shopper.get("/cart").text


def test_adding_to_a_cart_uses_the_store_of_its_pages_and_reads_nothing_after_its_commit(
    app: Flask, shopper: Shopper
) -> None:
    shopper.get("/cart")  # somebody looked at this version of the store's pages

    with statements(app) as asked:
        answer = shopper.post("/cart/lines", data={"sku": "TEA", "quantity": "1"})

    assert answer.status_code == 303
    assert reads_of_the_store(asked) == 0
    assert "cart_lines" in asked[-1], "\n".join(asked)


def test_a_callback_is_known_kept_and_passed_on_by_one_statement(
    app: Flask, session: Session
) -> None:
    make_payment_settings(session)
    token = new_token()
    attempt = attempt_of(session, make_order(session))
    attempt.token_hash = token_hash(token)
    session.commit()

    with statements(app) as asked:
        answer = app.test_client().post(
            f"/hooks/pay/{token}", json={}, base_url="http://localhost:8000"
        )

    assert answer.status_code == 200
    assert len(asked) == 1, "\n".join(asked)
    kept = session.scalars(select(Callback).where(Callback.attempt_id == attempt.id)).one()
    work = session.scalars(select(OutboxRow).where(OutboxRow.dedupe_key == str(kept.id))).one()
    assert (work.topic, work.queue, work.payload) == (
        Topic.HANDLE_CALLBACK,
        QUEUE_OF[Topic.HANDLE_CALLBACK],
        {"callback_id": str(kept.id)},
    )


def test_a_flood_of_unknown_callbacks_asks_one_question_each(app: Flask) -> None:
    def knock() -> int:
        with statements(app) as asked:
            answer = app.test_client().post(
                f"/hooks/pay/{new_token()}", json={}, base_url="http://localhost:8000"
            )
        assert answer.status_code == 404
        return len(asked)

    with time_machine.travel("2026-11-20T12:00:00+03:00", tick=False):
        noted = knock()
        for _ in range(MOST_REFUSED_A_MINUTE):
            last = knock()

    assert (noted, last) == (2, 1)
