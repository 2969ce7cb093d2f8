"""Areas and fees on one screen: one row, a whole band, a copy, and what a shopper would read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.delivery.actions import serve_area
from app.domain.delivery.models import DeliveryArea
from app.domain.delivery.queries import find_store_area
from app.domain.stores.models import Store
from tests.web.backoffice.conftest import HTMX, Desk
from tests.web.storefront.conftest import shopper_of

AREAS = "/dash/<store>/areas/"


@pytest.fixture
def areas(session: Session) -> dict[str, DeliveryArea]:
    """Two inner estates and one in town."""
    for slug, fee in (("kilimani", 300_00), ("kileleshwa", 350_00), ("nairobi-cbd", 200_00)):
        serve_area(session, slug, actor="test", fee_cents=fee)
    session.commit()
    return {row.area: row for row in session.scalars(select(DeliveryArea))}


def fees(session: Session) -> dict[str, int]:
    session.expire_all()
    return {row.area: row.fee_cents for row in session.scalars(select(DeliveryArea))}


@pytest.mark.row("N99")
def test_a_row_saves_in_place_with_its_own_names_and_says_who_did_it(
    session: Session, owner: Desk, areas: dict[str, DeliveryArea], app: Flask, store: Store
) -> None:
    row = areas["kilimani"]
    page = owner.read(f"{AREAS}?edit={row.id}")
    path, fields = owner.form(page, "/terms")
    assert f'hx-post="{path}"' in page
    typed = {
        "fee": "280",
        "minimum": "1,000",
        "free_from": "",
        "minutes": "120",
        "aliases": "Yaya Center, Mabafu",
    }

    answer = owner.client.post(path, data=fields | typed, headers=HTMX)

    assert answer.status_code == 200
    assert f"Changed by {owner.name}" in answer.text
    session.expire_all()
    assert (row.fee_cents, row.minimum_order_cents, row.minutes) == (280_00, 1_000_00, 120)
    found = find_store_area(session, "mabafu")
    assert found is not None
    assert found.area.slug == "kilimani"
    assert "Kilimani" in shopper_of(app, store).get("/deliver-to?q=Mabafu").text

    owner.press(answer.text, "/undo")

    row = session.scalars(select(DeliveryArea).where(DeliveryArea.area == "kilimani")).one()
    assert (row.fee_cents, row.minimum_order_cents, row.aliases) == (300_00, 0, [])


def test_a_wrong_row_keeps_what_was_typed(
    session: Session, owner: Desk, areas: dict[str, DeliveryArea]
) -> None:
    path, fields = owner.form(owner.read(f"{AREAS}?edit={areas['nairobi-cbd'].id}"), "/terms")

    answer = owner.client.post(
        path, data=fields | {"fee": "250", "minimum": "lots", "minutes": "7", "aliases": "Tao"}
    )

    assert answer.status_code == 422
    assert 'value="lots"' in answer.text
    assert 'value="Tao"' in answer.text
    assert 'aria-describedby="row-minimum-wrong"' in answer.text
    assert fees(session)["nairobi-cbd"] == 200_00


def test_a_bands_fees_are_looked_at_raised_and_put_back(
    session: Session, owner: Desk, areas: dict[str, DeliveryArea]
) -> None:
    band = "B"
    before = fees(session)
    page = owner.read(f"{AREAS}bulk?band={band}&do=more&amount=50")
    assert fees(session) == before
    path, fields = owner.form(page, "/bulk")

    said = owner.client.post(path, data=fields, follow_redirects=True).text

    after = fees(session)
    raised = {slug for slug in after if after[slug] == before[slug] + 50_00}
    assert raised == {"kilimani", "kileleshwa"}
    assert after["nairobi-cbd"] == before["nairobi-cbd"]
    owner.undo(said)
    assert fees(session) == before


def test_a_look_that_is_out_of_date_changes_nothing(
    session: Session, owner: Desk, areas: dict[str, DeliveryArea]
) -> None:
    path, fields = owner.form(owner.read(f"{AREAS}bulk?band=&do=set&amount=500"), "/bulk")
    areas["nairobi-cbd"].fee_cents = 100_00
    session.commit()

    answer = owner.client.post(path, data=fields)

    assert answer.status_code == 422
    assert "Look again before you do it." in answer.text
    assert fees(session) == {"kilimani": 300_00, "kileleshwa": 350_00, "nairobi-cbd": 100_00}


@pytest.mark.parametrize("query", ["do=set&amount=12.50", "do=more&amount=", "do=fly&amount=5"])
def test_an_odd_change_to_many_is_refused_with_words(
    owner: Desk, areas: dict[str, DeliveryArea], query: str
) -> None:
    answer = owner.get(f"{AREAS}bulk?{query}")

    assert answer.status_code == 422
    assert 'class="problem"' in answer.text


def test_a_band_is_switched_off_and_a_closed_area_is_served_again_by_adding_it(
    session: Session, owner: Desk, areas: dict[str, DeliveryArea]
) -> None:
    path, fields = owner.form(owner.read(f"{AREAS}bulk?band=B&do=off"), "/bulk")
    owner.client.post(path, data=fields)
    session.expire_all()
    assert not areas["kilimani"].is_active

    owner.press(owner.read(AREAS), "/areas/add", {"area": "Kilimani", "fee": "", "like": "CBD"})

    session.expire_all()
    assert areas["kilimani"].is_active
    assert areas["kilimani"].fee_cents == areas["nairobi-cbd"].fee_cents
    assert find_store_area(session, "kilimani") is not None


def test_an_area_copies_the_terms_of_another(
    session: Session, owner: Desk, areas: dict[str, DeliveryArea]
) -> None:
    areas["nairobi-cbd"].minutes, areas["nairobi-cbd"].minimum_order_cents = 45, 500_00
    session.commit()
    path, fields = owner.form(owner.read(f"{AREAS}?edit={areas['kilimani'].id}"), "/terms")

    owner.client.post(path, data=fields | {"do": "copy", "like": "cbd"})

    session.expire_all()
    row = areas["kilimani"]
    assert (row.fee_cents, row.minutes, row.minimum_order_cents) == (200_00, 45, 500_00)


def test_the_owner_reads_what_a_shopper_would(owner: Desk, areas: dict[str, DeliveryArea]) -> None:
    seen = owner.read(f"{AREAS}try?place=Kile")
    whole = owner.read(f"{AREAS}?place=Kile")
    unserved = owner.read(f"{AREAS}try?place=Rongai")

    assert "<b>Kileleshwa</b>" in seen
    assert re.search(r"KES\xa0350, \w+ by", seen)
    assert "<html" not in seen
    assert "<b>Kileleshwa</b>" in whole
    assert "We do not reach Rongai yet." in unserved


@pytest.mark.parametrize("path", ["bulk?band=B&do=off", "try?place=cbd"])
def test_who_may_not_change_may_still_look_where_nothing_changes(
    sign_in: Callable[..., Desk], areas: dict[str, DeliveryArea], path: str
) -> None:
    packer = sign_in("packer")

    answer = packer.get(AREAS + path)

    assert answer.status_code == (403 if path.startswith("bulk") else 200)
