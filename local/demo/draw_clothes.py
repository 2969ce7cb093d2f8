"""Clothes, laid flat or on a hanger."""

from __future__ import annotations

from local.demo.colour import RGB, SHADE, WHITE, brightness, dark, light, rgb, veil
from local.demo.kinds import Kind, Look
from local.demo.patterns import PATTERNS, folds, print_on
from local.demo.pen import Pen
from local.demo.shapes import Outline, box, mirror, oval, path

WOOD = rgb("#b98455")
WIRE = rgb("#9aa0a8")


def seam(colour: RGB) -> RGB:
    return light(colour, 0.4) if brightness(colour) < 0.5 else dark(colour, 0.22)


def _hanger(pen: Pen, y: float) -> None:
    pen.line(
        path(
            (500, y),
            (500, y - 40),
            (540, y - 60, 536, y - 92),
            (528, y - 130, 468, y - 124, 470, y - 86),
        ),
        11,
        WIRE,
    )
    pen.line([(330, y + 74), (500, y), (670, y + 74)], 24, WOOD)


def _garment(pen: Pen, outline: Outline, look: Look, size: float = 90, depth: float = 0.1) -> None:
    pen.fill(outline, look.main)
    print_on(pen, outline, look.details["pattern"], look.accent, look.second, size=size)
    with pen.clip(outline):
        pen.fill([(640, 0), (1000, 0), (1000, 1000), (590, 1000)], veil(SHADE, depth))
        pen.line(outline, 16, veil(SHADE, 0.07), closed=True)


def _sleeve(pen: Pen, outline: Outline, look: Look, size: float = 90) -> None:
    pen.fill(outline, dark(look.main, 0.06))
    print_on(pen, outline, look.details["pattern"], look.accent, look.second, size=size)
    pen.line(outline, 6, veil(SHADE, 0.12), closed=True)


def dress_front(pen: Pen, look: Look) -> None:
    _hanger(pen, 180)
    long = look.has("length", "long")
    bottom = 892 if long else 800
    flare = 296 if long else 276
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            _sleeve(pen, [(-158, 220), (-116, 196), (-96, 330), (-206, 372), (-214, 330)], look)
    outline = mirror(
        path((446, 196), (470, 262, 500, 270))[::-1]
        + path(
            (446, 196),
            (384, 204),
            (352, 226),
            (392, 330, 388, 430),
            (330, 560, 500 - flare, bottom - 26),
            (400, bottom + 16, 500, bottom + 12),
        )
    )
    _garment(pen, outline, look)
    folds(
        pen,
        outline,
        [
            path((430, 470), (400, 640, 350, bottom + 10)),
            path((500, 480), (504, 660, 490, bottom + 20)),
            path((570, 470), (610, 640, 660, bottom + 10)),
        ],
    )
    belt = path((386, 424), (500, 448, 614, 424), (616, 460), (500, 486, 384, 460))
    pen.fill(belt, look.second if look.has("pattern", "plain") else dark(look.main, 0.35))
    pen.line(path((446, 196), (470, 262, 500, 270), (530, 262, 554, 196)), 12, dark(look.main, 0.3))


def dress_detail(pen: Pen, look: Look) -> None:
    """The back on a hanger, with zip and bow, seen from closer."""
    with pen.at(35, 60, 0, 0.93):
        _dress_back(pen, look)


def _dress_back(pen: Pen, look: Look) -> None:
    _hanger(pen, 130)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            _sleeve(
                pen, [(-206, 190), (-150, 160), (-126, 360), (-274, 410), (-286, 350)], look, 116
            )
    outline = mirror(
        path((440, 150), (474, 190, 500, 192))[::-1]
        + path(
            (440, 150),
            (350, 164),
            (296, 200),
            (346, 360, 340, 500),
            (290, 640, 190, 830),
            (340, 880, 500, 872),
        )
    )
    _garment(pen, outline, look, 116)
    folds(
        pen,
        outline,
        [path((400, 560), (350, 720, 310, 880)), path((600, 560), (650, 720, 690, 880))],
        13,
    )
    pen.line([(500, 196), (500, 520)], 10, dark(look.main, 0.35))
    pen.rect(490, 200, 510, 246, rgb("#c8ccd2"), r=8)
    belt_colour = look.second if look.has("pattern", "plain") else dark(look.main, 0.35)
    pen.fill(path((338, 494), (500, 526, 662, 494), (664, 542), (500, 576, 336, 542)), belt_colour)
    for side in (1, -1):
        with pen.at(500, 540, 0, (side, 1)):
            pen.fill(
                path((0, -10), (-60, -80, -130, -50), (-150, 10, -120, 50), (-50, 50, 0, 14)),
                light(belt_colour, 0.08),
            )
            pen.fill([(-10, 10), (-20, 10), (-88, 180), (-40, 190), (6, 20)], belt_colour)
    pen.rect(474, 508, 526, 572, dark(belt_colour, 0.2), r=16)


