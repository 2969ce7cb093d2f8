"""Power, phones and the small things around them."""

from __future__ import annotations

from local.demo.colour import RGB, SHADE, WHITE, brightness, dark, light, mix, rgb, veil
from local.demo.draw_watches import STEEL, digits, digits_width
from local.demo.kinds import Kind, Look
from local.demo.pen import Pen
from local.demo.shapes import Outline, box, chamfer, mirror, oval, path

DARK = rgb("#17191e")


def bolt(pen: Pen, x: float, y: float, size: float, colour: RGB) -> None:
    with pen.at(x, y, 0, size / 100):
        pen.fill([(12, -60), (-34, 10), (-4, 10), (-14, 60), (34, -14), (4, -14)], colour)


def power_bank_front(pen: Pen, look: Look) -> None:
    pen.ground(520, 846, 210)
    with pen.at(500, 490, 9):
        pen.solid(box(-190, -330, 190, 330, r=54), look.main, right=0, depth=0.1)
        pen.fill(box(-190, -330, -104, 330, r=(54, 0, 0, 54)), light(look.main, 0.16))
        pen.rect(-60, -312, 18, -284, DARK, r=10)
        pen.rect(54, -312, 132, -284, DARK, r=10)
        if look.has("face", "bolt"):
            bolt(pen, 40, -20, 150, light(look.main, 0.85))
        else:
            pen.rect(-50, -110, 140, 40, DARK, r=24)
            text = look.chance("charge").choice(("100", "87", "96"))
            digits(pen, text, 44 - digits_width(text, 84) / 2, -78, 84, look.accent)
        for i in range(4):
            pen.disc(-40 + i * 54, 246, 14, WHITE if i < 3 else veil(WHITE, 0.35))


def power_bank_top(pen: Pen, look: Look) -> None:
    """Lying down, ports towards the buyer, a cable plugged in."""
    pen.ground(500, 720, 360, 28)
    pen.line(path((640, 640), (640, 760, 720, 850, 860, 800)), 24, look.accent)
    pen.fill(
        path(
            (150, 520),
            (230, 350),
            (250, 330, 280, 330),
            (720, 330),
            (750, 330, 770, 350),
            (850, 520),
        ),
        light(look.main, 0.14),
    )
    pen.fill([(250, 350), (420, 340), (330, 500), (176, 510)], veil(WHITE, 0.12))
    pen.solid(box(140, 500, 860, 690, r=52), look.main, right=0.2, depth=0.15)
    pen.rect(220, 560, 330, 606, DARK, r=8)
    pen.rect(236, 584, 314, 600, rgb("#d9dbe0"), r=3)
    pen.rect(400, 566, 490, 602, DARK, r=18)
    pen.rect(574, 534, 706, 660, dark(look.accent, 0.35), r=20)
    pen.rect(610, 650, 670, 690, look.accent, r=12)
    for i in range(4):
        pen.disc(752 + i * 24, 586, 7, WHITE if i < 3 else veil(WHITE, 0.35))
    bolt(pen, 500, 420, 62, light(look.main, 0.8))


def charger_front(pen: Pen, look: Look) -> None:
    """A three-pin wall plug with its sockets up front."""
    pen.ground(500, 838, 220)
    pen.solid(box(290, 210, 710, 640, r=70), look.main, right=0.24, depth=0.1)
    pen.rect(326, 246, 674, 604, veil(WHITE, 0.22), r=48)
    for i in range(2 if look.has("ports", "two") else 1):
        y = 320 + i * 110 if look.has("ports", "two") else 370
        if i == 0:
            pen.rect(420, y, 580, y + 56, dark(look.second, 0.1), r=28)
            pen.rect(444, y + 20, 556, y + 36, STEEL, r=8)
        else:
            pen.rect(420, y, 580, y + 62, dark(look.second, 0.1), r=8)
            pen.rect(436, y + 28, 564, y + 52, look.accent, r=4)
    bolt(pen, 500, 542, 58, look.accent)
    pen.rect(330, 640, 670, 672, dark(look.main, 0.2), r=(0, 0, 20, 20))
    for x in (372, 600):
        pen.rect(x, 668, x + 32, 790, STEEL, r=8)
        pen.rect(x + 18, 668, x + 32, 790, veil(SHADE, 0.2), r=6)
    pen.rect(482, 668, 522, 834, light(STEEL, 0.12), r=8)
    pen.rect(505, 668, 522, 834, veil(SHADE, 0.2), r=6)


