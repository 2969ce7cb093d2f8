"""Things for the kitchen, the table, the bed and the wall."""

from __future__ import annotations

import math

from local.demo.colour import RGB, SHADE, WHITE, dark, light, mix, rgb, veil
from local.demo.draw_watches import STEEL
from local.demo.kinds import Kind, Look
from local.demo.patterns import PATTERNS, folds, print_on
from local.demo.pen import Pen
from local.demo.shapes import Outline, box, mirror, oval, path

FIRE = rgb("#e8743a")
WOOD = rgb("#a8744a")


def _steam(pen: Pen, x: float, y: float) -> None:
    for i in (-1, 0, 1):
        dx = x + i * 56
        pen.line(
            path((dx, y), (dx - 30, y - 40, dx, y - 80), (dx + 30, y - 120, dx, y - 150)),
            13,
            veil(WHITE, 0.75),
        )


def kettle_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 838, 270, 22)
    pen.line(
        path((668, 300), (850, 300, 860, 420, 840, 560), (826, 660, 760, 690, 716, 690)),
        46,
        look.second,
    )
    spout = path((330, 330), (250, 300, 196, 330), (230, 420, 320, 470))
    pen.solid(spout, dark(look.main, 0.08), right=0.3)
    body = mirror(path((500, 262), (350, 266), (300, 460, 282, 780), (500, 784)))
    pen.solid(body, look.main, right=0.26, depth=0.13)
    pen.fill(
        path((384, 300), (346, 520, 336, 740), (368, 740), (384, 520, 412, 300)), veil(WHITE, 0.28)
    )
    pen.rect(566, 420, 616, 690, dark(look.main, 0.4), r=24)
    pen.rect(576, 520, 606, 680, rgb("#a9d3e6"), r=14)
    for y in range(460, 680, 44):
        pen.rect(540, y, 556, y + 5, veil(SHADE, 0.35))
    pen.rect(346, 232, 654, 270, look.second, r=16)
    pen.rect(458, 190, 542, 238, look.second, r=18)
    pen.rect(256, 780, 744, 836, look.second, r=(10, 10, 24, 24))
    pen.disc(500, 808, 11, look.accent)


def kettle_open(pen: Pen, look: Look) -> None:
    """Off its base with the lid up, from the other side."""
    pen.ground(400, 812, 230, 20)
    pen.ground(776, 836, 140, 14)
    pen.rect(640, 776, 912, 830, look.second, r=(16, 16, 24, 24))
    pen.rect(740, 752, 812, 780, dark(look.second, 0.3), r=10)
    pen.line(path((900, 812), (950, 760, 930, 640, 880, 600)), 14, look.second)
    pen.line(
        path((250, 330), (90, 320, 90, 470, 120, 570), (140, 650, 190, 670, 236, 670)),
        42,
        look.second,
    )
    pen.solid(
        path((560, 360), (640, 320, 690, 350), (660, 440, 572, 480)),
        dark(look.main, 0.08),
        right=0.4,
    )
    body = mirror(path((400, 300), (268, 304), (222, 480, 206, 780), (400, 800)), 400)
    pen.solid(body, look.main, right=0.28, depth=0.13)
    pen.fill(
        path((300, 360), (266, 540, 258, 740), (290, 740), (306, 540, 330, 360)), veil(WHITE, 0.28)
    )
    pen.fill(oval(400, 304, 132, 30), dark(look.main, 0.55))
    with pen.at(290, 290, -50):
        pen.rect(0, -22, 270, 14, look.second, r=12)
        pen.rect(110, -56, 170, -18, look.second, r=14)
    _steam(pen, 470, 270)
    pen.disc(400, 700, 13, look.accent)


