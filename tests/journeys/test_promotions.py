"""A budget under a crowd: fifty phones press Pay at once on one code."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.ids import new_id
from tests.world import World

CROWD, ROOM = 50, 10
OFF_CENTS = 45_00  # 10 % of one tea at KES 450


@pytest.mark.row("N62", "N29")
@pytest.mark.slow
@pytest.mark.parametrize("limit", ["budget", "uses"])
def test_fifty_at_once_never_spend_more_than_the_budget(world: World, limit: str) -> None:
    shop = world.open_shop(stock=[1000])
    code_id = new_id()
    world.sql(
        "INSERT INTO app.promotions (store_id, id, kind, effect, name, code, percent, budget_cents,"
        " max_uses) VALUES (%s, %s, 'coupon', 'percent', 'Karibu', 'KARIBU', 10, %s, %s)",
        shop.store_id,
        code_id,
        ROOM * OFF_CENTS + 1_00 if limit == "budget" else None,
        ROOM if limit == "uses" else None,
    )

    def fill(_n: int) -> tuple[Any, dict[str, str]]:
        shopper = world.shopper(shop)
        shopper.add()
        shopper.post("/deliver-to", {"area": "kilimani", "next": "/cart"})
        used = shopper.post("/cart/code", {"code": "karibu"})
        assert used.status_code == 303, used.text[:500]
        return shopper, shopper.checkout_form(pay="on_delivery", code="")

    with ThreadPoolExecutor(4) as pool:
        ready = list(pool.map(fill, range(CROWD)))
    assert all(form["shown_total_cents"] == "65500" for _shopper, form in ready)
    together = threading.Barrier(CROWD)

    def press(shopper: Any, form: dict[str, str]) -> tuple[int, str]:
        together.wait()
        answer = shopper.post("/checkout", form)
        while answer.status_code == 503:  # every connection of the pool is in use: press again
            answer = shopper.post("/checkout", form)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(CROWD) as pool:
        answers = list(pool.map(press, *zip(*ready, strict=True)))

    assert Counter(status for status, _text in answers) == {303: ROOM, 422: CROWD - ROOM}
    assert all("used up" in text for status, text in answers if status == 422)
    [code] = world.sql("SELECT used, given_cents FROM app.promotions WHERE id = %s", code_id)
    assert (code["used"], code["given_cents"]) == (ROOM, ROOM * OFF_CENTS)
    [uses] = world.sql(
        "SELECT count(*) AS n, sum(given_cents)::bigint AS cents FROM app.promotion_uses"
        " WHERE promotion_id = %s AND released_at IS NULL",
        code_id,
    )
    assert (uses["n"], uses["cents"]) == (ROOM, ROOM * OFF_CENTS)
    [orders] = world.sql(
        "SELECT count(*) AS n, sum(discount_cents)::bigint AS cents FROM app.orders"
        " WHERE store_id = %s",
        shop.store_id,
    )
    assert (orders["n"], orders["cents"]) == (ROOM, ROOM * OFF_CENTS)
    [stock] = world.sql(
        "SELECT 1000 - on_hand AS gone, reserved FROM app.variants WHERE store_id = %s",
        shop.store_id,
    )
    assert (stock["gone"], stock["reserved"]) == (ROOM, 0)