def charger_kit(pen: Pen, look: Look) -> None:
    """The plug from its side with a cable in it."""
    pen.ground(410, 764, 230)
    cable = path((560, 450), (760, 450, 860, 560, 720, 640), (600, 710, 640, 840, 800, 812))
    pen.line(cable, 22, look.main if brightness(look.main) < 0.9 else dark(look.main, 0.08))
    pen.rect(786, 782, 872, 842, look.second, r=14)
    pen.rect(868, 796, 912, 828, STEEL, r=8)
    pen.rect(540, 416, 630, 486, look.second, r=18)
    pen.solid(box(250, 240, 560, 660, r=60), look.main, right=0.3, depth=0.12)
    pen.rect(270, 300, 284, 600, veil(WHITE, 0.4), r=7)
    pen.rect(196, 284, 254, 616, dark(look.main, 0.2), r=(18, 0, 0, 18))
    for y in (330, 540):
        pen.rect(96, y, 200, y + 32, STEEL, r=8)
        pen.rect(96, y + 18, 200, y + 32, veil(SHADE, 0.2), r=6)
    pen.rect(60, 430, 200, 468, light(STEEL, 0.12), r=8)
    bolt(pen, 410, 450, 90, look.accent)


def _plug(pen: Pen, colour: RGB, metal: RGB) -> None:
    """A cable end pointing right from (0, 0)."""
    pen.rect(-10, -26, 80, 26, colour, r=14)
    pen.rect(56, -26, 80, 26, veil(SHADE, 0.25), r=(0, 14, 14, 0))
    pen.rect(78, -18, 124, 18, metal, r=8)
    pen.rect(78, 4, 124, 18, veil(SHADE, 0.16), r=(0, 0, 8, 0))


def cable_front(pen: Pen, look: Look) -> None:
    for radius, dx, dy in ((214, 0, 0), (182, 8, -6), (148, -4, 4)):
        ring = oval(460 + dx, 540 + dy, radius)
        pen.line(ring, 26, look.main)
        if look.has("skin", "braided"):
            for x, y in ring[::3]:
                pen.disc(x, y, 4.5, veil(WHITE, 0.4))
    for end in (
        path((600, 376), (690, 300, 640, 200, 760, 196)),
        path((590, 706), (690, 790, 700, 806, 800, 802)),
    ):
        pen.line(end, 26, look.main)
    with pen.at(750, 196, 4):
        _plug(pen, look.second, STEEL)
    with pen.at(786, 802, -3):
        _plug(pen, look.second, STEEL)
    pen.rect(216, 500, 322, 576, dark(look.main, 0.3), r=14)
    pen.rect(232, 500, 248, 576, veil(WHITE, 0.2))


def cable_ends(pen: Pen, look: Look) -> None:
    """Both ends close up."""
    for y, turn, wide in ((330, -14, 74), (640, -14, 56)):
        with pen.at(480, y, turn):
            pen.line([(-520, 10), (-120, 0)], 46, look.main)
            if look.has("skin", "braided"):
                for x in range(-500, -120, 26):
                    pen.line([(x, -14), (x + 18, 14)], 6, veil(WHITE, 0.35))
            pen.rect(-190, -36, -60, 36, dark(look.main, 0.25), r=16)
            for x in (-160, -130, -100):
                pen.rect(x, -36, x + 10, 36, veil(SHADE, 0.3))
            pen.solid(box(-80, -84, 150, 84, r=34), look.second, right=0.3, depth=0.2)
            pen.rect(-50, -66, 90, -52, veil(WHITE, 0.2), r=7)
            pen.solid(box(146, -wide, 330, wide, r=8 if wide > 60 else 40), STEEL, right=0.25)
            if wide > 60:
                for y2 in (-34, 34):
                    pen.rect(220, y2 - 16, 262, y2 + 16, dark(STEEL, 0.55), r=4)
            else:
                pen.rect(186, -22, 330, 22, dark(STEEL, 0.45), r=20)
            bolt(pen, 34, 4, 62, look.accent)