def jiko_front(pen: Pen, look: Look) -> None:
    """The charcoal stove with its clay lining, lit."""
    pen.ground(500, 852, 280, 24)
    for x in (330, 640):
        pen.rect(x, 790, x + 40, 850, dark(look.second, 0.3), r=8)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.line(path((-262, 440), (-350, 440, -340, 560, -232, 540)), 24, look.second)
    top = mirror(path((500, 380), (222, 380), (250, 520, 380, 590), (500, 596)))
    pen.solid(top, look.main, right=0.26, depth=0.16)
    base = mirror(path((500, 580), (380, 584), (300, 660, 276, 806), (500, 812)))
    pen.solid(base, look.main, right=0.26, depth=0.16)
    pen.rect(368, 566, 632, 606, dark(look.main, 0.3), r=10)
    pen.rect(412, 668, 588, 770, dark(look.main, 0.65), r=16)
    pen.fill(path((440, 770), (470, 700, 500, 730), (530, 690, 560, 770)), veil(FIRE, 0.85))
    pen.fill(oval(500, 382, 280, 62), look.accent)
    pen.fill(oval(500, 386, 232, 46), dark(look.accent, 0.6))
    luck = look.chance("coals")
    for i in range(16):
        x, y = 330 + (i % 8) * 48 + luck.randint(-8, 8), 376 + (i // 8) * 24
        pen.disc(x, y, 28, rgb("#3b2a26"), 19)
        pen.disc(x + 4, y - 3, 17, FIRE if i % 3 else rgb("#f4b04a"), 9)
    for x in (404, 500, 596):
        pen.fill(
            path((x - 34, 372), (x - 46, 300, x - 4, 236), (x + 4, 290, x + 38, 310, x + 32, 372)),
            veil(FIRE, 0.8),
        )
        pen.fill(
            path((x - 16, 372), (x - 20, 330, x, 300), (x + 18, 340, x + 16, 372)), rgb("#f8cf6a")
        )
    pen.line(path((262, 440), (300, 520, 372, 560)), 12, veil(WHITE, 0.2))


def jiko_cooking(pen: Pen, look: Look) -> None:
    """With a sufuria on top."""
    pen.ground(500, 872, 260, 22)
    _steam(pen, 500, 250)
    pen.rect(244, 300, 756, 330, STEEL, r=14)
    pot = mirror(path((500, 326), (270, 326), (276, 500), (284, 556, 340, 556), (500, 556)))
    pen.solid(pot, light(STEEL, 0.18), right=0.28, depth=0.14)
    pen.rect(310, 350, 330, 520, veil(WHITE, 0.5), r=10)
    top = mirror(path((500, 560), (250, 560), (270, 650, 390, 700), (500, 704)))
    pen.solid(top, look.main, right=0.26, depth=0.16)
    pen.rect(240, 546, 760, 584, look.accent, r=14)
    for x in range(300, 720, 70):
        pen.disc(x, 566, 16, FIRE, 8)
    base = mirror(path((500, 690), (390, 694), (320, 750, 300, 842), (500, 848)))
    pen.solid(base, look.main, right=0.26, depth=0.16)
    pen.rect(424, 750, 576, 824, dark(look.main, 0.65), r=14)
    pen.rect(440, 796, 560, 824, veil(FIRE, 0.85), r=8)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.line(path((-236, 610), (-320, 610, -310, 700, -190, 680)), 22, look.second)
            pen.rect(-196, 838, -160, 872, dark(look.second, 0.3), r=6)


def _sufuria(pen: Pen, colour: RGB, cx: float, top: float, half: float, high: float) -> None:
    pen.solid(
        mirror(
            path(
                (cx, top),
                (cx - half, top),
                (cx - half + 10, top + high - 40),
                (cx - half + 16, top + high, cx - half + 70, top + high),
                (cx, top + high),
            ),
            cx,
        ),
        colour,
        right=0.26,
        depth=0.14,
    )
    pen.rect(cx - half + 40, top + 40, cx - half + 60, top + high - 40, veil(WHITE, 0.5), r=10)
    pen.rect(cx - half - 26, top - 12, cx + half + 26, top + 22, light(colour, 0.2), r=16)
    pen.rect(cx + half * 0.3, top - 12, cx + half + 26, top + 22, veil(SHADE, 0.1), r=16)


def sufuria_front(pen: Pen, look: Look) -> None:
    """The nested set in a stack, smallest on top."""
    pen.ground(500, 852, 350, 24)
    _sufuria(pen, dark(look.main, 0.08), 500, 600, 310, 250)
    _sufuria(pen, look.main, 500, 400, 236, 180)
    _sufuria(pen, light(look.main, 0.12), 500, 236, 168, 144)
    lid = mirror(path((500, 150), (400, 160, 346, 222), (500, 226)))
    pen.solid(lid, mix(look.main, WHITE, 0.3), right=0.3, depth=0.12)
    pen.rect(462, 116, 538, 156, look.accent, r=16)


def sufuria_row(pen: Pen, look: Look) -> None:
    """Side by side, one with its lid leaning on it."""
    pen.ground(360, 770, 270, 22)
    pen.ground(740, 770, 180, 18)
    _sufuria(pen, dark(look.main, 0.08), 350, 450, 230, 310)
    _sufuria(pen, light(look.main, 0.08), 730, 590, 150, 174)
    with pen.at(560, 500, -64):
        pen.solid(oval(0, 0, 210, 62), mix(look.main, WHITE, 0.3), right=0.3, depth=0.12)
        pen.line(oval(0, 0, 176, 46), 5, veil(SHADE, 0.15))
        pen.disc(0, -6, 30, look.accent, 22)
    for x, y in ((350, 600), (730, 680)):
        pen.disc(x, y, 15, look.accent)


def flask_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 878, 180, 16)
    pen.line(path((634, 420), (760, 420, 760, 700, 634, 700)), 40, look.second)
    pen.solid(box(408, 110, 592, 250, r=(40, 40, 8, 8)), look.second, right=0.3, depth=0.16)
    for x in range(430, 580, 30):
        pen.rect(x, 140, x + 8, 240, veil(SHADE, 0.16), r=4)
    pen.rect(390, 244, 610, 300, STEEL, r=12)
    body = box(350, 286, 650, 872, r=(70, 70, 34, 34))
    pen.solid(body, look.main, right=0.3, depth=0.13)
    with pen.clip(body):
        print_on(
            pen, box(350, 470, 650, 690), look.details["band"], look.accent, look.second, size=72
        )
        pen.rect(350, 460, 650, 476, look.accent)
        pen.rect(350, 684, 650, 700, look.accent)
        pen.rect(350, 820, 650, 880, dark(look.main, 0.25))
        pen.fill([(572, 280), (660, 280), (660, 880), (560, 880)], veil(SHADE, 0.1))
    pen.rect(384, 340, 404, 450, veil(WHITE, 0.4), r=10)


