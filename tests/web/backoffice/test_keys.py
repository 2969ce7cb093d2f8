"""The desks by keyboard, in a real browser against the running product."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.world import Shop, World

ORDERS = 30


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    """A till's screen."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-KE")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, world: World, shop: Shop) -> str:
    base = f"http://localhost:{world.stack.port}"
    page.goto(f"{base}/sign-in?way=password")
    page.fill("#email", shop.people["owner"]["email"])
    page.fill("#password", shop.people["owner"]["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/dash/{shop.slug}/"))
    return f"{base}/staff/{shop.slug}"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.row("N69")
def test_thirty_orders_are_packed_and_given_out_by_keyboard(world: World, desk: Page) -> None:
    shop = world.open_shop(pay_on_delivery=True)
    for _ in range(ORDERS):
        world.shopper(shop).buy(pay="on_delivery")
    staff = sign_in(desk, world, shop)
    began = time.monotonic()

    desk.goto(f"{staff}/orders/")
    desk.keyboard.press("j")
    for left in range(ORDERS - 1, -1, -1):
        desk.keyboard.press("p")
        expect(desk.locator("#col-to_pack .board__head .number")).to_have_text(str(left))
    expect(desk.locator("#rail-orders")).to_have_text("")

    desk.goto(f"{staff}/dispatch/")
    desk.keyboard.press("j")
    desk.keyboard.press("a")
    expect(desk.locator(".give-bar__words")).to_contain_text(f"{ORDERS} picked")
    desk.keyboard.press("1")
    expect(desk.locator("#toasts")).to_contain_text(f"{ORDERS} orders go with Otieno")
    desk.get_by_role("button", name=f"Leaves with {ORDERS}").click()
    expect(desk.locator("#toasts")).to_contain_text(f"Otieno left with {ORDERS} orders")

    assert time.monotonic() - began < 180
    rows = world.sql(
        "SELECT status, count(*) FROM app.orders WHERE store_id = %s GROUP BY status", shop.store_id
    )
    assert [(row["status"], row["count"]) for row in rows] == [("dispatched", ORDERS)]


@pytest.mark.browser
def test_the_board_shows_a_new_order_by_itself(world: World, desk: Page) -> None:
    shop = world.open_shop(pay_on_delivery=True)
    staff = sign_in(desk, world, shop)
    desk.goto(f"{staff}/orders/")
    expect(desk.locator("#col-to_pack")).to_contain_text("Nothing to pack")

    bought = world.shopper(shop).buy(pay="on_delivery")

    expect(desk.locator("#col-to_pack")).to_contain_text(bought.code)
