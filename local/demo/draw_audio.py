"""Things that make sound."""

from __future__ import annotations

from local.demo.colour import RGB, SHADE, WHITE, dark, light, rgb, veil
from local.demo.draw_watches import STEEL, digits, digits_width
from local.demo.kinds import Kind, Look
from local.demo.pen import Pen
from local.demo.shapes import Outline, box, flip, oval, path


def _bud(pen: Pen, colour: RGB, *, stem: bool) -> None:
    """One earbud around (0, 0), tip to the left."""
    if stem:
        pen.solid(box(2, 0, 52, 190, r=25), colour, right=0.4, depth=0.12)
        pen.rect(14, 164, 40, 174, veil(SHADE, 0.35), r=5)
    pen.solid(oval(6, 0, 68, 62), colour, right=0.35, depth=0.12, slant=0.2)
    pen.disc(-26, 2, 30, dark(colour, 0.42), 34)
    pen.disc(-30, 2, 17, dark(colour, 0.65), 21)
    pen.disc(22, -20, 14, veil(WHITE, 0.35), 10)


def _charging_case(pen: Pen, colour: RGB, accent: RGB, top: float, *, shape: str) -> None:
    radius = 120 if shape == "pebble" else 56
    body = box(268, top, 732, top + 296, r=radius)
    pen.solid(body, colour, right=0.26, depth=0.11)
    with pen.clip(body):
        pen.rect(268, top, 732, top + 104, veil(WHITE, 0.12))
        pen.rect(268, top + 104, 732, top + 110, veil(SHADE, 0.32))
        pen.rect(268, top + 250, 732, top + 300, veil(SHADE, 0.06))
    pen.rect(450, top + 92, 550, top + 124, dark(colour, 0.2), r=15)
    pen.disc(500, top + 178, 13, accent)


def earbuds_front(pen: Pen, look: Look) -> None:
    stem = look.has("shape", "stem")
    high = 244 if stem else 340
    with pen.at(-100, -110 if stem else -160, 0, 1.2):
        pen.ground(500, 806, 230)
        _charging_case(pen, look.main, look.accent, 500, shape=look.details["case"])
        with pen.at(366, high, -6, 1.08 if stem else 1.3):
            _bud(pen, look.main, stem=stem)
        with pen.at(634, high, 6, (-1.08, 1.08) if stem else (-1.3, 1.3)):
            _bud(pen, look.main, stem=stem)


def earbuds_open(pen: Pen, look: Look) -> None:
    """The case open from above, both buds at home."""
    pen.ground(500, 818, 260)
    lid = box(250, 190, 750, 470, r=(120, 120, 30, 30))
    pen.solid(lid, light(look.main, 0.12), right=0.22, depth=0.1)
    pen.rect(286, 226, 714, 470, dark(look.main, 0.14), r=(92, 92, 10, 10))
    pen.rect(330, 270, 470, 284, veil(WHITE, 0.3), r=7)
    body = box(250, 460, 750, 812, r=(30, 30, 130, 130))
    pen.solid(body, look.main, right=0.22, depth=0.12)
    pen.rect(284, 478, 716, 640, dark(look.main, 0.34), r=70)
    for x, turn in ((400, 0), (600, 0)):
        with pen.at(x, 560, turn, (1 if x < 500 else -1, 1)):
            pen.solid(oval(0, 0, 78, 66), light(look.main, 0.1), right=0.35, depth=0.14)
            pen.disc(-22, -16, 20, veil(WHITE, 0.4), 14)
            pen.rect(-8, 28, 26, 60, light(look.main, 0.02), r=14)
    pen.disc(500, 716, 14, look.accent)
    pen.rect(440, 442, 560, 462, dark(look.main, 0.3), r=8)


def headphones_front(pen: Pen, look: Look) -> None:
    band = path((262, 560), (236, 160, 764, 160, 738, 560))
    pen.line(band, 62, look.main)
    pen.line(path((300, 470), (320, 226, 680, 226, 700, 470)), 22, look.second)
    pen.line(path((372, 262), (500, 214, 628, 262)), 10, veil(WHITE, 0.22))
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.rect(-262, 452, -214, 580, STEEL, r=18)
            pen.rect(-206, 520, -136, 800, look.second, r=34)
            pen.solid(box(-300, 508, -178, 812, r=60), look.main, right=0.34, depth=0.14)
            pen.rect(-282, 560, -268, 760, veil(WHITE, 0.24), r=7)
            pen.disc(-240, 660, 26, look.accent)
    pen.rect(724, 700, 790, 720, dark(look.main, 0.4), r=8)