def flask_poured(pen: Pen, look: Look) -> None:
    """Open, its cup full beside it."""
    pen.ground(380, 872, 170, 16)
    pen.ground(720, 866, 130, 14)
    pen.line(path((270, 440), (150, 440, 150, 710, 270, 710)), 38, look.second)
    pen.rect(316, 214, 444, 290, STEEL, r=14)
    pen.fill(oval(380, 218, 62, 16), dark(STEEL, 0.55))
    body = box(250, 282, 510, 868, r=(66, 66, 30, 30))
    pen.solid(body, look.main, right=0.3, depth=0.13)
    with pen.clip(body):
        print_on(
            pen, box(250, 470, 510, 690), look.details["band"], look.accent, look.second, size=72
        )
        pen.rect(250, 460, 510, 476, look.accent)
        pen.rect(250, 684, 510, 700, look.accent)
        pen.rect(250, 816, 510, 880, dark(look.main, 0.25))
    pen.rect(282, 336, 302, 450, veil(WHITE, 0.4), r=10)
    pen.solid(mirror([(616, 660), (640, 862)], 720), look.second, right=0.3, depth=0.14)
    pen.fill(oval(720, 662, 104, 26), light(look.second, 0.2))
    pen.fill(oval(720, 664, 88, 19), rgb("#a8683a"))
    _steam(pen, 720, 630)


def mug_front(pen: Pen, look: Look) -> None:
    pen.ground(470, 806, 260, 22)
    pen.line(path((664, 410), (860, 390, 860, 680, 650, 670)), 50, dark(look.main, 0.1))
    body = box(230, 300, 690, 800, r=(10, 10, 90, 90))
    pen.solid(body, look.main, right=0.28, depth=0.12)
    with pen.clip(body):
        print_on(
            pen,
            box(230, 430, 690, 690),
            look.details["pattern"],
            look.accent,
            look.second,
            size=112,
        )
        pen.fill([(570, 290), (700, 290), (700, 810), (550, 810)], veil(SHADE, 0.09))
    pen.fill(oval(460, 304, 230, 54), light(look.main, 0.35))
    pen.fill(oval(460, 308, 206, 42), dark(look.main, 0.3))
    pen.fill(oval(460, 318, 190, 30), rgb("#9a5f38"))
    pen.rect(262, 380, 284, 720, veil(WHITE, 0.4), r=11)
    _steam(pen, 460, 260)


