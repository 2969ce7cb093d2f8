"""Three prompts to a phone in ten minutes, also when they are asked for at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.errors import TooManyTries
from app.domain.orders.models import Order
from app.domain.payments.actions import retry_payment
from app.domain.payments.locking import lock_payment
from app.domain.payments.sending import fail
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_token
from tests.builders import attempt_of, make_cart, make_order, make_variant


@pytest.mark.row("N88")
def test_six_orders_asking_one_phone_at_once_send_it_three_prompts(
    app: Flask, store: Store, session: Session
) -> None:
    tea = make_variant(session, stock=20)
    orders = []
    for n in range(6):
        order = make_order(session, make_cart(session, tea), phone=f"070011100{n}")
        payment = lock_payment(session, attempt_of(session, order).id)
        payment.attempt.move_to(AttemptStatus.SENDING)
        session.flush()
        fail(session, payment, code="1032", text="cancelled")
        orders.append(order.id)
    session.commit()
    together = Barrier(6)

    def ask(order_id: UUID) -> bool:
        with app.app_context(), inside_store(store.id):
            inner = db.session()
            order = inner.get_one(Order, (store.id, order_id))
            together.wait(10)
            try:
                retry_payment(inner, order, phone="0700999888", key=new_token())
                inner.commit()
            except TooManyTries:
                inner.rollback()
                return False
            finally:
                db.session.remove()
        return True

    with ThreadPoolExecutor(6) as pool:
        asked = list(pool.map(ask, orders))

    assert asked.count(True) == 3
