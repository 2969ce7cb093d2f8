"""Watches and what is worn on the wrist."""

from __future__ import annotations

import math

from local.demo.colour import RGB, SHADE, WHITE, Paint, brightness, dark, light, mix, rgb, veil
from local.demo.kinds import Kind, Look
from local.demo.pen import Pen
from local.demo.shapes import Outline, box, chamfer, mirror, oval, path

STEEL = rgb("#aeb3ba")
SEGMENTS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgecd",
    "7": "abc",
    "8": "abcdefg",
    "9": "abfgcd",
}


def digits(pen: Pen, text: str, x: float, y: float, height: float, paint: Paint) -> None:
    """A time in seven-segment figures, from its top left corner."""
    wide, thick = height * 0.5, height * 0.15
    for letter in text:
        if letter == ":":
            for part in (0.3, 0.7):
                pen.rect(
                    x,
                    y + height * part - thick / 2,
                    x + thick,
                    y + height * part + thick / 2,
                    paint,
                )
            x += thick * 2.1
            continue
        with pen.at(x, y):
            for segment in SEGMENTS[letter]:
                pen.fill(_segment(segment, wide, height, thick), paint)
        x += wide + thick * 0.95


def digits_width(text: str, height: float) -> float:
    thick = height * 0.15
    steps = [thick * 2.1 if letter == ":" else height * 0.5 + thick * 0.95 for letter in text]
    return sum(steps) - thick * 0.95


def _segment(name: str, wide: float, high: float, thick: float) -> Outline:
    gap, half = thick * 0.12, high / 2
    flat = {"a": 0.0, "g": half - thick / 2, "d": high - thick}
    if name in flat:
        y, cut = flat[name], thick / 2
        return [
            (cut + gap, y),
            (wide - cut - gap, y),
            (wide - gap, y + cut),
            (wide - cut - gap, y + thick),
            (cut + gap, y + thick),
            (gap, y + cut),
        ]
    x = 0 if name in "fe" else wide - thick
    top = gap if name in "fb" else half + gap / 2
    bottom = top + half - gap * 1.5
    return [
        (x + thick / 2, top),
        (x + thick, top + thick / 2),
        (x + thick, bottom - thick / 2),
        (x + thick / 2, bottom),
        (x, bottom - thick / 2),
        (x, top + thick / 2),
    ]


def strap(pen: Pen, colour: RGB, style: str, *, near: float, far: float, reach: float) -> None:
    """Both halves of a strap; `near` and `far` are half widths, `reach` is half the height."""
    for side in (-1, 1):
        with pen.at(500, 500, 0, (1, side)):
            half = [(-near, 90), (-near, 190), (-far, reach - 14), (-far + 14, reach)]
            outline = mirror(half, 0)
            pen.solid(outline, colour, right=0.3, depth=0.12, left=0.0)
            with pen.clip(outline):
                _strap_detail(pen, colour, style, near, far, reach, holes=side > 0)


def _strap_detail(
    pen: Pen, colour: RGB, style: str, near: float, far: float, reach: float, *, holes: bool
) -> None:
    line = dark(colour, 0.28) if brightness(colour) > 0.3 else light(colour, 0.25)
    if style == "links":
        for step in range(12):
            y = 150 + step * (reach - 150) / 10
            pen.rect(-near, y, near, y + 5, veil(SHADE, 0.22))
        pen.rect(-near * 0.36, 90, near * 0.36, reach, veil(WHITE, 0.22))
        return
    if style == "leather":
        for x in (-1, 1):
            pen.dashes((x * near * 0.8, 150), (x * far * 0.8, reach - 20), 5, line)
    elif style == "canvas":
        pen.rect(-near * 0.22, 90, near * 0.22, reach, veil(WHITE, 0.2))
        pen.rect(-near * 0.6, 90, -near * 0.48, reach, veil(SHADE, 0.18))
        pen.rect(near * 0.48, 90, near * 0.6, reach, veil(SHADE, 0.18))
    else:
        pen.fill(mirror([(-near * 0.52, 90), (-far * 0.62, reach)], 0), veil(WHITE, 0.09))
    if holes:
        for step in range(3):
            y = reach - 60 - step * 42
            pen.rect(-13, y - 6, 13, y + 6, veil(SHADE, 0.5), r=6)


