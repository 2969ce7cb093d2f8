"""Colours of the drawings: mixing, and the pale tint a product is shown on.

Tints are worked out in OKLCH because equal lightness there looks equally light to the eye.
"""

from __future__ import annotations

import math

RGB = tuple[int, int, int]
Paint = RGB | tuple[int, int, int, int]

WHITE: RGB = (255, 255, 255)
INK: RGB = (37, 30, 24)
SHADE: RGB = (22, 14, 32)

TINT_LIGHTNESS = 0.945
GREY_BELOW_CHROMA = 0.03


def rgb(value: str | tuple[int, ...]) -> RGB:
    """A colour from "#2a4a88" or a tuple. Raises ValueError when it is neither."""
    if isinstance(value, str):
        digits = value.removeprefix("#")
        if len(digits) != 6:
            raise ValueError(f"not a #rrggbb colour: {value!r}")
        return (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
    if len(value) < 3:
        raise ValueError(f"a colour needs three parts: {value!r}")
    return (value[0], value[1], value[2])


def mix(first: RGB, second: RGB, part: float) -> RGB:
    """`first` with `part` (0 to 1) of `second` in it."""
    red, green, blue = (
        round(a + (b - a) * part) for a, b in zip(first[:3], second[:3], strict=True)
    )
    return (red, green, blue)


def light(colour: RGB, part: float) -> RGB:
    return mix(colour, WHITE, part)


def dark(colour: RGB, part: float) -> RGB:
    return mix(colour, SHADE, part)


def veil(colour: RGB, part: float) -> Paint:
    """The colour as a see-through layer, `part` from 0 (invisible) to 1 (solid)."""
    return (*colour, round(255 * part))


def brightness(colour: RGB) -> float:
    """How light the colour looks, from 0 to 1."""
    return to_oklch(colour)[0]


def to_oklch(colour: RGB) -> tuple[float, float, float]:
    """Lightness 0 to 1, chroma, and hue in degrees."""
    red, green, blue = (_linear(part / 255) for part in colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def from_oklch(lightness: float, chroma: float, hue: float) -> RGB:
    """The nearest colour a screen can show; parts outside the range are clipped."""
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return (_screen(red), _screen(green), _screen(blue))


def tint_of(colour: RGB) -> RGB:
    """The pale ground for a thing of this colour; near-grey things get an almost neutral one."""
    _, chroma, hue = to_oklch(colour)
    if chroma < GREY_BELOW_CHROMA:
        return from_oklch(TINT_LIGHTNESS, 0.009, hue if chroma > 0.006 else 262)
    # Blue grounds look stronger than others of the same chroma.
    return from_oklch(TINT_LIGHTNESS, 0.017 if 215 <= hue <= 290 else 0.02, hue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _screen(part: float) -> int:
    part = min(max(part, 0.0), 1.0)
    curved = 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
    return round(255 * curved)
