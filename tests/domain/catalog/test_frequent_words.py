"""A word that hundreds of goods have: found by the index of words, or by walking the list in its order."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.tenancy import plan_once
from app.domain.catalog.listing import Filters
from app.domain.catalog.queries import Card
from app.domain.catalog.searching import MOST_FOUND, SEARCH_SORTS, search
from app.domain.stores.models import Store
from tests.conftest import Database
from tests.real_goods import Good, put_on_sale

HUNDREDS, THOUSANDS = 700, 3_800  # the index brings up to 3,500
OTHERS = 9_000


def fill(database: Database, store: Store, count: int, *, others: int = 0) -> list[int]:
    """So many descalers for kettles, among the newest of them one kettle; and so many brooms.

    Returns the prices of those in stock, in cents, the lowest first.
    """
    goods = [
        Good(f"Descaler for kettle {n}", 100_00 + n * 37 % 1000 * 100, None, stock=n % 10)
        for n in range(count)
    ]
    newest = 27 + 28 * 23  # the latest of the dates that put_on_sale gives in turn
    goods[newest] = Good("Electric kettle", 1_800_00, None)
    with psycopg.connect(database.superuser) as connection:
        brooms = [Good(f"Broom {n}", 100_00, None) for n in range(others)]
        put_on_sale(connection, store.id, [*goods, *brooms])
    return sorted(good.price_cents for good in goods if good.stock)


def walk(session: Session, sort: str, *, pages: int = 4) -> list[Card]:
    """The first pages, in one list."""
    return [
        card
        for page in range(1, pages + 1)
        for card in search(session, "kettle", sort=sort, page=page).cards
    ]


@pytest.mark.row("N60")
@pytest.mark.parametrize("count", [HUNDREDS, THOUSANDS])
def test_a_frequent_word_is_found_in_every_order_page_by_page(
    session: Session, store: Store, database: Database, count: int
) -> None:
    prices = fill(database, store, count)

    found = search(session, "kettle")
    assert (found.is_many, found.count) == (True, MOST_FOUND)
    assert found.cards[0].name == "Electric kettle"
    for sort in SEARCH_SORTS:
        cards = walk(session, sort)
        assert len({card.slug for card in cards}) == len(cards) == 96, sort
        assert all(card.stock for card in cards), sort
    assert [card.price_cents for card in walk(session, "price")] == prices[:96]
    assert [card.price_cents for card in walk(session, "-price")] == prices[:-97:-1]


@pytest.mark.row("N60")
@pytest.mark.parametrize("count", [HUNDREDS, THOUSANDS])
def test_a_limit_on_price_holds_for_a_frequent_word(
    session: Session, store: Store, database: Database, count: int
) -> None:
    fill(database, store, count)

    cheap = search(session, "kettle", sort="-price", filters=Filters(most_cents=300_00))

    assert cheap.cards
    assert all(card.price_cents <= 300_00 for card in cheap.cards)


@pytest.mark.row("N60")
@pytest.mark.parametrize("count", [HUNDREDS, THOUSANDS])
def test_what_a_frequent_word_reads_does_not_grow_with_the_shop(
    session: Session, store: Store, database: Database, count: int
) -> None:
    """Of a shop of many thousand: the goods that fit once, the newest again to be ranked, and no more."""
    fill(database, store, count, others=OTHERS)
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE app.product_cards")
    plan_once(session)

    before = rows_read(session, "product_cards")
    search(session, "kettle")

    assert count < rows_read(session, "product_cards") - before < count + 600 < OTHERS


@pytest.mark.row("N60")
def test_a_slip_is_compared_with_few_words_of_a_large_shop(
    session: Session, store: Store, database: Database
) -> None:
    """Thousands begin as it does; by the index alone they cannot be as near as the one meant."""
    letters = "bcdfghjklmpqtvwx"
    goods = [Good("Sneakers", 900_00, None)]
    goods += [Good("Sn" + "".join(each), 900_00, None) for each in product(letters, repeat=3)]
    with psycopg.connect(database.superuser) as connection:
        put_on_sale(connection, store.id, goods)
    with psycopg.connect(database.superuser, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE app.shop_words")
    plan_once(session)

    before = rows_read(session, "shop_words")
    found = search(session, "sneekers")

    assert [card.name for card in found.cards] == ["Sneakers"]
    assert rows_read(session, "shop_words") - before < 100


@pytest.mark.row("N60")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        pytest.param("sneekers", "sneakers", id="much alike"),
        pytest.param("rediyo", "radio", id="a little alike"),
        pytest.param("vaitu", "viatu", id="two letters in the wrong order"),
        pytest.param("watshescim", "watchessim", id="two letters in each other's place"),
        pytest.param("zzzzz", None, id="like nothing here"),
    ],
)
def test_a_slip_means_the_nearest_word_of_the_shop(
    session: Session, store: Store, database: Database, typed: str, meant: str | None
) -> None:
    names = ("Sneakers", "Radio", "Viatu", "Watchessim", "Wattsheater", "Wattsshirt", "Wattsshoe")
    with psycopg.connect(database.superuser) as connection:
        put_on_sale(connection, store.id, [Good(name, 900_00, None) for name in names])

    near = session.scalars(text("SELECT app.near_words(:typed)"), {"typed": typed}).all()

    assert next(iter(near), None) == meant


def rows_read(session: Session, table: str) -> int:
    """Rows this connection has read and not yet reported, an earlier transaction's among them."""
    return session.scalar(
        text(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_all_tables"
            " WHERE relid = CAST(:table AS regclass)"
        ),
        {"table": f"app.{table}"},
    )