def _digital_case(shape: str, grow: float = 0) -> Outline:
    if shape == "octagon":
        return chamfer(305 - grow, 310 - grow, 695 + grow, 690 + grow, 92)
    if shape == "round":
        return oval(500, 500, 212 + grow)
    return box(312 - grow, 318 - grow, 688 + grow, 682 + grow, r=84)


def digital_front(pen: Pen, look: Look) -> None:
    shape = look.details["case"]
    strap(pen, look.main, "rubber", near=132, far=98, reach=378)
    for x in (282, 690):
        for y in (405, 545):
            pen.rect(x, y, x + 28, y + 56, dark(look.main, 0.3), r=8)
    pen.solid(_digital_case(shape), dark(look.main, 0.22), right=0.2, depth=0.18)
    pen.fill(_digital_case(shape, -16), look.main)
    pen.line(_digital_case(shape, -30), 8, look.accent, closed=True)
    with pen.clip(_digital_case(shape, -44)):
        pen.rect(200, 200, 800, 800, dark(look.main, 0.45))
    high = 84 if shape != "round" else 76
    glass = (372, 440, 628, 572) if shape != "round" else (384, 446, 616, 566)
    pen.rect(*glass, look.second, r=18)
    with pen.clip(box(*glass, r=18)):
        pen.fill([(560, 430), (640, 430), (640, 580), (490, 580)], veil(WHITE, 0.25))
    hour = look.chance("time").choice(("12:40", "10:25", "08:30", "07:15", "09:50", "06:45"))
    wide = digits_width(hour, high)
    digits(pen, hour, 500 - wide / 2, 506 - high / 2, high, dark(look.second, 0.85))
    pen.rect(448, 606, 552, 620, look.accent, r=7)
    pen.rect(470, 388, 530, 400, veil(WHITE, 0.5), r=6)


def digital_back(pen: Pen, look: Look) -> None:
    shape = look.details["case"]
    strap(pen, dark(look.main, 0.1), "plain", near=132, far=98, reach=378)
    pen.rect(372, 118, 628, 136, STEEL, r=6)
    pen.line([(398, 128), (398, 176), (602, 176), (602, 128)], 12, STEEL)
    pen.rect(494, 120, 506, 180, dark(STEEL, 0.2), r=5)
    for x in (282, 690):
        for y in (405, 545):
            pen.rect(x, y, x + 28, y + 56, dark(look.main, 0.3), r=8)
    pen.solid(_digital_case(shape), dark(look.main, 0.22), right=0.2, depth=0.18)
    plate = oval(500, 500, 148)
    pen.solid(plate, STEEL, right=0.36, depth=0.12, slant=0.3)
    pen.ring(500, 500, 120, 5, dark(STEEL, 0.25))
    for turn in range(45, 405, 90):
        dx, dy = 176 * math.cos(math.radians(turn)), 176 * math.sin(math.radians(turn))
        x, y = round(500 + dx), round(500 + dy)
        pen.disc(x, y, 15, light(STEEL, 0.2))
        pen.line([(x - 8, y - 8), (x + 8, y + 8)], 5, dark(STEEL, 0.5))
    pen.ring(500, 500, 62, 10, veil(SHADE, 0.16))
    pen.fill(path((500, 450), (548, 520, 500, 546), (452, 520, 500, 450)), veil(SHADE, 0.22))


def _hands(pen: Pen, look: Look, radius: float, colour: RGB) -> None:
    minute = look.chance("time").choice((8, 9, 10, 11))
    for turn, length, width in ((300 + minute / 2, 0.5, 15), (minute * 6, 0.76, 11)):
        with pen.at(500, 500, turn):
            pen.line([(0, 0), (0, -radius * length)], width, colour)
    pen.line([(500, 500 + radius * 0.28), (500, 500 - radius * 0.72)], 4.5, look.accent)
    pen.disc(500, 500, 15, look.accent)
    pen.disc(500, 500, 6, colour)


