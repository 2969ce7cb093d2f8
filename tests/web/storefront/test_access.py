"""For everyone: axe on every screen of a shop in every state, and a keyboard from window to receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bench._wire import phone
from tests.browsing import address, fill_checkout, purchase_on
from tests.shop_window import Window
from tests.world import Purchase, World, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (320, 360, 1280)
ONLY_WRONG = {"resultTypes": ["violations"]}  # what is right need not be told
STANDARDS = ONLY_WRONG | {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
}
# By night the same elements have other colours: what axe says of colours is asked once more.
COLOURS = ONLY_WRONG | {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
}
DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
schemes = pytest.mark.parametrize("scheme", ["light", "dark"])


def inspect(page: Page, what: str) -> None:
    """Nothing for axe to find, at each width."""
    options = COLOURS if page.evaluate(DARK) else STANDARDS
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found = Axe().run(page, options=options).response["violations"]
        wrong = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]
        assert wrong == [], (what, width)


@schemes
def test_axe_finds_nothing_while_looking_around(
    chromium: Browser, window: Window, scheme: Any
) -> None:
    context = phone(chromium, color_scheme=scheme, reduced_motion="reduce", is_mobile=False)
    page = context.new_page()
    for path in ("/", "/c/shoes", "/c/shoes?max=1", "/search?q=shoes", "/search?q=zzzz", "/areas",
                 "/areas/kilimani", "/deliver-to", "/deliver-to?q=nowhere", "/me", "/cart",
                 window.product, "/p/nothing-here"):  # fmt: skip
        page.goto(window.host + path)
        page.wait_for_load_state("networkidle")
        inspect(page, path)
    page.goto(window.of("category"))
    page.locator(".filters > summary").click()
    inspect(page, "filters open")
    page.goto(window.of("product"))
    page.locator(".js-large").first.click()
    inspect(page, "large photo")
    page.keyboard.press("Escape")
    page.locator("#add").click()
    expect(page.locator("#added")).to_contain_text("Added")
    inspect(page, "added")
    page.goto(window.of("home"))
    expect(page.locator("#cart-bar .bar")).to_have_count(1)
    inspect(page, "home with a cart")
    page.goto(window.of("cart"))
    inspect(page, "cart with goods")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".toast")).to_be_visible()
    inspect(page, "cart just emptied")
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_role("button", name="Remove")).to_be_visible()
    page.goto(window.of("checkout"))
    inspect(page, "checkout")
    page.locator("#pay").click()
    expect(page.locator(".wrong").first).to_be_visible()
    inspect(page, "checkout with mistakes")
    page.goto(window.of("home"))
    page.get_by_role("button", name="Turn photos off").click()
    for name in ("home", "category", "product"):
        page.goto(window.of(name))
        inspect(page, f"{name} without photos")
    context.close()


@schemes
def test_axe_finds_nothing_in_any_state_of_an_order(
    world: World, chromium: Browser, scheme: Any
) -> None:
    shop = world.open_shop(stock=[50])
    context = phone(chromium, color_scheme=scheme, reduced_motion="reduce", is_mobile=False)
    page = context.new_page()
    faults = ("cancel", "wrong_pin", "low_balance", "expired")
    for fault in faults:
        shopper = world.shopper(shop)
        world.faults(msisdn=shopper.phone, auto=fault, after_s=0.2)
        order = shopper.buy()
        wait_for("the end", lambda order=order: order.attempts()[-1]["status"] == "failed")
        page.goto(address(world, shop, order.path))
        inspect(page, fault)
        page.locator(".other summary").first.click()
        inspect(page, f"{fault}, other ways")
    shopper = world.shopper(shop)
    page.goto(address(world, shop, f"/p/{shop.variants[0]['slug']}"))
    page.locator("#add").click()
    expect(page.locator("#added")).to_contain_text("Added")
    page.goto(address(world, shop, "/checkout"))
    fill_checkout(page, shopper.phone)
    expect(page.locator("#pay")).not_to_contain_text("and delivery")
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    expect(page.locator("#payment")).to_have_attribute("data-kind", "on_phone")
    inspect(page, "on the phone")
    world.answer(shopper.phone)
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    inspect(page, "paid")
    page.reload()
    inspect(page, "paid, again")
    later = world.shopper(shop).buy(pay="on_delivery")
    page.goto(address(world, shop, later.path))
    inspect(page, "pay on delivery")
    context.close()


@pytest.mark.row("N1")
def test_a_keyboard_is_enough_from_the_window_to_the_receipt(
    world: World, chromium: Browser
) -> None:
    shop = world.open_shop(stock=[50])
    context = phone(chromium, is_mobile=False, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    shopper = world.shopper(shop)
    page.goto(address(world, shop))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    step(page, lambda: is_on(page, "main a[href^='/p/']"))
    page.wait_for_url("**/p/**")
    step(page, lambda: is_on(page, "#add"))
    expect(page.get_by_role("link", name="View cart")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/cart")
    step(page, lambda: is_on(page, "a[href='/checkout']"))
    page.wait_for_url("**/checkout")
    step(page, lambda: is_on(page, "input[type=tel]"), press="")
    page.keyboard.type("0" + shopper.phone[3:])
    step(page, lambda: is_on(page, "#area"), press="")
    page.keyboard.type("Kili")
    step(page, lambda: is_on(page, "textarea"), press="")
    page.keyboard.type("Blue gate opposite the school")
    expect(page.locator("#pay")).not_to_contain_text("and delivery")
    step(page, lambda: is_on(page, "#pay"))
    page.wait_for_url("**/o/*")
    expect(page.locator("#payment")).to_have_attribute("data-kind", "on_phone")
    world.answer(shopper.phone)
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    order: Purchase = purchase_on(page, shopper)
    order.wait("paid")
    context.close()


def is_on(page: Page, selector: str) -> bool:
    """Whether what has the focus is this, with a ring around it that one can see."""
    return bool(
        page.evaluate(
            "(wanted) => { const one = document.activeElement; return one.matches(wanted) &&"
            " getComputedStyle(one).outlineStyle !== 'none'; }",
            selector,
        )
    )


def step(page: Page, is_there: Callable[[], bool], *, press: str = "Enter") -> None:
    """Tab until it is reached, then press."""
    for _ in range(60):
        if is_there():
            break
        page.keyboard.press("Tab")
    assert is_there(), page.evaluate("document.activeElement.outerHTML")
    if press:
        page.keyboard.press(press)
