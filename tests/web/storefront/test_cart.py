from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.cart.models import Cart
from app.domain.delivery.actions import serve_area
from app.domain.stores.models import Store
from app.web.shopper import CART_COOKIE
from tests.builders import make_variant
from tests.web.storefront.conftest import Shopper, shopper_of

HTMX = {"HX-Request": "true"}


def test_adding_without_javascript_leads_to_the_cart(client: Shopper, session: Session) -> None:
    make_variant(session, sku="TEA", name="Kericho tea, 500 g", price_cents=450_00)
    session.commit()
    answer = client.post("/cart/lines", data={"sku": "TEA"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")
    page = client.get("/cart").text
    assert "Kericho tea, 500 g" in page
    assert "Order on WhatsApp" not in page  # this shop has no WhatsApp


@pytest.mark.row("N43")
def test_adding_is_one_small_answer_with_the_new_count(client: Shopper, session: Session) -> None:
    make_variant(session, sku="TEA", price_cents=450_00)
    session.commit()
    answer = client.post("/cart/lines", data={"sku": "TEA"}, headers=HTMX)
    assert answer.status_code == 200
    assert len(answer.data) < 2048
    assert "Added" in answer.text
    assert re.search(r'<div hx-swap-oob="innerHTML:.bag-n"><span[^>]*>1<', answer.text)
    assert client.get("/cart/count").text.startswith("<div hx-swap-oob=")
    assert "450" in client.get("/cart/bar").text


@pytest.mark.row("N44")
@pytest.mark.parametrize("spoil", ["{}x", "x{}", "", "a.b.c", "%00"])
def test_a_spoiled_cart_cookie_is_an_empty_cart(
    client: Shopper, session: Session, spoil: str
) -> None:
    make_variant(session, sku="TEA")
    session.commit()
    client.post("/cart/lines", data={"sku": "TEA"})
    cookie = client.get_cookie(CART_COOKIE, domain=client.host)
    assert cookie is not None
    assert cookie.secure
    assert cookie.http_only
    client.set_cookie(CART_COOKIE, spoil.format(cookie.value), domain=client.host)
    assert client.get("/cart").status_code == 200
    assert "Your cart is empty" in client.get("/cart").text
    assert client.post("/cart/lines", data={"sku": "TEA"}).status_code == 303
    assert "Kericho tea" in client.get("/cart").text


@pytest.mark.row("N44")
def test_a_cart_cookie_of_another_store_opens_nothing(
    app: Flask, client: Shopper, session: Session, theirs: Store
) -> None:
    make_variant(session, sku="TEA")
    session.commit()
    client.post("/cart/lines", data={"sku": "TEA"})
    mine = client.get_cookie(CART_COOKIE, domain=client.host)
    assert mine is not None
    neighbour = shopper_of(app, theirs)
    neighbour.set_cookie(CART_COOKIE, mine.value, domain=neighbour.host)
    assert "Your cart is empty" in neighbour.get("/cart").text


def test_steppers_change_the_line_and_can_be_undone(client: Shopper, session: Session) -> None:
    make_variant(session, sku="TEA", price_cents=450_00, stock=3)
    session.commit()
    client.post("/cart/lines", data={"sku": "TEA"})
    action = re.search(r'action="(/cart/lines/[^"]+)"', client.get("/cart").text)
    assert action is not None
    more = client.post(action[1], data={"quantity": "9"}, headers=HTMX)
    assert "We have only 3 of it" in more.text
    assert "1,350" in more.text
    gone = client.post(action[1], data={"quantity": "0"}, headers=HTMX)
    assert "Put it back" in gone.text
    assert "Your cart is empty" in gone.text
    again = client.post(
        "/cart/lines", data={"sku": "TEA", "quantity": "3", "panel": "1"}, headers=HTMX
    )
    assert "1,350" in again.text


def test_what_is_sold_out_is_explained_where_the_shopper_looks(
    client: Shopper, session: Session
) -> None:
    make_variant(session, sku="TEA", stock=0)
    session.commit()
    answer = client.post("/cart/lines", data={"sku": "TEA"}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#notices"
    assert "sold out" in answer.text


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/cart/lines", {"sku": "no-such"}, 404),
        ("/cart/lines", {}, 404),
        ("/cart/lines", {"sku": "TEA", "quantity": "many"}, 303),
        ("/cart/lines/01890000-0000-7000-8000-000000000000", {"quantity": "1"}, 404),
        ("/cart/lines/not-an-id", {"quantity": "1"}, 404),
    ],
)
def test_bad_input_gets_a_clear_answer(
    client: Shopper, session: Session, path: str, data: dict[str, str], status: int
) -> None:
    make_variant(session, sku="TEA")
    session.commit()
    assert client.post(path, data=data).status_code == status


@pytest.mark.row("N26")
def test_the_cart_shows_the_fee_of_the_chosen_area(client: Shopper, session: Session) -> None:
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    make_variant(session, sku="TEA", price_cents=450_00)
    session.commit()
    client.post("/cart/lines", data={"sku": "TEA"})
    assert "Choose your area" in client.get("/cart").text
    answer = client.post("/deliver-to", data={"area": "kilimani", "next": "/cart"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")
    page = client.get("/cart").text
    assert "Delivery to Kilimani" in page
    assert "700" in page


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil", "x"])
def test_choosing_an_area_never_leads_out_of_the_shop(
    client: Shopper, session: Session, elsewhere: str
) -> None:
    serve_area(session, "kilimani", actor="test")
    session.commit()
    answer = client.post("/deliver-to", data={"area": "kilimani", "next": elsewhere})
    assert answer.headers["Location"] == "/"


@pytest.mark.row("W32", "N30")
def test_the_chat_link_opens_the_cart_on_another_phone(
    app: Flask, store: Store, client: Shopper, session: Session
) -> None:
    tea = make_variant(session, name="Kericho tea, 500 g", stock=5)
    sku = tea.sku
    session.commit()
    client.post("/cart/lines", data={"sku": sku, "quantity": "2"})
    path = f"/cart/with/{_newest_code(session)}"

    other = shopper_of(app, store)
    offered = other.get(path)
    taken = other.post(path)

    assert "Kericho tea, 500 g" in offered.text
    assert "__Host-cart" not in offered.headers.get("Set-Cookie", "")
    assert taken.status_code == 303
    assert "Kericho tea, 500 g" in other.get("/cart").text
    assert "Kericho tea, 500 g" in client.get("/cart").text


def test_a_cart_code_of_another_store_opens_nothing(
    app: Flask, store: Store, theirs: Store, client: Shopper, session: Session
) -> None:
    sku = make_variant(session).sku
    session.commit()
    client.post("/cart/lines", data={"sku": sku})
    code = _newest_code(session)

    assert shopper_of(app, theirs).get(f"/cart/with/{code}").status_code == 404
    assert client.get("/cart/with/ZZZZZZ").status_code == 404


def _newest_code(session: Session) -> str:
    code = session.scalars(select(Cart.code).order_by(Cart.created_at.desc()).limit(1)).one()
    session.commit()
    return code
