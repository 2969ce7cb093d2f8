"""A phone without a network: what still opens, which taps wait, and what never does.

Chromium's own worker and IndexedDB, the running product behind them, and SQL for what came of it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import Complaints, address, fill_checkout, plain, purchase_on
from tests.world import Shop, World, wait_for

pytestmark = pytest.mark.browser

# As when the page is left while it registers: Chromium says "Operation has been aborted".
REFUSED = (
    "navigator.serviceWorker.register = () => { window.wasAsked = true;"
    " return Promise.reject(new DOMException('Operation has been aborted', 'AbortError')); }"
)
NO_SYNC = "delete window.SyncManager; delete ServiceWorkerRegistration.prototype.sync;"


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


def install(page: Page, url: str) -> None:
    """Open a page and wait until the worker stands behind it."""
    page.goto(url)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    wait_for("the worker", lambda: page.evaluate("navigator.serviceWorker.controller !== null"))


def cut(page: Page, *, is_cut: bool = True) -> None:
    """Airplane mode, for the page and for its worker."""
    page.context.set_offline(is_cut)


def quantity(world: World, shop: Shop) -> list[tuple[str, int]]:
    """What lies in this shop's carts."""
    rows = world.sql(
        "SELECT v.sku, l.quantity FROM app.cart_lines l JOIN app.variants v ON (v.store_id, v.id) ="
        " (l.store_id, l.variant_id) WHERE l.store_id = %s ORDER BY 1, 2",
        shop.store_id,
    )
    return [(row["sku"], row["quantity"]) for row in rows]


def waiting(page: Page) -> int:
    """How many taps this phone keeps."""
    return int(
        page.evaluate(
            """() => new Promise((done) => { const open = indexedDB.open("taps", 1);
            open.onsuccess = () => { const all = open.result.transaction("taps").objectStore("taps").count();
            all.onsuccess = () => done(all.result, open.result.close()); };
            open.onupgradeneeded = () => open.result.createObjectStore("taps", { keyPath: "key" }); })"""
        )
    )


def order_on_the_web(page: Page, world: World, shop: Shop) -> Any:
    """Buy the first thing in this browser as far as the prompt."""
    shopper = world.shopper(shop)
    page.goto(address(world, shop, f"/p/{shop.variants[0]['slug']}"))
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#added")).to_contain_text("Added")
    page.goto(address(world, shop, "/cart"))
    page.goto(address(world, shop, "/checkout"))
    fill_checkout(page, shopper.phone)
    page.get_by_role("button", name=re.compile("Pay KES")).click()
    page.wait_for_url("**/o/*")
    return purchase_on(page, shopper)


@pytest.mark.row("T48")
def test_a_worker_that_does_not_register_harms_no_page(
    world: World, page: Page, shop: Shop
) -> None:
    complaints = Complaints()
    complaints.listen(page.context)
    page.add_init_script(REFUSED)
    page.goto(address(world, shop, "/"))
    page.locator(f"a[href='/p/{shop.variants[0]['slug']}']").first.click()
    wait_for("the browser to be asked", lambda: page.evaluate("window.wasAsked"))
    expect(page.get_by_role("button", name="Add to cart")).to_be_visible()
    assert complaints.lines == []


@pytest.mark.row("T48", "T73")
def test_in_airplane_mode_the_cart_the_last_order_and_seen_products_open(
    world: World, page: Page
) -> None:
    shop = world.open_shop()
    product = address(world, shop, f"/p/{shop.variants[1]['slug']}")
    install(page, product)
    page.goto(product)
    earlier = order_on_the_web(page, world, shop)
    world.answer(earlier.shopper.phone)
    earlier.wait("paid")
    page.goto(address(world, shop, earlier.path))
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    last = order_on_the_web(page, world, shop)
    world.answer(last.shopper.phone)
    last.wait("paid")
    page.goto(address(world, shop, f"/p/{shop.variants[1]['slug']}"))
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#added")).to_contain_text("Added")
    page.goto(address(world, shop, "/cart"))
    page.goto(address(world, shop, last.path))
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")

    cut(page)

    page.goto(address(world, shop, "/cart"))
    assert "Kericho tea no. 2" in page.inner_text("#cart-panel")
    page.goto(product)
    assert page.get_by_role("heading", name="Kericho tea no. 2").count() == 1
    page.goto(address(world, shop, last.path))
    said = plain(page.inner_text("#notices"))
    assert re.search(r"No answer now\. This is how it was at \d\d:\d\d", said)
    assert "KT-" in page.title()
    page.goto(address(world, shop, "/search?q=never+seen"))
    assert "not looked at before" in page.inner_text("#notices")
    # Only the last order is kept, however often the one before was looked at.
    page.goto(address(world, shop, earlier.path))
    assert "not looked at before" in page.inner_text("#notices")


