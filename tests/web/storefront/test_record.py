"""The page of figures: counted from orders, shown from 20 on, and nothing on it can be typed."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.orders.events import note
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.reviews import open_review
from app.domain.seo.track_record import find_track_record
from app.domain.stores.models import Store
from app.domain.stores.settings import SCREENS
from app.ids import new_id
from tests.insight_rows import add_order
from tests.seo_rules import Head
from tests.web.storefront.conftest import Shopper


def send_out(session: Session, n: int, *, minutes: int) -> Order:
    """An order that left the shop ``minutes`` after it was paid, and was delivered."""
    order = add_order(session, utcnow() - timedelta(days=2, minutes=n))
    order.move_to(OrderStatus.PACKED)
    session.flush()
    order.move_to(OrderStatus.DISPATCHED)
    assert order.paid_at is not None
    order.dispatched_at = order.paid_at + timedelta(minutes=minutes)
    session.flush()
    order.move_to(OrderStatus.DELIVERED)
    order.delivered_at = order.dispatched_at + timedelta(minutes=40)
    session.flush()
    return order


def bring_back(session: Session, order: Order, *, is_closed: bool) -> None:
    order.move_to(OrderStatus.RETURNED)
    note(session, order, "returned")
    session.flush()
    if is_closed:
        order.move_to(OrderStatus.CLOSED)
        session.flush()


def read(client: Shopper) -> str:
    answer = client.get("/trust")
    assert answer.status_code == 200
    return html.unescape(answer.text).replace("\u00a0", " ")


@pytest.mark.row("I22")
def test_below_twenty_orders_there_is_no_figure(client: Shopper, session: Session) -> None:
    for n in range(19):
        send_out(session, n, minutes=30)
    session.commit()

    page = read(client)

    assert "There are no figures yet" in page
    assert "#what-" not in page
    assert not Head(page).is_indexed
    assert "/trust" not in client.get("/sitemap.xml").text


@pytest.mark.row("I22")
def test_the_figures_equal_a_direct_query_and_each_leads_to_its_meaning(
    client: Shopper, session: Session, store: Store
) -> None:
    ours = session.get_one(Store, store.id)
    ours.prompt_name, ours.place = "DUKA LA MAJARIBIO", "Shop 14, Luthuli Avenue"
    orders = [send_out(session, n, minutes=20 + n) for n in range(22)]
    bring_back(session, orders[0], is_closed=False)
    bring_back(session, orders[1], is_closed=True)
    add_order(session, utcnow() - timedelta(days=1), status=OrderStatus.CANCELLED)
    add_order(session, utcnow() - timedelta(days=1), status=OrderStatus.PENDING_PAYMENT)
    add_order(session, utcnow() - timedelta(days=91), status=OrderStatus.DELIVERED)
    for kind in ("refund_due", "paid_twice", "unreadable_callback"):
        open_review(session, kind, subject_id=new_id(), next_action="refund")
    session.execute(
        text(
            "UPDATE app.review_items SET status = 'resolved', resolved_at = now()"
            " WHERE store_id = app.store_id() AND kind = 'refund_due'"
        )
    )
    session.commit()

    page = read(client)

    direct = session.execute(
        text(
            "SELECT count(*), percentile_cont(0.5) WITHIN GROUP"
            "         (ORDER BY extract(epoch FROM dispatched_at - paid_at) / 60)"
            "  FROM app.orders WHERE store_id = app.store_id() AND dispatched_at IS NOT NULL"
        )
    ).one()
    assert direct == (22, 30.5)
    main = page[page.index("<main") : page.index("</main>")]
    figures = dict(
        re.findall(r'<a href="#(what-\w+)">[^<]*</a></dt><dd class="strong">([^<]*)</dd>', main)
    )
    assert figures == {
        "what-orders": "22",
        "what-dispatch": "30 min",
        "what-returns": "9.1 %",
        "what-questions": "1 of 2",
    }
    for anchor in figures:
        assert f'id="{anchor}"' in main
    assert "2 of 22 orders that left the shop were brought back" in main
    assert "Your phone will show DUKA LA MAJARIBIO" in main
    assert "Shop 14, Luthuli Avenue" in main
    assert Head(page).is_indexed
    assert "/trust</loc>" in client.get("/sitemap.xml").text


@pytest.mark.row("I22")
def test_an_owner_has_no_field_for_a_figure(client: Shopper, session: Session) -> None:
    """The figures come from orders and reviews alone; what settings hold does not move them."""
    for n in range(20):
        send_out(session, n, minutes=30)
    before = find_track_record(session, utcnow())
    ours = session.query(Store).one()
    for column in SCREENS["settings.shop"]:
        if isinstance(getattr(ours, column), str):
            setattr(ours, column, "99")
    session.flush()
    session.expire_all()

    assert find_track_record(session, utcnow()) == before
    # What they are counted from cannot be rewritten by the shop's own role either.
    for statement in (
        "DELETE FROM app.orders",
        "DELETE FROM app.review_items",
        "UPDATE app.order_events SET kind = 'delivered'",
    ):
        with pytest.raises(Exception, match=r"permission denied|append-only"):
            session.execute(text(statement))
        session.rollback()


@pytest.mark.row("I22")
def test_the_foot_of_every_page_leads_to_it(client: Shopper, session: Session) -> None:
    assert 'href="/trust"' in client.get("/").text
