"""The shop's own pages: ready in two languages, put together from safe parts, shown or not."""

from __future__ import annotations

import html
import io
import re

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.pages.blocks import clean_block, text_html
from app.domain.pages.ready import PAGES, POLICIES, READY
from app.domain.stores.models import Store
from tests.web.backoffice.conftest import HTMX, Desk
from tests.web.storefront.conftest import Shopper, shopper_of

LIST = "/dash/<store>/settings/pages/"
FACTS = {"place": "Imenti House, B7", "phone": "+254712345678", "return_days": 9}
NASTY = (
    "<script>alert(1)</script>Hello <b onclick=go()>there</b>"
    '<img src=x onerror=alert(1)> <a href="javascript:alert(1)">bad</a>'
    ' <a href="https://ok.example">good</a><style>p{}</style><iframe src=//evil></iframe>'
)


@pytest.fixture
def shopper(app: Flask, session: Session, store: Store) -> Shopper:
    """A shopper of a shop that said where it is."""
    session.execute(
        text(
            "UPDATE app.stores SET place = :place, phone = :phone, return_days = :return_days,"
            " whatsapp = :phone WHERE id = :id"
        ),
        FACTS | {"id": store.id},
    )
    session.commit()
    return shopper_of(app, store)


def in_language(shopper: Shopper, path: str, locale: str) -> str:
    answer = shopper.get(path, headers={"Accept-Language": locale})
    assert answer.status_code == 200, (path, answer.status_code)
    return html.unescape(answer.text)


def main_of(page: str) -> str:
    return page[page.index("<main") : page.index("</main>")]


@pytest.mark.row("N100")
@pytest.mark.parametrize("slug", READY)
def test_every_ready_page_is_there_in_both_languages_with_the_shops_facts(
    session: Session, store: Store, owner: Desk, shopper: Shopper, slug: str
) -> None:
    assert shopper.get(f"/pages/{slug}").status_code == 404

    owner.post(LIST, {f"show-{slug}": "yes", "seen": ""})

    english = in_language(shopper, f"/pages/{slug}", "en")
    swahili = in_language(shopper, f"/pages/{slug}", "sw")
    assert main_of(english) != main_of(swahili)
    assert f'href="/pages/{slug}"' in english
    for page in (english, swahili):
        words = re.sub(r"<[^>]+>", " ", main_of(page))
        assert len(words.split()) > 20
        assert "0712 345 678" in words or slug == "about"
        assert "%(" not in words
        assert "{" not in words
    if slug == "returns":
        assert "within 9 days" in english
        assert "ndani ya siku 9" in swahili
        session.execute(
            text("UPDATE app.stores SET return_days = 3 WHERE id = :i"), {"i": store.id}
        )
        session.commit()
        assert "within 3 days" in in_language(shopper, "/pages/returns", "en")


def test_what_is_not_published_is_404_and_leaves_the_foot(owner: Desk, shopper: Shopper) -> None:
    owner.post(LIST, {f"show-{slug}": "yes" for slug in READY} | {"seen": ""})
    assert shopper.get("/").text.count('href="/pages/') == len(READY)

    seen = owner.read(LIST).partition('name="seen" value="')[2].partition('"')[0]
    owner.post(LIST, {"show-about": "yes", "seen": seen})

    assert shopper.get("/pages/about").status_code == 200
    assert {shopper.get(f"/pages/{slug}").status_code for slug in POLICIES} == {404}
    assert shopper.get("/").text.count('href="/pages/') == 1


@pytest.mark.row("N100")
def test_a_page_of_parts_is_written_previewed_published_and_taken_back(
    owner: Desk, shopper: Shopper
) -> None:
    made = owner.post(f"{LIST}new", {"title": "Size guide", "slug": ""})
    path = made.headers["Location"]
    assert path.endswith("/size-guide/edit")
    page = owner.client.get(path).text
    _action, fields = owner.form(page, "/edit")
    parts = {
        "title": "Size guide",
        "b0-type": "heading",
        "b0-text": "How to measure",
        "b1-type": "text",
        "b1-text": NASTY,
        "b2-type": "list",
        "b2-text": "Small\nMedium",
        "b3-type": "faq",
        "b3-question": "Do they shrink?",
        "b3-answer": "No.",
        "b4-type": "call",
        "b4-label": "Ring us",
        "b5-type": "chat",
        "b5-label": "Ask",
        "b5-words": "What size am I?",
    }

    saved = owner.client.post(path, data=fields | parts, headers=HTMX)

    assert saved.status_code == 200
    assert "Shoppers do not see this page yet." in saved.text
    assert shopper.get("/pages/size-guide").status_code == 404
    preview = owner.client.get(path.replace("/edit", "/preview")).text
    assert "How to measure" in main_of(preview)
    _action, fields = owner.form(saved.text, "/edit")
    shown = owner.client.post(path, data=fields | parts | {"is_published": "yes"}, headers=HTMX)
    body = main_of(in_language(shopper, "/pages/size-guide", "en"))
    for bad in ("<script", "onclick", "onerror", "javascript:", "<style", "<iframe", "<img src=x"):
        assert bad not in body, bad
    for good in (
        "<b>there</b>",
        'href="https://ok.example"',
        "<li>Medium</li>",
        "<summary>Do they shrink?</summary>",
        'href="tel:+254712345678"',
        "What%20size%20am%20I",
    ):
        assert good in body, good
    owner.press(shown.text, "/undo")
    assert shopper.get("/pages/size-guide").status_code == 404