def mug_set(pen: Pen, look: Look) -> None:
    """Two stacked, one upside down beside them."""
    pen.ground(360, 842, 200, 18)
    pen.ground(720, 842, 190, 16)
    for y in (520, 240):
        pen.line(
            path((500, y + 70), (620, y + 60, 620, y + 240, 490, y + 230)), 36, dark(look.main, 0.1)
        )
        body = box(204, y, 520, y + 320, r=(8, 8, 62, 62))
        pen.solid(body, look.main if y > 300 else light(look.main, 0.1), right=0.28, depth=0.12)
        with pen.clip(body):
            print_on(
                pen,
                box(204, y + 86, 520, y + 246),
                look.details["pattern"],
                look.accent,
                look.second,
                size=84,
            )
        pen.rect(196, y - 10, 528, y + 18, light(look.main, 0.35), r=14)
    pen.line(path((606, 620), (540, 620, 540, 780, 606, 770)), 30, dark(look.main, 0.1))
    over = box(592, 566, 868, 838, r=(56, 56, 8, 8))
    pen.solid(over, look.second, right=0.28, depth=0.12)
    with pen.clip(over):
        print_on(
            pen, box(592, 640, 868, 760), look.details["pattern"], look.accent, look.main, size=84
        )


def plates_front(pen: Pen, look: Look) -> None:
    for x, y, radius in ((540, 520, 330), (450, 470, 330)):
        pen.disc(x + 10, y + 16, radius, veil(SHADE, 0.1))
        pen.disc(x, y, radius, look.main)
        pen.ring(x, y, radius - 14, 8, look.accent)
        with pen.clip(oval(x, y, radius)):
            pen.fill([(x + 130, 0), (1000, 0), (1000, 1000), (x + 40, 1000)], veil(SHADE, 0.06))
    for turn in range(0, 360, 20):
        with pen.at(450, 470, turn):
            pen.fill(
                [(-20, -266), (0, -300), (20, -266), (0, -240)],
                look.accent if turn % 40 else look.second,
            )
    pen.disc(450, 470, 212, veil(SHADE, 0.07))
    pen.disc(450, 470, 200, light(look.main, 0.3))
    pen.line(oval(450, 470, 176, turn=(190, 260)), 12, veil(WHITE, 0.8))


def plates_stack(pen: Pen, look: Look) -> None:
    """The set piled up with the bowl on top."""
    pen.ground(500, 808, 260, 22)
    for i in range(6):
        y = 746 - i * 44
        plate = mirror(
            path((500, y), (158, y), (176, y + 34, 300, y + 46), (330, y + 60), (500, y + 60))
        )
        pen.solid(plate, look.main, right=0.24, depth=0.12)
        with pen.clip(plate):
            pen.rect(300, y + 40, 700, y + 62, veil(SHADE, 0.2))
        pen.rect(150, y - 8, 850, y + 10, look.accent if i % 2 else look.second, r=9)
    bowl = mirror(path((500, 330), (270, 330), (290, 490, 420, 512), (500, 514)))
    pen.solid(bowl, light(look.main, 0.2), right=0.26, depth=0.12)
    with pen.clip(bowl):
        for x in range(260, 760, 60):
            pen.fill([(x, 396), (x + 20, 426), (x + 40, 396), (x + 20, 366)], look.second)
    pen.fill(oval(500, 332, 230, 44), look.accent)
    pen.fill(oval(500, 336, 206, 34), dark(look.main, 0.25))


def curtain_front(pen: Pen, look: Look) -> None:
    """A pair on a rod, drawn back."""
    pen.rect(284, 190, 716, 800, rgb("#fbf7ec"))
    pen.rect(284, 190, 716, 800, veil(rgb("#bcd9ea"), 0.55))
    pen.rect(492, 190, 508, 800, WHITE)
    pen.rect(284, 470, 716, 486, WHITE)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            cloth = path(
                (-330, 170),
                (-40, 170),
                (-60, 380, -214, 540),
                (-176, 720, -170, 860),
                (-336, 860),
                (-330, 170),
            )
            pen.fill(cloth, look.main)
            print_on(pen, cloth, look.details["pattern"], look.accent, look.second, size=92)
            folds(
                pen,
                cloth,
                [
                    path(
                        (-290 + i * 62, 170),
                        (-290 + i * 40, 400, -270 + i * 18, 540),
                        (-290 + i * 30, 700, -300 + i * 30, 860),
                    )
                    for i in range(5)
                ],
                16,
            )
            pen.fill([(-336, 520), (-206, 520), (-204, 566), (-336, 566)], look.second)
    pen.rect(130, 138, 870, 162, WOOD, r=12)
    for x in (124, 876):
        pen.disc(x, 150, 27, dark(WOOD, 0.15))
    for i in range(12):
        pen.ring(184 + i * 57.5, 162, 17, 7, rgb("#c9a05a"))