def _markers(pen: Pen, style: str, radius: float, colour: RGB) -> None:
    for hour in range(12):
        with pen.at(500, 500, hour * 30):
            big = hour % 3 == 0
            if style == "dots":
                pen.disc(0, -radius * 0.84, 10 if big else 6, colour)
            elif style == "slim":
                if big:
                    pen.rect(-3, -radius * 0.92, 3, -radius * 0.74, colour, r=3)
            else:
                wide = 8 if big else 5
                pen.rect(-wide, -radius * 0.92, wide, -radius * (0.72 if big else 0.8), colour, r=3)
    if style == "figures":
        for text, x, y in (("12", 500, 352), ("6", 500, 592), ("3", 612, 474), ("9", 388, 474)):
            high = 46
            digits(pen, text, x - digits_width(text, high) / 2, y + 6, high, colour)


def _analogue(pen: Pen, look: Look, *, radius: float, strap_half: float) -> None:
    dial = look.second
    ink = WHITE if brightness(dial) < 0.6 else rgb("#2b2a33")
    style = look.details["strap"]
    colour = look.main
    strap(pen, colour, style, near=strap_half, far=strap_half * 0.76, reach=380)
    metal = _metal(look)
    pen.rect(500 + radius - 8, 474, 500 + radius + 34, 526, dark(metal, 0.15), r=9)
    pen.solid(oval(500, 500, radius), metal, right=0.42, depth=0.16, slant=0.35)
    pen.ring(500, 500, radius - 12, 5, veil(WHITE, 0.35))
    inner = radius - 34
    pen.disc(500, 500, inner + 6, dark(metal, 0.3))
    pen.disc(500, 500, inner, dial)
    with pen.clip(oval(500, 500, inner)):
        pen.fill([(620, 250), (760, 250), (760, 760), (430, 760)], veil(SHADE, 0.1))
    _markers(pen, look.details["dial"], inner, ink)
    if look.details["dial"] != "figures":
        pen.rect(560, 480, 600, 520, light(dial, 0.75) if ink == WHITE else WHITE, r=4)
        digits(pen, "18", 567, 490, 20, rgb("#2b2a33"))
    _hands(pen, look, inner, ink)


def steel_front(pen: Pen, look: Look) -> None:
    _analogue(pen, look, radius=232, strap_half=128)


def slim_front(pen: Pen, look: Look) -> None:
    _analogue(pen, look, radius=204, strap_half=84)


def watch_standing(pen: Pen, look: Look, *, thick: float = 40, case_high: float = 62) -> None:
    """The closed watch seen from its side, resting on the buckle."""
    pen.ground(500, 838, 250)
    metal = _metal(look)
    loop = oval(500, 540, 262, 280)
    inner = oval(500, 540, 262 - thick, 280 - thick)
    pen.line(oval(500, 540, 262 - thick / 2, 280 - thick / 2), thick, look.main)
    pen.line(oval(500, 540, 262 - thick + 5, 280 - thick + 5), 10, dark(look.main, 0.3))
    with pen.clip(loop):
        pen.line(oval(500, 540, 250, 268, turn=(-60, 60)), 24, veil(SHADE, 0.18))
    if look.details.get("strap") == "links":
        for (x0, y0), (x1, y1) in zip(inner[::3], loop[::3], strict=False):
            pen.line([(x0, y0), (x1, y1)], 4, dark(look.main, 0.35))
    else:
        pen.line(oval(500, 540, 252, 270, turn=(150, 215)), 5, light(look.main, 0.3))
    for turn in (52, 66):
        x = 500 + 242 * math.cos(math.radians(turn))
        y = 540 + 260 * math.sin(math.radians(turn))
        with pen.at(x, y, turn):
            pen.rect(-28, -16, 28, 16, dark(look.main, 0.12), r=8)
    pen.rect(426, 796, 574, 838, metal, r=16)
    pen.rect(452, 808, 548, 826, dark(metal, 0.35), r=8)
    pen.solid(mirror([(330, 318), (340, 252), (352, 242)]), metal, right=0.25, depth=0.16)
    pen.rect(318, 252, 682, 252 + case_high, metal, r=20)
    pen.rect(318, 252 + case_high * 0.55, 682, 252 + case_high, veil(SHADE, 0.16), r=(0, 0, 20, 20))
    pen.rect(360, 226, 640, 254, mix(look.second, rgb("#cfe3ef"), 0.5), r=(22, 22, 0, 0))
    pen.rect(380, 234, 470, 242, veil(WHITE, 0.6), r=4)
    pen.rect(474, 266, 526, 302, dark(metal, 0.2), r=8)
    for x in (484, 496, 508):
        pen.rect(x, 268, x + 4, 300, dark(metal, 0.45))


