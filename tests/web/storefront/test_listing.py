"""Lists and searches as a phone without script sees them, and the pieces that htmx puts in."""

from __future__ import annotations

import random
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.catalog.actions import NewVariant, add_category
from app.domain.catalog.listing import (
    MAX_PAGE,
    SORTS,
    Filters,
    Listing,
    category_page,
    everything,
)
from app.domain.catalog.models import Variant
from app.domain.delivery.actions import serve_area
from app.domain.delivery.areas import split_area
from app.domain.errors import NotFound
from app.domain.orders.states import OrderStatus
from app.domain.stores.models import Store
from tests.bench.test_statements import statements
from tests.builders import make_cart, make_order, make_product, make_variant
from tests.web.storefront.conftest import Shopper, shopper_of

STATEMENTS = 4
NODES_A_PAGE = 200


def names_in(html: str) -> list[str]:
    """The cards of a page, as the shopper reads them."""
    return re.findall(r'class="card-name"[^>]*>([^<]+)<', html)


def fill(session: Session, count: int = 60) -> None:
    """A shelf of watches with straps and prices to filter by; every fifth is sold out."""
    shelf = add_category(session, "Watches")
    shelf.attributes = [
        {"key": "strap", "name": "Strap", "is_filter": True, "choices": ["Steel", "Rubber"]}
    ]
    for number in range(count):
        product = make_product(
            session,
            name=f"Dive watch {number:03}",
            category=shelf,
            variants=[
                NewVariant(
                    sku=f"DW-{number:03}",
                    price_cents=(number + 1) * 100_00,
                    stock=0 if number % 5 == 0 else 3,
                )
            ],
        )
        product.attributes = {"strap": "Steel" if number % 3 == 0 else "Rubber"}
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    session.commit()


ADDRESSES = (
    "/c/watches",
    "/c/watches?sort=-price&stock=1&max=2500",
    "/c/watches?a-strap=Steel&max=4000",
    "/c/watches?page=2",
    "/c/watches/list?page=3",
    "/search",
    "/search?q=dive+watch",
    "/search?q=saa+kilimani",
    "/search?q=div+wach+under+3000",
    "/search/list?q=watches&sort=price&page=2",
    "/search/suggest?q=div",
)


@pytest.mark.row("N35", "N60")
def test_every_list_takes_at_most_four_statements(
    app: Flask, client: Shopper, session: Session
) -> None:
    fill(session)
    for address in ADDRESSES:
        with statements(app) as asked:
            answer = client.get(address)
        assert answer.status_code == 200, address
        assert len(asked) <= STATEMENTS, (address, asked)


@pytest.mark.row("T72")
def test_following_show_more_brings_every_product_once(client: Shopper, session: Session) -> None:
    fill(session)
    for sort in ("", "price", "-price"):
        _walk(client, f"/c/watches?sort={sort}")


def _walk(client: Shopper, address: str) -> None:
    seen: list[str] = []
    pages = []
    while address:
        html = client.get(address).text
        goods = html[html.index('<ul class="grid">') :]
        goods = goods[: goods.index("</ul>")]
        pages.append(len(re.findall(r"<[a-z]", goods)))
        seen += names_in(goods)
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        address = more.group(1).replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 60
    assert len(pages) == 3
    assert max(pages) <= NODES_A_PAGE
    # What is sold out stands last, in each order.
    gone = {f"Dive watch {number:03}" for number in range(0, 60, 5)}
    assert set(seen[-12:]) == gone


@pytest.mark.row("T72")
def test_a_page_may_be_asked_for_by_its_number(client: Shopper, session: Session) -> None:
    fill(session)
    linked = re.search(r'href="(/c/watches\?page=2[^"]+)"', client.get("/c/watches").text)
    assert linked is not None
    by_link = names_in(client.get(linked.group(1).replace("&amp;", "&")).text)
    assert names_in(client.get("/c/watches?page=2").text) == by_link
    assert names_in(client.get("/c/watches?page=2&after=no-such-thing").text) == by_link
    assert client.get("/c/watches?page=4").status_code == 404
    assert client.get("/search?q=watch&page=9").status_code == 404
    assert client.get("/c/watches?page=0").status_code == 200


@pytest.mark.row("N35")
def test_filters_have_true_counts_and_addresses_of_their_own(
    client: Shopper, session: Session
) -> None:
    fill(session)
    html = client.get("/c/watches").text
    assert re.search(r'value="Steel">Steel <span class="muted">20</span>', html)
    assert re.search(r'value="Rubber">Rubber <span class="muted">40</span>', html)
    assert re.search(r'In stock now <span class="muted">48</span>', html)
    steel = client.get("/c/watches?a-strap=Steel&stock=1&max=3000").text
    assert "8 products" in steel
    assert all(int(name[-3:]) % 3 == 0 for name in names_in(steel))
    assert re.search(r'class="chip chip-on" href="/c/watches\?max=3000&amp;stock=1"', steel)


