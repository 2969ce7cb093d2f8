"""Notifications from the shop's worker to a phone: sealed, sent by a job, shown, and tapped.

The push service is the sandbox's: it takes what the worker sends and cannot read it. The test opens
it with the phone's own keys and hands it to a closed browser over the DevTools protocol, which is
what stands in for the company between the two.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import address
from tests.journeys.test_offline import install
from tests.journeys.test_shopping import sign_in
from tests.providers.test_push import Phone
from tests.world import Purchase, Shop, Shopper, World, hidden_fields, wait_for


@pytest.fixture
def page(whole_page: Page) -> Page:
    """Notifications need a browser that has them."""
    return whole_page


def phone_of(world: World) -> Phone:
    """A browser's keys and its address at the push service."""
    service = str(world.sandbox.base_url).rstrip("/")
    return Phone(f"{service}/push/{secrets.token_hex(8)}")


def inbox(world: World, phone: Phone) -> list[dict[str, Any]]:
    """What reached this phone, opened."""
    found = world.sandbox.get("/_sim/outbox", params={"channel": "push"}).json()["messages"]
    mine = [each for each in found if each["to"] == phone.endpoint.rsplit("/", 1)[1]]
    return [json.loads(phone.opened(each["payload"]["body"])) for each in mine]


def subscribe(buyer: Shopper, path: str, phone: Phone) -> Any:
    form = hidden_fields(buyer.get(path).text, f"{path}/notify")
    told = {"endpoint": phone.endpoint, "p256dh": phone.p256dh, "auth": phone.auth}
    return buyer.post(f"{path}/notify", form | told)


def subscriptions(world: World, shop: Shop) -> int:
    rows = world.sql(
        "SELECT count(*) AS n FROM app.push_subscriptions WHERE store_id = %s", shop.store_id
    )
    return int(rows[0]["n"])


def paid(world: World, shop: Shop) -> Purchase:
    buyer = world.shopper(shop)
    order = buyer.buy()
    world.answer(buyer.phone)
    order.wait("paid")
    return order


def send_off(page: Page, world: World, shop: Shop, order: Purchase) -> None:
    """The desk packs the order and gives it to a rider."""
    sign_in(page, world, shop, "owner")
    page.goto(f"{world.stack.base_url}/staff/{shop.slug}/orders/{order.row['id']}")
    page.get_by_role("button", name=re.compile("packed", re.I)).first.click()
    wait_for("packed", lambda: page.wait_for_timeout(100) or order.order()["status"] == "packed")
    page.goto(f"{world.stack.base_url}/staff/{shop.slug}/orders/?tab=ready")
    card = page.locator("#col-ready [data-row]").filter(has_text=order.code)
    card.locator("summary").click()
    card.get_by_role("button", name="Otieno").click()
    wait_for("away", lambda: page.wait_for_timeout(100) or order.order()["status"] == "dispatched")


def deliver_to_closed_browser(page: Page, world: World, shop: Shop, note: dict[str, Any]) -> Any:
    """Hand a notification to the shop's worker with no page of the shop open; what it shows."""
    origin = address(world, shop, "").rstrip("/")
    page.context.grant_permissions(["notifications"], origin=origin)
    install(page, address(world, shop))
    worker = next(one for one in page.context.service_workers if one.url.startswith(origin))
    watcher = page.context.new_page()
    client = page.context.new_cdp_session(watcher)
    found: list[str] = []
    client.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(
            each["registrationId"]
            for each in event["registrations"]
            if each["scopeURL"].startswith(origin)
        ),
    )
    client.send("ServiceWorker.enable")
    wait_for("the registration", lambda: watcher.wait_for_timeout(100) or found)
    page.close()
    client.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": origin, "registrationId": found[0], "data": json.dumps(note)},
    )
    shown = (
        "registration.getNotifications().then((all) => all.map((n) => [n.title, n.body, n.data]))"
    )
    wait_for("it is shown", lambda: watcher.wait_for_timeout(100) or worker.evaluate(shown))
    return watcher, worker, worker.evaluate(shown)


# A tap on the shown notification, and the page it opens: a window needs a person's hand, which a
# test has not, so the address is taken where the browser would.
TAP = """async () => {
  const [note] = await registration.getNotifications();
  const opened = [];
  clients.openWindow = async (path) => { opened.push(path); };
  dispatchEvent(new NotificationEvent("notificationclick", { notification: note }));
  await new Promise((done) => setTimeout(done, 100));
  return [opened, (await registration.getNotifications()).length];
}"""


