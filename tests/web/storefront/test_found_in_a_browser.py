"""What only a browser can show: facts for machines are data to it, and the new pages fit a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy.orm import Session

from app.domain.catalog.models import Product
from app.domain.stores.models import Store
from tests.insight_rows import add_area, add_category, add_product
from tests.web.storefront.test_heads import EVIL
from tests.web.storefront.test_record import send_out

pytestmark = pytest.mark.browser

LISTEN = """
window.broken = [];
document.addEventListener("securitypolicyviolation", event =>
  window.broken.push(event.violatedDirective + " " + event.sample));
"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A narrow phone that notes what the content policy refuses."""
    context = chromium.new_context(viewport={"width": 320, "height": 640}, locale="en-KE")
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.add_init_script(LISTEN)
    yield page
    context.close()


@pytest.fixture
def address(session: Session, store: Store, port: int) -> str:
    """A shop whose own words try to get out of every block they stand in."""
    category = add_category(session, "watches")
    for name in ("Steel watch", "Field watch", "Slim watch"):
        add_product(session, name, category=category)
    product = session.query(Product).filter_by(slug="steel-watch").one()
    product.name = product.brand = EVIL
    category.name = EVIL[:60]
    add_area(session, "kilimani")
    for n in range(20):
        send_out(session, n, minutes=30)
    session.commit()
    return f"http://{store.slug}.localhost:{port}"


@pytest.mark.row("N76", "I22", "N77")
@pytest.mark.parametrize(
    "path", ["/", "/p/steel-watch", "/c/watches", "/areas", "/areas/kilimani/watches", "/trust"]
)
def test_facts_for_machines_break_no_policy_and_the_page_fits(
    page: Page, address: str, path: str
) -> None:
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("dialog", lambda dialog: problems.append(dialog.message))

    page.goto(address + path)
    page.wait_for_load_state("networkidle")

    assert page.evaluate("window.broken") == []
    assert problems == []
    blocks = page.locator('script[type="application/ld+json"]').all_text_contents()
    assert len(blocks) == (0 if path == "/trust" else 1)
    if path == "/p/steel-watch":
        assert json.loads(blocks[0])["@graph"][0]["name"] == EVIL
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
