"""The head of every public page: what is indexed, in which language, and facts a validator takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.actions import NewPicture, NewVariant
from app.domain.catalog.models import Category, Product
from app.domain.delivery.models import FeeRuleRow
from app.domain.media.pictures import StoredPicture, store_picture
from app.domain.orders.states import OrderStatus
from app.domain.pages.models import Page
from app.domain.stores.models import Store
from config import Settings
from tests.bench.test_statements import statements
from tests.builders import make_product
from tests.insight_rows import add_area, add_category, add_order, add_product
from tests.seo_rules import Head, check_head, check_structured, missing
from tests.web.storefront.conftest import Shopper

EVIL = 'Clock </script><script>alert(1)</script><!-- "><img src=x>'


@pytest.fixture(scope="module")
def photo(app: Flask, settings: Settings) -> StoredPicture:
    teal = Image.new("RGB", (700, 700), "teal")
    return store_picture(teal, media_dir=settings.media_dir, formats=("webp",))


@pytest.fixture
def stocked(session: Session, store: Store, photo: StoredPicture) -> Session:
    """A described watch with a photo, three more, delivered to Kilimani; a page of the shop's own."""
    ours = session.get_one(Store, store.id)
    ours.place, ours.phone = "Shop 14, Luthuli Avenue", "+254722000111"
    ours.opening_hours = {"mon": ["08:00", "19:00"], "sat": ["09:00", "17:00"]}
    ours.holidays = [{"on": f"{utcnow() + timedelta(days=20):%Y-%m-%d}", "name": "A holiday"}]
    watches = add_category(session, "watches")
    make_product(
        session,
        name="Sport watch",
        category=session.get_one(Category, (store.id, watches.id)),
        brand="Saa",
        description_html="<p>Light and loud.</p>",
        pictures=[NewPicture(stored=photo)],
        options=["Colour"],
        warranty_months=12,
        variants=[
            NewVariant(sku="SW-B", price_cents=1_850_00, options=["Black"], stock=7),
            NewVariant(sku="SW-R", price_cents=1_950_00, options=["Red"], stock=0),
        ],
    )
    for name in ("Steel watch", "Field watch", "Slim watch"):
        add_product(session, name, price_cents=950_00, category=watches)
    add_area(session, "kilimani", 250_00)
    add_area(session, "karen", 400_00)
    session.add(
        Page(
            slug="about",
            is_published=True,
            content={
                "en": {
                    "title": "About us",
                    "blocks": [
                        {
                            "type": "text",
                            "text": "x",
                            "html": "<p>We have sold watches on Luthuli Avenue since 1998.</p>",
                        }
                    ],
                }
            },
        )
    )
    session.commit()
    return session


PUBLIC = [
    "/",
    "/c/watches",
    "/p/sport-watch",
    "/areas",
    "/areas/kilimani",
    "/areas/kilimani/watches",
]


@pytest.mark.row("N76", "N75")
@pytest.mark.parametrize("path", [*PUBLIC, "/pages/about"])
def test_a_page_that_may_be_found_has_a_whole_head(
    client: Shopper, stocked: Session, store: Store, path: str
) -> None:
    answer = client.get(path)

    head = check_head(answer.text)
    assert head.is_indexed
    assert head.canonical == f"http://{store.slug}.localhost:8000{path}"
    assert head.meta["og:locale"] == "en_KE"
    if path != "/pages/about":
        [block] = head.blocks
        check_structured(block)


@pytest.mark.row("N75")
@pytest.mark.parametrize("path", PUBLIC)
def test_in_swahili_the_address_with_the_language_is_the_canonical_one(
    client: Shopper, stocked: Session, store: Store, path: str
) -> None:
    answer = client.get(path, headers={"Accept-Language": "sw"})

    head = check_head(answer.text)
    assert head.canonical == f"http://{store.slug}.localhost:8000{path}?lang=sw"
    assert head.meta["og:locale"] == "sw_KE"


