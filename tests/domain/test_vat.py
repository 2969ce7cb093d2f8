"""VAT inside the price, line by line, to the cent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.catalog.actions import NewVariant
from app.domain.stores.models import Store
from tests.builders import make_cart, make_order, make_product


@pytest.mark.row("N63")
def test_each_line_carries_its_vat_and_the_order_their_sum(
    app: Flask, session: Session, make_store: Callable[..., Store]
) -> None:
    registered = make_store(is_vat_registered=True)
    db.session.remove()
    with inside_store(registered.id):
        inner = db.session()
        goods = [
            make_product(
                inner,
                name=name,
                vat_class=vat,
                variants=[NewVariant(sku=name, price_cents=cents, stock=5)],
            )
            for name, vat, cents in (
                ("Radio", "standard", 1_160_00),
                ("Maize", "zero", 200_00),
                ("Book", "exempt", 99_00),
            )
        ]
        order = make_order(
            inner, make_cart(inner, *(product.variants[0] for product in goods), quantity=2)
        )
        inner.commit()
        lines = {line.name: (line.vat_rate, line.vat_cents) for line in order.lines}
        total = order.vat_cents
        db.session.remove()

    assert lines == {"Radio": (16, 320_00), "Maize": (0, 0), "Book": (0, 0)}
    assert total == 320_00


@pytest.mark.row("N63")
def test_a_shop_outside_vat_charges_none(session: Session) -> None:
    order = make_order(session)
    session.commit()

    assert order.vat_cents == 0
    assert [line.vat_rate for line in order.lines] == [0]