def _camera(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.disc(x, y, radius, rgb("#2b2e35"))
    pen.disc(x, y, radius * 0.72, DARK)
    pen.disc(x, y, radius * 0.4, rgb("#2c3f63"))
    pen.disc(x - radius * 0.25, y - radius * 0.25, radius * 0.16, veil(WHITE, 0.8))


def phone_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 878, 190, 16)
    pen.rect(682, 320, 702, 440, dark(look.main, 0.3), r=8)
    pen.solid(box(306, 116, 694, 874, r=66), look.main, right=0.1, depth=0.2)
    pen.rect(324, 134, 676, 856, DARK, r=52)
    screen = box(336, 146, 664, 844, r=42)
    pen.fill(screen, look.second)
    with pen.clip(screen):
        style = look.details["screen"]
        if style == "hills":
            pen.disc(560, 470, 92, light(look.accent, 0.35))
            pen.fill(
                path(
                    (300, 640), (420, 520, 520, 650), (600, 740, 700, 560), (700, 900), (300, 900)
                ),
                mix(look.second, look.main, 0.55),
            )
            pen.fill(
                path(
                    (300, 760), (430, 640, 560, 760), (640, 820, 700, 740), (700, 900), (300, 900)
                ),
                dark(mix(look.second, look.main, 0.6), 0.25),
            )
        elif style == "waves":
            for i, part in enumerate((0.25, 0.45, 0.7)):
                y = 430 + i * 130
                pen.fill(
                    path(
                        (300, y + 80),
                        (420, y - 80, 520, y + 30),
                        (610, y + 120, 700, y - 20),
                        (700, 900),
                        (300, 900),
                    ),
                    mix(look.second, look.accent, part),
                )
        else:
            pen.disc(500, 560, 210, mix(look.second, look.accent, 0.35))
            pen.disc(500, 560, 148, mix(look.second, look.accent, 0.6))
            pen.disc(500, 560, 86, look.accent)
    digits(pen, "12:40", 500 - digits_width("12:40", 66) / 2, 240, 66, veil(WHITE, 0.95))
    pen.disc(500, 178, 13, DARK)
    pen.rect(440, 820, 560, 828, veil(WHITE, 0.8), r=4)


def phone_back(pen: Pen, look: Look) -> None:
    pen.ground(500, 878, 190, 16)
    pen.rect(298, 320, 318, 440, dark(look.main, 0.3), r=8)
    back = box(306, 116, 694, 874, r=66)
    pen.solid(back, look.main, right=0.34, depth=0.1, slant=0.1)
    pen.line(box(312, 122, 688, 868, r=60), 6, veil(WHITE, 0.25), closed=True)
    if look.has("cameras", "square"):
        pen.rect(338, 150, 530, 342, light(look.main, 0.14), r=46)
        for x, y in ((392, 204), (476, 288), (392, 288)):
            _camera(pen, x, y, 38)
        pen.disc(476, 204, 17, rgb("#f7edd0"))
    else:
        for y in (204, 308, 412):
            _camera(pen, 398, y, 42)
        pen.disc(478, 256, 16, rgb("#f7edd0"))
    pen.ring(500, 640, 34, 7, veil(WHITE, 0.4))
    pen.rect(455, 838, 545, 846, veil(SHADE, 0.2), r=4)


def feature_phone_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 872, 170, 16)
    pen.solid(box(334, 122, 666, 868, r=(70, 70, 110, 110)), look.main, right=0.16, depth=0.16)
    pen.rect(366, 178, 634, 440, DARK, r=22)
    pen.rect(384, 196, 616, 422, look.second, r=8)
    digits(pen, "08:15", 500 - digits_width("08:15", 74) / 2, 236, 74, dark(look.second, 0.8))
    for i in range(4):
        pen.rect(408 + i * 18, 392 - i * 10, 420 + i * 18, 402, dark(look.second, 0.7))
    pen.rect(556, 376, 602, 402, dark(look.second, 0.7), r=4)
    pen.rect(452, 142, 548, 154, veil(SHADE, 0.5), r=6)
    pen.rect(430, 462, 570, 552, light(look.main, 0.14), r=40)
    pen.rect(462, 484, 538, 530, look.accent, r=20)
    for x in (366, 586):
        pen.rect(x, 470, x + 48, 500, rgb("#4fae7d") if x < 400 else rgb("#e0584a"), r=14)
        pen.rect(x, 514, x + 48, 540, light(look.main, 0.2), r=12)
    for row in range(4):
        for column in range(3):
            x, y = 372 + column * 90, 576 + row * 62
            pen.rect(x, y, x + 76, y + 46, light(look.main, 0.16), r=20)
            pen.rect(x + 30, y + 17, x + 46, y + 29, veil(WHITE, 0.8), r=5)