@pytest.mark.row("N75")
@pytest.mark.parametrize(
    "path",
    [
        *("/search", "/search?q=watch", "/c/watches?max=1000", "/c/watches?stock=1"),
        *("/cart", "/deliver-to", "/me"),
    ],
)
def test_what_repeats_other_pages_or_is_one_persons_is_kept_out_of_the_index(
    client: Shopper, stocked: Session, path: str
) -> None:
    head = Head(client.get(path, follow_redirects=True).text)

    assert not head.is_indexed
    assert head.canonical is None
    assert head.languages == {}


@pytest.mark.row("N75")
@pytest.mark.parametrize("query", ["sort=price", "show=48", "utm_source=x", "lang=en"])
def test_a_list_in_another_order_is_the_same_page(
    client: Shopper, stocked: Session, store: Store, query: str
) -> None:
    head = check_head(client.get(f"/c/watches?{query}").text)

    assert head.canonical == f"http://{store.slug}.localhost:8000/c/watches"


@pytest.mark.row("N75")
def test_no_address_is_taken_from_the_request(
    client: Shopper, stocked: Session, store: Store
) -> None:
    page = client.get(
        "/p/sport-watch",
        headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"},
    ).text

    assert "evil.example" not in page
    assert check_head(page).canonical == f"http://{store.slug}.localhost:8000/p/sport-watch"


@pytest.mark.row("N76")
def test_a_product_says_price_stock_delivery_and_returns(
    client: Shopper, stocked: Session, store: Store
) -> None:
    stocked.add(
        FeeRuleRow(
            kind="weight_over", terms={"fee_cents": 150_00, "is_extra": True, "over_grams": 9000}
        )
    )
    stocked.commit()

    head = check_head(client.get("/p/sport-watch").text)

    kinds = check_structured(head.blocks[0])
    assert {"Product", "AggregateOffer", "Offer", "BreadcrumbList", "Brand"} <= set(kinds)
    assert not {"Review", "AggregateRating"} & set(kinds)
    assert missing(head.blocks[0], "Product") == set()
    product = head.blocks[0]["@graph"][0]
    offers = product["offers"]
    assert (offers["lowPrice"], offers["highPrice"]) == ("1850.00", "1950.00")
    assert [one["availability"].rpartition("/")[2] for one in offers["offers"]] == [
        "InStock",
        "OutOfStock",
    ]
    # The dearest area with the dearest extra: no delivery costs more.
    assert offers["shippingDetails"]["shippingRate"]["maxValue"] == "550.00"
    assert offers["hasMerchantReturnPolicy"]["merchantReturnDays"] == store.return_days
    assert product["image"][0].startswith(f"http://{store.slug}.localhost:8000/media/")
    assert head.title == "Sport watch · KES\u00a01,850 · Duka la Majaribio"
    assert head.meta["description"].startswith("Sport watch: From KES\u00a01,850. In stock")
    assert "Delivery from KES\u00a0250." in head.meta["description"]
    assert head.meta["product:price:amount"] == "1850.00"


@pytest.mark.row("N76")
def test_the_categorys_own_rule_about_returns_is_what_machines_read(
    client: Shopper, stocked: Session
) -> None:
    category = stocked.query(Category).filter_by(slug="watches").one()
    category.return_days, category.return_note = 0, "Worn watches cannot come back."
    stocked.commit()

    block = Head(client.get("/p/sport-watch").text).blocks[0]

    check_structured(block)
    policy = block["@graph"][0]["offers"]["hasMerchantReturnPolicy"]
    assert policy["returnPolicyCategory"].endswith("/MerchantReturnNotPermitted")


@pytest.mark.row("N76")
def test_the_shop_is_a_place_with_hours_phone_and_areas(client: Shopper, stocked: Session) -> None:
    block = Head(client.get("/").text).blocks[0]

    check_structured(block)
    assert missing(block, "Store") == set()
    [shop] = block["@graph"]
    assert shop["telephone"] == "+254722000111"
    assert [place["name"] for place in shop["areaServed"]] == ["Kilimani", "Karen"]
    hours = shop["openingHoursSpecification"]
    assert [one.get("dayOfWeek") for one in hours] == ["Monday", "Saturday", None]
    assert hours[-1]["opens"] == hours[-1]["closes"] == "00:00"  # the holiday


