"""The pen the product pictures are drawn with: flat shapes, soft shade, light from the left.

It draws several times larger than asked and shrinks at the end, which smooths every edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from PIL import Image, ImageDraw

from local.demo.colour import RGB, SHADE, WHITE, Paint, veil
from local.demo.shapes import Outline, Point, bounds, box, oval

_Matrix = tuple[float, float, float, float, float, float]


class Pen:
    """Draws in a square of 1000 by 1000 units, whatever the size of the picture."""

    def __init__(self, size: int, *, background: RGB, oversampling: int = 3) -> None:
        self._oversampling = oversampling
        self._image = Image.new("RGB", (size * oversampling, size * oversampling), background)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self._offset = (0, 0)
        unit = size * oversampling / 1000
        self._matrix: _Matrix = (unit, 0, 0, unit, 0, 0)

    def picture(self) -> Image.Image:
        """The finished picture at the size asked for."""
        return self._image.reduce(self._oversampling)

    def fill(self, points: Sequence[Point], paint: Paint) -> None:
        self._draw.polygon([self._device(point) for point in points], fill=paint)

    def rect(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        paint: Paint,
        r: float | tuple[float, float, float, float] = 0,
    ) -> None:
        self.fill(box(x0, y0, x1, y1, r), paint)

    def disc(self, cx: float, cy: float, rx: float, paint: Paint, ry: float | None = None) -> None:
        self.fill(oval(cx, cy, rx, ry), paint)

    def ring(
        self,
        cx: float,
        cy: float,
        radius: float,
        width: float,
        paint: Paint,
        ry: float | None = None,
    ) -> None:
        self.line(oval(cx, cy, radius, ry), width, paint)

    def line(
        self, points: Sequence[Point], width: float, paint: Paint, *, closed: bool = False
    ) -> None:
        """A line with round ends and joints."""
        if closed:
            points = [*points, points[0]]
        if len(paint) == 4 and paint[3] < 255:
            self._veiled_line(points, width, paint)
        else:
            self._stroke(self._draw, points, width, paint)

    def dashes(
        self, start: Point, end: Point, width: float, paint: Paint, dash: float = 12, gap: float = 9
    ) -> None:
        """A stitched line from one point to another."""
        length = math.dist(start, end)
        if not length:
            return
        ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
        at = 0.0
        while at < length:
            stop = min(at + dash, length)
            first = (start[0] + ux * at, start[1] + uy * at)
            self.line([first, (start[0] + ux * stop, start[1] + uy * stop)], width, paint)
            at += dash + gap

    def solid(
        self,
        points: Sequence[Point],
        colour: RGB,
        *,
        right: float = 0.3,
        depth: float = 0.13,
        left: float = 0.0,
        slant: float = 0.0,
    ) -> None:
        """A body with a darker right part and, if asked, a lighter left part.

        `right` and `left` are shares of its width, `slant` tilts the edge of the shade.
        """
        self.fill(points, colour)
        x0, y0, x1, y1 = bounds(points)
        wide, lean = x1 - x0, slant * (y1 - y0)
        with self.clip(points):
            edge = x1 - wide * right
            shade = [(edge + lean, y0), (x1 + wide, y0), (x1 + wide, y1), (edge - lean, y1)]
            self.fill(shade, veil(SHADE, depth))
            if left:
                edge = x0 + wide * left
                glow = [(x0 - wide, y0), (edge + lean, y0), (edge - lean, y1), (x0 - wide, y1)]
                self.fill(glow, veil(WHITE, depth * 0.8))

    def ground(self, cx: float, cy: float, rx: float, ry: float = 20) -> None:
        """The soft shadow below a thing that stands."""
        self.disc(cx, cy, rx, veil(SHADE, 0.09), ry)
        self.disc(cx, cy - ry * 0.1, rx * 0.82, veil(SHADE, 0.09), ry * 0.7)

    @contextmanager
    def clip(self, points: Sequence[Point]) -> Iterator[None]:
        """Whatever is drawn inside stays within the outline."""
        device = [self._device(point) for point in points]
        x0, y0, x1, y1 = bounds(device)
        left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
        right = min(self._image.width, math.ceil(x1) + 1)
        bottom = min(self._image.height, math.ceil(y1) + 1)
        if right <= left or bottom <= top:
            raise ValueError("the outline lies outside the picture")
        below = (self._image, self._draw, self._offset)
        region = self._image.crop((left, top, right, bottom))
        mask = Image.new("L", region.size, 0)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in device], fill=255)
        self._image, self._draw = region, ImageDraw.Draw(region, "RGBA")
        self._offset = (self._offset[0] + left, self._offset[1] + top)
        yield
        self._image, self._draw, self._offset = below
        self._image.paste(region, (left, top), mask)

    @contextmanager
    def at(
        self, x: float, y: float, turn: float = 0, grow: float | tuple[float, float] = 1
    ) -> Iterator[None]:
        """Inside, (0, 0) is this point, turned clockwise by `turn` degrees and scaled."""
        saved = self._matrix
        gx, gy = grow if isinstance(grow, tuple) else (grow, grow)
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        a, b, c, d, e, f = saved
        self._matrix = (
            (a * cos + c * sin) * gx,
            (b * cos + d * sin) * gx,
            (c * cos - a * sin) * gy,
            (d * cos - b * sin) * gy,
            a * x + c * y + e,
            b * x + d * y + f,
        )
        yield
        self._matrix = saved

    def _device(self, point: Point) -> Point:
        x, y = point
        a, b, c, d, e, f = self._matrix
        return (a * x + c * y + e - self._offset[0], b * x + d * y + f - self._offset[1])

    def _stroke(
        self, draw: ImageDraw.ImageDraw, points: Sequence[Point], width: float, paint: Paint | int
    ) -> None:
        for first, last in pairwise(points):
            length = math.dist(first, last)
            if length:
                draw.polygon(
                    [self._device(p) for p in _bar(first, last, width / length)], fill=paint
                )
        for x, y in points:
            draw.polygon([self._device(p) for p in oval(x, y, width / 2)], fill=paint)

    def _veiled_line(self, points: Sequence[Point], width: float, paint: Paint) -> None:
        """Overlapping strokes of a see-through colour would show their joints, so mask them."""
        x0, y0, x1, y1 = bounds(points)
        reach = box(x0 - width, y0 - width, x1 + width, y1 + width)
        dx0, dy0, dx1, dy1 = bounds([self._device(point) for point in reach])
        left, top = max(0, math.floor(dx0)), max(0, math.floor(dy0))
        size = (
            min(self._image.width, math.ceil(dx1)) - left,
            min(self._image.height, math.ceil(dy1)) - top,
        )
        if size[0] <= 0 or size[1] <= 0:
            return
        mask = Image.new("L", size, 0)
        offset = self._offset
        self._offset = (offset[0] + left, offset[1] + top)
        self._stroke(ImageDraw.Draw(mask), points, width, paint[3] if len(paint) == 4 else 255)
        self._offset = offset
        self._image.paste(paint[:3], (left, top), mask)


def _bar(first: Point, last: Point, share: float) -> Outline:
    dx = (last[1] - first[1]) * share / 2
    dy = (first[0] - last[0]) * share / 2
    return [
        (first[0] + dx, first[1] + dy),
        (last[0] + dx, last[1] + dy),
        (last[0] - dx, last[1] - dy),
        (first[0] - dx, first[1] - dy),
    ]