def feature_phone_back(pen: Pen, look: Look) -> None:
    pen.ground(500, 872, 170, 16)
    pen.solid(
        box(334, 122, 666, 868, r=(70, 70, 110, 110)), look.main, right=0.3, depth=0.14, slant=0.1
    )
    _camera(pen, 500, 226, 46)
    pen.disc(586, 226, 16, rgb("#f7edd0"))
    for row in range(3):
        for column in range(5):
            pen.disc(424 + column * 38, 708 + row * 34, 9, dark(look.main, 0.5))
    pen.line([(350, 330), (650, 330)], 5, veil(SHADE, 0.3))
    pen.rect(444, 816, 556, 836, veil(SHADE, 0.25), r=10)
    pen.ring(500, 500, 52, 10, veil(WHITE, 0.22))
    pen.disc(500, 500, 22, look.accent)


def cover_front(pen: Pen, look: Look) -> None:
    """A phone cover from behind, with its pattern."""
    pen.ground(500, 876, 190, 16)
    shell = box(298, 112, 702, 872, r=78)
    pen.solid(shell, look.main, right=0.3, depth=0.1, slant=0.08)
    with pen.clip(box(312, 126, 688, 858, r=66)):
        _cover_pattern(pen, look)
    pen.rect(332, 146, 540, 354, dark(look.main, 0.35), r=54)
    pen.rect(344, 158, 528, 342, DARK, r=44)
    for x, y in ((394, 208), (478, 292)):
        _camera(pen, x, y, 40)
    pen.disc(478, 208, 16, rgb("#f7edd0"))
    pen.line(box(305, 119, 695, 865, r=72), 10, veil(WHITE, 0.28), closed=True)


def _cover_pattern(pen: Pen, look: Look) -> None:
    style = look.details["pattern"]
    if style == "dots":
        for row in range(9):
            for column in range(6):
                pen.disc(330 + column * 76 + (row % 2) * 38, 170 + row * 86, 19, look.accent)
    elif style == "waves":
        for row in range(7):
            y = 420 + row * 72
            pen.line(
                path((290, y), (395, y - 70, 500, y), (605, y + 70, 720, y)),
                22,
                look.accent if row % 2 else look.second,
            )
    elif style == "leaves":
        for x, y, turn in (
            (380, 760, -30),
            (500, 640, 20),
            (620, 780, 50),
            (430, 500, -60),
            (620, 520, 10),
            (600, 250, 40),
        ):
            with pen.at(x, y, turn):
                pen.fill(path((0, -110), (66, -20, 0, 100), (-66, -20, 0, -110)), look.accent)
                pen.line([(0, -80), (0, 120)], 7, light(look.accent, 0.4))
    elif style == "ring":
        pen.ring(500, 580, 110, 22, veil(WHITE, 0.5))
        pen.rect(489, 704, 511, 780, veil(WHITE, 0.5), r=10)


def cover_inside(pen: Pen, look: Look) -> None:
    """The empty cover and the phone half out of it."""
    pen.ground(440, 874, 180, 16)
    pen.ground(670, 850, 120, 14)
    with pen.at(620, 500, 8):
        pen.solid(box(-160, -360, 176, 340, r=60), rgb("#2b2e35"), right=0.12, depth=0.2)
        pen.rect(-146, -346, 162, 326, rgb("#9fb4cc"), r=48)
        pen.fill(
            path((-146, 120), (0, -60, 162, 60), (162, 280), (120, 326), (-100, 326), (-146, 280)),
            rgb("#6d88a8"),
        )
    with pen.at(410, 510, -5):
        pen.solid(box(-190, -370, 190, 360, r=74), dark(look.main, 0.12), right=0.08, depth=0.2)
        pen.rect(-168, -348, 168, 338, light(look.main, 0.2), r=56)
        with pen.clip(box(-168, -348, 168, 338, r=56)):
            for x in range(-400, 400, 60):
                pen.line([(x, -360), (x + 220, 360)], 5, veil(WHITE, 0.3))
        pen.rect(-150, -328, 24, -150, dark(look.main, 0.4), r=44)
        pen.rect(-140, -318, 14, -160, rgb("#ecebe8"), r=36)


