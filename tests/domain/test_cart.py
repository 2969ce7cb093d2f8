from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from app.domain.cart.actions import (
    add_to_cart,
    claim_cart,
    merge_carts,
    open_cart,
    remove_line,
    set_quantity,
)
from app.domain.cart.queries import find_cart, find_cart_by_code, summarise_cart
from app.domain.customers.actions import find_or_add_customer
from app.domain.errors import NotFound, OutOfStock
from tests.builders import make_cart, make_variant


def test_adding_twice_raises_one_line(session: Session) -> None:
    tea = make_variant(session, price_cents=450_00)
    cart = open_cart(session, None)
    add_to_cart(session, cart, tea)
    add_to_cart(session, cart, tea, quantity=2)
    assert [(line.variant_id, line.quantity) for line in cart.lines] == [(tea.id, 3)]
    assert summarise_cart(session, cart.id).subtotal_cents == 1_350_00


@pytest.mark.row("N61")
def test_more_than_there_is_becomes_what_there_is_with_a_sentence(session: Session) -> None:
    tea = make_variant(session, stock=4)
    cart = open_cart(session, None)
    assert add_to_cart(session, cart, tea, quantity=3).note is None
    change = add_to_cart(session, cart, tea, quantity=3)
    assert change.quantity == 4
    assert change.note is not None
    assert "4" in change.note
    again = set_quantity(session, cart, cart.lines[0].id, 9)
    assert (again.quantity, bool(again.note)) == (4, True)


@pytest.mark.row("N61")
def test_a_sold_out_variant_is_refused_and_changes_nothing(session: Session) -> None:
    cart = open_cart(session, None)
    with pytest.raises(OutOfStock):
        add_to_cart(session, cart, make_variant(session, stock=0))
    assert summarise_cart(session, cart.id).item_count == 0


def test_setting_zero_takes_the_line_out_and_doing_it_again_is_no_mistake(session: Session) -> None:
    cart = make_cart(session)
    line_id = cart.lines[0].id
    set_quantity(session, cart, line_id, 0)
    remove_line(session, cart, line_id)
    assert cart.lines == []


def test_a_line_of_another_cart_cannot_be_changed(session: Session) -> None:
    mine, other = make_cart(session), make_cart(session)
    with pytest.raises(NotFound):
        set_quantity(session, mine, other.lines[0].id, 5)
    assert other.lines[0].quantity == 1


@pytest.mark.row("W32")
def test_signing_in_joins_the_carts_of_both_phones(session: Session) -> None:
    tea, lamp = make_variant(session, stock=5), make_variant(session, name="Lamp", stock=1)
    customer = find_or_add_customer(session, phone="+254712345678")
    old = claim_cart(session, make_cart(session, tea, quantity=2), customer.id)
    new = make_cart(session, tea, lamp)
    joined = claim_cart(session, new, customer.id)
    assert joined.id == old.id
    assert {line.variant_id: line.quantity for line in joined.lines} == {tea.id: 2, lamp.id: 1}
    assert find_cart(session, new.id) is None
    assert merge_carts(session, joined, joined) is joined


@pytest.mark.row("W32")
def test_the_code_said_in_a_chat_finds_the_cart(session: Session) -> None:
    cart = make_cart(session)
    said = find_cart_by_code(session, f" {cart.code[:2].lower()} {cart.code[2:].lower()}")
    assert said is not None
    assert said.id == cart.id


def test_an_unknown_id_opens_a_new_cart(session: Session) -> None:
    unknown = uuid4()
    assert open_cart(session, unknown).id != unknown
