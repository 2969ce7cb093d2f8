"""The order page tells the truth about the money: a browser's words beside the database's rows.

Each order is watched in two browsers at once: one with scripts, which asks by itself, and one
without, which is reloaded. For every look, the rows are those of the time when that browser's
last answer was made; what is shown later than that is the poll's own lag.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bench.selfcheck import Report
from tests.browsing import Historian, Seen, Truth, address, hear_polls, plain, read_panel
from tests.world import Purchase, Shop, World, wait_for

pytestmark = pytest.mark.browser

Check = Callable[[], Report]
PAY = "Pay KES 700 with M-Pesa"
OTHER, AT_THE_DOOR, CHAT = (
    "Use another phone number",
    "Pay when it arrives",
    "Ask the shop on WhatsApp",
)
OTHER_WAYS = [OTHER, AT_THE_DOOR, CHAT]
ANOTHER_NUMBER = "Pay from another number"
LAG = 1.5  # of the machine, not of the page
SLACK = 0.3  # between two readings of the database

# A result of M-Pesa, and the panel that is true for it: kind, title, the one next tap.
ANSWERS: dict[str, tuple[str, str, str]] = {
    "1": ("low_balance", "Not enough money", PAY),
    "2": ("failed", "Amount too small", CHAT),
    "3": ("failed", "Amount too large", CHAT),
    "4": ("failed", "Daily limit reached", ANOTHER_NUMBER),
    "8": ("failed", "The shop cannot receive it", CHAT),
    "17": ("failed", "M-Pesa asks to wait", PAY),
    "26": ("failed", "M-Pesa is busy", PAY),
    "1001": ("failed", "The phone is busy", PAY),
    "1019": ("expired", "Time ran out", PAY),
    "1025": ("unreachable", "The request did not reach the phone", PAY),
    "1031": ("cancelled", "You cancelled it", PAY),
    "1032": ("cancelled", "You cancelled it", PAY),
    "1037": ("unreachable", "The phone did not answer", PAY),
    "2001": ("wrong_pin", "Wrong PIN", PAY),
    "2028": ("failed", "The shop's M-Pesa is not set up right", CHAT),
    "8006": ("wrong_pin", "PIN locked", ANOTHER_NUMBER),
    "9999": ("unreachable", "The request did not reach the phone", PAY),
    "SFC_IC0003": ("failed", "The shop's M-Pesa is not set up right", CHAT),
    "500.001.1001": ("failed", "M-Pesa did not take the request", PAY),
    "unreached": ("failed", "M-Pesa could not be reached", PAY),
}
# 1032 once the prompt's own time was over, or nearly: M-Pesa says the same for both.
IGNORED = ("expired", "No PIN was entered", PAY)
TITLES = {
    "sending": "Sending it to your phone",
    "on_phone": "Enter your M-Pesa PIN",
    "checking": "Checking with M-Pesa",
    "confirming": "Confirming with M-Pesa",
    "expired": "No answer from M-Pesa",
    "paid": "Paid KES 700",
}
LAST_WORDS = {code: {kind} for code, (kind, _, _) in ANSWERS.items()} | {
    "0": {"paid"},
    "": {"expired"},
    "1032": {"cancelled", "expired"},
}
NOTHING_TAKEN = "othing was taken"


@dataclass(frozen=True)
class Ending:
    """How a phone and a provider behave, and what the page must have said on the way."""

    name: str
    behaviour: dict[str, Any]
    code: str  # of the result; 0 is paid, nothing is never known
    on_the_way: tuple[str, ...] = ()


@dataclass
class Watch:
    """One order in two browsers."""

    ending: Ending
    purchase: Purchase
    page: Page
    still: Page
    url: str
    seen: list[Seen] = field(default_factory=list)

    @property
    def order_id(self) -> Any:
        return self.purchase.row["id"]

    @property
    def is_over(self) -> bool:
        return bool(self.seen) and self.seen[-1].kind in LAST_WORDS[self.ending.code]


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


@pytest.fixture
def screens(chromium: Browser) -> Iterator[tuple[BrowserContext, BrowserContext]]:
    """A phone with scripts and a phone without."""
    screen = {"width": 360, "height": 740}
    with_script = hear_polls(chromium.new_context(viewport=screen, locale="en-KE"))
    without = chromium.new_context(viewport=screen, locale="en-KE", java_script_enabled=False)
    yield with_script, without
    with_script.close()
    without.close()


def kinds_at(truth: Truth, moment: float) -> str:
    """The panel that these rows ask for at this moment."""
    attempt = truth.attempt
    if truth.order["status"] != "pending_payment":
        return "paid" if truth.order["status"] == "paid" else "order_cancelled"
    if attempt["callback_result_code"] == "0":
        return "confirming"
    if attempt["status"] == "awaiting_customer":
        return "on_phone" if attempt["prompt_ends"] > moment else "checking"
    if attempt["status"] == "failed":
        return answer_for(attempt)[0]
    return {"created": "sending", "sending": "sending", "unknown": "checking"}.get(
        attempt["status"], attempt["status"]
    )


def answer_for(attempt: dict[str, Any]) -> tuple[str, str, str]:
    """Kind, title and next tap of a failed attempt's result."""
    if attempt["status"] == "succeeded":
        return "paid", TITLES["paid"], "Follow this order"
    code, ends, told = attempt["result_code"], attempt["prompt_ends"], attempt["called_back"]
    if code == "1032" and not (ends and told and told <= ends - 2):
        return IGNORED
    return ANSWERS.get(code, ("failed", "Not completed", PAY))