def headphones_side(pen: Pen, look: Look) -> None:
    """Folded flat: the band behind, both cups turned to the buyer."""
    pen.ground(500, 822, 350, 24)
    pen.line(path((236, 600), (230, 190, 770, 190, 764, 600)), 64, look.main)
    pen.line(path((296, 470), (330, 258, 670, 258, 704, 470)), 20, look.second)
    for x in (306, 694):
        pen.rect(x - 26, 400, x + 26, 520, STEEL, r=18)
        pen.disc(x + 14, 636, 172, look.second, 182)
        pen.solid(oval(x, 634, 172, 182), look.main, right=0.32, depth=0.13, slant=0.25)
        pen.ring(x, 634, 128, 6, veil(WHITE, 0.2), 136)
        pen.disc(x, 634, 96, dark(look.main, 0.18), 102)
        pen.ring(x, 634, 96, 9, look.accent, 102)
        pen.line(oval(x, 634, 44, 47, turn=(-60, 60)), 10, veil(WHITE, 0.4))
        pen.disc(x - 8, 634, 14, veil(WHITE, 0.55))
    pen.line(path((380, 300), (500, 262, 620, 300)), 10, veil(WHITE, 0.22))


def wired_front(pen: Pen, look: Look) -> None:
    left = path((372, 330), (380, 480, 470, 520, 486, 600))
    pen.line(left, 15, look.main)
    pen.line(flip(left), 15, look.main)
    tail = path((500, 600), (500, 700, 330, 690, 330, 770), (330, 860, 640, 850, 640, 780))
    pen.line(tail, 17, look.main)
    pen.line([(640, 780), (640, 706)], 17, look.main)
    pen.rect(474, 576, 526, 640, look.accent, r=16)
    pen.rect(616, 640, 664, 724, look.main, r=14)
    pen.rect(630, 560, 650, 642, rgb("#d7b46a"), r=6)
    for y in (590, 614):
        pen.rect(630, y, 650, y + 5, dark(rgb("#d7b46a"), 0.5))
    pen.rect(392, 440, 424, 530, dark(look.main, 0.25), r=15)
    pen.disc(408, 470, 7, look.accent)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.solid(box(-158, 190, -98, 360, r=28), look.main, right=0.4, depth=0.14)
            pen.solid(oval(-146, 206, 76, 74), look.main, right=0.3, depth=0.12)
            pen.disc(-112, 208, 38, look.accent, 42)
            pen.disc(-92, 208, 30, dark(look.second, 0.1), 36)
            pen.disc(-176, 184, 14, veil(WHITE, 0.35))


def wired_coiled(pen: Pen, look: Look) -> None:
    pen.ground(500, 836, 290, 26)
    for radius, height in ((232, 0), (202, 10), (170, -6), (214, 22)):
        pen.line(oval(500, 600 + height, radius, radius * 0.92), 15, look.main)
        pen.line(
            oval(500, 600 + height, radius, radius * 0.92, turn=(20, 80)), 15, veil(SHADE, 0.16)
        )
    pen.rect(462, 380, 538, 452, look.accent, r=16)
    pen.rect(462, 402, 538, 410, veil(SHADE, 0.25))
    for x, turn in ((392, -24), (604, 20)):
        with pen.at(x, 260, turn):
            pen.line([(0, 40), (0, 170)], 15, look.main)
            pen.solid(box(-26, -20, 26, 110, r=24), look.main, right=0.4, depth=0.14)
            pen.solid(oval(0, -34, 70, 66), look.main, right=0.3, depth=0.12)
            pen.disc(0, -40, 44, look.accent, 42)
            pen.disc(0, -44, 30, dark(look.second, 0.1), 28)
    pen.rect(690, 640, 728, 720, look.main, r=12)
    pen.rect(701, 716, 717, 790, rgb("#d7b46a"), r=6)


def _grille(pen: Pen, outline: Outline, colour: RGB, gap: float = 34) -> None:
    x0, y0 = min(x for x, _ in outline), min(y for _, y in outline)
    x1, y1 = max(x for x, _ in outline), max(y for _, y in outline)
    rows = int((y1 - y0) / gap)
    for row in range(rows):
        shift = gap / 2 if row % 2 else 0
        for column in range(int((x1 - x0) / gap)):
            pen.disc(
                x0 + gap / 2 + column * gap + shift, y0 + gap / 2 + row * gap, gap * 0.22, colour
            )


