"""A shopper who has proved their phone: one profile however they write it, and nothing to type."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bench.selfcheck import Report
from tests.browsing import address, fill_checkout, plain, purchase_on
from tests.world import Shop, Shopper, World, hidden_fields, wait_for

Check = Callable[[], Report]


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


def codes(world: World, phone: str) -> list[str]:
    """Every one-time code this phone was sent, oldest first."""
    texts = [message["text"] for message in world.outbox(phone)]
    return [found[0] for text in texts if (found := re.search(r"\b\d{6}\b", text))]


def prove(shopper: Shopper, written: str, *, nth: int = 1) -> None:
    """Prove a phone, written like this, with its ``nth`` code."""
    world = shopper.world
    form = hidden_fields(shopper.get("/me").text, "/me/code")
    asked = shopper.post("/me/code", form | {"phone": written})
    assert asked.status_code == 200, asked.text[:500]
    wait_for("the code", lambda: len(codes(world, shopper.phone)) >= nth)
    form = hidden_fields(asked.text, "/me/verify")
    answer = shopper.post("/me/verify", form | {"code": codes(world, shopper.phone)[-1]})
    assert answer.status_code == 303, answer.text[:500]


def customers(world: World, shop: Shop) -> list[dict[str, object]]:
    return world.sql("SELECT id, verified_at FROM app.customers WHERE store_id = %s", shop.store_id)


@pytest.mark.row("W12")
def test_a_phone_written_in_two_ways_is_one_profile(world: World) -> None:
    shop = world.open_shop()
    one, two = world.shopper(shop), world.shopper(shop)
    two.phone = one.phone
    prove(one, "0" + one.phone[3:])
    first = customers(world, shop)
    # A while later, on another phone.
    world.sql(
        "UPDATE app.rate_counters SET at = at - interval '1 hour' WHERE store_id = %s RETURNING 1",
        shop.store_id,
    )
    prove(two, f"+254 {one.phone[3:6]} {one.phone[6:]}", nth=2)
    assert [row["id"] for row in customers(world, shop)] == [first[0]["id"]]
    assert first[0]["verified_at"] is not None
    for shopper in (one, two):
        assert f"07•• ••• {one.phone[-3:]}" in plain(shopper.get("/me").text)


@pytest.mark.browser
@pytest.mark.row("W13", "N24", "M10")
def test_a_known_shopper_types_nothing_at_checkout(
    world: World, shop: Shop, page: Page, everything_agrees: Check
) -> None:
    """Bought once as a guest; then a code from the SMS, and the next order is taps alone."""
    shopper = world.shopper(shop)
    once = shopper.buy()
    world.answer(shopper.phone)
    once.wait("paid")

    product = address(world, shop, f"/p/{shop.variants[1]['slug']}")
    page.goto(product)
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#added")).to_contain_text("Added")
    page.goto(address(world, shop, "/checkout"))
    page.get_by_role("link", name=re.compile("Ordered here before")).click()
    page.get_by_label("M-Pesa phone number").fill("0" + shopper.phone[3:])
    page.get_by_role("button", name="Send me a code").click()
    code = wait_for("the code", lambda: codes(world, shopper.phone))[-1]
    page.get_by_label("Code from the SMS").fill(code)
    page.get_by_role("button", name="Go on").click()

    page.wait_for_url("**/checkout")
    expect(page.locator("#checkout")).to_contain_text(f"07•• ••• {shopper.phone[-3:]}")
    assert shopper.phone[3:] not in page.content()
    expect(page.get_by_label("M-Pesa phone number")).to_have_count(0)
    expect(page.get_by_label("Delivery area")).to_have_value("kilimani")
    expect(page.get_by_label("Landmark near you")).to_have_value("Blue gate opposite the school")
    typed: list[str] = []
    page.expose_function("typed", lambda name: typed.append(name))
    page.evaluate("addEventListener('input', (event) => typed(event.target.name), true)")
    page.get_by_role("button", name="Pay KES\u00a0800 with M-Pesa").click()
    page.wait_for_url("**/o/*")
    assert typed == []
    # Nothing of the session: the phone keeps the names of the goods it looked at, and nothing else.
    assert page.evaluate("[sessionStorage.length, {...localStorage}]") == [
        0,
        {"seen": shop.variants[1]["slug"]},
    ]
    purchase = purchase_on(page, shopper)
    world.answer(shopper.phone)
    order = purchase.wait("paid")
    assert (order["customer_id"], order["area"]) == (once.row["customer_id"], "kilimani")
    everything_agrees()


@pytest.mark.browser
@pytest.mark.row("W13")
def test_a_known_shopper_can_pay_from_another_number(world: World, shop: Shop, page: Page) -> None:
    shopper, other = world.shopper(shop), world.shopper(shop)
    prove(shopper, "0" + shopper.phone[3:])
    shopper.add()
    page.context.add_cookies(
        [
            {
                "name": name,
                "value": value,
                "url": f"https://{shop.host}",
                "secure": True,
                "httpOnly": True,
            }
            for name, value in shopper.cookies.items()
        ]
    )
    page.goto(address(world, shop, "/checkout"))
    page.get_by_role("link", name="change", exact=True).click()
    fill_checkout(page, other.phone)
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    wait_for("a prompt on the other phone", lambda: world.prompts(other.phone))
    assert world.prompts(shopper.phone) == []


def test_a_wrong_code_says_so_and_proves_nothing(world: World) -> None:
    shop = world.open_shop()
    shopper = world.shopper(shop)
    form = hidden_fields(shopper.get("/me").text, "/me/code")
    asked = shopper.post("/me/code", form | {"phone": "0" + shopper.phone[3:]})
    sent = wait_for("the code", lambda: codes(world, shopper.phone))[-1]
    wrong = f"{(int(sent) + 1) % 1_000_000:06d}"
    answer = shopper.post("/me/verify", hidden_fields(asked.text, "/me/verify") | {"code": wrong})
    assert answer.status_code == 422
    assert "not the code" in answer.text
    assert "__Host-shopper" not in shopper.cookies
    assert customers(world, shop) == []
