"""The grid of goods in a real browser: arrows, Enter and Escape, and a form that is not lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.backoffice.test_keys import sign_in
from tests.world import World


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    """A till's screen."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-KE")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.row("N56", "N40")
def test_prices_are_typed_down_the_column_and_a_form_asks_before_it_is_left(
    world: World, desk: Page
) -> None:
    shop = world.open_shop()
    base = sign_in(desk, world, shop).replace("/staff/", "/dash/")
    desk.goto(f"{base}/products/")
    first, second, third = (
        desk.get_by_role("textbox", name=f"Price, KES Kericho tea no. {n}", exact=True)
        for n in (1, 2, 3)
    )

    first.focus()
    desk.keyboard.press("ArrowDown")
    expect(second).to_be_focused()
    desk.keyboard.type("777")
    desk.keyboard.press("Escape")
    expect(second).to_have_value("550")
    first.fill("495")
    first.press("Enter")
    expect(desk.locator("#toasts")).to_contain_text("Kericho tea no. 1 costs KES")
    expect(second).to_be_focused()
    desk.keyboard.type("12.50")
    desk.keyboard.press("Enter")
    refused = desk.locator("tr", has=desk.get_by_role("alert"))
    expect(refused).to_contain_text("A price is whole shillings")
    expect(second).to_have_value("12.50")
    expect(third).to_have_value("650")
    prices = world.sql(
        "SELECT sku, price_cents FROM app.variants WHERE store_id = %s ORDER BY sku", shop.store_id
    )
    assert [row["price_cents"] for row in prices] == [495_00, 550_00, 650_00]

    desk.locator("[data-open]").first.click()
    desk.get_by_label("Name", exact=True).fill("Half-written")
    asked: list[str] = []
    desk.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    desk.get_by_role("link", name="Back to products").click()
    desk.wait_for_function("() => true")
    expect(desk.get_by_label("Name", exact=True)).to_have_value("Half-written")
    assert asked == ["beforeunload"]
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.locator("#toasts")).to_contain_text("Half-written is saved.")
