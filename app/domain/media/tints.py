"""The 64 grounds a product picture can stand on, and choosing one from the picture's own colour.

A tint is ``hue step * 4 + kind``. There are sixteen hue steps of 22.5 degrees. The kinds are:
0 plain (black, white and grey things), 1 soft (most things), 2 dark (a dark thing, which needs
a lighter ground at night or it vanishes) and 3 strong (a thing of one bright colour).
"""

from __future__ import annotations

import colorsys
import math

from PIL import Image

HUE_STEPS = 16
PLAIN, SOFT, DARK, STRONG = range(4)
TINTS = HUE_STEPS * 4

_CHROMA = {PLAIN: 0.009, SOFT: 0.02, DARK: 0.012, STRONG: 0.03}
_BLUES = range(200, 291)
_BLUE_CHROMA = 0.017


def tint_colours(tint: int) -> tuple[str, str]:
    """The ground by day and by night, as ``#rrggbb``."""
    step, kind = divmod(tint, 4)
    hue = step * 360 / HUE_STEPS
    chroma = _CHROMA[kind]
    if int(hue) in _BLUES:
        chroma = min(chroma, _BLUE_CHROMA)
    night_lightness, night_chroma = (0.55, 0.02) if kind == DARK else (0.42, chroma * 1.5)
    return oklch_hex(0.945, chroma, hue), oklch_hex(night_lightness, night_chroma, hue)


def tint_of(image: Image.Image) -> int:
    """The tint for a picture, from the hue that most of its coloured pixels share."""
    small = image.convert("RGBA").resize((32, 32))
    pixels = small.tobytes()
    weights = [0.0] * HUE_STEPS
    lightness, seen = 0.0, 0
    for at in range(0, len(pixels), 4):
        red, green, blue, alpha = pixels[at : at + 4]
        hue, light, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
        if alpha < 128 or light > 0.96:
            continue
        seen += 1
        lightness += light
        # An HLS hue of 0 (red) sits near 25 degrees in OKLCH; the rest follows closely enough.
        step = round((hue * 360 + 25) / 360 * HUE_STEPS) % HUE_STEPS
        weights[step] += saturation * (1 - abs(2 * light - 1))
    if not seen:
        return PLAIN
    step = max(range(HUE_STEPS), key=weights.__getitem__)
    colourfulness = weights[step] / seen
    if lightness / seen < 0.35:
        return step * 4 + DARK
    if colourfulness < 0.04:
        return step * 4 + PLAIN
    return step * 4 + (STRONG if colourfulness > 0.45 else SOFT)


def oklch_hex(lightness: float, chroma: float, hue: float) -> str:
    """An OKLCH colour as ``#rrggbb``, with its chroma lowered until a screen can show it."""
    while True:
        channels = _linear_srgb(lightness, chroma, hue)
        if chroma <= 0 or all(-0.0005 <= channel <= 1.0005 for channel in channels):
            return "#" + "".join(f"{_to_byte(channel):02x}" for channel in channels)
        chroma -= 0.002


def _linear_srgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _to_byte(channel: float) -> int:
    channel = min(1.0, max(0.0, channel))
    gamma = 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055
    return round(gamma * 255)
