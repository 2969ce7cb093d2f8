"""How often one may ask: what a phone costs is counted in Postgres, the rest in Redis, loosely."""

from __future__ import annotations

import contextvars
import html
import re
import secrets
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.domain.orders.models import Order
from app.domain.payments.locking import lock_payment
from app.domain.payments.models import PaymentAttempt
from app.domain.payments.sending import fail
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_token
from app.vault import vault
from app.web.shopper import CART_COOKIE
from tests.builders import attempt_of, make_cart, make_order, make_variant
from tests.conftest import Database
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import Shop, World, hidden_fields, wait_for
from tests.world import Shopper as Buyer

Later = Callable[[int], None]


@pytest.fixture
def client(app: Flask, store: Store) -> Shopper:
    """A shopper in our store."""
    return shopper_of(app, store)


@pytest.fixture
def later(database: Database, store: Store) -> Iterator[Later]:
    """Let time pass for what is counted: move this store's counters and attempts into the past."""
    with psycopg.connect(database.superuser, autocommit=True) as connection:

        def pass_by(seconds: int) -> None:
            for table, column in (("rate_counters", "at"), ("payment_attempts", "created_at")):
                connection.execute(
                    f"UPDATE app.{table} SET {column} = {column} - make_interval(secs => %s)"
                    " WHERE store_id = %s",
                    (seconds, store.id),
                )

        yield pass_by


