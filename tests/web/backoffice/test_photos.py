"""A product's photo page: with plain forms, and in a browser with its script."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import time_machine
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.actions import NewVariant
from app.domain.catalog.models import Product, ProductImage
from app.domain.media.actions import add_photo, make_photo
from app.domain.media.queries import photos_of
from app.domain.stores.models import Store
from tests.builders import make_product
from tests.photo_files import plain_photo as photo
from tests.web.backoffice.conftest import Desk

SignIn = Callable[..., Desk]
PHOTOS = "/dash/<store>/products/{}/photos/"


@pytest.fixture
def product(session: Session) -> Product:
    made = make_product(
        session,
        name="Enamel mug",
        options=["Colour"],
        variants=[
            NewVariant(sku="MUG-W", price_cents=450_00, options=["White"], stock=5),
            NewVariant(sku="MUG-B", price_cents=450_00, options=["Blue"], stock=5),
        ],
    )
    session.commit()
    return made


@pytest.fixture
def path(product: Product) -> str:
    return PHOTOS.format(product.id)


@pytest.fixture
def three(session: Session, product: Product) -> list[ProductImage]:
    """Three photos with their files made."""
    rows = [
        add_photo(session, product.id, photo(colour), filename=f"{colour}.jpg", actor="Wanjiru")
        for colour in ("navy", "olive", "maroon")
    ]
    session.commit()
    for row in rows:
        make_photo(session, row.id)
    return rows


def rows_of(session: Session, product: Product) -> list[ProductImage]:
    session.expire_all()
    return photos_of(session, product.id)


def test_several_files_in_one_plain_form_each_with_its_own_answer(
    session: Session, owner: Desk, product: Product, path: str
) -> None:
    page = owner.read(path)
    action, fields = owner.form(page, "/photos/")
    files = [
        (io.BytesIO(photo("navy")), "IMG_1.jpg"),
        (io.BytesIO(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), "IMG_2.HEIC"),
        (io.BytesIO(photo("olive")), "IMG_3.jpg"),
    ]
    answer = owner.client.post(action, data={**fields, "option_value": "Blue", "photos": files})
    assert answer.status_code == 303

    rows = rows_of(session, product)
    assert [(row.filename, row.status) for row in rows] == [
        ("IMG_1.jpg", "waiting"),
        ("IMG_2.HEIC", "refused"),
        ("IMG_3.jpg", "waiting"),
    ]
    assert {row.option_value for row in rows} == {"Blue"}
    page = owner.read(path)
    assert page.count("Waiting") == 2
    assert "IMG_2.HEIC" in page
    assert "Most Compatible" in page
    assert 'hx-trigger="every 2s"' in page

    for row in rows:
        make_photo(session, row.id)
    page = owner.read(path)
    assert "every 2s" not in page
    assert page.count("-320.webp") == 2
    owner.press(page, "/remove")  # the refused one is put away
    assert "IMG_2.HEIC" not in owner.read(path)


def test_the_list_is_asked_for_alone_and_unchanged_is_304(
    owner: Desk, path: str, three: list[ProductImage]
) -> None:
    with time_machine.travel(utcnow(), tick=False) as clock:
        first = owner.get(path + "list")
        clock.shift(2)  # the next question, two seconds later
        again = owner.get(path + "list", headers={"If-None-Match": first.headers["ETag"]})

    assert first.text.lstrip().startswith("<div")
    assert again.status_code == 304


def test_the_order_is_changed_by_buttons_and_put_back(
    session: Session, owner: Desk, product: Product, path: str, three: list[ProductImage]
) -> None:
    before = [row.id for row in rows_of(session, product)]
    owner.post(f"{path}{before[2]}/move", {"to": "left"})
    assert [row.id for row in rows_of(session, product)] == [before[0], before[2], before[1]]

    page = owner.read(path)
    assert "New order saved." in page
    owner.undo(page)
    assert [row.id for row in rows_of(session, product)] == before

    owner.post(path + "order", {"photo": [str(before[1]), str(before[0])]})
    assert [row.id for row in rows_of(session, product)] == [before[1], before[0], before[2]]


def test_a_photo_gets_its_words_its_choice_and_its_point(
    session: Session, owner: Desk, path: str, three: list[ProductImage]
) -> None:
    one = f"{path}{three[0].id}"
    facts = {"alt": "A blue mug", "option_value": "Blue", "focal_x": "20", "focal_y": "90"}
    assert owner.post(one, facts).status_code == 303
    session.expire_all()
    row = three[0]
    assert (row.alt, row.option_value, row.focal_x, row.focal_y) == ("A blue mug", "Blue", 20, 90)

    # A tap on the photo without a script: 800 by 600 is shown 280 by 210.
    owner.post(one, {"at.x": "140", "at.y": "21"})
    session.expire_all()
    assert (row.focal_x, row.focal_y, row.alt) == (50, 10, "A blue mug")

    owner.post(one, facts | {"option_value": "Green"})
    assert "This product has no such choice." in owner.read(one)


def test_a_removed_photo_comes_back_by_undo(
    session: Session, owner: Desk, product: Product, path: str, three: list[ProductImage]
) -> None:
    page = owner.read(f"{path}{three[1].id}")
    owner.press(page, "/remove")
    assert len(rows_of(session, product)) == 2
    page = owner.read(path)
    assert "Photo removed." in page

    owner.undo(page)

    assert [row.id for row in rows_of(session, product)] == [row.id for row in three]


def test_a_role_that_may_only_look_gets_no_buttons(
    sign_in: SignIn, path: str, three: list[ProductImage]
) -> None:
    packer = sign_in("packer")

    assert 'name="photos"' not in packer.read(path)
    assert packer.post(path).status_code == 403
    assert packer.post(f"{path}{three[0].id}/remove").status_code == 403


def test_another_stores_photos_are_not_there(
    sign_in: SignIn, theirs: Store, path: str, three: list[ProductImage]
) -> None:
    neighbour = sign_in("owner", where=theirs)

    for address in (path, path + "list", f"{path}{three[0].id}"):
        assert neighbour.get(address).status_code == 404
    assert neighbour.post(f"{path}{three[0].id}/remove").status_code == 404
    assert neighbour.post(f"{path}{three[0].id}/move", {"to": "left"}).status_code == 404


# -- in a browser ---------------------------------------------------------------------------


@pytest.fixture
def phone(chromium: Browser, owner: Desk, port: int) -> Iterator[Page]:
    """The owner's phone, signed in."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    cookie = owner.client.get_cookie("__Host-staff", domain="localhost")
    assert cookie is not None
    context.add_cookies(
        [
            {
                "name": "__Host-staff",
                "value": cookie.value,
                "domain": "localhost",
                "path": "/",
                "secure": True,
                "httpOnly": True,
            }
        ]
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def order_seen(page: Page) -> list[str]:
    tiles = page.locator("[data-photos] > [data-photo]")
    return [str(tile.get_attribute("data-photo")) for tile in tiles.all()]


@pytest.mark.browser
def test_photos_are_sent_one_by_one_made_and_dragged_into_order(
    session: Session, phone: Page, port: int, owner: Desk, product: Product, tmp_path: Path
) -> None:
    problems: list[str] = []
    phone.on("pageerror", lambda error: problems.append(str(error)))
    for name, data in {
        "one.jpg": photo("navy"),
        "page.jpg": b"<html>Not found</html>",
        "large.jpg": photo() + bytes(8 * 1024 * 1024),
        "two.jpg": photo("olive"),
    }.items():
        (tmp_path / name).write_bytes(data)
    phone.goto(f"http://localhost:{port}" + owner.full(PHOTOS.format(product.id)))
    phone.get_by_label("Gallery").set_input_files(sorted(map(str, tmp_path.iterdir())))

    # The large one never leaves the phone; the page that calls itself a photo is refused.
    expect(phone.locator("#sending")).to_contain_text("Larger than 8 MB")
    expect(phone.locator("#photos")).to_contain_text("This file is not a JPEG")
    expect(phone.locator("[data-photo]")).to_have_count(2)
    rows = session.scalars(select(ProductImage).where(ProductImage.status == "waiting")).all()
    for row in rows:
        make_photo(session, row.id)
    faces = phone.locator("[data-photo] img")
    expect(faces).to_have_count(2)  # the list asked again by itself

    first, second = order_seen(phone)
    start, end = faces.nth(1).bounding_box(), faces.nth(0).bounding_box()
    assert start is not None
    assert end is not None
    phone.mouse.move(start["x"] + 40, start["y"] + 40)
    phone.mouse.down()
    phone.mouse.move(end["x"] + 50, end["y"] + 50, steps=6)
    phone.mouse.up()
    expect(phone.locator("#toasts")).to_contain_text("New order saved.")
    assert order_seen(phone) == [second, first]
    assert [str(row.id) for row in rows_of(session, product) if row.status == "ready"] == [
        second,
        first,
    ]
    assert problems == []


@pytest.mark.browser
def test_a_tap_on_the_photo_sets_its_point(
    session: Session, phone: Page, port: int, owner: Desk, path: str, three: list[ProductImage]
) -> None:
    phone.goto(f"http://localhost:{port}{owner.full(path)}{three[0].id}")
    target = phone.get_by_role("button", name="Tap what matters most")
    target.tap(position={"x": 70, "y": 168})
    expect(phone.locator("#toasts")).to_contain_text("Saved.")

    session.expire_all()
    assert abs(three[0].focal_x - 25) <= 1
    assert abs(three[0].focal_y - 80) <= 1
    assert re.search(r"x1 y3", phone.content())
