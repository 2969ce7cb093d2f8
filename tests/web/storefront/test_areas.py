"""Area pages: there where the store delivers and has goods, with the fee that is charged."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.clock import utcnow
from app.domain.catalog.models import Product
from app.domain.delivery.models import DeliveryArea
from app.domain.delivery.queries import fee_preview
from app.domain.errors import NotFound
from app.domain.orders.states import OrderStatus
from app.domain.seo.area_pages import get_area_page
from app.domain.stores.models import Store
from tests.builders import make_promotion
from tests.insight_rows import add_area, add_category, add_order, add_product, set_stock

Visit = Callable[[str], TestResponse]


@pytest.fixture
def stocked(session: Session, store: Store) -> Session:
    """Three watches and two clocks in stock; delivered to Kilimani and two places near it."""
    watches, clocks = add_category(session, "watches"), add_category(session, "clocks")
    for name in ("Steel watch", "Field watch", "Slim watch"):
        add_product(session, name, price_cents=1_850_00, category=watches)
    for name in ("Wall clock", "Desk clock"):
        add_product(session, name, price_cents=950_00, category=clocks)
    add_area(session, "kilimani", 250_00)
    add_area(session, "hurlingham", 270_00)
    add_area(session, "karen", 400_00, is_active=False)
    session.commit()
    return session


@pytest.fixture
def visit(app: Flask, store: Store) -> Visit:
    """Open a path on our store's host."""
    return visitor(app, store)


def visitor(app: Flask, store: Store) -> Visit:
    client, base_url = app.test_client(), f"https://{store.slug}.localhost:8000"
    return lambda path: client.get(path, base_url=base_url)


def page_of(visit: Visit, path: str) -> str:
    answer = visit(path)
    assert answer.status_code == 200, path
    return html.unescape(answer.text)


def test_goods_on_sale_show_their_old_price_as_everywhere(stocked: Session, visit: Visit) -> None:
    watch = stocked.query(Product).filter_by(slug="steel-watch").one()
    make_promotion(stocked, "sale", variants=[watch.variants[0].id], percent=10)
    stocked.commit()

    for path in ("/areas/kilimani/watches", "/c/watches"):
        page = page_of(visit, path).replace("\N{NO-BREAK SPACE}", " ")
        assert "KES 1,665" in page, path
        assert re.search(r"<s[ >][^<]*KES 1,850", page), path


def test_a_slug_of_no_place_costs_no_question(stocked: Session, store: Store, app: Flask) -> None:
    with pytest.raises(NotFound):
        get_area_page(None, store, "no-such-place", None, utcnow())  # type: ignore[arg-type]


@pytest.mark.row("N77")
def test_the_page_shows_the_fee_that_is_charged_and_goods_in_stock(
    visit: Visit, stocked: Session, store: Store
) -> None:
    page = page_of(visit, "/areas/kilimani/watches")

    preview = fee_preview(stocked, store, "kilimani", basket_cents=1_850_00)
    assert preview.fee_cents == 250_00
    assert re.search(r"<dt>to your gate</dt><dd>KES\u00a0250</dd>", page)
    assert "<h1" in page
    assert "Watches delivered to Kilimani" in page
    for name in ("Steel watch", "Field watch", "Slim watch"):
        assert name in page
    assert "Wall clock" not in page
    assert '<a href="/areas/hurlingham/watches">' in page
    assert "KES\u00a0270" in page
    assert '<dt class="rows-name">Steel watch</dt>' in page
    assert "KES\u00a02,100 in Kilimani" in page  # the watch and its delivery
    assert "noindex" not in page
    assert re.search(r'<link rel="canonical" href="https?://[^"]+/areas/kilimani/watches">', page)


@pytest.mark.row("N77")
def test_a_changed_fee_is_on_the_page_at_once(visit: Visit, stocked: Session) -> None:
    stocked.query(DeliveryArea).filter_by(area="kilimani").one().fee_cents = 300_00
    stocked.commit()

    assert "<dd>KES\u00a0300</dd>" in page_of(visit, "/areas/kilimani")


@pytest.mark.row("N77")
@pytest.mark.parametrize(
    "path",
    [
        "/areas/karen",  # switched off
        "/areas/westlands",  # never served
        "/areas/atlantis",
        "/areas/kilimani/shoes",
        "/areas/karen/watches",
    ],
)
def test_no_facts_no_page(visit: Visit, stocked: Session, path: str) -> None:
    assert visit(path).status_code == 404


@pytest.mark.row("N77")
def test_few_goods_are_shown_and_kept_out_of_the_index(visit: Visit, stocked: Session) -> None:
    assert '<meta name="robots" content="noindex">' in page_of(visit, "/areas/kilimani/clocks")

    for variant in stocked.query(Product).filter_by(slug="wall-clock").one().variants:
        set_stock(stocked, variant, 0)
    stocked.commit()
    page = page_of(visit, "/areas/kilimani/clocks")
    assert "Desk clock" in page
    assert "Wall clock" not in page

    for variant in stocked.query(Product).filter_by(slug="desk-clock").one().variants:
        set_stock(stocked, variant, 0)
    stocked.commit()
    assert visit("/areas/kilimani/clocks").status_code == 404


