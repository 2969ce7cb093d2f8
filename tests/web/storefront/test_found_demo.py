"""Whole demo shops, page by page: facts a validator takes, pages that are not each other's copies."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations

import brotli
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.actions import NewProduct, NewVariant, add_category, add_product
from app.domain.catalog.models import Variant
from app.domain.delivery.actions import serve_area
from app.domain.delivery.models import FeeRuleRow
from app.domain.orders.states import OrderStatus
from app.domain.stores.models import Store
from local.demo.catalogue import STORES
from local.demo.goods import DemoStore
from tests.conftest import session_inside
from tests.insight_rows import add_order
from tests.seo_rules import Head, check_head, check_sitemap, check_structured, missing
from tests.web.storefront.conftest import Shopper, shopper_of

HTML_BUDGET = 14_336
MOST_ALIKE = 0.7


@pytest.fixture(params=STORES, ids=lambda demo: demo.slug)
def shop(
    request: pytest.FixtureRequest, app: Flask, make_store: Callable[..., Store]
) -> Iterator[tuple[Shopper, DemoStore, Session]]:
    """A demo shop with its goods, areas and rules, some deliveries, and no photos."""
    demo: DemoStore = request.param
    store = make_store(
        name=demo.name,
        place=demo.place,
        phone=demo.phone,
        return_days=demo.return_days,
        prompt_name=demo.till_name,
        opening_hours={"mon": ["08:00", "18:00"], "sat": ["09:00", "17:00"]},
    )
    with session_inside(app, store) as session:
        _stock_up(session, demo)
        session.commit()
        yield shopper_of(app, store), demo, session


def _stock_up(session: Session, demo: DemoStore) -> None:
    shelves = {c.slug: add_category(session, c.name, slug=c.slug) for c in demo.categories}
    variants: list[Variant] = []
    for goods in demo.products:
        names = sorted(goods.options, key=lambda name: name != "Colour")
        product = add_product(
            session,
            NewProduct(
                name=goods.name,
                slug=goods.slug,
                category=shelves[goods.category],
                brand=goods.brand,
                description_html=f"<p>{html.escape(goods.description)}</p>",
                options=names,
                variants=[
                    NewVariant(
                        sku=v.sku,
                        price_cents=v.price_cents,
                        stock=v.stock,
                        options=[v.options[name] for name in names if name in v.options],
                    )
                    for v in goods.variants
                ],
            ),
        )
        session.refresh(product)
        variants += product.variants[:1]
    for terms in demo.areas:
        serve_area(session, terms.area, actor="demo", fee_cents=terms.fee_cents)
    session.add(
        FeeRuleRow(
            position=2,
            kind="weight_over",
            terms={"over_grams": 15_000, "fee_cents": 200_00, "is_extra": True},
        )
    )
    for n in range(60):  # three areas well known, others a little or not at all
        add_order(
            session,
            utcnow() - timedelta(days=n % 25 + 1),
            area=demo.areas[n % 7 % 4].area,
            status=OrderStatus.DELIVERED,
            variant=variants[n % len(variants)],
            delivered_after=timedelta(minutes=80 + n),
        )


@pytest.mark.row("N76", "N75")
def test_every_product_and_list_of_a_shop_is_valid_and_small(
    shop: tuple[Shopper, DemoStore, Session],
) -> None:
    client, demo, _session = shop
    titles: dict[str, str] = {}
    paths = ["/", "/areas"]
    paths += [f"/c/{category.slug}" for category in demo.categories]
    paths += [f"/p/{product.slug}" for product in demo.products]

    for path in paths:
        page = client.get(path).text
        head = check_head(page)
        [block] = head.blocks
        kinds = check_structured(block)
        if path.startswith("/p/"):
            assert kinds[0] == "Product"
            assert missing(block, "Product") <= {"image"}  # these have no photos
        if path.startswith("/c/"):
            assert {"ItemList", "BreadcrumbList"} <= set(kinds)
        assert len(brotli.compress(page.encode(), quality=5)) <= HTML_BUDGET, path
        assert titles.setdefault(head.title, path) == path, head.title
    assert len(titles) >= 40


@pytest.mark.row("N77", "I11")
def test_no_two_area_pages_of_a_shop_are_copies_and_their_figures_are_the_rows(
    shop: tuple[Shopper, DemoStore, Session],
) -> None:
    """Of the words on two indexed pages at most seven in ten, taken three by three, are shared."""
    client, _demo, session = shop
    base = re.search(r"Sitemap: (\S+)/sitemap.xml", client.get("/robots.txt").text)
    assert base is not None
    listed = check_sitemap(client.get("/sitemap.xml").text, base[1])
    paths = [path for path in listed if path.startswith("/areas/") and "?" not in path]
    assert len(paths) >= 200
    pages: dict[str, str] = {}
    for path in paths:
        pages[path] = client.get(path).text
        assert check_head(pages[path]).is_indexed, path

    shingles = {path: _shingles(page) for path, page in pages.items()}
    alike = {
        (one, other): round(share, 2)
        for one, other in combinations(paths, 2)
        if (share := _share(shingles[one], shingles[other])) > MOST_ALIKE
    }
    assert alike == {}

    counted = {
        row.area: row.n
        for row in session.execute(
            text(
                "SELECT area, count(*) AS n FROM app.orders WHERE store_id = app.store_id()"
                " AND delivered_at >= now() - interval '30 days' GROUP BY area"
            )
        )
    }
    told = {
        path.removeprefix("/areas/"): int(found[1])
        for path, page in pages.items()
        if path.count("/") == 2
        and (found := re.search(r"Delivered (\d+) times to ", html.unescape(page)))
    }
    assert told == {area: n for area, n in counted.items() if n >= 5}
    assert len(told) >= 3


@pytest.mark.row("N77")
def test_a_robot_walks_from_the_home_page_to_an_area_its_category_and_a_product(
    shop: tuple[Shopper, DemoStore, Session],
) -> None:
    client, _demo, _session = shop

    def links(path: str) -> list[str]:
        answer = client.get(path)
        assert answer.status_code == 200, path
        return [
            html.unescape(link) for link in re.findall(r'<a [^>]*href="(/[^"#]*)"', answer.text)
        ]

    home = links("/")
    assert "/areas" in home
    first = next(link for link in home if link.startswith("/areas/"))
    assert first in links("/areas")
    category = next(link for link in links(first) if link.startswith(f"{first}/"))
    product = next(link for link in links(category) if link.startswith("/p/"))
    assert Head(client.get(product).text).is_indexed


def _shingles(page: str) -> set[tuple[str, ...]]:
    page = html.unescape(page)
    main = page[page.index("<main") : page.index("</main>")]
    words = re.findall(r"[\w']+", re.sub(r"<[^>]+>", " ", main).lower())
    return {tuple(words[n : n + 3]) for n in range(len(words) - 2)}


def _share(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)