@pytest.mark.browser
@pytest.mark.row("T23", "N95")
def test_on_the_way_reaches_a_closed_browser_and_a_tap_opens_the_order(
    world: World, page: Page
) -> None:
    shop = world.open_shop()
    order = paid(world, shop)
    phone = phone_of(world)
    answer = subscribe(order.shopper, order.path, phone)
    assert answer.status_code == 303, answer.text[:600]
    assert subscribe(order.shopper, order.path, phone).status_code == 303  # twice is once
    assert subscriptions(world, shop) == 1

    send_off(page, world, shop, order)
    wait_for("two notifications", lambda: len(inbox(world, phone)) == 2)
    packed, away = inbox(world, phone)
    assert packed["title"] == f"Order {order.code} is packed"
    assert away["title"] == f"Order {order.code} is on the way"

    watcher, worker, shown = deliver_to_closed_browser(page, world, shop, away)
    assert shown == [[f"Order {order.code} is on the way", "Duka la Majaribio", order.path]]
    opened, left = worker.evaluate(TAP)
    assert (opened, left) == ([order.path], 0)
    watcher.goto(address(world, shop, opened[0]))
    assert order.code in watcher.title()
    rows = world.sql(
        "SELECT kind, status FROM app.messages WHERE store_id = %s AND channel = 'push' ORDER BY created_at",
        shop.store_id,
    )
    assert [(row["kind"], row["status"]) for row in rows] == [
        ("packed", "sent"),
        ("dispatched", "sent"),
    ]


@pytest.mark.browser
@pytest.mark.row("N95", "N96")
def test_back_in_stock_reaches_a_closed_browser_and_a_tap_opens_what_is_kept(
    world: World, page: Page
) -> None:
    """The number is left on the product's page, the notification is asked for beside it, and one comes."""
    shop = world.open_shop()
    variant = shop.variants[2]
    world.shopper(shop).buy(variant)  # the last one is held by somebody who never pays
    shopper, phone = world.shopper(shop), phone_of(world)
    told = shopper.post(
        f"/p/{variant['slug']}/tell-me",
        {"sku": variant["sku"], "phone": "0" + shopper.phone[3:]},
        headers={"HX-Request": "true"},
    )
    wait = re.search(r'name="wait" value="([^"]+)"', told.text)
    assert wait is not None
    followed = shopper.post(
        f"/p/{variant['slug']}/tell-me/notify",
        {"wait": wait[1], "endpoint": phone.endpoint, "p256dh": phone.p256dh, "auth": phone.auth},
        headers={"HX-Request": "true"},
    )
    assert "as a notification on this phone" in followed.text
    # Whoever only types the same number gets no hand on this turn.
    stranger = world.shopper(shop)
    again = stranger.post(
        f"/p/{variant['slug']}/tell-me",
        {"sku": variant["sku"], "phone": "0" + shopper.phone[3:]},
        headers={"HX-Request": "true"},
    )
    assert 'name="wait"' not in again.text

    world.receive(shop, variant, 1)
    wait_for("a notification", lambda: inbox(world, phone))
    (note,) = inbox(world, phone)
    assert note["title"] == "Kericho tea no. 3 is back"
    assert [m for m in world.outbox(shopper.phone) if "is back" in m["text"]] == []  # one message

    watcher, worker, shown = deliver_to_closed_browser(page, world, shop, note)
    assert shown[0][2] == note["path"]
    opened, _left = worker.evaluate(TAP)
    watcher.goto(address(world, shop, opened[0]))
    watcher.get_by_role("button", name="Put it in my cart").click()
    watcher.wait_for_url("**/cart")
    expect(watcher.locator("#cart-panel")).to_contain_text("Kept for you until")
    assert stranger.get(note["path"]).status_code == 410
    assert stranger.add(variant).status_code == 422


@pytest.mark.row("T23")
def test_a_browser_that_unsubscribed_is_forgotten_at_the_first_410(world: World) -> None:
    """And somebody who waits for a thing is told by SMS instead: nothing else would tell them."""
    shop = world.open_shop(stock=[1000, 1000, 1, 1000])
    order = paid(world, shop)
    phone = phone_of(world)
    assert subscribe(order.shopper, order.path, phone).status_code == 303
    world.sandbox.post(
        "/_sim/push", json={"browser": phone.endpoint.rsplit("/", 1)[1], "status": 410}
    ).raise_for_status()
    variant = shop.variants[2]
    world.shopper(shop).buy(variant)
    shopper = order.shopper
    told = shopper.post(
        f"/p/{variant['slug']}/tell-me",
        {"sku": variant["sku"], "phone": "0" + shopper.phone[3:]},
        headers={"HX-Request": "true"},
    )
    wait = re.search(r'name="wait" value="([^"]+)"', told.text)
    assert wait is not None
    shopper.post(
        f"/p/{variant['slug']}/tell-me/notify",
        {"wait": wait[1], "endpoint": phone.endpoint, "p256dh": phone.p256dh, "auth": phone.auth},
        headers={"HX-Request": "true"},
    )
    assert subscriptions(world, shop) == 2

    world.receive(shop, variant, 1)
    wait_for("forgotten", lambda: subscriptions(world, shop) == 0)
    wait_for("an SMS", lambda: [m for m in world.outbox(shopper.phone) if "is back" in m["text"]])
    (sms,) = [m for m in world.outbox(shopper.phone) if "is back" in m["text"]]
    assert re.search(r"/back/[0-9a-f]{32}$", sms["text"])
    rows = world.sql(
        "SELECT channel, status FROM app.messages WHERE store_id = %s AND kind = 'restock' ORDER BY created_at",
        shop.store_id,
    )
    assert [row["channel"] for row in rows] == ["push", "sms"]
    assert rows[0]["status"] == "failed"


