"""Fingerprint and PIN in a real browser: Chromium's virtual authenticator is the phone's lock."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.browsing import PHONE_SCREEN, Complaints
from tests.phones import any_phone
from tests.world import ROOT, Shop, World, wait_for

HIRE = """
import sys
from app import create_app
from app.db.engine import platform_session
from app.domain.stores.actions import add_membership, add_person
from config import Settings
store_id, phone = int(sys.argv[1]), sys.argv[2]
app = create_app(Settings.from_environ(), role="manage")
with app.app_context(), platform_session() as session:
    person = add_person(session, name="Mama Njeri", phone=phone)
    add_membership(session, store_id=store_id, person_id=person, role="owner")
"""


@pytest.fixture
def owner_phone(world: World) -> tuple[Shop, str]:
    """A shop, and the phone of somebody who owns it."""
    shop = world.open_shop()
    phone = any_phone("71")
    made = subprocess.run(
        [sys.executable, "-c", HIRE, str(shop.store_id), phone],
        cwd=ROOT,
        env=world.stack.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return shop, phone


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(chromium: Any, complaints: Complaints) -> Iterator[Page]:
    """An Android phone's Chrome whose owner always shows the right finger."""
    context: BrowserContext = chromium.new_context(
        viewport=PHONE_SCREEN,
        locale="en-KE",
        user_agent="Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile",
    )
    context.set_default_timeout(15_000)
    complaints.listen(context)
    opened = context.new_page()
    fingers(context.new_cdp_session(opened))
    yield opened
    context.close()


def fingers(phone: CDPSession) -> None:
    phone.send("WebAuthn.enable")
    phone.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def read_code(world: World, phone: str, seen: set[str]) -> str:
    """The newest code in this phone's SMS that was not read before."""

    def look() -> str:
        for message in reversed(world.outbox(phone.lstrip("+"))):
            found = re.match(r"([0-9]{6}) is your", str(message.get("text", message.get("body"))))
            if found and found[1] not in seen:
                return found[1]
        return ""

    code = wait_for("a code by SMS", look)
    seen.add(code)
    return code


def look_over(page: Page) -> None:
    """Readable by night and by day, by everybody, and no wider than a phone."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        assert found.violations_count == 0, (page.url, found.generate_report())
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_SCREEN["width"]


@pytest.mark.row("T9")
def test_register_log_out_log_in_with_fingerprint(
    world: World, page: Page, owner_phone: tuple[Shop, str], complaints: Complaints
) -> None:
    shop, phone = owner_phone
    platform, seen = f"http://localhost:{world.stack.port}", set[str]()
    page.goto(f"{platform}/sign-in")
    page.get_by_label("Phone number").fill("0" + phone[4:])
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("6 digits").fill(read_code(world, phone, seen))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(rf"/dash/{shop.slug}/"))

    page.goto(f"{platform}/me/security")
    page.get_by_role("link", name="Add this phone").click()
    expect(page.get_by_label("What to call it")).to_have_value("Android")
    page.get_by_role("button", name="Add fingerprint or face").click()
    expect(page.get_by_role("status")).to_contain_text("“Android” can sign you in")

    page.goto(f"{platform}/staff/{shop.slug}/more")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Use fingerprint or face").click()

    expect(page).to_have_url(re.compile(rf"/dash/{shop.slug}/"))
    page.goto(f"{platform}/me/security")
    expect(page.get_by_text("Signed in as Mama Njeri")).to_be_visible()
    # The fingerprint that signed in is a second factor for five minutes; then it is asked again,
    # and the browser itself sends the form on (307) with what was typed.
    for number, words in (("0722 918 273", "07•• ••• 273"), ("0722 918 274", "07•• ••• 274")):
        page.goto(f"{platform}/dash/{shop.slug}/money/keys/")
        page.get_by_role("textbox", name="Number").fill(number)
        page.get_by_role("button", name="Add payout number").click()
        if number.endswith("4"):
            expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
            page.get_by_role("button", name="Use fingerprint or face").click()
        expect(page.locator(".lock-row b", has_text=words)).to_be_visible()
        world.sql("DELETE FROM app.session_proofs")
    assert [line for line in complaints.lines if "403" not in line] == []
    paths = ["/me/security", "/me/confirm?level=money", "/me/security/pin"]
    paths += [f"/dash/{shop.slug}/money/keys/", f"/dash/{shop.slug}/pins/"]
    for path in paths:
        page.goto(platform + path)
        look_over(page)
