"""The board and one order: packing, giving out, delivering, cancelling, and who may."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.catalog.models import Variant
from app.domain.ledger.models import LedgerEntry
from app.domain.messaging.models import Message
from app.domain.orders.actions import add_rider
from app.domain.orders.models import Order, OrderEvent
from app.domain.orders.states import OrderStatus
from app.domain.payments.models import ReviewItem
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_reference
from tests.builders import attempt_of, make_cart, make_order, make_variant
from tests.phones import any_phone
from tests.web.backoffice.conftest import HTMX, Desk
from tests.web.backoffice.locks import PIN, go_on, set_pin

SignIn = Callable[..., Desk]
BOARD = "/staff/<store>/orders/"


def paid_order(session: Session, **facts: object) -> Order:
    order = make_order(session, **facts)  # type: ignore[arg-type]
    attempt = attempt_of(session, order)
    attempt.move_to(AttemptStatus.SENDING)
    settle(session, attempt.id, confirmed_by="query", receipt=new_reference(10))
    session.commit()
    return order


def address(order: Order, verb: str = "") -> str:
    return f"/staff/<store>/orders/{order.id}" + (f"/{verb}" if verb else "")


def status_of(session: Session, order: Order) -> OrderStatus:
    session.expire_all()
    return OrderStatus(order.status)


@pytest.mark.row("W21")
def test_an_unpaid_order_never_reaches_the_board(session: Session, owner: Desk) -> None:
    unpaid = make_order(session)
    session.commit()
    paid = paid_order(session)
    on_delivery = make_order(session, pay_on_delivery=True)
    session.commit()

    board = owner.read(BOARD)

    assert paid.code in board
    assert on_delivery.code in board
    assert unpaid.code not in board
    assert owner.post(address(unpaid, "pack")).status_code == 303
    assert status_of(session, unpaid) == OrderStatus.PENDING_PAYMENT


@pytest.mark.row("N65", "N66")
def test_an_order_goes_from_paid_to_delivered(session: Session, owner: Desk) -> None:
    order = paid_order(session)
    rider = add_rider(session, name="Kevin Mutua", actor="test")
    session.commit()

    owner.press(owner.read(BOARD), f"{order.id}/pack")
    assert status_of(session, order) == OrderStatus.PACKED
    owner.press(owner.read(address(order)), f"{order.id}/give", {"rider": str(rider.id)})
    assert status_of(session, order) == OrderStatus.DISPATCHED
    assert order.rider_id == rider.id
    owner.press(owner.read(address(order)), f"{order.id}/deliver")
    assert status_of(session, order) == OrderStatus.DELIVERED

    assert order.packed_at is not None
    assert order.dispatched_at is not None
    assert order.delivered_at is not None
    page = owner.read(address(order))
    for words in ("Packed", "On the way", "Delivered", owner.name):
        assert words in page
    told = set(session.scalars(select(Message.kind).where(Message.order_id == order.id)))
    assert told == {"receipt", "packed", "dispatched", "delivered"}
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == owner.name)).all()
    assert actions == ["order.packed", "order.dispatched", "order.delivered"]


@pytest.mark.row("N65")
def test_a_forbidden_move_changes_nothing_and_says_why(session: Session, owner: Desk) -> None:
    order = paid_order(session)
    page = owner.read(address(order))

    owner.post(address(order, "deliver"))

    assert status_of(session, order) == OrderStatus.PAID
    assert "Nothing was done twice" in owner.read(address(order))
    assert f"{order.id}/deliver" not in page


def test_the_second_at_one_order_sees_what_the_first_did(session: Session, sign_in: SignIn) -> None:
    order = paid_order(session)
    achieng, brian = sign_in("packer", name="Achieng"), sign_in("packer", name="Brian")
    theirs = {
        desk.name: desk.form(desk.read(BOARD), f"{order.id}/pack") for desk in (achieng, brian)
    }

    path, fields = theirs["Achieng"]
    achieng.client.post(path, data=fields)
    path, fields = theirs["Brian"]
    answer = brian.client.post(path, data=fields, headers=HTMX)

    assert answer.status_code == 409
    assert f"{order.code} was just changed by Achieng: packed" in answer.text
    packed = session.scalars(select(OrderEvent.actor).where(OrderEvent.kind == "packed")).all()
    assert packed == ["Achieng"]


def test_pressing_twice_packs_once(session: Session, owner: Desk) -> None:
    order = paid_order(session)
    path, fields = owner.form(owner.read(BOARD), f"{order.id}/pack")

    for _ in range(2):
        owner.client.post(path, data=fields)

    count = select(func.count()).select_from(OrderEvent).where(OrderEvent.kind == "packed")
    assert session.scalar(count) == 1


@pytest.mark.row("N69")
def test_the_board_answers_304_until_something_changes(session: Session, owner: Desk) -> None:
    order = paid_order(session)
    first = owner.get("/staff/<store>/orders/board")
    assert first.status_code == 200
    assert "<html" not in first.text
    seen = {"If-None-Match": first.headers["ETag"]}
    same = owner.get("/staff/<store>/orders/board", headers=seen)
    assert (same.status_code, same.data) == (304, b"")

    answer = owner.press(owner.read(BOARD), f"{order.id}/pack", headers=HTMX)
    assert answer.status_code == 200
    assert f"{order.code} is packed" in answer.text
    assert 'id="tab-orders"' in answer.text

    assert owner.get("/staff/<store>/orders/board", headers=seen).status_code == 200


def test_the_board_is_filtered_by_area_and_searched_by_code(session: Session, owner: Desk) -> None:
    order = paid_order(session)

    assert order.code in owner.read(f"{BOARD}?area=kilimani")
    assert order.code not in owner.read(f"{BOARD}?area=westlands")
    for typed in (order.code.lower(), order.code.replace("-", ""), order.code.split("-")[1]):
        found = owner.get(f"{BOARD}?q={typed}")
        assert found.status_code == 303
        assert str(order.id) in found.headers["Location"]
    assert "No order has the code" in owner.read(f"{BOARD}?q=ZZ-1")


@pytest.mark.row("W51")
def test_a_phone_is_masked_until_a_reveal_that_is_written_down(
    session: Session, sign_in: SignIn
) -> None:
    order = paid_order(session)
    packer, support = sign_in("packer"), sign_in("support")

    masked = packer.read(address(order))
    assert "07•• ••• 678" in masked
    assert not re.search(r"712[ ]?345", masked)
    assert packer.post(address(order, "phone")).status_code == 403

    assert "0712 345 678" not in support.read(address(order))
    shown = support.press(support.read(address(order)), f"{order.id}/phone")
    assert "0712 345 678" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "phone.revealed")).one()
    assert (entry.actor, entry.detail["code"]) == (support.name, order.code)
    assert "0712 345 678" not in support.read(address(order))


@pytest.mark.row("W52")
def test_one_click_lists_who_did_what_to_a_paid_order(session: Session, owner: Desk) -> None:
    order = paid_order(session)
    owner.press(owner.read(BOARD), f"{order.id}/pack")

    about = re.search(r'href="(/dash/[^"]*about=order[^"]*)"', owner.read(address(order)))
    assert about is not None
    listed = owner.read(about[1])

    assert f"{order.code} packed" in listed
    assert f"by {owner.name}" in listed
    assert "settled for an order" in listed


def test_cancelling_a_paid_order_returns_goods_and_owes_the_money(
    session: Session, sign_in: SignIn
) -> None:
    owner = sign_in("owner", phone=any_phone("71"))
    set_pin(session, owner)
    variant = make_variant(session, stock=4)
    order = paid_order(session, cart=make_cart(session, variant, quantity=3))
    session.refresh(variant)
    assert (variant.on_hand, variant.reserved) == (1, 0)

    owner.press(owner.read(address(order)), f"{order.id}/cancel", {"reason": "Wrong colour"})

    assert status_of(session, order) == OrderStatus.CANCELLED
    fresh = session.get_one(Variant, (variant.store_id, variant.id))
    assert (fresh.on_hand, fresh.reserved) == (4, 0)
    item = session.scalars(select(ReviewItem)).one()
    assert (item.kind, item.amount_cents, item.status) == ("refund_due", order.total_cents, "open")
    books = dict(
        session.execute(
            select(LedgerEntry.account, func.sum(LedgerEntry.amount_cents)).group_by(
                LedgerEntry.account
            )
        ).all()
    )
    assert {k: v for k, v in books.items() if v} == {
        "mpesa_till": order.total_cents,
        "customer_credit": -order.total_cents,
    }
    page = owner.read(address(order))
    assert "is owed back to the customer" in page

    asked = owner.press(page, f"reviews/{item.id}", {"action": "refunded"})
    go_on(owner, asked.text, {"confirm_pin": PIN})
    session.expire_all()
    assert (item.status, item.resolution, item.resolved_by) == ("resolved", "refunded", owner.name)
    assert "Nothing is owed either way" in owner.read(address(order))


def test_cancelling_an_unpaid_order_only_lets_go_of_the_goods(
    session: Session, owner: Desk
) -> None:
    variant = make_variant(session, stock=4)
    order = make_order(session, make_cart(session, variant, quantity=2))
    session.commit()

    owner.press(owner.read(address(order)), f"{order.id}/cancel", {"reason": "A test"})

    session.expire_all()
    assert (variant.on_hand, variant.reserved) == (4, 0)
    assert session.scalars(select(ReviewItem)).first() is None


def test_cancelling_needs_a_reason(session: Session, owner: Desk) -> None:
    order = paid_order(session)

    answer = owner.press(owner.read(address(order)), f"{order.id}/cancel", {"reason": "  "})

    assert answer.status_code == 422
    assert status_of(session, order) == OrderStatus.PAID


def test_goods_on_the_way_cannot_be_cancelled(session: Session, owner: Desk) -> None:
    order = paid_order(session)
    owner.post(address(order, "pack"))
    owner.post(address(order, "give"))
    assert status_of(session, order) == OrderStatus.DISPATCHED

    owner.post(address(order, "cancel"), {"reason": "Too late"})

    assert status_of(session, order) == OrderStatus.DISPATCHED


def test_a_pickup_is_handed_over_and_never_given_to_a_rider(session: Session, owner: Desk) -> None:
    order = paid_order(session, is_pickup=True, area=None)
    owner.post(address(order, "pack"))

    owner.read(BOARD)  # takes the toast, which names it
    assert order.code not in owner.read("/staff/<store>/dispatch/")
    owner.post(address(order, "give"))
    assert status_of(session, order) == OrderStatus.PACKED
    owner.press(owner.read(address(order)), f"{order.id}/collect")
    assert status_of(session, order) == OrderStatus.DELIVERED


@pytest.mark.parametrize(
    ("role", "verb", "status"),
    [
        ("packer", "pack", 303),
        ("packer", "give", 403),
        ("packer", "cancel", 403),
        ("dispatcher", "pack", 403),
        ("accountant", "pack", 403),
        ("rider", "pack", 403),
        ("support", "deliver", 403),
    ],
)
def test_a_role_does_its_own_work_only(
    session: Session, sign_in: SignIn, role: str, verb: str, status: int
) -> None:
    order = paid_order(session)

    assert sign_in(role).post(address(order, verb), {"reason": "x"}).status_code == status


def test_theirs_is_nowhere_to_be_found(session: Session, theirs: Store, sign_in: SignIn) -> None:
    order = paid_order(session)
    neighbour = sign_in("owner", where=theirs)

    assert neighbour.get(f"/staff/{theirs.slug}/orders/{order.id}").status_code == 404
    assert neighbour.post(f"/staff/{theirs.slug}/orders/{order.id}/pack").status_code == 404
    store_slug = session.get_one(Store, order.store_id).slug
    assert neighbour.get(f"/staff/{store_slug}/orders/{order.id}").status_code == 404
    assert status_of(session, order) == OrderStatus.PAID


def test_paper_shows_what_to_put_in_the_bag(session: Session, owner: Desk) -> None:
    order = paid_order(session)

    slip = owner.read(address(order, "slip"))

    assert order.code in slip
    assert order.lines[0].name in slip
    assert "Nothing to collect" in slip


@pytest.mark.row("N69")
def test_thirty_orders_are_given_out_area_by_area_in_few_steps(
    session: Session, owner: Desk
) -> None:
    rider = add_rider(session, name="Kevin Mutua", actor="test")
    make_variant(session, sku="BULK", stock=100)
    orders = []
    for n in range(30):
        variant = session.scalars(select(Variant).where(Variant.sku == "BULK")).one()
        order = make_order(
            session,
            make_cart(session, variant),
            phone=f"+2547000010{n:02d}",
            pay_on_delivery=True,
        )
        orders.append(order)
    session.commit()
    for order in orders:
        owner.post(address(order, "pack"))

    page = owner.read("/staff/<store>/dispatch/")
    assert page.count('name="order"') == 30
    path, fields = owner.form(page, "dispatch/give")
    picked = {"order": [str(order.id) for order in orders], "rider": str(rider.id)}
    said = owner.client.post(path, data=fields | picked, follow_redirects=True).text
    assert "30 orders go with Kevin Mutua" in said
    assert "30 orders" in owner.read("/staff/<store>/dispatch/sheet")

    owner.undo(said)
    session.expire_all()
    assert {order.rider_id for order in orders} == {None}

    owner.client.post(path, data=fields | picked)
    owner.press(owner.read("/staff/<store>/dispatch/"), f"leave/{rider.id}")
    session.expire_all()
    assert {order.status for order in orders} == {OrderStatus.DISPATCHED}


def test_a_rider_sees_and_delivers_only_their_own(
    session: Session, sign_in: SignIn, owner: Desk
) -> None:
    mine, other = paid_order(session), paid_order(session)
    rider = add_rider(session, name="Juma Hassan", actor="test", phone="+254722000111")
    session.commit()
    for order, rider_id in ((mine, str(rider.id)), (other, "")):
        owner.post(address(order, "pack"))
        owner.post(address(order, "give"), {"rider": rider_id})
    juma = sign_in("rider", phone="+254722000111")

    run = juma.read("/staff/<store>/run/")
    assert mine.code in run
    assert other.code not in run
    assert juma.post(f"/staff/<store>/run/{other.id}/delivered").status_code == 404
    assert juma.get(BOARD).status_code == 403
    juma.press(run, f"{mine.id}/delivered")
    assert status_of(session, mine) == OrderStatus.DELIVERED
    assert status_of(session, other) == OrderStatus.DISPATCHED


def test_money_shows_every_try_with_what_was_said(session: Session, owner: Desk) -> None:
    order = make_order(session)
    attempt = attempt_of(session, order)
    session.commit()
    page = owner.read(address(order))
    assert "No money has come yet. A request is open on 07•• ••• 678." in page
    assert "Request on its way to the phone" in page
    assert attempt.account_reference in page

    owner.press(page, f"{order.id}/check-payment")
    with inside_store(order.store_id):
        asked = session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject == f"order:{order.id}")
        ).all()
    assert "payment.checked" in asked
