"""Units with numbers: each goes out with one order, and comes back when the order is called off."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.catalog.models import Serial, Variant
from app.domain.catalog.shelf import stock_breaks
from app.domain.catalog.stocktaking import adjust_stock
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.stores.models import Store
from tests.builders import make_cart, make_variant
from tests.web.backoffice.conftest import Desk
from tests.web.backoffice.test_orders import BOARD, address, paid_order, status_of

SignIn = Callable[..., Desk]
FIRST, SECOND, THIRD = "490154203237518", "356938035643809", "35-209900-176148"


@pytest.fixture
def phone(session: Session) -> Variant:
    """A phone of which three numbered units are on the shelf."""
    variant = make_variant(session, name="Infinix Hot 40", stock=0)
    variant.product.tracks_serials = True
    session.flush()
    adjust_stock(session, variant.id, 3, "received", actor="test", serials=[FIRST, SECOND, THIRD])
    session.commit()
    return variant


def sold(session: Session, *variants: Variant, quantity: int = 1) -> Order:
    return paid_order(session, cart=make_cart(session, *variants, quantity=quantity))


def pack(desk: Desk, order: Order, *numbers: str, line: int = 1) -> tuple[int, str]:
    path, fields = desk.form(desk.read(address(order)), f"{order.id}/pack")
    answer = desk.client.post(path, data=fields | {f"unit-{line}": list(numbers)})
    return answer.status_code, html.unescape(answer.text)


def shelf(session: Session) -> dict[str, str]:
    session.expire_all()
    return {row.serial: row.status for row in session.scalars(select(Serial))}


@pytest.mark.row("N59")
def test_the_number_of_each_unit_is_noted_when_it_is_packed(
    session: Session, owner: Desk, phone: Variant
) -> None:
    tea = make_variant(session, name="Tea", stock=5)
    order = sold(session, phone, tea, quantity=2)
    line = next(line.n for line in order.lines if line.variant_id == phone.id)

    assert pack(owner, order, line=line)[0] == 422
    status, page = pack(owner, order, FIRST, "", line=line)
    assert (status, "numbers of 2 units" in page, f'value="{FIRST}"' in page) == (422, True, True)
    assert status_of(session, order) == OrderStatus.PAID
    assert set(shelf(session).values()) == {"in_stock"}

    assert pack(owner, order, FIRST, " 35-209900-176148 ", line=line)[0] == 303
    assert status_of(session, order) == OrderStatus.PACKED
    assert shelf(session) == {FIRST: "sold", SECOND: "in_stock", THIRD: "sold"}
    assert stock_breaks(session) == []
    assert phone.on_hand == 1
    for path in (address(order), address(order, "slip")):
        assert FIRST in owner.read(path)
    noted = session.scalars(select(AuditEntry).where(AuditEntry.action == "order.units")).one()
    assert sorted(noted.detail["numbers"][phone.sku]) == [THIRD, FIRST]


@pytest.mark.row("N59")
def test_one_unit_is_never_sold_twice(session: Session, owner: Desk, phone: Variant) -> None:
    first, second = sold(session, phone), sold(session, phone)
    assert pack(owner, first, FIRST)[0] == 303

    status, page = pack(owner, second, FIRST)

    assert (status, f"{FIRST} went out with order {first.code} already" in page) == (422, True)
    assert status_of(session, second) == OrderStatus.PAID
    line = second.lines[0]
    session.add(Serial(variant_id=phone.id, serial=FIRST, status="sold", order_line_id=line.id))
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("490154203237519", "is not an IMEI"),
        ("!!", "is not a serial number"),
        ("OTHER-1", "is a unit of Redmi 13"),
        (THIRD, "marked as lost or damaged"),
    ],
)
def test_a_wrong_number_is_said_and_packs_nothing(
    session: Session, owner: Desk, phone: Variant, number: str, words: str
) -> None:
    redmi = make_variant(session, name="Redmi 13", stock=0)
    redmi.product.tracks_serials = True
    adjust_stock(session, redmi.id, 1, "received", actor="test", serials=["OTHER-1"])
    adjust_stock(session, phone.id, -1, "damage", actor="test", serials=[THIRD])
    order = sold(session, phone)

    status, page = pack(owner, order, number)

    assert (status, words in page, f'value="{number}"' in page) == (422, True, True)
    assert status_of(session, order) == OrderStatus.PAID


def test_a_unit_from_before_numbers_were_kept_comes_in_and_leaves(
    session: Session, owner: Desk, phone: Variant
) -> None:
    order = sold(session, phone)

    assert pack(owner, order, "SN-NEW-1")[0] == 303
    assert shelf(session)["SN-NEW-1"] == "sold"


@pytest.mark.row("N59")
def test_a_slip_is_put_right_and_a_cancelled_order_brings_its_units_back(
    session: Session, owner: Desk, phone: Variant
) -> None:
    order = sold(session, phone)
    pack(owner, order, FIRST)

    page = owner.read(address(order))
    owner.press(page, f"{order.id}/units", {"unit-1": SECOND})
    assert shelf(session) == {FIRST: "in_stock", SECOND: "sold", THIRD: "in_stock"}
    assert "Numbers of units put right" in owner.read(address(order))

    owner.press(owner.read(address(order)), f"{order.id}/cancel", {"reason": "Changed their mind"})
    assert status_of(session, order) == OrderStatus.CANCELLED
    assert set(shelf(session).values()) == {"in_stock"}
    assert session.scalar(select(func.sum(Variant.on_hand)).where(Variant.id == phone.id)) == 3


def test_the_board_leads_to_the_numbers_and_never_packs_without(
    session: Session, owner: Desk, phone: Variant
) -> None:
    order, plain = sold(session, phone), paid_order(session)

    board = owner.read(BOARD)

    assert f"orders/{order.id}#units" in board
    assert f"orders/{order.id}/pack" not in board
    assert f"orders/{plain.id}/pack" in board
    _, fields = owner.form(board, f"{plain.id}/pack")
    late = owner.client.post(
        f"/staff/{owner.store.slug}/orders/{order.id}/pack",
        data=fields | {"version": ""},
        headers={"X-Late": "1"},
    )
    assert (late.status_code, "scan or type the number" in late.text) == (409, True)
    assert status_of(session, order) == OrderStatus.PAID


def test_another_store_may_have_a_unit_with_the_same_number(
    session: Session, owner: Desk, phone: Variant, theirs: Store
) -> None:
    order = sold(session, phone)
    path, fields = owner.form(owner.read(address(order)), f"{order.id}/pack")
    db.session.remove()
    with inside_store(theirs.id):
        inner = db.session()
        twin = make_variant(inner, name="Twin", stock=0)
        twin.product.tracks_serials = True
        inner.flush()
        adjust_stock(inner, twin.id, 1, "received", actor="test", serials=[FIRST])
        inner.commit()
        db.session.remove()

    assert owner.client.post(path, data=fields | {"unit-1": FIRST}).status_code == 303

    with inside_store(theirs.id):
        assert shelf(db.session()) == {FIRST: "in_stock"}
        db.session.remove()