@pytest.mark.row("N77", "I11")
def test_deliveries_are_counted_only_from_five_on(visit: Visit, stocked: Session) -> None:
    for n in range(4):
        add_order(
            stocked,
            utcnow() - timedelta(days=n + 1),
            area="kilimani",
            status=OrderStatus.DELIVERED,
            delivered_after=timedelta(minutes=70),
        )
    stocked.commit()
    assert "delivered here" not in page_of(visit, "/areas/kilimani")

    add_order(
        stocked,
        utcnow() - timedelta(days=9),
        area="kilimani",
        status=OrderStatus.DELIVERED,
        delivered_after=timedelta(minutes=70),
    )
    stocked.commit()

    page = page_of(visit, "/areas/kilimani")
    assert "<dt>delivered here in 30 days</dt><dd>5</dd>" in page
    assert (
        "Delivered 5 times to Kilimani in the last 30 days, usually 1\u00a0h\u00a010\u00a0min."
        in page
    )


@pytest.mark.row("N77")
def test_no_two_pages_say_nearly_the_same(visit: Visit, session: Session, store: Store) -> None:
    """Of the words on two indexed pages at most seven in ten, taken three by three, are shared."""
    kinds = {"watches": "watch", "clocks": "clock", "radios": "radio"}
    for slug, noun in kinds.items():
        category = add_category(session, slug)
        for word in ("Steel", "Field", "Slim", "Olive", "Cream", "Brass", "Sport", "Evening"):
            add_product(session, f"{word} {noun}", category=category)
    areas = ("kilimani", "hurlingham", "kileleshwa", "lavington", "westlands", "south-b", "south-c")
    for n, area in enumerate(areas):
        add_area(session, area, (200 + 10 * n) * 100)
    session.commit()
    paths = [f"/areas/{area}{rest}" for area in areas for rest in ("", *(f"/{k}" for k in kinds))]
    pages = {path: _shingles(page_of(visit, path)) for path in paths}

    alike = {
        (one, other): round(len(pages[one] & pages[other]) / len(pages[one] | pages[other]), 2)
        for one, other in combinations(paths, 2)
    }

    assert len(pages) == 28
    assert {pair: share for pair, share in alike.items() if share > 0.7} == {}


def _shingles(page: str) -> set[tuple[str, ...]]:
    main = page[page.index("<main") : page.index("</main>")]
    words = re.findall(r"[\w']+", re.sub(r"<[^>]+>", " ", main).lower())
    return {tuple(words[n : n + 3]) for n in range(len(words) - 2)}


def test_every_area_is_listed_with_its_fee(visit: Visit, stocked: Session) -> None:
    page = page_of(visit, "/areas")

    assert re.findall(r'<a href="/areas/([a-z-]+)"', page) == ["hurlingham", "kilimani"]
    assert "KES\u00a0270" in page


@pytest.mark.row("N76")
def test_breadcrumbs_cannot_break_out_of_their_block(
    visit: Visit, stocked: Session, store: Store
) -> None:
    stocked.get_one(Store, store.id).name = "Duka </script><script>alert(1)</script>"
    stocked.commit()

    page = visit("/areas/kilimani/watches").text

    assert "<script>alert" not in page
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    crumbs = json.loads(block[1])["@graph"][0]
    assert crumbs["@type"] == "BreadcrumbList"
    assert [step["name"] for step in crumbs["itemListElement"]][1:] == ["Kilimani", "Watches"]


@pytest.mark.row("N75")
def test_robots_and_sitemap_are_served(visit: Visit, stocked: Session) -> None:
    robots = visit("/robots.txt")
    assert robots.status_code == 200
    assert "Disallow: /checkout" in robots.text
    address = re.search(r"^Sitemap: (\S+)$", robots.text, re.MULTILINE)
    assert address is not None
    assert address[1].endswith("/sitemap.xml")

    sitemap = visit("/sitemap.xml")
    assert sitemap.content_type.startswith("application/xml")
    paths = re.findall(r"<loc>https?://[^/]+(/[^<]*)</loc>", sitemap.text)
    assert "/areas/kilimani/watches" in paths
    assert "/areas/kilimani/clocks" not in paths  # two clocks are too few
    for path in paths:
        assert visit(path).status_code == 200, path
    assert visit("/sitemap-4.xml").status_code == 404


@pytest.mark.row("N75")
def test_another_stores_goods_are_not_in_it(
    app: Flask, visit: Visit, stocked: Session, theirs: Store
) -> None:
    visit_theirs = visitor(app, theirs)

    assert "steel-watch" in visit("/sitemap.xml").text
    assert "steel-watch" not in visit_theirs("/sitemap.xml").text
    assert visit_theirs("/areas/kilimani").status_code == 404