def curtain_folded(pen: Pen, look: Look) -> None:
    """Two panels folded, with rings and a tie."""
    pen.ground(500, 802, 310, 22)
    for i in range(2):
        y = 600 - i * 160
        pen.solid(
            box(196, y, 804, y + 196, r=70), dark(look.main, 0.1 * (1 - i)), right=0.2, depth=0.1
        )
        sheet = box(196, y, 804, y + 150, r=60)
        print_on(pen, sheet, look.details["pattern"], look.accent, look.second, size=92)
        pen.rect(230, y + 158, 770, y + 166, veil(SHADE, 0.2), r=4)
    top = path(
        (196, 500), (230, 320), (250, 296, 290, 296), (710, 296), (750, 296, 770, 320), (804, 500)
    )
    pen.fill(top, light(look.main, 0.06))
    print_on(pen, top, look.details["pattern"], look.accent, look.second, size=92)
    pen.rect(448, 290, 552, 800, look.second)
    pen.rect(520, 290, 552, 800, veil(SHADE, 0.14))
    for i in range(3):
        pen.ring(300 + i * 46, 250, 26, 9, rgb("#c9a05a"))


def lamp_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 872, 190, 18)
    pen.fill([(360, 440), (640, 440), (820, 850), (180, 850)], veil(rgb("#ffe9a8"), 0.35))
    body = mirror(
        path(
            (500, 470), (470, 480, 470, 540), (400, 620, 400, 700), (410, 800, 470, 830), (500, 832)
        )
    )
    pen.solid(body, look.second, right=0.32, depth=0.15)
    with pen.clip(body):
        for y in (600, 640, 760):
            pen.rect(380, y, 620, y + 14, look.accent)
    pen.rect(384, 824, 616, 868, dark(look.second, 0.25), r=16)
    shade = mirror([(390, 150), (270, 460)])
    pen.solid(shade, look.main, right=0.26, depth=0.1)
    with pen.clip(shade):
        print_on(
            pen, box(250, 380, 750, 440), look.details["trim"], look.accent, look.second, size=54
        )
        pen.disc(500, 440, 170, veil(rgb("#fff3c4"), 0.4), 120)
    pen.rect(262, 452, 738, 474, dark(look.main, 0.14), r=10)
    pen.rect(384, 138, 616, 158, dark(look.main, 0.14), r=10)
    pen.line([(590, 470), (590, 560)], 5, rgb("#6b5b45"))
    pen.disc(590, 568, 12, look.accent)


def lamp_detail(pen: Pen, look: Look) -> None:
    """The shade off, the bulb and the socket showing."""
    pen.ground(330, 868, 180, 16)
    pen.ground(706, 846, 170, 16)
    pen.disc(330, 250, 150, veil(rgb("#ffe9a8"), 0.5))
    pen.disc(330, 250, 84, rgb("#fff1c0"))
    pen.rect(298, 316, 362, 372, rgb("#f3e0a0"), r=8)
    pen.rect(296, 360, 364, 430, STEEL, r=8)
    for y in (374, 392, 410):
        pen.rect(296, y, 364, y + 6, dark(STEEL, 0.3))
    pen.rect(280, 426, 380, 480, dark(look.second, 0.3), r=12)
    body = mirror(
        path(
            (330, 470), (300, 480, 300, 540), (230, 620, 230, 700), (240, 800, 300, 830), (330, 832)
        ),
        330,
    )
    pen.solid(body, look.second, right=0.32, depth=0.15)
    with pen.clip(body):
        for y in (600, 640, 760):
            pen.rect(200, y, 460, y + 14, look.accent)
    pen.rect(214, 824, 446, 864, dark(look.second, 0.25), r=16)
    shade = mirror([(626, 590), (540, 840)], 706)
    pen.solid(shade, look.main, right=0.3, depth=0.1)
    with pen.clip(shade):
        print_on(
            pen, box(520, 770, 890, 820), look.details["trim"], look.accent, look.second, size=54
        )
    pen.fill(oval(706, 590, 80, 20), dark(look.main, 0.3))


def cushion_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 842, 310, 24)
    cloth = path(
        (170, 190),
        (500, 240, 830, 190),
        (790, 500, 836, 832),
        (500, 790, 164, 832),
        (212, 500, 170, 190),
    )
    pen.fill(cloth, look.main)
    print_on(pen, cloth, look.details["pattern"], look.accent, look.second, size=124)
    with pen.clip(cloth):
        pen.fill(path((700, 150), (640, 500, 760, 860), (900, 860), (900, 150)), veil(SHADE, 0.12))
        pen.fill(path((160, 160), (330, 260, 300, 420), (230, 300, 160, 300)), veil(WHITE, 0.12))
    pen.line(cloth, 13, look.second, closed=True)
    for x, y in ((170, 190), (830, 190), (836, 832), (164, 832)):
        pen.disc(x, y, 22, look.accent)