def _tee_body(left: float = 318, bottom: float = 830) -> Outline:
    return mirror(
        [
            *path((430, 210), (460, 264, 500, 266))[::-1],
            (430, 210),
            (360, 226),
            (left, 262),
            (left + 6, 500),
            (left, bottom - 14),
            (left + 12, bottom),
            (500, bottom + 6),
        ]
    )


def tshirt_front(pen: Pen, look: Look) -> None:
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            _sleeve(pen, [(-144, 224), (-196, 262), (-316, 420), (-214, 492), (-160, 420)], look)
            pen.line([(-300, 404), (-204, 474)], 6, veil(SHADE, 0.2))
    body = _tee_body()
    _garment(pen, body, look)
    folds(
        pen, body, [path((350, 560), (400, 640, 380, 760)), path((660, 520), (600, 620, 640, 780))]
    )
    if look.has("badge", "sun"):
        pen.disc(500, 470, 92, look.accent)
        for y in (500, 526, 548):
            pen.rect(390, y, 610, y + 9, look.main)
    elif look.has("badge", "pocket"):
        pen.rect(548, 380, 640, 480, dark(look.main, 0.1), r=(4, 4, 22, 22))
        pen.rect(548, 380, 640, 396, look.accent)
    elif look.has("badge", "hills"):
        pen.fill([(390, 550), (460, 420), (510, 500), (550, 440), (616, 550)], look.accent)
        pen.disc(560, 400, 24, look.second)
    pen.line(path((430, 210), (460, 264, 500, 266), (540, 264, 570, 210)), 20, look.second)
    pen.line([(330, 806), (670, 806)], 5, veil(SHADE, 0.2))


def tshirt_folded(pen: Pen, look: Look) -> None:
    pen.ground(500, 812, 270, 22)
    for i, part in enumerate((0.2, 0.08)):
        y = 790 - i * 34
        pen.rect(254, y - 30, 746, y + 10, dark(look.main, part), r=18)
    sheet = box(250, 240, 750, 752, r=30)
    _garment(pen, sheet, look)
    pen.fill(
        path((250, 330), (330, 260, 372, 240), (340, 700, 330, 752), (250, 752)), veil(SHADE, 0.09)
    )
    pen.fill(
        path((750, 330), (670, 260, 628, 240), (660, 700, 670, 752), (750, 752)), veil(SHADE, 0.12)
    )
    pen.fill(oval(500, 250, 110, 62, turn=(0, 180)), dark(look.main, 0.4))
    pen.line(oval(500, 246, 112, 66, turn=(0, 180)), 22, look.second)
    pen.rect(468, 262, 532, 292, light(look.main, 0.85), r=4)
    if look.has("badge", "sun"):
        pen.disc(500, 540, 84, look.accent)
        for y in (566, 590):
            pen.rect(400, y, 600, y + 9, look.main)
    elif look.has("badge", "hills"):
        pen.fill([(400, 610), (460, 490), (510, 560), (550, 510), (606, 610)], look.accent)
        pen.disc(560, 470, 22, look.second)
    elif look.has("badge", "pocket"):
        pen.rect(540, 430, 630, 530, dark(look.main, 0.1), r=(4, 4, 22, 22))
        pen.rect(540, 430, 630, 446, look.accent)


