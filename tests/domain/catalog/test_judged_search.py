"""Search as judged by a list that was written down before search was."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy.orm import Session

from app.domain.catalog.actions import add_category
from app.domain.catalog.searching import search
from app.domain.delivery.areas import split_area
from app.domain.stores.models import Store
from tests.builders import make_variant
from tests.conftest import Database
from tests.real_goods import judged_queries, put_on_sale, real_goods

LEAST_RIGHT = 0.9
OURS = (
    ("Phones", "Tecno Spark 20, 128GB, black", 15_000),
    ("Phones", "Samsung Galaxy A14, 64GB", 18_000),
    ("Phones", "Nokia 105 torch phone", 2_400),
    ("", "Silicone case for Samsung Galaxy A14", 500),
    ("", "Power bank 20,000 mAh, model PB-220", 2_900),
    ("", "Electric kettle 2.2 L", 1_800),
    ("", "Double door refrigerator, 138 L", 39_000),
    ("", "Fridge guard with 13 A plug", 900),
    ("", "Steam iron box + free extension cable", 1_700),
    ("Shoes", "Men's leather boots, brown", 3_400),
    ("Shoes", "Children's canvas sneakers", 1_200),
    ("", "Shoe rack, 5 levels", 1_500),
    ("", "Wall clock, wooden", 1_300),
    ("", "Ladies wrist watch, gold", 2_100),
    ("", "Cotton bath towel", 800),
    ("", "Mosquito net, 6 x 6", 1_100),
)
WANTED = (
    ("simu", "Samsung Galaxy A14, 64GB|Tecno Spark 20, 128GB, black|Nokia 105 torch phone"),
    ("galaxi a14", "Samsung Galaxy A14, 64GB"),
    ("samsng", "Samsung Galaxy A14, 64GB"),
    ("powerbnk", "Power bank 20,000 mAh, model PB-220"),
    ("pb220", "Power bank 20,000 mAh, model PB-220"),
    ("birika", "Electric kettle 2.2 L"),
    ("friji", "Double door refrigerator, 138 L"),
    ("pasi", "Steam iron box + free extension cable"),
    ("viatu vya wanaume", "Men's leather boots, brown"),
    ("raba za watoto", "Children's canvas sneakers"),
    ("saa ya ukutani", "Wall clock, wooden"),
    ("saa ya kike", "Ladies wrist watch, gold"),
    ("taulo", "Cotton bath towel"),
    ("chandarua", "Mosquito net, 6 x 6"),
    ("mosqueto net", "Mosquito net, 6 x 6"),
    ("viatu under 2000", "Children's canvas sneakers"),
)


@pytest.mark.row("N60", "N17")
@pytest.mark.shared
def test_nine_in_ten_judged_queries_have_the_right_product_in_the_first_three(
    session: Session, store: Store, database: Database, shared_dir: Path
) -> None:
    with psycopg.connect(database.superuser) as connection:
        put_on_sale(connection, store.id, real_goods(shared_dir / "data" / "catalogues"))
    judged = judged_queries()
    missed = []
    for each in judged:
        areas, words = split_area(each.query)
        first = search(session, words).cards[:3]
        if not any(each.accepts(card.name, card.price_cents) for card in first):
            missed.append((each.query, [card.name for card in first]))
        assert bool(areas) == (each.kind == "area"), each.query
    assert len(judged) == 100
    assert 1 - len(missed) / len(judged) >= LEAST_RIGHT, missed


@pytest.mark.row("N60", "N17")
def test_slips_swahili_and_models_find_their_product_first(session: Session) -> None:
    for shelf, name, kes in OURS:
        category = add_category(session, shelf) if shelf else None
        make_variant(session, name=name, price_cents=kes * 100, category=category)
    for query, right in WANTED:
        found = search(session, query).cards
        assert found, query
        assert found[0].name in right.split("|"), (query, [card.name for card in found])


@pytest.mark.row("N60")
def test_in_stock_comes_first_among_goods_that_fit_as_well(session: Session) -> None:
    for number in range(6):
        make_variant(session, name=f"Desk lamp {number}", stock=number % 2)
    assert [card.stock for card in search(session, "lamp").cards] == [1, 1, 1, 0, 0, 0]
