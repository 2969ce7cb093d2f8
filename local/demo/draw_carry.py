"""Shoes, and bags to carry things in."""

from __future__ import annotations

from local.demo.colour import SHADE, WHITE, dark, light, rgb, veil
from local.demo.draw_clothes import seam
from local.demo.kinds import Kind, Look
from local.demo.patterns import print_on
from local.demo.pen import Pen
from local.demo.shapes import Outline, box, mirror, oval, path

BRASS = rgb("#c9a05a")


def _sneaker(pen: Pen, look: Look) -> None:
    """One shoe from its outside, toe to the right, in a frame of 760 by 400 from (0, 0)."""
    upper = path(
        (30, 300),
        (10, 150, 20, 60),
        (70, 20, 150, 40),
        (190, 90, 280, 70),
        (420, 150, 560, 190),
        (690, 214, 736, 300),
        (736, 330),
        (30, 330),
    )
    pen.solid(upper, look.main, right=0.24, depth=0.11)
    with pen.clip(upper):
        pen.fill(
            path((560, 180), (560, 260, 600, 340), (780, 340), (760, 180)), light(look.main, 0.16)
        )
        pen.fill(path((0, 0), (150, 30), (140, 160, 170, 340), (0, 340)), dark(look.main, 0.16))
        pen.fill(
            path((220, 340), (300, 210, 470, 140), (540, 176), (420, 230, 360, 340)), look.accent
        )
    tongue = path((150, 44), (166, -20, 230, -10), (260, 20, 290, 74), (230, 92, 150, 44))
    pen.fill(tongue, light(look.main, 0.24))
    for i in range(4):
        x, y = 286 + i * 62, 76 + i * 27
        pen.line([(x, y), (x - 46, y + 66)], 14, light(look.second, 0.1))
        pen.disc(x - 48, y + 70, 9, dark(look.main, 0.45))
    sole = path(
        (22, 312),
        (20, 390),
        (24, 404, 44, 404),
        (700, 404),
        (772, 396, 756, 330),
        (752, 306, 736, 306),
        (400, 326, 22, 312),
    )
    pen.solid(sole, look.second, right=0.2, depth=0.1)
    pen.line(path((28, 372), (400, 378, 752, 366)), 9, veil(SHADE, 0.22))
    for x in range(60, 740, 44):
        pen.rect(x, 392, x + 22, 406, veil(SHADE, 0.25))
    pen.disc(96, 190, 26, look.accent)


def sneakers_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 724, 400, 24)
    with pen.at(110, 316, 0, 1.02):
        _sneaker(pen, look)


def sneakers_top(pen: Pen, look: Look) -> None:
    """The pair from above."""
    for side in (1, -1):
        with pen.at(500, 500, 0, (side, 1)), pen.at(-168, 20, -6):
            outline = path(
                (0, -360),
                (-120, -360, -132, -180),
                (-140, 0, -108, 120),
                (-116, 330, 0, 340),
                (116, 330, 108, 120),
                (132, 0, 124, -180),
                (112, -360, 0, -360),
            )
            pen.fill([(x * 1.08, y * 1.04 + 4) for x, y in outline], look.second)
            pen.solid(outline, look.main, right=0.3, depth=0.11)
            with pen.clip(outline):
                pen.fill(
                    path((-150, -190), (0, -110, 150, -190), (150, -400), (-150, -400)),
                    light(look.main, 0.16),
                )
                pen.fill([(-150, 250), (150, 250), (150, 400), (-150, 400)], look.accent)
            opening = oval(0, 170, 78, 128)
            pen.fill(opening, dark(look.main, 0.5))
            pen.fill(oval(0, 190, 58, 98), light(look.second, 0.1))
            pen.solid(box(-54, -150, 54, 110, r=34), light(look.main, 0.24), right=0.3, depth=0.08)
            for i in range(4):
                y = -110 + i * 52
                pen.line([(-70, y), (70, y + 12)], 15, look.second)
                for x in (-74, 74):
                    pen.disc(x, y + (12 if x > 0 else 0), 9, dark(look.main, 0.45))


def _sole(x: float, side: int) -> Outline:
    outline = path(
        (0, -350),
        (-120, -340, -118, -190),
        (-110, -60, -84, 40),
        (-110, 190, -92, 270),
        (-60, 350, 0, 350),
        (70, 350, 98, 270),
        (116, 160, 100, 40),
        (134, -100, 128, -200),
        (116, -350, 0, -350),
    )
    return [(x + side * px, py) for px, py in outline]