def shirt_front(pen: Pen, look: Look) -> None:
    long = look.has("sleeves", "long")
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            if long:
                _sleeve(
                    pen, [(-140, 226), (-196, 262), (-314, 700), (-226, 730), (-160, 470)], look
                )
                pen.fill(
                    [(-328, 690), (-222, 722), (-234, 774), (-338, 742)], dark(look.main, 0.14)
                )
                pen.disc(-262, 744, 8, look.second)
            else:
                _sleeve(
                    pen, [(-140, 226), (-196, 262), (-306, 440), (-200, 504), (-160, 430)], look
                )
    body = _tee_body(322, 846)
    _garment(pen, body, look, 78)
    pen.rect(478, 270, 522, 848, veil(WHITE, 0.14))
    pen.line([(478, 280), (478, 846)], 4, veil(SHADE, 0.22))
    pen.line([(522, 280), (522, 846)], 4, veil(SHADE, 0.22))
    for y in range(344, 840, 92):
        pen.disc(500, y, 11, look.second)
        pen.disc(500, y, 4, dark(look.second, 0.5))
    pen.rect(560, 380, 644, 478, veil(SHADE, 0.1), r=(2, 2, 22, 22))
    pen.line([(560, 396), (644, 396)], 4, veil(SHADE, 0.22))
    pen.fill(oval(500, 224, 66, 40), dark(look.main, 0.45))
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.fill(
                [(-74, 184), (-20, 190), (0, 262), (-48, 328), (-104, 236)], light(look.main, 0.16)
            )
            pen.line([(0, 262), (-48, 328), (-104, 236)], 5, veil(SHADE, 0.25))


def shirt_folded(pen: Pen, look: Look) -> None:
    pen.ground(500, 842, 260, 20)
    pen.rect(268, 780, 732, 834, dark(look.main, 0.25), r=20)
    sheet = box(262, 246, 738, 806, r=26)
    _garment(pen, sheet, look, 78)
    pen.rect(476, 300, 524, 806, veil(WHITE, 0.14))
    pen.line([(476, 300), (476, 804)], 4, veil(SHADE, 0.22))
    pen.line([(524, 300), (524, 804)], 4, veil(SHADE, 0.22))
    for y in range(400, 800, 110):
        pen.disc(500, y, 13, look.second)
        pen.disc(500, y, 5, dark(look.second, 0.5))
    pen.rect(570, 440, 680, 560, veil(SHADE, 0.1), r=(2, 2, 26, 26))
    pen.fill(oval(500, 240, 104, 60), dark(look.main, 0.45))
    pen.rect(456, 226, 544, 262, light(look.main, 0.85), r=6)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.fill(
                [(-118, 172), (-60, 250), (0, 296), (-66, 392), (-168, 250)], light(look.main, 0.16)
            )
            pen.line([(0, 296), (-66, 392), (-168, 250)], 6, veil(SHADE, 0.25))


def hoodie_front(pen: Pen, look: Look) -> None:
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            outline = path(
                (-150, 270), (-230, 300, -256, 420), (-322, 742), (-222, 776), (-160, 500)
            )
            pen.solid(outline, dark(look.main, 0.06), right=0.3, depth=0.07)
            pen.line([(-318, 726), (-224, 758)], 44, dark(look.main, 0.2))
    body = mirror(path((500, 300), (400, 270), (330, 300), (324, 520), (330, 790), (500, 800)))
    _garment(pen, body, look)
    pen.rect(334, 780, 666, 836, dark(look.main, 0.2), r=14)
    for x in range(350, 660, 24):
        pen.rect(x, 784, x + 6, 832, veil(SHADE, 0.16))
    pocket = [(404, 610), (596, 610), (650, 700), (640, 770), (360, 770), (350, 700)]
    pen.fill(pocket, dark(look.main, 0.09))
    pen.line([*pocket[4:], pocket[0]], 5, seam(look.main))
    pen.line([pocket[1], *pocket[2:4]], 5, seam(look.main))
    hood = mirror(path((500, 130), (360, 130, 350, 280), (372, 380, 500, 400)))
    pen.solid(hood, light(look.main, 0.07), right=0.3, depth=0.1)
    pen.fill(
        mirror(path((500, 188), (418, 190, 408, 280), (430, 340, 500, 356))), dark(look.main, 0.42)
    )
    if look.has("front", "zip"):
        pen.rect(493, 356, 507, 830, rgb("#c8ccd2"))
        pen.rect(486, 420, 514, 470, rgb("#9aa0a8"), r=8)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.line(path((-52, 352), (-62, 440, -48, 520)), 11, look.accent)
            pen.rect(-58, 506, -40, 546, look.second, r=6)