def cushion_pair(pen: Pen, look: Look) -> None:
    """Two of them, the plain back in front."""
    pen.ground(500, 822, 390, 24)
    for x, turn, plain in ((620, 9, False), (380, -7, True)):
        with pen.at(x, 520, turn):
            cloth = path(
                (-270, -270),
                (0, -226, 270, -270),
                (230, 0, 270, 270),
                (0, 236, -270, 270),
                (-230, 0, -270, -270),
            )
            pen.fill(cloth, light(look.main, 0.05) if plain else look.main)
            if not plain:
                print_on(pen, cloth, look.details["pattern"], look.accent, look.second, size=110)
            with pen.clip(cloth):
                pen.fill(
                    path((150, -300), (110, 0, 190, 300), (300, 300), (300, -300)),
                    veil(SHADE, 0.12),
                )
            pen.line(cloth, 11, look.second, closed=True)
            if plain:
                pen.line([(-200, 150), (200, 150)], 8, dark(look.main, 0.35))
                pen.rect(176, 136, 206, 190, rgb("#c8ccd2"), r=8)


def bedsheet_front(pen: Pen, look: Look) -> None:
    """A made bed with two pillows."""
    pen.ground(500, 850, 400, 22)
    pen.solid(box(150, 180, 850, 520, r=(60, 60, 0, 0)), WOOD, right=0.2, depth=0.1)
    pen.rect(190, 220, 810, 480, light(WOOD, 0.16), r=34)
    for x in (216, 516):
        pen.solid(
            path(
                (x, 350),
                (x + 134, 326, x + 268, 350),
                (x + 290, 430, x + 268, 500),
                (x + 134, 520, x, 500),
                (x - 22, 430, x, 350),
            ),
            light(look.second, 0.5),
            right=0.24,
            depth=0.08,
        )
        print_on(
            pen,
            box(x + 14, 380, x + 254, 490, r=10),
            look.details["pattern"],
            look.accent,
            light(look.main, 0.2),
            size=66,
        )
    sheet = path((170, 500), (500, 470, 830, 500), (870, 780), (500, 800, 130, 780), (170, 500))
    pen.fill(sheet, look.main)
    print_on(pen, sheet, look.details["pattern"], look.accent, look.second, size=92)
    pen.fill(
        path((170, 500), (500, 470, 830, 500), (838, 560), (500, 530, 162, 560), (170, 500)),
        look.second,
    )
    folds(
        pen,
        sheet,
        [path((250, 570), (230, 680, 240, 790)), path((760, 570), (780, 680, 770, 790))],
        12,
    )
    pen.solid(
        path((130, 780), (500, 800, 870, 780), (864, 842), (500, 852, 136, 842), (130, 780)),
        dark(look.main, 0.2),
        right=0.2,
    )
    for x in (150, 816):
        pen.rect(x, 836, x + 34, 862, dark(WOOD, 0.3), r=6)


def bedsheet_folded(pen: Pen, look: Look) -> None:
    pen.ground(500, 806, 320, 22)
    layers = ((0.16, False), (0.0, True), (0.08, False))
    for i, (part, printed) in enumerate(layers):
        y = 650 - i * 126
        layer = box(184, y, 816, y + 146, r=60)
        pen.solid(layer, dark(look.main if i != 1 else look.second, part), right=0.2, depth=0.1)
        if not printed:
            print_on(pen, layer, look.details["pattern"], look.accent, look.second, size=84)
        pen.rect(216, y + 112, 784, y + 119, veil(SHADE, 0.2), r=4)
    top = path(
        (184, 440), (240, 286), (256, 262, 290, 262), (710, 262), (744, 262, 760, 286), (816, 440)
    )
    pen.fill(top, look.main)
    print_on(pen, top, look.details["pattern"], look.accent, look.second, size=84)
    pen.rect(446, 256, 554, 800, look.accent)
    pen.rect(524, 256, 554, 800, veil(SHADE, 0.14))
    pen.rect(400, 470, 600, 590, light(look.second, 0.75), r=10)
    pen.rect(436, 506, 564, 520, look.main, r=7)
    pen.rect(456, 540, 544, 552, veil(SHADE, 0.35), r=6)


