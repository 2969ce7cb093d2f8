"""What only a browser can show: what fits the first view, what is fetched, what script does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy.orm import Session

from app.domain.catalog.actions import NewPicture, NewVariant
from app.domain.delivery.actions import serve_area
from app.domain.media.actions import StoredPicture, store_picture
from app.domain.stores.models import Store
from config import Settings
from tests.builders import make_product

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A phone, 360 by 640."""
    context = chromium.new_context(
        viewport={"width": 360, "height": 640}, device_scale_factor=2, locale="en-KE"
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


@pytest.fixture(scope="module")
def photos(app: Flask, settings: Settings) -> list[StoredPicture]:
    """One for each colour."""
    stored = []
    for colour in ("black", "red"):
        photo = Image.new("RGB", (1500, 1500), (226, 240, 234))
        ImageDraw.Draw(photo).ellipse((300, 300, 1200, 1200), fill=colour)
        stored.append(store_picture(photo, media_dir=settings.media_dir))
    return stored


@pytest.fixture
def address(session: Session, store: Store, photos: list[StoredPicture], port: int) -> str:
    """A product with two colours and a photo of each."""
    host = f"http://{store.slug}.localhost:{port}"
    pictures = [
        NewPicture(stored=stored, option_value=colour)
        for colour, stored in zip(("Black", "Red"), photos, strict=True)
    ]
    product = make_product(
        session,
        name="Digital sport watch, 50 m water resistant",
        options=["Colour"],
        pictures=pictures,
        variants=[
            NewVariant(sku="W-B", price_cents=1_850_00, options=["Black"], stock=7),
            NewVariant(sku="W-R", price_cents=1_950_00, options=["Red"], stock=0),
        ],
    )
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    slug = product.slug
    session.commit()
    return f"{host}/p/{slug}"


@pytest.mark.row("N36", "N37")
def test_add_to_cart_is_in_the_first_view_and_the_large_photo_waits_for_a_tap(
    page: Page, address: str
) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    button = page.get_by_role("button", name="Add to cart")
    box = button.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 640
    assert box["height"] >= 44
    assert not any(url.endswith("-1440.webp") for url in fetched)
    large = page.get_by_role("link", name="Large").first
    expect(large).to_contain_text("KB")
    with page.expect_request("**-1440.webp"):
        large.click()
    expect(page.locator("#large img")).to_be_visible()
    page.locator("#large").get_by_role("button", name="Close").click()
    expect(page.locator("#large")).to_be_hidden()


@pytest.mark.row("N39")
def test_a_tap_on_a_variant_changes_photo_price_and_stock_at_once(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("radio", name="Red").check(force=True)
    expect(page.locator("#price")).to_contain_text("1,950")
    expect(page.locator("#stock")).to_have_text("Sold out")
    expect(page.locator("#add")).to_be_disabled()
    expect(page.locator("#shot-2")).to_be_in_viewport()
    page.get_by_role("radio", name="Black").check(force=True)
    expect(page.locator("#add")).to_be_enabled()


@pytest.mark.row("N43", "W15")
def test_buying_with_script_is_one_swap_each_and_ends_on_the_exact_total(
    page: Page, address: str
) -> None:
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#added")).to_contain_text("Added")
    expect(page.locator("#cart-count").first).to_contain_text("1")
    page.get_by_role("link", name="View cart").click()
    page.get_by_role("button", name="One more").click()
    expect(page.locator("#cart-panel output")).to_have_text("2")
    page.get_by_role("link", name="Check out").click()
    page.locator("#area").select_option("kilimani")
    expect(page.locator("#pay")).to_contain_text("3,950")
    expect(page.locator("#area-note")).to_contain_text("250")
    assert problems == []


@pytest.mark.parametrize("path", ["/", "/search", "/cart", "/deliver-to", "/me", "product"])
def test_nothing_scrolls_sideways_at_320(page: Page, address: str, path: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(address if path == "product" else address.partition("/p/")[0] + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.fixture
def slow_htmx(page: Page) -> Iterator[list[Route]]:
    """htmx is asked for and does not come until the test lets it go on."""
    asked: list[Route] = []
    page.route("**/static/htmx.*.js", lambda route: asked.append(route))
    yield asked
    page.unroute_all(behavior="ignoreErrors")


def test_a_tap_before_htmx_is_there_is_kept_and_done_once(
    page: Page, address: str, slow_htmx: list[Route]
) -> None:
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    with page.expect_request("**/static/htmx.*.js"):
        page.goto(address)
    page.get_by_role("button", name="Add to cart").click()
    assert sent == []

    slow_htmx[0].continue_()

    expect(page.locator("#added")).to_contain_text("cart")
    assert page.url == address
    assert len(sent) == 1


def test_where_htmx_does_not_come_the_browser_does_what_was_tapped(
    page: Page, address: str, slow_htmx: list[Route]
) -> None:
    with page.expect_request("**/static/htmx.*.js"):
        page.goto(address)
    page.get_by_role("button", name="Add to cart").click()

    slow_htmx[0].abort()

    page.wait_for_url("**/cart")
    expect(page.get_by_text("Digital sport watch").first).to_be_visible()


def test_words_typed_before_htmx_is_there_are_looked_for(
    page: Page, address: str, slow_htmx: list[Route]
) -> None:
    with page.expect_request("**/static/htmx.*.js"):
        page.goto(address.partition("/p/")[0] + "/search")
    page.locator("#q").fill("digital")

    slow_htmx[0].continue_()

    expect(page.locator(".seek-list a").first).to_contain_text("Digital sport watch")


def test_htmx_is_asked_for_when_the_page_can_be_seen(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")

    times = page.evaluate(
        "() => [performance.getEntriesByType('resource').find((one) => /htmx/.test(one.name)).startTime,"
        " performance.getEntriesByType('navigation')[0].loadEventStart]"
    )

    assert times[0] >= times[1]
