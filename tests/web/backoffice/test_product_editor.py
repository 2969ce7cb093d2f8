"""The product's form: few fields first, a matrix of choices, nothing lost, all of it undone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.catalog.actions import NewVariant
from app.domain.catalog.kinds import apply_kind
from app.domain.catalog.models import Category, Product, StockMovement, Variant
from app.domain.stores.models import Store
from app.ids import new_token
from tests.builders import make_cart, make_order, make_product, make_variant
from tests.conftest import store_client
from tests.web.backoffice.conftest import Desk

SignIn = Callable[..., Desk]


def fields_of(page: str) -> dict[str, str]:
    """Everything the product's form would send as it stands."""
    form = re.search(r'<form class="product-form.*?</form>', page, re.S)
    assert form is not None
    sent: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        name = re.search(r' name="([^"]*)"', tag)
        kind = re.search(r' type="([^"]*)"', tag)
        if name and not (kind and kind[1] == "checkbox" and " checked" not in tag):
            value = re.search(r' value="([^"]*)"', tag)
            sent[name[1]] = html.unescape(value[1]) if value else ""
    for name_, text in re.findall(
        r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form[0], re.S
    ):
        sent[name_] = html.unescape(text)
    for name_, options in re.findall(
        r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form[0], re.S
    ):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        first = re.search(r'<option(?: value="([^"]*)")?>([^<]*)', options)
        found = chosen or first
        if found:
            sent[name_] = html.unescape(found[1] if found[1] is not None else found[2])
    sent.pop("do", None)
    return sent


def open_form(desk: Desk, product: Product | None = None) -> dict[str, str]:
    path = f"/dash/<store>/products/{product.id if product else 'new'}"
    return fields_of(desk.get(path).text)


def save(desk: Desk, product: Product | None, sent: dict[str, str]) -> Any:
    path = f"/dash/<store>/products/{product.id if product else 'new'}"
    return desk.client.post(desk.full(path), data=sent)


def ways(session: Session, product: Product) -> dict[str, Variant]:
    session.expire_all()
    return {v.option_text: v for v in product.variants if v.is_active}