def hoodie_back(pen: Pen, look: Look) -> None:
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            outline = path(
                (-150, 270), (-230, 300, -256, 420), (-322, 742), (-222, 776), (-160, 500)
            )
            pen.solid(outline, dark(look.main, 0.06), right=0.3, depth=0.07)
            pen.line([(-318, 726), (-224, 758)], 44, dark(look.main, 0.2))
    body = mirror(path((500, 270), (400, 250), (330, 290), (324, 520), (330, 790), (500, 800)))
    _garment(pen, body, look)
    pen.rect(334, 780, 666, 836, dark(look.main, 0.2), r=14)
    for x in range(350, 660, 24):
        pen.rect(x, 784, x + 6, 832, veil(SHADE, 0.16))
    hood = mirror(path((500, 180), (396, 184, 384, 270), (420, 450, 500, 468)))
    pen.solid(hood, light(look.main, 0.07), right=0.34, depth=0.1)
    pen.line([(500, 186), (500, 460)], 6, veil(SHADE, 0.2))
    pen.rect(420, 560, 580, 576, look.accent, r=8)
    pen.rect(450, 596, 550, 612, look.second, r=8)


def trousers_front(pen: Pen, look: Look) -> None:
    outline = mirror(
        path(
            (500, 152),
            (372, 152),
            (350, 330),
            (330, 600),
            (322, 862),
            (452, 872),
            (488, 440),
            (500, 420),
        )
    )
    pen.fill(outline, look.main)
    with pen.clip(outline):
        pen.fill([(600, 0), (1000, 0), (1000, 1000), (592, 1000)], veil(SHADE, 0.1))
        pen.fill(
            path((372, 400), (420, 560, 380, 800), (350, 800), (340, 560, 372, 400)),
            veil(WHITE, 0.12),
        )
        pen.fill(
            path((628, 400), (580, 560, 620, 800), (650, 800), (660, 560, 628, 400)),
            veil(WHITE, 0.1),
        )
    line = look.accent
    pen.rect(368, 148, 632, 206, dark(look.main, 0.16), r=8)
    for x in (392, 488, 586):
        pen.rect(x, 140, x + 22, 214, dark(look.main, 0.3), r=5)
    pen.line([(500, 206), (500, 400)], 6, dark(look.main, 0.4))
    pen.line(path((522, 206), (528, 330, 504, 376)), 5, line)
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.line(path((-66, 206), (-78, 296, -140, 300)), 6, line)
            pen.dashes((-152, 360), (-168, 840), 4, line)
            pen.line([(-170, 838), (-54, 846)], 5, line)
    pen.disc(500, 178, 15, look.second)


def trousers_folded(pen: Pen, look: Look) -> None:
    """Folded in three, back pocket up."""
    pen.ground(500, 792, 290, 22)
    for i, part in enumerate((0.26, 0.14)):
        pen.rect(226, 700 - i * 46, 774, 786 - i * 46, dark(look.main, part), r=34)
    sheet = box(220, 250, 780, 700, r=36)
    pen.solid(sheet, look.main, right=0.24, depth=0.1)
    pen.rect(220, 262, 780, 330, dark(look.main, 0.16))
    for x in (280, 488, 690):
        pen.rect(x, 248, x + 26, 346, dark(look.main, 0.32), r=6)
    pocket = [(300, 390), (476, 390), (476, 560), (388, 626), (300, 560)]
    pen.fill(pocket, light(look.main, 0.07))
    pen.line(pocket, 6, look.accent, closed=True)
    pen.line(path((320, 440), (388, 500, 456, 440)), 6, look.accent)
    pen.rect(560, 360, 700, 440, rgb("#b98455"), r=8)
    pen.rect(584, 392, 676, 404, veil(SHADE, 0.4), r=5)
    for x, y in ((300, 390), (476, 390)):
        pen.disc(x, y, 8, look.second)


