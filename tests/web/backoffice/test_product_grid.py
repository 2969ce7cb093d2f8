"""The grid of goods: filters, cells edited in place, many changed at once and undone at once."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.audit.models import AuditEntry
from app.domain.catalog.actions import NewVariant, add_category
from app.domain.catalog.bulk import BulkChange, round_price
from app.domain.catalog.bulk import preview as preview_of
from app.domain.catalog.models import Product, Variant
from app.domain.errors import FieldProblem
from tests.builders import make_product, make_variant
from tests.web.backoffice.conftest import HTMX, Desk

SignIn = Callable[..., Desk]
LIST = "/dash/<store>/products/"


@pytest.fixture
def goods(session: Session) -> dict[str, Product]:
    """Four products: one cheap, one sold out, one without a cost, one draft."""
    tea = add_category(session, "Tea")
    made = {
        name: make_product(
            session, name=name, category=tea if name != "Kettle" else None, status=status,
            variants=[NewVariant(sku=name.upper(), price_cents=price, cost_cents=cost, stock=stock)],
        )
        for name, price, cost, stock, status in (
            ("Cup", 300_00, 100_00, 40, "active"), ("Pot", 1_250_00, 700_00, 0, "active"),
            ("Kettle", 2_480_00, None, 9, "active"), ("Tray", 640_00, 300_00, 8, "draft"),
        )
    }  # fmt: skip
    session.commit()
    return made


def shown(desk: Desk, query: str = "") -> list[str]:
    page = desk.read(f"{LIST}?{query}")
    return re.findall(r'<input name="name" value="([^"]*)"', page)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Cup", "Kettle", "Pot", "Tray"]),
        ("q=KETT", ["Kettle"]),
        ("category=tea", ["Cup", "Pot", "Tray"]),
        ("status=draft", ["Tray"]),
        ("show=low", ["Pot"]),
        ("show=no_cost", ["Kettle"]),
        ("show=no_photo&category=tea", ["Cup", "Pot", "Tray"]),
        ("sort=-price", ["Kettle", "Pot", "Tray", "Cup"]),
        ("sort=stock", ["Pot", "Tray", "Kettle", "Cup"]),
        ("sort=drop&page=0&show=x&status=gone", ["Cup", "Kettle", "Pot", "Tray"]),
    ],
)
def test_the_grid_filters_and_sorts(
    goods: dict[str, Product], owner: Desk, query: str, names: list[str]
) -> None:
    assert shown(owner, query) == names


def test_pages_hold_all_products_once(session: Session, owner: Desk) -> None:
    for n in range(45):
        make_variant(session, name=f"Cup {n:02}")
    session.commit()

    assert shown(owner) + shown(owner, "page=2") == [f"Cup {n:02}" for n in range(45)]


@pytest.mark.row("N56")
@pytest.mark.parametrize(
    ("action", "typed", "column", "before", "after"),
    [
        ("compare", "400", "compare_at_cents", None, 400_00),
        ("cost", "120.50", "cost_cents", 100_00, 120_50),
        ("cost", "", "cost_cents", 100_00, None),
        ("low", "12", "low_mark", 3, 12),
    ],
)
def test_a_figure_is_edited_in_place_and_undone(
    session: Session, goods: dict[str, Product], owner: Desk,
    action: str, typed: str, column: str, before: int | None, after: int | None,
) -> None:  # fmt: skip
    variant = goods["Cup"].variants[0]
    path, fields = owner.form(owner.read(f"{LIST}?q=Cup"), f"/{action}")

    said = owner.client.post(path, data=fields | {action: typed}, follow_redirects=True).text

    session.expire_all()
    assert getattr(variant, column) == after
    owner.undo(said)
    session.expire_all()
    assert getattr(variant, column) == before


@pytest.mark.row("N56")
def test_name_status_and_category_are_edited_in_place(
    session: Session, goods: dict[str, Product], owner: Desk
) -> None:
    cup, tea = goods["Cup"], str(goods["Cup"].category_id)
    page = owner.read(f"{LIST}?q=Cup")
    for action, field, value in (
        ("name", "name", "Tea cup"), ("status", "new_status", "draft"), ("category", "new_category", ""),
    ):  # fmt: skip
        owner.press(page, f"{cup.id}/{action}", {field: value})

    session.expire_all()
    assert (cup.name, cup.status, cup.category_id) == ("Tea cup", "draft", None)
    late = owner.press(page, f"{cup.id}/category", {"new_category": tea})
    assert late.status_code == 303
    session.expire_all()
    assert cup.category_id is None, "the page was old"


def test_a_refused_figure_keeps_what_was_typed_and_says_why(
    session: Session, goods: dict[str, Product], owner: Desk
) -> None:
    path, fields = owner.form(owner.read(f"{LIST}?q=Cup"), "/compare")

    answer = owner.client.post(path, data=fields | {"compare": "250"}, headers=HTMX)

    assert answer.status_code == 422
    assert 'value="250"' in answer.text
    assert "above the price" in answer.text
    session.expire_all()
    assert goods["Cup"].variants[0].compare_at_cents is None


def pick(desk: Desk, page: str, **wanted: str) -> str:
    """The preview of a change of everything that the page's filters match."""
    path, fields = desk.form(page, "/products/bulk/")
    answer = desk.client.post(path, data=fields | {"all": "yes"})
    path, fields = desk.form(answer.text, "/bulk/preview")
    return html.unescape(desk.client.post(path, data=fields | wanted).text)


