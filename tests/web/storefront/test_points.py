"""Buying with points, as a shopper does it: a tick, an exact total, and the points on their own page."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.catalog.actions import touch_content
from app.domain.customers.actions import find_or_add_customer, start_shopper_session
from app.domain.delivery.actions import serve_area
from app.domain.loyalty.actions import spend
from app.domain.loyalty.models import PointMove
from app.domain.loyalty.queries import balance_of
from app.domain.orders.actions import mark_delivered, mark_dispatched, mark_packed
from app.domain.orders.models import Order
from app.domain.stores.models import Store
from app.web.shopper import CART_COOKIE, SHOPPER_COOKIE
from tests.builders import PHONE, make_order, make_variant
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.web.storefront.test_promotions import HTMX, words
from tests.world import hidden_fields

TICK = "Use 120 points: KES 120 less"


@pytest.fixture
def achieng(client: Shopper, session: Session, store: Store) -> UUID:
    """A customer with 120 points who proved her phone in this browser, and two packets of tea."""
    session.get_one(Store, store.id).gives_points = True
    touch_content(session)
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    make_variant(session, sku="TEA", price_cents=450_00)
    customer = find_or_add_customer(session, phone=PHONE, name="Achieng")
    session.add(PointMove(customer_id=customer.id, points=120, reason="earned"))
    session.flush()
    token, customer_id = start_shopper_session(session, customer), customer.id
    session.commit()
    client.set_cookie(SHOPPER_COOKIE, token, domain=client.host, secure=True)
    fill(client)
    return customer_id


def fill(client: Shopper) -> None:
    client.post("/cart/lines", data={"sku": "TEA", "quantity": "2"})
    client.post("/deliver-to", data={"area": "kilimani", "next": "/cart"})


def form_of(page: str, **facts: str) -> dict[str, str]:
    typed = {"area": "kilimani", "landmark": "Blue gate", "pay": "mpesa", "code": ""}
    return hidden_fields(page, "/checkout") | typed | facts


def orders(session: Session) -> list[Order]:
    session.rollback()
    return list(session.scalars(select(Order).order_by(Order.placed_at)))


@pytest.mark.row("W38")
def test_a_tick_takes_the_points_off_the_total_that_is_paid(
    client: Shopper, session: Session, achieng: UUID
) -> None:
    page = client.get("/checkout").text
    assert TICK in words(page)
    assert "Pay KES 1,150 with M-Pesa" in words(page)
    ticked = client.post("/checkout/summary", data=form_of(page, use_points="yes"), headers=HTMX)
    assert re.search(r"name=\"use_points\" value=\"yes\" checked", ticked.text)
    assert "Points −KES 120" in words(ticked.text)
    assert "Pay KES 1,030 with M-Pesa" in words(ticked.text)

    form = form_of(page, use_points="yes", shown_total_cents="103000")
    placed = client.post("/checkout", data=form)
    again = client.post("/checkout", data=form)

    assert placed.status_code == 303
    assert again.headers["Location"] == placed.headers["Location"]
    [order] = orders(session)
    assert (order.discount_cents, order.total_cents) == (120_00, 1030_00)
    assert order.customer_id == achieng
    [line] = order.lines
    assert [(step["kind"], step["cents"]) for step in line.steps] == [("points", 120_00)]
    assert line.trace["final_cents"] == 780_00
    assert balance_of(session, achieng) == 0
    shown = words(client.get(placed.headers["Location"]).text)
    assert "Points −KES 120" in shown
    assert "KES 1,030" in shown
    mine = words(client.get("/me").text)
    assert "0 points" in mine
    assert f"Used for order {order.code}" in mine
    assert client.post("/checkout", data=form | {"use_points": ""}).status_code == 409


@pytest.mark.row("W38")
def test_what_is_delivered_is_earned_and_said_on_both_pages(
    client: Shopper, session: Session, achieng: UUID
) -> None:
    page = client.get("/checkout").text
    form = form_of(page, pay="on_delivery", use_points="yes", shown_total_cents="103000")
    path = client.post("/checkout", data=form).headers["Location"]
    [order] = orders(session)
    mark_packed(session, order, actor="Wanjiku")
    mark_dispatched(session, order, actor="Wanjiku")
    mark_delivered(session, order, actor="Kamau")
    session.commit()

    assert "You earned 7 points" in words(client.get(path).text)
    mine = words(client.get("/me").text)
    assert "7 points · KES 7 less at checkout" in mine
    assert re.search(rf"Order {order.code} delivered .* \+7", mine)


def test_a_tick_that_the_total_did_not_show_yet_is_asked_about_first(
    client: Shopper, session: Session, achieng: UUID
) -> None:
    """Without JavaScript the tick and the button of the old total are pressed together."""
    page = client.get("/checkout").text
    answer = client.post("/checkout", data=form_of(page, use_points="yes"))
    assert answer.status_code == 422
    assert "Pay KES 1,030 with M-Pesa" in words(answer.text)
    assert orders(session) == []
    assert client.post("/checkout", data=form_of(answer.text, use_points="yes")).status_code == 303


@pytest.mark.row("W38")
def test_points_spent_in_another_tab_are_said_and_nothing_is_ordered(
    client: Shopper, session: Session, achieng: UUID
) -> None:
    page = client.get("/checkout").text
    elsewhere = make_order(session, phone=PHONE, fee_cents=250_00)
    other_id = elsewhere.id
    spend(session, achieng, other_id, 120, actor="test")
    session.commit()
    form = form_of(page, use_points="yes", shown_total_cents="103000")
    answer = client.post("/checkout", data=form)
    assert answer.status_code == 422
    assert "The points for this order are not there any more." in words(answer.text)
    assert "points:" not in words(answer.text)
    assert "Pay KES 1,150 with M-Pesa" in words(answer.text)
    assert [order.id for order in orders(session)] == [other_id]


def test_a_landmark_that_is_missing_loses_no_points(
    client: Shopper, session: Session, achieng: UUID
) -> None:
    page = client.get("/checkout").text
    form = form_of(page, use_points="yes", shown_total_cents="103000", landmark="")
    answer = client.post("/checkout", data=form)
    assert answer.status_code == 422
    assert "Tell the rider a landmark" in words(answer.text)
    assert "Pay KES 1,030 with M-Pesa" in words(answer.text)
    assert client.post("/checkout", data=form_of(answer.text, use_points="yes")).status_code == 303


def test_nobody_else_is_offered_points(
    app: Flask, client: Shopper, session: Session, store: Store, achieng: UUID
) -> None:
    stranger = shopper_of(app, store)
    fill(stranger)
    for page in (stranger.get("/checkout"), client.get("/checkout?change=1")):
        assert "points" not in words(page.text)
    page = stranger.get("/checkout").text
    typed = form_of(page, phone="0712345678", use_points="yes")
    refused = stranger.post("/checkout", data=typed)
    assert refused.status_code == 422
    changed = client.get("/checkout?change=1").text
    area = client.post("/checkout/summary", data=form_of(changed, phone=""), headers=HTMX)
    assert "points" not in words(area.text)


def test_a_shop_that_stopped_takes_none_and_says_nothing_of_them(
    client: Shopper, session: Session, store: Store, achieng: UUID
) -> None:
    session.get_one(Store, store.id).gives_points = False
    touch_content(session)
    session.commit()
    assert "points" not in words(client.get("/me").text)
    now = client.get("/checkout").text
    assert "points" not in words(now)
    form = form_of(now, use_points="yes", shown_total_cents="103000")
    assert client.post("/checkout", data=form).status_code == 422
    assert orders(session) == []


def test_another_number_pays_without_points(
    client: Shopper, session: Session, achieng: UUID
) -> None:
    page = client.get("/checkout").text
    form: dict[str, Any] = form_of(page, use_points="yes", phone="0700000002")
    assert client.post("/checkout", data=form).status_code == 422
    assert balance_of(session, achieng) == 120


@pytest.mark.browser
@pytest.mark.row("W38")
def test_the_tick_changes_the_total_at_once_and_from_the_keyboard(
    chromium: Browser, client: Shopper, store: Store, achieng: UUID, port: int
) -> None:
    at = f"http://{store.slug}.localhost:{port}"
    context = chromium.new_context(viewport={"width": 360, "height": 640}, locale="en-KE")
    held = [client.get_cookie(name, domain=client.host) for name in (SHOPPER_COOKIE, CART_COOKIE)]
    safe = f"https://{store.slug}.localhost/"
    context.add_cookies([{"name": one.key, "value": one.value, "url": safe} for one in held if one])
    page = context.new_page()
    page.goto(f"{at}/checkout")
    page.get_by_label("Delivery area").select_option("kilimani")
    pay = page.locator("#pay")
    expect(pay).to_have_text(re.compile("1,150"))

    page.get_by_label(re.compile("Use 120 points")).focus()
    page.keyboard.press("Space")
    expect(pay).to_have_text(re.compile("1,030"))
    expect(page.locator("#checkout-summary")).to_contain_text("Points")
    expect(page.locator("#use-points")).to_be_focused()
    page.keyboard.press("Space")
    expect(pay).to_have_text(re.compile("1,150"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