def laptop_bag_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 826, 360, 24)
    pen.line(
        path((380, 330), (380, 190, 400, 180, 500, 180), (600, 180, 620, 190, 620, 330)),
        34,
        dark(look.main, 0.25),
    )
    body = box(140, 300, 860, 816, r=60)
    pen.solid(body, look.main, right=0.2, depth=0.12)
    pen.line([(170, 386), (830, 386)], 10, dark(look.main, 0.4))
    pen.rect(690, 372, 780, 400, look.accent, r=12)
    pocket = box(220, 480, 780, 770, r=36)
    pen.solid(pocket, light(look.main, 0.1), right=0.2, depth=0.1)
    pen.dashes((250, 520), (750, 520), 6, light(look.main, 0.45))
    pen.rect(430, 590, 570, 672, look.second, r=14)
    pen.rect(452, 624, 548, 638, veil(WHITE, 0.5), r=7)
    for x in (356, 620):
        pen.rect(x, 296, x + 26, 372, look.accent, r=10)


def laptop_bag_open(pen: Pen, look: Look) -> None:
    """The laptop half out of the open bag."""
    pen.ground(500, 842, 360, 24)
    pen.solid(box(226, 150, 774, 560, r=28), rgb("#c3c8cf"), right=0.2, depth=0.08)
    pen.disc(500, 292, 34, rgb("#a3a9b2"))
    pen.fill(box(140, 420, 860, 560, r=(50, 50, 0, 0)), dark(look.main, 0.4))
    pen.solid(box(240, 300, 760, 520, r=20), rgb("#c3c8cf"), right=0.2, depth=0.08)
    pen.solid(box(140, 470, 860, 832, r=(10, 10, 60, 60)), look.main, right=0.2, depth=0.12)
    pen.line([(150, 476), (850, 476)], 16, dark(look.main, 0.35))
    for x in range(170, 840, 26):
        pen.rect(x, 470, x + 12, 482, light(look.accent, 0.2), r=3)
    pen.rect(220, 560, 560, 780, light(look.main, 0.1), r=30)
    pen.dashes((246, 596), (534, 596), 6, light(look.main, 0.45))
    for x in (620, 690, 760):
        pen.rect(x, 540, x + 40, 700, dark(look.main, 0.22), r=14)
    pen.rect(632, 500, 648, 640, look.accent, r=8)
    pen.rect(704, 480, 718, 640, look.second, r=8)


def extension_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 748, 370, 26)
    pen.line(
        path((150, 640), (60, 560, 70, 300, 220, 260), (330, 230, 420, 250, 520, 240)),
        24,
        dark(look.second, 0.1),
    )
    pen.rect(512, 196, 640, 284, look.second, r=26)
    for y in (214, 254):
        pen.rect(636, y, 690, y + 16, STEEL, r=5)
    with pen.at(500, 580, -8):
        pen.solid(box(-370, -120, 370, 120, r=44), look.main, right=0.14, depth=0.12)
        for i in range(4):
            x = -230 + i * 140
            pen.rect(x - 56, -84, x + 56, 84, veil(SHADE, 0.08), r=20)
            pen.rect(x - 9, -62, x + 9, -22, DARK, r=4)
            pen.rect(x - 38, 12, x - 14, 32, DARK, r=4)
            pen.rect(x + 14, 12, x + 38, 32, DARK, r=4)
            pen.disc(x, 62, 10, rgb("#e0584a"))
        pen.rect(-352, -44, -312, 44, look.accent, r=12)


def extension_usb(pen: Pen, look: Look) -> None:
    pen.ground(500, 792, 250, 24)
    pen.line(path((500, 200), (500, 90, 680, 90, 760, 160)), 24, dark(look.second, 0.1))
    pen.solid(box(320, 190, 680, 780, r=52), look.main, right=0.22, depth=0.12)
    for i, y in enumerate((300, 460)):
        pen.rect(372, y - 60, 628, y + 70, veil(SHADE, 0.08), r=26)
        pen.rect(490, y - 44, 510, y - 4, DARK, r=4)
        pen.rect(436, y + 16, 464, y + 38, DARK, r=4)
        pen.rect(536, y + 16, 564, y + 38, DARK, r=4)
        pen.rect(638, y - 24, 664, y + 36, rgb("#e0584a") if i == 0 else look.accent, r=8)
    pen.rect(372, 578, 628, 720, dark(look.main, 0.12), r=26)
    for x in (408, 474, 546):
        pen.rect(x, 626, x + 48, 662 if x < 540 else 650, DARK, r=6 if x < 540 else 12)
        if x < 540:
            pen.rect(x + 8, 646, x + 40, 656, look.accent, r=2)