def speaker_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 756, 330, 26)
    pen.line(path((700, 330), (700, 190, 836, 190, 840, 330)), 26, look.accent)
    pen.rect(400, 262, 560, 320, dark(look.main, 0.25), r=22)
    pen.solid(box(156, 292, 844, 742, r=190), look.main, right=0.24, depth=0.16)
    pen.fill(box(212, 344, 788, 690, r=146), dark(look.main, 0.16))
    mesh = box(268, 384, 760, 660)
    with pen.clip(box(262, 376, 738, 658, r=110)):
        if look.has("front", "dots"):
            _grille(pen, mesh, light(look.main, 0.3))
        else:
            for x in range(280, 740, 34):
                pen.rect(x, 380, x + 15, 660, light(look.main, 0.2), r=7)
    pen.disc(192, 520, 11, rgb("#7fe0a5"))


def speaker_tall(pen: Pen, look: Look) -> None:
    """Standing on its end, seen from the side with its buttons."""
    pen.ground(500, 862, 200)
    pen.line(path((620, 260), (760, 240, 770, 420, 650, 430)), 24, look.accent)
    pen.solid(box(320, 150, 680, 858, r=160), look.main, right=0.28, depth=0.16)
    pen.rect(352, 260, 648, 760, dark(look.main, 0.16), r=60)
    pen.disc(500, 400, 116, dark(look.main, 0.4))
    pen.ring(500, 400, 112, 10, look.accent)
    pen.disc(500, 400, 56, light(look.main, 0.16))
    pen.disc(482, 380, 20, veil(WHITE, 0.25))
    for y, sign in ((580, "+"), (650, "o"), (720, "-")):
        pen.disc(500, y, 28, light(look.main, 0.14))
        if sign == "o":
            pen.ring(500, y, 10, 5, WHITE)
        else:
            pen.rect(488, y - 3, 512, y + 3, WHITE)
        if sign == "+":
            pen.rect(497, y - 12, 503, y + 12, WHITE)
    pen.rect(440, 204, 560, 222, veil(WHITE, 0.22), r=9)


def radio_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 776, 340, 26)
    pen.line([(268, 330), (190, 130)], 12, STEEL)
    pen.disc(190, 130, 13, dark(STEEL, 0.2))
    pen.line(
        path((300, 320), (300, 216), (320, 200), (680, 200), (700, 216), (700, 320)),
        30,
        look.second,
    )
    pen.solid(box(160, 306, 840, 766, r=52), look.main, right=0.2, depth=0.13)
    pen.rect(190, 336, 810, 736, light(look.main, 0.12), r=34)
    pen.disc(364, 536, 158, dark(look.second, 0.1))
    with pen.clip(oval(364, 536, 146)):
        for y in range(392, 690, 30):
            pen.rect(200, y, 530, y + 14, light(look.second, 0.22), r=7)
    pen.ring(364, 536, 158, 12, look.accent)
    pen.rect(560, 384, 776, 486, rgb("#f6ecd2"), r=14)
    for i in range(9):
        tall = 34 if i % 2 == 0 else 20
        pen.rect(580 + i * 22, 402, 584 + i * 22, 402 + tall, rgb("#6b5b45"))
    pen.rect(636 + look.seed % 5 * 16, 394, 643 + look.seed % 5 * 16, 476, look.accent)
    for x in (614, 724):
        pen.disc(x, 602, 52, dark(look.second, 0.05))
        pen.disc(x, 602, 38, light(look.second, 0.16))
        pen.rect(x - 5, 568, x + 5, 596, WHITE, r=5)
    pen.disc(668, 692, 13, rgb("#7fe0a5"))


