"""Photos as a shopper gets them: from a folder and from a bucket, by tap and by choice."""

from __future__ import annotations

import contextvars
import io
import os
import re
import secrets
from collections.abc import Iterator, Sequence

import httpx
import pytest
from flask import Flask
from moto.server import ThreadedMotoServer
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.engine import db
from app.domain.catalog.actions import NewVariant
from app.domain.catalog.models import Product, ProductImage
from app.domain.media import storage
from app.domain.media.actions import add_photo
from app.domain.media.storage import Place, configure_media
from app.domain.stores.models import Store
from app.web.storefront.media import picture
from config import Settings
from tasks.politeness import POLITENESS
from tasks.runner import run
from tests.builders import make_product
from tests.photo_files import busy_photo, phone_photo, plain_photo
from tests.web.storefront.conftest import Shopper
from tests.world import wait_for

TYPES = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg"}
AT_360 = 30_000
MAKING = ("make_picture", "make_avif")


@pytest.fixture(autouse=True)
def nice(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How far the jobs step back on the machine: not this process, which runs other tests after."""
    asked: list[int] = []
    monkeypatch.setattr(os, "nice", lambda more: asked.append(more) or sum(asked))
    return asked


def run_jobs(app: Flask, store: Store, topics: Sequence[str] = MAKING) -> None:
    """What the worker of the bulk queue does with this store's rows, whenever they are due."""
    for topic in topics:
        with app.app_context():
            rows = db.session.execute(
                text("SELECT id FROM app.outbox WHERE topic = :topic AND status = 'pending'"),
                {"topic": topic},
            ).all()
            db.session.rollback()
        for (row_id,) in rows:
            with app.app_context():
                run(str(row_id), store.id)


def with_photos(
    session: Session, app: Flask, store: Store, *photos: tuple[bytes, str | None]
) -> str:
    """The path of a product whose photos went all the way; each with the choice it shows."""
    product: Product = make_product(
        session,
        name="Canvas shoes",
        options=["Colour"],
        variants=[
            NewVariant(sku=secrets.token_hex(4), price_cents=1_850_00, options=[colour], stock=7)
            for colour in ("White", "Blue")
        ],
    )
    for data, value in photos:
        add_photo(
            session, product.id, data, filename="IMG.jpg", actor="Wanjiru", option_value=value
        )
    path = f"/p/{product.slug}"
    session.commit()
    contextvars.copy_context().run(run_jobs, app, store)
    session.expire_all()
    return path


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Place]:
    """Where pictures lie: each test that asks runs once with either."""
    chosen = Place(folder=settings.media_dir)
    if request.param == "bucket":
        endpoint = request.getfixturevalue("s3")
        name = f"photos-{secrets.token_hex(4)}"
        assert httpx.put(f"{endpoint}/{name}").status_code == 200
        chosen = Place(
            bucket=name, endpoint=endpoint, region="us-east-1",
            access_key=secrets.token_hex(8), secret_key=secrets.token_hex(8),
        )  # fmt: skip
    configure_media(chosen)
    yield chosen
    configure_media(Place(folder=settings.media_dir))


@pytest.mark.row("W8", "T77", "N19")
def test_a_phones_six_megabytes_become_thirty_kilobytes_in_three_formats(
    session: Session, app: Flask, store: Store, client: Shopper, place: Place
) -> None:
    data = phone_photo()
    assert len(data) > 6_000_000
    page = client.get(with_photos(session, app, store, (data, None))).text

    gallery = page[page.index('id="shot-1"') :]
    gallery = gallery[: gallery.index("</picture>")]
    # 67 % of 360 points on a screen of two dots a point: the file of 640.
    assert 'sizes="(min-width:1000px) 640px, 67vw"' in gallery
    modern, webp = re.findall(r'<source type="image/(?:avif|webp)" srcset="([^"]+)"', gallery)
    jpeg = re.search(r'<img src="([^"]+)"', gallery)
    assert jpeg is not None
    offered = {
        "modern": dict(part.split()[::-1] for part in modern.split(", ")),
        "webp": dict(part.split()[::-1] for part in webp.split(", ")),
    }
    # The smallest file is a thumbnail's: no phone shows it this wide.
    assert set(offered["modern"]) == set(offered["webp"]) == {"320w", "640w", "960w"}
    wanted = [offered["modern"]["640w"], offered["webp"]["640w"], jpeg[1]]
    wanted.append(offered["webp"]["640w"].replace(".webp", ".avif"))
    for address in wanted:
        answer = client.get(address)
        name = address.rpartition(".")[2]
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == TYPES[name]
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert len(answer.data) <= AT_360, address
        with Image.open(io.BytesIO(answer.data)) as shown:
            assert shown.format == {"jpg": "JPEG"}.get(name, name.upper())
            assert shown.height > shown.width  # it was taken upright
            assert not shown.getexif()
    assert {address.rpartition(".")[2] for address in wanted} == {"avif", "webp", "jpg"}
    if place.bucket:
        bucket = storage.open_bucket(place)
        kept = bucket.get(jpeg[1].removeprefix("/media/")[:2] + "/" + jpeg[1].rpartition("/")[2])
        assert kept.attributes["Content-Type"] == "image/jpeg"
        assert kept.attributes["Cache-Control"] == storage.FOR_EVER
        # Fifteen files, and nothing as it came, with its place in it.
        assert sum(len(batch) for batch in bucket.list()) == 15