@pytest.mark.row("N76")
def test_an_area_says_its_own_fee_and_lists_its_goods(client: Shopper, stocked: Session) -> None:
    for n in range(6):
        add_order(
            stocked,
            utcnow() - timedelta(days=n + 1),
            area="kilimani",
            status=OrderStatus.DELIVERED,
            delivered_after=timedelta(minutes=130),
        )
    stocked.commit()

    head = check_head(client.get("/areas/kilimani/watches").text)

    kinds = check_structured(head.blocks[0])
    assert {"ItemList", "Service", "BreadcrumbList"} <= set(kinds)
    service = next(node for node in head.blocks[0]["@graph"] if node["@type"] == "Service")
    assert service["offers"]["price"] == "250.00"
    assert service["areaServed"]["name"] == "Kilimani"
    assert head.title == "Watches in Kilimani · delivery KES\u00a0250 · Duka la Majaribio"
    assert "To Kilimani for KES\u00a0250" in head.meta["description"]


@pytest.mark.row("N76")
@pytest.mark.parametrize("path", ["/p/wall", "/c/watches", "/areas/kilimani", "/"])
def test_words_of_the_shop_cannot_break_out_of_the_block(
    client: Shopper, stocked: Session, store: Store, path: str
) -> None:
    clock = stocked.query(Product).filter_by(slug="sport-watch").one()
    clock.name, clock.slug, clock.brand, clock.description_html = EVIL, "wall", EVIL, ""
    stocked.get_one(Store, store.id).name = EVIL
    stocked.query(Category).filter_by(slug="watches").one().name = EVIL[:60]
    stocked.commit()

    page = client.get(path).text

    assert "<script>alert" not in page
    assert "<!--" not in page
    assert "<img src=x>" not in page
    head = Head(page)
    check_structured(head.blocks[0])


@pytest.mark.parametrize(
    ("barcode", "is_gtin"),
    [
        ("4006381333931", True),
        ("4006381333932", False),
        ("96385074", True),
        ("036000291452", True),
        ("00012345600012", True),
        ("12345", False),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", False),
        ("", False),
    ],
)
@pytest.mark.row("N76")
def test_only_a_barcode_that_checks_is_told(
    client: Shopper, stocked: Session, barcode: str, is_gtin: bool
) -> None:
    product = stocked.query(Product).filter_by(slug="steel-watch").one()
    product.variants[0].barcode = barcode
    stocked.commit()

    block = Head(client.get("/p/steel-watch").text).blocks[0]

    check_structured(block)
    assert block["@graph"][0].get("gtin") == (barcode if is_gtin else None)


@pytest.mark.row("N75")
def test_robots_may_read_what_is_kept_out_and_not_what_is_private(
    client: Shopper, stocked: Session, store: Store
) -> None:
    lines = client.get("/robots.txt").text.splitlines()

    assert lines[0] == "User-agent: *"
    assert lines[-1] == f"Sitemap: http://{store.slug}.localhost:8000/sitemap.xml"
    closed = {line.removeprefix("Disallow: ") for line in lines[1:-1]}
    assert {"/cart", "/checkout", "/o/", "/me"} <= closed
    assert "/search" not in closed  # its noindex must be readable


@pytest.mark.row("N77", "I22", "N76")
@pytest.mark.parametrize(
    "path", [*PUBLIC, "/pages/about", "/trust"], ids=lambda path: path.strip("/") or "home"
)
def test_a_page_takes_at_most_four_statements(
    app: Flask, client: Shopper, stocked: Session, path: str
) -> None:
    with statements(app) as asked:
        assert client.get(path).status_code == 200

    assert len(asked) <= 4, "\n".join(asked)