@pytest.mark.row("T49", "T73")
@pytest.mark.parametrize("has_sync", [True, False], ids=["sync", "no-sync"])
def test_taps_without_a_network_count_once_when_it_is_back(
    world: World, page: Page, has_sync: bool
) -> None:
    """By Background Sync where the browser has it, else at the next page that is opened."""
    shop = world.open_shop()
    if not has_sync:
        page.add_init_script(NO_SYNC)
    product = address(world, shop, f"/p/{shop.variants[0]['slug']}")
    install(page, product)
    page.goto(product)
    cut(page)
    add = page.get_by_role("button", name="Add to cart")
    add.click()
    expect(page.locator("#notices")).to_contain_text("kept on your phone")
    add.click()
    wait_for("two taps wait", lambda: waiting(page) == 2)
    assert quantity(world, shop) == []

    cut(page, is_cut=False)
    if has_sync:
        client = page.context.new_cdp_session(page)
        found: list[str] = []
        client.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: found.extend(each["registrationId"] for each in event["registrations"]),
        )
        client.send("ServiceWorker.enable")
        wait_for("the registration", lambda: page.wait_for_timeout(100) or found)
        client.send(
            "ServiceWorker.dispatchSyncEvent",
            {
                "origin": address(world, shop, "").rstrip("/"),
                "registrationId": found[0],
                "tag": "taps",
                "lastChance": False,
            },
        )
    else:
        page.goto(product)
    wait_for(
        "both taps", lambda: page.wait_for_timeout(100) or quantity(world, shop) == [("TEA-1", 2)]
    )
    expect(page.locator("#notices")).to_contain_text("is in your cart")
    for _visit in range(2):
        page.goto(address(world, shop, "/cart"))
        page.wait_for_load_state("networkidle")
    assert waiting(page) == 0
    assert quantity(world, shop) == [("TEA-1", 2)]
    assert "Kericho tea no. 1" in page.inner_text("#cart-panel")


@pytest.mark.row("T50", "T73")
def test_an_answer_that_was_lost_is_not_a_second_tap(world: World, page: Page) -> None:
    """The shop took the tap and the network died before its answer: the key tells, and the cart is there."""
    shop = world.open_shop()
    page.add_init_script(NO_SYNC)
    product = address(world, shop, f"/p/{shop.variants[0]['slug']}")
    install(page, product)
    page.goto(product)
    cut(page)
    page.get_by_role("button", name="Add to cart").click()
    wait_for("the tap waits", lambda: waiting(page) == 1)
    tap = page.evaluate(
        """() => new Promise((done) => { const open = indexedDB.open("taps", 1);
        open.onsuccess = () => { const all = open.result.transaction("taps").objectStore("taps").getAll();
        all.onsuccess = () => done(all.result[0], open.result.close()); }; })"""
    )
    elsewhere = world.shopper(shop)
    first = elsewhere.post(
        "/cart/lines",
        headers={"Idempotency-Key": tap["key"], "Content-Type": tap["head"]["content-type"]},
        content=tap["body"],
    )
    assert first.status_code == 303
    assert quantity(world, shop) == [("TEA-1", 1)]

    cut(page, is_cut=False)
    page.goto(address(world, shop, "/"))
    expect(page.locator("#notices")).to_contain_text("in your cart already")
    assert quantity(world, shop) == [("TEA-1", 1)]
    page.goto(address(world, shop, "/cart"))
    assert "Kericho tea no. 1" in page.inner_text("#cart-panel")


