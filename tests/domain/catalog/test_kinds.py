"""Ready sets: a new shop of each kind has its shelves, filters, size charts and rules at once."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.catalog.actions import NewVariant, add_category
from app.domain.catalog.kinds import KINDS, UnknownKind, apply_kind, attributes_of, ready_set
from app.domain.catalog.models import Category, Product
from app.domain.stores.models import Store
from tests.bench.test_statements import statements
from tests.builders import make_product, make_variant
from tests.conftest import store_client

WANTED = {
    "electronics": {"storage", "ram", "condition", "network"},
    "fashion": {"size", "shoe_size", "colour", "material"},
    "watches": {"movement", "strap", "water", "case"},
    "home": {"material", "capacity", "width", "depth", "height"},
    "mixed": {"storage", "size", "movement", "material"},
}


@pytest.mark.row("W28", "N4")
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_shop_of_each_kind_is_ready_at_once(session: Session, kind: str) -> None:
    done = apply_kind(session, kind, actor="Wanjiru")
    again = apply_kind(session, kind, actor="Wanjiru")

    categories = list(session.scalars(select(Category)))
    assert len(done.made) == len(categories) >= 8
    assert (again.made, len(again.kept)) == ((), len(categories))
    asked = {a.key for c in categories for a in attributes_of(c)}
    assert WANTED[kind] <= asked
    for category in categories:
        assert any(a.is_filter for a in attributes_of(category)), category.name
        assert len(category.photo_guide) >= 3
        assert category.return_days is not None
        assert category.return_note


def test_sets_have_size_charts_trees_and_goods_that_cannot_come_back() -> None:
    fashion = {c.slug: c for c in ready_set("fashion").categories}
    assert fashion["dresses"].under == "women"
    assert fashion["shoes"].size_chart[0][0] == "EU"
    assert (fashion["underwear"].return_days, fashion["women"].return_days) == (0, 7)
    for kind in KINDS:
        slugs = [c.slug for c in ready_set(kind).categories]
        assert len(set(slugs)) == len(slugs)
        for category in ready_set(kind).categories:
            assert all(len(row) == len(category.size_chart[0]) for row in category.size_chart)
            assert category.under is None or category.under in slugs[: slugs.index(category.slug)]
    with pytest.raises(UnknownKind):
        ready_set("../secrets")


def test_what_the_shop_made_itself_stays_as_it_is(session: Session) -> None:
    shelf = add_category(session, "Simu", slug="phones")
    shelf.photo_guide = ["Our own way."]
    apply_kind(session, "electronics", actor="test")

    assert (shelf.name, shelf.photo_guide) == ("Simu", ["Our own way."])
    assert attributes_of(shelf)
    assert shelf.return_days is None
    assert session.scalar(select(func.count()).where(Category.slug == "phones")) == 1


@pytest.fixture
def phones(session: Session) -> Category:
    """Three phones and a case below them, with what their shelf asks."""
    apply_kind(session, "electronics", actor="test")
    shelf = session.scalars(select(Category).where(Category.slug == "phones")).one()
    for name, storage, ram in (
        ("Hot", "128 GB", "8 GB"),
        ("Pop", "64 GB", "4 GB"),
        ("Spark", "128 GB", "4 GB"),
    ):
        product = make_variant(session, name=name, category=shelf).product
        product.attributes = {"storage": storage, "ram": ram}
    make_product(
        session, name="Case", category=shelf, options=["Colour"],
        variants=[NewVariant(sku=c, price_cents=900_00, options=[c], stock=3) for c in ("Black", "Blue")],
    )  # fmt: skip
    session.commit()
    return shelf


def names(page: str) -> set[str]:
    return set(re.findall(r'class="card-name"[^>]*>([^<]+)<', page))


@pytest.mark.row("N4", "W28")
def test_a_category_filters_by_what_it_asks_with_counts(
    app: Flask, store: Store, phones: Category
) -> None:
    shopper = store_client(app, store)
    page = shopper.get("/c/phones").text

    for key, value, count in (
        ("storage", "128 GB", 2), ("storage", "64 GB", 1), ("ram", "4 GB", 2), ("colour", "Blue", 1),
    ):  # fmt: skip
        assert re.search(
            rf'name="a-{key}" value="{value}">{value} <span class="muted">{count}</span>', page
        ), value
    assert 'name="a-network"' not in page, "what none of them says is no filter"

    def found(query: str) -> set[str]:
        text = shopper.get(f"/c/phones?{query}").text
        return names(text) if 'class="list-head"' in text else set()

    assert found("a-storage=128+GB") == {"Hot", "Spark"}
    assert found("a-storage=128+GB&a-ram=4+GB") == {"Spark"}
    assert found("a-ram=4+GB&a-ram=8+GB") == {"Hot", "Pop", "Spark"}
    assert found("a-colour=Blue") == {"Case"}
    assert found("a-colour=%27%22%3C&a-made_up=x") == set()
    chosen = shopper.get("/c/phones?a-storage=128+GB&a-ram=4+GB&sort=price").text
    assert 'href="/c/phones?sort=price&amp;a-ram=4+GB"' in chosen
    assert '<meta name="robots" content="noindex">' in chosen


def test_a_filtered_category_still_takes_four_statements(
    app: Flask, store: Store, phones: Category
) -> None:
    shopper = store_client(app, store)
    with statements(app) as asked:
        answer = shopper.get("/c/phones?a-storage=128+GB&max=1000")

    assert answer.status_code == 200
    assert len(asked) <= 4, "\n".join(asked)


def test_a_shelf_shows_what_is_on_those_below_it(
    app: Flask, session: Session, store: Store
) -> None:
    apply_kind(session, "fashion", actor="test")
    dresses = session.scalars(select(Category).where(Category.slug == "dresses")).one()
    make_variant(session, name="Wrap dress", category=dresses)
    assert session.scalars(select(Product)).one().category_id == dresses.id
    session.commit()
    shopper = store_client(app, store)

    assert names(shopper.get("/c/women").text) == {"Wrap dress"}
    page = shopper.get("/p/wrap-dress").text
    assert "Bust, cm" in page
    assert "Another size is free" in page
