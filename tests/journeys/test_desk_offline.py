"""A packer without a network: the list opens, marks wait, and the first of two people is right."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsing import Complaints
from tests.journeys.test_offline import NO_SYNC, REFUSED, cut, waiting
from tests.journeys.test_shopping import sign_in
from tests.world import Purchase, Shop, World, wait_for

pytestmark = pytest.mark.browser


def paid_order(world: World, shop: Shop) -> Purchase:
    shopper = world.shopper(shop)
    order = shopper.buy()
    world.answer(shopper.phone)
    order.wait("paid")
    return order


def desk(page: Page, world: World, shop: Shop, role: str) -> str:
    """Sign in and open the board with the worker behind it; its address."""
    sign_in(page, world, shop, role)
    board = f"{world.stack.base_url}/staff/{shop.slug}/orders/"
    page.goto(board)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.goto(board)
    wait_for("the worker", lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    page.goto(board)
    return board


@pytest.mark.row("T48")
def test_a_worker_that_does_not_register_harms_no_list(world: World, page: Page) -> None:
    shop = world.open_shop()
    complaints = Complaints()
    complaints.listen(page.context)
    page.add_init_script(REFUSED)
    sign_in(page, world, shop, "packer")
    page.goto(f"{world.stack.base_url}/staff/{shop.slug}/orders/")
    wait_for("the browser to be asked", lambda: page.evaluate("window.wasAsked"))
    expect(page.locator("#col-to_pack")).to_be_visible()
    assert complaints.lines == []


@pytest.mark.row("T48", "T50", "T73")
def test_the_list_to_pack_opens_and_a_mark_made_on_it_is_sent_once(
    world: World, page: Page
) -> None:
    shop = world.open_shop()
    order = paid_order(world, shop)
    page.add_init_script(NO_SYNC)
    board = desk(page, world, shop, "packer")
    expect(page.locator("#col-to_pack")).to_contain_text(order.code)

    cut(page)
    page.goto(board)
    said = page.inner_text("#notices")
    assert re.search(r"This is how it was at \d\d:\d\d", said)
    card = page.locator("#col-to_pack [data-row]").filter(has_text=order.code)
    expect(card).to_be_visible()
    card.get_by_role("button", name="Mark packed").click()
    expect(page.locator("#notices")).to_contain_text("kept on your phone")
    page.evaluate("document.getElementById('notices').replaceChildren()")
    card.get_by_role("button", name="Mark packed").click()
    expect(page.locator("#notices")).to_contain_text("kept on your phone")
    assert waiting(page) == 1  # the same mark twice is one
    assert order.order()["status"] == "paid"

    cut(page, is_cut=False)
    page.goto(board)
    wait_for("packed", lambda: page.wait_for_timeout(100) or order.order()["status"] == "packed")
    expect(page.locator("#notices")).to_contain_text(f"{order.code} is packed.")
    for _visit in range(2):
        page.goto(board)
        page.wait_for_load_state("networkidle")
    events = world.sql(
        "SELECT 1 FROM app.order_events WHERE store_id = %s AND order_id = %s AND kind = 'packed'",
        shop.store_id,
        order.row["id"],
    )
    assert len(events) == 1
    assert waiting(page) == 0


@pytest.mark.row("T51", "T73")
def test_the_second_of_two_people_sees_what_the_first_did_and_nothing_is_lost(
    world: World, page: Page, chromium: Browser
) -> None:
    shop = world.open_shop()
    order = paid_order(world, shop)
    page.add_init_script(NO_SYNC)
    board = desk(page, world, shop, "packer")
    cut(page)
    card = page.locator("#col-to_pack [data-row]").filter(has_text=order.code)
    card.get_by_role("button", name="Mark packed").click()
    wait_for("the mark waits", lambda: waiting(page) == 1)

    context = chromium.new_context()
    other = context.new_page()
    sign_in(other, world, shop, "owner")
    other.goto(f"{world.stack.base_url}/staff/{shop.slug}/orders/")
    other.locator("#col-to_pack [data-row]").filter(has_text=order.code).get_by_role(
        "button", name="Mark packed"
    ).click()
    wait_for("packed", lambda: other.wait_for_timeout(100) or order.order()["status"] == "packed")
    context.close()
    version = order.order()["version"]

    cut(page, is_cut=False)
    page.goto(board)
    expect(page.locator("#notices")).to_contain_text(
        f"{order.code} was just changed by Owner wa Duka"
    )
    expect(page.locator("#notices")).to_contain_text("Nothing was done twice")
    assert (order.order()["status"], order.order()["version"]) == ("packed", version)
    assert waiting(page) == 0


@pytest.mark.row("T48", "T73")
def test_signing_out_leaves_no_list_on_the_phone(world: World, page: Page) -> None:
    shop = world.open_shop()
    order = paid_order(world, shop)
    board = desk(page, world, shop, "packer")
    expect(page.locator("#col-to_pack")).to_contain_text(order.code)
    wait_for("the list is kept", lambda: page.evaluate("caches.has('mine')"))

    page.goto(f"{world.stack.base_url}/staff/{shop.slug}/more")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in*")

    assert page.evaluate("caches.has('mine')") is False
    cut(page)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        page.goto(board)
