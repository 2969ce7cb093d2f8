"""A phone whose language is Swahili: to buy, to open a shop and to run one, without an English word.

Every screen is read as a browser shows it, with the names that screen readers say. Two things
betray English: a text that is the English side of the catalogue, and small words (``the``,
``your``) that no Swahili sentence and no name has. Every screen must fit a phone of 360 pixels.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app.web.tenancy import LANGUAGE_COOKIE
from local.translations import forms, read_catalogue
from tests.browsing import PHONE_SCREEN, address, plain
from tests.world import Shop, World, wait_for

pytestmark = pytest.mark.browser

SMALL_WORDS = re.compile(
    r"\b(the|your|you|and|with|not|are|was|were|this|that|have|has|for|from|yet|it|is|to|by|of|we|our)\b",
    re.I,
)
# English that stays: names of M-Pesa's own menus, and what people of this test wrote themselves.
LEFT_IN_ENGLISH = (
    "Buy Goods and Services",
    "Blue gate opposite the school",
    "Success. Request accepted for processing",  # what a provider answered, as it wrote it
    "The service request is processed successfully",
)

READ_SCREEN = """() => {
  const said = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest("script, style, noscript, [lang=en]")) said.push(node.data);
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [title], [alt]")) {
    for (const name of ["aria-label", "placeholder", "title", "alt"]) {
      if (element.hasAttribute(name)) said.push(element.getAttribute(name));
    }
  }
  said.push(document.title);
  const wide = [...document.querySelectorAll("main *, nav *, footer *, header *")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && element.checkVisibility())
    .slice(-3).map((element) => element.outerHTML.slice(0, 120));
  return {
    said,
    language: document.documentElement.lang,
    wide: document.documentElement.scrollWidth > innerWidth ? wide : [],
    links: [...document.querySelectorAll("a[href]")].map((link) => link.href),
  };
}"""


class English:
    """Everything that the source says in English and the catalogue says otherwise."""

    def __init__(self) -> None:
        self.whole: set[str] = set()
        patterns = []
        for message in read_catalogue():
            english = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            for text in english:
                if not text or text in forms(message):
                    continue
                parts = re.split(r"%\(\w+\)s|\{\w+\}", text.replace("%%", "%"))
                if len(parts) == 1:
                    self.whole.add(text)
                elif re.search("[A-Za-z]{3}", "".join(parts)):
                    patterns.append(".{1,60}".join(re.escape(part) for part in parts))
        self.pattern = re.compile("|".join(f"(?:{one})" for one in patterns))
        # The same letters may be Swahili: "Simu", "Rangi", or one word of both.
        for message in read_catalogue():
            self.whole -= {*forms(message)}

    def found_in(self, said: list[str]) -> list[str]:
        """What of this is English."""
        texts = {" ".join(plain(text).split()) for text in said}
        return sorted(
            text
            for text in texts
            if re.search("[A-Za-z]{2}", text)
            and not any(name in text for name in LEFT_IN_ENGLISH)
            and (text in self.whole or self.pattern.fullmatch(text) or SMALL_WORDS.search(text))
        )


@dataclass
class Reader:
    """Somebody who reads every screen, and keeps what is wrong with it."""

    page: Page
    english: English
    wrong: dict[str, object] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def read(self, screen: str) -> None:
        """Read the screen that is open."""
        found = self.page.evaluate(READ_SCREEN)
        self.links = found["links"]
        self.seen.append(screen)
        if found["language"] != "sw":
            self.wrong[f"{screen}: language"] = found["language"]
        if english := self.english.found_in(found["said"]):
            self.wrong[f"{screen}: English"] = english
        if found["wide"]:
            self.wrong[f"{screen}: too wide"] = found["wide"]

    def open(self, url: str, screen: str = "") -> None:
        """Go there and read."""
        answer = self.page.goto(url)
        assert answer is not None
        if answer.status == 200 and "text/html" in answer.headers.get("content-type", ""):
            self.read(screen or urlsplit(url).path)

    def approve(self) -> None:
        """Nothing was wrong with any screen; each that was is named."""
        assert not self.wrong, "\n".join(f"{screen}: {what}" for screen, what in self.wrong.items())


@pytest.fixture(scope="module")
def english() -> English:
    return English()


@pytest.fixture
def reader(chromium: Browser, english: English) -> Iterator[Reader]:
    """A phone of somebody who speaks Swahili."""
    context = chromium.new_context(viewport=PHONE_SCREEN, locale="sw-KE")  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    yield Reader(context.new_page(), english)
    context.close()


def test_the_reader_knows_english_when_it_sees_it(english: English) -> None:
    assert english.found_in(
        [
            "Add to cart",
            " View\n cart ",
            "Only 3 left",
            "KES\N{NO-BREAK SPACE}450 due",
            "For the bag",
        ]
    ) == ["Add to cart", "For the bag", "KES 450 due", "Only 3 left", "View cart"]
    assert (
        english.found_in(["Weka kikapuni", "Zimebaki 3 tu", "WhatsApp", "Kericho tea, 500 g"]) == []
    )


@pytest.mark.row("W60", "W61")
def test_to_buy_and_pay_needs_no_english(world: World, reader: Reader) -> None:
    shop, page = world.open_shop(), reader.page
    shopper = world.shopper(shop)

    def at(path: str) -> None:
        reader.open(address(world, shop, path))

    for path in ("/", "/deliver-to", "/cart", "/me", "/areas", "/search?q=zzqx", "/nowhere"):
        at(path)
    for link in [link for link in reader.links if "/pages/" in link][:6]:
        reader.open(link)
    page.goto(address(world, shop))
    product = page.locator(".card a").first.get_attribute("href") or ""
    at(product)
    page.get_by_role("button", name="Weka kikapuni").click()
    expect(page.get_by_role("link", name=re.compile("Tazama kikapu")).first).to_be_visible()
    reader.read("added")
    at("/cart")
    at("/checkout")
    page.fill("[name=phone]", "12345")
    page.select_option("#area", "kilimani")
    page.fill("[name=landmark]", "Geti la bluu")
    page.locator("form[action='/checkout'] button.btn, button[form]").last.click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    reader.read("checkout with a mistake")
    page.fill("[name=phone]", f"0{shopper.phone[3:]}")
    page.get_by_role("button", name=re.compile("^Lipa KES")).click()
    page.wait_for_url(re.compile("/o/[0-9a-f]+"))
    expect(page.locator("h1")).to_have_text("Weka PIN yako ya M-Pesa")
    reader.read("on the phone")
    world.answer(shopper.phone, "cancel")
    expect(page.locator("h1")).to_have_text("Umeghairi")
    reader.read("cancelled")
    page.get_by_role("button", name=re.compile("^Lipa KES")).click()
    world.answer(shopper.phone)
    expect(page.locator("h1")).to_have_text(re.compile(r"Umelipa KES\s[\d,]+"))
    reader.read("paid")
    page.goto(page.url.split("?")[0])
    reader.read("tracking")

    told = wait_for("the receipt", lambda: world.outbox(shopper.phone))
    receipts = [message["text"] for message in told if "umelipa" in message["text"]]
    assert len(receipts) == 1
    assert "Msimbo wa M-Pesa" in receipts[0]
    reader.approve()
    assert len(reader.seen) >= 14


@pytest.mark.row("W60")
@pytest.mark.slow
def test_every_screen_of_an_owner_is_in_swahili(world: World, reader: Reader) -> None:
    """Every link of the desk is followed; of many alike (orders, products) one is enough."""
    shop = world.open_shop()
    for ends in ("paid", "pending_payment"):
        shopper = world.shopper(shop)
        shopper.cookies[LANGUAGE_COOKIE] = "sw"
        purchase = shopper.buy()
        if ends == "paid":
            world.answer(shopper.phone)
            purchase.wait("paid")
    sign_in(world, shop, reader)

    start = reader.page.url
    follow_every_link(reader, start, "/dash/", "/staff/", "/account", "/devices", "/security")

    reader.approve()
    assert len(reader.seen) >= 35, reader.seen


@pytest.mark.row("W60")
def test_to_open_a_shop_needs_no_english(world: World, reader: Reader) -> None:
    page, base = reader.page, f"http://localhost:{world.stack.port}"
    phone = world.shopper(world.open_shop()).phone
    reader.open(f"{base}/", "front")
    reader.open(f"{base}/open-a-shop/", "phone")
    page.fill("[name=phone]", f"0{phone[3:]}")
    page.fill("[name=name]", "Wanjiru Kamau")
    press_on(page)
    code = wait_for("a code", lambda: re.findall(r"\b\d{6}\b", str(world.outbox(phone)[-1:])))
    assert "ni msimbo wako" in world.outbox(phone)[-1]["text"]
    page.wait_for_selector("[name=code]")
    reader.read("code")
    page.fill("[name=code]", code[-1])
    press_on(page)
    page.wait_for_url(re.compile("/kind"))
    reader.read("kind")
    page.locator("[name=kind]").first.check(force=True)
    press_on(page)
    page.wait_for_url(re.compile("/name"))
    page.get_by_role("textbox").first.press_sequentially(f"Duka {phone[-5:]}", delay=10)
    expect(page.locator("#slug-said")).to_contain_text("iko wazi")
    reader.read("name")
    press_on(page)
    page.wait_for_url(re.compile("/open/goods"))
    wizard = page.url.rpartition("/")[0]
    for step in ("goods", "areas", "till", "test", "done", "poster"):
        reader.open(f"{wizard}/{step}", step)

    reader.approve()
    assert len(reader.seen) >= 10


@pytest.mark.row("M6", "W60")
def test_every_result_of_a_prompt_is_said_in_swahili_with_a_next_tap(
    world: World, reader: Reader
) -> None:
    shop, page = world.open_shop(), reader.page
    codes = ("1", "1001", "1019", "1025", "1032", "1037", "2001", "8006", "9999", "7777")
    bought = {}
    for code in codes:
        shopper = world.shopper(shop)
        world.faults(msisdn=shopper.phone, auto="cancel", result_code=int(code), after_s=0.2)
        bought[code] = shopper.buy()
    titles = set()
    for code, purchase in bought.items():
        wait_for(f"the end of {code}", lambda p=purchase: p.attempts()[-1]["status"] == "failed")  # type: ignore[misc]
        reader.open(address(world, shop, purchase.path), f"result {code}")
        titles.add(page.locator("h1").inner_text())
        expect(page.locator(".bar a, .bar button").last).to_be_visible()
        expect(page.locator(".bar")).to_contain_text(re.compile("Lipa|Uliza"))

    reader.approve()
    assert len(titles) >= 7


def sign_in(world: World, shop: Shop, reader: Reader) -> None:
    """By e-mail, reading every door on the way."""
    base = f"http://localhost:{world.stack.port}"
    for door in ("/sign-in", "/sign-in/link", "/sign-in?way=password"):
        reader.open(f"{base}{door}", door)
    reader.page.fill("#email", shop.people["owner"]["email"])
    reader.page.fill("#password", shop.people["owner"]["password"])
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_url(re.compile(rf"/dash/{shop.slug}/"))


def follow_every_link(reader: Reader, start: str, *below: str) -> None:
    """Open every page that can be reached under these paths, one of each kind."""
    host, waiting, kinds = urlsplit(start).netloc, deque([start]), set()
    while waiting:
        url = waiting.popleft()
        parts = urlsplit(url)
        kind = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|KT-\d+|/p/[^/]+", "*", parts.path)
        if parts.netloc != host or not parts.path.startswith(below) or kind in kinds:
            continue
        if "lang=en" in parts.query or re.search(r"\.(csv|xlsx|zip|svg)$", parts.path):
            continue  # the English side of a page of the shop's own; a file
        kinds.add(kind)
        reader.open(url, kind)
        waiting.extend(reader.links)


def press_on(page: Page) -> None:
    """The one main button of a step."""
    page.locator("button.button--main").last.click()