def test_an_address_that_is_no_push_service_is_not_kept(world: World) -> None:
    shop = world.open_shop()
    order = paid(world, shop)
    for url in ("http://169.254.169.254/x", "https://evil.example/x", "http://127.0.0.1:5432/x"):
        assert subscribe(order.shopper, order.path, Phone(url)).status_code == 422
    broken = phone_of(world)
    form = hidden_fields(order.shopper.get(order.path).text, f"{order.path}/notify")
    odd = form | {"endpoint": broken.endpoint, "p256dh": "AAAA", "auth": broken.auth}
    assert order.shopper.post(f"{order.path}/notify", odd).status_code == 422
    other = world.shopper(world.open_shop())
    assert other.post(f"{order.path}/notify", odd).status_code in (400, 403, 404)
    assert subscriptions(world, shop) == 0


@pytest.mark.browser
@pytest.mark.row("T23")
def test_the_people_of_the_desk_are_told_of_new_orders_until_they_leave(
    world: World, page: Page
) -> None:
    shop = world.open_shop()
    phone = phone_of(world)
    page.context.grant_permissions(["notifications"], origin=world.stack.base_url)
    page.add_init_script(subscribing_as(phone))
    sign_in(page, world, shop, "packer")
    more = f"{world.stack.base_url}/staff/{shop.slug}/more"
    page.goto(more)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.get_by_role("button", name="Tell this phone of new orders").click()
    expect(page.locator("#toasts")).to_contain_text("This phone is told of new orders.")

    order = paid(world, shop)
    wait_for("a notification", lambda: inbox(world, phone))
    (note,) = inbox(world, phone)
    assert note["title"].startswith(f"New order {order.code}, KES")
    assert note["path"] == f"/staff/{shop.slug}/orders/{order.row['id']}"
    page.goto(world.stack.base_url + note["path"])
    assert order.code in page.title()

    person = world.sql("SELECT id FROM app.people WHERE email = %s", shop.people["packer"]["email"])
    page.context.clear_cookies()
    sign_in(page, world, shop, "owner")
    page.goto(f"{world.stack.base_url}/dash/{shop.slug}/team/{person[0]['id']}")
    page.get_by_role("button", name=re.compile("remove|take", re.I)).first.click()
    wait_for(
        "nobody is told", lambda: page.wait_for_timeout(100) or subscriptions(world, shop) == 0
    )


def subscribing_as(phone: Phone) -> str:
    """What stands in for the company that gives a browser its address: everything else is real."""
    return (
        "PushManager.prototype.subscribe = async () => ({ toJSON: () => ({"
        f" endpoint: '{phone.endpoint}', keys: {{ p256dh: '{phone.p256dh}', auth: '{phone.auth}' }} }}) }});"
    )


@pytest.mark.browser
@pytest.mark.row("T23")
def test_a_tap_on_the_order_page_asks_the_browser_and_tells_the_shop(
    world: World, page: Page
) -> None:
    """Nothing is asked before the tap. Only the company's own subscribe() is stood in for."""
    shop = world.open_shop()
    order = paid(world, shop)
    phone = phone_of(world)
    page.context.grant_permissions(["notifications"], origin=address(world, shop, "").rstrip("/"))
    page.add_init_script(subscribing_as(phone))
    install(page, address(world, shop, order.path))
    page.goto(address(world, shop, order.path))
    assert subscriptions(world, shop) == 0
    button = page.get_by_role("button", name="Tell me when it moves")
    expect(button).to_be_visible()
    place = page.get_by_role("heading", name="In this order").bounding_box()
    page.evaluate("document.querySelector('[data-push] button').hidden = true")
    assert page.get_by_role("heading", name="In this order").bounding_box() == place, "it jumped"
    page.evaluate("document.querySelector('[data-push] button').hidden = false")
    button.click()

    expect(page.locator("#posted")).to_contain_text("This phone is told when your order moves.")
    assert subscriptions(world, shop) == 1
