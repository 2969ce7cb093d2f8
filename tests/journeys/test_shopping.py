"""Buying with a real browser: what is promised before, what is charged after, and every way in between."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from bench.selfcheck import Report
from tests.browsing import Complaints, address, fill_checkout, plain, purchase_on
from tests.world import ROOT, Purchase, Shop, Shopper, World, wait_for

pytestmark = pytest.mark.browser

Check = Callable[[], Report]
SCRIPT = "<script>window.hacked=1</script>Tea & cup"
# Everything a script of this origin can read: what the page keeps, what the worker behind it keeps.
STORAGE = """async () => {
  const pages = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const answer = await cache.match(request, { ignoreVary: true });
      const heads = [...answer.headers, ...request.headers].join("\\n");
      pages[name + " " + request.url] = heads + "\\n" + (await answer.text());
    }
  }
  const databases = (await indexedDB.databases()).map((each) => each.name);
  const taps = !databases.includes("taps") ? [] : await new Promise((done, failed) => {
    const open = indexedDB.open("taps", 1);
    open.onerror = failed;
    open.onsuccess = () => {
      const asked = open.result.transaction("taps").objectStore("taps").getAll();
      asked.onsuccess = () => done(asked.result, open.result.close());
    };
  });
  const workers = (await navigator.serviceWorker.getRegistrations()).map((each) => each.scope);
  return {
    local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie,
    databases, taps, pages, workers,
  };
}"""

# A product as shops have them: two colours, a photo of each, one sold out.
WATCH = """
import sys
from PIL import Image
from app import create_app
from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.catalog.actions import NewPicture, NewProduct, NewVariant, add_product
from app.domain.catalog.models import Category
from app.domain.media.actions import store_picture
from config import Settings
settings = Settings.from_environ()
with create_app(settings, role="manage").app_context(), inside_store(int(sys.argv[1])):
    pictures = [
        NewPicture(
            stored=store_picture(Image.new("RGB", (1500, 1500), colour), media_dir=settings.media_dir),
            option_value=colour.title(),
        )
        for colour in ("black", "red")
    ]
    made = add_product(db.session(), NewProduct(
        name="Digital sport watch, 50 m water resistant",
        category=db.session.query(Category).first(),
        description_html="<p>Keeps time under water.</p>",
        options=["Colour"],
        pictures=pictures,
        variants=[
            NewVariant(sku="W-B", price_cents=1_850_00, options=["Black"], stock=7),
            NewVariant(sku="W-R", price_cents=1_950_00, options=["Red"], stock=0),
        ],
    ))
    print(made.slug)
    db.session.commit()
"""


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return world.open_shop()


@pytest.fixture(scope="module")
def watch(world: World, shop: Shop) -> str:
    """The path of a product with pictures and choices."""
    made = subprocess.run(
        [sys.executable, "-c", WATCH, str(shop.store_id)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=world.stack.env,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return f"/p/{made.stdout.split()[-1]}"


@pytest.fixture
def still(chromium: Browser) -> Iterator[Page]:
    """A phone without JavaScript."""
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, locale="en-KE", java_script_enabled=False
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def add_tea(page: Page, world: World, shop: Shop, n: int = 0) -> None:
    """Put one of the n-th tea in the cart, as a shopper does."""
    page.goto(address(world, shop, f"/p/{shop.variants[n]['slug']}"))
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_text("Added").or_(page.locator("#cart-panel"))).to_be_visible()


def begin_checkout(page: Page, world: World, shop: Shop, shopper: Shopper, n: int = 0) -> None:
    """A checkout page with everything typed and the total on its button."""
    add_tea(page, world, shop, n)
    page.goto(address(world, shop, "/checkout"))
    fill_checkout(page, shopper.phone)
    expect(page.locator("#pay")).not_to_contain_text("and delivery")


def orders_of(world: World, shop: Shop) -> int:
    return int(
        world.sql("SELECT count(*) n FROM app.orders WHERE store_id = %s", shop.store_id)[0]["n"]
    )


def set_price(world: World, shop: Shop, n: int, cents: int) -> None:
    world.sql(
        "UPDATE app.variants SET price_cents = %s WHERE store_id = %s AND id = %s",
        cents,
        shop.store_id,
        shop.variants[n]["id"],
    )


def set_stock(world: World, shop: Shop, n: int, stock: int) -> None:
    """Count the shelf anew: so many that nobody has reserved."""
    [row] = world.sql(
        "SELECT reserved - on_hand AS missing FROM app.variants WHERE store_id = %s AND id = %s",
        shop.store_id,
        shop.variants[n]["id"],
    )
    world.receive(shop, shop.variants[n], row["missing"] + stock, reason="count")


def set_fee(world: World, shop: Shop, cents: int) -> None:
    world.sql(
        "UPDATE app.delivery_areas SET fee_cents = %s WHERE store_id = %s AND area = 'kilimani'",
        cents,
        shop.store_id,
    )


def prompt_of(world: World, purchase: Purchase) -> dict[str, Any]:
    """What the shopper's phone shows."""
    return wait_for("the prompt", lambda: world.prompts(purchase.shopper.phone))[0]