def slim_boxed(pen: Pen, look: Look) -> None:
    """In its gift box, around the cushion."""
    pen.ground(500, 842, 330, 24)
    shell = dark(look.accent, 0.3)
    pen.solid(box(200, 170, 800, 470, r=(30, 30, 0, 0)), shell, right=0.2, depth=0.14)
    pen.rect(236, 206, 764, 470, light(look.second, 0.2), r=(14, 14, 0, 0))
    pen.rect(440, 300, 560, 314, veil(shell, 0.5), r=7)
    pen.solid(box(200, 460, 800, 838, r=(0, 0, 30, 30)), shell, right=0.2, depth=0.14)
    pen.rect(232, 460, 768, 794, dark(shell, 0.35), r=12)
    pen.solid(box(270, 500, 730, 764, r=70), light(look.second, 0.3), right=0.24, depth=0.1)
    pen.rect(440, 486, 560, 778, look.main, r=12)
    pen.rect(526, 486, 560, 778, veil(SHADE, 0.14), r=8)
    metal = _metal(look)
    pen.rect(618, 614, 646, 646, dark(metal, 0.15), r=6)
    pen.solid(oval(500, 630, 128), metal, right=0.42, depth=0.16, slant=0.35)
    with pen.at(500 - 500 * 0.62, 630 - 500 * 0.62, 0, 0.62):
        ink = WHITE if brightness(look.second) < 0.6 else rgb("#2b2a33")
        pen.disc(500, 500, 176, look.second)
        _markers(pen, look.details["dial"], 172, ink)
        _hands(pen, look, 172, ink)
    pen.rect(230, 790, 770, 802, veil(WHITE, 0.16), r=6)


def _metal(look: Look) -> RGB:
    metals = {"gold": "#d3a05a", "rose": "#d59a7c", "black": "#3b3e45"}
    return rgb(metals[look.details["case"]]) if look.details["case"] in metals else STEEL


def kids_front(pen: Pen, look: Look) -> None:
    strap(pen, look.main, "rubber", near=118, far=96, reach=378)
    with pen.at(500, 500):
        for side in (-1, 1):
            for y in (250, 320):
                pen.disc(side * 40, y, 17, veil(WHITE, 0.55))
                pen.disc(-side * 40, -y, 17, veil(WHITE, 0.55))
    if look.details["ears"] == "ears":
        for x in (352, 648):
            pen.disc(x, 330, 72, look.main)
            pen.disc(x, 330, 40, look.accent)
    pen.rect(700, 462, 742, 538, look.accent, r=14)
    pen.solid(oval(500, 500, 218), look.main, right=0.24, depth=0.13, slant=0.3)
    pen.disc(500, 500, 182, light(look.accent, 0.15))
    pen.disc(500, 500, 166, look.second)
    pen.disc(438, 560, 20, veil(look.main, 0.35))
    pen.disc(562, 560, 20, veil(look.main, 0.35))
    pen.line(oval(500, 552, 42, 30, turn=(20, 160)), 10, dark(look.main, 0.3))
    hour = look.chance("time").choice(("7:30", "4:15", "8:20", "3:45"))
    wide = digits_width(hour, 84)
    digits(pen, hour, 500 - wide / 2, 418, 84, dark(look.main, 0.5))


