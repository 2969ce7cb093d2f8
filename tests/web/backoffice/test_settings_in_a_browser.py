"""Settings in a real browser: saved in place, guarded while unsaved, read by a shopper at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browsing import address
from tests.world import Shop, World


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """An owner's phone."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="en-KE")
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
    return f"{base}/dash/{shop.slug}"


@pytest.mark.browser
@pytest.mark.row("N99")
def test_a_screen_is_saved_in_place_signed_and_guarded(world: World, phone: Page) -> None:
    shop = world.open_shop()
    dash = sign_in(phone, world, shop)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    phone.on("dialog", stay)
    phone.goto(f"{dash}/settings/shop")
    phone.get_by_label("Place", exact=True).fill("Imenti House, 2nd floor")
    expect(phone.get_by_text("Not saved yet")).to_be_visible()
    phone.get_by_role("link", name="Back to settings").click()
    assert asked == ["beforeunload"]
    expect(phone.get_by_label("Place", exact=True)).to_have_value("Imenti House, 2nd floor")

    phone.get_by_label("Place", exact=True).press("Enter")

    expect(phone.locator("#toasts")).to_contain_text("Saved. Shoppers see it now.")
    expect(phone.locator(".last-change")).to_contain_text("Changed by Owner wa Duka")
    expect(phone.get_by_text("Not saved yet")).to_be_hidden()
    phone.get_by_label("Days to return goods").fill("ten")
    phone.get_by_role("button", name="Save").click()
    expect(phone.locator("#return_days-wrong")).to_be_visible()
    expect(phone.get_by_label("Days to return goods")).to_have_value("ten")
    phone.get_by_label("Days to return goods").fill("7")
    phone.get_by_role("button", name="Save").click()
    expect(phone.locator("#return_days-wrong")).to_have_count(0)
    phone.get_by_role("link", name="Back to settings").click()
    expect(phone.get_by_role("heading", name="Settings")).to_be_visible()
    assert asked == ["beforeunload"]

    phone.goto(address(world, shop))
    expect(phone.locator(".foot")).to_contain_text("Imenti House, 2nd floor")


@pytest.mark.browser
def test_parts_of_a_page_are_moved_and_a_row_of_areas_is_saved_by_thumb(
    world: World, phone: Page
) -> None:
    shop = world.open_shop()
    dash = sign_in(phone, world, shop)
    phone.goto(f"{dash}/settings/pages/about/edit")
    phone.get_by_role("button", name="Heading", exact=True).click()
    phone.get_by_label("Heading", exact=True).fill("Since 2009")
    last = phone.locator(".block").count()
    for place in range(last, 1, -1):
        phone.get_by_role("button", name=f"Move part {place} up").click()
        expect(phone.locator(".block").nth(place - 2).locator("b").first).to_have_text("Heading")
    phone.get_by_label("Show it to shoppers").check()
    phone.get_by_role("button", name="Save").click()
    expect(phone.locator("#toasts")).to_contain_text("Saved.")

    phone.goto(f"{dash}/areas/")
    phone.get_by_role("link", name="Edit Kilimani").click()
    phone.get_by_label("Your own names for it").fill("Mabafu")
    phone.get_by_label("Smallest order, KES").fill("500")
    phone.locator("form.area-form").get_by_role("button", name="Save").click()
    expect(phone.locator("#toasts")).to_contain_text("Kilimani is saved.")
    expect(phone.locator(".last-change")).to_contain_text("Changed by Owner wa Duka")
    phone.get_by_label("Place as a shopper types it").fill("mabafu")
    phone.get_by_role("button", name="Show", exact=True).click()
    expect(phone.locator("#sight")).to_contain_text("Kilimani")

    phone.goto(address(world, shop, "/pages/about"))
    expect(phone.locator("main h2").first).to_have_text("Since 2009")


@pytest.mark.browser
def test_axe_finds_nothing_wrong_with_any_screen(world: World, chromium: Browser) -> None:
    shop = world.open_shop()
    context = chromium.new_context(viewport={"width": 320, "height": 640}, reduced_motion="reduce")
    page = context.new_page()
    dash = sign_in(page, world, shop)
    terms = world.sql(
        "SELECT id FROM app.delivery_areas WHERE store_id = %s LIMIT 1", shop.store_id
    )[0]["id"]
    for path in (
        "settings/",
        "settings/shop",
        "settings/hours",
        "settings/theme",
        "settings/pause",
        "settings/pages/",
        "settings/pages/returns/edit",
        "settings/pages/returns/preview",
        f"areas/?edit={terms}&place=kile",
        "areas/bulk?band=B&do=more&amount=50",
    ):
        page.goto(f"{dash}/{path}")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    page.emulate_media(color_scheme="dark")
    for path in ("settings/theme", "settings/pages/returns/edit"):
        page.goto(f"{dash}/{path}")
        assert violations(page) == [], path
    context.close()


def violations(page: Page) -> list[tuple[str, list[str]]]:
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:150] for node in each["nodes"]]) for each in found]
