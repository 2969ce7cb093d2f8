"""The whole main job in a real browser: a shopper buys and pays, staff pack, send and deliver.

With WALKTHROUGH_WRITE=1 the same journey is played in the demo store and leaves
docs/walkthrough.md with its pictures; without it nothing in the checkout changes.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from psycopg.rows import dict_row

from local.stack import Stack
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PHONE_SCREEN = {"width": 360, "height": 740}
DESK_SCREEN = {"width": 1280, "height": 800}
WRITES = os.environ.get("WALKTHROUGH_WRITE") == "1"
PATIENCE = 25_000
NEXT_CHAPTER = "\n# Opening a shop, in pictures\n"  # written by test_wizard.py

pytestmark = pytest.mark.browser


@dataclass
class Scene:
    """A store to buy in, and how its staff sign in."""

    stack: Stack
    slug: str
    email: str
    password: str
    product: str = ""
    rider: str = ""

    @property
    def shop(self) -> str:
        return f"http://{self.slug}.localhost:{self.stack.port}"

    @property
    def platform(self) -> str:
        return f"http://localhost:{self.stack.port}"

    @property
    def sandbox(self) -> str:
        return f"http://localhost:{self.stack.sandbox_port}"

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        assert self.stack.superuser_url is not None
        with psycopg.connect(self.stack.superuser_url, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]


@dataclass
class Story:
    """What was seen on the way: for the assertions, and for the document."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def show(self, page: Page, name: str, title: str, words: str) -> None:
        """One step of the story; its picture only when the document is being written."""
        self.steps.append((name, title, words))
        if WRITES:
            page.evaluate("document.fonts.ready")
            page.screenshot(path=DOCS / "images" / f"{name}.png", animations="disabled")

    def listen(self, context: BrowserContext) -> None:
        """Write down whatever a page of ours complains about."""
        context.on("console", lambda message: self._note(message))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """The demo store when writing, else an ordinary store of the tests' own stack."""
    if not WRITES:
        world: World = request.getfixturevalue("world")
        shop = world.open_shop(name="Duka la Chai")
        owner = shop.people["owner"]
        yield Scene(world.stack, shop.slug, owner["email"], owner["password"])
        return
    folder = tmp_path_factory.mktemp("demo")
    with Stack(folder, fast=True, seed=True) as stack:
        store = json.loads((folder / "demo.json").read_text())["stores"][0]
        owner = next(person for person in store["staff"] if person["role"] == "owner")
        yield Scene(stack, store["slug"], owner["email"], owner["password"])
        stack.remove()


@pytest.fixture(scope="module")
def story(scene: Scene, chromium: Browser) -> Iterator[Story]:
    """The journey, played once. Each test looks at one side of what happened."""
    told = Story()
    expect.set_options(timeout=PATIENCE)
    phone = f"07{secrets.randbelow(10**5):05d}500"
    hand = chromium.new_context(
        viewport=PHONE_SCREEN, locale="en-KE", device_scale_factor=2 if WRITES else 1
    )  # type: ignore[arg-type]
    desk = chromium.new_context(viewport=DESK_SCREEN, locale="en-KE")  # type: ignore[arg-type]
    for context in (hand, desk):
        context.set_default_timeout(PATIENCE)
    told.listen(desk)
    shop = hand.new_page()
    shop.on("console", told._note)
    shop.on("pageerror", lambda error: told.complaints.append(str(error)))
    code = buy(scene, told, shop, hand.new_page(), phone)
    deliver(scene, told, desk.new_page(), code)
    shop.reload()
    expect(shop.locator("#order")).to_contain_text("Delivered")
    told.show(
        shop,
        "12-delivered",
        "Delivered",
        "The same order page, now with the whole story of the order.",
    )
    for name, page in (("shopper", shop), ("staff", desk.pages[0])):
        told.kept[name] = page.evaluate(
            "[...Object.keys(localStorage), ...Object.keys(sessionStorage)]"
        )
    yield told
    hand.close()
    desk.close()
    if WRITES:
        page = DOCS / "walkthrough.md"
        _, heading, chapter = page.read_text().partition(NEXT_CHAPTER)
        page.write_text(document(told) + heading + chapter)


