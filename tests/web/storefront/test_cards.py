"""The picture of a shared link: small enough for WhatsApp, true, drawn once, made of our own rows."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image, ImageChops, ImageStat
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.catalog.actions import NewPicture, NewVariant
from app.domain.catalog.models import Variant
from app.domain.media.pictures import StoredPicture, store_picture
from app.domain.seo import share_cards
from app.domain.seo.drawing import _FONTS
from app.domain.seo.share_cards import ShareCard, draw_card, open_card, sweep_cards
from app.domain.stores.models import Store
from config import Settings
from tests.builders import make_product
from tests.insight_rows import add_area, add_category, add_product
from tests.seo_rules import Head
from tests.web.storefront.conftest import Shopper, shopper_of

MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def hard_photo(app: Flask, settings: Settings) -> StoredPicture:
    """The hardest to make small, made once."""
    photo = Image.effect_noise((1000, 1000), 80).convert("RGB")
    return store_picture(photo, media_dir=settings.media_dir, formats=("webp",))


@pytest.fixture
def stocked(session: Session, store: Store, hard_photo: StoredPicture) -> Session:
    make_product(
        session,
        name="Digital sport watch – “Safari” edition, 50 m",
        slug="sport-watch",
        category=add_category(session, "watches"),
        pictures=[NewPicture(stored=hard_photo)],
        variants=[NewVariant(sku="SW", price_cents=1_850_00, stock=7)],
    )
    for name in ("Steel watch", "Field watch"):
        add_product(session, name)
    add_area(session, "kilimani", 150_00)
    session.commit()
    return session


def card_of(client: Shopper, path: str, language: str = "en") -> str:
    """The picture's path as the page names it."""
    image = Head(client.get(path, headers={"Accept-Language": language}).text).meta["og:image"]
    return image[image.index("/media/") :]


@pytest.mark.row("N76")
@pytest.mark.parametrize("language", ["en", "sw"])
@pytest.mark.parametrize(
    "path", ["/", "/p/sport-watch", "/p/steel-watch", "/c/watches", "/areas/kilimani"]
)
def test_every_shared_page_has_a_picture_that_messengers_take(
    client: Shopper, stocked: Session, path: str, language: str
) -> None:
    answer = client.get(card_of(client, path, language))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert len(answer.data) <= MOST_BYTES
    with Image.open(io.BytesIO(answer.data)) as picture:
        assert picture.size == (1200, 630)
        assert not picture.getexif()


@pytest.mark.row("N76")
def test_a_new_price_is_a_new_picture_and_the_old_address_leads_there(
    client: Shopper, stocked: Session, store: Store
) -> None:
    before = card_of(client, "/p/sport-watch")
    old = client.get(before).data
    stocked.query(Variant).filter_by(sku="SW").one().price_cents = 2_450_00
    stocked.commit()

    after = card_of(client, "/p/sport-watch")

    assert after != before
    new = client.get(after).data
    # Only the words of the price differ: the photo's half is the same.
    gone = ImageChops.difference(Image.open(io.BytesIO(old)), Image.open(io.BytesIO(new)))
    left, right = gone.crop((0, 380, 560, 500)), gone.crop((640, 0, 1200, 630))
    assert max(ImageStat.Stat(left).mean) > 3
    assert max(ImageStat.Stat(right).mean) < 3
    never_drawn = before.replace(before.split("/")[3], "0" * 32)
    moved = client.get(never_drawn)
    assert (moved.status_code, moved.headers["Location"]) == (302, after)
    assert client.get(before).data == old  # kept: whoever shared it still shows it


@pytest.mark.row("N76")
@pytest.mark.parametrize(
    "path",
    [
        "/media/cards/{key}/en/p/not-there.jpg",
        "/media/cards/{key}/fr/home.jpg",
        "/media/cards/..%2f..%2fconfig/en/home.jpg",
        "/media/cards/{key}/en/areas/karen.jpg",
        "/media/cards/{key}/en/p/sport-watch.png",
    ],
)
def test_an_address_alone_makes_us_draw_nothing(
    client: Shopper, stocked: Session, settings: Settings, store: Store, path: str
) -> None:
    assert client.get(path.format(key="a" * 32)).status_code == 404
    assert not list(Path(settings.media_dir).glob(f"cards/{store.id}/*"))


@pytest.mark.row("N76")
def test_many_who_ask_together_make_it_drawn_once(
    app: Flask, client: Shopper, stocked: Session, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = card_of(client, "/p/sport-watch")
    drawn: list[str] = []

    def counted(card: ShareCard) -> bytes:
        drawn.append(card.key)
        return draw_card(card)

    monkeypatch.setattr("app.web.storefront.cards.draw_card", counted)
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(shopper_of(app, store).get(path).data)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(drawn) == 1
    assert len(set(answers)) == 1
    assert len(answers) == 6


@pytest.mark.row("N76")
def test_another_stores_picture_is_not_ours(
    app: Flask, client: Shopper, stocked: Session, theirs: Store
) -> None:
    path = card_of(client, "/p/sport-watch")
    client.get(path)

    assert shopper_of(app, theirs).get(path).status_code == 404


@pytest.mark.row("N76")
def test_pictures_nobody_asked_for_lately_are_swept_and_drawn_again(
    client: Shopper, stocked: Session, store: Store, theirs: Store
) -> None:
    path = card_of(client, "/p/sport-watch")
    first = client.get(path).data

    assert sweep_cards(theirs.id, utcnow()) == 0
    assert sweep_cards(store.id, utcnow()) == 1

    assert open_card(store.id, path.split("/")[3]) is None
    assert client.get(path).data == first


@pytest.mark.row("N76")
def test_the_letters_people_write_here_are_all_in_the_font() -> None:
    from PIL import ImageFont

    for name in ("ManropeSemiBold", "ManropeBold", "ManropeExtraBold"):
        font = ImageFont.truetype(_FONTS[name], 40)
        nothing = bytes(font.getmask("\uffff"))
        for letter in "AÉéñçöĩũāŋ0123456789'‘’“”–—…·×½°²%&/()@+€\u00a0":
            drawn = bytes(font.getmask(letter))
            assert drawn != nothing or not letter.strip(), (name, letter)


@pytest.mark.row("N76")
def test_a_card_of_endless_words_is_still_a_card(store: Store, settings: Settings) -> None:
    card = share_cards.share_card(
        store, title="Saa" * 80 + " ya mkono " * 40, figure="KES " + "9" * 40, line="Bei " * 60
    )

    data = draw_card(card)

    assert len(data) <= MOST_BYTES
    assert Image.open(io.BytesIO(data)).size == (1200, 630)
