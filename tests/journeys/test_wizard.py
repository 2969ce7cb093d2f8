"""From "Open a shop" to a paid test order on a 360×740 screen, as a person would: by tapping.

The codes and the payment come and go through the pretend phone. With WALKTHROUGH_WRITE=1 the same
journey writes its chapter of docs/walkthrough.md with small pictures; else the checkout is left
alone.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from local.demo.pictures import draw
from tests.browsing import PHONE_SCREEN, Complaints
from tests.phones import any_phone
from tests.world import World, wait_for

DOCS = Path(__file__).resolve().parents[2] / "docs"
WRITES = os.environ.get("WALKTHROUGH_WRITE") == "1"
PATIENCE = 25_000
CHAPTER = "\n# Opening a shop, in pictures\n"
HALF_AN_HOUR = 30 * 60
GOODS = (
    ("kettle", "Electric kettle, 1.7 litres", "2450", "6"),
    ("mug", "Enamel mug", "350", "24"),
    ("cushion", "Cushion cover, kitenge", "650", "10"),
    ("lamp", "Reading lamp", "1800", "5"),
    ("flask", "Steel flask, 1 litre", "1250", "12"),
)

pytestmark = pytest.mark.browser


@dataclass
class Hand:
    """A thumb on one page: it counts what it does."""

    page: Page
    taps: int = 0
    typed: int = 0

    def tap(self, target: Locator) -> None:
        self.taps += 1
        target.click()

    def fill(self, label: str | re.Pattern[str], text: str) -> None:
        self.typed += 1
        self.page.get_by_role("textbox", name=label).first.fill(text)

    def next(self, name: str | re.Pattern[str]) -> None:
        self.tap(self.page.get_by_role("button", name=name))


@dataclass
class Story:
    """What was seen on the way."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    complaints: Complaints = field(default_factory=Complaints)
    fields: dict[str, int] = field(default_factory=dict)
    axe: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def look(self, page: Page, step: str, name: str, title: str, words: str) -> None:
        """One screen: its fields, whether it fits, and a picture for the document."""
        shown = page.locator("main").locator("input, select, textarea").filter(visible=True)
        names = shown.evaluate_all("all => [...new Set(all.map((one) => one.name))]")
        self.fields[step] = len(names)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.too_wide.append(step)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            found = Axe().run(page).response["violations"]
            self.axe += [
                f"{step}, {scheme}: {each['id']} {each['nodes'][0]['html']}" for each in found
            ]
        self.steps.append((name, title, words))
        if WRITES:
            page.evaluate("document.fonts.ready")
            _keep(page.screenshot(animations="disabled"), name)


def _keep(png: bytes, name: str) -> None:
    """Few colours and no more: a screen of words needs a tenth of the bytes then."""
    small = Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(DOCS / "images" / f"{name}.png", optimize=True)