def sandals_front(pen: Pen, look: Look) -> None:
    """The pair from above."""
    for side in (1, -1):
        with pen.at(500 - side * 162, 500, -5 * side):
            sole = _sole(0, side)
            pen.fill([(x * 1.04 + 8, y * 1.02 + 14) for x, y in sole], veil(SHADE, 0.12))
            pen.fill([(x * 1.05, y * 1.03) for x, y in sole], look.second)
            pen.solid(sole, light(look.second, 0.28), right=0.3, depth=0.08)
            if look.has("straps", "toe"):
                pen.line(path((0, -230), (-70 * side, -160, -116 * side, -20)), 42, look.main)
                pen.line(path((0, -230), (70 * side, -160, 112 * side, -20)), 42, look.main)
                pen.disc(0, -228, 24, look.accent)
            else:
                for y, high in ((-210, 90), (-30, 76)):
                    band = path(
                        (-136, y),
                        (0, y - 70, 136, y),
                        (132, y + high),
                        (0, y + high - 60, -130, y + high),
                    )
                    pen.solid(band, look.main, right=0.28, depth=0.12)
                    pen.dashes((-108, y + 16), (108, y + 16), 4, seam(look.main))
                pen.line(path((-106, 90), (0, 190, 110, 90)), 34, look.main)
                pen.rect(76, 70, 124, 124, look.accent, r=8)
                pen.rect(88, 82, 112, 112, look.main, r=4)


def sandals_side(pen: Pen, look: Look) -> None:
    pen.ground(500, 736, 400, 24)
    sole = path(
        (100, 640),
        (90, 700, 110, 716),
        (500, 726, 880, 716),
        (910, 700, 900, 640),
        (880, 606, 800, 640),
        (500, 690, 320, 620),
        (200, 590, 100, 640),
    )
    pen.solid(sole, look.second, right=0.24, depth=0.12)
    pen.line(
        path((104, 640), (200, 594, 320, 622), (500, 690, 800, 640), (880, 610, 898, 640)),
        18,
        light(look.second, 0.35),
    )
    for x in range(140, 880, 50):
        pen.rect(x, 704, x + 26, 722, veil(SHADE, 0.22))
    if look.has("straps", "toe"):
        pen.line(path((420, 650), (620, 420, 800, 560)), 50, look.main)
        pen.line(path((800, 560), (820, 600, 822, 640)), 26, look.main)
        pen.disc(800, 556, 26, look.accent)
    else:
        for x, high in ((570, 470), (726, 520)):
            band = path(
                (x - 52, 664), (x - 40, high, x + 30, high), (x + 84, high + 6, x + 90, 650)
            )
            band += path(
                (x + 44, 662),
                (x + 44, high + 74, x + 22, high + 70),
                (x - 4, high + 80, x - 8, 672),
            )
            pen.solid(band, look.main, right=0.3, depth=0.12)
        pen.line(path((500, 668), (520, 560, 548, 520)), 5, seam(look.main))
        pen.line(
            path((200, 600), (180, 440, 300, 400), (380, 380, 440, 430), (470, 520, 450, 660)),
            48,
            look.main,
        )
        pen.rect(392, 396, 452, 470, look.accent, r=8)
        pen.rect(406, 412, 438, 454, look.main, r=4)


def shoes_front(pen: Pen, look: Look) -> None:
    """A leather lace-up from its side, toe to the right."""
    pen.ground(500, 744, 400, 24)
    upper = path(
        (150, 660),
        (110, 500, 140, 350),
        (200, 330, 330, 352),
        (420, 400, 520, 470),
        (690, 500, 800, 560),
        (876, 600, 872, 672),
        (150, 672),
    )
    pen.solid(upper, look.main, right=0.22, depth=0.14)
    with pen.clip(upper):
        pen.fill(
            path((100, 330), (330, 340), (420, 400, 460, 460), (380, 560, 390, 680), (100, 680)),
            dark(look.main, 0.12),
        )
        pen.line(path((640, 480), (610, 580, 660, 680)), 7, seam(look.main))
        pen.line(path((130, 520), (240, 520, 270, 680)), 7, seam(look.main))
        pen.line(path((700, 540), (790, 560, 830, 620)), 16, veil(WHITE, 0.25))
    pen.fill(path((140, 350), (200, 326, 330, 352), (240, 380, 140, 350)), dark(look.main, 0.55))
    for i in range(4):
        x, y = 376 + i * 52, 384 + i * 30
        pen.line([(x, y), (x - 44, y + 46)], 11, look.accent)
    pen.rect(134, 668, 880, 706, look.second, r=12)
    pen.rect(134, 690, 320, 742, dark(look.second, 0.2), r=(4, 4, 10, 10))
    pen.rect(480, 700, 870, 722, dark(look.second, 0.2), r=10)
    pen.dashes((160, 680), (860, 680), 4, light(look.second, 0.4))


