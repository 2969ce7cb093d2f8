from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from app.domain.media.actions import (
    MAX_SIDE,
    PictureRefused,
    open_picture,
    read_picture,
    store_picture,
)
from app.domain.media.tints import (
    TINTS,
    grown,
    oklch_hex,
    shrunk,
    tint_colours,
    tint_of,
    without_ground,
)


def _png(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)  # type: ignore[arg-type]
    return out.getvalue()


def test_a_picture_is_kept_in_five_widths_and_read_back(tmp_path: Path) -> None:
    stored = store_picture(_png(Image.new("RGB", (1600, 800), "teal")), media_dir=str(tmp_path))
    assert set(stored.sizes) == {"160", "320", "640", "960", "1440"}
    data = open_picture(stored.media_key, 320, media_dir=str(tmp_path))
    assert data is not None
    assert len(data) == stored.sizes["320"]
    with Image.open(io.BytesIO(data)) as small:
        assert (small.format, small.size) == ("WEBP", (320, 160))
    assert open_picture("0" * 32, 320, media_dir=str(tmp_path)) is None


def test_what_a_camera_wrote_about_the_place_is_gone(tmp_path: Path) -> None:
    photo = Image.new("RGB", (400, 200), "olive")
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side
    exif[0x010E] = "Kileleshwa, third floor"
    out = io.BytesIO()
    photo.save(out, "JPEG", exif=exif)
    stored = store_picture(out.getvalue(), media_dir=str(tmp_path))
    assert (stored.width, stored.height) == (200, 400)
    assert {name: set(sizes) for name, sizes in stored.files.items()} == {
        "avif": {"160", "320"}, "webp": {"160", "320"}, "jpg": {"160", "320"},
    }  # fmt: skip
    for name in stored.files:
        data = open_picture(stored.media_key, 320, name, media_dir=str(tmp_path))
        assert data is not None
        assert b"Kileleshwa" not in data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(
            b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="a drawing that can hold scripts"
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n broken", id="a broken one"),
        pytest.param(_png(Image.new("1", (MAX_SIDE + 1, 8))), id="too wide"),
        pytest.param(_png(Image.new("1", (7000, 7000))), id="a small file that unpacks to a giant"),
        pytest.param(b"\x00" * (8 * 1024 * 1024 + 1), id="too many bytes"),
    ],
)
def test_what_is_not_a_still_picture_is_refused_with_words(data: bytes) -> None:
    with pytest.raises(PictureRefused, match=r"\w"):
        read_picture(data)


def test_a_flat_ground_goes_and_the_thing_stays() -> None:
    photo = Image.new("RGB", (400, 400), (226, 240, 234))
    ImageDraw.Draw(photo).ellipse((100, 100, 300, 300), fill=(200, 40, 40))
    ImageDraw.Draw(photo).ellipse((180, 180, 220, 220), fill=(226, 240, 234))  # one looks through
    ImageDraw.Draw(photo).ellipse((230, 180, 270, 220), fill="white")  # a dial
    cut = without_ground(photo)
    alphas = [cut.getpixel(at)[3] for at in ((5, 5), (200, 120), (200, 200), (250, 200))]  # type: ignore[index]
    assert alphas == [0, 255, 0, 255]


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.5, 0.98, 0.9995])
@pytest.mark.parametrize("by", [1, 4])
def test_a_mask_grows_and_shrinks_to_the_pixels_of_pillows_own_filters(
    share: float, by: int
) -> None:
    chance = random.Random(5)
    dots = bytes(255 if chance.random() < share else 0 for _ in range(97 * 161))
    mask = Image.frombytes("L", (97, 161), dots)
    window = 2 * by + 1
    assert grown(mask, by).tobytes() == mask.filter(ImageFilter.MaxFilter(window)).tobytes()
    assert shrunk(mask, by).tobytes() == mask.filter(ImageFilter.MinFilter(window)).tobytes()


def test_a_white_ground_or_a_busy_one_is_left_alone() -> None:
    white = Image.new("RGB", (100, 100), "white")
    busy = Image.linear_gradient("L").convert("RGB")
    assert without_ground(white) is white
    assert without_ground(busy) is busy


def test_a_red_thing_and_a_black_thing_stand_on_different_tints() -> None:
    red, black = Image.new("RGB", (64, 64), (200, 40, 40)), Image.new("RGB", (64, 64), (20, 20, 22))
    assert tint_of(red) != tint_of(black)
    assert 0 <= tint_of(red) < TINTS
    day, night = tint_colours(tint_of(black))
    assert day != night
    assert oklch_hex(0.52, 0.13, 152) == "#137d41"  # a colour of the design, worked out here
