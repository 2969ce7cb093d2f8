"""A page that got another address: the old one leads there in one step, in every case."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from app.domain.catalog.models import OldCategorySlug, Product
from app.domain.catalog.renaming import rename_category
from app.domain.catalog.saving import move_slug
from app.domain.changes.actions import take_back
from app.domain.errors import FieldProblem
from app.domain.stores.models import Store
from tests.insight_rows import add_area, add_category, add_product
from tests.web.storefront.conftest import Shopper, shopper_of


@pytest.fixture
def watches(session: Session, store: Store) -> object:
    category = add_category(session, "watches")
    for name in ("Steel watch", "Field watch", "Slim watch"):
        add_product(session, name, category=category)
    add_area(session, "kilimani")
    session.commit()
    return category.id


def rename(session: Session, category_id: object, slug: str) -> object:
    change = rename_category(session, category_id, name=slug.title(), slug=slug, actor="test")  # type: ignore[arg-type]
    session.commit()
    return change


@pytest.mark.row("N75")
def test_a_category_renamed_twice_is_one_step_away(
    client: Shopper, session: Session, watches: object
) -> None:
    rename(session, watches, "wrist-watches")
    rename(session, watches, "timepieces")

    for old in ("/c/watches", "/c/wrist-watches"):
        answer = client.get(f"{old}?lang=sw")
        assert (answer.status_code, answer.headers["Location"]) == (301, "/c/timepieces?lang=sw")
    assert client.get("/c/timepieces").status_code == 200
    moved = client.get("/areas/kilimani/watches")
    assert (moved.status_code, moved.headers["Location"]) == (301, "/areas/kilimani/timepieces")
    assert "/c/timepieces" in client.get("/sitemap.xml").text


@pytest.mark.row("N75")
def test_going_back_to_the_first_name_makes_no_circle(
    client: Shopper, session: Session, watches: object
) -> None:
    rename(session, watches, "timepieces")
    rename(session, watches, "watches")

    assert client.get("/c/watches").status_code == 200
    assert client.get("/c/timepieces").headers["Location"] == "/c/watches"
    assert [row.slug for row in session.query(OldCategorySlug)] == ["timepieces"]


@pytest.mark.row("N75")
def test_an_address_that_is_used_again_belongs_to_the_new_one(
    client: Shopper, session: Session, watches: object
) -> None:
    rename(session, watches, "timepieces")
    other = add_category(session, "clocks")
    add_product(session, "Wall clock", category=other)
    clocks = other.id
    session.commit()

    rename(session, clocks, "watches")

    page = client.get("/c/watches")
    assert page.status_code == 200
    assert "Wall clock" in page.text
    with pytest.raises(FieldProblem):
        rename(session, watches, "watches")  # live: nobody else's
    session.rollback()
    rename(session, clocks, "clocks")
    # Whoever had the address last is where it leads now.
    assert client.get("/c/watches").headers["Location"] == "/c/clocks"


@pytest.mark.row("N75")
def test_a_new_name_can_be_taken_back(client: Shopper, session: Session, watches: object) -> None:
    change = rename(session, watches, "timepieces")
    take_back(session, change.id, actor="test")  # type: ignore[attr-defined]
    session.commit()

    assert client.get("/c/watches").status_code == 200
    assert client.get("/c/timepieces").headers["Location"] == "/c/watches"


@pytest.mark.row("N75")
def test_a_product_renamed_twice_and_a_slug_used_again(
    client: Shopper, session: Session, watches: object
) -> None:
    steel = session.query(Product).filter_by(slug="steel-watch").one()
    move_slug(session, steel, "steel-watch-40")
    move_slug(session, steel, "steel-watch-40-mm")
    session.commit()
    for old in ("steel-watch", "steel-watch-40"):
        answer = client.get(f"/p/{old}")
        assert (answer.status_code, answer.headers["Location"]) == (301, "/p/steel-watch-40-mm")

    field = session.query(Product).filter_by(slug="field-watch").one()
    move_slug(session, field, "steel-watch")
    session.commit()

    assert "Field watch" in client.get("/p/steel-watch").text
    assert client.get("/p/field-watch").headers["Location"] == "/p/steel-watch"


@pytest.mark.row("N75")
def test_another_stores_old_addresses_lead_nowhere(
    app: object, session: Session, watches: object, theirs: Store
) -> None:
    rename(session, watches, "timepieces")

    assert shopper_of(app, theirs).get("/c/watches").status_code == 404  # type: ignore[arg-type]