def skirt_front(pen: Pen, look: Look) -> None:
    outline = mirror(path((500, 190), (376, 190), (350, 400, 216, 800), (340, 850, 500, 846)))
    _garment(pen, outline, look)
    folds(
        pen,
        outline,
        [
            path((430, 260), (400, 560, 330, 860)),
            path((500, 260), (496, 560, 500, 860)),
            path((570, 260), (600, 560, 670, 860)),
        ],
        14,
    )
    pen.rect(370, 168, 630, 226, dark(look.main, 0.3), r=12)
    for side in (1, -1):
        with pen.at(512, 226, 0, (side, 1)):
            pen.fill(path((0, 0), (-50, -60, -96, -30), (-110, 30, 0, 16)), look.accent)
            pen.fill([(-4, 6), (-60, 120), (-24, 130), (10, 14)], dark(look.accent, 0.12))
    pen.disc(512, 232, 19, dark(look.accent, 0.25))


def skirt_side(pen: Pen, look: Look) -> None:
    """Clipped to a hanger, swinging a little."""
    pen.line(
        path((500, 150), (500, 110), (540, 90, 536, 58), (528, 20, 468, 26, 470, 64)), 11, WIRE
    )
    pen.line([(360, 170), (640, 170)], 18, WOOD)
    outline = path(
        (388, 200),
        (612, 200),
        (640, 420, 800, 760),
        (720, 830, 620, 812),
        (560, 860, 480, 828),
        (400, 850, 300, 800),
        (360, 420, 388, 200),
    )
    _garment(pen, outline, look)
    folds(
        pen,
        outline,
        [
            path((450, 230), (450, 560, 390, 840)),
            path((510, 230), (540, 560, 520, 860)),
            path((570, 230), (620, 540, 680, 830)),
        ],
        16,
    )
    pen.fill([(384, 188), (616, 188), (618, 248), (382, 248)], dark(look.main, 0.3))
    for x in (404, 560):
        pen.rect(x, 156, x + 40, 220, rgb("#5b6069"), r=8)


def leso_front(pen: Pen, look: Look) -> None:
    """A leso spread out: border, field and its corner paisleys."""
    pen.rect(112, 208, 896, 806, veil(SHADE, 0.08), r=8)
    cloth = box(104, 196, 888, 794, r=6)
    pen.fill(cloth, look.second)
    print_on(pen, cloth, "dots", look.accent, look.main, size=68)
    pen.rect(160, 252, 832, 738, look.main)
    pen.line(box(176, 268, 816, 722), 8, look.accent, closed=True)
    inner = box(196, 288, 796, 702)
    print_on(pen, inner, look.details["pattern"], look.accent, look.second, size=150)
    pen.rect(300, 612, 692, 676, look.second, r=6)
    for i in range(9):
        pen.rect(326 + i * 40, 634, 352 + i * 40, 654, look.main, r=6)
    pen.disc(496, 452, 108, look.main)
    pen.ring(496, 452, 96, 12, look.accent)
    for turn in range(0, 360, 45):
        with pen.at(496, 452, turn):
            pen.disc(0, -56, 17, look.second, 30)
    pen.disc(496, 452, 26, look.accent)


def leso_folded(pen: Pen, look: Look) -> None:
    pen.ground(500, 792, 300, 22)
    layers = ((look.second, 0.0), (look.main, 0.2), (look.second, 0.12), (look.main, 0.0))
    for i, (colour, part) in enumerate(layers):
        y = 700 - i * 92
        pen.solid(box(206, y, 794, y + 88, r=40), dark(colour, part), right=0.2, depth=0.1)
        pen.rect(240, y + 58, 760, y + 66, veil(look.accent, 0.8), r=4)
    top = path(
        (206, 470), (250, 250), (262, 226, 290, 226), (710, 226), (740, 226, 750, 250), (794, 470)
    )
    pen.fill(top, look.main)
    print_on(pen, top, look.details["pattern"], look.accent, look.second, size=104)
    with pen.clip(top):
        pen.fill([(620, 200), (820, 200), (820, 480), (600, 480)], veil(SHADE, 0.1))
    pen.line([(206, 466), (794, 466)], 22, look.second)
    pen.line([(206, 466), (794, 466)], 6, look.accent)


