"""Photos on or off: what decides it, what a page then holds, and what can go wrong."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.domain.stores.models import Store
from app.web.photos import wants_photos
from app.web.weight import phone_file
from tests.shop_window import Window
from tests.web.storefront.conftest import Shopper

PHOTO = re.compile(r'(?:src|srcset|imagesrcset|href)="[^"]*/media/')


@pytest.mark.parametrize(
    ("cookie", "save_data", "are_on"),
    [
        ("", "", True),
        ("__Host-photos=off", "", False),
        ("__Host-photos=on", "on", True),
        ("a=1; __Host-photos=off; b=2", "", False),
        ("", "on", False),
        ("", "ON ", False),
        ("", "off", True),
        ("x__Host-photos=off", "", True),
        ("__Host-photos=offside", "", True),
        ("__Host-photos=%6f%66%66", "", True),
        ("__Host-photos=evil; __Host-photos=off", "", False),
    ],
)
def test_one_bit_decides_and_junk_decides_nothing(
    cookie: str, save_data: str, are_on: bool
) -> None:
    environ = {"HTTP_COOKIE": cookie, "HTTP_SAVE_DATA": save_data}
    assert wants_photos(environ) is are_on


@pytest.mark.row("I7")
@pytest.mark.parametrize("name", ["home", "category", "product", "areas/kilimani", "search"])
def test_a_page_without_photos_names_none_but_behind_a_tap(
    client: Shopper, window: Window, name: str
) -> None:
    path = window.of(name).removeprefix(window.host)
    with_photos = client.get(path)
    client.post("/photos", data={"photos": "off", "next": path})
    without = client.get(path)

    assert PHOTO.search(with_photos.text)
    kept = re.sub(r'<a [^>]*class="[^"]*js-(?:photo|large)"[^>]*>', "", without.text)
    assert not PHOTO.search(kept)
    assert "js-photo" in without.text
    assert {"Cookie", "Save-Data"} <= set(without.vary)
    assert "Set-Cookie" not in without.headers
    assert client.get(path).data == without.data
    client.post("/photos", data={"photos": "on", "next": path})
    assert client.get(path, headers={"Save-Data": "on"}).data == with_photos.data


def test_the_switch_leads_back_into_the_shop_and_nowhere_else(client: Shopper) -> None:
    answer = client.post("/photos", data={"photos": "off", "next": "/search?q=shoes"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/search?q=shoes")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-photos=off;")
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    for trap in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1", ""):
        assert client.post("/photos", data={"next": trap}).headers["Location"] == "/"
    assert client.post("/photos", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_the_policy_knows_the_style_with_the_tints_this_page_shows(
    client: Shopper, window: Window
) -> None:
    policies = set()
    for name in ("home", "category", "product", "areas/kilimani", "cart", "deliver-to"):
        answer = client.get(window.of(name).removeprefix(window.host))
        style = answer.text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"], name
        shown = set(re.findall(r'class="[^"]*\bt(\d+)\b', answer.text.partition("</style>")[2]))
        assert all(f".t{tint}{{background:" in style for tint in shown), name
        assert "/*tints*/" not in style
        policies.add(digest)
    assert len(policies) > 3  # a page carries its own kind's style, not everybody's


def test_a_phone_takes_the_file_the_reckoning_says() -> None:
    widths = [160, 320, 640, 960]
    assert phone_file(widths, 1200, "(min-width:1000px) 224px, 40vw", 640) == 320
    assert phone_file(widths, 1200, "(min-width:1000px) 640px, 67vw", 960) == 640
    assert phone_file(widths, 1200, "76px", 320) == 160
    assert phone_file([320], 90, "40vw", 640) == 320


def test_a_wait_for_the_weight_is_never_shown(
    app: Flask, client: Shopper, session: Session, store: Store
) -> None:
    for path in ("/", "/cart", "/search", "/me", "/deliver-to", "/areas"):
        words = re.search(r'id="weight">This page: ([^<]*) KB<', client.get(path).text)
        assert words, path
        assert 10 < float(words.group(1)) < 40, path