def towel_front(pen: Pen, look: Look) -> None:
    """Hanging on a rail."""
    pen.rect(150, 188, 850, 212, STEEL, r=12)
    for x in (150, 822):
        pen.rect(x, 160, x + 28, 240, dark(STEEL, 0.15), r=12)
    pen.rect(330, 180, 700, 780, dark(look.main, 0.22), r=12)
    cloth = box(290, 172, 662, 836, r=(26, 26, 8, 8))
    pen.solid(cloth, look.main, right=0.22, depth=0.1)
    folds(
        pen,
        cloth,
        [path((380, 200), (372, 500, 384, 836)), path((540, 200), (552, 500, 536, 836))],
        12,
    )
    for y, colour in ((640, look.accent), (676, look.second), (712, look.accent)):
        pen.rect(290, y, 662, y + 22, colour)
    for x in range(300, 660, 16):
        pen.line([(x, 836), (x, 856)], 6, dark(look.main, 0.1))


def towel_rolled(pen: Pen, look: Look) -> None:
    pen.ground(500, 784, 320, 24)
    for x, y, colour in (
        (340, 630, look.main),
        (660, 630, look.second),
        (500, 380, light(look.main, 0.12)),
    ):
        pen.solid(oval(x, y, 152), colour, right=0.28, depth=0.12, slant=0.2)
        spiral: Outline = []
        for step in range(150):
            turn = step * 0.14
            radius = 134 - step * 0.86
            spiral.append((x + radius * math.cos(turn), y + radius * math.sin(turn)))
        pen.line(spiral, 9, veil(SHADE, 0.2))
        pen.line(oval(x, y, 142, turn=(200, 280)), 12, veil(WHITE, 0.3))
    pen.rect(486, 236, 514, 250, look.accent, r=6)
    pen.line(oval(500, 380, 150, turn=(-20, 200)), 15, look.accent)


def clock_front(pen: Pen, look: Look) -> None:
    pen.disc(512, 522, 358, veil(SHADE, 0.1))
    pen.solid(oval(500, 500, 350), look.main, right=0.36, depth=0.13, slant=0.3)
    pen.disc(500, 500, 300, dark(look.main, 0.3))
    pen.disc(500, 500, 292, look.second)
    with pen.clip(oval(500, 500, 292)):
        pen.fill([(660, 200), (820, 200), (820, 820), (440, 820)], veil(SHADE, 0.05))
    for hour in range(12):
        with pen.at(500, 500, hour * 30):
            big = hour % 3 == 0
            if look.has("marks", "dots"):
                pen.disc(0, -240, 22 if big else 12, look.accent if big else look.main)
            else:
                pen.rect(
                    -11 if big else -6,
                    -266,
                    11 if big else 6,
                    -206 if big else -232,
                    look.main,
                    r=6,
                )
    for turn, length, width in ((-56, 150, 24), (58, 214, 16)):
        with pen.at(500, 500, turn):
            pen.line([(0, 30), (0, -length)], width, dark(look.main, 0.4))
    with pen.at(500, 500, 150):
        pen.line([(0, 50), (0, -230)], 6, look.accent)
    pen.disc(500, 500, 22, look.accent)


def clock_side(pen: Pen, look: Look) -> None:
    """Its back: hook, movement and battery."""
    pen.disc(512, 522, 358, veil(SHADE, 0.1))
    pen.solid(oval(500, 500, 350), dark(look.main, 0.14), right=0.36, depth=0.13, slant=0.3)
    pen.ring(500, 500, 300, 8, veil(SHADE, 0.25))
    pen.rect(452, 196, 548, 256, dark(look.main, 0.5), r=26)
    pen.rect(480, 206, 520, 232, rgb("#15171b"), r=12)
    pen.solid(box(356, 370, 644, 658, r=34), rgb("#2b2e35"), right=0.2, depth=0.2)
    pen.rect(390, 560, 610, 626, rgb("#15171b"), r=18)
    pen.rect(404, 568, 560, 618, look.accent, r=12)
    pen.rect(556, 568, 586, 618, STEEL, r=8)
    pen.rect(584, 582, 598, 604, STEEL, r=4)
    pen.disc(500, 462, 52, rgb("#454a53"))
    for turn in range(0, 360, 30):
        with pen.at(500, 462, turn):
            pen.rect(-4, -52, 4, -40, rgb("#22252b"))
    pen.disc(500, 462, 20, look.second)