@pytest.mark.row("N26", "W15", "N27")
def test_the_fee_on_the_product_page_is_the_fee_that_is_charged(
    world: World, shop: Shop, page: Page, everything_agrees: Check
) -> None:
    shopper = world.shopper(shop)
    page.goto(address(world, shop, f"/p/{shop.variants[0]['slug']}"))
    page.get_by_role("link", name="Where do we deliver?").click()
    page.get_by_role("button", name=re.compile("Kilimani")).click()
    strip = page.locator("#strip")
    expect(strip).to_contain_text("Deliver to Kilimani")
    said = plain(strip.inner_text())
    assert re.search(r"KES 250, .*by \d", said), said
    assert world.sql("SELECT 1 FROM app.carts WHERE store_id = %s", shop.store_id) == []

    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="View cart").click()
    page.get_by_role("link", name="Check out").click()
    button = page.locator("#pay")
    expect(button).to_have_text("Pay KES\u00a0700 with M-Pesa")
    page.get_by_label("Delivery area").select_option("westlands")
    expect(button).to_have_text("Pay KES\u00a0750 with M-Pesa")
    fill_checkout(page, shopper.phone)
    expect(button).to_have_text("Pay KES\u00a0700 with M-Pesa")
    button.click()

    page.wait_for_url("**/o/*")
    purchase = purchase_on(page, shopper)
    assert (purchase.row["delivery_fee_cents"], purchase.row["total_cents"]) == (250_00, 700_00)
    assert prompt_of(world, purchase)["amount"] == 700
    world.answer(shopper.phone)
    purchase.wait("paid")
    everything_agrees()


@pytest.mark.row("N28", "W15", "W9")
def test_everything_can_be_bought_without_javascript(
    world: World, shop: Shop, still: Page, everything_agrees: Check
) -> None:
    shopper = world.shopper(shop)
    visited: list[str] = []
    still.on("framenavigated", lambda frame: visited.append(frame.url))
    still.goto(address(world, shop))
    still.get_by_role("link", name=re.compile("Kericho tea no. 2")).first.click()
    still.get_by_role("button", name="Add to cart").click()
    still.get_by_role("link", name="Check out").click()
    fill_checkout(still, shopper.phone, area="westlands")
    still.get_by_role("button", name="Update the fee").click()
    expect(still.locator("#pay")).to_have_text("Pay KES\u00a0850 with M-Pesa")
    expect(still.get_by_label("Landmark near you")).to_have_value("Blue gate opposite the school")
    still.locator("#pay").click()
    still.wait_for_url("**/o/*")
    purchase = purchase_on(still, shopper)
    world.answer(shopper.phone)
    purchase.wait("paid")
    still.reload()
    expect(still.locator("h1")).to_have_text("Paid KES\u00a0850")
    assert prompt_amounts(world, purchase) == [850]
    # No wall: nothing on the way asked who they are.
    assert not [url for url in visited if re.search(r"/me|sign-in|/staff", url)]
    everything_agrees()


def prompt_amounts(world: World, purchase: Purchase) -> list[int]:
    found = world.transactions(msisdn=purchase.shopper.phone)["transactions"]
    return [each["amount"] for each in found]


@pytest.mark.row("N24")
def test_a_new_shopper_sees_at_most_four_inputs(world: World, shop: Shop, page: Page) -> None:
    add_tea(page, world, shop)
    page.goto(address(world, shop, "/checkout"))
    fields = page.locator("#checkout :is(input, select, textarea):visible")
    assert [field.get_attribute("name") for field in fields.all()] == [
        "phone",
        "area",
        "landmark",
        "name",
    ]