def compare(book: Historian, watch: Watch, seen: Seen) -> None:
    """These words were true when the server said them, and were not kept for longer than a poll."""
    # A reading after the answer must exist before the two can be compared.
    wait_for("the book", lambda: book.has_seen(watch.order_id, seen.answered))
    truths = book.during(watch.order_id, seen.asked - SLACK, seen.answered + SLACK)
    moments = (seen.asked - SLACK, seen.answered + SLACK)
    true_kinds = {kinds_at(truth, moment) for truth in truths for moment in moments}
    story = (watch.ending.name, seen, [(t.order["status"], t.attempt) for t in truths])
    assert seen.kind in true_kinds, story
    assert all(truth.open_attempts <= 1 for truth in truths), story
    titles = {answer_for(t.attempt)[1] for t in truths if t.attempt["status"] == "failed"}
    assert seen.title in titles | {TITLES.get(seen.kind, "")}, story
    # Only a known failure may say that no money moved; only a paid order that it is paid.
    was_failed = any(t.attempt["status"] == "failed" for t in truths)
    assert was_failed or NOTHING_TAKEN not in seen.words, story
    assert ("Paid KES" in seen.words) == (seen.kind == "paid"), story
    if seen.kind == "on_phone" and seen.seconds is not None:
        ends = next(t.attempt["prompt_ends"] for t in truths if t.attempt["prompt_ends"])
        assert abs(seen.seconds - max(0.0, ends - seen.now)) <= 1.5, story
        assert seen.again == f"0:{seen.seconds:02d}", story
    if seen.polling:
        assert seen.now - seen.answered <= seen.polling + LAG, story
    waits = seen.kind in ("sending", "on_phone", "confirming")
    assert len(seen.taps) == 0 if waits else len(seen.taps) <= 1, story


def look(book: Historian, watch: Watch) -> Seen:
    """Read a browser with scripts; an answer that is just being shown gets a moment."""
    seen = read_panel(watch.page)
    try:
        compare(book, watch, seen)
    except AssertionError:
        watch.page.wait_for_timeout(150)
        seen = read_panel(watch.page)
        compare(book, watch, seen)
    watch.seen.append(seen)
    return seen


def reload(book: Historian, watch: Watch) -> Seen:
    """Reload the browser without scripts and read it. Its only news is the page itself."""
    begun = time.time()
    watch.still.goto(watch.url)
    seen = read_panel(watch.still)
    seen = Seen(**{**seen.__dict__, "asked": begun, "answered": time.time(), "polling": 0})
    compare(book, watch, seen)
    return seen


def one_prompt_each(world: World, watches: list[Watch]) -> None:
    """Never two prompts alive for one order, wherever they are."""
    alive = world.sandbox.get("/_sim/prompts").json()["prompts"]
    references = {prompt["account_reference"] for prompt in alive}
    for watch in watches:
        own = {attempt["account_reference"] for attempt in watch.purchase.attempts()}
        assert len(own & references) <= 1, watch.ending.name