def says_when(answer: TestResponse, *, at_most: int) -> bool:
    """429, with seconds for a machine and the same in words for a person."""
    wait = int(answer.headers["Retry-After"])
    words = re.search(r"Please try again in (\d+) min", html.unescape(answer.text))
    return (
        answer.status_code == 429
        and 1 <= wait <= at_most
        and words is not None
        and int(words[1]) == -(-wait // 60)
    )


def ask_for_code(client: Shopper, phone: str) -> TestResponse:
    """Ask for a code, from an address of its own, as a form of the page."""
    page = client.get("/me").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    address = ".".join(["127", *(str(secrets.randbelow(250) + 1) for _ in range(3))])
    return client.post(
        "/me/code",
        data={"csrf_token": token[1], "phone": phone},
        environ_overrides={"REMOTE_ADDR": address},
    )


@pytest.mark.row("N88", "T53")
def test_codes_go_to_a_phone_a_minute_apart_and_three_times_in_a_quarter_hour(
    client: Shopper, session: Session, later: Later
) -> None:
    assert ask_for_code(client, "0712 345 678").status_code == 200
    # The same number, however it is written and wherever it is asked from.
    for written in ("0712 345 678", "+254712345678", "254712345678"):
        assert says_when(ask_for_code(client, written), at_most=60)
    assert ask_for_code(client, "0722 345 678").status_code == 200

    for _ in range(2):
        later(61)
        assert ask_for_code(client, "0712 345 678").status_code == 200
    later(61)
    fourth = ask_for_code(client, "0712 345 678")
    assert says_when(fourth, at_most=15 * 60)
    assert int(fourth.headers["Retry-After"]) > 10 * 60
    later(int(fourth.headers["Retry-After"]))
    assert ask_for_code(client, "0712 345 678").status_code == 200


@pytest.mark.row("N88")
def test_a_refused_code_is_not_sent_and_does_not_lengthen_the_wait(
    client: Shopper, session: Session, database: Database, store: Store
) -> None:
    ask_for_code(client, "0712 345 678")
    first = int(ask_for_code(client, "0712 345 678").headers["Retry-After"])
    for _ in range(5):
        assert ask_for_code(client, "0712 345 678").status_code == 429
    assert int(ask_for_code(client, "0712 345 678").headers["Retry-After"]) <= first
    with psycopg.connect(database.superuser) as connection:
        sent = connection.execute(
            "SELECT count(*) FROM app.messages WHERE store_id = %s AND kind = 'otp'", (store.id,)
        ).fetchone()
    assert sent == (1,)


def place(client: Shopper, phone: str) -> TestResponse:
    """Order a lamp by M-Pesa from this phone, with a new cart: one cart has one open order."""
    client.delete_cookie(CART_COOKIE, domain=client.host)
    client.post("/cart/lines", data={"sku": "LAMP"})
    page = client.get("/checkout").text
    fields = hidden_fields(page, "/checkout") | {
        "phone": phone,
        "area": "kilimani",
        "landmark": "Blue gate",
    }
    return client.post("/checkout", data=fields)


@pytest.mark.row("N88", "T4")
def test_a_fourth_prompt_to_a_phone_waits_and_orders_nothing(
    client: Shopper, session: Session, later: Later
) -> None:
    make_variant(session, name="Desk lamp", sku="LAMP", stock=50)
    make_order(session)  # serves the area
    session.commit()
    placed = select(func.count()).select_from(Order)
    for written in ("0711 222 333", "+254711222333", "254711222333"):
        assert place(client, written).status_code == 303
    before = session.scalar(placed)
    session.rollback()

    fourth = place(client, "0711 222 333")

    assert says_when(fourth, at_most=600)
    assert session.scalar(placed) == before
    session.rollback()
    # Nothing was lost: the cart is still there, and another phone may pay at once.
    assert "Desk lamp" in client.get("/cart").text
    session.rollback()
    assert place(client, "0711 222 334").status_code == 303
    later(int(fourth.headers["Retry-After"]) + 1)
    assert place(client, "0711 222 333").status_code == 303


@pytest.mark.row("N88", "T4")
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_fourth_prompt_from_the_order_page_says_when(
    client: Shopper, session: Session, headers: dict[str, str]
) -> None:
    order = make_order(session, make_cart(session))
    session.commit()
    for _ in range(2):
        end(session, order)
        assert tap_pay(client, session, order, headers).status_code in (200, 303)
    end(session, order)

    answer = tap_pay(client, session, order, headers)

    assert says_when(answer, at_most=600)
    session.rollback()
    attempts = select(func.count()).where(PaymentAttempt.order_id == order.id)
    assert session.scalar(attempts) == 3
    # A friend's number is another phone.
    friend = tap_pay(client, session, order, headers, phone="0733 444 555")
    assert friend.status_code in (200, 303)


def end(session: Session, order: Order) -> None:
    """The newest prompt was cancelled on the phone."""
    session.rollback()
    payment = lock_payment(session, attempt_of(session, order).id)
    payment.attempt.move_to(AttemptStatus.SENDING)
    session.flush()
    fail(session, payment, code="1032", text="Request cancelled by user")
    session.commit()


def tap_pay(
    client: Shopper, session: Session, order: Order, headers: dict[str, str], **fields: str
) -> TestResponse:
    """Tap "Pay" on the order's page, as its form does."""
    token = vault().open(order.token_sealed, store_id=order.store_id, column="orders.token")
    session.rollback()
    page = client.get(f"/o/{token}").text
    data = hidden_fields(page, f"/o/{token}/pay") | fields
    return client.post(f"/o/{token}/pay", data=data, headers=headers)


@pytest.mark.row("N88", "T53")
def test_callbacks_are_never_too_many(app: Flask, session: Session) -> None:
    """A provider that repeats itself is heard each time: 200 from one address in a row."""
    order = make_order(session)
    attempt = attempt_of(session, order)
    token = vault().open(
        attempt.token_sealed, store_id=order.store_id, column="payment_attempts.token"
    )
    session.commit()
    client = app.test_client(use_cookies=False)

    def post() -> int:
        answer = client.post(
            f"/hooks/pay/{token}", json={"Body": {}}, base_url="https://localhost:8000"
        )
        return answer.status_code

    assert {contextvars.Context().run(post) for _ in range(200)} == {200}


@pytest.mark.row("T4", "T53")
def test_one_address_that_searches_without_end_is_told_when_to_come_back(
    client: Shopper, session: Session
) -> None:
    answers = [client.get("/search?q=tea") for _ in range(121)]

    assert {answer.status_code for answer in answers[:120]} == {200}
    assert answers[120].status_code == 429
    assert 1 <= int(answers[120].headers["Retry-After"]) <= 60
    assert "Too many requests. Please wait a minute and try again." in answers[120].text
    # Looking around is not what the limit is about.
    assert client.get("/").status_code == 200


@pytest.fixture
def shop_without_redis(world: World) -> Iterator[Shop]:
    """A shop of the running product whose Valkey is stopped for the length of a test."""
    shop = world.open_shop()
    world.stack.stop_valkey()
    yield shop
    world.stack.start_valkey()
    wait_for(
        "everything runs again",
        lambda: (
            world.stack.tick() is None and world.shopper(shop).get("/readyz").status_code == 200
        ),
        seconds=40,
    )


@pytest.mark.row("N88", "T53")
def test_without_redis_the_costly_limits_hold_and_browsing_stays_open(
    world: World, shop_without_redis: Shop
) -> None:
    shop = shop_without_redis
    shopper = world.shopper(shop)
    assert shopper.get("/readyz").status_code == 503
    for path in ("/", f"/p/{shop.variants[0]['slug']}", "/search?q=tea", "/cart", "/areas"):
        assert shopper.get(path).status_code == 200, path
    # More searches than Redis would allow: open, because looking is not worth closing the shop for.
    assert {shopper.get("/search?q=tea").status_code for _ in range(125)} == {200}

    # The same phone in four browsers: one cart has one open order.
    browsers = [world.shopper(shop) for _ in range(4)]
    statuses = [order(browser, shopper.phone) for browser in browsers]
    assert statuses[:3] == [(303, None)] * 3
    assert statuses[3][0] == 429
    assert 1 <= int(statuses[3][1] or 0) <= 600

    first, second = (send_code(shopper) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert 1 <= int(second.headers["Retry-After"]) <= 60

    wrong = [try_password(world, shop) for _ in range(11)]
    assert set(wrong[:10]) == {422}
    assert wrong[10] == 429


def order(browser: Buyer, phone: str) -> tuple[int, str | None]:
    """Order one thing for this phone: the status and when to try again."""
    browser.phone = phone
    browser.add()
    answer = browser.post("/checkout", browser.checkout_form())
    return answer.status_code, answer.headers.get("Retry-After")


def send_code(browser: Buyer) -> httpx.Response:
    page = browser.get("/me").text
    fields = hidden_fields(page, "/me/code") | {"phone": "0712345678"}
    return browser.post("/me/code", fields)


def try_password(world: World, shop: Shop) -> int:
    """A wrong password for the owner, each time from a new address."""
    desk = world.shopper(shop)
    host = {"Host": f"localhost:{world.stack.port}"}
    page = desk.get("/sign-in?way=password", headers=host).text
    fields = hidden_fields(page, "/sign-in/password") | {
        "email": shop.people["owner"]["email"],
        "password": new_token(),
    }
    return int(desk.post("/sign-in/password", fields, headers=host).status_code)
