"""Printed and woven patterns that fill a piece of cloth."""

from __future__ import annotations

import math

from local.demo.colour import RGB, SHADE, WHITE, veil
from local.demo.pen import Pen
from local.demo.shapes import Outline, Point, bounds, path

PATTERNS = ("plain", "stripes", "checks", "dots", "kitenge", "rings", "zigzag", "leaves")


def print_on(
    pen: Pen, outline: Outline, pattern: str, first: RGB, second: RGB, *, size: float = 90
) -> None:
    """Fill an outline with a pattern in two colours over what is there already."""
    if pattern == "plain":
        return
    x0, y0, x1, y1 = bounds(outline)
    with pen.clip(outline):
        if pattern == "stripes":
            _stripes(pen, x0, y0, x1, y1, first, size)
        elif pattern == "checks":
            _checks(pen, x0, y0, x1, y1, first, second, size)
        elif pattern == "zigzag":
            _zigzag(pen, x0, y0, x1, y1, first, second, size)
        else:
            stamp = {"dots": _dot, "kitenge": _sun, "rings": _rings, "leaves": _leaf}[pattern]
            for i, (x, y) in enumerate(_grid(x0, y0, x1, y1, size)):
                stamp(pen, x, y, size, first if i % 2 else second, second if i % 2 else first)


def _grid(x0: float, y0: float, x1: float, y1: float, size: float) -> list[Point]:
    """Places in rows, every second row moved by half, so that prints look woven."""
    places: list[Point] = []
    rows = math.ceil((y1 - y0) / (size * 0.87)) + 1
    for row in range(rows):
        shift = size / 2 if row % 2 else 0
        columns = math.ceil((x1 - x0) / size) + 2
        places += [
            (x0 - size / 2 + shift + c * size, y0 + row * size * 0.87) for c in range(columns)
        ]
    return places


def _stripes(
    pen: Pen, x0: float, y0: float, x1: float, y1: float, colour: RGB, size: float
) -> None:
    for i in range(math.ceil((y1 - y0) / size) + 1):
        y = y0 + i * size + size * 0.4
        pen.rect(x0, y, x1, y + size * 0.34, colour)


def _checks(
    pen: Pen, x0: float, y0: float, x1: float, y1: float, first: RGB, second: RGB, size: float
) -> None:
    for i in range(math.ceil((x1 - x0) / size) + 1):
        pen.rect(x0 + i * size, y0, x0 + i * size + size * 0.42, y1, veil(first, 0.55))
    for i in range(math.ceil((y1 - y0) / size) + 1):
        pen.rect(x0, y0 + i * size, x1, y0 + i * size + size * 0.42, veil(first, 0.55))
        pen.rect(
            x0, y0 + i * size + size * 0.66, x1, y0 + i * size + size * 0.74, veil(second, 0.8)
        )
    for i in range(math.ceil((x1 - x0) / size) + 1):
        pen.rect(
            x0 + i * size + size * 0.66, y0, x0 + i * size + size * 0.74, y1, veil(second, 0.8)
        )


def _zigzag(
    pen: Pen, x0: float, y0: float, x1: float, y1: float, first: RGB, second: RGB, size: float
) -> None:
    for row in range(math.ceil((y1 - y0) / size) + 2):
        y = y0 + row * size
        steps = math.ceil((x1 - x0) / (size * 0.5)) + 2
        points = [
            (x0 - size / 2 + i * size * 0.5, y + (size * 0.32 if i % 2 else 0))
            for i in range(steps)
        ]
        pen.line(points, size * 0.22, first if row % 2 else second)


def _dot(pen: Pen, x: float, y: float, size: float, colour: RGB, _: RGB) -> None:
    pen.disc(x, y, size * 0.2, colour)


def _sun(pen: Pen, x: float, y: float, size: float, colour: RGB, other: RGB) -> None:
    """The round flower that so many kitenge prints share."""
    for turn in range(0, 360, 45):
        with pen.at(x, y, turn):
            pen.disc(0, -size * 0.28, size * 0.09, colour, size * 0.14)
    pen.disc(x, y, size * 0.19, other)
    pen.disc(x, y, size * 0.09, colour)


def _rings(pen: Pen, x: float, y: float, size: float, colour: RGB, other: RGB) -> None:
    pen.disc(x, y, size * 0.42, colour)
    pen.disc(x, y, size * 0.3, other)
    pen.disc(x, y, size * 0.17, colour)


def _leaf(pen: Pen, x: float, y: float, size: float, colour: RGB, other: RGB) -> None:
    turn = 35 if colour > other else -35
    with pen.at(x, y, turn):
        half = size * 0.42
        pen.fill(
            path(
                (0, -half),
                (half * 0.62, -half * 0.2, 0, half),
                (-half * 0.62, -half * 0.2, 0, -half),
            ),
            colour,
        )
        pen.line([(0, -half * 0.7), (0, half * 1.1)], size * 0.05, other)


def folds(pen: Pen, outline: Outline, lines: list[Outline], width: float = 10) -> None:
    """Soft creases, clipped to the cloth."""
    with pen.clip(outline):
        for line in lines:
            pen.line(line, width, veil(SHADE, 0.12))
            pen.line([(x + width * 0.9, y) for x, y in line], width * 0.5, veil(WHITE, 0.12))
