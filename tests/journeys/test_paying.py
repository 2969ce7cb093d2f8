"""The money path over HTTP against the running product and the sandbox: every way it can end."""

from __future__ import annotations

import pytest

from tests.world import Shop, World, wait_for


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


@pytest.mark.row("W18", "W47", "M2")
def test_a_shopper_pays_and_the_order_is_paid(world: World, shop: Shop) -> None:
    shopper = world.shopper(shop)
    purchase = shopper.buy()

    world.answer(shopper.phone)
    order = purchase.wait("paid")

    attempt = purchase.attempts()[-1]
    assert attempt["status"] == "succeeded"
    assert attempt["receipt"]
    assert order["total_cents"] == 450_00 + 250_00
    message = wait_for("a receipt", lambda: world.outbox(shopper.phone))[-1]
    assert attempt["receipt"] in message["text"]