@pytest.fixture(scope="module")
def story(
    world: World, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """The journey, played once; each test looks at one side of it."""
    told = Story()
    expect.set_options(timeout=PATIENCE)
    context = chromium.new_context(viewport=PHONE_SCREEN, locale="en-KE")  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    told.complaints.listen(context)
    handset = chromium.new_context(viewport=PHONE_SCREEN).new_page()  # type: ignore[arg-type]
    phone = f"0{any_phone()[4:]}"
    shop = f"Pendo Home {secrets.token_hex(2)}" if not WRITES else "Pendo Home"
    begun = time.monotonic()
    hand = Hand(context.new_page())
    hand.page.goto(f"http://localhost:{world.stack.port}/")
    sign_up(world, told, hand, handset, phone, shop)
    told.facts["address"] = name_it(told, hand, shop)
    stock_up(told, hand, tmp_path_factory.mktemp("photos"))
    set_terms(told, hand)
    buy_once(told, hand, handset)
    share(told, hand)
    told.facts |= {
        "seconds": time.monotonic() - begun,
        "taps": hand.taps,
        "typed": hand.typed,
        "phone": phone,
    }
    yield told
    context.close()
    handset.context.close()
    if WRITES:
        write_chapter(told)


def sign_up(world: World, told: Story, hand: Hand, handset: Page, phone: str, shop: str) -> None:
    """Phone, code, kind."""
    page = hand.page
    told.look(page, "front", "21-front", "Open a shop", "One tap, from a phone.")
    hand.tap(page.get_by_role("link", name="Open a shop"))
    hand.fill("Phone number", phone)
    hand.fill("Your name", "Wanjiru Kamau")
    told.look(page, "phone", "22-phone", "The phone is the account", "No e-mail, no password.")
    hand.next("Send me a code")
    hand.fill("6 digits", code_on(world, handset, phone))
    told.look(page, "code", "23-code", "A code by SMS", "Six digits, five minutes.")
    hand.next(re.compile("Next"))
    expect(page.get_by_role("heading", level=1)).to_have_text("What do you sell?")
    hand.tap(page.get_by_text("Home and kitchen"))
    told.look(page, "kind", "24-kind", "What do you sell?", "It brings groups, filters, sizes.")
    hand.next(re.compile("Next"))


def code_on(world: World, handset: Page, phone: str) -> str:
    """Read the SMS on the pretend phone."""
    handset.goto(f"http://localhost:{world.stack.sandbox_port}/phone/{phone}")
    words = handset.locator(".inbox .words").first
    expect(words).to_be_visible()
    found = re.search(r"\b[0-9]{6}\b", words.inner_text())
    assert found is not None
    return found[0]


def name_it(told: Story, hand: Hand, shop: str) -> str:
    """Name, with the web name following it; colour. Returns the address as the page says it."""
    page = hand.page
    page.get_by_role("textbox", name="Shop's name").press_sequentially(shop, delay=15)
    hand.typed += 1
    said = page.locator("#slug-said")
    slug = shop.lower().replace(" ", "-")
    expect(said).to_contain_text(f"{slug}.localhost")
    expect(said).to_contain_text("is free")
    own = page.get_by_role("textbox", name="Web name")
    own.fill("admin")  # somebody else's: other names are offered
    expect(said).to_contain_text("admin.localhost")
    expect(said).to_contain_text("is taken")
    expect(said.locator("button").first).to_be_visible()
    own.fill(slug)
    expect(said).to_contain_text("is free")
    hand.typed += 2
    hand.tap(page.locator("label.hue").nth(2))
    told.look(
        page, "name", "25-name", "Name and colour", "The web name follows, and says if it is free."
    )
    # A shop may be tried in a browser without JavaScript: leaving and coming back loses nothing.
    hand.next("Open the shop")
    expect(page).to_have_url(re.compile(f"/dash/{slug}/open/goods"))
    return slug


def stock_up(told: Story, hand: Hand, folder: Path) -> None:
    """Five products with photos, one card each."""
    page = hand.page
    for n, (kind, name, price, stock) in enumerate(GOODS, start=1):
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Product {n} of 5")
        picture = folder / f"{kind}.jpg"
        draw(kind, 1, size=1200).save(picture, "JPEG", quality=85)
        hand.taps += 1  # the shutter
        page.get_by_label("Photo").set_input_files(picture)
        hand.fill("Name", name)
        hand.fill("Price, KES", price)
        hand.fill("In stock", stock)
        if n == 1:
            told.look(page, "goods", "26-product", "The first product", "Photo, name, price.")
        hand.next("Add this product")
    expect(page.get_by_role("heading", level=1)).to_have_text("Five products are in")

    def all_shown() -> bool:
        page.reload()
        return page.locator(".wizard-shelf img").count() == len(GOODS)

    wait_for("five photos made", all_shown, seconds=60)
    told.look(
        page, "shelf", "27-goods", "Five products are in", "Photos are made in the background."
    )
    hand.next(re.compile("Next"))


def set_terms(told: Story, hand: Hand) -> None:
    """Fees by distance, then the till."""
    page = hand.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Where do you deliver?")
    hand.fill(re.compile("^Near town"), "220")
    expect(page.locator("#reads")).to_contain_text(re.compile(r"Delivery to Kilimani, KES\s220"))
    hand.fill("Where is the shop?", "Stall B14, Tom Mboya Street")
    told.look(page, "areas", "28-areas", "Where do you deliver?", "Six fees, filled in already.")
    hand.next(re.compile("Next"))
    hand.fill("Number", "522533")
    told.look(page, "till", "29-till", "Where the money goes", "Kept until the live check.")
    hand.next(re.compile("Next"))


def buy_once(told: Story, hand: Hand, handset: Page) -> None:
    """The test order, paid on the pretend phone with a PIN."""
    page = hand.page
    told.look(page, "test", "30-test", "One test order", "The number is filled in already.")
    hand.next("Place the test order")
    expect(page.locator("#test-order")).to_contain_text("Order placed")
    pin = handset.locator("#pin")
    expect(pin).to_be_visible()
    told.look(page, "waiting", "31-waiting", "It waits for the PIN", "The page asks by itself.")
    pin.fill("1234")
    hand.taps += 1
    handset.get_by_role("button", name="Send").click()
    expect(page.locator("#test-order")).to_contain_text("Test payment came in")
    told.look(page, "paid", "32-paid", "Paid", "As customers will see it, and on the board.")
    expect(page.get_by_role("link", name="Later")).to_have_count(0)
    hand.tap(page.get_by_role("link", name=re.compile("Share your shop")))


def share(told: Story, hand: Hand) -> None:
    """The link, the QR code, what is left."""
    page = hand.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Your shop is open")
    expect(page.locator(".qr svg")).to_be_visible()
    told.facts["link"] = page.locator("#share-link a").get_attribute("href")
    told.look(page, "done", "33-share", "Share it", "Link, QR code, poster, WhatsApp.")
    told.facts["checks"] = page.locator(".wizard-check").all_inner_texts()


def write_chapter(told: Story) -> None:
    """Put this chapter behind the other one."""
    document = DOCS / "walkthrough.md"
    lines = [
        "Written by `WALKTHROUGH_WRITE=1 bin/test tests/journeys/test_wizard.py`: one person, one phone,",
        f"{told.facts['taps']} taps and {told.facts['typed']} fields from the front page to a paid test order.",
        "",
    ]
    for n, (name, title, words) in enumerate(told.steps, 1):
        lines += [f"## {n}. {title}", "", words, "", f"![{title}](images/{name}.png)", ""]
    before = document.read_text().partition(CHAPTER)[0].rstrip("\n") + "\n"
    document.write_text(before + CHAPTER + "\n" + "\n".join(lines))


@pytest.mark.row("N41")
def test_a_shop_is_open_and_was_paid_once_in_under_half_an_hour(
    story: Story, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = story.facts
    order = world.sql(
        "SELECT o.status, o.total_cents, a.receipt FROM app.orders o JOIN app.stores s ON s.id = o.store_id"
        " JOIN app.payment_attempts a ON a.store_id = o.store_id AND a.order_id = o.id WHERE s.slug = %s",
        facts["address"],
    )
    with capsys.disabled():
        print(
            f"\nopen a shop: {facts['seconds']:.0f} s, {facts['taps']} taps, {facts['typed']} fields"
        )

    assert [row["status"] for row in order] == ["paid"]
    assert order[0]["total_cents"] == 2450_00
    assert order[0]["receipt"]
    assert facts["link"] == f"http://{facts['address']}.localhost:{world.stack.port}/"
    assert facts["seconds"] < HALF_AN_HOUR
    # A person needs about ten seconds for a field and three for a tap: well under half an hour.
    assert facts["typed"] * 10 + facts["taps"] * 3 + facts["seconds"] < HALF_AN_HOUR / 2


@pytest.mark.row("N41", "T7")
def test_the_link_that_is_shared_shows_the_shop(story: Story, chromium: Browser) -> None:
    page = chromium.new_page(viewport=PHONE_SCREEN)  # type: ignore[arg-type]
    page.goto(story.facts["link"])

    expect(page.locator(".card")).to_have_count(len(GOODS))
    # Photos below the first view come when the page is scrolled.
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".card img")).to_have_count(len(GOODS))
    page.close()


@pytest.mark.row("N40")
def test_no_screen_asks_for_more_than_seven_things_or_runs_over_the_edge(story: Story) -> None:
    assert max(story.fields.values()) <= 7, story.fields
    assert story.too_wide == []


def test_the_owner_has_no_email_address(story: Story, world: World) -> None:
    people = world.sql(
        "SELECT p.email FROM app.people p JOIN app.memberships m ON m.person_id = p.id"
        " JOIN app.stores s ON s.id = m.store_id WHERE s.slug = %s",
        story.facts["address"],
    )

    assert [row["email"] for row in people] == [None]


def test_no_page_of_the_wizard_complains(story: Story) -> None:
    assert story.complaints.lines == []


def test_axe_finds_nothing_wrong_by_day_or_by_night(story: Story) -> None:
    assert story.axe == []
