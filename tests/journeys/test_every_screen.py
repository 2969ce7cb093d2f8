"""Every screen of the desks and the platform, by day and by night, on a phone and on a desk.

The screens are the application's own addresses: a new one is looked at because it exists. Each is
read by axe on a phone by day, its colours again by night, and its edges at both sizes. What only a
desk shows is the frame, the same around every screen: axe reads it once for each who sees another.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from app.domain.people.permissions import ROLES, can
from tests.world import ROOT, World

PHONE: Any = {"width": 360, "height": 740}
DESK: Any = {"width": 1280, "height": 800}
# Opening a shop is one story, and its test runs axe on each of its steps.
TOLD_ELSEWHERE = ("opening.", "sign_up.")
GONE = 410  # a link that is over says so on a page, which is a screen too
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
# Only what is wrong comes back: a page's whole report is a thousand times as long.
ASK_AXE = """(rules) => axe.run(document, {resultTypes: ["violations"], preload: false, ...rules}).then((found) =>
  found.violations.flatMap((each) => each.nodes.slice(0, 3).map(
    (node) => `${each.id} ${node.html.slice(0, 160)}`)))"""


@dataclass(frozen=True)
class Shown:
    slug: str
    screens: dict[str, dict[str, str]]
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def shown(world: World) -> Shown:
    made = subprocess.run(
        [sys.executable, "-m", "tests.make_screens"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=world.stack.env,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return Shown(**json.loads(made.stdout.splitlines()[-1]))


@cache
def axe() -> str:
    path = axe_playwright_python.__path__[0]
    with open(f"{path}/axe.min.js", encoding="utf-8") as source:
        return source.read()


def desk(chromium: Browser, token: str) -> Page:
    context = chromium.new_context(
        viewport=PHONE, reduced_motion="reduce", locale="en-KE", service_workers="block"
    )
    context.set_default_timeout(20_000)
    if token:
        context.add_cookies(
            [
                {
                    "name": "__Host-staff",
                    "value": token,
                    "url": "https://localhost",
                    "secure": True,
                    "httpOnly": True,
                }
            ]
        )
    return context.new_page()


def look(page: Page, *, at_desk: bool = False) -> list[str]:
    """What is wrong with the page that is open: axe by day, colours by night, edges at both sizes."""
    page.evaluate(axe())
    wrong = []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wrong.append(f"{size['width']}: {over} px over the edge")
        if size == PHONE or at_desk:
            for light, rules in (("light", {}), ("dark", CONTRAST)):
                page.emulate_media(color_scheme=light)  # type: ignore[arg-type]
                found = page.evaluate(ASK_AXE, rules)
                wrong += [f"{size['width']} {light}: {each}" for each in found]
            page.emulate_media(color_scheme="light")
    return wrong


def visit(page: Page, address: str, *, at_desk: bool = False) -> tuple[str, list[str]]:
    """What an address is, and what is wrong with it: a screen, a piece, a file, a way, or nothing."""
    answer = page.request.get(address, max_redirects=0)
    kind = answer.headers.get("content-type", "")
    if 300 <= answer.status < 400:
        return "a way", []
    if answer.status == 200 and not kind.startswith("text/html"):
        return "a file", []
    if answer.status == 200 and "<html" not in answer.text()[:200]:
        return "a piece", []
    if answer.status not in (200, GONE):
        return f"status {answer.status}", []
    page.goto(address)
    return "a screen", look(page, at_desk=at_desk)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.row("N54")
def test_axe_finds_nothing_wrong_with_any_screen_of_the_desks(
    world: World, shown: Shown, chromium: Browser
) -> None:
    base = f"http://localhost:{world.stack.port}"
    pages: dict[str, Page] = {}
    wrong: dict[str, Any] = {}
    screens = 0
    at_desk: set[str] = set()
    for endpoint, facts in shown.screens.items():
        who = "platform" if facts["path"].startswith("/ops") else "owner"
        if endpoint.startswith(("joining.", "signing_in.show", "email_links.")):
            who = "visitor"
        if who not in pages:
            pages[who] = desk(chromium, shown.tokens.get(who, ""))
        what, found = visit(pages[who], base + facts["path"], at_desk=who not in at_desk)
        if what == "a screen":
            screens += 1
            at_desk.add(who)
        is_known = endpoint.startswith(TOLD_ELSEWHERE)
        if found or (what.startswith("status") and not is_known):
            wrong[f"{endpoint} {facts['path']}"] = found or what
    for page in pages.values():
        page.context.close()

    assert wrong == {}, json.dumps(wrong, indent=1)
    assert screens > 50


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.row("N54")
@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_axe_finds_nothing_wrong_with_what_each_role_sees(
    world: World, shown: Shown, chromium: Browser, role: str
) -> None:
    """Their first page, More, and the desks whose buttons depend on the role."""
    base = f"http://localhost:{world.stack.port}"
    page = desk(chromium, shown.tokens[role])
    page.goto(f"{base}/staff/{shown.slug}/")
    wrong = {"first page": look(page, at_desk=True)}
    for endpoint in (
        *("office_home.more", "office_orders.show", "office_orders.order"),
        *("office_dispatch.show", "office_run.show", "office_products.show"),
        *("office_customers.customer", "office_team.show", "office_reviews.show"),
    ):
        facts = shown.screens[endpoint]
        if can(role, facts["permission"]):
            what, found = visit(page, base + facts["path"])
            wrong[endpoint] = found if what == "a screen" else [what]
    page.context.close()

    assert {name: found for name, found in wrong.items() if found} == {}