def shoes_top(pen: Pen, look: Look) -> None:
    for side in (1, -1):
        with pen.at(500, 500, 0, (side, 1)), pen.at(-150, 10, -4):
            outline = path(
                (0, -370),
                (-104, -356, -116, -190),
                (-124, 0, -92, 130),
                (-104, 350, 0, 356),
                (104, 350, 92, 130),
                (124, 0, 112, -190),
                (100, -356, 0, -370),
            )
            pen.fill([(x * 1.1, y * 1.03 + 4) for x, y in outline], look.second)
            pen.solid(outline, look.main, right=0.3, depth=0.14)
            with pen.clip(outline):
                pen.line(path((-120, -190), (0, -130, 120, -190)), 7, seam(look.main))
                pen.fill(
                    path((-80, -330), (-40, -300, -70, -210), (-96, -260, -80, -330)),
                    veil(WHITE, 0.2),
                )
            pen.fill(oval(0, 190, 70, 134), dark(look.main, 0.55))
            pen.fill(oval(0, 214, 52, 96), BRASS)
            for i in range(4):
                y = -80 + i * 44
                pen.line([(-50, y), (50, y + 10)], 12, look.accent)


def handbag_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 836, 340, 24)
    pen.line(path((340, 430), (330, 150, 670, 150, 660, 430)), 34, dark(look.main, 0.22))
    pen.line(path((340, 430), (330, 150, 670, 150, 660, 430)), 8, seam(look.main))
    body = path(
        (230, 420),
        (770, 420),
        (850, 790),
        (850, 826, 810, 826),
        (190, 826),
        (150, 826, 150, 790),
        (230, 420),
    )
    pen.solid(body, look.main, right=0.2, depth=0.12)
    with pen.clip(body):
        pen.rect(100, 700, 900, 850, dark(look.main, 0.16))
    flap = path(
        (230, 420), (770, 420), (800, 560), (700, 640, 500, 650), (300, 640, 200, 560), (230, 420)
    )
    pen.solid(flap, light(look.main, 0.08), right=0.24, depth=0.1)
    pen.line(path((212, 556), (310, 626, 500, 634), (690, 626, 788, 556)), 5, seam(look.main))
    pen.rect(452, 600, 548, 690, look.accent, r=14)
    pen.rect(474, 624, 526, 642, dark(look.accent, 0.4), r=8)
    for x in (340, 660):
        pen.ring(x, 424, 26, 11, look.accent)


def handbag_side(pen: Pen, look: Look) -> None:
    """Standing at an angle with its long strap and tag."""
    pen.ground(500, 850, 250, 22)
    pen.line(path((400, 400), (260, 120, 640, 80, 604, 400)), 26, dark(look.main, 0.22))
    pen.line(path((600, 420), (820, 420, 830, 720, 700, 842)), 20, dark(look.main, 0.3))
    body = path(
        (380, 400),
        (500, 372, 620, 400),
        (690, 800),
        (690, 840, 650, 840),
        (350, 840),
        (310, 840, 310, 800),
        (380, 400),
    )
    pen.solid(body, look.main, right=0.3, depth=0.14)
    with pen.clip(body):
        pen.fill([(500, 300), (540, 900), (460, 900)], veil(SHADE, 0.16))
        pen.rect(200, 724, 800, 850, dark(look.main, 0.16))
    pen.fill(path((380, 400), (500, 372, 620, 400), (500, 428, 380, 400)), dark(look.main, 0.5))
    pen.line(path((392, 430), (500, 460, 608, 430)), 14, look.accent)
    pen.line([(404, 440), (380, 560)], 6, look.accent)
    with pen.at(378, 600, 10):
        pen.rect(-34, -44, 34, 60, look.second, r=12)
        pen.disc(0, -22, 9, look.main)
    for x in (420, 590):
        pen.ring(x, 404, 20, 9, look.accent)


def backpack_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 868, 270, 20)
    pen.line(path((430, 190), (430, 110, 570, 110, 570, 190)), 26, dark(look.main, 0.3))
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.solid(box(-300, 560, -220, 830, r=30), dark(look.main, 0.18), right=0.4, depth=0.1)
    body = mirror(
        path((500, 160), (300, 160, 270, 360), (256, 800), (260, 860, 320, 860), (500, 860))
    )
    pen.solid(body, look.main, right=0.24, depth=0.12)
    pen.line(mirror(path((500, 214), (350, 214, 326, 360), (318, 470))), 10, dark(look.main, 0.4))
    pen.rect(642, 452, 662, 510, look.accent, r=8)
    pocket = box(316, 556, 684, 822, r=50)
    pen.solid(pocket, light(look.main, 0.1), right=0.24, depth=0.1)
    pen.line([(340, 616), (660, 616)], 10, dark(look.main, 0.4))
    pen.rect(600, 604, 620, 668, look.accent, r=8)
    with pen.at(500, 380):
        pen.rect(-70, -40, 70, 40, look.second, r=12)
        pen.fill([(-44, 22), (-14, -20), (6, 6), (20, -12), (44, 22)], light(look.second, 0.7))


