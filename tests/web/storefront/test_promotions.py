"""Codes, deals and sales as a shopper meets them: typed in plain forms, said in words."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import inside_store
from app.domain.catalog.actions import add_category
from app.domain.catalog.queries import product_page
from app.domain.customers.actions import find_or_add_customer, start_shopper_session
from app.domain.delivery.actions import serve_area
from app.domain.orders.models import Order
from app.domain.promotions.actions import add_group, add_member
from app.domain.seo.structured import product_data
from app.domain.stores.models import Store
from app.web.shopper import SHOPPER_COOKIE
from tests.builders import PHONE, make_promotion, make_variant
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import hidden_fields

HTMX = {"HX-Request": "true"}


def add(client: Shopper, session: Session, **facts: Any) -> None:
    """One packet of tea for KES 450 in the cart, and a fee of KES 250 to Kilimani."""
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    serve_area(session, "westlands", actor="test", fee_cents=300_00)
    make_variant(session, sku="TEA", price_cents=450_00, **facts)
    session.commit()
    client.post("/cart/lines", data={"sku": "TEA", "quantity": "2"})
    client.post("/deliver-to", data={"area": "kilimani", "next": "/cart"})


def words(html: str) -> str:
    """What is read, with plain spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ").split())


def order(client: Shopper, **facts: str) -> Any:
    page = client.get("/checkout")
    form = hidden_fields(page.text, "/checkout") | {
        "phone": "0712345678",
        "area": "kilimani",
        "landmark": "Blue gate",
        "pay": "mpesa",
        "code": "",
    }
    return client.post("/checkout", data=form | facts)


@pytest.mark.row("N29", "N62")
def test_a_code_is_typed_in_the_cart_shown_at_checkout_and_kept_on_the_order(
    client: Shopper, session: Session
) -> None:
    make_promotion(session)
    add(client, session)
    assert "Have a promotion code?" in client.get("/cart").text
    answer = client.post("/cart/code", data={"code": " kar-ibu "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")
    assert "Karibu −KES 90" in words(client.get("/cart").text)
    page = words(client.get("/checkout").text)
    assert "Karibu −KES 90" in page
    assert "Pay KES 1,060 with M-Pesa" in page
    assert order(client).status_code == 303
    made = session.scalars(select(Order)).one()
    assert (made.subtotal_cents, made.discount_cents, made.total_cents) == (900_00, 90_00, 1060_00)
    assert made.coupon_code == "KARIBU"
    [line] = made.lines
    assert line.discount_cents == 90_00
    assert line.trace["base_cents"] - line.trace["steps"][0]["cents"] == line.trace["final_cents"]
    assert "Karibu −KES 90" in words(client.get(f"/o/{_token(session, made)}").text)


def _token(session: Session, made: Order) -> str:
    from app.vault import vault

    return vault().open(made.token_sealed, store_id=made.store_id, column="orders.token")


NOW = utcnow()


@pytest.mark.row("N62")
@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"ends_at": NOW - timedelta(days=1)}, "This code ended on"),
        ({"starts_at": NOW + timedelta(days=3)}, "This code starts on"),
        ({"areas": ["westlands"]}, "Only for Westlands."),
        ({"minimum_cents": 1000_00}, "For goods from KES 1,000."),
        ({"is_active": False}, "This code is not in use now."),
        ({"budget_cents": 50_00}, "This code has been used up."),
    ],
)
def test_a_code_that_does_not_count_says_why(
    client: Shopper, session: Session, facts: dict[str, Any], said: str
) -> None:
    make_promotion(session, **facts)
    add(client, session)
    answer = client.post("/cart/code", data={"code": "KARIBU"}, headers=HTMX)
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert "KES 900" in words(answer.text)
    assert said in words(client.post("/cart/code", data={"code": "KARIBU"}).text)
    checkout = client.get("/checkout")
    form = hidden_fields(checkout.text, "/checkout") | {"area": "kilimani", "landmark": "Gate"}
    tried = client.post("/checkout/code", data=form | {"code": "KARIBU", "phone": "0712"})
    assert tried.status_code == 422
    assert said in words(tried.text)
    assert 'value="0712"' in tried.text  # nothing typed is lost