def buy(scene: Scene, told: Story, shop: Page, handset: Page, phone: str) -> str:
    """From the shop's first page to a paid order; returns the order's code."""
    shop.goto(scene.shop)
    told.show(shop, "01-shop", "A shop on a phone", "One address, no app, nothing to sign in to.")
    shop.locator(".card:not(.card-out) a").first.click()
    expect(shop.locator("#add")).to_be_enabled()
    price = digits(shop.locator("#price").inner_text())
    shop.locator("#strip a.strip").click()
    shop.locator("button[name=area]").filter(has_text="Kilimani").click()
    expect(shop.locator("#strip")).to_contain_text(re.compile("Kilimani.*KES", re.S))
    fee = digits(re.search(r"KES\s[\d,]+", shop.locator("#strip").inner_text()).group())  # type: ignore[union-attr]
    told.show(
        shop,
        "02-product",
        "The fee before the cart",
        "The product says what delivery to Kilimani costs and when it comes.",
    )
    shop.locator("#add").click()
    expect(shop.locator("#added")).to_contain_text("Added")
    shop.locator("#added a").click()
    expect(shop).to_have_url(re.compile("/cart"))
    told.show(
        shop, "03-cart", "The cart", "The whole price, delivery included, before anything is typed."
    )
    shop.get_by_role("link", name="Check out").click()
    inputs = shop.locator("form#checkout").locator(
        "input:visible, select:visible, textarea:visible"
    )
    told.facts["inputs"] = inputs.count()
    shop.locator("#phone").fill(phone)
    shop.locator("#area").select_option("kilimani")
    shop.locator("#landmark").fill("Blue gate opposite the school")
    total = price + fee
    expect(shop.locator("#pay")).to_have_text(re.compile(rf"Pay KES\s{total:,} with M-Pesa"))
    told.show(
        shop,
        "04-checkout",
        "One page to pay",
        "Phone, area, landmark. The button carries the total.",
    )
    handset.goto(f"{scene.sandbox}/phone/{phone}")
    shop.locator("#pay").click()
    expect(shop).to_have_url(re.compile("/o/[0-9a-f]{32}"))
    expect(shop.locator("#payment")).to_have_attribute("data-kind", re.compile("sending|on_phone"))
    pin = handset.locator("#pin")
    expect(pin).to_be_visible()
    # The tests' own prompts are short: a slow machine may see the next truth already.
    waiting = "on_phone" if WRITES else re.compile("on_phone|checking|confirming")
    expect(shop.locator("#payment")).to_have_attribute("data-kind", waiting)
    told.show(
        shop,
        "05-waiting",
        "The payment page tells the truth",
        "Where the request is, and how long it stays there.",
    )
    told.show(
        handset,
        "06-prompt",
        "The request on the phone",
        "The sandbox's phone: the name of the shop, the amount, a PIN.",
    )
    pin.fill("1234")
    handset.get_by_role("button", name="Send").click()
    expect(shop.locator("#panel h1")).to_have_text(re.compile(rf"Paid KES\s{total:,}"))
    told.show(
        shop, "07-paid", "Paid", "The page turns by itself when M-Pesa has confirmed the money."
    )
    order = scene.sql(
        "SELECT o.code, o.status, o.total_cents, a.receipt FROM app.orders o JOIN app.payment_attempts a"
        " ON a.store_id = o.store_id AND a.order_id = o.id JOIN app.stores s ON s.id = o.store_id"
        " WHERE s.slug = %s AND a.receipt IS NOT NULL ORDER BY o.placed_at DESC LIMIT 1",
        scene.slug,
    )[0]
    expect(handset.locator("body")).to_contain_text(order["receipt"])
    message = handset.locator(".inbox li, .chat li").filter(has_text=order["code"]).first
    expect(message).to_contain_text(order["receipt"])
    message.scroll_into_view_if_needed()
    told.show(
        handset,
        "08-receipt",
        "The receipt",
        "M-Pesa's code and the order's link, as a message to the same phone.",
    )
    told.facts |= {"total_cents": total * 100, "paid": dict(order)}
    return str(order["code"])