def cap_front(pen: Pen, look: Look) -> None:
    pen.ground(480, 742, 330, 22)
    dome = path((230, 610), (220, 300, 380, 240, 500, 240), (680, 240, 760, 380, 762, 610))
    pen.solid(dome, look.main, right=0.3, depth=0.12)
    for line in (path((500, 240), (400, 400, 400, 610)), path((500, 240), (640, 380, 640, 610))):
        pen.line(line, 5, veil(SHADE, 0.22))
    pen.disc(500, 240, 24, look.accent)
    for x, y in ((440, 330), (610, 340)):
        pen.disc(x, y, 9, dark(look.main, 0.4))
    peak = path(
        (226, 600),
        (420, 560, 640, 590),
        (560, 690, 380, 720),
        (160, 760, 90, 716),
        (80, 660, 226, 600),
    )
    pen.solid(peak, look.second, right=0.3, depth=0.12)
    pen.line(path((150, 700), (330, 700, 540, 640)), 5, seam(look.second))
    with pen.at(508, 470):
        pen.fill([(-90, 50), (-36, -52), (2, 10), (34, -32), (84, 50)], look.accent)


def cap_back(pen: Pen, look: Look) -> None:
    pen.ground(500, 762, 280, 20)
    dome = path((240, 700), (220, 320, 360, 240, 500, 240), (640, 240, 780, 320, 760, 700))
    pen.solid(dome, look.main, right=0.3, depth=0.12)
    pen.fill(
        mirror(path((500, 500), (396, 506, 388, 640), (392, 706), (500, 708))),
        dark(look.main, 0.55),
    )
    pen.line([(500, 244), (500, 500)], 5, veil(SHADE, 0.22))
    for side in (1, -1):
        with pen.at(500, 0, 0, (side, 1)):
            pen.line(path((0, 242), (-130, 380, -150, 690)), 5, veil(SHADE, 0.22))
            pen.disc(-90, 360, 9, dark(look.main, 0.4))
    pen.disc(500, 240, 24, look.accent)
    pen.rect(236, 676, 764, 746, dark(look.main, 0.18), r=16)
    pen.rect(396, 684, 604, 738, look.second, r=12)
    pen.rect(462, 676, 530, 746, rgb("#c8ccd2"), r=10)
    pen.rect(476, 696, 516, 726, dark(look.second, 0.3), r=6)


_PATTERN = {"pattern": PATTERNS}
_PLAIN = {"pattern": ("plain",)}
KINDS = (
    Kind(
        name="dress",
        front=dress_front,
        second=dress_detail,
        colours=("#c2462f", "#f2b23c", "#24406e"),
        details={
            "pattern": ("kitenge", "rings", "zigzag", "leaves", "dots", "plain"),
            "length": ("long", "short"),
        },
    ),
    Kind(
        name="tshirt",
        front=tshirt_front,
        second=tshirt_folded,
        colours=("#e4c9a3", "#c2562f", "#8a5a3c"),
        details={"pattern": ("plain", "stripes"), "badge": ("sun", "hills", "pocket", "none")},
    ),
    Kind(
        name="shirt",
        front=shirt_front,
        second=shirt_folded,
        colours=("#9cb8d9", "#5f7fb0", "#fbf7ee"),
        details=_PATTERN | {"sleeves": ("long", "short")},
    ),
    Kind(
        name="hoodie",
        front=hoodie_front,
        second=hoodie_back,
        colours=("#5d6b58", "#f0e4c8", "#c8ccd2"),
        details=_PLAIN | {"front": ("plain", "zip")},
    ),
    Kind(
        name="trousers",
        front=trousers_front,
        second=trousers_folded,
        colours=("#4a6790", "#e0a45c", "#c8a36a"),
    ),
    Kind(
        name="skirt",
        front=skirt_front,
        second=skirt_side,
        colours=("#2f6b62", "#f2b23c", "#c2462f"),
        details=_PATTERN,
    ),
    Kind(
        name="leso",
        front=leso_front,
        second=leso_folded,
        colours=("#c63f36", "#f4d25a", "#21304f"),
        details=_PATTERN,
    ),
    Kind(name="cap", front=cap_front, second=cap_back, colours=("#3f5b7a", "#f2b23c", "#2b3a4d")),
)