@pytest.mark.row("N29")
def test_a_code_of_another_store_is_as_unknown_as_any(
    app: Flask, client: Shopper, session: Session, theirs: Store
) -> None:
    make_promotion(session)
    session.commit()
    neighbour = shopper_of(app, theirs)
    with inside_store(theirs.id):
        from app.db.engine import db

        make_variant(db.session(), sku="TEA")
        db.session.commit()
        db.session.remove()
    neighbour.post("/cart/lines", data={"sku": "TEA"})
    theirs_page = neighbour.get("/cart").text
    assert "Have a promotion code?" not in theirs_page
    odd = neighbour.post("/cart/code", data={"code": "!?"}, headers=HTMX)
    assert (odd.status_code, "We do not know this code." in odd.text) == (422, True)
    known = neighbour.post("/cart/code", data={"code": "KARIBU"}, headers=HTMX)
    made_up = neighbour.post("/cart/code", data={"code": "NOSUCH"}, headers=HTMX)
    assert "We do not know this code." in known.text
    assert known.text.replace("KARIBU", "NOSUCH") == made_up.text


@pytest.mark.row("N29")
def test_guessing_codes_is_slowed_down(client: Shopper, session: Session) -> None:
    add(client, session)
    answers = [
        client.post("/cart/code", data={"code": f"GUESS{n}"}, headers=HTMX).status_code
        for n in range(31)
    ]
    assert answers[:30] == [422] * 30
    assert answers[30] == 429


@pytest.mark.row("N29")
def test_a_code_typed_and_not_used_is_not_lost_by_pressing_pay(
    client: Shopper, session: Session
) -> None:
    make_promotion(session)
    add(client, session)
    answer = order(client, code="karibu")
    assert answer.status_code == 200
    assert "Pay KES 1,060 with M-Pesa" in words(answer.text)
    assert session.scalars(select(Order)).all() == []


@pytest.mark.row("N62")
def test_a_code_is_for_a_first_order_and_once_a_phone(client: Shopper, session: Session) -> None:
    make_promotion(session, is_first_order=True)
    make_promotion(session, code="ONCE", per_phone=1)
    add(client, session)
    client.post("/cart/code", data={"code": "ONCE"})
    assert order(client, pay="mpesa").status_code == 303
    session.execute(text("UPDATE app.carts SET coupon_code = NULL"))
    # Another cart of the same phone, in another browser.
    session.execute(text("UPDATE app.orders SET cart_id = NULL"))
    session.commit()
    for code, said in (
        ("KARIBU", "Only for a first order."),
        ("ONCE", "This phone has used this code already."),
    ):
        client.post("/cart/code", data={"code": code})
        answer = order(client)
        assert answer.status_code == 422
        assert f"{said} We took the code off." in words(answer.text)
        assert "Pay KES 1,150 with M-Pesa" in words(answer.text)


@pytest.mark.row("N62")
def test_free_delivery_by_code(client: Shopper, session: Session) -> None:
    make_promotion(session, effect="free_delivery", percent=None)
    add(client, session)
    client.post("/cart/code", data={"code": "KARIBU"})
    assert order(client).status_code == 303
    made = session.scalars(select(Order)).one()
    assert (made.delivery_fee_cents, made.discount_cents, made.total_cents) == (0, 0, 900_00)
    given = session.execute(text("SELECT used, given_cents FROM app.promotions")).one()
    assert tuple(given) == (1, 250_00)