@pytest.mark.row("W17")
@pytest.mark.parametrize("has_script", [True, False])
def test_a_price_that_changed_is_shown_before_any_prompt(
    world: World, shop: Shop, page: Page, still: Page, has_script: bool
) -> None:
    here, shopper = page if has_script else still, world.shopper(shop)
    if has_script:
        begin_checkout(here, world, shop, shopper)
    else:
        add_tea(here, world, shop)
        here.goto(address(world, shop, "/checkout"))
        fill_checkout(here, shopper.phone)
        here.get_by_role("button", name="Update the fee").click()
        expect(here.locator("#pay")).to_contain_text("700")
    before = orders_of(world, shop)
    set_price(world, shop, 0, 500_00)
    try:
        here.locator("#pay").click()
        expect(here.get_by_role("alert").first).to_contain_text(re.compile("700|750"))
        assert orders_of(world, shop) == before
        assert world.transactions(msisdn=shopper.phone)["transactions"] == []
        button = here.locator("#pay")
        expect(button).to_have_text("Pay KES\u00a0750 with M-Pesa")
        expect(here.get_by_label("Landmark near you")).to_have_value(re.compile("Blue gate"))
        button.click()
        here.wait_for_url("**/o/*")
        assert prompt_of(world, purchase_on(here, shopper))["amount"] == 750
    finally:
        set_price(world, shop, 0, 450_00)


@pytest.mark.row("W17")
def test_stock_that_went_is_said_before_any_prompt(world: World, page: Page) -> None:
    shop = world.open_shop(stock=[4])
    shopper = world.shopper(shop)
    begin_checkout(page, world, shop, shopper)
    set_stock(world, shop, 0, 0)
    page.locator("#pay").click()
    expect(page.get_by_role("alert").first).to_contain_text(re.compile("sold out|left"))
    assert orders_of(world, shop) == 0
    assert world.transactions(msisdn=shopper.phone)["transactions"] == []


@pytest.mark.row("N61")
def test_more_than_there_is_becomes_what_there_is_and_says_so(world: World, page: Page) -> None:
    shop = world.open_shop(stock=[3])
    add_tea(page, world, shop)
    page.goto(address(world, shop, "/cart"))
    page.get_by_role("button", name="One more").click()
    expect(page.locator("#cart-panel output")).to_have_text("2")
    set_stock(world, shop, 0, 2)  # sold at the counter meanwhile
    page.get_by_role("button", name="One more").click()
    expect(page.locator("#cart-panel")).to_contain_text("We have only 2 of it")
    expect(page.locator("#cart-panel output")).to_have_text("2")


@pytest.mark.row("N44")
def test_a_cart_outlives_the_browser_and_a_tampered_one_is_empty(
    world: World, shop: Shop, chromium: Browser, page: Page
) -> None:
    add_tea(page, world, shop)
    kept = page.context.storage_state()
    seen = {"name": "seen", "value": shop.variants[0]["slug"]}
    origin = address(world, shop).rstrip("/")
    assert kept["origins"] == [{"origin": origin, "localStorage": [seen]}]
    again = chromium.new_context(storage_state=kept)
    later = again.new_page()
    later.goto(address(world, shop, "/cart"))
    expect(later.locator("#cart-panel")).to_contain_text("Kericho tea no. 1")

    for cookie in kept["cookies"]:
        if cookie["name"] == "__Host-cart":
            assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
            cookie["value"] = cookie["value"][:-3] + "abc"
    again.clear_cookies()
    again.add_cookies(kept["cookies"])  # type: ignore[arg-type]
    answer = later.goto(address(world, shop, "/cart"))
    assert answer is not None
    assert answer.status == 200
    expect(later.get_by_role("heading", name="Your cart is empty")).to_be_visible()
    add_tea(later, world, shop, 1)
    later.goto(address(world, shop, "/cart"))
    expect(later.locator("#cart-panel output")).to_have_text("1")
    again.close()