def flash_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 790, 250, 20)
    with pen.at(500, 500, -32):
        pen.solid(box(130, -82, 340, 82, r=10), STEEL, right=0.2)
        for y in (-38, 38):
            pen.rect(220, y - 18, 270, y + 18, dark(STEEL, 0.55), r=4)
        pen.solid(box(-330, -120, 150, 120, r=56), look.main, right=0.2, depth=0.14)
        pen.rect(-200, -92, 100, -76, veil(WHITE, 0.25), r=8)
        pen.disc(-262, 0, 34, dark(look.main, 0.5))
        pen.ring(-262, 0, 38, 9, STEEL)
        pen.rect(-160, -30, 60, 44, light(look.main, 0.85), r=12)
        text = look.chance("size").choice(("32", "64", "16"))
        digits(pen, text, -50 - digits_width(text, 48) / 2, -17, 48, dark(look.main, 0.4))
        pen.disc(106, 8, 12, look.accent)


def flash_capped(pen: Pen, look: Look) -> None:
    pen.ground(400, 852, 130, 16)
    pen.ground(660, 852, 100, 14)
    pen.solid(box(336, 190, 464, 400, r=8), STEEL, right=0.3)
    for x in (368, 412):
        pen.rect(x, 236, x + 24, 280, dark(STEEL, 0.55), r=4)
    pen.solid(box(304, 380, 496, 846, r=46), look.main, right=0.3, depth=0.14)
    pen.rect(330, 430, 344, 700, veil(WHITE, 0.28), r=7)
    pen.ring(400, 772, 32, 10, STEEL)
    pen.disc(400, 440, 11, look.accent)
    pen.solid(box(574, 520, 746, 846, r=40), dark(look.main, 0.12), right=0.3, depth=0.14)
    pen.rect(598, 560, 612, 760, veil(WHITE, 0.22), r=7)


def ring_light_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 888, 210, 14)
    pen.line([(500, 640), (500, 800)], 22, look.main)
    for x in (330, 500, 670):
        pen.line([(500, 780), (x, 882)], 18, dark(look.main, 0.15))
    pen.disc(500, 380, 286, veil(look.accent, 0.35))
    pen.ring(500, 380, 220, 82, look.main)
    pen.ring(500, 380, 220, 62, look.accent)
    pen.line(oval(500, 380, 230, turn=(200, 290)), 14, veil(WHITE, 0.8))
    pen.rect(436, 280, 564, 500, rgb("#23262c"), r=22)
    pen.rect(446, 292, 554, 488, look.second, r=14)
    pen.disc(500, 390, 36, veil(WHITE, 0.35))
    pen.rect(478, 500, 522, 620, dark(look.main, 0.3), r=10)


def ring_light_side(pen: Pen, look: Look) -> None:
    pen.ground(440, 880, 230, 16)
    for x in (250, 420, 620):
        pen.line([(430, 700), (x, 874)], 20, dark(look.main, 0.15))
    pen.line([(430, 420), (430, 720)], 26, look.main)
    pen.rect(404, 600, 456, 660, look.second, r=12)
    with pen.at(430, 360, 18):
        pen.fill(
            [(40, -240), (350, -300), (350, 300), (40, 240)],
            veil(look.accent, 0.35),
        )
        pen.solid(box(-36, -260, 44, 260, r=34), look.main, right=0.4, depth=0.18)
        pen.rect(36, -244, 60, 244, look.accent, r=10)
    pen.rect(390, 330, 470, 420, dark(look.main, 0.3), r=20)
    pen.line(path((404, 480), (300, 520, 320, 700, 210, 760)), 12, dark(look.main, 0.2))
    pen.rect(150, 730, 220, 800, look.second, r=16)