def test_a_bucket_that_does_not_answer_keeps_the_upload_waiting(
    session: Session, app: Flask, store: Store, settings: Settings
) -> None:
    path = with_photos(session, app, store)
    product = session.query(Product).filter_by(slug=path.rpartition("/")[2]).one()
    photo = add_photo(session, product.id, plain_photo(), filename="a.jpg", actor="Wanjiru")
    photo_id = photo.id
    session.commit()
    nowhere = Place(
        bucket="gone", endpoint="http://127.0.0.1:9", region="x", access_key="k", secret_key="s"
    )
    configure_media(nowhere)
    try:
        contextvars.copy_context().run(run_jobs, app, store)
    finally:
        configure_media(Place(folder=settings.media_dir))
    row = session.execute(
        text("SELECT status, last_error FROM app.outbox WHERE payload->>'photo_id' = :id"),
        {"id": str(photo_id)},
    ).one()
    assert row.status == "pending"
    assert row.last_error
    session.execute(text("UPDATE app.outbox SET lease_until = NULL WHERE status = 'pending'"))
    session.commit()
    contextvars.copy_context().run(run_jobs, app, store)

    session.expire_all()
    assert session.get_one(type(photo), (store.id, photo_id)).status == "ready"


@pytest.mark.row("W8", "T71")
def test_a_photo_is_shown_as_webp_at_once_and_by_its_smaller_files_when_they_are_there(
    session: Session, app: Flask, store: Store, client: Shopper, nice: list[int]
) -> None:
    path = with_photos(session, app, store)
    product = session.query(Product).filter_by(slug=path.rpartition("/")[2]).one()
    photo = add_photo(session, product.id, busy_photo("teal"), filename="a.jpg", actor="Wanjiru")
    photo_id, key = photo.id, photo.media_key
    session.commit()
    contextvars.copy_context().run(run_jobs, app, store, MAKING[:1])

    page = client.get(path).text
    assert f"/media/{key}-640.webp" in page
    assert ".avif" not in page
    assert client.get(f"/media/{key}-640.avif").status_code == 404

    contextvars.copy_context().run(run_jobs, app, store, MAKING[1:])

    session.expire_all()
    files = session.get_one(ProductImage, (store.id, photo_id)).files
    page = client.get(path).text
    gallery = page[page.index('id="shot-1"') :]
    [modern] = re.findall(r'<source type="image/avif" srcset="([^"]+)"', gallery)
    for width in ("320", "640"):
        smaller = min(("avif", "webp"), key=lambda name: files[name][width])
        assert f"-{width}.{smaller}" in modern
    assert client.get(f"/media/{key}-640.avif").status_code == 200
    assert sum(nice) == POLITENESS  # both jobs stepped back, and no further than one


@pytest.mark.row("W30")
def test_choosing_blue_without_a_script_brings_its_photo_to_the_front(
    session: Session, app: Flask, store: Store, client: Shopper
) -> None:
    path = with_photos(
        session, app, store, (plain_photo("white"), "White"), (plain_photo("navy"), "Blue")
    )

    def first_photo(address: str) -> str:
        found = re.search(r'id="shot-1".*?/media/([0-9a-f]{32})', client.get(address).text, re.S)
        assert found is not None
        return found[1]

    page = client.get(path).text
    assert "Show this choice" in page
    assert first_photo(path) == first_photo(f"{path}?option-0=White")
    assert first_photo(f"{path}?option-0=Blue") != first_photo(path)


