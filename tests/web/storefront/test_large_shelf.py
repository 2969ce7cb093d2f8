"""A shelf of five thousand: filtered in time, and walked to its end while no page grows."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.catalog.listing import SORTS, category_page
from app.domain.stores.models import Store
from tests.conftest import Database
from tests.real_goods import many_goods, put_on_sale, real_goods
from tests.web.storefront.conftest import Shopper

GOODS, FILTER_MS = 5_000, 200
NODES_A_PAGE = 200
pytestmark = [pytest.mark.shared, pytest.mark.slow]


@pytest.fixture
def shelf(store: Store, database: Database, shared_dir: Path) -> str:
    """Its address."""
    goods = real_goods(shared_dir / "data" / "catalogues")
    with psycopg.connect(database.superuser) as connection:
        put_on_sale(connection, store.id, many_goods(goods, GOODS, shelves=1))
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE app.product_cards, app.variants, app.shelf_counts")
    return "/c/shelf-0"


@pytest.mark.alone
@pytest.mark.row("N35")
def test_it_is_filtered_in_time(client: Shopper, shelf: str) -> None:
    def p95(addresses: list[str]) -> float:
        spent = []
        for address in addresses:
            begun = time.perf_counter()
            assert client.get(address).status_code == 200, address
            spent.append(time.perf_counter() - begun)
        return 1000 * sorted(spent)[int(len(spent) * 0.95)]

    filters = [
        f"{shelf}?max={price}&stock=1&sort={sort}"
        for price in (500, 1000, 1800, 2500, 3333, 5000, 7777, 25000)
        for sort in ("new", "price", "-price")
    ]
    p95(filters[:8])  # connections and plans are made
    # The best of three rounds: this machine may have other work in one of them.
    assert min(p95(filters) for _ in range(3)) < FILTER_MS


@pytest.mark.row("T72")
def test_a_page_by_its_number_reads_the_cards_of_one_page(session: Session, shelf: str) -> None:
    """What it steps over is read in the index alone, and never more than half of what is in stock."""

    def read() -> tuple[int, int]:
        row = session.execute(
            text(
                "SELECT pg_stat_get_xact_tuples_fetched('app.product_cards'::regclass),"
                " pg_stat_get_xact_tuples_returned('app.product_cards_shelf_new'::regclass)"
                " + pg_stat_get_xact_tuples_returned('app.product_cards_shelf_price'::regclass)"
            )
        ).one()
        return int(row[0]), int(row[1])

    category_page(session, "shelf-0")
    for sort in SORTS:
        for number in (2, 94, 150, 187, 188, 200, 209):
            before = read()
            category_page(session, "shelf-0", sort=sort, page=number)
            cards, keys = (now - then for now, then in zip(read(), before, strict=True))
            assert cards <= 60, (sort, number)
            nearer = min(number, abs(188 - number), 209 - number)
            assert keys <= 24 * nearer + 150, (sort, number)


@pytest.mark.row("T72")
def test_it_is_walked_to_its_end_and_no_page_grows(client: Shopper, shelf: str) -> None:
    """By its links; the nodes of a list whose photos are shown are counted by the tests of weight."""
    address, seen, nodes = shelf, [], []
    while address:
        html = client.get(address).text
        goods = html[html.index('<ul class="grid">') :]
        goods = goods[: goods.index("</ul>")]
        nodes.append(len(re.findall(r"<[a-z]", goods)))
        seen += re.findall(r'href="/p/([^"]+)"', goods)
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        address = more.group(1).replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == GOODS
    assert len(nodes) == -(-GOODS // 24)
    assert max(nodes) <= NODES_A_PAGE