@pytest.mark.row("N18", "N98")
def test_a_quote_is_honoured_while_it_lives_and_priced_anew_after(world: World, page: Page) -> None:
    shop = world.open_shop()
    first, second = world.shopper(shop), world.shopper(shop)
    begin_checkout(page, world, shop, first)
    set_fee(world, shop, 400_00)
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    purchase = purchase_on(page, first)
    assert purchase.row["delivery_fee_cents"] == 250_00
    lives = world.sql(
        "SELECT extract(epoch FROM expires_at - created_at)::int AS lives FROM app.delivery_quotes"
        " WHERE store_id = %s AND id = %s",
        shop.store_id,
        purchase.row["quote_id"],
    )
    assert lives == [{"lives": 900}]
    world.answer(first.phone)
    purchase.wait("paid")

    set_fee(world, shop, 250_00)
    page.context.clear_cookies()
    begin_checkout(page, world, shop, second)
    expect(page.locator("#pay")).to_contain_text("700")
    set_fee(world, shop, 400_00)
    world.sql(
        "UPDATE app.delivery_quotes SET expires_at = now() - interval '1 second' WHERE store_id = %s",
        shop.store_id,
    )
    page.locator("#pay").click()
    expect(page.get_by_role("alert").first).to_contain_text("850")
    expect(page.locator("#pay")).to_have_text("Pay KES\u00a0850 with M-Pesa")
    assert world.transactions(msisdn=second.phone)["transactions"] == []
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    assert prompt_of(world, purchase_on(page, second))["amount"] == 850


@pytest.mark.row("N46", "W16")
def test_refresh_back_and_a_second_tab_are_the_same_order(
    world: World, shop: Shop, page: Page, everything_agrees: Check
) -> None:
    shopper = world.shopper(shop)
    begin_checkout(page, world, shop, shopper)
    tab = page.context.new_page()
    tab.goto(address(world, shop, "/checkout"))
    fill_checkout(tab, shopper.phone)
    expect(tab.locator("#pay")).not_to_contain_text("and delivery")
    before = orders_of(world, shop)
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    order = page.url
    page.reload()
    assert page.url == order
    page.go_back()
    fill_checkout(page, shopper.phone)
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    tab.locator("#pay").click()
    tab.wait_for_url("**/o/*")
    assert (page.url, tab.url) == (order, order)
    assert orders_of(world, shop) == before + 1
    wait_for("the prompt", lambda: world.prompts(shopper.phone))
    assert prompt_amounts(world, purchase_on(page, shopper)) == [700]
    world.answer(shopper.phone)
    purchase_on(page, shopper).wait("paid")
    everything_agrees()


@pytest.mark.row("N36", "N43")
def test_add_to_cart_is_in_view_at_once_and_one_small_round_trip(
    world: World, shop: Shop, watch: str, page: Page
) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    for path in (f"/p/{shop.variants[0]['slug']}", watch):
        page.goto(address(world, shop, path), wait_until="networkidle")
        button = page.get_by_role("button", name="Add to cart")
        box = button.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 640
        expect(button).to_be_in_viewport(ratio=1)
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        with page.expect_response("**/cart/lines") as answer:
            button.click()
        assert len(answer.value.body()) < 2048
        expect(page.locator("#added")).to_contain_text("Added")
        page.wait_for_load_state("networkidle")
        assert len(asked) == 1, asked