def test_a_photo_that_is_waiting_is_on_no_page(
    session: Session, app: Flask, store: Store, client: Shopper
) -> None:
    path = with_photos(session, app, store)
    product = session.query(Product).filter_by(slug=path.rpartition("/")[2]).one()
    key = add_photo(session, product.id, plain_photo(), filename="a", actor="W").media_key
    session.commit()

    assert all(key not in client.get(page).text for page in ("/", "/search", path))


def test_the_door_of_pictures_knows_three_endings(client: Shopper) -> None:
    assert picture.__module__ == "app.web.storefront.media"
    for ending in ("png", "gif", "svg", "html", "jpeg", "avif.html"):
        assert client.get(f"/media/{'0' * 32}-320.{ending}").status_code == 404


# -- in a browser ---------------------------------------------------------------------------


@pytest.fixture
def phone(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, device_scale_factor=2)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def address(session: Session, app: Flask, store: Store, port: int) -> str:
    """A product of three photos, the last one of Blue."""
    path = with_photos(
        session, app, store,
        (plain_photo("beige", (400, 300)), None),
        (busy_photo("white", (700, 700)), "White"),
        (plain_photo("navy", (1000, 1200)), "Blue"),
    )  # fmt: skip
    return f"http://{store.slug}.localhost:{port}{path}"


WATCH = """
window.shift = 0; window.largest = "";
new PerformanceObserver((list) => list.getEntries().forEach((e) => {
  if (!e.hadRecentInput) window.shift += e.value;
})).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => list.getEntries().forEach((e) => {
  window.largest = e.url || e.element.tagName;
})).observe({ type: "largest-contentful-paint", buffered: true });
"""


@pytest.mark.browser
@pytest.mark.row("T71")
def test_the_first_photo_is_asked_for_early_and_nothing_moves(
    phone: BrowserContext, address: str
) -> None:
    page = phone.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.mouse.wheel(0, 900)
    page.mouse.wheel(0, -900)
    wait_for("a photo", lambda: page.evaluate("window.largest.includes('/media/')"))

    assert page.evaluate("window.shift") < 0.05
    largest = page.evaluate("window.largest")
    first = page.locator("#shot-1 img")
    assert first.evaluate("image => image.currentSrc") == largest
    by = page.evaluate(
        "url => performance.getEntriesByName(url).map((entry) => entry.initiatorType)", largest
    )
    assert by == ["link"]  # fetched once, by the preload
    assert first.get_attribute("loading") is None
    others = page.locator(".gallery img").all()[1:]
    assert [image.get_attribute("loading") for image in others] == ["lazy", "lazy"]
    for image in page.locator(".gallery img").all():
        assert int(image.get_attribute("width") or 0) > 0
        assert int(image.get_attribute("height") or 0) > 0


@pytest.mark.browser
@pytest.mark.row("N37", "W30")
def test_large_waits_for_a_tap_and_blue_swaps_the_photo(
    phone: BrowserContext, address: str
) -> None:
    page = phone.new_page()
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    gallery = page.locator("#gallery")
    assert gallery.evaluate("g => getComputedStyle(g).scrollSnapType") == "x mandatory"
    assert not [url for url in fetched if "-1440." in url]

    page.locator(".tile, .vchip").filter(has_text="Blue").click()
    blue = page.locator("figure.shot").nth(2)
    expect(blue).to_be_in_viewport(ratio=0.9)
    link = blue.get_by_role("link", name="Large")
    words = link.inner_text()
    with page.expect_response(lambda answer: "-1440." in answer.url) as large:
        link.click()
    kilobytes = re.search(r"(\d+) KB", words.replace("\xa0", " "))
    assert kilobytes is not None
    assert abs(len(large.value.body()) / 1000 - int(kilobytes[1])) <= 1


@pytest.mark.browser
@pytest.mark.row("W30")
def test_blue_swaps_the_photo_with_scripts_off(chromium: Browser, address: str) -> None:
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, java_script_enabled=False
    )
    page: Page = context.new_page()
    page.goto(address)
    before = page.locator("#shot-1 source").first.get_attribute("srcset")
    page.locator(".tile, .vchip").filter(has_text="Blue").click()
    page.get_by_role("button", name="Show this choice").click()

    expect(page.get_by_role("radio", name="Blue")).to_be_checked()
    assert page.locator("#shot-1 source").first.get_attribute("srcset") != before
    context.close()