@pytest.mark.row("N35")
def test_a_piece_is_the_pages_own_list_and_never_varies(client: Shopper, session: Session) -> None:
    fill(session)
    for query in ("", "?a-strap=Steel", "?max=2500&stock=1&sort=price"):
        page = client.get(f"/c/watches{query}")
        piece = client.get(f"/c/watches/list{query}")
        by_htmx = client.get(f"/c/watches/list{query}", headers={"HX-Request": "true"})
        assert piece.text.strip() in page.text
        assert by_htmx.data == piece.data
        assert client.get(f"/c/watches{query}", headers={"HX-Request": "true"}).data == page.data
        assert "public" in piece.headers["Cache-Control"]
        assert piece.headers["HX-Push-Url"].startswith("/c/watches")
        assert "/list" not in piece.headers["HX-Push-Url"]


@pytest.mark.row("N60")
def test_an_area_in_the_words_says_fee_and_time_and_leaves_the_search(
    app: Flask, client: Shopper, session: Session, store: Store
) -> None:
    fill(session)
    answer = client.get("/search?q=saa+kilimani&sort=price")
    assert "Delivered to Kilimani for KES\N{NO-BREAK SPACE}250" in answer.text
    assert names_in(answer.text)[0] == "Dive watch 001"
    assert "We do not reach Karen yet" in client.get("/search?q=watch+in+karen").text
    both = client.get("/search?q=watch+in+umoja").text
    assert "Umoja I<" in both
    assert "Umoja II<" in both
    # A cookie that knows an area changes nothing: the page is everybody's.
    client.post("/deliver-to", data={"area": "kilimani"})
    assert client.get("/search?q=saa+kilimani&sort=price").data == answer.data


@pytest.mark.row("N60")
def test_a_price_in_the_words_is_a_limit(client: Shopper, session: Session) -> None:
    fill(session)
    for query in ("watches under 1000", "saa chini ya 1,000", "saa chini ya elfu 1"):
        assert "10 products" in client.get("/search", query_string={"q": query}).text, query
    assert "51 products" in client.get("/search?q=watches+over+1k").text


@pytest.mark.row("N60")
def test_nothing_found_says_what_is_near_and_one_tap_works(
    client: Shopper, session: Session
) -> None:
    fill(session)
    html = client.get("/c/watches?max=150&stock=1").text
    assert "Nothing fits these filters" in html
    assert "The lowest price today is KES\N{NO-BREAK SPACE}200" in html
    tap = re.search(r'class="btn" href="([^"]+)">Show up to', html)
    assert tap is not None
    assert names_in(client.get(tap.group(1).replace("&amp;", "&")).text)
    assert "Close to what you asked" in html
    slip = client.get("/search?q=dvie+wacth").text
    assert "Shown: “dive watch”" in slip
    assert len(names_in(slip)) == 24
    partly = client.get("/search?q=watch+helicopter").text
    assert "This comes nearest" in partly
    assert names_in(partly)


@pytest.mark.row("N60")
def test_suggestions_are_few_links_and_the_form_is_plain(client: Shopper, session: Session) -> None:
    fill(session)
    home = client.get("/").text
    assert re.search(r'<form class="seek" action="/search"', home)
    assert 'name="q"' in home
    found = client.get("/search/suggest?q=wat").text
    links = re.findall(r'href="([^"]+)"', found)
    assert links[0] == "/c/watches"
    assert 2 <= len(links) <= 8
    assert all(client.get(link).status_code == 200 for link in links)
    assert client.get("/search/suggest?q=").text.strip() == ""
    assert client.get("/search/suggest?q=w").text.strip() == ""


ODD = (
    "x" * 10_000,
    "\u200b\u200f\u202e",
    "\u202e\u0633\u0627\u0639\u0629 watch\u202c",
    "%_\\",
    "'; DROP TABLE app.products; --",
    "a & b | !c <-> (",
    "\U0001f600 watch",
    " ".join(f"w{n}" for n in range(2_000)),
    "simu phone simu phone " * 200,
    ":* :A",
    "kat00000000000000000000000000000000",
)


@pytest.mark.alone
@pytest.mark.row("N60")
@pytest.mark.parametrize("path", ["/search", "/search/list", "/search/suggest"])
def test_odd_words_are_answered_in_bounded_time(
    client: Shopper, session: Session, path: str
) -> None:
    fill(session, 12)
    for query in ODD:
        begun = time.perf_counter()
        answer = client.get(path, query_string={"q": query})
        assert answer.status_code in (200, 400, 414), (query[:40], answer.status_code)
        assert time.perf_counter() - begun < 2, query[:40]


def test_a_nul_is_refused_or_left_out(client: Shopper, session: Session) -> None:
    fill(session, 5)
    assert client.get("/search?q=wat%00ch").status_code in (200, 400)


