"""What the shop may cost a shopper's data bundle: counted by Chromium, page by page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from app.web.assets import DIST, manifest
from bench._wire import Fetched, Wire, phone, total
from tests.shop_window import Window
from tests.world import wait_for

pytestmark = pytest.mark.browser

KIB = 1024
FIRST_ROUND_TRIP = 14_336  # bytes of HTML with its style, compressed
WITHOUT_PHOTOS = 30_000
THUMB = 12_000
NODES_A_PAGE = 200  # of a list of 24, all photos shown


def fill_cart(context: BrowserContext, window: Window) -> None:
    page = context.new_page()
    page.goto(window.of("product"))
    page.locator("#add").click()
    expect(page.locator("#added")).to_contain_text("Added")
    page.close()


def printed(context: BrowserContext, url: str, *, script: bool) -> float:
    """The weight in the page's foot, in bytes: as the server wrote it, or as a browser shows it."""
    page = context.pages[-1]
    words = page.locator("#weight").inner_text() if script else ""
    if not script:
        text = page.evaluate("async (url) => (await fetch(url)).text()", url)
        found = re.search(r'id="weight">([^<]+)<', text)
        words = found.group(1) if found else ""
    number = re.search(r"[0-9.]+", words)
    assert number, words
    return float(number[0]) * 1000


@pytest.mark.row("N1", "I7")
@pytest.mark.parametrize(
    "name", ["home", "category", "product", "cart", "checkout", "areas/kilimani"]
)
def test_a_first_visit_fits_its_budgets_and_the_foot_tells_the_truth(
    chromium: Browser, window: Window, name: str
) -> None:
    context = phone(chromium)
    if name in ("cart", "checkout"):
        # A cart needs cookies, but the visit that is measured begins with an empty cache.
        with_cart = phone(chromium)
        fill_cart(with_cart, window)
        context.add_cookies(with_cart.cookies())  # type: ignore[arg-type]
        with_cart.close()
    page = context.new_page()
    found = Wire(page).view(window.of(name))
    by_kind = {one.kind for one in found}
    html = [one for one in found if one.kind == "html"]

    assert by_kind <= {"html", "js", "photo", "fragment"}, found
    assert len(html) == 1
    assert html[0].body <= FIRST_ROUND_TRIP
    assert total(found, "js") <= 18 * KIB
    assert total(found, "html", "js", "fragment", "other") <= WITHOUT_PHOTOS
    if name != "product":  # whose first photo is no thumbnail
        assert all(one.size <= THUMB for one in found if one.kind == "photo"), found
    most, requests = {
        "product": (60 * KIB, 8),
        "checkout": (26 * KIB, 4),
    }.get(name, (100 * KIB, 14))
    assert total(found) <= most, found
    assert len(found) <= requests, found
    measured = total(found)
    assert printed(context, window.of(name), script=True) == pytest.approx(measured, rel=0.05)
    assert printed(context, window.of(name), script=False) == pytest.approx(measured, rel=0.05)
    context.close()


@pytest.mark.row("T1")
def test_the_scripts_of_the_whole_buying_path_are_small() -> None:
    files = manifest()
    own, all_of_it = (
        sum((DIST / f"{files[name]}.br").stat().st_size for name in names)
        for names in (["store.js"], ["store.js", "htmx.js"])
    )
    zipped = sum((DIST / f"{files[name]}.gz").stat().st_size for name in ("store.js", "htmx.js"))
    assert own <= 3 * KIB
    assert all_of_it <= 18 * KIB
    assert zipped <= 20 * KIB


@pytest.mark.row("N1")
def test_the_next_page_of_a_visit_fetches_no_file_again(
    mobile: BrowserContext, window: Window
) -> None:
    page = mobile.new_page()
    wire = Wire(page)
    wire.view(window.of("home"))
    for name in ("category", "product", "areas/kilimani"):
        found = wire.view(window.of(name))
        assert "js" not in {one.kind for one in found}, found
        assert total(found, "html") <= 10 * KIB
    for name in ("store.js", "htmx.js"):
        policy = page.evaluate(
            "async (url) => (await fetch(url)).headers.get('cache-control')",
            f"/static/{manifest()[name]}",
        )
        assert "immutable" in policy


