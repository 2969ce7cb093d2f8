"""The box about offers at checkout, and the shopper's own page that says yes or stop."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.customers.models import Consent
from app.domain.customers.queries import find_customer
from app.domain.orders.models import Order
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from tests.bench.test_statements import statements
from tests.builders import attempt_of, make_order, make_variant
from tests.web.storefront.test_me import OWN, PLACE, THIRD, Shopper, prove, shopper_of
from tests.world import hidden_fields

TYPED = {"phone": "0711 000 001"} | PLACE
BOX = re.compile(r'<input type="checkbox" name="offers" value="(\w\w)"( checked)?>')


@pytest.fixture
def client(app: Flask, store: Store, session: Session) -> Shopper:
    """A shopper whose phone nobody proved, in a shop that delivers."""
    make_order(session, phone=THIRD)
    make_variant(session, name="Ketepa", sku="KETEPA", stock=9)
    session.commit()
    return shopper_of(app, store)


def page_of(client: Shopper) -> str:
    client.post("/cart/lines", data={"sku": "KETEPA"})
    return client.get("/checkout").text


def order_from(client: Shopper, page: str, **facts: str) -> str:
    answer = client.post("/checkout", data=hidden_fields(page, "/checkout") | facts)
    assert answer.status_code == 303, answer.text[:900]
    return answer.headers["Location"]


def log(session: Session) -> list[Consent]:
    session.rollback()
    return list(session.scalars(select(Consent).order_by(Consent.at)))


def pay(session: Session) -> None:
    """The PIN is entered on the phone that the newest order prompted."""
    session.rollback()
    order = session.scalars(select(Order).order_by(Order.placed_at.desc()).limit(1)).one()
    attempt = attempt_of(session, order)
    attempt.move_to(AttemptStatus.SENDING)
    session.flush()
    settle(session, attempt.id, confirmed_by="query", receipt="TKJ1ABCDEF")
    session.commit()


def mine(client: Shopper) -> str:
    """What the shopper's own page says about offers."""
    page = html.unescape(client.get("/me").text)
    return page[page.index('aria-labelledby="offers"') : page.index('action="/me/sign-out"')]


def say(client: Shopper, **pressed: str) -> None:
    form = hidden_fields(client.get("/me").text, "/me/offers")
    assert client.post("/me/offers", data=form | pressed).headers["Location"] == "/me#offers"


# -- checkout ---------------------------------------------------------------------------


def test_the_box_is_empty_names_the_shop_and_leaving_it_empty_says_nothing(
    client: Shopper, session: Session, store: Store
) -> None:
    page = page_of(client)
    assert BOX.findall(page) == [("en", "")]
    assert f"Tell me about offers of {store.name} by SMS or WhatsApp." in html.unescape(page)

    order_from(client, page, **TYPED)

    assert log(session) == []


def test_a_tick_is_kept_with_the_words_that_were_read_and_counts_when_paid(
    client: Shopper, session: Session
) -> None:
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "sw"
    page = page_of(client)
    [(language, _)] = BOX.findall(page)
    assert language == "sw"
    again = client.post(
        "/checkout/summary", data=hidden_fields(page, "/checkout") | TYPED | {"offers": "sw"}
    )
    assert BOX.findall(again.text) == [
        ("sw", " checked")
    ]  # the fee was asked for without JavaScript

    where = order_from(client, page, **TYPED, offers=language)
    assert order_from(client, page, **TYPED, offers=language) == where

    [said] = log(session)
    assert said.words in html.unescape(page)
    assert said.words.startswith("Nijulishe kuhusu ofa za ")
    assert (said.is_given, said.is_proven, said.source) == (True, False, "checkout")
    assert said.order_id is not None
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    prove(client, session)
    assert "You get no offers yet" in mine(client)
    pay(session)
    assert "You agreed (Today" in mine(client)
    assert said.words in mine(client)