@pytest.mark.row("N57")
def test_many_prices_move_after_a_preview_and_are_undone_at_once(
    session: Session, goods: dict[str, Product], owner: Desk
) -> None:
    page = pick(
        owner, owner.read(f"{LIST}?category=tea"),
        field="price", amount="10", unit="percent", direction="up", rounding="50",
    )  # fmt: skip

    assert [line for line in ("KES\xa01,250", "KES\xa01,400", "KES\xa0350") if line in page] == [
        "KES\xa01,250", "KES\xa01,400", "KES\xa0350",
    ]  # fmt: skip
    session.expire_all()
    prices = {p.name: p.variants[0].price_cents for p in goods.values()}
    assert prices["Pot"] == 1_250_00, "a preview changes nothing"

    path, fields = owner.form(page, "/bulk/apply")
    said = owner.client.post(path, data=fields, follow_redirects=True).text
    session.expire_all()
    assert {p.name: p.variants[0].price_cents for p in goods.values()} == {
        "Cup": 350_00, "Pot": 1_400_00, "Tray": 700_00, "Kettle": 2_480_00,
    }  # fmt: skip
    assert "3 changed." in said
    trail = session.scalars(select(AuditEntry).where(AuditEntry.action == "goods.changed")).one()
    assert trail.actor == owner.name

    owner.undo(said)
    session.expire_all()
    assert {p.name: p.variants[0].price_cents for p in goods.values()} == prices


@pytest.mark.row("N57")
@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ({"field": "status", "new_status": "archived"}, lambda p: p.status),
        ({"field": "vat_class", "new_vat_class": "zero"}, lambda p: p.vat_class),
        ({"field": "category", "new_category": ""}, lambda p: p.category_id and "tea"),
        ({"field": "low_mark", "new_low_mark": "7"}, lambda p: p.variants[0].low_mark),
    ],
    ids=["status", "VAT class", "category", "low mark"],
)
def test_other_things_of_many_change_and_come_back(
    session: Session, goods: dict[str, Product], owner: Desk,
    wanted: dict[str, str], read: Callable[[Product], object],
) -> None:  # fmt: skip
    before = {name: read(p) for name, p in goods.items()}
    page = pick(owner, owner.read(f"{LIST}?category=tea"), **wanted)
    path, fields = owner.form(page, "/bulk/apply")

    said = owner.client.post(path, data=fields, follow_redirects=True).text
    session.expire_all()
    after = {name: read(p) for name, p in goods.items()}
    assert after["Cup"] == after["Tray"] != before["Cup"]
    assert after["Kettle"] == before["Kettle"]
    owner.undo(said)
    session.expire_all()
    assert {name: read(p) for name, p in goods.items()} == before