@pytest.mark.row("N6")
def test_a_second_view_of_a_product_fetches_no_asset(
    mobile: BrowserContext, window: Window
) -> None:
    page = mobile.new_page()
    wire = Wire(page)
    first = wire.view(window.of("product"))
    assert {"js", "photo"} <= {one.kind for one in first}

    second = wire.view(window.of("product"))

    assert {one.kind for one in second} <= {"html", "fragment"}, second


@pytest.mark.row("I7")
@pytest.mark.parametrize("how", ["switch", "save-data"])
def test_without_photos_no_image_byte_is_asked_for_until_a_tap(
    chromium: Browser, window: Window, how: str
) -> None:
    save = {"extra_http_headers": {"Save-Data": "on"}} if how == "save-data" else {}
    # What the worker behind the pages fetches is not what the wire of a page sees.
    context = phone(chromium, service_workers="block", **save)
    page = context.new_page()
    wire = Wire(page)
    if how == "switch":
        page.goto(window.of("category"))
        page.get_by_role("button", name="Turn photos off").click()
        page.wait_for_url("**/c/shoes")  # back where one was
        expect(page.get_by_role("button", name="Turn photos on")).to_be_visible()
    for name in ("home", "category", "product", "areas/kilimani"):
        found = wire.view(window.of(name))
        page.mouse.wheel(0, 3_000)
        wait_for("the page to move", lambda: page.evaluate("scrollY > 0"))
        found = wire.settle()
        assert not [one for one in found if one.kind == "photo"], found
        assert total(found) <= WITHOUT_PHOTOS
        printed_now = printed(context, window.of(name), script=True)
        assert printed_now == pytest.approx(total(found), rel=0.05, abs=150)
    wire.view(window.of("category"))
    tap = page.locator(".js-photo").first
    said = int(re.search(r"(\d+) KB", tap.inner_text()).group(1))  # type: ignore[union-attr]
    before = len(wire.so_far())
    tap.click()
    expect(page.locator(".card .pic img").first).to_be_visible()
    fetched: list[Fetched] = wire.settle()[before:]
    assert [one.kind for one in fetched] == ["photo"]
    assert fetched[0].body / 1000 <= said <= fetched[0].body / 1000 + 1
    assert page.url.endswith("/c/shoes")
    context.close()


@pytest.mark.row("T71", "T72")
@pytest.mark.parametrize("name", ["home", "category", "product"])
def test_photos_come_in_time_and_move_nothing(
    mobile: BrowserContext, window: Window, name: str
) -> None:
    page = mobile.new_page()
    page.add_init_script(
        "self.moved = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) moved += one.value; }).observe({type: 'layout-shift', buffered: true});"
        "new PerformanceObserver((list) => { self.largest = list.getEntries().at(-1).url; })"
        ".observe({type: 'largest-contentful-paint', buffered: true})"
    )
    wire = Wire(page)
    wire.view(window.of(name))
    at_first = sum(one.kind == "photo" for one in wire.so_far())
    preload = page.locator("link[rel=preload][as=image]")
    assert preload.count() == 1
    assert preload.get_attribute("fetchpriority") == "high"
    largest = page.evaluate("self.largest")
    assert not largest or any(one.url == largest for one in wire.so_far())
    first = page.locator("main img[fetchpriority=high]").first
    assert first.get_attribute("loading") is None
    expect(first).to_be_in_viewport()
    for step in range(12):
        page.mouse.wheel(0, 400)
        page.wait_for_function(
            "(y) => scrollY >= y || scrollY + innerHeight >= document.body.scrollHeight - 1",
            arg=400 * (step + 1) - 1,
        )
    wire.settle()
    assert sum(one.kind == "photo" for one in wire.so_far()) > at_first
    assert page.locator(".later").count() == 0
    if name == "category":
        assert page.locator(".grid img").count() == 24
        assert page.locator(".grid, .grid *").count() <= NODES_A_PAGE
    bare = page.locator("main img:not([width]), main img:not([height])")
    assert bare.count() == 0
    assert page.evaluate("self.moved") == 0