def radio_back(pen: Pen, look: Look) -> None:
    pen.ground(500, 776, 340, 26)
    pen.line([(740, 330), (770, 120)], 12, STEEL)
    pen.disc(770, 120, 13, dark(STEEL, 0.2))
    pen.line(
        path((300, 320), (300, 216), (320, 200), (680, 200), (700, 216), (700, 320)),
        30,
        look.second,
    )
    pen.solid(box(160, 306, 840, 766, r=52), dark(look.main, 0.1), right=0.2, depth=0.13)
    pen.rect(330, 476, 670, 716, dark(look.main, 0.22), r=24)
    pen.rect(460, 492, 540, 512, veil(WHITE, 0.25), r=8)
    for y in range(360, 450, 26):
        pen.rect(250, y, 590, y + 11, dark(look.main, 0.42), r=5)
    pen.disc(716, 408, 38, dark(look.main, 0.4))
    pen.disc(716, 408, 18, rgb("#15171b"))
    pen.rect(692, 512, 778, 566, rgb("#24272d"), r=10)
    pen.rect(716, 528, 754, 550, STEEL, r=5)
    for x, y in ((196, 344), (804, 344), (196, 728), (804, 728)):
        pen.disc(x, y, 13, STEEL)
    for i in range(4):
        pen.rect(360 + i * 72, 556, 420 + i * 72, 690, dark(look.main, 0.3), r=26)


def soundbar_front(pen: Pen, look: Look) -> None:
    pen.ground(390, 796, 200)
    pen.ground(720, 796, 130, 16)
    pen.solid(box(110, 250, 890, 404, r=44), look.main, right=0.16, depth=0.16)
    with pen.clip(box(140, 276, 860, 380, r=30)):
        pen.rect(110, 250, 890, 404, dark(look.main, 0.3))
        _grille(pen, box(140, 270, 880, 400), light(look.main, 0.18), 26)
    pen.rect(446, 300, 554, 356, rgb("#14161a"), r=10)
    digits(pen, "20", 500 - digits_width("20", 34) / 2, 311, 34, look.accent)
    pen.solid(box(250, 468, 530, 790, r=30), look.main, right=0.3, depth=0.16)
    pen.disc(390, 640, 104, dark(look.main, 0.35))
    pen.ring(390, 640, 100, 9, look.accent)
    pen.disc(390, 640, 46, light(look.main, 0.14))
    pen.solid(box(660, 500, 780, 790, r=36), dark(look.main, 0.1), right=0.35, depth=0.16)
    for row in range(4):
        for column in range(2):
            pen.disc(700 + column * 40, 600 + row * 44, 13, light(look.main, 0.3))
    pen.disc(720, 548, 17, rgb("#e0584a"))


def soundbar_ports(pen: Pen, look: Look) -> None:
    pen.ground(500, 706, 400, 24)
    with pen.at(500, 520, -9):
        pen.solid(box(-400, -130, 400, 130, r=60), look.main, right=0.2, depth=0.18)
        pen.rect(-372, -100, 372, -40, light(look.main, 0.12), r=28)
        pen.rect(-200, -10, 240, 96, rgb("#14161a"), r=20)
        for x, colour in ((-140, "#e0584a"), (-60, "#f3efe6"), (20, "#5b9bdd")):
            pen.disc(x, 42, 28, rgb(colour))
            pen.disc(x, 42, 13, rgb("#14161a"))
        pen.rect(80, 26, 200, 62, STEEL, r=6)
        pen.rect(92, 36, 188, 52, rgb("#2a2d33"), r=4)
        for x in (-300, -330, 310, 340):
            pen.disc(x, -70, 11, look.accent)
        pen.disc(-300, 42, 34, dark(look.main, 0.4))
        pen.disc(310, 42, 34, dark(look.main, 0.4))


KINDS = (
    Kind(
        name="earbuds",
        front=earbuds_front,
        second=earbuds_open,
        colours=("#ddd3bf", "#4fae7d", "#6b645c"),
        details={"shape": ("stem", "round"), "case": ("pebble", "square")},
    ),
    Kind(
        name="headphones",
        front=headphones_front,
        second=headphones_side,
        colours=("#3c4a63", "#e8a54b", "#22262e"),
    ),
    Kind(
        name="wired_earphones",
        front=wired_front,
        second=wired_coiled,
        colours=("#c8473f", "#2d2f36", "#4a4d55"),
    ),
    Kind(
        name="speaker",
        front=speaker_front,
        second=speaker_tall,
        colours=("#4d3f66", "#7a66a0", "#2b2540"),
        details={"front": ("dots", "bars")},
    ),
    Kind(
        name="radio",
        front=radio_front,
        second=radio_back,
        colours=("#b5623f", "#e9b35a", "#3b302b"),
    ),
    Kind(
        name="soundbar",
        front=soundbar_front,
        second=soundbar_ports,
        colours=("#33363e", "#e0992f", "#5b6069"),
    ),
)
