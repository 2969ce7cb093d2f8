"""A shopper's own page: numbers that are proved, named, put first and erased; orders, and again."""

from __future__ import annotations

import contextvars
import re
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.db.tenancy import inside_store
from app.domain.catalog.models import Product, Variant
from app.domain.customers.models import SavedNumber
from app.domain.messaging.models import Message
from app.domain.orders.models import Order
from app.domain.payments.models import PaymentAttempt
from app.domain.people.models import RateCounter
from app.domain.stores.models import Store
from app.vault import CannotOpen, vault
from tests.builders import attempt_of, make_order, make_variant
from tests.conftest import Database
from tests.web.storefront import conftest
from tests.web.storefront.conftest import Shopper
from tests.world import hidden_fields

OWN, OTHER, THIRD = "+254711000001", "+254722000002", "+254733000003"
PLACE = {"area": "kilimani", "landmark": "Blue gate opposite the school"}


class Alone(Shopper):
    """A browser whose requests have a context of their own, as in a server: not the test's session."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **options)


def shopper_of(app: Flask, store: Store) -> Shopper:
    shopper = conftest.shopper_of(app, store)
    shopper.__class__ = Alone
    return shopper


@pytest.fixture
def client(app: Flask, store: Store) -> Shopper:
    """A shopper in our store."""
    return shopper_of(app, store)


def code_for(session: Session, phone: str) -> str:
    """The newest code that this number was sent."""
    session.rollback()
    sent = session.scalars(
        select(Message)
        .where(Message.kind == "otp", Message.recipient_hash == lookup(session, phone))
        .order_by(Message.created_at.desc(), Message.id.desc())
    ).first()
    assert sent is not None
    found = re.search(r"\b\d{6}\b", sent.body)
    assert found is not None
    sent_id = sent.id
    session.execute(delete(RateCounter))  # time passes
    # It has arrived: the shopper reads it.
    for status in ("sending", "sent"):
        session.execute(
            update(Message)
            .where(Message.id == sent_id, Message.status.in_(("queued", "sending")))
            .values(status=status)
        )
    session.commit()
    return found[0]


def lookup(session: Session, phone: str) -> bytes:
    from app.db.tenancy import bound_store

    return vault().lookup(phone, store_id=bound_store())


def prove(shopper: Shopper, session: Session, phone: str = OWN) -> None:
    form = hidden_fields(shopper.get("/me").text, "/me/code")
    asked = shopper.post("/me/code", data=form | {"phone": phone})
    form = hidden_fields(asked.text, "/me/verify")
    done = shopper.post("/me/verify", data=form | {"code": code_for(session, phone)})
    assert done.status_code == 303, done.text[:800]


def add(
    shopper: Shopper, session: Session, phone: str = OTHER, label: str = "Work"
) -> TestResponse:
    form = hidden_fields(shopper.get("/me").text, "/me/numbers")
    asked = shopper.post("/me/numbers", data=form | {"phone": phone, "label": label})
    assert asked.status_code == 200, asked.text[:800]
    form = hidden_fields(asked.text, "/me/numbers/verify")
    return shopper.post("/me/numbers/verify", data=form | {"code": code_for(session, phone)})


def number_id(session: Session, phone: str = OTHER) -> str:
    session.rollback()
    found = session.scalar(
        select(SavedNumber.id).where(SavedNumber.phone_lookup == lookup(session, phone))
    )
    return str(found)


def press(shopper: Shopper, page: str, action: str, **facts: Any) -> TestResponse:
    return shopper.post(action, data=hidden_fields(shopper.get(page).text, action) | facts)


@pytest.fixture
def tea(session: Session) -> Variant:
    """Something that was bought once, so that there is an area to deliver to."""
    make_order(session, phone=THIRD)
    made = make_variant(session, name="Ketepa", sku="KETEPA", stock=9)
    session.commit()
    return made


def checkout(shopper: Shopper) -> tuple[str, dict[str, str]]:
    shopper.post("/cart/lines", data={"sku": "KETEPA"})
    page = shopper.get("/checkout").text
    return page, hidden_fields(page, "/checkout") | PLACE


@pytest.mark.row("T16")
def test_a_shopper_with_two_numbers_picks_one_with_one_tap(
    client: Shopper, session: Session, tea: Variant
) -> None:
    prove(client, session)
    assert add(client, session).status_code == 303

    page, form = checkout(client)
    assert re.findall(r'name="number" value="([^"]+)"( checked)?', page)[1] == (
        number_id(session),
        "",
    )
    assert page.count("07•• ••• ") == 2
    assert OTHER[4:] not in page
    assert 'name="phone"' not in page
    placed = client.post("/checkout", data=form | {"number": number_id(session)})

    assert placed.status_code == 303, placed.text[:900]
    order = session.scalars(select(Order).order_by(Order.placed_at.desc())).first()
    assert order is not None
    assert order.customer.phone == OWN  # who buys is the person, whichever number pays
    assert attempt_of(session, order).phone == OTHER
    assert f"/o/{placed.headers['Location'].rsplit('/', 1)[1]}" in client.get("/me").text


@pytest.mark.row("T16")
def test_the_number_offered_first_is_the_one_that_pays_without_a_tap(
    client: Shopper, session: Session, tea: Variant
) -> None:
    prove(client, session)
    add(client, session)
    press(client, "/me", f"/me/numbers/{number_id(session)}/first")
    press(client, "/me", f"/me/numbers/{number_id(session)}/name", label="Kazi")

    page, form = checkout(client)
    assert f'value="{number_id(session)}" checked' in page
    assert "Kazi" in page
    client.post("/checkout", data=form | {"number": number_id(session)})
    assert (
        session.scalars(select(PaymentAttempt).order_by(PaymentAttempt.id.desc())).first().phone
        == OTHER
    )  # type: ignore[union-attr]


@pytest.mark.row("T16")
def test_removing_a_number_erases_it_but_for_what_it_paid(
    client: Shopper, session: Session, tea: Variant, database: Database
) -> None:
    prove(client, session)
    add(client, session)
    _page, form = checkout(client)
    client.post("/checkout", data=form | {"number": number_id(session)})
    before = traces(database, session, OTHER)
    assert {"saved_numbers", "proven_numbers", "otp_codes", "messages"} <= before

    gone = number_id(session)
    assert press(client, "/me", f"/me/numbers/{gone}/remove").status_code == 303
    token = hidden_fields(client.get("/me").text, "/me/sign-out")
    assert client.post(f"/me/numbers/{gone}/remove", data=token).status_code == 303  # twice

    assert traces(database, session, OTHER) == {"payment_attempts"}
    assert f"••• {OTHER[-3:]}" not in client.get("/me").text
    assert traces(database, session, OWN) >= {"customers", "proven_numbers"}


def traces(database: Database, session: Session, phone: str) -> set[str]:
    """Every table of the store with a row that can be found by, or opened to, this number."""
    from app.db.tenancy import bound_store

    session.rollback()
    store_id, found = bound_store(), set()
    with psycopg.connect(database.superuser) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns c"
            " WHERE table_schema = 'app' AND data_type = 'bytea' AND EXISTS (SELECT 1 FROM"
            " information_schema.columns s WHERE s.table_schema = 'app'"
            " AND s.table_name = c.table_name AND s.column_name = 'store_id')"
        ).fetchall()
        for table, column in columns:
            for (value,) in connection.execute(
                f'SELECT "{column}" FROM app."{table}" WHERE store_id = %s', (store_id,)
            ):
                is_looked_up = value == vault().lookup(phone, store_id=store_id)
                if is_looked_up or phone in opened(value, store_id, table, column):
                    found.add(table)
        for table, column in connection.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c"
            " WHERE c.table_schema = 'app' AND c.data_type IN ('text', 'jsonb')"
        ).fetchall():
            if connection.execute(
                f'SELECT 1 FROM app."{table}" WHERE "{column}"::text LIKE %s LIMIT 1',
                (f"%{phone[4:]}%",),
            ).fetchone():
                found.add(table)
    return found


def opened(value: bytes | None, store_id: int, table: str, column: str) -> str:
    if not value:
        return ""
    try:
        return vault().open(
            value, store_id=store_id, column=f"{table}.{column.removesuffix('_sealed')}"
        )
    except CannotOpen:
        return ""


@pytest.mark.row("T16", "T63")
def test_a_number_is_offered_only_in_the_browser_that_proved_it(
    app: Flask, store: Store, client: Shopper, session: Session, tea: Variant
) -> None:
    """A prompt goes to a phone that was typed in this checkout or proved in this browser."""
    prove(client, session)
    add(client, session)
    saved = number_id(session)
    elsewhere = shopper_of(app, store)
    prove(elsewhere, session)

    page, form = checkout(elsewhere)
    assert "Not proved in this browser" in elsewhere.get("/me").text
    assert 'name="number"' not in page
    elsewhere.post("/checkout", data=form | {"number": saved})

    attempt = session.scalars(select(PaymentAttempt).order_by(PaymentAttempt.id.desc())).first()
    assert attempt is not None
    assert attempt.phone == OWN


@pytest.mark.row("T16")
def test_strangers_cannot_touch_somebodys_numbers(
    app: Flask, store: Store, theirs: Store, client: Shopper, session: Session
) -> None:
    prove(client, session)
    add(client, session)
    saved = number_id(session)
    visitor, another = shopper_of(app, store), shopper_of(app, store)
    prove(another, session, THIRD)
    with inside_store(theirs.id):
        session.rollback()
        neighbour = shopper_of(app, theirs)
        prove(neighbour, session, OWN)
    session.rollback()

    for verb in ("first", "name", "remove"):
        for who, status in ((visitor, 303), (another, 404), (neighbour, 404)):
            token = hidden_fields(
                who.get("/me").text, "/me/code" if who is visitor else "/me/sign-out"
            )
            answer = who.post(f"/me/numbers/{saved}/{verb}", data=token | {"label": "x"})
            if verb == "remove":
                assert answer.status_code == 303  # gone or never there: the same answer
            else:
                assert answer.status_code == status, (verb, status)
    kept = session.get(SavedNumber, (store.id, saved))
    assert kept is not None
    assert (kept.label, kept.is_default) == ("Work", False)


@pytest.mark.row("T16")
def test_a_wrong_code_an_old_page_and_a_sixth_number_keep_nothing(
    client: Shopper, session: Session
) -> None:
    prove(client, session)
    form = hidden_fields(client.get("/me").text, "/me/numbers")
    asked = client.post("/me/numbers", data=form | {"phone": OTHER, "label": "Work"})
    right = code_for(session, OTHER)
    verify = hidden_fields(asked.text, "/me/numbers/verify")
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    refused = client.post("/me/numbers/verify", data=verify | {"code": wrong})
    assert refused.status_code == 422
    assert "not the code" in refused.text
    forged = client.post(
        "/me/numbers/verify", data=verify | {"code": right, "pending": verify["pending"][:-2]}
    )
    assert forged.headers["Location"] == "/me"
    assert client.post("/me/numbers", data=form | {"phone": "0"}).status_code == 422
    assert session.scalar(select(SavedNumber.id)) is None

    for n in range(5):
        assert add(client, session, f"+25471200000{n}").status_code == 303
    assert "Add another number" not in client.get("/me").text
    session.rollback()
    form = hidden_fields(client.get("/me").text, "/me/sign-out")
    answer = client.post("/me/numbers", data=form | {"phone": OTHER, "label": "One more"})
    assert answer.status_code == 422
    assert "Remove one first" in answer.text
    assert len(session.scalars(select(SavedNumber.id)).all()) == 5


def test_the_sign_in_token_changes_with_every_proof(client: Shopper, session: Session) -> None:
    prove(client, session)
    before = client.get_cookie("__Host-shopper", domain=client.host)
    add(client, session)
    after = client.get_cookie("__Host-shopper", domain=client.host)
    assert before is not None
    assert after is not None
    assert before.value != after.value
    stolen = client.application.test_client()
    stolen.set_cookie("__Host-shopper", before.value, domain=client.host, secure=True)
    assert "M-Pesa numbers" not in stolen.get("/me", base_url=f"https://{client.host}:8000").text


# -- orders, and again ------------------------------------------------------------------


def link_of(session: Session, order: Order) -> str:
    return "/o/" + vault().open(order.token_sealed, store_id=order.store_id, column="orders.token")


@pytest.fixture
def bought(session: Session) -> tuple[Order, dict[str, Variant]]:
    """An order of four things."""
    from tests.builders import make_cart

    goods = {
        name: make_variant(session, name=name, sku=name.upper(), stock=9)
        for name in ("Tea", "Cup", "Tray", "Sugar")
    }
    order = make_order(session, make_cart(session, *goods.values(), quantity=3), phone=OWN)
    session.commit()
    return order, goods


@pytest.mark.row("T16")
def test_only_the_one_who_proved_the_phone_sees_its_orders(
    app: Flask, store: Store, client: Shopper, session: Session, bought: Any
) -> None:
    order, _goods = bought
    prove(client, session)
    other = shopper_of(app, store)
    prove(other, session, OTHER)

    assert order.code in client.get("/me").text
    assert order.code not in other.get("/me").text
    assert order.code not in shopper_of(app, store).get("/me").text


def test_buying_again_in_the_same_sale_says_nothing_of_a_price(
    client: Shopper, session: Session
) -> None:
    from tests.builders import make_cart, make_promotion

    tea = make_variant(session, name="Tea", sku="TEA", price_cents=1_000_00, stock=9)
    make_promotion(session, "sale", variants=[tea.id], percent=10)
    session.expire_all()
    order = make_order(session, make_cart(session, tea), phone=OWN)
    session.commit()
    assert order.lines[0].price_cents == 900_00
    prove(client, session)

    press(client, "/me", f"{link_of(session, order)}/again")

    page = client.get("/checkout").text.replace("\N{NO-BREAK SPACE}", " ")
    assert "KES 900" in page
    assert "it was" not in page


def test_buying_again_is_two_taps_and_says_what_changed(
    client: Shopper, session: Session, bought: Any
) -> None:
    order, goods = bought
    prove(client, session)
    # Cup costs more, of Tray there is less, Sugar is gone; the rest is as it was.
    goods["Cup"].price_cents = 500_00
    goods["Tray"].on_hand = goods["Tray"].reserved + 1
    session.get_one(Product, (order.store_id, goods["Sugar"].product_id)).status = "archived"
    session.commit()
    path = f"{link_of(session, order)}/again"

    first = press(client, "/me", path)
    assert first.headers["Location"] == "/checkout"
    page = client.get("/checkout").text
    assert "Cup costs KES 500 now, it was KES 450." in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "Tray: only 1 left, you had 3." in page
    assert "Sugar is not sold any more." in page
    assert "Tea" in page
    assert "Tea costs" not in page
    assert "costs" not in client.get("/checkout").text  # said once

    press(client, "/me", path)  # a second tap adds nothing more
    cart = client.get("/cart").text
    assert [int(n) for n in re.findall(r"<output[^>]*>(\d+)</output>", cart)] == [3, 3, 1]
    form = hidden_fields(client.get("/checkout").text, "/checkout") | PLACE
    assert client.post("/checkout", data=form).status_code == 303


def test_an_order_whose_goods_are_all_gone_says_so_in_the_cart(
    client: Shopper, session: Session, bought: Any
) -> None:
    order, goods = bought
    for variant in goods.values():
        variant.on_hand = variant.reserved
    session.commit()
    path = link_of(session, order)
    form = hidden_fields(client.get("/me").text, "/me/code")

    answer = client.post(f"{path}/again", data=form)

    assert answer.headers["Location"] == "/cart"
    page = client.get("/cart").text
    assert "Tea is sold out." in page
    assert "Your cart is empty" in page


def test_an_order_of_another_store_cannot_be_bought_again_here(
    app: Flask, theirs: Store, client: Shopper, session: Session, bought: Any
) -> None:
    order, _goods = bought
    there = shopper_of(app, theirs)
    form = hidden_fields(there.get("/me").text, "/me/code")

    assert there.post(f"{link_of(session, order)}/again", data=form).status_code == 404
    assert there.get_cookie("__Host-cart", domain=there.host) is None
