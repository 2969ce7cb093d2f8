from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import brotli
import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.catalog.actions import NewVariant, add_category
from app.domain.delivery.actions import serve_area
from app.domain.stores.models import Store
from tests.builders import make_product, make_variant
from tests.web.storefront.conftest import Shopper, shopper_of

STATEMENTS_PER_PAGE = 4
HTML_BUDGET = 14 * 1024


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The SQL statements sent while the block runs."""
    seen: list[str] = []

    def note(conn, cursor, statement, *rest) -> None:  # type: ignore[no-untyped-def]
        seen.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def fill_shop(session: Session) -> str:
    """Thirty products on two shelves. Returns the address of one with variants."""
    for shelf in ("Watches", "Lamps"):
        category = add_category(session, shelf)
        for number in range(14):
            make_variant(session, name=f"{shelf} number {number}", category=category)
    product = make_product(
        session,
        name="Digital sport watch",
        category=add_category(session, "Watches"),
        options=["Colour", "Strap"],
        facts=[("Case", "44 mm, resin"), ("Water", "50 m")],
        variants=[
            NewVariant(sku=f"{c}-{s}", price_cents=p, options=[c, s], stock=0 if c == "Sand" else 7)
            for c in ("Black", "Olive", "Sand")
            for s, p in (("Rubber", 1_850_00), ("Steel", 2_250_00))
        ],
    )
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    address = f"/p/{product.slug}"
    session.commit()
    return address


@pytest.mark.parametrize("page", ["/", "/c/watches", "/search", "product"])
def test_a_page_takes_at_most_four_statements_and_fits_the_budget(
    app: Flask, client: Shopper, session: Session, page: str
) -> None:
    product = fill_shop(session)
    with counted(app) as statements:
        answer = client.get(product if page == "product" else page)
    assert answer.status_code == 200
    assert len(statements) <= STATEMENTS_PER_PAGE, statements
    assert len(brotli.compress(answer.data, quality=5)) <= HTML_BUDGET


@pytest.mark.parametrize("page", ["/", "/c/watches", "/search?q=watch", "product"])
def test_a_public_page_is_the_same_for_everybody(
    client: Shopper, session: Session, page: str
) -> None:
    product = fill_shop(session)
    address = product if page == "product" else page
    before = client.get(address)
    client.post(
        "/cart/lines", data={"product": product[3:], "option-0": "Black", "option-1": "Rubber"}
    )
    client.post("/deliver-to", data={"area": "kilimani"})
    after = client.get(address)
    assert after.data == before.data
    assert "Set-Cookie" not in after.headers
    assert "public" in after.headers["Cache-Control"]
    assert "csrf" not in after.text
    assert client.get(address, headers={"If-None-Match": after.headers["ETag"]}).status_code == 304


@pytest.mark.row("N39")
def test_variants_work_without_javascript(client: Shopper, session: Session) -> None:
    address = fill_shop(session)
    steel = client.get(address, query_string={"option-0": "Black", "option-1": "Steel"})
    assert "2,250" in steel.text
    assert "+KES\N{NO-BREAK SPACE}400" in steel.text
    sand = client.get(address, query_string={"option-0": "Sand", "option-1": "Rubber"})
    assert re.search(r'class="(tile|vchip) out"', sand.text)
    assert re.search(r"<button[^>]*disabled[^>]*>Sold out", sand.text)


@pytest.mark.row("N26")
def test_the_product_says_fee_and_time_once_the_area_is_known(
    client: Shopper, session: Session
) -> None:
    address = fill_shop(session)
    assert "KES\N{NO-BREAK SPACE}250" in client.get(address).text  # "from", before any choice
    client.post("/deliver-to", data={"area": "kilimani", "next": address})
    strip = client.get(
        f"{address}/delivery", query_string={"option-0": "Black", "option-1": "Rubber"}
    )
    assert "Kilimani" in strip.text
    assert "KES\N{NO-BREAK SPACE}250" in strip.text
    assert "2,100" in strip.text  # 1,850 and the fee, in the bar


@pytest.mark.row("T60")
def test_markup_in_a_name_is_text_on_every_page(client: Shopper, session: Session) -> None:
    evil = "<script>alert(1)</script>"
    product = make_product(
        session,
        name=evil,
        category=add_category(session, evil, slug="evil"),
        brand=evil,
        options=[evil],
        facts=[(evil, evil)],
        variants=[NewVariant(sku="EVIL", price_cents=100_00, options=[evil], stock=3)],
    )
    address_of_it = f"/p/{product.slug}"
    session.commit()
    client.post("/cart/lines", data={"sku": "EVIL"})
    for address in ("/", "/c/evil", f"/search?q={evil}", address_of_it, "/cart", "/checkout"):
        text = client.get(address).text
        assert evil not in text, address
        assert "alert(1)" in text, address


def test_nothing_found_says_so_and_offers_a_way_on(client: Shopper, session: Session) -> None:
    fill_shop(session)
    answer = client.get("/search?q=zebra")
    assert answer.status_code == 200
    assert "zebra" in answer.text
    assert "See everything we sell" in answer.text


@pytest.mark.parametrize(
    "query",
    ["max=-1", "max=٣", "sort=drop", "page=0", "page=٣", "after=%F0", "stock=x", "option-0=%F0"],
)
def test_odd_addresses_are_pages(client: Shopper, session: Session, query: str) -> None:
    product = fill_shop(session)
    assert client.get(f"/c/watches?{query}").status_code == 200
    assert client.get(f"{product}?{query}").status_code == 200


def test_another_stores_goods_are_not_here(app: Flask, session: Session, theirs: Store) -> None:
    address = fill_shop(session)
    neighbour = shopper_of(app, theirs)
    assert neighbour.get(address).status_code == 404
    assert neighbour.get("/c/watches").status_code == 404
    assert "sport watch" not in neighbour.get("/search").text


DATA_BLOCK = '<script type="application/ld+json">'  # read by search engines, run by nobody


@pytest.mark.row("M13")
def test_pages_need_no_inline_styles_or_scripts(client: Shopper, session: Session) -> None:
    product = fill_shop(session)
    for address in ("/", "/c/watches", product, "/cart", "/deliver-to", "/me"):
        answer = client.get(address)
        assert not re.search(r"\sstyle=|\son\w+=|hx-on|javascript:", answer.text), address
        scripts = re.findall(r"<script[^>]*>", answer.text)
        assert all("src=" in tag or tag == DATA_BLOCK for tag in scripts), address
        assert "'unsafe" not in answer.headers["Content-Security-Policy"]
        assert "'sha256-" in answer.headers["Content-Security-Policy"]