@pytest.mark.row("N57")
def test_nothing_changes_when_something_moved_since_the_preview_or_since_the_change(
    session: Session, goods: dict[str, Product], owner: Desk
) -> None:
    page = pick(
        owner, owner.read(LIST), field="price", amount="100", unit="kes", direction="down", rounding="1",
    )  # fmt: skip
    path, fields = owner.form(page, "/bulk/apply")
    goods["Cup"].variants[0].price_cents = 330_00
    session.commit()

    late = owner.client.post(path, data=fields)
    assert late.status_code == 422
    assert "changed since this list was made" in late.text
    session.expire_all()
    assert goods["Pot"].variants[0].price_cents == 1_250_00

    path, fields = owner.form(html.unescape(late.text), "/bulk/apply")
    said = owner.client.post(path, data=fields, follow_redirects=True).text
    session.expire_all()
    assert goods["Pot"].variants[0].price_cents == 1_150_00
    goods["Pot"].variants[0].price_cents = 1_000_00
    session.commit()
    owner.undo(said)
    session.expire_all()
    assert (goods["Pot"].variants[0].price_cents, goods["Cup"].variants[0].price_cents) == (
        1_000_00, 230_00,
    )  # fmt: skip


def test_a_price_cannot_fall_to_nothing(session: Session, goods: dict[str, Product]) -> None:
    change = BulkChange(field="price", cents=-300_00)
    seen = preview_of(session, [p.id for p in goods.values()], change)

    assert [refusal.name for refusal in seen.refused] == ["Cup"]
    assert [line.name for line in seen.lines] == ["Kettle", "Pot", "Tray"]
    with pytest.raises(FieldProblem):
        preview_of(session, [], BulkChange(field="price", percent=-100))


@pytest.mark.parametrize(
    ("cents", "rounding", "rounded"),
    [
        (1_234_50, 1, 1_235_00), (1_234_00, 10, 1_230_00), (1_235_00, 10, 1_240_00),
        (1_224_99, 50, 1_200_00), (1_225_00, 50, 1_250_00), (1_249_00, 99, 1_299_00),
        (1_248_00, 99, 1_199_00), (20_00, 99, 99_00),
    ],
)  # fmt: skip
def test_prices_are_rounded_to_the_nearest(cents: int, rounding: int, rounded: int) -> None:
    assert round_price(cents, rounding) == rounded


def test_ticked_products_alone_are_changed(
    session: Session, goods: dict[str, Product], owner: Desk
) -> None:
    path, fields = owner.form(owner.read(LIST), "/products/bulk/")
    answer = owner.client.post(path, data=fields | {"id": [str(goods["Cup"].id)]})
    assert "Change 1 product" in answer.text
    nobody = owner.client.post(path, data=fields, follow_redirects=True)
    assert "Pick at least one product first." in nobody.text


def test_who_may_not_change_sees_no_forms(
    session: Session, goods: dict[str, Product], sign_in: SignIn
) -> None:
    page = sign_in("packer").read(LIST)

    assert "Kettle" in page
    assert 'method="post"' not in page[page.index("grid--goods") :]
    shown = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", page)  # ids may hold any digits
    assert "700" not in shown, "what things cost the shop is not for everybody"


def test_sorting_out_of_sight_ways_are_not_listed(session: Session, owner: Desk) -> None:
    product = make_product(
        session, name="Shirt", options=["Size"],
        variants=[NewVariant(sku=z, price_cents=1_00, options=[z]) for z in ("AAA", "BBB")],
    )  # fmt: skip
    session.scalars(select(Variant).where(Variant.sku == "BBB")).one().is_active = False
    session.commit()

    page = owner.read(f"{LIST}?q={product.name}")
    assert "AAA" in page
    assert "BBB" not in page