@pytest.mark.row("T60", "M15")
def test_a_script_in_a_name_is_text_on_every_page(
    world: World, chromium: Browser, everything_agrees: Check
) -> None:
    shop = world.open_shop()
    for table in ("products", "categories"):
        world.sql(f"UPDATE app.{table} SET name = %s WHERE store_id = %s", SCRIPT, shop.store_id)
    context = chromium.new_context()
    complaints = Complaints()
    complaints.listen(context)
    page, shopper = context.new_page(), world.shopper(shop)
    slug = shop.variants[0]["slug"]
    category = world.sql("SELECT slug FROM app.categories WHERE store_id = %s", shop.store_id)[0]
    add_tea(page, world, shop)
    paths = ["/", f"/c/{category['slug']}", f"/p/{slug}", "/search?q=tea", "/cart", "/checkout"]
    for path in [*paths, f"/search?q={SCRIPT}", "/areas/kilimani"]:
        page.goto(address(world, shop, path))
        assert_harmless(page)
    page.goto(address(world, shop, "/checkout"))
    fill_checkout(page, shopper.phone)
    page.get_by_label("Landmark near you").fill(SCRIPT)
    page.get_by_label("Your name").fill(SCRIPT)
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    assert_harmless(page)
    purchase = purchase_on(page, shopper)
    world.answer(shopper.phone)
    purchase.wait("paid")
    page.reload()
    assert_harmless(page)

    sign_in(page, world, shop, "owner")
    order = f"/staff/{shop.slug}/orders/{purchase.row['id']}"
    for path in (f"/dash/{shop.slug}/", f"/staff/{shop.slug}/orders/", order, f"{order}/slip"):
        answer = page.goto(f"{world.stack.base_url}{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert_harmless(page, is_named=path.startswith(order))
    assert_keeps_nothing_of_a_person(page, shop.people["owner"]["email"])
    assert complaints.lines == []
    context.close()
    everything_agrees()


def assert_harmless(page: Page, *, is_named: bool = True) -> None:
    """The name is there to read, and nothing of it ran or became an element."""
    assert page.evaluate("window.hacked") is None, page.url
    for script in page.locator("script").all():
        held = script.text_content() or ""
        if script.get_attribute("type") == "application/ld+json":
            json.loads(held)  # facts for machines, which no browser runs
            assert "<" not in held, page.url
        else:
            assert "hacked" not in held, page.url
    if is_named:
        assert "<script>window.hacked=1</script>" in page.inner_text("body") or any(
            "hacked" in field.input_value() for field in page.locator("input[type=search]").all()
        ), page.url


def sign_in(page: Page, world: World, shop: Shop, role: str) -> None:
    """Sign a person of this store in with their password."""
    person = shop.people[role]
    page.goto(f"{world.stack.base_url}/sign-in?way=password")
    form = page.locator("form").filter(has=page.locator("[name=password]"))
    form.locator("[name=email]").fill(person["email"])
    form.locator("[name=password]").fill(person["password"])
    form.locator("button").click()
    page.wait_for_url(re.compile(f"/{shop.slug}/|/stores"))


@pytest.mark.row("M10", "M15")
def test_no_page_of_the_shop_keeps_anything_of_a_person_or_breaks_the_policy(
    world: World, shop: Shop, watch: str, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    complaints = Complaints()
    complaints.listen(context)
    page, shopper = context.new_page(), world.shopper(shop)
    for path in ("/", "/c/tea", watch, "/search?q=tea", "/deliver-to", "/me", "/cart"):
        page.goto(address(world, shop, path), wait_until="networkidle")
        assert_keeps_nothing_of_a_person(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.goto(address(world, shop, watch))
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="View cart").click()
    page.get_by_role("button", name="One more").click()
    expect(page.locator("#cart-panel output")).to_have_text("2")
    page.get_by_role("link", name="Check out").click()
    fill_checkout(page, shopper.phone)
    page.get_by_label("Your name").fill("Wanjiku Achieng")
    expect(page.locator("#pay")).not_to_contain_text("and delivery")
    assert_keeps_nothing_of_a_person(page, shopper.phone[3:], "Achieng")
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    world.answer(shopper.phone)
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    page.reload()
    # The worker was there all the while: what is shown without a network is kept by now.
    kept = assert_keeps_nothing_of_a_person(page, shopper.phone[3:], "Achieng")
    names = {name.partition(" ")[0].partition("-")[0] for name in kept["pages"]}
    assert {"shell", "seen", "mine"} <= names <= {"shell", "seen", "mine", "pictures"}
    assert kept["local"] == {"seen": watch.removeprefix("/p/")}
    assert complaints.lines == []
    context.close()


def assert_keeps_nothing_of_a_person(page: Page, *words: str) -> dict[str, Any]:
    """What this browser keeps for the page says nothing of who somebody is. Returns all of it.

    There may be a worker with pages as they were last seen, and the list of goods looked at. In none
    of it is a session, nor these ``words``; a phone is looked for without its country, spaces or dots.
    """
    kept: dict[str, Any] = page.evaluate(STORAGE)
    assert kept["cookies"] == "", page.url
    assert kept["session"] == {}, page.url
    assert set(kept["local"]) <= {"seen"}, page.url
    assert re.fullmatch(r"[a-z0-9,-]*", kept["local"].get("seen", "")), page.url
    assert set(kept["databases"]) <= {"taps"}, page.url
    assert kept["taps"] == [], page.url
    assert len(kept["workers"]) <= 1, page.url
    sessions = {each["value"] for each in page.context.cookies() if len(each["value"]) > 15}  # type: ignore[typeddict-item]
    for where, text in kept["pages"].items():
        joined = re.sub(r"[\s\u00a0.-]", "", text)
        told = [each for each in {*sessions, *words} if each in text or each in joined]
        assert told == [], (page.url, where)
    return kept


@pytest.mark.row("W33")
def test_renaming_and_removing_a_product_leaves_old_orders_alone(world: World, page: Page) -> None:
    shop = world.open_shop()
    shopper = world.shopper(shop)
    purchase = shopper.buy()
    world.answer(shopper.phone)
    purchase.wait("paid")
    world.sql(
        "UPDATE app.products SET name = 'Something else', status = 'archived' WHERE store_id = %s",
        shop.store_id,
    )
    set_price(world, shop, 0, 999_00)
    page.goto(address(world, shop, purchase.path))
    words = plain(page.inner_text("main"))
    assert "Kericho tea no. 1" in words
    assert "KES 450" in words
    assert "KES 700" in words
    assert "Something else" not in words


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(
    world: World, shop: Shop, watch: str, chromium: Browser, scheme: Any
) -> None:
    context = chromium.new_context(color_scheme=scheme, reduced_motion="reduce")
    page, shopper = context.new_page(), world.shopper(shop)
    sizes = ({"width": 360, "height": 740}, {"width": 1280, "height": 800})
    failed = world.shopper(shop)
    world.faults(msisdn=failed.phone, auto="pin_locked", after_s=0.2)
    other = failed.buy()
    wait_for("the end", lambda: other.attempts()[-1]["status"] == "failed")
    begin_checkout(page, world, shop, shopper)
    for path in ("/", "/c/tea", watch, "/cart", "/checkout"):
        page.goto(address(world, shop, path))
        inspect(page, sizes)
    fill_checkout(page, shopper.phone)
    expect(page.locator("#pay")).not_to_contain_text("and delivery")
    page.locator("#pay").click()
    page.wait_for_url("**/o/*")
    expect(page.locator("#payment")).to_have_attribute("data-kind", "on_phone")
    inspect(page, sizes)
    world.answer(shopper.phone)
    expect(page.locator("#payment")).to_have_attribute("data-kind", "paid")
    inspect(page, sizes)
    page.goto(address(world, shop, other.path))
    inspect(page, sizes)
    context.close()


def inspect(page: Page, sizes: Any) -> None:
    for size in sizes:
        page.set_viewport_size(size)
        found = Axe().run(page).response["violations"]
        wrong = [
            (each["id"], each["help"], [node["html"][:150] for node in each["nodes"]])
            for each in found
        ]
        assert wrong == [], (page.url, size)


def test_nothing_scrolls_sideways_at_320(world: World, shop: Shop, watch: str, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    shopper = world.shopper(shop)
    world.faults(msisdn=shopper.phone, auto="cancel", after_s=0.2)
    add_tea(page, world, shop)
    order = shopper.buy()
    for path in ("/", "/c/tea", watch, "/cart", "/checkout", "/deliver-to", "/areas", order.path):
        page.goto(address(world, shop, path))
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_a_keyboard_is_enough_from_product_to_pay(
    world: World, shop: Shop, watch: str, page: Page, everything_agrees: Check
) -> None:
    shopper = world.shopper(shop)
    page.goto(address(world, shop, watch))
    tab_to(page, page.get_by_role("button", name="Add to cart"))
    page.keyboard.press("Enter")
    view = page.get_by_role("link", name="View cart")
    expect(view).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Check out"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("M-Pesa phone number"))
    page.keyboard.type("0" + shopper.phone[3:])
    tab_to(page, page.get_by_label("Delivery area"))
    page.keyboard.type("Kili")
    expect(page.locator("#pay")).to_have_text("Pay KES\u00a02,100 with M-Pesa")
    tab_to(page, page.get_by_label("Landmark near you"))
    page.keyboard.type("Blue gate")
    tab_to(page, page.locator("#pay"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/*")
    purchase = purchase_on(page, shopper)
    world.answer(shopper.phone)
    purchase.wait("paid")
    everything_agrees()


def tab_to(page: Page, wanted: Locator, *, most: int = 60) -> None:
    """Press Tab until this has the focus, which must be visible."""
    for _ in range(most):
        if wanted.evaluate("(element) => element === document.activeElement"):
            shown = wanted.evaluate(
                "(e) => { const s = getComputedStyle(e); return s.outlineStyle !== 'none' || s.boxShadow !== 'none' }"
            )
            assert shown, f"no focus ring on {wanted}"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with Tab")
