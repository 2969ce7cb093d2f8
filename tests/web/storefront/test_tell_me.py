"""Choices without a script, and a number left for what is sold out."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import inside_store
from app.domain.catalog.actions import NewPicture, NewVariant
from app.domain.catalog.models import StockWait
from app.domain.media.pictures import StoredPicture
from app.domain.stores.models import Store
from tests.builders import make_product
from tests.web.backoffice.conftest import HTMX, Desk, platform_client
from tests.web.storefront.conftest import Shopper, shopper_of

PAGE = "/p/shirt"
TELL = "/p/shirt/tell-me"


@pytest.fixture
def shirt(session: Session) -> list[str]:
    """Three of four ways to buy it, one of them sold out; a photo for each colour. Their ids."""

    def photo(letter: str, colour: str) -> NewPicture:
        stored = StoredPicture(
            media_key=letter * 32,
            width=800,
            height=800,
            tint=1,
            files={"webp": {"320": 9_000, "640": 20_000}},
        )
        return NewPicture(stored=stored, option_value=colour)

    product = make_product(
        session, name="Shirt", options=["Colour", "Size"],
        pictures=[photo("a", "White"), photo("b", "Sand")],
        variants=[
            NewVariant(sku=f"{c}-{z}", price_cents=p, options=[c, z], stock=n)
            for c, z, p, n in (("White", "M", 900_00, 4), ("White", "L", 950_00, 0), ("Sand", "M", 990_00, 2))
        ],
    )  # fmt: skip
    ids = [str(variant.id) for variant in product.variants]
    session.commit()
    return ids


@pytest.mark.row("N39")
def test_choices_are_radios_with_the_right_price_and_photo_without_a_script(
    client: Shopper, shirt: list[str]
) -> None:
    page = client.get(PAGE, query_string={"option-0": "Sand", "option-1": "M"}).text

    radios = re.findall(r'<input type="radio" name="(option-\d)" value="([^"]+)"( checked)?', page)
    assert radios == [
        ("option-0", "White", ""), ("option-0", "Sand", " checked"),
        ("option-1", "M", " checked"), ("option-1", "L", ""),
    ]  # fmt: skip
    assert re.search(r'id="price">.*?990<', page, re.S)
    shots = re.findall(r'id="shot-\d+">.*?/media/(\w)', page, re.S)
    assert shots[0] == "b", "the photo of the chosen colour is the first"
    assert 'formaction="/p/shirt"' in page
    sold_out = client.get(PAGE, query_string={"option-0": "White", "option-1": "L"}).text
    assert re.search(r'class="(?:vchip|tile) out"><input[^>]*value="L" checked', sold_out)
    assert re.search(r"<details[^>]*id=\"tell-me\" open", sold_out)


@pytest.mark.row("N39")
def test_a_number_is_kept_once_for_a_thing_and_shown_to_staff(
    app: Flask,
    session: Session,
    store: Store,
    client: Shopper,
    shirt: list[str],
    sign_in_owner: Desk,
) -> None:
    page = client.get(PAGE).text
    form = re.search(r'<form id="tell" method="post" action="([^"]+)"', page)
    sku = re.search(r'name="sku" value="([^"]+)" form="tell"', page)
    assert form is not None
    assert sku is not None
    assert (form[1], sku[1]) == (TELL, "White-L")

    for typed in ("0712 345 678", "+254712345678", "0722 000 111"):
        answer = client.post(form[1], data={"sku": sku[1], "phone": typed})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/p/shirt/told")
    assert "We will tell you when it is back." in client.get("/p/shirt/told").text

    with app.app_context(), inside_store(store.id):
        waits = session.scalars(select(StockWait).order_by(StockWait.asked_at)).all()
        assert [w.phone for w in waits] == ["+254712345678", "+254722000111"]
        assert {str(w.variant_id) for w in waits} == {shirt[1]}
        assert b"712345678" not in waits[0].phone_sealed
    desk = sign_in_owner.read(f"/dash/<store>/stock/variants/{shirt[1]}")
    assert "2 people wait for it" in desk
    assert "678" in desk
    assert "0712 345 678" not in desk
    assert "712345678" not in desk


@pytest.mark.parametrize("typed", ["", "0812", "0712 345 67x", "020 2345678"])
def test_a_number_that_is_none_is_asked_for_again_with_what_was_typed(
    session: Session, client: Shopper, shirt: list[str], typed: str
) -> None:
    for headers in ({}, HTMX):
        answer = client.post(TELL, data={"sku": "White-L", "phone": typed}, headers=headers)
        assert answer.status_code == 422
        assert f'value="{typed}"' in answer.text
        assert 'id="tell-wrong"' in answer.text
        assert ("<html" in answer.text) == (not headers)
    assert client.post(TELL, data={"sku": "none", "phone": "0712345678"}).status_code == 404


def test_one_number_cannot_be_used_to_fill_the_list(
    app: Flask, session: Session, store: Store, shirt: list[str]
) -> None:
    answers = [
        shopper_of(app, store)
        .post(TELL, data={"sku": "White-L", "phone": "0733 111 222"})
        .status_code
        for _ in range(11)
    ]

    assert answers == [303] * 10 + [429]


def test_the_form_takes_nothing_from_another_site(
    session: Session, client: Shopper, shirt: list[str]
) -> None:
    answer = client.post(
        TELL,
        data={"sku": "White-L", "phone": "0712345678"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert answer.status_code == 403


def test_another_shop_knows_nothing_of_it(
    app: Flask, store: Store, theirs: Store, client: Shopper, shirt: list[str], session: Session
) -> None:
    client.post(TELL, data={"sku": "White-L", "phone": "0712345678"})

    assert shopper_of(app, theirs).post(TELL, data={"sku": "White-L"}).status_code == 404
    with app.app_context(), inside_store(theirs.id):
        from app.db.engine import db

        assert db.session.scalar(select(func.count()).select_from(StockWait)) == 0


@pytest.fixture
def sign_in_owner(app: Flask, store: Store) -> Desk:
    from app.db.engine import platform_session
    from app.domain.people.sessions import start_session
    from app.domain.stores.actions import add_membership, add_person

    with platform_session() as session:
        person = add_person(session, name="Wanjiru", email=f"{store.slug}@duka.example")
        add_membership(session, store_id=store.id, person_id=person, role="owner")
    browser = platform_client(app)
    browser.set_cookie(
        "__Host-staff", start_session(person, "test"), domain="localhost", secure=True
    )
    return Desk(browser, store, "Wanjiru")
