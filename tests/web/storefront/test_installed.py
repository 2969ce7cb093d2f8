"""A shop as an app: its manifest, icons and worker, and what Chromium says about installing it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import brotli
import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.domain.media.icons import first_letter
from app.domain.stores.models import Store
from app.domain.stores.settings_logo import keep_logo
from config import Settings
from tests.browsing import address, fill_checkout, purchase_on
from tests.web.backoffice.conftest import platform_client
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import World

WORKER_BYTES = 3 * 1024


def facts(client: Shopper) -> dict[str, object]:
    answer = client.get("/manifest.webmanifest")
    assert answer.content_type.startswith("application/manifest+json")
    found: dict[str, object] = json.loads(answer.data)
    return found


def drawn(client: Shopper, path: str) -> Image.Image:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    return Image.open(io.BytesIO(answer.data))


@pytest.mark.row("W1")
def test_each_shop_is_an_app_of_its_own(app: Flask, make_store: Callable[..., Store]) -> None:
    tea = shopper_of(app, make_store(name="Chai Bora Stores Nairobi", colour_hue=150))
    watches = shopper_of(app, make_store(name="Saa Poa", colour_hue=20))

    one, two = facts(tea), facts(watches)

    assert (one["name"], one["short_name"]) == ("Chai Bora Stores Nairobi", "Chai Bora")
    assert (two["name"], two["short_name"]) == ("Saa Poa", "Saa Poa")
    assert (one["start_url"], one["scope"], one["display"], one["lang"]) == (
        "/",
        "/",
        "standalone",
        "en",
    )
    icons = [(icon["sizes"], icon["purpose"]) for icon in one["icons"]]  # type: ignore[attr-defined]
    assert icons == [
        ("192x192", "any"),
        ("512x512", "any"),
        ("192x192", "maskable"),
        ("512x512", "maskable"),
    ]
    colours = []
    for client in (tea, watches):
        for icon in facts(client)["icons"]:  # type: ignore[attr-defined]
            picture = drawn(client, icon["src"])
            assert f"{picture.width}x{picture.height}" == icon["sizes"]
            colours.append(picture.convert("RGB").getpixel((picture.width // 2, 20)))
    assert len(set(colours)) == 2
    assert set(colours[:4]) != set(colours[4:])
    home = tea.get("/").text
    assert '<link rel="manifest" href="/manifest.webmanifest">' in home
    assert re.search(r'<link rel="apple-touch-icon" href="/icon-180\.png\?v=[0-9a-f]{8}">', home)
    assert drawn(tea, "/icon-180.png").size == (180, 180)
    assert tea.get("/icon-5000.png").status_code == 404


def test_a_logo_is_the_icon(
    session: Session, client: Shopper, store: Store, settings: Settings
) -> None:
    before = client.get("/icon-192.png").data
    picture = Image.new("RGB", (300, 200), (200, 30, 30))
    data = io.BytesIO()
    picture.save(data, "PNG")
    logo = keep_logo(data.getvalue(), media_dir=settings.media_dir)
    session.execute(update(Store).where(Store.id == store.id).values(logo=logo))
    session.commit()

    icon = drawn(client, "/icon-192.png").convert("RGB")

    assert client.get("/icon-192.png").data != before
    red, green, _blue = icon.getpixel((96, 96))  # type: ignore[misc]
    assert red > 150 > green


@pytest.mark.parametrize(
    ("name", "letter"),
    [("mama mboga", "M"), ("“Duka” 7", "D"), ("7 Eleven", "7"), ("عطار", "ع"), ("🙂🙂", "*")],
)
def test_an_icon_has_the_first_letter_of_any_name(name: str, letter: str) -> None:
    assert first_letter(name) == letter


@pytest.mark.row("T48")
def test_the_worker_is_small_and_keeps_nothing_that_is_somebody_elses(
    app: Flask, client: Shopper
) -> None:
    desk = platform_client(app)
    for answer, scope in ((client.get("/sw.js"), "/"), (desk.get("/desk-sw.js"), "/staff/")):
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/javascript")
        assert answer.headers["Service-Worker-Allowed"] == scope
        assert "no-cache" in answer.headers["Cache-Control"]
        assert b"CONFIG" not in answer.data
        assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]
    for browser, path in ((client, "/sw.js"), (desk, "/desk-sw.js")):
        sent = browser.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert sent.headers["Content-Encoding"] == "br"
        assert len(sent.data) < WORKER_BYTES
        assert brotli.decompress(sent.data) == browser.get(path).data
    for page in (client.get("/offline"), desk.get("/desk-offline")):
        assert page.status_code == 200
        assert 'id="notices"' in page.text
        assert "csrf" not in page.text
    again = client.get("/sw.js", headers={"If-None-Match": client.get("/sw.js").headers["ETag"]})
    assert again.status_code == 304
    sw = client.get("/sw.js", headers={"Accept-Language": "sw"})
    assert sw.headers["Content-Language"] == "sw"


def test_pages_of_one_person_say_whose_they_are_and_no_more(client: Shopper) -> None:
    first = client.get("/cart").headers["X-Whose"]
    assert re.fullmatch(r"[0-9a-f]{12}", first)
    assert client.get("/cart").headers["X-Whose"] == first
    client.set_cookie("__Host-shopper", "a" * 32, domain=client.host, secure=True)
    second = client.get("/cart").headers["X-Whose"]
    assert second != first
    assert "aaaa" not in second
    assert "X-Whose" not in client.get("/").headers


@pytest.mark.browser
@pytest.mark.row("W1")
def test_chromium_finds_nothing_against_installing_it(world: World, whole_page: Page) -> None:
    """Its own report, as Android's Install button asks it; the stand-in for a phone in the hand."""
    shop = world.open_shop(name="Chai Bora")
    whole_page.goto(address(world, shop))
    client = whole_page.context.new_cdp_session(whole_page)

    report = client.send("Page.getAppManifest")
    errors = client.send("Page.getInstallabilityErrors")["installabilityErrors"]

    assert report["errors"] == []
    # A profile that leaves nothing behind cannot install anything: the one thing a test has against it.
    assert [each["errorId"] for each in errors if each["errorId"] != "in-incognito"] == []
    told = json.loads(report["data"])
    assert (told["name"], told["display"]) == ("Chai Bora", "standalone")
    assert client.send("Page.getAppId")["appId"].startswith(address(world, shop))


@pytest.mark.browser
@pytest.mark.row("W1")
def test_the_whole_way_to_an_order_works_without_a_script(world: World, chromium: Browser) -> None:
    shop = world.open_shop()
    shopper = world.shopper(shop)
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 360, "height": 740}
    )
    page = context.new_page()
    page.goto(address(world, shop))
    page.get_by_role("link", name=re.compile("Kericho tea no. 1")).first.click()
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="Check out").click()
    fill_checkout(page, shopper.phone)
    page.get_by_role("button", name="Update the fee").click()
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    world.answer(shopper.phone)
    purchase_on(page, shopper).wait("paid")
    page.reload()
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    context.close()
