from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from app.domain.media.actions import store_picture
from config import Settings
from tests.web.storefront.conftest import Shopper


def test_a_picture_is_served_for_a_year_without_cookies(
    client: Shopper, settings: Settings
) -> None:
    stored = store_picture(Image.new("RGB", (800, 800), "teal"), media_dir=settings.media_dir)
    answer = client.get(f"/media/{stored.media_key}-320.webp")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/webp"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize(
    "name",
    [
        "0" * 32 + "-320.webp",
        "0" * 32 + "-321.webp",
        "..%2f..%2fconfig-320.webp",
        "A" * 32 + "-320.webp",
    ],
)
def test_any_other_name_is_not_there(client: Shopper, settings: Settings, name: str) -> None:
    assert client.get(f"/media/{name}").status_code == 404
    assert not Path(settings.media_dir, name).exists()
