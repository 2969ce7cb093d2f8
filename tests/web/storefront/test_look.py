"""How the shop looks and moves: layouts, targets, zoom, what a device was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.web.assets import colour_css
from bench._wire import Wire, phone
from tests.shop_window import Window

pytestmark = pytest.mark.browser

# Everything a finger is meant for, and the place it answers to: its own box, what its ::after adds (the
# whole card, for the name in it), or the label around it. A link inside a sentence is left out, as WCAG
# does, and the hidden button that Enter presses.
SMALL = """() => [...document.querySelectorAll("a, button, summary, select, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.closest(".rich, .skip, dialog, button.sr"))
  .map((one) => {
    const after = getComputedStyle(one, "::after");
    const fills = after.position === "absolute" && getComputedStyle(one).position === "static";
    const box = (fills ? one.offsetParent : one.closest("label") || one).getBoundingClientRect();
    const chip = one.querySelector(":scope .chip");
    const grown = after.content !== "none" && after.position === "absolute" ? -2 * parseFloat(after.top) : 0;
    return [one.outerHTML.slice(0, 90), box.width + grown, Math.max(box.height + grown, chip ? 46 : 0)];
  }).filter(([, width, height]) => width && height && (height < 43.5 || width < 43.5))"""

PAGES = ("home", "category", "product", "areas/kilimani", "deliver-to", "cart", "checkout", "me")


def filled(context: BrowserContext, window: Window) -> Page:
    page = context.new_page()
    page.goto(window.of("product"))
    page.locator("#add").click()
    expect(page.locator("#added")).to_contain_text("Added")
    return page


def test_every_target_takes_a_thumb(mobile: BrowserContext, window: Window) -> None:
    page = filled(mobile, window)
    for name in PAGES:
        page.goto(window.of(name))
        page.wait_for_load_state("networkidle")
        assert page.evaluate(SMALL) == [], name


@pytest.mark.parametrize(("width", "letters"), [(320, 16), (360, 16), (640, 32)])
def test_nothing_scrolls_sideways_when_narrow_or_enlarged(
    chromium: Browser, window: Window, width: int, letters: int
) -> None:
    """200 % zoom of 1280 is 640 wide; letters of twice the size besides."""
    context = phone(chromium, viewport={"width": width, "height": 640}, is_mobile=False)
    page = filled(context, window)
    for name in PAGES:
        page.goto(window.of(name))
        page.evaluate(f"document.documentElement.style.fontSize = '{letters}px'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        cut = page.evaluate(
            "[...document.querySelectorAll('main button:not(.sr), main a.btn')].filter((one) =>"
            " one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText)"
        )
        assert cut == [], name
    context.close()


@pytest.mark.row("N37")
def test_the_gallery_swipes_and_the_large_photo_comes_by_a_tap_alone(
    mobile: BrowserContext, window: Window
) -> None:
    page = mobile.new_page()
    wire = Wire(page)
    first = wire.view(window.of("product"))
    assert sum(one.kind == "photo" and "-640." in one.url for one in first) == 1
    page.locator("#gallery").evaluate("(one) => one.scrollTo({left: one.clientWidth})")
    expect(page.locator("#shot-2 img")).to_be_visible()
    expect(page.locator("#shot-2")).to_be_in_viewport(ratio=0.9)
    large = page.locator("#shot-2 .js-large")
    said = int(large.inner_text().split()[1])
    assert not [one for one in wire.so_far() if "-960." in one.url or "-1440." in one.url]
    large.click()
    opened = page.locator("#large img")
    expect(opened).to_be_visible()
    page.wait_for_load_state("networkidle")
    [fetched] = [one for one in wire.so_far() if one.url == opened.get_attribute("src")]
    assert fetched.body / 1000 <= said <= fetched.body / 1000 + 1
    assert opened.evaluate("(one) => one.clientWidth > innerWidth")  # there is something to move
    touch = page.locator(".large-photo").evaluate("(one) => getComputedStyle(one).touchAction")
    assert touch == "manipulation"  # one finger moves it, two widen it
    page.keyboard.press("Escape")
    expect(page.locator("#large")).to_be_hidden()
    expect(large).to_be_focused()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_tapped_picture_travels_to_its_page_unless_motion_is_not_wanted(
    chromium: Browser, window: Window, motion: Any
) -> None:
    context = phone(chromium, reduced_motion=motion)
    page = context.new_page()
    page.add_init_script(
        "self.moves = new Promise((done) => addEventListener('pagereveal', (event) => done("
        "event.viewTransition ? event.viewTransition.ready.then("
        "() => document.getAnimations().map((one) => one.effect.pseudoElement), () => []) : [])))"
    )
    page.goto(window.of("category"))
    page.locator(".card").nth(1).click()
    page.wait_for_url("**/p/**")
    moves = page.evaluate("self.moves")
    if motion == "reduce":
        assert not moves
    else:
        assert "::view-transition-group(photo)" in moves
    context.close()


def test_three_layouts_are_three(session: Session, chromium: Browser, window: Window) -> None:
    """The same goods as small pictures beside each other, as lines, and as large pictures."""
    seen: dict[tuple[str, int], list[float]] = {}
    for layout in ("grid", "list", "pictures"):
        session.execute(
            text("UPDATE app.stores SET home_layout = :layout WHERE id = app.store_id()"),
            {"layout": layout},
        )
        session.commit()
        for width in (360, 1280):
            context = phone(
                chromium,
                viewport={"width": width, "height": 800},
                is_mobile=width < 1000,
                device_scale_factor=2 if width < 1000 else 1,
            )
            page = context.new_page()
            page.goto(window.of("category"))
            page.wait_for_load_state("networkidle")
            cards = page.locator(".card").all()[:6]
            boxes = [card.bounding_box() for card in cards]
            picture = page.locator(".card .pic").first.bounding_box()
            assert picture
            assert all(boxes)
            across = sum(box["y"] == boxes[0]["y"] for box in boxes if box and boxes[0])
            seen[layout, width] = [across, picture["width"], boxes[0]["height"]]  # type: ignore[index]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            # What was fetched is never stretched to more than its double.
            assert page.locator(".card img").first.evaluate(
                "(one) => 2 * /-(\\d+)\\./.exec(one.currentSrc)[1] >= one.clientWidth * devicePixelRatio"
            )
            context.close()
    assert [seen[layout, 360][0] for layout in ("grid", "list", "pictures")] == [2, 1, 1]
    assert [seen[layout, 1280][0] for layout in ("grid", "list", "pictures")] == [4, 2, 3]
    assert seen["list", 360][1] < 100 < seen["grid", 360][1] < 200 < seen["pictures", 360][1]
    assert seen["list", 360][2] < 120 < 200 < seen["grid", 360][2] < seen["pictures", 360][2]


@pytest.mark.parametrize("hue", range(0, 360, 3))
def test_the_owners_colour_can_be_read_by_day_and_by_night(hue: int) -> None:
    for part, ground in zip(colour_css(hue).split("@media"), ("#fbfaf7", "#15120f"), strict=True):
        facts = part[part.rindex("{") + 1 :].rstrip("}")
        values = dict(pair.split(":") for pair in facts.split(";"))
        for store in ("--store", "--store-pressed"):
            assert contrast(values[store], values["--on-store"]) >= 4.5, (hue, store)
        assert contrast(values["--store"], ground) >= 3, hue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG reckons it."""
    lights = sorted((_light(one), _light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_more_contrast_and_forced_colours_are_honoured(chromium: Browser, window: Window) -> None:
    for wish in ({"contrast": "more"}, {"forced_colors": "active"}):
        context = phone(chromium, **wish)
        page = context.new_page()
        page.goto(window.of("product"))
        edge, ink = page.evaluate(
            "['--edge', '--ink'].map((name) => { const one = document.createElement('i');"
            " one.style.color = `var(${name})`; document.body.append(one);"
            " return getComputedStyle(one).color; })"
        )
        assert edge == ink
        button = page.locator("#add")
        assert button.evaluate("(one) => getComputedStyle(one).borderTopStyle") == "solid"
        page.get_by_role("radio", name="Red").check(force=True)
        on = page.locator(".tile:has(:checked) .tile-pic")
        if "forced_colors" in wish:
            assert on.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
        context.close()


def test_without_script_photos_come_and_go_and_every_link_leads_somewhere(
    chromium: Browser, window: Window
) -> None:
    context = phone(chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto(window.of("category"))
    assert page.locator(".card img").count() == 24
    page.get_by_role("button", name="Turn photos off").click()
    expect(page).to_have_url(window.of("category"))
    assert page.locator("main img").count() == 0
    page.locator(".js-photo").first.click()
    assert "/media/" in page.url
    page.go_back()
    page.get_by_role("button", name="Turn photos on").click()
    page.goto(window.of("product"))
    assert page.locator("#gallery img").count() == 3
    page.locator(".js-large").first.click()
    assert "/media/" in page.url
    context.close()
