"""VAT inside the price, line by line, to the cent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import bound_store, inside_store
from app.domain.catalog.actions import NewVariant
from app.domain.messaging.invoices import Paper, vat_parts
from app.domain.stores.models import Store
from app.money import format_kes
from tests.builders import make_cart, make_order, make_product, make_promotion


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
def test_an_invoice_splits_every_class_to_the_cent(
    app: Flask, session: Session, make_store: Callable[..., Store]
) -> None:
    """Odd prices and a discount: before VAT, VAT, zero-rated and exempt sum to what the goods cost."""
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
            ).variants[0]
            for name, vat, cents in (
                ("Radio", "standard", 1_999_00),
                ("Kettle", "standard", 333_00),
                ("Maize", "zero", 207_00),
                ("Book", "exempt", 99_00),
            )
        ]
        make_promotion(inner, percent=7)
        cart = make_cart(inner, *goods)
        cart.coupon_code = "KARIBU"
        order = make_order(inner, cart)
        inner.commit()
        parts = vat_parts(order)
        paper = Paper(inner.get_one(Store, registered.id), order)
        goods_cents = order.subtotal_cents - order.discount_cents
        of_order = order.vat_cents
        said = paper.as_text().replace("\u00a0", " ")
        db.session.remove()

    assert [(part.vat_class, part.rate) for part in parts] == [
        ("standard", 16),
        ("exempt", 0),
        ("zero", 0),
    ]
    assert order.discount_cents > 0
    assert sum(part.paid_cents for part in parts) == goods_cents
    assert sum(part.vat_cents for part in parts) == of_order > 0
    standard = parts[0]
    before = format_kes(standard.paid_cents - standard.vat_cents).replace("\u00a0", " ")
    vat = format_kes(standard.vat_cents).replace("\u00a0", " ")
    for words in (
        f"Before VAT of 16 %: {before}",
        f"VAT in it, 16 %: {vat}",
        "Zero-rated for VAT: KES",
        "Exempt from VAT: KES",
    ):
        assert words in said, said


@pytest.mark.row("N63")
def test_a_shop_outside_vat_charges_none(session: Session) -> None:
    order = make_order(session)
    session.commit()

    assert order.vat_cents == 0
    assert [(line.vat_class, line.vat_rate) for line in order.lines] == [("none", 0)]
    said = Paper(session.get_one(Store, bound_store()), order).as_text()
    assert "No VAT: the shop is not registered for it" in said