def kids_side(pen: Pen, look: Look) -> None:
    """Laid out flat at a slant, with the spare loops beside it."""
    pen.ground(500, 812, 330, 26)
    with pen.at(500, 520, 58):
        pen.solid(box(-350, -78, 350, 78, r=70), look.main, right=0.2, depth=0.12)
        pen.rect(-330, -20, 330, -8, veil(WHITE, 0.25), r=6)
        for x in (200, 240, 280):
            pen.disc(x, 6, 12, dark(look.main, 0.4))
        pen.rect(-372, -60, -300, 60, look.accent, r=16)
        pen.rect(-350, -36, -322, 36, light(look.accent, 0.5), r=8)
        for x in (-250, 158):
            pen.rect(x, -88, x + 26, 88, dark(look.main, 0.18), r=10)
    with pen.at(500, 520, 0):
        pen.solid(oval(0, 0, 172), look.main, right=0.26, depth=0.14, slant=0.3)
        pen.disc(0, 0, 134, light(look.accent, 0.15))
        pen.disc(0, 0, 118, look.second)
        pen.line(oval(0, -12, 62, 62, turn=(-150, -30)), 12, veil(look.main, 0.7))
        pen.line(oval(0, -12, 34, 34, turn=(-150, -30)), 12, veil(look.main, 0.7))
        pen.disc(0, 6, 12, look.main)
        pen.rect(-48, 46, 48, 62, veil(look.main, 0.5), r=8)


def smart_front(pen: Pen, look: Look) -> None:
    body = rgb("#2b2e35") if look.details["body"] == "dark" else rgb("#d9d6d0")
    strap(pen, look.main, "plain", near=138, far=112, reach=380)
    pen.rect(706, 438, 742, 520, dark(body, 0.2), r=14)
    pen.rect(704, 552, 722, 612, dark(body, 0.25), r=9)
    pen.solid(box(282, 276, 718, 724, r=112), body, right=0.2, depth=0.2)
    pen.rect(304, 298, 696, 702, rgb("#121418"), r=94)
    with pen.clip(box(304, 298, 696, 702, r=94)):
        pen.fill([(560, 290), (710, 290), (710, 710), (380, 710)], veil(WHITE, 0.04))
    face = look.details["face"]
    if face == "rings":
        _rings(pen, look)
    elif face == "digital":
        _smart_digits(pen, look)
    else:
        _smart_pulse(pen, look)


def _rings(pen: Pen, look: Look) -> None:
    colours = (rgb("#67c58a"), rgb("#e0992f"), rgb("#5b9bdd"))
    for i, colour in enumerate(colours):
        radius = 138 - i * 42
        end = look.chance("ring", i).randint(120, 250)
        pen.ring(500, 500, radius, 26, dark(colour, 0.75))
        pen.line(oval(500, 500, radius, turn=(-90, end)), 26, colour)


def _smart_digits(pen: Pen, look: Look) -> None:
    digits(pen, "10", 500 - digits_width("10", 128) / 2 - 14, 340, 128, WHITE)
    digits(pen, "24", 500 - digits_width("24", 128) / 2, 490, 128, look.accent)
    for i, colour in enumerate((rgb("#67c58a"), rgb("#e0992f"), rgb("#5b9bdd"))):
        pen.disc(440 + i * 60, 656, 16, colour)


def _smart_pulse(pen: Pen, look: Look) -> None:
    beat = [(340, 520), (420, 520), (450, 470), (490, 590), (530, 420), (562, 520), (660, 520)]
    pen.line(beat, 14, rgb("#ef6a5e"))
    heart = path((500, 420), (440, 372, 452, 330, 482, 334), (498, 338, 500, 356))
    pen.fill(mirror(list(reversed(heart))), rgb("#ef6a5e"))
    digits(pen, "72", 500 - digits_width("72", 64) / 2, 606, 64, WHITE)


def smart_charging(pen: Pen, look: Look) -> None:
    """The back with its sensors, on the charging cable."""
    body = rgb("#2b2e35") if look.details["body"] == "dark" else rgb("#d9d6d0")
    strap(pen, dark(look.main, 0.12), "plain", near=138, far=112, reach=380)
    pen.rect(258, 438, 294, 520, dark(body, 0.2), r=14)
    pen.solid(box(282, 276, 718, 724, r=112), body, right=0.2, depth=0.2)
    pen.disc(500, 500, 168, mix(body, rgb("#15171b"), 0.7))
    pen.ring(500, 500, 164, 6, veil(WHITE, 0.2))
    pen.disc(500, 500, 96, rgb("#1a1d22"))
    for turn in range(0, 360, 90):
        with pen.at(500, 500, turn):
            pen.rect(-22, -74, 22, -40, rgb("#2f6b4d"), r=10)
    pen.disc(500, 500, 24, rgb("#7fe0a5"))
    for x in (452, 548):
        pen.disc(x, 636, 11, rgb("#d7b46a"))
    pen.disc(500, 636, 11, rgb("#d7b46a"))