@pytest.mark.row("N38")
def test_what_was_bought_together_comes_first_and_never_what_is_gone(
    app: Flask, client: Shopper, session: Session, store: Store, theirs: Store
) -> None:
    shelf = add_category(session, "Phones")
    phone = make_variant(session, name="Phone", category=shelf)
    make_variant(session, name="Sister phone", category=shelf)
    cover = make_variant(session, name="Cover")
    charger = make_variant(session, name="Charger", stock=1)
    make_variant(session, name="Gone phone", category=shelf, stock=0)
    for number, others in enumerate(((cover,), (cover, charger), (cover,))):
        cart = make_cart(session, phone, *others)
        order = make_order(session, cart, phone=f"+25471234567{number}")
        order.status = OrderStatus.PAID
    never_paid = make_variant(session, name="Never paid")
    make_order(session, make_cart(session, phone, never_paid), phone="+254712345679")
    address, skus = f"/p/{phone.product.slug}", (phone.sku, cover.sku)
    session.commit()

    def related(html: str) -> list[str]:
        return names_in(html[html.index("Goes well with it") :])

    assert related(client.get(address).text) == ["Cover", "Sister phone"]
    client.post("/cart/lines", data={"sku": skus[0]})
    assert related(client.get("/cart").text) == ["Cover", "Sister phone"]
    client.post("/cart/lines", data={"sku": skus[1]})
    assert related(client.get("/cart").text) == ["Sister phone"]
    assert "Cover" not in shopper_of(app, theirs).get("/search").text


@pytest.mark.parametrize(
    ("typed", "slugs", "rest"),
    [
        ("saa kilimani", ["kilimani"], "saa"),
        ("viatu westi", ["westlands"], "viatu"),
        ("blender delivered to langata", ["langata"], "blender"),
        ("laptop in kilimni", ["kilimani"], "laptop"),
        ("kettle githurai 45", ["githurai-45"], "kettle"),
        ("sukari 2kg", [], "sukari 2kg"),
        ("45 inch tv", [], "45 inch tv"),
        ("solar street light", [], "solar street light"),
        ("fridge in umoja", ["umoja-1", "umoja-2"], "fridge"),
        ("kilimani", ["kilimani"], ""),
        ("", [], ""),
    ],
)
def test_a_place_is_told_from_goods(typed: str, slugs: list[str], rest: str) -> None:
    areas, words = split_area(typed)
    assert ([area.slug for area in areas], words) == (slugs, rest)


def test_a_card_that_was_sold_meanwhile_says_so(client: Shopper, session: Session) -> None:
    fill(session, 3)
    variant = session.query(Variant).filter_by(sku="DW-001").one()
    variant.reserved = 2
    session.commit()
    assert "Only 1 left" in client.get("/c/watches").text


@pytest.mark.row("T72")
def test_pages_by_number_are_the_list_cut_in_pieces_while_goods_change(session: Session) -> None:
    """Of a shelf with one under it, made at a few moments: read from either end it is one list."""
    chance = random.Random(5)
    top = add_category(session, "Clocks")
    under = add_category(session, "Wall clocks")
    session.flush()
    under.parent_id = top.id
    shelves = [top, under, None]
    for number in range(60):
        cents, stock = chance.choice((900_00, 1_700_00)), chance.choice((0, 2))
        variant = NewVariant(sku=f"CL-{number}", price_cents=cents, stock=stock)
        product = make_product(
            session,
            name=f"Clock {chance.randrange(10**6)}",
            category=shelves[number % 3],
            variants=[variant],
        )
        product.created_at = datetime(2026, 1, chance.randrange(1, 5), tzinfo=UTC)
    session.flush()
    variants = session.scalars(select(Variant)).all()
    for _ in range(6):
        for slug in ("clocks", "wall-clocks", None):
            for sort in SORTS:
                for filters in (Filters(), Filters(in_stock=True), Filters(most_cents=1_000_00)):
                    _assert_cut_in_pieces(session, slug, sort, filters)
        for variant in chance.sample(list(variants), 6):
            variant.on_hand = chance.choice((0, 4))
            variant.price_cents = chance.choice((900_00, 1_700_00, 2_600_00))
            variant.product.category_id = chance.choice((top.id, under.id))
            variant.product.status = chance.choice(("active", "active", "draft"))
        session.flush()


def _assert_cut_in_pieces(
    session: Session, slug: str | None, sort: str, filters: Filters, shown: int = 4
) -> None:
    def page(number: int, shown: int) -> Listing:
        asked: dict[str, Any] = {"sort": sort, "filters": filters, "page": number, "shown": shown}
        return category_page(session, slug, **asked) if slug else everything(session, **asked)

    whole = [card.slug for card in page(1, 100).cards]
    assert whole
    pages = max(1, -(-len(whole) // shown))
    for number in range(1, pages + 1):
        found = page(number, shown)
        assert [card.slug for card in found.cards] == whole[(number - 1) * shown : number * shown]
        assert found.has_more == (number < pages)
    for number in (pages + 1, pages + 2, MAX_PAGE):
        with pytest.raises(NotFound):
            page(number, shown)