def test_parts_move_by_buttons_and_nothing_is_kept_before_save(
    session: Session, store: Store, owner: Desk
) -> None:
    path, fields = owner.form(owner.read(f"{LIST}about/edit"), "/edit")
    parts = {
        "title": "Us",
        "b0-type": "text",
        "b0-text": "one",
        "b1-type": "text",
        "b1-text": "two",
    }

    def texts(do: str) -> list[str]:
        answer = owner.client.post(path, data=fields | parts | {"do": do}, headers=HTMX)
        assert answer.status_code == 200
        assert "data-dirty" in answer.text
        return re.findall(r"<textarea[^>]*>([^<]*)</textarea>", answer.text)

    assert texts("down:0") == ["two", "one"]
    assert texts("up:1") == ["two", "one"]
    assert texts("up:0") == ["one", "two"]
    assert texts("out:0") == ["two"]
    assert texts("add:text") == ["one", "two", ""]
    assert texts("fly:0") == texts("up:99") == ["one", "two"]
    count = text("SELECT count(*) FROM app.pages WHERE store_id = :s")
    assert session.scalar(count, {"s": store.id}) == 0


def test_a_picture_is_kept_in_the_page_and_an_odd_file_is_refused(
    owner: Desk, shopper: Shopper
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (1200, 600), "#886622").save(out, "JPEG")
    path, fields = owner.form(owner.read(f"{LIST}about/edit"), "/edit")
    facts = fields | {
        "title": "Us",
        "b0-type": "picture",
        "b0-alt": "The shop",
        "is_published": "yes",
    }

    bad = owner.client.post(path, data=facts | {"b0-file": (io.BytesIO(b"%PDF-1"), "a.jpg")})
    good = owner.client.post(
        path, data=facts | {"b0-file": (io.BytesIO(out.getvalue()), "a.jpg")}, headers=HTMX
    )

    assert bad.status_code == 422
    assert 'class="problem"' in bad.text
    assert good.status_code == 200
    source = re.search(r'class="page-pic" src="([^"]+)"', shopper.get("/pages/about").text)
    assert source is not None
    assert shopper.get(source[1]).status_code == 200


def test_the_ready_text_comes_back_and_swahili_is_untouched(owner: Desk, shopper: Shopper) -> None:
    path, fields = owner.form(owner.read(f"{LIST}returns/edit"), "/edit")
    own = {"title": "Our rule", "b0-type": "text", "b0-text": "No.", "is_published": "yes"}
    owner.client.post(path, data=fields | own)
    assert "Our rule" in in_language(shopper, "/pages/returns", "en")
    assert "Kurudisha bidhaa" in in_language(shopper, "/pages/returns", "sw")

    owner.press(owner.read(f"{LIST}returns/edit"), "/ready")

    assert "within 9 days" in in_language(shopper, "/pages/returns", "en")


@pytest.mark.parametrize(
    ("title", "slug", "words"),
    [
        ("", "", "A page needs a title."),
        ("Returns", "", "You have a page with that address already."),
        ("Guide", "../x", "Use 2 to 40 small letters and digits"),
        ("Guide", "A B", "Use 2 to 40 small letters and digits"),
        ("??", "", "Use 2 to 40 small letters and digits"),
    ],
)
def test_an_odd_address_is_refused_with_words(
    owner: Desk, title: str, slug: str, words: str
) -> None:
    answer = owner.post(f"{LIST}new", {"title": title, "slug": slug})

    assert answer.status_code == 422
    assert words in answer.text


def test_a_page_taken_away_comes_back_by_undo(owner: Desk, shopper: Shopper) -> None:
    owner.post(f"{LIST}new", {"title": "Size guide"})
    path, fields = owner.form(owner.read(f"{LIST}size-guide/edit"), "/edit")
    owner.client.post(path, data=fields | {"title": "Sizes", "is_published": "yes"})

    owner.press(owner.read(f"{LIST}size-guide/edit"), "/remove")
    assert shopper.get("/pages/size-guide").status_code == 404

    owner.undo(owner.read(LIST))
    assert "Sizes" in in_language(shopper, "/pages/size-guide", "en")


def test_another_stores_page_is_not_ours(
    app: Flask, owner: Desk, shopper: Shopper, theirs: Store
) -> None:
    owner.post(LIST, {"show-about": "yes", "seen": ""})

    assert shopper.get("/pages/about").status_code == 200
    assert shopper_of(app, theirs).get("/pages/about").status_code == 404


def test_plain_text_becomes_paragraphs_and_stays_text() -> None:
    assert text_html("a & b\nc\n\n\nd") == "<p>a &amp; b<br>c</p><p>d</p>"
    assert text_html("1 < 2") != ""
    assert clean_block({"type": "script", "text": "x"}) is None
    assert clean_block({"type": "text", "text": "  "}) is None
    assert set(PAGES) | set(POLICIES) == set(READY)
