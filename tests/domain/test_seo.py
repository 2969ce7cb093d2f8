"""Sitemaps and structured data say what is on sale, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.models import Product
from app.domain.catalog.queries import product_page
from app.domain.errors import NotFound
from app.domain.orders.states import OrderStatus
from app.domain.seo.actions import write_sitemap
from app.domain.seo.area_facts import ENOUGH_DELIVERIES, AreaTruth, find_area_facts
from app.domain.seo.models import Sitemap
from app.domain.seo.queries import addresses, get_sitemap
from app.domain.seo.sitemap import Address, sitemap_files
from app.domain.seo.structured import breadcrumb_data, plain_text, product_data, store_data
from app.domain.stores.models import Store
from app.domain.stores.trust import MOST_DELIVERED
from tests.insight_rows import (
    NOW,
    add_area,
    add_category,
    add_order,
    add_product,
    set_stock,
)
from tests.seo_rules import check_sitemap

BASE = "https://duka.example"


def locations(body: str) -> dict[str, str | None]:
    """Path → lastmod of the English pages of a valid file; each has its Swahili twin beside it."""
    found = check_sitemap(body, BASE)
    english = {path: at for path, at in found.items() if not path.endswith("?lang=sw")}
    if "<urlset" in body:
        assert {f"{path}?lang=sw": at for path, at in english.items()} == {
            path: at for path, at in found.items() if path not in english
        }
    return english


@pytest.mark.row("N75", "N12")
def test_the_sitemap_holds_what_is_on_sale_with_true_dates(session: Session, store: Store) -> None:
    watches = add_category(session, "watches")
    add_category(session, "empty-shelf")
    for name in ("Steel watch", "Field watch", "Slim watch"):
        add_product(session, name, category=watches)
    add_product(session, "Hidden lamp", status="draft")
    add_area(session, "kilimani")
    add_area(session, "karen", is_active=False)
    edited_at = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    session.query(Product).filter_by(slug="field-watch").one().updated_at = edited_at
    session.flush()

    count = write_sitemap(session, store, BASE)

    pages = locations(get_sitemap(session, store, "sitemap.xml", BASE, utcnow()))
    assert len(pages) == count
    assert set(pages) == {
        "/",
        "/c/watches",
        "/p/steel-watch",
        "/p/field-watch",
        "/p/slim-watch",
        "/areas",
        "/areas/kilimani",
        "/areas/kilimani/watches",
    }
    assert pages["/p/field-watch"] == "2026-11-02T09:30:00Z"


@pytest.mark.row("N75", "N12")
def test_goods_taken_down_leave_the_sitemap(session: Session, store: Store) -> None:
    add_product(session, "Steel watch")
    add_product(session, "Wall clock")
    write_sitemap(session, store, BASE)

    session.query(Product).filter_by(slug="wall-clock").one().status = "draft"
    session.flush()
    write_sitemap(session, store, BASE)

    pages = locations(get_sitemap(session, store, "sitemap.xml", BASE, utcnow()))
    assert "/p/steel-watch" in pages
    assert "/p/wall-clock" not in pages


@pytest.mark.row("N75")
def test_a_sitemap_is_true_within_the_hour_even_when_no_job_runs(
    session: Session, store: Store
) -> None:
    add_product(session, "Wall clock")
    write_sitemap(session, store, BASE)
    session.query(Product).filter_by(slug="wall-clock").one().status = "draft"
    session.flush()
    ours = session.get_one(Store, store.id)
    ours.content_version += 1
    session.flush()

    soon = get_sitemap(session, ours, "sitemap.xml", BASE, utcnow() + timedelta(minutes=5))
    later = get_sitemap(session, ours, "sitemap.xml", BASE, utcnow() + timedelta(minutes=61))

    assert "/p/wall-clock" in locations(soon)
    assert "/p/wall-clock" not in locations(later)


def test_writing_again_changes_nothing(session: Session, store: Store) -> None:
    add_product(session, "Steel watch")
    write_sitemap(session, store, BASE)
    first = get_sitemap(session, store, "sitemap.xml", BASE, utcnow())
    write_sitemap(session, store, BASE)

    assert get_sitemap(session, store, "sitemap.xml", BASE, utcnow()) == first
    assert session.query(Sitemap).count() == 1


@pytest.mark.row("N75")
def test_a_large_store_gets_an_index_of_parts() -> None:
    pages = [Address(path=f"/p/thing-{n}", changed_at=NOW) for n in range(50_001)]

    files = sitemap_files(pages, BASE)

    assert set(files) == {
        "sitemap.xml",
        "sitemap-1.xml",
        "sitemap-2.xml",
        "sitemap-3.xml",
    }
    assert set(locations(files["sitemap.xml"])) == {f"/sitemap-{n}.xml" for n in (1, 2, 3)}
    parts = [locations(files[f"sitemap-{n}.xml"]) for n in (1, 2, 3)]
    # Two languages a page: a file of 25,000 pages has the 50,000 addresses it may have.
    assert [len(part) for part in parts] == [25_000, 25_000, 1]
    assert len(parts[0] | parts[1] | parts[2]) == len(pages)
    assert files["sitemap-1.xml"].count("<url>") == 50_000


def test_an_unknown_part_is_not_found(session: Session, store: Store) -> None:
    with pytest.raises(NotFound):
        get_sitemap(session, store, "sitemap-7.xml", BASE, utcnow())


def test_area_pages_without_enough_goods_are_not_in_the_sitemap(
    session: Session, store: Store
) -> None:
    watches, clocks = add_category(session, "watches"), add_category(session, "clocks")
    goods = [add_product(session, f"Watch {n}", category=watches) for n in range(3)]
    add_product(session, "Wall clock", category=clocks)
    add_area(session, "kilimani")

    def area_paths() -> set[str]:
        return {
            page.path for page in addresses(session, utcnow()) if page.path.startswith("/areas/")
        }

    assert area_paths() == {"/areas/kilimani", "/areas/kilimani/watches"}

    set_stock(session, goods[0], 0)
    assert area_paths() == {"/areas/kilimani"}

    set_stock(session, goods[1], 0)
    assert area_paths() == set()


@pytest.mark.row("I11")
def test_of_very_many_deliveries_to_an_area_the_newest_are_counted_and_timed(
    session: Session, store: Store
) -> None:
    first = add_order(
        session,
        NOW - timedelta(days=1),
        area="kilimani",
        status=OrderStatus.DELIVERED,
        delivered_after=timedelta(minutes=60),
    )
    session.flush()
    columns = (
        "customer_id, area, landmark, subtotal_cents, delivery_fee_cents, total_cents, token_sealed,"
        " placed_at, paid_at"
    )
    session.execute(
        text(
            f"INSERT INTO app.orders (id, code, token_hash, delivered_at, status, {columns})"
            " SELECT gen_random_uuid(), code || n, sha256(convert_to(code || n, 'UTF8')),"
            f" delivered_at + interval '1 minute', 'pending_payment', {columns}"
            "   FROM app.orders, generate_series(1, :n) n WHERE id = :first"
        ),
        {"n": MOST_DELIVERED + 20, "first": first.id},
    )
    for status in ("paid", "packed", "delivered"):
        session.execute(
            text("UPDATE app.orders SET status = :status WHERE id <> :first"),
            {"status": status, "first": first.id},
        )

    truth = find_area_facts(session, "kilimani", None, NOW).truth

    assert truth == AreaTruth(deliveries=MOST_DELIVERED + 1, usual_minutes=61)
    assert truth.is_many


@pytest.mark.row("I11")
def test_an_areas_own_deliveries_are_told_from_five_on(session: Session, store: Store) -> None:
    def truth_of(area: str) -> AreaTruth | None:
        return find_area_facts(session, area, None, NOW).truth

    for n in range(ENOUGH_DELIVERIES - 1):
        add_order(
            session,
            NOW - timedelta(days=n + 1),
            area="kilimani",
            status=OrderStatus.DELIVERED,
            delivered_after=timedelta(minutes=60 + 10 * n, seconds=20),
        )
    add_order(session, NOW - timedelta(days=2), area="kilimani")  # not delivered yet
    add_order(session, NOW - timedelta(days=2), area="karen", status=OrderStatus.DELIVERED)
    add_order(session, NOW - timedelta(days=31), area="kilimani", status=OrderStatus.DELIVERED)

    assert truth_of("kilimani") is None

    add_order(
        session,
        NOW - timedelta(days=6),
        area="kilimani",
        status=OrderStatus.DELIVERED,
        delivered_after=timedelta(hours=5),
    )

    truth = truth_of("kilimani")
    assert truth is not None
    assert (truth.deliveries, truth.usual_minutes) == (5, 80)


@pytest.mark.row("N76")
def test_a_product_says_its_price_and_stock_to_machines(session: Session, store: Store) -> None:
    clocks = add_category(session, "clocks")
    variant = add_product(session, "Wall clock", price_cents=1_850_00, category=clocks)
    product = session.get_one(Product, (store.id, variant.product_id))
    product.description_html = "<p>Quiet &amp; <b>bright</b>.</p><p>One battery.</p>"
    product.brand = "Saa"
    session.flush()

    data = product_data(
        store, product_page(session, "wall-clock"), url=f"{BASE}/p/wall-clock", image_urls=[]
    )

    assert data["@type"] == "Product"
    assert data["name"] == "Wall clock"
    assert data["description"] == "Quiet & bright. One battery."
    assert data["brand"] == {"@type": "Brand", "name": "Saa"}
    assert data["category"] == "Clocks"
    assert data["sku"] == "WALL-CLOCK"
    assert "aggregateRating" not in data
    assert "image" not in data
    offer = data["offers"]
    assert (offer["@type"], offer["price"], offer["priceCurrency"]) == ("Offer", "1850.00", "KES")
    assert offer["availability"] == "https://schema.org/InStock"
    assert offer["hasMerchantReturnPolicy"]["merchantReturnDays"] == store.return_days
    json.dumps(data)

    set_stock(session, variant, 0)
    again = product_data(store, product_page(session, "wall-clock"), url=f"{BASE}/p/wall-clock")
    assert again["offers"]["availability"] == "https://schema.org/OutOfStock"


@pytest.mark.row("N76")
def test_variants_become_a_range_of_offers(session: Session, store: Store) -> None:
    variant = add_product(session, "Field watch", price_cents=1_450_00)
    product = session.get_one(Product, (store.id, variant.product_id))
    product.options = ["Strap"]
    variant.option_values = ["Canvas"]
    session.add(
        type(variant)(
            product_id=product.id,
            sku="FW-LEATHER",
            option_values=["Leather"],
            position=1,
            price_cents=1_950_00,
            on_hand=0,
        )
    )
    session.flush()

    offers = product_data(store, product_page(session, "field-watch"), url=BASE)["offers"]

    assert offers["@type"] == "AggregateOffer"
    assert (offers["lowPrice"], offers["highPrice"]) == ("1450.00", "1950.00")
    assert offers["offerCount"] == 2
    assert [offer["name"] for offer in offers["offers"]] == ["Canvas", "Leather"]


@pytest.mark.row("N76")
def test_the_store_says_only_what_it_said(store: Store) -> None:
    bare = store_data(store, url=f"{BASE}/")
    assert set(bare) == {"@type", "@id", "name", "url", "currenciesAccepted"}

    store.place, store.phone = "Shop 14, Luthuli Avenue", "+254722000111"
    store.opening_hours = {"mon": ["08:00", "19:00"], "sun": []}
    full = store_data(store, url=f"{BASE}/")

    assert full["address"]["streetAddress"] == "Shop 14, Luthuli Avenue"
    assert full["telephone"] == "+254722000111"
    assert full["openingHoursSpecification"] == [
        {
            "@type": "OpeningHoursSpecification",
            "dayOfWeek": "Monday",
            "opens": "08:00",
            "closes": "19:00",
        }
    ]


def test_breadcrumbs_are_numbered() -> None:
    data = breadcrumb_data([("Shop", f"{BASE}/"), ("Watches", f"{BASE}/c/watches")])

    assert [(step["position"], step["name"]) for step in data["itemListElement"]] == [
        (1, "Shop"),
        (2, "Watches"),
    ]


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("", ""),
        ("<p>One</p><p>two</p>", "One two"),
        ("a<b>b</b>c", "abc"),
        ("<ul><li>A<li>B</ul>", "A B"),
        ("5 &lt; 6", "5 < 6"),
    ],
)
def test_plain_text(html: str, words: str) -> None:
    assert plain_text(html) == words