def mouse_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 846, 210, 22)
    body: Outline = mirror(
        path((500, 150), (330, 150, 308, 330, 304, 500), (296, 740, 380, 846, 500, 846))
    )
    pen.solid(body, look.main, right=0.3, depth=0.14)
    pen.line(path((302, 470), (500, 520, 698, 470)), 9, dark(look.main, 0.4))
    pen.line([(500, 152), (500, 490)], 9, dark(look.main, 0.4))
    pen.rect(470, 250, 530, 386, dark(look.main, 0.5), r=28)
    pen.rect(482, 270, 518, 366, look.accent, r=17)
    for y in range(284, 360, 16):
        pen.rect(482, y, 518, y + 5, veil(SHADE, 0.35))
    pen.rect(484, 416, 516, 446, look.accent, r=8)
    pen.line(path((350, 330), (336, 420, 340, 560)), 14, veil(WHITE, 0.25))


def mouse_side(pen: Pen, look: Look) -> None:
    pen.ground(500, 702, 350, 26)
    body = path(
        (160, 660),
        (150, 430, 330, 330, 500, 330),
        (720, 330, 840, 480, 856, 620),
        (858, 690, 840, 690),
        (190, 690),
        (160, 690, 160, 660),
    )
    pen.solid(body, look.main, right=0.22, depth=0.12)
    with pen.clip(body):
        pen.fill(
            path((140, 600), (400, 560, 560, 640), (720, 680, 880, 640), (880, 720), (140, 720)),
            dark(look.main, 0.28),
        )
        pen.line(path((640, 330), (650, 450, 860, 520)), 9, dark(look.main, 0.4))
    pen.rect(600, 318, 656, 372, look.accent, r=26)
    pen.rect(330, 520, 430, 556, dark(look.main, 0.45), r=14)
    pen.rect(450, 516, 550, 552, dark(look.main, 0.45), r=14)
    pen.line(path((240, 460), (330, 370, 480, 366)), 15, veil(WHITE, 0.3))


def keyboard_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 720, 400, 22)
    with pen.at(500, 500, -6):
        pen.solid(box(-420, -190, 420, 190, r=40), look.main, right=0.14, depth=0.14)
        for row in range(4):
            keys = 11 if row < 3 else 7
            wide = 770 / keys
            for column in range(keys):
                x, y = -385 + column * wide, -156 + row * 80
                if row == 3 and column in (3, 4):
                    continue
                special = (row, column) in ((0, 0), (2, 10), (3, 0))
                pen.rect(
                    x + 5,
                    y + 5,
                    x + wide - 5,
                    y + 68,
                    look.accent if special else light(look.main, 0.22),
                    r=12,
                )
            if row == 3:
                pen.rect(
                    -385 + 3 * wide + 5, 89, -385 + 5 * wide - 5, 152, light(look.main, 0.22), r=12
                )


def keyboard_tilted(pen: Pen, look: Look) -> None:
    pen.ground(500, 690, 400, 24)
    with pen.at(500, 520):
        pen.fill([(-300, -150), (300, -150), (410, 110), (-410, 110)], light(look.main, 0.1))
        for row in range(4):
            y0, y1 = -130 + row * 56, -130 + row * 56 + 44
            half0, half1 = 296 + row * 24, 296 + row * 24 + 18
            for column in range(10):
                a, b = column / 10 + 0.008, (column + 1) / 10 - 0.008
                key = [
                    (-half0 + 2 * half0 * a, y0),
                    (-half0 + 2 * half0 * b, y0),
                    (-half1 + 2 * half1 * b, y1),
                    (-half1 + 2 * half1 * a, y1),
                ]
                pen.fill(
                    key, look.accent if (row, column) in ((0, 0), (3, 9)) else light(look.main, 0.3)
                )
        pen.solid(box(-416, 106, 416, 166, r=(6, 6, 26, 26)), look.main, right=0.16, depth=0.16)
        pen.disc(360, 136, 9, rgb("#7fe0a5"))
        pen.rect(-60, 126, 60, 136, veil(WHITE, 0.2), r=5)


def solar_lamp_front(pen: Pen, look: Look) -> None:
    pen.ground(500, 866, 200)
    pen.line(path((320, 330), (320, 120, 680, 120, 680, 330)), 24, look.second)
    pen.fill(chamfer(344, 250, 656, 330, 40), look.main)
    pen.solid(box(372, 320, 628, 640, r=30), light(look.accent, 0.35), right=0.3, depth=0.06)
    pen.disc(500, 480, 74, light(look.accent, 0.8))
    pen.disc(500, 480, 44, WHITE)
    for x in (392, 496, 600):
        pen.rect(x, 320, x + 10, 640, dark(look.main, 0.1))
    pen.solid(mirror([(344, 636), (310, 860)]), look.main, right=0.26, depth=0.14)
    pen.disc(500, 750, 44, look.second)
    pen.ring(500, 750, 14, 6, WHITE)
    pen.rect(497, 728, 503, 748, WHITE)
    pen.rect(404, 216, 596, 256, dark(look.main, 0.2), r=(20, 20, 0, 0))