def start(
    world: World,
    shop: Shop,
    book: Historian,
    screens: tuple[BrowserContext, BrowserContext],
    endings: list[Ending],
) -> list[Watch]:
    """Order with every phone and open each order in two browsers."""
    watches = []
    for ending in endings:
        shopper = world.shopper(shop)
        world.faults(msisdn=shopper.phone, **ending.behaviour)
        shopper.add()
        form = shopper.checkout_form()
        pages = [context.new_page() for context in screens]
        answer = shopper.post("/checkout", form)
        assert answer.status_code == 303, answer.text[:500]
        path = answer.headers["location"]
        row = world.sql(
            "SELECT * FROM app.orders WHERE token_hash = sha256(convert_to(%s, 'UTF8'))",
            path.rsplit("/", 1)[1],
        )[0]
        book.watch(row["id"])
        pages[0].goto(address(world, shop, path))
        purchase = Purchase(shopper, path, row["code"], row)
        watches.append(Watch(ending, purchase, *pages, address(world, shop, path)))
        for watch in watches:
            look(book, watch)
    return watches


def play(
    world: World,
    shop: Shop,
    screens: tuple[BrowserContext, BrowserContext],
    endings: list[Ending],
    *,
    seconds: float,
) -> list[Watch]:
    """Watch all endings side by side until each has ended, and for two polls after that."""
    with Historian(world.superuser_url) as book:
        watches = start(world, shop, book, screens, endings)
        end = time.monotonic() + seconds
        turn = 0
        while not all(watch.is_over for watch in watches):
            for watch in watches:
                look(book, watch)
            reload(book, watches[turn % len(watches)])
            one_prompt_each(world, watches)
            turn += 1
            late = [(w.ending.name, w.seen[-1].kind) for w in watches if not w.is_over]
            assert time.monotonic() < end, late
            watches[0].page.wait_for_timeout(100)
        for watch in watches:
            check_ending(book, watch)
    return watches


def check_ending(book: Historian, watch: Watch) -> None:
    """The last words, the one next tap, the other ways, and the same without scripts."""
    ending, shown = watch.ending, [seen.kind for seen in watch.seen]
    assert [kind for kind in ending.on_the_way if kind not in shown] == [], (ending.name, shown)
    attempt = watch.purchase.attempts()[-1]
    truth = book.history[watch.order_id][-1].attempt
    assert (attempt["result_code"] or "") == ending.code, ending.name
    kind, title, tap = ("expired", TITLES["expired"], PAY)
    if ending.code:
        kind, title, tap = answer_for(truth)
    if attempt["receipt"]:
        expect(watch.page.locator("#payment")).to_contain_text(attempt["receipt"])
    for seen in (look(book, watch), reload(book, watch)):
        assert (seen.kind, seen.title, seen.taps) == (kind, title, [tap]), ending.name
        assert seen.other == ([] if kind == "paid" else OTHER_WAYS), ending.name
        if kind == "paid":
            # M-Pesa's code, where anybody has told it; else the page asks on for a while.
            assert (attempt["receipt"] or "Paid to") in seen.words
        if tap == PAY:
            assert f"07•• ••• {watch.purchase.shopper.phone[-3:]}" in seen.words, ending.name


def answers(code: str, action: str, after_s: float = 3, **more: Any) -> Ending:
    """A phone on which this happens after so many seconds."""
    behaviour = {"auto": action, "after_s": after_s, "c2b": "none", **more}
    return Ending(action, behaviour, code, ("on_phone",))


@pytest.mark.row("I1")
def test_words_are_true_while_the_phone_answers(
    world: World,
    shop: Shop,
    screens: tuple[BrowserContext, BrowserContext],
    everything_agrees: Check,
) -> None:
    play(
        world,
        shop,
        screens,
        [
            answers("0", "pay"),
            answers("1032", "cancel", 2.4),
            answers("2001", "wrong_pin"),
            answers("1", "low_balance"),
            answers("1037", "unreachable"),
            answers("1019", "expired"),
            answers("8006", "pin_locked"),
            answers("26", "busy"),
            answers("SFC_IC0003", "no_operator"),
        ],
        seconds=60,
    )
    everything_agrees()


@pytest.mark.row("I1", "M42")
def test_words_are_true_while_nobody_knows(
    world: World,
    shop: Shop,
    screens: tuple[BrowserContext, BrowserContext],
    everything_agrees: Check,
) -> None:
    """Silence, lost answers, results that come late or disagree."""
    lost = {"cut_connection_before_answer": True, "callback": "never", "auto": "ignore"}
    late = {"callback": "late", "callback_delay_s": 11, "query": "failed_until_callback"}
    pays = {"auto": "pay", "c2b": "none"}
    play(
        world,
        shop,
        screens,
        [
            Ending(
                "found", pays | {"callback": "never", "after_s": 8}, "0", ("on_phone", "checking")
            ),
            Ending("late", pays | late | {"after_s": 0.5}, "0", ("on_phone", "unreachable")),
            Ending("lost", lost | {"c2b": "none"}, "", ("checking",)),
            Ending(
                "slow to confirm",
                pays | {"query": "pending_4999", "query_times": 6},
                "0",
                ("confirming",),
            ),
            Ending("ignored", {"auto": "ignore", "prompt_s": 6}, "1032", ("on_phone",)),
            Ending("refused", {"push_error": "locked"}, "500.001.1001"),
        ],
        seconds=90,
    )
    everything_agrees()


