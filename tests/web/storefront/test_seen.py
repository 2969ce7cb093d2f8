"""What a phone looked at lately: kept by the phone, shown from the shop's own cards."""

from __future__ import annotations

import brotli
import pytest
import rjsmin
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from app.domain.stores.models import Store
from app.web.assets import STATIC
from tests.browsing import address
from tests.builders import make_variant
from tests.web.storefront.conftest import Shopper, shopper_of
from tests.world import World


def test_only_goods_on_sale_of_this_shop_come_in_the_order_asked_for(
    app: Flask, client: Shopper, session: Session, theirs: Store
) -> None:
    for name in ("Tea", "Cup", "Tray"):
        make_variant(session, name=name)
    make_variant(session, name="Draft", status="draft")
    session.commit()

    answer = client.get("/seen?p=tray,draft,nothing,tea,tray")

    assert [answer.text.index(f'href="/p/{slug}"') for slug in ("tray", "tea")] == sorted(
        answer.text.index(f'href="/p/{slug}"') for slug in ("tray", "tea")
    )
    assert answer.text.count('href="/p/') == 2
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Set-Cookie" not in answer.headers
    assert 'href="/p/' not in shopper_of(app, theirs).get("/seen?p=tray,tea").text


@pytest.mark.parametrize(
    "asked",
    ["", "?p=", "?p=,,,", "?p=" + "a," * 3_000, "?p='%20OR%201=1", "?p=" + "%F0%9F%92%A9" * 50],
)
def test_junk_is_an_empty_piece(client: Shopper, asked: str) -> None:
    answer = client.get(f"/seen{asked}")

    assert answer.status_code in (200, 414)
    assert "<li>" not in answer.text


def test_at_most_eight_are_shown(client: Shopper, session: Session) -> None:
    for n in range(10):
        make_variant(session, name=f"Thing {n}")
    session.commit()

    answer = client.get("/seen?p=" + ",".join(f"thing-{n}" for n in range(10)))

    assert answer.text.count('href="/p/') == 8


@pytest.mark.row("M13")
def test_its_script_weighs_less_than_400_bytes() -> None:
    small = rjsmin.jsmin((STATIC / "js" / "store-seen.js").read_text())
    assert len(brotli.compress(small.encode(), quality=11)) <= 400


@pytest.mark.browser
def test_a_phone_remembers_by_itself_until_told_to_forget(world: World, page: Page) -> None:
    shop = world.open_shop()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    first, second = (f"/p/{variant['slug']}" for variant in shop.variants[:2])
    page.goto(address(world, shop, first))
    expect(page.locator("#seen")).to_be_empty()
    page.goto(address(world, shop, second))
    expect(page.get_by_role("heading", name="You looked at")).to_be_visible()
    assert page.locator("#seen .card a").evaluate_all("(all) => all.map((a) => a.pathname)") == [
        first
    ]

    for path in ("/", "/cart"):
        page.goto(address(world, shop, path))
        expect(page.locator("#seen .card a")).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#seen")).to_be_empty()
    assert page.evaluate("localStorage.length") == 0
    page.goto(address(world, shop, "/"))
    page.wait_for_load_state("networkidle")
    expect(page.locator("#seen")).to_be_empty()
    # The list travels only to ask for its cards, and the public pages are the same for everybody.
    assert {url.split("?")[0].rsplit("/", 1)[1] for url in asked if "?p=" in url} == {"seen"}
    assert "You looked at" not in world.shopper(shop).get("/").text