def deliver(scene: Scene, told: Story, page: Page, code: str) -> None:
    """From signing in to handing over, at a desk."""
    page.goto(f"{scene.platform}/sign-in?way=password")
    page.locator("#email").fill(scene.email)
    page.locator("#password").fill(scene.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(f"/{scene.slug}/"))
    told.facts["home"] = page.url
    told.show(
        page,
        "09-today",
        "The owner's day",
        "What was sold, what waits, and what to do about it, each with its numbers.",
    )
    page.goto(f"{scene.platform}/staff/{scene.slug}/orders/")
    card = page.locator("li.order-card").filter(has_text=code)
    expect(card).to_contain_text("Paid")
    told.show(page, "10-board", "The order is on the board", "Paid orders arrive by themselves.")
    seen = []
    for column, step in (("to_pack", "Mark packed"), ("ready", "rider"), ("out", "Delivered")):
        here = page.locator(f"#col-{column} li.order-card").filter(has_text=code)
        expect(here).to_be_visible()
        seen.append(status_of(scene, code))
        if step == "rider":
            here.locator("summary").click()
            here.locator(".menu__list button").first.click()
        else:
            here.get_by_role("button", name=step).click()
    expect(page.locator("#col-done li.order-card").filter(has_text=code)).to_be_visible()
    told.facts["statuses"] = [*seen, status_of(scene, code)]
    page.locator("#col-done li.order-card").filter(has_text=code).locator(
        "a.order-card__code"
    ).click()
    expect(page.locator("#money")).to_contain_text("0")
    told.facts["masked"] = page.locator("body").inner_text()
    told.show(
        page,
        "11-order",
        "The order, whole",
        "Things, money with every attempt, timeline, and a number that stays masked.",
    )


def status_of(scene: Scene, code: str) -> str:
    statement = (
        "SELECT o.status FROM app.orders o JOIN app.stores s ON s.id = o.store_id"
        " WHERE s.slug = %s AND o.code = %s"
    )
    return str(scene.sql(statement, scene.slug, code)[0]["status"])


def digits(text: str) -> int:
    """Whole shillings from the first price in the text."""
    found = re.search(r"KES\s([\d,]+)", text)
    assert found, text
    return int(found.group(1).replace(",", ""))


def document(told: Story) -> str:
    lines = [
        "# The whole job, in pictures",
        "",
        "Written by `WALKTHROUGH_WRITE=1 bin/test tests/journeys/test_walkthrough.py`, which plays this",
        "journey in a browser against the demo store. Every full test run plays it too.",
        "",
    ]
    for n, (name, title, words) in enumerate(told.steps, 1):
        lines += [f"## {n}. {title}", "", words, "", f"![{title}](images/{name}.png)", ""]
    return "\n".join(lines)


@pytest.mark.row("W54", "N25", "N28")
def test_one_journey_from_the_shop_to_the_door(story: Story) -> None:
    assert story.facts["statuses"] == ["paid", "packed", "dispatched", "delivered"]
    assert story.facts["paid"]["total_cents"] == story.facts["total_cents"]
    assert story.facts["paid"]["receipt"]


@pytest.mark.row("N24", "W15", "N26")
def test_a_new_shopper_types_little_and_knows_the_price(story: Story) -> None:
    assert story.facts["inputs"] <= 4


@pytest.mark.row("M15", "T60")
def test_no_page_of_the_journey_breaks_its_content_policy_or_a_script(story: Story) -> None:
    assert story.complaints == []


@pytest.mark.row("M10")
def test_nothing_but_the_goods_that_were_seen_is_kept_in_the_browsers_storage(
    story: Story,
) -> None:
    assert story.kept == {"shopper": ["seen"], "staff": []}


@pytest.mark.row("W2", "W51")
def test_the_owner_lands_at_home_and_sees_masked_numbers(story: Story) -> None:
    assert re.search(r"/dash/[a-z0-9-]+/", story.facts["home"])
    assert re.search(r"07\S{2} \S{3} 500", story.facts["masked"])
    assert not re.search(r"07\d\d ?\d{3} ?\d{3}", story.facts["masked"])