@pytest.mark.row("T51", "T73")
def test_a_price_that_moved_meanwhile_is_shown_and_the_shopper_chooses(
    world: World, page: Page
) -> None:
    shop = world.open_shop()
    page.add_init_script(NO_SYNC)
    product = address(world, shop, f"/p/{shop.variants[0]['slug']}")
    install(page, product)
    page.goto(product)
    cut(page)
    page.get_by_role("button", name="Add to cart").click()
    wait_for("the tap waits", lambda: waiting(page) == 1)
    world.sql(
        "UPDATE app.variants SET price_cents = 52000 WHERE store_id = %s AND sku = 'TEA-1'",
        shop.store_id,
    )
    cut(page, is_cut=False)
    page.goto(address(world, shop, "/deliver-to"))

    expect(page.locator("#notices")).to_contain_text("is KES 520 now. You saw KES 450")
    assert quantity(world, shop) == []
    page.get_by_role("button", name="Add it anyway").click()
    page.wait_for_url("**/cart")
    assert quantity(world, shop) == [("TEA-1", 1)]


@pytest.mark.row("T51", "T73")
def test_stock_that_went_meanwhile_is_shown_and_nothing_is_added(world: World, page: Page) -> None:
    shop = world.open_shop()
    page.add_init_script(NO_SYNC)
    product = address(world, shop, f"/p/{shop.variants[2]['slug']}")
    install(page, product)
    page.goto(product)
    cut(page)
    page.get_by_role("button", name="Add to cart").click()
    wait_for("the tap waits", lambda: waiting(page) == 1)
    world.shopper(shop).buy(shop.variants[2])
    before = quantity(world, shop)
    cut(page, is_cut=False)
    page.goto(address(world, shop, "/"))

    expect(page.locator("#notices")).to_contain_text("was not added: This item is sold out.")
    assert quantity(world, shop) == before
    assert waiting(page) == 0


@pytest.mark.row("T49", "T73")
def test_paying_never_waits_and_asks_for_a_fresh_tap(world: World, page: Page) -> None:
    """From the order page by htmx, and from checkout by a plain form: no prompt without a new tap."""
    shop = world.open_shop()
    install(page, address(world, shop, "/"))
    bought = order_on_the_web(page, world, shop)
    world.answer(bought.shopper.phone, "cancel")
    pay = page.get_by_role("button", name=re.compile("^Pay KES"))
    expect(pay).to_be_visible()
    prompts = len(bought.attempts())

    cut(page)
    pay.click()
    expect(page.locator("#notices")).to_contain_text("Paying needs the network")
    assert waiting(page) == 0
    cut(page, is_cut=False)
    for _visit in range(2):
        page.goto(address(world, shop, bought.path))
        page.wait_for_load_state("networkidle")
    assert len(bought.attempts()) == prompts
    assert world.prompts(bought.shopper.phone) == []

    page.get_by_role("button", name=re.compile("^Pay KES")).click()
    world.answer(bought.shopper.phone)
    bought.wait("paid")


@pytest.mark.row("T49", "T73")
def test_ordering_without_a_network_orders_nothing_later(world: World, page: Page) -> None:
    shop = world.open_shop()
    shopper = world.shopper(shop)
    product = address(world, shop, f"/p/{shop.variants[0]['slug']}")
    install(page, product)
    page.goto(product)
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#added")).to_contain_text("Added")
    page.goto(address(world, shop, "/checkout"))
    fill_checkout(page, shopper.phone)
    cut(page)
    page.get_by_role("button", name=re.compile("Pay KES")).click()
    expect(page.locator("#notices")).to_contain_text("Paying needs the network")
    assert waiting(page) == 0
    cut(page, is_cut=False)
    page.goto(address(world, shop, "/"))
    page.wait_for_load_state("networkidle")

    assert world.sql("SELECT 1 FROM app.orders WHERE store_id = %s", shop.store_id) == []
    assert world.prompts(shopper.phone) == []


@pytest.mark.row("T48", "T73")
def test_another_shopper_on_the_same_phone_finds_no_page_of_the_first(
    world: World, page: Page
) -> None:
    shop = world.open_shop()
    install(page, address(world, shop, "/"))
    bought = order_on_the_web(page, world, shop)
    page.goto(address(world, shop, bought.path))
    kept = "caches.open('mine').then((c) => c.keys()).then((all) => all.map((k) => new URL(k.url).pathname))"
    wait_for("the order is kept", lambda: bought.path in page.evaluate(kept))

    page.goto(address(world, shop, "/me"))
    page.get_by_label("M-Pesa phone number").fill("0" + bought.shopper.phone[3:])
    page.get_by_role("button", name="Send me a code").click()

    wait_for("nothing personal is kept", lambda: page.evaluate(kept) == [])
    cut(page)
    page.goto(address(world, shop, bought.path))
    assert "not looked at before" in page.inner_text("#notices")
    assert bought.code not in page.content()