@pytest.mark.row("N58")
def test_a_timed_sale_is_public_and_its_price_is_the_price_charged(
    client: Shopper, session: Session, store: Store
) -> None:
    shelf = add_category(session, "Tea")
    session.flush()
    shelf_id = shelf.id
    make_promotion(
        session,
        "sale",
        name="Tea week",
        percent=20,
        starts_at=NOW - timedelta(days=1),
        ends_at=NOW + timedelta(days=1),
    )
    add(client, session, category=shelf)
    # The tea came after the sale was saved: saving it again takes the tea in.
    assert "KES 450" in words(client.get("/c/tea").text)
    sale = make_promotion(session, "sale", name="Tea week 2", percent=20, categories=[shelf_id])
    sale_id = sale.id
    session.commit()
    category = words(client.get("/c/tea").text)
    assert "KES 360" in category
    assert "KES 450" in category  # crossed out
    link = re.search(r'href="/p/([^"]+)"', client.get("/c/tea").text)
    assert link is not None
    product = words(client.get(f"/p/{link[1]}").text)
    assert "KES 360 KES 450" in product
    offer = product_data(store, product_page(session, link[1]), url="/", image_urls=[])["offers"]
    assert offer["price"] == "360.00"
    assert "Tea week 2: KES 180 less" in words(client.get("/cart").text)
    shown = client.get("/checkout")
    form = hidden_fields(shown.text, "/checkout")
    assert form["shown_total_cents"] == str(720_00 + 250_00)
    # The sale ends while the page is open: the new price is said before any prompt.
    session.execute(
        text(
            "UPDATE app.variants SET sale_ends_at = now() - interval '1 second' WHERE sale_id = :id"
        ),
        {"id": sale_id},
    )
    session.commit()
    late = client.post(
        "/checkout",
        data=form | {"phone": "0712345678", "area": "kilimani", "landmark": "Gate", "code": ""},
    )
    assert late.status_code == 422
    assert "The total is now KES 1,150. You were shown KES 970." in words(late.text)
    assert session.scalars(select(Order)).all() == []
    assert "KES 360" not in words(client.get("/c/tea").text)


@pytest.mark.row("N58")
def test_a_groups_price_shows_only_after_the_phone_was_proved(
    client: Shopper, session: Session
) -> None:
    group = add_group(session, "Resellers", actor="Wanjiku")
    add_member(session, group, PHONE, actor="Wanjiku")
    make_promotion(session, "group", name="Resellers", percent=30, group_id=group.id)
    add(client, session)
    assert "KES 900" in words(client.get("/cart").text)
    assert order(client, phone="0712345678").status_code == 303  # typing a number proves nothing
    typed = session.scalars(select(Order)).one()
    assert typed.discount_cents == 0
    assert typed.total_cents == 1150_00
    customer = find_or_add_customer(session, phone=PHONE, area="kilimani", landmark="Gate")
    token = start_shopper_session(session, customer)
    session.execute(text("UPDATE app.orders SET cart_id = NULL"))
    session.commit()
    client.set_cookie(SHOPPER_COOKIE, token, domain=client.host)
    assert "Resellers: KES 270 less" in words(client.get("/cart").text)
    assert "KES 450" in words(client.get("/search?q=tea").text)  # public pages stay everybody's
    assert order(client, phone="").status_code == 303
    proved = session.scalars(select(Order).order_by(Order.placed_at.desc())).first()
    assert proved is not None
    assert proved.subtotal_cents == 630_00


@pytest.mark.row("N2")
def test_mpesa_is_the_first_way_to_pay_and_the_one_that_enter_presses(
    client: Shopper, session: Session, store: Store
) -> None:
    session.execute(
        text("UPDATE app.stores SET accepts_pay_on_delivery = true, whatsapp = '+254700000001'")
    )
    add(client, session)
    page = client.get("/checkout").text
    ways = re.findall(r'<button[^>]*name="pay" value="([^"]+)"', page)
    assert ways == ["mpesa", "on_delivery", "mpesa"]  # for Enter, the second way, the big button
    first = re.search(r"<button[^>]*>", page[page.index('id="checkout"') :])
    assert first is not None
    assert 'value="mpesa"' in first[0]
    code = session.execute(text("SELECT code FROM app.carts")).scalar_one()
    assert re.search(rf"wa\.me/254700000001\?text=[^\"]*{code}", page)
    cart = client.get("/cart").text
    assert re.search(rf"wa\.me/254700000001\?text=[^\"]*{code}[^\"]*cart/with/{code}", cart)