def order_in(
    page: Page, world: World, shop: Shop, book: Historian | None = None, **behaviour: Any
) -> Purchase:
    """An order from a phone that behaves like this, shown in this browser, watched by the book."""
    shopper = world.shopper(shop)
    if behaviour:
        world.faults(msisdn=shopper.phone, **behaviour)
    purchase = shopper.buy()
    if book is not None:
        book.watch(purchase.row["id"])
    page.goto(address(world, shop, purchase.path))
    return purchase


@pytest.mark.alone
@pytest.mark.row("W9", "N25")
def test_paid_is_said_within_three_seconds_on_the_same_page(
    page: Page, screens: tuple[BrowserContext, BrowserContext], world: World, shop: Shop
) -> None:
    visits: list[str] = []
    page.on(
        "request", lambda asked: visits.append(asked.url) if asked.is_navigation_request() else None
    )
    purchase = order_in(page, world, shop)
    still = screens[1].new_page()
    still.goto(page.url)
    expect(page.locator("#payment")).to_have_attribute("data-kind", "on_phone")
    world.answer(purchase.shopper.phone)
    wait_for("paid without scripts", lambda: still.reload() and read_panel(still).kind == "paid")
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    seen = read_panel(page)
    told = world.sql(
        "SELECT extract(epoch FROM min(received_at))::float8 AS at FROM app.callback_inbox"
        " WHERE store_id = %s AND attempt_id = %s",
        shop.store_id,
        purchase.attempts()[-1]["id"],
    )[0]["at"]
    assert 0 < seen.answered - told <= 3
    assert len(visits) == 1
    # It has stopped by itself: two polls' time brings no further question.
    page.wait_for_timeout(4_500)
    assert (read_panel(page).polls, seen.polling) == (seen.polls, 0)


@pytest.mark.row("M37")
def test_the_gap_reads_right_however_long_it_is(world: World, shop: Shop, page: Page) -> None:
    """The simulator answers after 5, 30, 60 and 120 s of a 60 s prompt; its clock runs ten times."""
    world.sandbox.post("/_sim/clock", json={"speed": 10}).raise_for_status()
    context = page.context
    with Historian(world.superuser_url) as book:
        watches = []
        for delay in (5, 30, 60, 120):
            tab = context.new_page()
            purchase = order_in(tab, world, shop, book, auto="pay", after_s=delay, prompt_s=180)
            watches.append(Watch(Ending(f"{delay} s", {}, "0"), purchase, tab, tab, tab.url))
        end = time.monotonic() + 60
        while not all(watch.is_over for watch in watches):
            for watch in watches:
                look(book, watch)
            assert time.monotonic() < end, [(w.ending.name, w.seen[-1].kind) for w in watches]
            page.wait_for_timeout(200)
    long_gap = [seen.kind for seen in watches[3].seen]
    assert {"on_phone", "checking"} <= set(long_gap)


@pytest.mark.row("M34", "M6")
def test_every_result_code_has_a_sentence_and_a_next_tap(
    world: World, shop: Shop, page: Page, everything_agrees: Check
) -> None:
    """Every code of M-Pesa's table, and one that nobody has heard of, which staff see raw."""
    refused = [code for code in ANSWERS if code not in ("500.001.1001", "unreached")]
    bought: dict[str, Purchase] = {}
    for code in [*refused, "7777"]:
        shopper = world.shopper(shop)
        wire = int(code) if code.isdecimal() else code
        text = {"result_desc": "Moon in the wrong house"} if code == "7777" else {}
        world.faults(msisdn=shopper.phone, auto="cancel", result_code=wire, after_s=0.2, **text)
        bought[code] = shopper.buy()
    for code, purchase in bought.items():
        wait_for(f"the end of {code}", lambda p=purchase: p.attempts()[-1]["status"] == "failed")
        page.goto(address(world, shop, purchase.path))
        seen = read_panel(page)
        assert purchase.attempts()[-1]["result_code"] == code
        expected = [ANSWERS.get(code, ("failed", "Not completed", PAY))]
        expected += [IGNORED] if code == "1032" else []
        assert (seen.kind, seen.title, *seen.taps) in expected, code
        assert seen.other == OTHER_WAYS, code
        assert code == "7777" or re.search(
            f"{NOTHING_TAKEN}|has locked the PIN|Close it, wait", seen.words
        ), seen
        said = seen.words.replace(purchase.code, "")
        assert len(code) < 3 or code not in said, seen
    unknown = bought["7777"].attempts()[-1]
    assert (unknown["result_code"], unknown["result_text"]) == ("7777", "Moon in the wrong house")
    everything_agrees()


