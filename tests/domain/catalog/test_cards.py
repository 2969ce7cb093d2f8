"""What lists and searches read is never behind the goods themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session, object_session

from app.db.engine import db
from app.db.tenancy import current_store
from app.domain.catalog.actions import NewVariant, add_category, receive_stock
from app.domain.catalog.listing import PRICE_STEPS_CENTS, Filters, category_page, everything
from app.domain.catalog.models import Category, Product, ProductImage, Variant
from app.domain.catalog.searching import search
from app.domain.stores.models import Store
from app.ids import new_id
from tests.builders import make_cart, make_order, make_product, make_variant
from tests.conftest import Database

# Worked out from the goods alone, in other words than the triggers'.
FROM_THE_GOODS = text("""
SELECT p.id, p.slug, p.name, p.category_id,
       coalesce(min(v.price_cents) FILTER (WHERE v.on_hand - v.reserved > 0), min(v.price_cents)) AS price,
       max(v.price_cents) AS dearest, bool_and(v.on_hand = v.reserved) AS is_out,
       count(DISTINCT v.option_values[1]) AS choices,
       (SELECT i.media_key FROM app.product_images i WHERE i.store_id = p.store_id AND i.product_id = p.id
          AND i.status = 'ready' AND i.removed_at IS NULL ORDER BY i.position, i.id LIMIT 1) AS picture
  FROM app.products p JOIN app.variants v ON v.store_id = p.store_id AND v.product_id = p.id AND v.is_active
 WHERE p.store_id = app.store_id() AND p.status = 'active'
 GROUP BY p.store_id, p.id ORDER BY p.id""")
FROM_THE_CARDS = text("""
SELECT product_id, slug, name, category_id, price_cents, dearest_cents, is_out, choices,
       picture->>'key' FROM app.product_cards WHERE store_id = app.store_id() AND is_shown ORDER BY product_id""")
COUNTED = text("""
SELECT key, category_id, mark, sum(n) FROM app.shelf_counts WHERE store_id = app.store_id()
 GROUP BY 1, 2, 3 HAVING sum(n) <> 0 ORDER BY 1, 2, 3""")
COUNTED_ANEW = text("""
SELECT m.key, c.category_id, m.mark, count(*) FROM app.product_cards c,
       app.marks_of(c.price_cents, c.is_out, c.traits) m
 WHERE c.store_id = app.store_id() AND c.is_shown GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""")
WORDS_MISSING = text("""
SELECT c.name FROM app.product_cards c, unnest(ts_filter(c.words, '{a,b}')) l
 WHERE c.store_id = app.store_id() AND c.is_shown AND app.is_shop_word(l.lexeme)
   AND NOT EXISTS (SELECT 1 FROM app.shop_words w WHERE w.store_id = c.store_id AND w.word = l.lexeme)""")


def assert_true(session: Session) -> None:
    """Cards, counts and words say what the goods say, inside the transaction as well."""
    session.flush()
    assert session.execute(FROM_THE_CARDS).all() == session.execute(FROM_THE_GOODS).all()
    assert session.execute(COUNTED).all() == session.execute(COUNTED_ANEW).all()
    assert session.execute(WORDS_MISSING).all() == []


@pytest.mark.row("N17", "N60")
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 13), st.integers(0, 5), st.integers(0, 40)), max_size=14
    )
)
def test_after_any_edits_the_cards_equal_the_goods(
    session: Session, edits: list[tuple[int, int, int]]
) -> None:
    session.rollback()
    shelves = [add_category(session, name) for name in ("Watches", "Lamps")]
    goods = [
        make_product(
            session,
            name=f"Thing {number}",
            category=shelves[number % 2],
            options=["Colour"],
            variants=[
                NewVariant(sku=f"{new_id()}", price_cents=(number + 1) * 400_00, options=["Red"], stock=number),
                NewVariant(sku=f"{new_id()}", price_cents=(number + 2) * 300_00, options=["Blue"], stock=1),
            ],
        )
        for number in range(3)
    ]  # fmt: skip
    for edit, which, amount in edits:
        product = goods[which % 3]
        _EDITS[edit](product, product.variants[which % 2], amount)
        session.flush()
        session.expire_all()
    assert_true(session)
    session.rollback()


def _price(product: Product, variant: Variant, amount: int) -> None:
    variant.price_cents = amount * 500_00


def _reserve(product: Product, variant: Variant, amount: int) -> None:
    variant.reserved = min(amount, variant.on_hand)


def _count(product: Product, variant: Variant, amount: int) -> None:
    if amount >= variant.reserved and amount != variant.on_hand:
        receive_stock(_session(variant), variant, amount - variant.on_hand, "count")


def _offer(product: Product, variant: Variant, amount: int) -> None:
    variant.is_active = amount % 2 == 0


def _publish(product: Product, variant: Variant, amount: int) -> None:
    product.status = "draft" if product.status == "active" else "active"


def _move(product: Product, variant: Variant, amount: int) -> None:
    shelves = _session(product).scalars(select(Category).order_by(Category.slug)).all()
    product.category_id = (None, *(shelf.id for shelf in shelves))[amount % 3]


def _rename(product: Product, variant: Variant, amount: int) -> None:
    product.name, product.brand = f"Casio F-{amount}W watch", ("", "Casio")[amount % 2]


def _describe(product: Product, variant: Variant, amount: int) -> None:
    product.attributes = {"strap": ("Steel", "Rubber", "")[amount % 3]}


def _hang(product: Product, variant: Variant, amount: int) -> None:
    facts = {"position": amount, "media_key": f"{amount:032x}", "width": 9, "height": 9}
    _session(product).add(ProductImage(product_id=product.id, **facts))


def _take_down(product: Product, variant: Variant, amount: int) -> None:
    statement = text("DELETE FROM app.product_images WHERE product_id = :id")
    _session(product).execute(statement, {"id": product.id})


def _recolour(product: Product, variant: Variant, amount: int) -> None:
    statement = text("UPDATE app.variants SET option_values = '{Green}' WHERE product_id = :id")
    _session(product).execute(statement, {"id": product.id})


def _reshelve(product: Product, variant: Variant, amount: int) -> None:
    one, two = _session(product).scalars(select(Category).order_by(Category.slug)).all()
    one.name, one.parent_id = f"Shelf {amount}", two.id if amount % 2 else None


def _fold(product: Product, variant: Variant, amount: int) -> None:
    _session(product).execute(text("SELECT app.fold_counts(app.store_id(), 0)"))


def _rebuild(product: Product, variant: Variant, amount: int) -> None:
    _session(product).execute(text("SELECT app.rebuild_cards(app.store_id())"))


def _session(row: object) -> Session:
    session = object_session(row)
    assert session is not None
    return session


_EDITS: tuple[Callable[[Product, Variant, int], None], ...] = (
    *(_price, _reserve, _count, _offer, _publish, _move, _rename),
    *(_describe, _hang, _take_down, _recolour, _reshelve, _fold, _rebuild),
)


def test_a_product_that_is_deleted_leaves_nothing(session: Session) -> None:
    product = make_product(
        session, variants=[NewVariant(sku="GONE", price_cents=100_00)], name="Going"
    )
    assert everything(session).total == 1
    session.execute(text("DELETE FROM app.products WHERE id = :id"), {"id": product.id})
    assert everything(session).total == 0
    assert search(session, "going").total == 0
    assert session.execute(COUNTED).all() == []


def test_the_price_steps_of_page_and_database_are_the_same(session: Session) -> None:
    assert tuple(session.scalar(text("SELECT app.price_steps()")) or ()) == PRICE_STEPS_CENTS
    step = text("SELECT app.price_step(:cents)")
    for at, cents in enumerate(PRICE_STEPS_CENTS):
        assert session.scalar(step, {"cents": cents}) == at
        assert session.scalar(step, {"cents": cents + 100}) == at + 1


def test_the_last_two_of_a_product_sold_at_once_leave_it_sold_out(
    app: Flask, session: Session, store: Store
) -> None:
    """Neither sale sees the other's; whoever is second looks again."""
    product = make_product(
        session,
        name="Two straps",
        variants=[
            NewVariant(sku="RED", price_cents=100_00, options=["Red"], stock=1),
            NewVariant(sku="BLUE", price_cents=100_00, options=["Blue"], stock=1),
        ],
        options=["Colour"],
    )
    ids = [variant.id for variant in product.variants]
    session.commit()
    barrier = threading.Barrier(2)

    def sell(variant_id: object) -> None:
        with app.app_context():
            token = current_store.set(store.id)
            mine = db.session()
            mine.execute(text("SELECT 1"))
            barrier.wait()
            mine.execute(
                text("UPDATE app.variants SET reserved = on_hand WHERE id = :id"),
                {"id": variant_id},
            )
            mine.execute(text("SELECT pg_sleep(0.2)"))
            mine.commit()
            db.session.remove()
            current_store.reset(token)

    threads = [threading.Thread(target=sell, args=(each,)) for each in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert_true(session)
    assert everything(session, filters=Filters(in_stock=True)).count == 0


def test_a_sale_of_one_of_many_writes_no_card(session: Session) -> None:
    variant = make_variant(session, stock=9)
    session.flush()
    at = text("SELECT ctid::text FROM app.product_cards WHERE product_id = :id")
    before = session.scalar(at, {"id": variant.product_id})
    make_order(session, make_cart(session, variant, quantity=2))
    session.flush()
    assert session.scalar(at, {"id": variant.product_id}) == before
    assert everything(session).cards[0].stock == 7


def test_counts_are_folded_and_stay_the_same(session: Session) -> None:
    shelf = add_category(session, "Lamps")
    variant = make_variant(session, category=shelf, price_cents=300_00)
    for price in range(1, 260):
        variant.price_cents = price * 500_00
        session.flush()
    rows = session.scalar(
        text("SELECT count(*) FROM app.shelf_counts WHERE store_id = app.store_id()")
    )
    assert rows is not None
    assert rows < 260
    assert_true(session)
    assert category_page(session, "lamps").total == 1


def test_another_store_reads_and_writes_no_card_of_ours(
    session: Session, theirs: Store, database: Database, make_store: Callable[..., Store]
) -> None:
    make_variant(session, name="Ours alone")
    session.commit()
    with psycopg.connect(database.url("dukani_app").replace("+psycopg", "")) as connection:
        connection.execute("SELECT set_config('app.store_id', %s, true)", (str(theirs.id),))
        for table in ("product_cards", "shelf_counts", "shop_words"):
            assert connection.execute(f"SELECT count(*) FROM app.{table}").fetchone() == (0,)
        found = connection.execute(
            "SELECT app.search_products(ARRAY['''ours'''], ARRAY['''ours'':A'], ARRAY['''ours'':AB'],"
            " ARRAY['ours'], NULL, 'best', NULL, NULL, false, 24, 0)"
        ).fetchone()
        near = connection.execute("SELECT count(*) FROM app.near_words('uors')").fetchone()
    assert found is not None
    assert found[0]["total"] == 0
    assert near == (0,)
