"""Three prompts to a phone in ten minutes, also when they are asked for at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.cart.models import Cart
from app.domain.delivery.actions import serve_area
from app.domain.errors import TooManyTries
from app.domain.stores.models import Store
from tests.builders import make_cart, make_order, make_variant


@pytest.mark.row("N88")
def test_six_checkouts_at_once_send_one_phone_three_prompts(
    app: Flask, store: Store, session: Session
) -> None:
    tea = make_variant(session, stock=20)
    carts = [make_cart(session, tea).id for _ in range(6)]
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    session.commit()

    def order(cart_id: UUID) -> bool:
        with app.app_context(), inside_store(store.id):
            inner = db.session()
            try:
                make_order(inner, inner.get_one(Cart, (store.id, cart_id)), phone="0700111222")
                inner.commit()
            except TooManyTries:
                inner.rollback()
                return False
            finally:
                db.session.remove()
        return True

    with ThreadPoolExecutor(6) as pool:
        placed = list(pool.map(order, carts))

    assert placed.count(True) == 3