@pytest.mark.row("I1", "M34")
def test_a_provider_that_is_down_is_said_and_nothing_was_sent(
    world: World, shop: Shop, page: Page
) -> None:
    shopper = world.shopper(shop)
    world.faults(msisdn=shopper.phone, spike_arrest="envelope", on=["push"])
    purchase = shopper.buy()
    page.goto(address(world, shop, purchase.path))
    expect(page.locator("h1")).to_have_text(TITLES["sending"])
    # Two minutes of trying, told by the attempt's age.
    world.sql(
        "UPDATE app.payment_attempts SET created_at = created_at - interval '3 minutes'"
        " WHERE store_id = %s AND order_id = %s RETURNING 1",
        shop.store_id,
        purchase.row["id"],
    )
    expect(page.locator("h1")).to_have_text(ANSWERS["unreached"][1])
    seen = read_panel(page)
    assert seen.stages[0] == "Not sent"
    assert (seen.taps, seen.other) == ([PAY], OTHER_WAYS)
    assert world.transactions(msisdn=shopper.phone)["transactions"] == []
    world.faults(msisdn=shopper.phone, spike_arrest="none", on=None)
    page.get_by_role("button", name=PAY).click()
    world.answer(shopper.phone)
    expect(page.locator("h1")).to_have_text(TITLES["paid"])


@pytest.mark.row("I1", "M35")
def test_another_number_pays_the_same_order_and_never_beside_a_living_prompt(
    world: World, shop: Shop, page: Page, everything_agrees: Check
) -> None:
    purchase = order_in(page, world, shop)
    panel = page.locator("#payment")
    expect(panel).to_have_attribute("data-kind", "on_phone")
    expect(page.get_by_role("button", name="Send again in")).to_have_attribute(
        "aria-disabled", "true"
    )
    expect(panel.locator("form")).to_have_count(0)
    world.answer(purchase.shopper.phone, "pin_locked")
    expect(page.locator("h1")).to_have_text("PIN locked")

    other = world.shopper(shop).phone
    page.get_by_role("link", name=ANOTHER_NUMBER).click()
    page.get_by_label("M-Pesa phone number").fill("0" + other[3:])
    page.get_by_role("button", name="Send it to this number").click()
    expect(panel).to_have_attribute("data-kind", re.compile("sending|on_phone"))
    expect(panel).to_contain_text(f"07•• ••• {other[-3:]}")
    world.answer(other)

    expect(page.locator("h1")).to_have_text(TITLES["paid"])
    assert [a["status"] for a in purchase.attempts()] == ["failed", "succeeded"]
    assert purchase.order()["status"] == "paid"
    everything_agrees()


def test_a_wrong_other_number_is_said_and_sends_nothing(
    world: World, shop: Shop, page: Page
) -> None:
    purchase = order_in(page, world, shop, auto="cancel", after_s=0.2)
    expect(page.locator("h1")).to_have_text(re.compile("cancelled|No PIN"))
    page.get_by_text(OTHER).click()
    page.get_by_label("M-Pesa phone number").fill("0201234567")
    page.get_by_role("button", name="Send it to this number").click()
    expect(
        page.get_by_role("alert").filter(has_text=re.compile("M-Pesa|mobile|number"))
    ).to_be_visible()
    assert len(purchase.attempts()) == 1


@pytest.mark.row("W22")
def test_the_page_names_no_provider_address(world: World, shop: Shop, page: Page) -> None:
    purchase = order_in(page, world, shop, auto="cancel", after_s=0.2)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(address(world, shop, purchase.path))
    assert answer is not None
    assert "connect-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"safaricom|daraja|api\.|/hooks/", plain(answer.text()), re.IGNORECASE)
    assert {url.split("/")[2] for url in asked} == {f"{shop.host}:{world.stack.port}"}
