"""What tells a shopper that the shop is real: each line comes from a row, or is not there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.delivery.actions import serve_area
from app.domain.stores.models import Store
from tests.builders import make_order, make_payment_settings, make_variant
from tests.conftest import Database
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import hidden_fields

ALL = {
    "prompt_name": "SAA NA SAUTI",
    "return_days": 14,
    "place": "Imenti House, B7",
    "kra_pin": "A001234567B",
    "licence": "NBI/2026/1187",
}
NONE = {"prompt_name": "", "return_days": 0, "place": "", "kra_pin": None, "licence": ""}


@pytest.fixture
def shopper(app: Flask, session: Session, store: Store) -> Shopper:
    """A phone with tea in its cart, in a shop that has said nothing about itself."""
    make_variant(session, name="Kericho tea", sku="TEA")
    serve_area(session, "kilimani", actor="test")
    say(session, store, **NONE)
    browser = shopper_of(app, store)
    browser.post("/cart/lines", data={"sku": "TEA"})
    return browser


def say(session: Session, store: Store, **facts: object) -> None:
    """Write on the store's row, as the settings would."""
    values = ", ".join(f"{name} = :{name}" for name in facts)
    session.execute(
        text(f"UPDATE app.stores SET {values} WHERE id = :id"),
        {**facts, "id": store.id},
    )
    session.commit()


def delivered(session: Session, days_ago: int) -> None:
    """An order delivered so long ago."""
    phone = f"07{secrets.randbelow(10**8):08d}"
    order = make_order(session, phone=phone, pay_on_delivery=True)
    for status in ("packed", "delivered"):
        session.execute(
            text("UPDATE app.orders SET status = :s WHERE id = :id"), {"s": status, "id": order.id}
        )
    session.execute(
        text(
            "UPDATE app.orders SET delivered_at = now() - make_interval(days => :d),"
            " placed_at = now() - make_interval(days => :d, hours => 3) WHERE id = :id"
        ),
        {"d": days_ago, "id": order.id},
    )
    session.commit()


def words(page: str) -> str:
    """What the page's facts say, without the head, the foot and the markup."""
    return words_of(page[page.index("<main") : page.index("</main>")])


def words_of(piece: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", piece).split())


PAGES = ("/p/kericho-tea", "/checkout")
CLAIMS = {
    "Your phone will show SAA NA SAUTI": {"prompt_name": ""},
    "14 days to return": {"return_days": 0},
    "See it at Imenti House, B7": {"place": ""},
    "KRA PIN A001234567B": {"kra_pin": None},
    "Licence NBI/2026/1187": {"licence": ""},
}


@pytest.mark.row("N31")
@pytest.mark.parametrize("page", PAGES)
def test_every_claim_stands_and_falls_with_its_row(
    session: Session, store: Store, shopper: Shopper, page: str
) -> None:
    silent = words(shopper.get(page).text)
    assert not [claim for claim in CLAIMS if claim in silent]
    assert "to return" not in silent
    assert "orders delivered" not in silent
    assert "registered business" not in silent
    assert "Till" not in silent

    say(session, store, **ALL)
    assert [claim for claim in CLAIMS if claim not in words(shopper.get(page).text)] == []

    for claim, gone in CLAIMS.items():
        say(session, store, **(ALL | gone))
        said = words(shopper.get(page).text)
        assert claim not in said
        assert all(other in said for other in CLAIMS if other != claim), claim


@pytest.mark.row("N31")
@pytest.mark.parametrize("page", PAGES)
def test_the_till_and_the_delivered_orders_are_counted_from_their_tables(
    session: Session, store: Store, theirs: Store, shopper: Shopper, page: str
) -> None:
    say(session, store, **ALL)
    keys = make_payment_settings(session)
    session.commit()
    number = keys.till if keys.kind == "till" else keys.shortcode
    label = "Till" if keys.kind == "till" else "Paybill"
    assert f"{label} {number}" in words(shopper.get(page).text)

    for days_ago in (1, 89, 91):
        delivered(session, days_ago)
    make_order(session)
    session.commit()
    assert "2 orders delivered In the last 90 days." in words(shopper.get(page).text)

    session.execute(
        text("UPDATE app.payment_settings SET kind = 'till', till = '5421907' WHERE store_id = :s"),
        {"s": store.id},
    )
    session.commit()
    assert "Till 5421907" in words(shopper.get(page).text)


@pytest.mark.row("N31")
def test_beyond_a_thousand_orders_it_says_more_and_counts_no_further(
    session: Session, store: Store, shopper: Shopper, database: Database
) -> None:
    """A shop that sells much pays for no longer a count with each page."""
    delivered(session, 1)
    with psycopg.connect(database.superuser) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "INSERT INTO app.orders (store_id, id, code, token_hash, token_sealed, customer_id, status,"
            " subtotal_cents, delivery_fee_cents, total_cents, area, placed_at, delivered_at)"
            " SELECT store_id, gen_random_uuid(), 'X-' || n, sha256(n::text::bytea), token_sealed,"
            " customer_id, status, subtotal_cents, delivery_fee_cents, total_cents, area, placed_at,"
            " delivered_at FROM app.orders, generate_series(1, 1000) n WHERE store_id = %s",
            (store.id,),
        )
        connection.commit()

    said = words(shopper.get("/p/kericho-tea").text)

    assert "More than 1,000 orders delivered In the last 90 days." in said


@pytest.mark.row("N31")
def test_the_time_of_arrival_follows_the_area_and_the_hours(
    session: Session, store: Store, shopper: Shopper
) -> None:
    before = words(shopper.get("/checkout").text)
    assert "The fee and time show here" in before
    form = hidden_fields(shopper.get("/checkout").text, "/checkout")
    shopper.post("/checkout/summary", data=form | {"area": "kilimani"})

    usual = words_of(shopper.get("/p/kericho-tea/delivery").text)
    say(session, store, opening_hours='{"mon": ["23:00", "23:30"]}')
    mondays_at_night = words_of(shopper.get("/p/kericho-tea/delivery").text)

    assert re.search(r"Kilimani .* by \d+ pm", usual)
    assert "by 11:30 pm" in mondays_at_night
    assert "11:30" not in usual


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What Postgres is asked meanwhile."""
    seen: list[str] = []

    def note(conn, cursor, statement, *rest) -> None:  # type: ignore[no-untyped-def]
        seen.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_the_claims_cost_a_product_page_no_statement_and_no_token(
    app: Flask, session: Session, store: Store, shopper: Shopper
) -> None:
    say(session, store, **ALL)
    make_payment_settings(session)
    delivered(session, 2)

    with statements(app) as asked:
        page = shopper.get("/p/kericho-tea")

    assert len(asked) <= 4, asked
    assert "1 order delivered" in words(page.text)
    assert "csrf_token" not in page.text
    assert "s-maxage" in page.headers["Cache-Control"]