def mat_front(pen: Pen, look: Look) -> None:
    """A woven floor mat from above."""
    pen.rect(166, 136, 858, 884, veil(SHADE, 0.09), r=8)
    for x in range(170, 850, 22):
        for top, bottom in ((112, 140), (860, 890)):
            pen.line([(x, top), (x, bottom)], 7, light(look.second, 0.2))
    cloth = box(156, 132, 844, 868)
    pen.fill(cloth, look.main)
    print_on(
        pen, box(156, 260, 844, 740), look.details["pattern"], look.accent, look.second, size=150
    )
    for y, high, colour in (
        (150, 34, look.accent),
        (202, 20, look.second),
        (778, 20, look.second),
        (816, 34, look.accent),
    ):
        pen.rect(156, y, 844, y + high, colour)
    with pen.clip(cloth):
        for y in range(132, 868, 14):
            pen.rect(156, y, 844, y + 4, veil(SHADE, 0.06))
        pen.fill([(640, 130), (850, 130), (850, 870), (600, 870)], veil(SHADE, 0.06))


def mat_rolled(pen: Pen, look: Look) -> None:
    pen.ground(500, 764, 400, 26)
    with pen.at(500, 560, -8):
        roll = box(-360, -150, 330, 150, r=24)
        pen.solid(roll, look.main, right=0, depth=0.1)
        with pen.clip(roll):
            for x, wide, colour in (
                (-310, 40, look.accent),
                (-246, 22, look.second),
                (240, 22, look.second),
                (276, 40, look.accent),
            ):
                pen.rect(x, -150, x + wide, 150, colour)
            print_on(
                pen,
                box(-200, -150, 220, 150),
                look.details["pattern"],
                look.accent,
                look.second,
                size=120,
            )
            pen.rect(-400, 60, 400, 160, veil(SHADE, 0.14))
        pen.disc(330, 0, 84, light(look.main, 0.1), 150)
        for radius in (66, 46, 26):
            pen.ring(330, 0, radius, 8, veil(SHADE, 0.28), radius * 1.75)
        for x in (-120, 120):
            pen.rect(x, -154, x + 20, 154, look.second)


_PATTERN = {"pattern": PATTERNS}
KINDS = (
    Kind(
        name="kettle",
        front=kettle_front,
        second=kettle_open,
        colours=("#c8cdd3", "#e0584a", "#33363e"),
    ),
    Kind(
        name="jiko",
        front=jiko_front,
        second=jiko_cooking,
        colours=("#5b6b73", "#c9825a", "#3b3f47"),
        tint_from="accent",
    ),
    Kind(
        name="sufuria",
        front=sufuria_front,
        second=sufuria_row,
        colours=("#b9bfc6", "#a8744a", "#7d848c"),
        tint_from="accent",
    ),
    Kind(
        name="flask",
        front=flask_front,
        second=flask_poured,
        colours=("#a63f3a", "#f4d9a0", "#3b3230"),
        details={"band": PATTERNS},
    ),
    Kind(
        name="mug",
        front=mug_front,
        second=mug_set,
        colours=("#5f8a84", "#f4e3b8", "#2f4f4a"),
        details=_PATTERN,
    ),
    Kind(
        name="plates",
        front=plates_front,
        second=plates_stack,
        colours=("#eae4d6", "#3f6f9a", "#d98a4a"),
        tint_from="accent",
    ),
    Kind(
        name="curtain",
        front=curtain_front,
        second=curtain_folded,
        colours=("#6a5a8a", "#c9b8e0", "#e0b25c"),
        details=_PATTERN,
    ),
    Kind(
        name="lamp",
        front=lamp_front,
        second=lamp_detail,
        colours=("#f0dcb4", "#c2562f", "#4f6b6a"),
        details={"trim": PATTERNS},
    ),
    Kind(
        name="cushion",
        front=cushion_front,
        second=cushion_pair,
        colours=("#d9783a", "#f6e3b4", "#7d3f2f"),
        details=_PATTERN,
    ),
    Kind(
        name="bedsheet",
        front=bedsheet_front,
        second=bedsheet_folded,
        colours=("#7f9fc4", "#f2ead8", "#3f5f8a"),
        details=_PATTERN,
    ),
    Kind(
        name="towel",
        front=towel_front,
        second=towel_rolled,
        colours=("#4f9a94", "#f4e3b8", "#d9e8e4"),
    ),
    Kind(
        name="wall_clock",
        front=clock_front,
        second=clock_side,
        colours=("#7d4f33", "#c2462f", "#f7f0e0"),
        details={"marks": ("bars", "dots")},
    ),
    Kind(
        name="mat",
        front=mat_front,
        second=mat_rolled,
        colours=("#b5713f", "#2f4f5f", "#f0dcb0"),
        details=_PATTERN,
    ),
)