@pytest.mark.row("N56", "N40")
def test_a_product_is_made_with_few_fields_and_sold(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    page = owner.get("/dash/<store>/products/new").text
    first = page[page.index("product-form") : page.index("More about this price")]
    asked = re.findall(r'<(?:input|select|textarea)[^>]*id="([^"]+)"', first)
    assert asked == ["name", "v0-price", "v0-cost", "v0-stock"]

    sent = fields_of(page) | {"name": "Steel flask", "v0-price": "1,450", "v0-stock": "6"}
    sent |= {"description": "Keeps tea hot.<script>alert(1)</script>", "v0-cost": "900"}
    done = save(owner, None, sent)
    save(owner, None, sent)

    assert done.status_code == 303
    product = session.scalars(select(Product)).one()
    variant = product.variants[0]
    assert (variant.price_cents, variant.cost_cents, variant.on_hand) == (1_450_00, 900_00, 6)
    assert product.description_html == "Keeps tea hot."
    moves = session.scalars(select(StockMovement)).all()
    assert [(m.quantity, m.reason, m.actor) for m in moves] == [(6, "received", owner.name)]
    assert "1,450" in store_client(app, store).get(f"/p/{product.slug}").text


@pytest.mark.row("N56")
def test_a_draft_is_not_there_for_shoppers_and_shown_to_staff(
    app: Flask, session: Session, store: Store, theirs: Store, owner: Desk
) -> None:
    product = make_product(
        session, name="Coming lamp", status="draft",
        variants=[NewVariant(sku="LAMP", price_cents=900_00, stock=3)],
    )  # fmt: skip
    session.commit()
    page = f"/dash/<store>/products/{product.id}"
    shopper = store_client(app, store)

    assert shopper.get("/p/coming-lamp").status_code == 404
    assert "Coming lamp" not in shopper.get("/").text + shopper.get("/search?q=lamp").text
    assert shopper.post("/cart/lines", data={"sku": "LAMP"}).status_code == 404
    link = owner.get(f"{page}/preview").headers["Location"]
    path = "/preview/" + link.rpartition("/preview/")[2]
    assert f"://{store.slug}.localhost" in link
    seen = shopper.get(path)
    assert (seen.status_code, "Coming lamp" in seen.text) == (200, True)
    assert seen.headers["Cache-Control"] == "private, no-store"
    assert "noindex" in seen.headers["X-Robots-Tag"]
    assert '<meta name="robots" content="noindex' in seen.text
    assert shopper.get(path[:-2] + "xx").status_code == 404
    assert store_client(app, theirs).get(path).status_code == 404


@pytest.mark.row("N59")
def test_the_matrix_keeps_what_exists_and_makes_the_rest(session: Session, owner: Desk) -> None:
    product = make_variant(session, name="Shirt", sku="SHIRT", price_cents=800_00, stock=7).product
    session.commit()
    sent = open_form(owner, product) | {"o0-name": "Size", "o0-values": "M, L"}

    shown = owner.client.post(
        owner.full(f"/dash/<store>/products/{product.id}"), data=sent | {"do": "ways"}
    )
    assert shown.status_code == 200
    assert list(ways(session, product)) == [""], "looking at the combinations saves nothing"
    sent = fields_of(shown.text)
    assert (sent["v0-sku"], sent["v1-price"], sent["v1-id"]) == ("SHIRT", "800", "")
    assert save(owner, product, sent | {"v1-price": "950", "v1-stock": "2"}).status_code == 303
    now = ways(session, product)
    assert {k: (v.price_cents, v.on_hand) for k, v in now.items()} == {
        "M": (800_00, 7), "L": (950_00, 2),
    }  # fmt: skip
    assert now["M"].sku == "SHIRT"

    # A value spelled anew and one more option: 2 x 2, the same rows go on.
    sent = open_form(owner, product) | {
        "o0-values": "Medium, L", "o1-name": "Colour", "o1-values": "Sand, Black",
    }  # fmt: skip
    assert save(owner, product, sent).status_code == 303
    grown = ways(session, product)
    assert set(grown) == {"Medium, Sand", "Medium, Black", "L, Sand", "L, Black"}
    assert (grown["Medium, Sand"].id, grown["L, Sand"].id) == (now["M"].id, now["L"].id)
    assert grown["Medium, Sand"].on_hand == 7
    assert len({v.sku for v in grown.values()}) == 4


@pytest.mark.row("N59")
def test_what_has_stock_cannot_be_taken_away_and_what_is_gone_comes_back(
    session: Session, owner: Desk
) -> None:
    product = make_product(
        session, name="Shirt", options=["Size"],
        variants=[NewVariant(sku=f"S-{z}", price_cents=800_00, options=[z], stock=n)
                  for z, n in (("S", 4), ("M", 0), ("L", 2))],
    )  # fmt: skip
    session.commit()
    sent = open_form(owner, product)

    refused = save(owner, product, sent | {"o0-values": "M, L"})
    assert refused.status_code == 422
    assert "4 of “S” are on the shelf" in html.unescape(refused.text)
    assert save(owner, product, sent | {"o0-values": "S, L"}).status_code == 303
    assert set(ways(session, product)) == {"S", "L"}
    assert session.scalar(select(func.count()).select_from(Variant)) == 3, "its past is kept"
    gone = session.scalars(select(Variant.id).where(Variant.sku == "S-M")).one()
    assert (
        save(owner, product, open_form(owner, product) | {"o0-values": "S, M, L"}).status_code
        == 303
    )
    assert ways(session, product)["M"].id == gone


@pytest.mark.row("N56")
def test_every_problem_stands_beside_its_field_and_nothing_typed_is_lost(
    session: Session, owner: Desk
) -> None:
    make_variant(session, name="Other", sku="TAKEN")
    product = make_variant(session, name="Lamp", sku="LAMP", price_cents=500_00).product
    session.commit()
    typed = {
        "name": "", "v0-price": "12.50", "v0-compare": "10", "v0-cost": "about 300", "v0-sku": "taken",
        "v0-weight": "heavy", "warranty_months": "999", "slug": "Not A Slug", "seo_title": "x" * 80,
        "description": "My long text & more",
    }  # fmt: skip

    answer = save(owner, product, open_form(owner, product) | typed)

    assert answer.status_code == 422
    for name in ("v0-cost", "v0-weight"):
        assert f'id="{name}-wrong"' in answer.text, name
    kept = fields_of(answer.text)
    assert {name: kept[name] for name in typed} == typed
    again = save(owner, product, kept | {"v0-cost": "300", "v0-weight": "200"})
    for name in (
        "name",
        "v0-price",
        "v0-compare",
        "v0-sku",
        "warranty_months",
        "slug",
        "seo_title",
    ):
        assert f'id="{name}-wrong"' in again.text, name
    session.expire_all()
    assert (product.name, product.variants[0].sku) == ("Lamp", "LAMP")


def test_an_old_address_leads_to_the_new_one(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    product = make_variant(session, name="Lamp").product
    session.commit()
    shopper = store_client(app, store)
    for slug in ("desk-lamp", "steel-lamp"):
        save(owner, product, open_form(owner, product) | {"slug": slug})

    for old in ("lamp", "desk-lamp"):
        moved = shopper.get(f"/p/{old}")
        assert (moved.status_code, moved.headers["Location"]) == (301, "/p/steel-lamp")
    save(owner, product, open_form(owner, product) | {"slug": "lamp"})
    assert shopper.get("/p/lamp").status_code == 200
    assert shopper.get("/p/steel-lamp").headers["Location"] == "/p/lamp"


def test_a_save_is_undone_whole_and_somebody_elses_is_not_overwritten(
    session: Session, owner: Desk
) -> None:
    product = make_variant(session, name="Lamp", price_cents=500_00).product
    session.commit()
    stale = open_form(owner, product)
    sent = stale | {
        "name": "Bright lamp",
        "v0-price": "650",
        "slug": "bright-lamp",
        "status": "draft",
    }
    said = owner.client.post(
        owner.full(f"/dash/<store>/products/{product.id}"), data=sent, follow_redirects=True
    ).text
    session.expire_all()
    assert (product.name, product.slug, product.status) == ("Bright lamp", "bright-lamp", "draft")

    late = save(owner, product, stale | {"name": "Dim lamp"})
    assert late.status_code == 422
    assert "Somebody else saved" in late.text
    owner.undo(said)
    session.expire_all()
    assert (product.name, product.slug, product.status) == ("Lamp", "lamp", "active")
    assert product.variants[0].price_cents == 500_00


@pytest.mark.row("N63")
def test_the_vat_class_of_the_form_is_the_one_on_the_order(
    session: Session, store: Store, owner: Desk
) -> None:
    session.get_one(Store, store.id).is_vat_registered = True
    names = ("standard", "zero", "exempt")
    goods = [make_variant(session, name=n, sku=n, price_cents=1_160_00).product for n in names]
    session.commit()

    for product, vat in zip(goods, names, strict=True):
        assert (
            save(owner, product, open_form(owner, product) | {"vat_class": vat}).status_code == 303
        )
    session.expire_all()
    order = make_order(session, make_cart(session, *(p.variants[0] for p in goods)))
    session.commit()

    rates = {line.name: (line.vat_rate, line.vat_cents) for line in order.lines}
    assert rates == {"standard": (16, 160_00), "zero": (0, 0), "exempt": (0, 0)}
    assert order.vat_cents == 160_00


@pytest.mark.row("N4")
def test_the_form_asks_what_the_category_asks_and_keeps_the_answers(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    apply_kind(session, "electronics", actor="test")
    phones = session.scalars(select(Category).where(Category.slug == "phones")).one()
    product = make_variant(session, name="Infinix", category=phones).product
    session.commit()

    sent = open_form(owner, product)
    assert {"a-storage", "a-ram", "a-condition"} <= set(sent)
    save(owner, product, sent | {"a-storage": "128 GB", "a-battery": "5000", "a-made_up": "x"})

    session.expire_all()
    assert product.attributes == {"storage": "128 GB", "battery": "5000"}
    piece = owner.get(
        "/dash/<store>/products/attributes", query_string={"category": str(phones.id)}
    )
    assert 'name="a-storage"' in piece.text
    shown = store_client(app, store).get("/p/infinix").text
    assert "128 GB" in shown
    assert "5000 mAh" in shown


def test_only_leads_open_the_form(session: Session, sign_in: SignIn) -> None:
    product = make_variant(session).product
    session.commit()
    packer = sign_in("packer")

    assert packer.get(f"/dash/<store>/products/{product.id}").status_code == 403
    assert packer.post("/dash/<store>/products/new", {"key": new_token()}).status_code == 403


def test_another_shops_product_is_not_there(
    session: Session, sign_in: SignIn, theirs: Store
) -> None:
    product = make_variant(session).product
    session.commit()
    stranger = sign_in("owner", where=theirs)

    assert stranger.get(f"/dash/<store>/products/{product.id}").status_code == 404
    assert (
        stranger.post(f"/dash/<store>/products/{product.id}/name", {"name": "x"}).status_code == 404
    )
