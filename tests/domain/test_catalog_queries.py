from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.actions import NewVariant, add_category, receive_stock, safe_html, slug_of
from app.domain.catalog.listing import Filters, category_page
from app.domain.catalog.models import StockMovement, Variant
from app.domain.catalog.queries import escape_like, home_page, product_page
from app.domain.catalog.searching import search
from app.domain.errors import NotFound
from app.domain.stores.models import Store
from tests.builders import make_product, make_variant
from tests.insight_rows import add_customer, add_order


def test_the_home_page_leaves_sold_out_goods_out(session: Session) -> None:
    make_variant(session, name="Desk lamp")
    make_variant(session, name="Wall clock", stock=0)
    page = home_page(session)
    assert [card.name for card in page.selling] == ["Desk lamp"]
    assert not page.is_by_sales


@pytest.mark.alone
def test_the_home_of_a_shop_filled_a_moment_ago_opens_at_once(session: Session) -> None:
    """Postgres knows no numbers of such a shop yet: whatever it guesses, no step runs within another."""
    for number in range(30):
        make_product(
            session,
            name=f"Shoe {number}",
            variants=[
                NewVariant(sku=f"S-{number}-{size}", price_cents=1_850_00, stock=900)
                for size in range(6)
            ],
        )
    variants = session.scalars(select(Variant).order_by(Variant.sku)).all()
    customer, at = add_customer(session), utcnow() - timedelta(hours=2)
    for number in range(400):
        add_order(session, at, variant=variants[number % 8], customer=customer)

    begun = time.perf_counter()
    page = home_page(session)

    assert time.perf_counter() - begun < 1
    assert page.is_by_sales
    assert {card.name for card in page.selling[:2]} == {"Shoe 0", "Shoe 1"}
    assert (page.product_count, len(page.selling)) == (30, 8)


def test_a_category_counts_filters_and_sorts(session: Session) -> None:
    watches = add_category(session, "Watches")
    for name, price, stock in (("Dear", 9_000_00, 3), ("Cheap", 900_00, 3), ("Gone", 800_00, 0)):
        make_variant(session, name=name, price_cents=price, stock=stock, category=watches)
    everything = category_page(session, "watches", sort="price")
    assert [card.name for card in everything.cards] == ["Cheap", "Dear", "Gone"]
    assert everything.total == 3
    cheap = category_page(session, "watches", filters=Filters(most_cents=1_000_00, in_stock=True))
    assert [card.name for card in cheap.cards] == ["Cheap"]
    assert cheap.count == 1


def test_a_category_that_is_not_there_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        category_page(session, "no-such-shelf")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param("50%", ["Blanket 50% wool"], id="a percent sign is a percent sign"),
        pytest.param("_", [], id="an underscore matches only itself"),
        pytest.param(
            "BLANKET", ["Blanket 50% wool", "Blanket 500 wool"], id="case does not matter"
        ),
        pytest.param("\\", [], id="a backslash escapes nothing"),
    ],
)
def test_search_takes_the_words_as_typed(session: Session, words: str, found: list[str]) -> None:
    make_variant(session, name="Blanket 50% wool")
    make_variant(session, name="Blanket 500 wool")
    assert sorted(card.name for card in search(session, words).cards) == found


def test_like_patterns_are_escaped() -> None:
    assert escape_like("50%_\\") == "50\\%\\_\\\\"


@pytest.mark.row("N39")
def test_a_variant_is_chosen_by_its_options_with_its_own_price_and_stock(session: Session) -> None:
    product = make_product(
        session,
        name="Strap watch",
        options=["Colour", "Strap"],
        variants=[
            NewVariant(sku="B-R", price_cents=1_850_00, options=["Black", "Rubber"], stock=7),
            NewVariant(sku="B-S", price_cents=2_250_00, options=["Black", "Steel"], stock=2),
            NewVariant(sku="S-R", price_cents=1_850_00, options=["Sand", "Rubber"], stock=0),
        ],
    )
    page = product_page(session, product.slug)
    steel = page.choose({0: "Black", 1: "Steel"})
    assert (steel.sku, steel.price_cents, steel.is_low) == ("B-S", 2_250_00, True)
    straps = {value.value: value.extra_cents for value in page.values_of(1, steel)}
    assert straps == {"Rubber": 0, "Steel": 400_00}
    colours = {value.value: value.is_available for value in page.values_of(0, page.choose({}))}
    assert colours == {"Black": True, "Sand": False}


def test_receiving_stock_writes_the_movement_and_marks_the_pages(
    session: Session, store: Store
) -> None:
    variant = make_variant(session, stock=5)
    before = session.get_one(Store, store.id, populate_existing=True).content_version
    receive_stock(session, variant, -2, "damage", actor="Wanjiru")
    assert session.get_one(Variant, (store.id, variant.id)).on_hand == 3
    movements = session.query(StockMovement).filter_by(variant_id=variant.id).all()
    assert sorted((m.quantity, m.reason) for m in movements) == [(-2, "damage"), (5, "received")]
    assert session.get_one(Store, store.id, populate_existing=True).content_version > before


@pytest.mark.row("T60")
def test_a_description_keeps_its_words_and_loses_its_scripts() -> None:
    dirty = (
        '<p onclick="x()">Warm <b>wool</b></p><script>alert(1)</script>'
        '<a href="javascript:x">more</a>'
    )
    assert safe_html(dirty) == "<p>Warm <b>wool</b></p>more"


def test_two_products_of_one_name_have_two_addresses(session: Session) -> None:
    one, two = make_variant(session, name="Steel flask"), make_variant(session, name="Steel flask")
    assert one.product.slug != two.product.slug
    assert slug_of("  Ladies' Watch, 38 mm ") == "ladies-watch-38-mm"