def backpack_back(pen: Pen, look: Look) -> None:
    pen.ground(500, 868, 270, 20)
    pen.line(path((430, 190), (430, 110, 570, 110, 570, 190)), 26, dark(look.main, 0.3))
    body = mirror(
        path((500, 160), (300, 160, 270, 360), (256, 800), (260, 860, 320, 860), (500, 860))
    )
    pen.solid(body, dark(look.main, 0.1), right=0.24, depth=0.12)
    pen.rect(346, 230, 654, 800, dark(look.main, 0.3), r=50)
    for y in range(290, 780, 84):
        pen.rect(388, y, 612, y + 46, light(look.main, 0.02), r=22)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            strap = path((-64, 196), (-190, 240, -196, 460), (-190, 700, -230, 806))
            pen.line(strap, 62, look.main)
            pen.line(strap, 10, light(look.main, 0.25))
            pen.rect(-222, 600, -164, 640, look.accent, r=8)
    pen.rect(320, 380, 680, 408, dark(look.main, 0.45), r=10)
    pen.rect(466, 370, 534, 418, look.accent, r=10)


def kiondo_front(pen: Pen, look: Look) -> None:
    """A woven sisal basket with leather handles."""
    pen.ground(500, 842, 270, 22)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.line(path((-130, 420), (-150, 190, -20, 120, 20, 128)), 24, rgb("#7a4a2e"))
    body = mirror(path((500, 400), (230, 400), (220, 640, 300, 780), (340, 836, 500, 836)))
    pen.solid(body, look.main, right=0.28, depth=0.13)
    with pen.clip(body):
        print_on(pen, box(200, 470, 800, 560), "zigzag", look.accent, look.second, size=64)
        pen.rect(200, 590, 800, 636, look.accent)
        print_on(pen, box(200, 650, 800, 730), "dots", look.second, look.accent, size=50)
        for y in range(410, 840, 16):
            pen.line(path((200, y), (500, y + 40, 800, y)), 3, veil(SHADE, 0.12))
        pen.fill([(640, 380), (820, 380), (820, 860), (590, 860)], veil(SHADE, 0.1))
    pen.fill(oval(500, 400, 270, 40), dark(look.main, 0.5))
    pen.line(oval(500, 400, 268, 40), 18, light(look.main, 0.2))
    for x in (372, 628):
        pen.rect(x - 20, 404, x + 20, 500, rgb("#7a4a2e"), r=10)
        pen.disc(x, 480, 8, BRASS)


def kiondo_top(pen: Pen, look: Look) -> None:
    """Looking down on the weave of its base."""
    pen.disc(510, 520, 372, veil(SHADE, 0.1))
    rings = (
        (360, look.main),
        (318, look.accent),
        (284, look.main),
        (232, look.second),
        (196, look.main),
        (140, look.accent),
        (104, look.main),
        (52, look.second),
    )
    for radius, colour in rings:
        pen.disc(500, 500, radius, colour)
    for radius in range(30, 360, 18):
        pen.ring(500, 500, radius, 3, veil(SHADE, 0.14))
    for turn in range(0, 360, 15):
        with pen.at(500, 500, turn):
            pen.fill([(-24, -284), (0, -318), (24, -284)], look.second)
            pen.line([(0, -60), (0, -350)], 3, veil(SHADE, 0.1))
    with pen.clip(oval(500, 500, 360)):
        pen.fill([(700, 0), (1000, 0), (1000, 1000), (520, 1000)], veil(SHADE, 0.09))
    for x in (-1, 1):
        pen.line(
            path((500 + x * 120, 160), (500 + x * 240, 90, 500 + x * 300, 240)), 24, rgb("#7a4a2e")
        )


KINDS = (
    Kind(
        name="sneakers",
        front=sneakers_front,
        second=sneakers_top,
        colours=("#3f6f9a", "#f2b23c", "#f6f1e6"),
    ),
    Kind(
        name="sandals",
        front=sandals_front,
        second=sandals_side,
        colours=("#8a4b2f", "#c9a05a", "#4a3226"),
        details={"straps": ("bands", "toe")},
    ),
    Kind(
        name="shoes", front=shoes_front, second=shoes_top, colours=("#6b3f2a", "#3a241a", "#2b211c")
    ),
    Kind(
        name="handbag",
        front=handbag_front,
        second=handbag_side,
        colours=("#a63f4c", "#d9a94f", "#f0dcc0"),
    ),
    Kind(
        name="backpack",
        front=backpack_front,
        second=backpack_back,
        colours=("#3d6670", "#f0a94b", "#2b3f4a"),
    ),
    Kind(
        name="kiondo",
        front=kiondo_front,
        second=kiondo_top,
        colours=("#d9b883", "#a63f2f", "#2f4f4a"),
    ),
)