def band_front(pen: Pen, look: Look) -> None:
    pen.solid(
        mirror([(420, 140), (404, 160), (392, 500), (408, 842), (424, 862)]),
        look.main,
        right=0.3,
        depth=0.14,
    )
    for y in range(712, 850, 40):
        pen.disc(500, y, 12, dark(look.main, 0.4))
    pen.solid(box(372, 248, 628, 752, r=116), dark(look.main, 0.25), right=0.22, depth=0.2)
    pen.rect(390, 266, 610, 734, rgb("#111317"), r=98)
    digits(pen, "09", 500 - digits_width("09", 104) / 2, 322, 104, WHITE)
    digits(pen, "41", 500 - digits_width("41", 104) / 2 - 16, 442, 104, WHITE)
    pen.rect(430, 584, 570, 598, veil(WHITE, 0.2), r=7)
    pen.rect(430, 584, 430 + look.chance("steps").randint(60, 130), 598, look.accent, r=7)
    for i, colour in enumerate((look.accent, rgb("#ef6a5e"), rgb("#5b9bdd"))):
        pen.disc(450 + i * 50, 650, 17, colour)


def band_curled(pen: Pen, look: Look) -> None:
    pen.ground(500, 824, 280)
    with pen.at(500, 0):
        pen.line(oval(0, 520, 240, 268), 66, look.main)
        pen.line(oval(0, 520, 212, 240), 12, dark(look.main, 0.35))
        pen.line(oval(0, 520, 262, 290, turn=(-50, 50)), 14, veil(SHADE, 0.2))
    pen.solid(box(336, 210, 664, 306, r=46), dark(look.main, 0.3), right=0.22, depth=0.2)
    pen.rect(352, 204, 648, 244, rgb("#15181d"), r=20)
    pen.rect(380, 214, 500, 224, veil(WHITE, 0.3), r=5)
    pen.rect(430, 262, 570, 280, look.accent, r=9)
    for turn in (60, 76, 92):
        x, y = 500 + 240 * math.cos(math.radians(turn)), 520 + 268 * math.sin(math.radians(turn))
        pen.disc(x, y, 12, dark(look.main, 0.45))


_CASES = ("steel", "gold", "black", "rose")
KINDS = (
    Kind(
        name="digital_watch",
        front=digital_front,
        second=digital_back,
        colours=("#3a404b", "#e0912f", "#d3dac6"),
        details={"case": ("octagon", "round", "square")},
    ),
    Kind(
        name="steel_watch",
        front=steel_front,
        second=watch_standing,
        colours=("#a3a8b0", "#e0912f", "#2c4f86"),
        details={
            "case": _CASES,
            "strap": ("links", "leather", "canvas"),
            "dial": ("bars", "dots", "figures"),
        },
        tint_from="second",
    ),
    Kind(
        name="slim_watch",
        front=slim_front,
        second=slim_boxed,
        colours=("#7a4632", "#c98a4b", "#f7ead9"),
        details={
            "case": ("rose", "gold", "steel"),
            "strap": ("leather", "links", "plain"),
            "dial": ("slim", "dots"),
        },
    ),
    Kind(
        name="kids_watch",
        front=kids_front,
        second=kids_side,
        colours=("#e0607a", "#f6c453", "#fff6e6"),
        details={"ears": ("ears", "round")},
    ),
    Kind(
        name="smart_watch",
        front=smart_front,
        second=smart_charging,
        colours=("#6f8276", "#67c58a", "#121418"),
        details={"face": ("rings", "digital", "pulse"), "body": ("dark", "light")},
    ),
    Kind(
        name="fitness_band",
        front=band_front,
        second=band_curled,
        colours=("#4b5b7d", "#67c58a", "#111317"),
    ),
)
