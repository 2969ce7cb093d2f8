"""Outlines as lists of points, in a square of 1000 by 1000 with y growing downwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]
Outline = list[Point]

_CURVE_STEPS = 20


def box(
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    r: float | tuple[float, float, float, float] = 0,
) -> Outline:
    """A rectangle; `r` rounds all corners, or each (top left, top right, bottom right, left)."""
    radii = r if isinstance(r, tuple) else (r, r, r, r)
    most = min(x1 - x0, y1 - y0) / 2
    tl, tr, br, bl = (min(radius, most) for radius in radii)
    corners = (
        (x0 + tl, y0 + tl, tl, 180),
        (x1 - tr, y0 + tr, tr, 270),
        (x1 - br, y1 - br, br, 0),
        (x0 + bl, y1 - bl, bl, 90),
    )
    points: Outline = []
    for cx, cy, radius, start in corners:
        points += oval(cx, cy, radius, turn=(start, start + 90)) if radius else [(cx, cy)]
    return points


def oval(
    cx: float,
    cy: float,
    rx: float,
    ry: float | None = None,
    turn: tuple[float, float] = (0, 360),
) -> Outline:
    """A circle, an ellipse or a part of it; angles in degrees, clockwise from the right."""
    ry = rx if ry is None else ry
    start, end = turn
    steps = max(6, round(abs(end - start) / 4))
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def chamfer(x0: float, y0: float, x1: float, y1: float, cut: float) -> Outline:
    """A rectangle with its corners cut off straight."""
    return [
        (x0 + cut, y0),
        (x1 - cut, y0),
        (x1, y0 + cut),
        (x1, y1 - cut),
        (x1 - cut, y1),
        (x0 + cut, y1),
        (x0, y1 - cut),
        (x0, y0 + cut),
    ]


def path(start: Point, *moves: tuple[float, ...]) -> Outline:
    """From `start` along lines (x, y), bends (cx, cy, x, y) and curves (cx, cy, dx, dy, x, y)."""
    points = [start]
    for move in moves:
        if len(move) == 2:
            points.append((move[0], move[1]))
        elif len(move) == 4:
            points += _bend(points[-1], (move[0], move[1]), (move[2], move[3]))
        else:
            points += _curve(points[-1], (move[0], move[1]), (move[2], move[3]), (move[4], move[5]))
    return points


def mirror(half: Sequence[Point], axis: float = 500) -> Outline:
    """A symmetric outline from its left half, given from the top to the bottom."""
    return [*half, *((2 * axis - x, y) for x, y in reversed(half))]


def flip(points: Sequence[Point], axis: float = 500) -> Outline:
    return [(2 * axis - x, y) for x, y in points]


def spline(points: Sequence[Point], closed: bool = True) -> Outline:
    """A smooth line through the points."""
    count = len(points)
    if not closed:
        points = [points[0], *points, points[-1]]
        spans = range(1, count)
    else:
        spans = range(count)
    outline: Outline = []
    for i in spans:
        p0, p1, p2, p3 = (points[(i + k - 1) % len(points)] for k in range(4))
        outline += [_through(p0, p1, p2, p3, step / 12) for step in range(12)]
    return outline if closed else [*outline, points[-1]]


def bounds(points: Sequence[Point]) -> tuple[float, float, float, float]:
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _bend(a: Point, c: Point, b: Point) -> Outline:
    return [_quadratic(a, c, b, i / _CURVE_STEPS) for i in range(1, _CURVE_STEPS + 1)]


def _quadratic(a: Point, c: Point, b: Point, t: float) -> Point:
    u = 1 - t
    return (
        u * u * a[0] + 2 * u * t * c[0] + t * t * b[0],
        u * u * a[1] + 2 * u * t * c[1] + t * t * b[1],
    )


def _curve(a: Point, c: Point, d: Point, b: Point) -> Outline:
    return [_cubic(a, c, d, b, i / _CURVE_STEPS) for i in range(1, _CURVE_STEPS + 1)]


def _cubic(a: Point, c: Point, d: Point, b: Point, t: float) -> Point:
    u = 1 - t
    weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
    return (
        sum(w * p[0] for w, p in zip(weights, (a, c, d, b), strict=True)),
        sum(w * p[1] for w, p in zip(weights, (a, c, d, b), strict=True)),
    )


def _through(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    def one(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )

    return (one(p0[0], p1[0], p2[0], p3[0]), one(p0[1], p1[1], p2[1], p3[1]))
