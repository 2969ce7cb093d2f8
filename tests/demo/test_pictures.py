"""The demo's pictures: recognisable kinds, two views each, no two alike, light to send."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import combinations

import pytest
from PIL import Image, ImageChops, ImageStat

from local.demo.catalogue import STORES
from local.demo.colour import to_oklch
from local.demo.goods import PictureSpec
from local.demo.pictures import KINDS, SIZE, dominant_tint, draw

ALIKE = 3.0
"""Mean difference of a channel, of 255, below which two pictures look like the same one."""


def _drawn(spec: PictureSpec, size: int) -> Image.Image:
    return draw(
        spec.kind,
        spec.view,
        colours=spec.colours,
        seed=spec.seed,
        details=spec.details,
        size=size,
    )


def _glance(picture: Image.Image) -> Image.Image:
    """What is left of a picture in a glance: its shapes and colours, no fine detail."""
    return picture.resize((40, 40), Image.Resampling.BOX)


def _difference(first: Image.Image, second: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3


def _all_specs() -> list[tuple[str, PictureSpec]]:
    return [
        (f"{product.slug} {spec.colour_name} view {spec.view}", spec)
        for store in STORES
        for product in store.products
        for spec in product.pictures
    ]


def test_there_are_many_kinds_and_both_views_of_each_differ() -> None:
    assert len(KINDS) >= 24
    for kind in KINDS:
        front, second = (_glance(draw(kind, view, size=160)) for view in (1, 2))
        assert _difference(front, second) > ALIKE, kind


def test_no_two_demo_pictures_are_alike() -> None:
    pictures = [(label, _glance(_drawn(spec, 160))) for label, spec in _all_specs()]
    twins = [
        (first[0], second[0])
        for first, second in combinations(pictures, 2)
        if _difference(first[1], second[1]) <= ALIKE
    ]
    assert len(pictures) > 150
    assert twins == []


def test_every_product_fills_its_frame_and_stays_inside() -> None:
    """The thing takes a good part of the square; only a cable may run over the edge."""
    for label, spec in _all_specs():
        picture = _drawn(spec, 120)
        ground = Image.new("RGB", picture.size, dominant_tint(spec.kind, spec.colours))
        seen = ImageChops.difference(picture, ground).convert("L").point(lambda v: 255 * (v > 3))
        left, top, right, bottom = seen.getbbox() or (0, 0, 0, 0)
        assert max(right - left, bottom - top) >= 0.55 * 120, label
        assert min(right - left, bottom - top) >= 0.2 * 120, label
        if spec.kind != "usb_cable":
            assert left > 0, label
            assert right < 120, label
        assert top > 0, label
        assert bottom < 120, label


def test_a_picture_is_large_square_rgb_on_its_own_tint() -> None:
    picture = draw("kettle", 1)
    assert picture.size == (SIZE, SIZE) == (1440, 1440)
    assert picture.mode == "RGB"
    assert picture.getpixel((3, 3)) == dominant_tint("kettle")


def test_the_tint_is_pale_and_has_the_hue_of_the_thing() -> None:
    for kind in KINDS:
        lightness, chroma, _ = to_oklch(dominant_tint(kind))
        assert lightness == pytest.approx(0.945, abs=0.006), kind
        assert chroma <= 0.023, kind
    red_hue = to_oklch(dominant_tint("kettle", ("#b8403c", "#f6d365", "#2f2a2a")))[2]
    green_hue = to_oklch(dominant_tint("kettle", {"main": "#2f7a55"}))[2]
    assert red_hue < 40
    assert 130 < green_hue < 190


def test_the_same_arguments_give_the_same_picture_and_another_colour_another() -> None:
    first, again = (draw("mug", 1, seed=7, size=120).tobytes() for _ in range(2))
    assert first == again
    assert draw("mug", 1, seed=7, colours=("#b5502f",), size=120).tobytes() != first


def test_details_can_be_fixed() -> None:
    plain, dotted = (
        draw("mug", 1, details={"pattern": pattern}, size=120) for pattern in ("plain", "dots")
    )
    assert _difference(plain, dotted) > 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: draw("hovercraft", 1),
        lambda: draw("mug", 3),
        lambda: draw("mug", 1, colours=("blue",)),
        lambda: draw("mug", 1, colours={"lid": "#ffffff"}),
        lambda: draw("mug", 1, details={"pattern": "plaid"}),
        lambda: draw("mug", 1, details={"wheels": "four"}),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], Image.Image]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        call()


def test_pictures_are_cheap_to_send() -> None:
    """A list shows them at 320 pixels: at most 15 KB each, and half of them under 5 KB."""
    sizes = []
    for store in STORES:
        for product in store.products:
            file = BytesIO()
            _drawn(product.pictures[0], 320).save(file, "WEBP", quality=78)
            sizes.append(len(file.getvalue()))
    assert max(sizes) <= 15_000
    assert sorted(sizes)[len(sizes) // 2] <= 5_000
