"""The 64 grounds a product picture can stand on, and choosing one from the picture's own colour.

A tint is ``hue step * 4 + kind``. There are sixteen hue steps of 22.5 degrees. The kinds are:
0 plain (black, white and grey things), 1 soft (most things), 2 dark (a dark thing, which needs
a lighter ground at night or it vanishes) and 3 strong (a thing of one bright colour).
"""

from __future__ import annotations

import colorsys
import math

from PIL import Image, ImageChops, ImageDraw, ImageFilter

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


def without_ground(image: Image.Image) -> Image.Image:
    """The picture with a flat, pale, tinted ground taken away: the thing stands on our tint.

    What is connected to the corners goes, and what is exactly the ground's colour inside, so a
    white dial stays white; a soft shadow at the bottom becomes a real one. A picture whose edge
    is not one pale colour comes back as it was, and so does one on plain white: too many
    things are white themselves.
    """
    picture = image.convert("RGB")
    ground = _flat_ground(picture)
    if ground is None or min(ground) > _WHITE:
        return image
    # How bright each pixel is beside the ground, by channel: 255 is the ground itself, and 0
    # anything lighter, which is a white thing and neither ground nor shadow.
    bands = [
        band.point([_beside(value, ground[at]) for value in range(256)])
        for at, band in enumerate(picture.split())
    ]
    darkest = ImageChops.darker(ImageChops.darker(bands[0], bands[1]), bands[2])
    lightest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    is_even = _up_to(ImageChops.difference(lightest, darkest), _EVEN)
    is_low = Image.new("L", picture.size)
    is_low.paste(255, (0, round(picture.height * _FLOOR), *picture.size))
    is_shadow = ImageChops.darker(ImageChops.darker(is_even, _from(darkest, _SHADE)), is_low)
    is_ground = ImageChops.lighter(_from(darkest, 255 - _SAME), is_shadow)
    # Filling is slow, so it happens on a small copy; the full size says where the edges are.
    small = is_ground.resize(_FILL, Image.Resampling.NEAREST)
    for corner in ((0, 0), (_FILL[0] - 1, 0), (0, _FILL[1] - 1), (_FILL[0] - 1, _FILL[1] - 1)):
        if small.getpixel(corner) == 255:
            ImageDraw.floodfill(small, corner, 128)
    outside = grown(small.point(lambda value: 255 if value == 128 else 0), 1)
    gone = ImageChops.darker(is_ground, outside.resize(picture.size, Image.Resampling.NEAREST))
    # Enclosed ground, as inside a coil, is told by being exactly it, over more than a few pixels.
    exact = shrunk(_from(darkest, 255 - _EXACT), 4)
    gone = ImageChops.lighter(gone, grown(exact, 4))
    # One pixel more, softly: where thing and ground were mixed there would be a pale rim.
    rim = grown(gone, 1).filter(ImageFilter.BoxBlur(1))
    shadow = darkest.point([0 if 255 - value <= _SAME else 255 - value for value in range(256)])
    alpha = Image.composite(shadow, ImageChops.invert(rim), gone)
    cut = Image.composite(Image.new("RGB", picture.size), picture, gone).convert("RGBA")
    cut.putalpha(alpha)
    return cut


def _beside(value: int, ground: int) -> int:
    return 0 if value > ground + _SAME else min(255, round(value * 255 / ground))


def grown(mask: Image.Image, by: int) -> Image.Image:
    """A mask of 0 and 255, its shapes larger by so many pixels, as Pillow's slow MaxFilter has it:
    the mean is above 0 wherever one pixel nearby is."""
    return _from(mask.filter(ImageFilter.BoxBlur(by)), 1)


def shrunk(mask: Image.Image, by: int) -> Image.Image:
    """A mask of 0 and 255, its shapes smaller by so many pixels: where all nearby are 255."""
    return _from(mask.filter(ImageFilter.BoxBlur(by)), 255)


def _from(image: Image.Image, least: int) -> Image.Image:
    return image.point(lambda value: 255 if value >= least else 0)


def _up_to(image: Image.Image, most: int) -> Image.Image:
    return image.point(lambda value: 255 if value <= most else 0)


_FILL = (240, 240)
_SAME = 3  # levels of 255 that a ground may differ in itself
_EXACT = 0
_EVEN = 5  # a shadow darkens all channels alike
_SHADE = 196  # darker than this beside the ground is a thing, not a shadow
_FLOOR = 0.8  # shadows on the ground are at the bottom
_WHITE = 250


def _flat_ground(picture: Image.Image) -> tuple[int, int, int] | None:
    """The one pale colour all around the picture, or None."""
    width, height = picture.size
    if min(width, height) < 32:
        return None
    edges = [
        picture.crop(box)
        for box in (
            (0, 0, width, 2),
            (0, height - 2, width, height),
            (0, 0, 2, height),
            (width - 2, 0, width, height),
        )
    ]
    spans = [edge.getextrema() for edge in edges]
    ground = []
    for band in range(3):
        low = min(span[band][0] for span in spans)  # type: ignore[index]
        high = max(span[band][1] for span in spans)  # type: ignore[index]
        if high - low > _SAME or low < 200:
            return None
        ground.append(round((low + high) / 2))
    return ground[0], ground[1], ground[2]


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
