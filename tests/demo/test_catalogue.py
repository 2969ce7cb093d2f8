"""The demo stores hold together: prices, codes, options, areas, pictures."""

from __future__ import annotations

import csv
import re
from itertools import product as every
from pathlib import Path

import pytest

from local.demo.catalogue import STORES, DemoStore
from local.demo.colour import brightness, rgb
from local.demo.people import HOMES, people_of
from local.demo.pictures import KINDS

AREAS_FILE = Path(__file__).parents[2] / "app/domain/delivery/areas.csv"
INVENTED_PHONE = re.compile(r"\+254(700|110)000\d{3}")

each_store = pytest.mark.parametrize("store", STORES, ids=lambda store: store.slug)


@each_store
def test_a_store_has_enough_to_sell_in_every_category(store: DemoStore) -> None:
    assert len(store.products) >= 34
    assert 5 <= len(store.categories) <= 6
    known = {category.slug for category in store.categories}
    per_category = dict.fromkeys(known, 0)
    for product in store.products:
        per_category[product.category] += 1
    assert min(per_category.values()) >= 3


@each_store
def test_prices_are_whole_shillings_above_cost(store: DemoStore) -> None:
    for product in store.products:
        for variant in product.variants:
            assert variant.price_cents > 0
            assert variant.price_cents % 100 == 0
            assert variant.cost_cents % 100 == 0
            assert variant.cost_cents < variant.price_cents, variant.sku
            if variant.compare_at_cents is not None:
                assert variant.compare_at_cents > variant.price_cents, variant.sku
                assert variant.compare_at_cents % 100 == 0
            assert variant.weight_grams > 0


@each_store
def test_slugs_names_and_skus_are_unique(store: DemoStore) -> None:
    slugs = [product.slug for product in store.products]
    skus = [variant.sku for product in store.products for variant in product.variants]
    assert len(set(slugs)) == len(slugs)
    assert len(set(skus)) == len(skus)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)
    assert all(re.fullmatch(r"[A-Z0-9-]{5,32}", sku) for sku in skus)


@each_store
def test_variants_are_exactly_the_option_matrix(store: DemoStore) -> None:
    with_options = 0
    for product in store.products:
        matrix = {tuple(values) for values in every(*product.options.values())}
        found = [tuple(variant.options.values()) for variant in product.variants]
        assert sorted(found) == sorted(matrix), product.slug
        for variant in product.variants:
            assert list(variant.options) == list(product.options)
        with_options += bool(product.options)
    assert with_options >= len(store.products) // 2


@each_store
def test_some_variants_cost_more_and_some_are_short_or_gone(store: DemoStore) -> None:
    variants = [variant for product in store.products for variant in product.variants]
    assert any(product.stock == 0 for product in store.products)
    assert sum(variant.stock == 0 for variant in variants) >= 3
    assert sum(1 <= variant.stock <= 3 for variant in variants) >= 3
    assert any(
        len({variant.price_cents for variant in product.variants}) > 1 for product in store.products
    )
    assert sum(bool(product.variants[0].compare_at_cents) for product in store.products) >= 5


@each_store
def test_texts_are_there(store: DemoStore) -> None:
    for product in store.products:
        sentences = re.findall(r"[^.?]+[.?]", product.description)
        assert 2 <= len(sentences) <= 4, product.slug
        assert len(product.facts) >= 2, product.slug
        assert product.brand


@each_store
def test_pictures_cover_every_colour_and_name_a_known_drawing(store: DemoStore) -> None:
    for product in store.products:
        assert {spec.view for spec in product.pictures} == {1, 2}
        assert all(spec.kind in KINDS and spec.alt for spec in product.pictures)
        shown = {spec.colour_name for spec in product.pictures if spec.view == 1}
        assert shown == set(product.options.get("Colour", ("",))), product.slug


@each_store
def test_the_store_delivers_to_known_areas_with_some_fees_of_its_own(store: DemoStore) -> None:
    with AREAS_FILE.open(encoding="utf-8") as file:
        known = {row["slug"] for row in csv.DictReader(file)}
    slugs = [terms.area for terms in store.areas]
    assert len(slugs) >= 40
    assert len(set(slugs)) == len(slugs)
    assert set(slugs) <= known
    assert sum(terms.fee_cents is not None for terms in store.areas) >= 8
    assert all(terms.fee_cents is None or terms.fee_cents % 100 == 0 for terms in store.areas)
    assert set(HOMES[store.slug]) <= set(slugs)


def test_the_stores_differ_in_how_they_are_paid() -> None:
    assert {store.account.kind for store in STORES} == {"till", "paybill"}
    assert all(
        (store.account.store_number is not None) == (store.account.kind == "till")
        for store in STORES
    )
    assert len({store.slug for store in STORES}) == len(STORES)
    assert all(store.till_name == store.till_name.upper() for store in STORES)


@each_store
def test_the_store_colour_carries_white_text(store: DemoStore) -> None:
    assert 0.36 <= brightness(rgb(store.colour)) <= 0.46


def test_people_have_invented_phones_of_their_own() -> None:
    phones = [phone for store in STORES for phone in (store.phone, store.whatsapp)]
    for store in STORES:
        people = people_of(store.slug)
        assert len(people.customers) >= 25
        assert len(people.riders) >= 4
        assert {"owner", "manager", "packer", "dispatcher"} <= {s.role for s in people.staff}
        assert len({staff.email for staff in people.staff}) == len(people.staff)
        everybody = [*people.staff, *people.riders, *people.customers]
        assert len({person.name for person in everybody}) == len(everybody)
        phones += [person.phone for person in everybody]
        assert all(customer.landmark for customer in people.customers)
    assert len(set(phones)) == len(phones)
    assert all(INVENTED_PHONE.fullmatch(phone) for phone in phones)
