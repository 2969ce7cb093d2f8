"""A shop to look at in a browser: 26 products with photos of their own, behind a real socket."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pytest
from flask import Flask
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext
from sqlalchemy.orm import Session

from app.domain.catalog.actions import NewPicture, NewVariant, add_category
from app.domain.delivery.actions import serve_area
from app.domain.media.pictures import StoredPicture, store_picture
from app.domain.stores.models import Store
from bench._wire import phone, pressed
from config import Settings
from tests.builders import make_product
from tests.serving import served

COLOURS = ("teal", "crimson", "olive", "navy", "orange", "purple", "gray", "brown")


@pytest.fixture(scope="session")
def front(app: Flask) -> Iterator[int]:
    """The app behind a real socket and a front that compresses."""
    with served(pressed(app.wsgi_app)) as port:  # type: ignore[arg-type]
        yield port


@pytest.fixture
def mobile(chromium: Browser) -> Iterator[BrowserContext]:
    """A phone that never was here."""
    context = phone(chromium)
    yield context
    context.close()


@dataclass
class Window:
    """Where the shop's pages are."""

    host: str
    product: str

    def of(self, name: str) -> str:
        paths = {"home": "/", "category": "/c/shoes", "product": self.product}
        return self.host + paths.get(name, f"/{name}")


def photo(number: int) -> Image.Image:
    """A thing with texture on its ground: nothing a codec could do for free."""
    picture = Image.effect_noise((900, 900), 6).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for at in range(14):
        x, y = (number * 131 + at * 173) % 700, (number * 71 + at * 97) % 700
        draw.ellipse((x, y, x + 190, y + 150), fill=COLOURS[(number + at) % len(COLOURS)])
    return picture


@pytest.fixture(scope="session")
def window_photos(
    app: Flask,
    settings: Settings,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[StoredPicture]:
    """Every photo of the shop in all its files, made by the first process of the run that wants them."""
    own = tmp_path_factory.getbasetemp()
    made = (own.parent if hasattr(pytestconfig, "workerinput") else own) / "window-photos"
    made.mkdir(exist_ok=True)
    with (made / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (made / "list.json").exists():
            with app.app_context():
                photos = [
                    store_picture(photo(at), media_dir=str(made / "media")) for at in range(28)
                ]
            (made / "list.json").write_text(json.dumps([asdict(each) for each in photos]))
    shutil.copytree(made / "media", settings.media_dir, dirs_exist_ok=True)
    return [StoredPicture(**each) for each in json.loads((made / "list.json").read_text())]


@pytest.fixture
def window(
    session: Session, store: Store, window_photos: list[StoredPicture], front: int
) -> Window:
    """A shop of 26 products, each with photos of its own; one comes in three colours."""
    shoes = add_category(session, "Shoes", slug="shoes")
    for number in range(26):
        options = ["Black", "Red", "Green"] if number == 25 else []
        made = [
            NewPicture(
                stored=window_photos[number + at], option_value=options[at] if options else None
            )
            for at in range(len(options) or 1)
        ]
        product = make_product(
            session,
            name=f"Canvas shoes number {number} with a soft sole",
            category=shoes,
            options=["Colour"] if options else [],
            pictures=made,
            variants=[
                NewVariant(
                    sku=f"S-{number}-{at}",
                    price_cents=1_850_00,
                    stock=5,
                    options=options[at : at + 1],
                )
                for at in range(len(options) or 1)
            ],
        )
    serve_area(session, "kilimani", actor="test", fee_cents=250_00)
    path = f"/p/{product.slug}"
    session.commit()
    return Window(f"http://{store.slug}.localhost:{front}", path)
