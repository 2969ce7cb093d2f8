"""Stock as a ledger: movements with reasons, counting a shelf, numbered units, who waits."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.catalog.actions import add_category
from app.domain.catalog.models import Serial, StockMovement, Variant
from app.domain.catalog.shelf import stock_breaks
from app.domain.catalog.stocktaking import adjust_stock, is_imei, read_serials
from app.domain.errors import FieldProblem
from tasks.bulk import sweep_old_rows
from tests.builders import make_cart, make_order, make_variant
from tests.web.backoffice.conftest import Desk

SignIn = Callable[..., Desk]


def press(desk: Desk, variant: Variant, **typed: str) -> tuple[int, str]:
    page = f"/dash/<store>/stock/variants/{variant.id}"
    answer = desk.press(desk.read(page), str(variant.id), typed)
    return answer.status_code, html.unescape(answer.text)


def moves(session: Session, variant: Variant) -> list[tuple[int, str, str]]:
    session.expire_all()
    rows = session.scalars(
        select(StockMovement)
        .where(StockMovement.variant_id == variant.id)
        .order_by(StockMovement.id)
    )
    return [(row.quantity, row.reason, row.note) for row in rows]


@pytest.mark.row("N59")
def test_every_change_of_stock_is_a_movement_with_its_reason(session: Session, owner: Desk) -> None:
    variant = make_variant(session, name="Flask", stock=10)
    session.commit()

    press(owner, variant, reason="received", quantity="5", note="Delivery of Friday")
    press(owner, variant, reason="damage", quantity="2")
    press(owner, variant, reason="transfer", quantity="4")
    press(owner, variant, reason="transfer-in", quantity="1")
    press(owner, variant, reason="return", quantity="1")

    assert moves(session, variant) == [
        (10, "received", ""), (5, "received", "Delivery of Friday"), (-2, "damage", ""),
        (-4, "transfer", ""), (1, "transfer", ""), (1, "return", ""),
    ]  # fmt: skip
    assert variant.on_hand == 11
    page = owner.read(f"/dash/<store>/stock/variants/{variant.id}")
    assert "Delivery of Friday" in page
    ledger = page[page.index("<caption") :]
    assert ledger.index("Came back") < ledger.index("Damaged or lost") < ledger.index("Received")


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"reason": "damage", "quantity": "11"}, "quantity"),
        ({"reason": "received", "quantity": "-1"}, "quantity"),
        ({"reason": "received", "quantity": ""}, "quantity"),
        ({"reason": "received", "quantity": "٣"}, "quantity"),
        ({"reason": "sale", "quantity": "1"}, "reason"),
        ({"reason": "received", "quantity": "1", "note": "n" * 201}, "note"),
    ],
)
def test_an_odd_movement_moves_nothing_and_keeps_what_was_typed(
    session: Session, owner: Desk, typed: dict[str, str], field: str
) -> None:
    variant = make_variant(session, stock=10)
    session.commit()

    status, page = press(owner, variant, **typed)

    assert status == 422
    assert f'id="{field}-wrong"' in page
    assert len(moves(session, variant)) == 1


def test_what_is_held_for_an_order_cannot_be_taken_away(session: Session, owner: Desk) -> None:
    variant = make_variant(session, stock=3)
    make_order(session, make_cart(session, variant, quantity=2))
    session.commit()

    status, page = press(owner, variant, reason="damage", quantity="2")

    assert (status, "2 are held by orders being paid" in page) == (422, True)


@pytest.mark.row("N59")
def test_a_shelf_is_counted_seen_put_right_and_undone(session: Session, owner: Desk) -> None:
    shelf = add_category(session, "Cups")
    red, blue, green = (
        make_variant(session, name=n, category=shelf, stock=10) for n in ("Red", "Blue", "Green")
    )
    session.commit()
    where = "/dash/<store>/stock/count/cups"
    path, fields = owner.form(owner.read(where), "/count/cups")
    typed = fields | {f"c-{red.id}": "8", f"c-{blue.id}": "10", "do": "look"}

    looked = html.unescape(owner.client.post(path, data=typed).text)
    assert "1 difference. Nothing was changed yet." in looked
    assert len(moves(session, red)) == 1
    # Two are sold while somebody counts: these stay sold.
    adjust_stock(session, red.id, -2, "transfer", actor="Achieng")
    session.commit()

    said = owner.client.post(path, data=typed | {"do": "apply"}, follow_redirects=True).text
    assert moves(session, red)[-1] == (-2, "count", "")
    assert (red.on_hand, blue.on_hand, green.on_hand) == (6, 10, 10)
    owner.undo(said)
    session.expire_all()
    assert red.on_hand == 8
    assert stock_breaks(session) == []


def test_a_count_below_what_is_held_is_refused_whole(session: Session, owner: Desk) -> None:
    shelf = add_category(session, "Cups")
    red, blue = (make_variant(session, name=n, category=shelf, stock=5) for n in ("Red", "Blue"))
    make_order(session, make_cart(session, red, quantity=3))
    session.commit()
    path, fields = owner.form(owner.read("/dash/<store>/stock/count/cups"), "/count/cups")

    answer = owner.client.post(
        path, data=fields | {f"c-{red.id}": "1", f"c-{blue.id}": "4", "do": "apply"}
    )

    assert answer.status_code == 422
    assert "3 are held by orders being paid" in answer.text
    session.expire_all()
    assert (red.on_hand, blue.on_hand) == (5, 5)


@pytest.mark.row("N59", "W31")
def test_stock_is_the_sum_of_its_movements_through_a_sale_and_a_cancellation(
    session: Session,
) -> None:
    from app.domain.orders.stock import consume_hold, return_to_stock

    variant = make_variant(session, stock=9)
    order = make_order(session, make_cart(session, variant, quantity=4))
    consume_hold(session, order)
    adjust_stock(session, variant.id, 3, "received", actor="test")
    return_to_stock(session, order, actor="test")
    session.commit()

    assert stock_breaks(session) == []
    assert variant.on_hand == 12
    session.execute(update(Variant).where(Variant.id == variant.id).values(on_hand=13))
    assert [(b.on_hand, b.moved) for b in stock_breaks(session)] == [(13, 12)]
    session.rollback()


@pytest.mark.row("N59")
def test_units_with_numbers_come_in_with_them_and_each_number_once(
    session: Session, owner: Desk
) -> None:
    phone = make_variant(session, name="Infinix", stock=0)
    other = make_variant(session, name="Redmi", stock=0)
    phone.product.tracks_serials = other.product.tracks_serials = True
    session.commit()

    assert press(owner, phone, reason="received", quantity="2")[0] == 422
    status, page = press(owner, phone, reason="received", quantity="2", serials="490154203237518")
    assert (status, "1 numbers for 2 units" in page) == (422, True)
    numbers = "490154203237518\n 35-209900-176148 "
    assert press(owner, phone, reason="received", quantity="2", serials=numbers)[0] == 303
    twice, page = press(owner, other, reason="received", quantity="1", serials="490154203237518")
    assert (twice, "is in the shop already" in page) == (422, True)
    assert press(owner, phone, reason="damage", quantity="1", serials="490154203237518")[0] == 303

    session.expire_all()
    found = {s.serial: s.status for s in session.scalars(select(Serial))}
    assert found == {"490154203237518": "gone", "35-209900-176148": "in_stock"}
    assert (phone.on_hand, other.on_hand) == (1, 0)
    session.add(Serial(variant_id=other.id, serial="35-209900-176148"))
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_slip_of_the_finger_in_an_imei_is_noticed() -> None:
    assert is_imei("490154203237518")
    assert not is_imei("490154203237519")
    assert read_serials([" abc 123 ", "", "X-1"]) == ["ABC123", "X-1"]
    for wrong in (["490154203237519"], ["!!"], ["AB1", "ab1"]):
        with pytest.raises(FieldProblem):
            read_serials(wrong)


def test_low_stock_is_listed_by_its_own_mark(session: Session, owner: Desk) -> None:
    for name, stock, mark in (
        ("Plenty", 9, 3),
        ("Few", 3, 3),
        ("Fast seller", 30, 40),
        ("None", 0, 0),
    ):
        make_variant(session, name=name, stock=stock).low_mark = mark
    session.commit()

    page = owner.read("/dash/<store>/stock/")
    listed = re.findall(r"data-open>([^<]+)</a>", page)
    assert listed == ["None", "Few", "Fast seller"]
    assert "the stock of everything is the sum of its movements." in page


@pytest.mark.row("N59")
def test_each_night_every_movement_is_added_up_and_the_desk_says_what_was_found(
    session: Session, owner: Desk
) -> None:
    variant = make_variant(session, stock=5)
    sweep_old_rows(session)
    session.execute(update(Variant).where(Variant.id == variant.id).values(on_hand=6))
    session.commit()
    assert "Added up each night" in owner.read("/dash/<store>/stock/")

    sweep_old_rows(session)
    session.commit()

    assert "1 thing does not add up with its movements." in owner.read("/dash/<store>/stock/")


def test_a_packer_looks_and_changes_nothing(session: Session, sign_in: SignIn) -> None:
    variant = make_variant(session, stock=5)
    session.commit()
    packer = sign_in("packer")

    page = packer.read(f"/dash/<store>/stock/variants/{variant.id}")
    assert "Change stock" not in page
    answer = packer.post(
        f"/dash/<store>/stock/variants/{variant.id}", {"reason": "received", "quantity": "1"}
    )
    assert answer.status_code == 403