def solar_lamp_panel(pen: Pen, look: Look) -> None:
    pen.ground(330, 846, 140, 16)
    pen.ground(660, 800, 200, 18)
    pen.line(path((380, 700), (460, 760, 520, 700, 560, 640)), 12, look.second)
    with pen.at(660, 500, 6):
        pen.solid(box(-200, -270, 200, 290, r=18), STEEL, right=0.1)
        pen.rect(-180, -250, 180, 270, rgb("#24406e"), r=8)
        for row in range(6):
            for column in range(4):
                x, y = -172 + column * 88, -242 + row * 85
                pen.rect(x, y, x + 80, y + 77, rgb("#2f5590"), r=8)
        pen.fill([(20, -250), (120, -250), (-60, 270), (-160, 270)], veil(WHITE, 0.1))
    pen.solid(box(230, 440, 430, 640, r=24), light(look.accent, 0.35), right=0.3, depth=0.06)
    pen.disc(330, 540, 52, WHITE)
    pen.solid(mirror([(220, 640), (196, 842)], 330), look.main, right=0.26, depth=0.14)
    pen.fill(chamfer(214, 390, 446, 446, 26), look.main)
    pen.disc(330, 746, 32, look.second)


KINDS = (
    Kind(
        name="power_bank",
        front=power_bank_front,
        second=power_bank_top,
        colours=("#3d6b5c", "#f0b54c", "#17191e"),
        details={"face": ("bolt", "display")},
    ),
    Kind(
        name="charger",
        front=charger_front,
        second=charger_kit,
        colours=("#e6e2da", "#e08a35", "#3b3f47"),
        details={"ports": ("two", "one")},
    ),
    Kind(
        name="usb_cable",
        front=cable_front,
        second=cable_ends,
        colours=("#c0553d", "#f3e3c6", "#4a4640"),
        details={"skin": ("braided", "smooth")},
    ),
    Kind(
        name="phone",
        front=phone_front,
        second=phone_back,
        colours=("#3f5f8a", "#f0b26a", "#27406b"),
        details={"screen": ("hills", "waves", "sun"), "cameras": ("square", "column")},
    ),
    Kind(
        name="feature_phone",
        front=feature_phone_front,
        second=feature_phone_back,
        colours=("#2f4a6b", "#e9b35a", "#cfe0d2"),
    ),
    Kind(
        name="phone_cover",
        front=cover_front,
        second=cover_inside,
        colours=("#7fa38f", "#f1e6cf", "#3f6b58"),
        details={"pattern": ("dots", "waves", "leaves", "ring")},
    ),
    Kind(
        name="laptop_bag",
        front=laptop_bag_front,
        second=laptop_bag_open,
        colours=("#56657a", "#d99a4a", "#2f3a4a"),
    ),
    Kind(
        name="extension",
        front=extension_front,
        second=extension_usb,
        colours=("#ebe7df", "#4fae7d", "#4a4d55"),
        tint_from="accent",
    ),
    Kind(
        name="flash_disk",
        front=flash_front,
        second=flash_capped,
        colours=("#b8433c", "#f0b54c", "#2b2e35"),
    ),
    Kind(
        name="ring_light",
        front=ring_light_front,
        second=ring_light_side,
        colours=("#3a3d45", "#ffe9b8", "#7d8fb0"),
        tint_from="second",
    ),
    Kind(
        name="mouse",
        front=mouse_front,
        second=mouse_side,
        colours=("#4a5a70", "#7fc8b0", "#2b2e35"),
    ),
    Kind(
        name="keyboard",
        front=keyboard_front,
        second=keyboard_tilted,
        colours=("#5b5470", "#e0995a", "#2b2540"),
    ),
    Kind(
        name="solar_lamp",
        front=solar_lamp_front,
        second=solar_lamp_panel,
        colours=("#d9783a", "#f6cf6b", "#3b3f47"),
    ),
)