def test_a_form_with_a_mistake_keeps_the_tick_and_writes_nothing(
    client: Shopper, session: Session
) -> None:
    form = hidden_fields(page_of(client), "/checkout")
    answer = client.post("/checkout", data=form | TYPED | {"landmark": "", "offers": "en"})

    assert answer.status_code == 422
    assert BOX.findall(answer.text) == [("en", " checked")]
    assert log(session) == []


@pytest.mark.parametrize("odd", ["yes", "zz", "en" * 400])
def test_an_odd_language_reads_in_english_and_never_breaks(
    client: Shopper, session: Session, odd: str
) -> None:
    order_from(client, page_of(client), **TYPED, offers=odd)

    assert all(said.words.startswith("Tell me about offers of ") for said in log(session))


def test_the_box_costs_no_statement_and_a_tick_costs_one(
    app: Flask, client: Shopper, store: Store
) -> None:
    def asked(**facts: str) -> int:
        browser = shopper_of(app, store)
        page = page_of(browser)
        with statements(app) as sent:
            order_from(browser, page, **TYPED, **facts)
        return len(sent)

    asked()
    assert asked(offers="en") == asked() + 1
    page_of(client)
    with statements(app) as sent:
        assert BOX.search(client.get("/checkout").text)
    # Beside it is at times the question of what changed in all stores.
    assert sum("changed_pages" not in each for each in sent) == 1, "\n".join(sent)


def test_who_agreed_in_this_browser_is_not_asked_again(client: Shopper, session: Session) -> None:
    prove(client, session)
    page = page_of(client)
    assert BOX.search(page)
    order_from(client, page, **PLACE, offers="en")
    [said] = log(session)
    assert said.is_proven

    assert not BOX.search(page_of(client))
    other = client.get("/checkout?change=1").text  # for another phone, which has said nothing
    assert BOX.search(other)


# -- their own page ---------------------------------------------------------------------


def test_a_shopper_agrees_and_stops_and_agrees_again_on_their_page(
    client: Shopper, session: Session
) -> None:
    prove(client, session)
    assert "You have not agreed to offers" in mine(client)
    assert 'name="stop"' not in mine(client)

    say(client, agree="en")
    say(client, agree="en")
    assert "You agreed (Today" in mine(client)
    assert 'name="agree"' not in mine(client)
    say(client, stop="1")
    say(client, stop="1")
    assert "You stopped offers (Today" in mine(client)
    assert BOX.search(page_of(client))
    say(client, agree="en")
    assert "You agreed (Today" in mine(client)

    kept = log(session)
    assert [(said.source, said.is_given) for said in kept] == [
        ("me", True),
        ("me", False),
        ("me", True),
    ]
    assert all(said.is_proven for said in kept if said.is_given)
    assert kept[1].words == "Stop offers"


def test_a_stranger_cannot_sign_up_or_stop_somebody(
    app: Flask, client: Shopper, store: Store, session: Session
) -> None:
    prove(client, session)
    say(client, stop="1")
    stranger = shopper_of(app, store)
    order_from(stranger, page_of(stranger), **TYPED, offers="en")
    assert "You stopped offers" in mine(client)

    token = hidden_fields(stranger.get("/me").text, "/me/code")
    for pressed in ({"agree": "en"}, {"stop": "1"}):
        assert stranger.post("/me/offers", data=token | pressed).headers["Location"] == "/me"
    assert [said.source for said in log(session)] == ["me", "checkout"]


def test_a_press_from_another_site_says_nothing(client: Shopper, session: Session) -> None:
    prove(client, session)
    form = hidden_fields(client.get("/me").text, "/me/offers")

    answer = client.post(
        "/me/offers", data=form | {"agree": "en"}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 403
    assert log(session) == []


def test_a_code_after_the_order_lets_the_holder_decide(client: Shopper, session: Session) -> None:
    order_from(client, page_of(client), **TYPED, offers="en")
    prove(client, session)
    page = mine(client)
    assert 'name="agree"' in page
    assert 'name="stop"' in page

    say(client, stop="1")
    pay(session)

    assert "You stopped offers" in mine(client)
    customer = find_customer(session, OWN)
    assert customer is not None
    assert {said.customer_id for said in log(session)} == {customer.id}
