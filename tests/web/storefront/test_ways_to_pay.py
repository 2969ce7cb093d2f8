"""The ways to pay that a shop has open, in its order; one it has closed is refused."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.delivery.actions import serve_area
from app.domain.orders.models import Order
from app.domain.stores.models import Store
from tests.builders import make_variant
from tests.web.storefront.conftest import Shopper
from tests.world import hidden_fields

TYPED = {"phone": "0712 345 678", "area": "kilimani", "landmark": "Blue gate by the school"}


def open_checkout(client: Shopper, session: Session) -> str:
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    make_variant(session, sku="TEA")
    session.commit()
    client.post("/cart/lines", data={"sku": "TEA"})
    return client.get("/checkout").text


def buttons(page: str) -> list[str]:
    # The first button is the one that Enter presses; nobody sees it.
    return re.findall(r'name="pay" value="(\w+)"', page)[1:]


@pytest.mark.row("T16")
@pytest.mark.parametrize(
    ("accepts_mpesa", "first", "shown"),
    [
        (True, "mpesa", ["on_delivery", "mpesa"]),
        (True, "on_delivery", ["mpesa", "on_delivery"]),
        (False, "mpesa", ["on_delivery"]),
    ],
)
def test_the_first_way_is_the_big_button(
    client: Shopper,
    session: Session,
    store: Store,
    accepts_mpesa: bool,
    first: str,
    shown: list[str],
) -> None:
    ours = session.get_one(Store, store.id)
    ours.accepts_mpesa, ours.pay_first = accepts_mpesa, first
    page = open_checkout(client, session)

    assert buttons(page) == shown
    assert re.search(r'btn-pay"[^>]*value="(\w+)"', page)[1] == shown[-1]  # type: ignore[index]
    form = hidden_fields(page, "/checkout") | TYPED | {"pay": shown[-1]}
    assert client.post("/checkout", data=form).status_code == 303
    assert session.scalars(select(Order.payment_method)).all() == [shown[-1]]


@pytest.mark.row("T16")
def test_a_way_closed_since_the_page_was_opened_orders_nothing(
    client: Shopper, session: Session, store: Store
) -> None:
    page = open_checkout(client, session)
    session.get_one(Store, store.id).accepts_mpesa = False
    session.commit()

    form = hidden_fields(page, "/checkout") | TYPED | {"pay": "mpesa"}
    answer = client.post("/checkout", data=form)

    assert answer.status_code == 422
    assert "does not take M-Pesa now" in answer.text
    assert buttons(answer.text) == ["on_delivery"]
    assert session.scalar(select(func.count()).select_from(Order)) == 0
    again = hidden_fields(answer.text, "/checkout") | TYPED | {"pay": "on_delivery"}
    assert client.post("/checkout", data=again).status_code == 303
