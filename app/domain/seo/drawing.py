"""Drawing the picture that a shared link shows: the goods on their tint, name, price, delivery.

Nothing here imports the rest of the product, because it runs as a program of its own
(``python drawing.py < order``) that may use only so much memory and time. The order is one line
of JSON and then the photos' bytes, one after the other; the answer is a JPEG.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections.abc import Sequence
from typing import Any

import font_manrope  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 1200, 630
MOST_BYTES = 60_000  # what WhatsApp still shows large
QUALITIES = (86, 80, 74, 68, 60, 52)
SOFTNESSES = (0, 1, 2, 4, 8)  # pixels
MEMORY_BYTES = 512 * 1024 * 1024
SECONDS = 10

PAPER, INK, QUIET = "#fbfaf7", "#1c1a17", "#6b665e"
EDGE, FIELD = 56, 630  # the photos' field is a square on the right
COLUMN = WIDTH - FIELD - EDGE - 40
LINES = 3
GAP = 4

_FONTS = font_manrope.font_files


def draw(order: dict[str, Any], photos: Sequence[bytes]) -> bytes:
    """The picture as a JPEG of at most ``MOST_BYTES``.

    ``order`` has the words (``store``, ``title``, ``figure``, ``line``), the ``accent`` colour and
    for each photo the colour of its ground in ``grounds``.
    """
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(picture)
    accent = order["accent"]
    _photos(picture, photos, order["grounds"], accent)
    pen.ellipse((EDGE, 60, EDGE + 22, 82), fill=accent)
    store, size = _fit(order["store"], "SemiBold", (30, 26), COLUMN - 38, 1)
    pen.text(
        xy=(EDGE + 38, 71), text=store[0], font=_font("SemiBold", size), fill=QUIET, anchor="lm"
    )
    title, size = _fit(order["title"], "Bold", (60, 54, 48, 42), COLUMN, LINES)
    for at, words in enumerate(title):
        y = 130 + at * round(size * 1.18)
        pen.text(xy=(EDGE, y), text=words, font=_font("Bold", size), fill=INK)
    foot = HEIGHT - EDGE
    if order["line"]:
        line, size = _fit(order["line"], "SemiBold", (32, 28, 24), COLUMN - 48, 1)
        end = EDGE + 48 + _length(line[0], "SemiBold", size)
        pen.rounded_rectangle((EDGE, foot - 64, end, foot), radius=32, fill=accent)
        pen.text(
            xy=(EDGE + 24, foot - 32),
            text=line[0],
            font=_font("SemiBold", size),
            fill=PAPER,
            anchor="lm",
        )
        foot -= 64 + 22
    if order["figure"]:
        figure, size = _fit(order["figure"], "ExtraBold", (78, 66, 56, 46), COLUMN, 1)
        pen.text(
            xy=(EDGE - 3, foot),
            text=figure[0],
            font=_font("ExtraBold", size),
            fill=INK,
            anchor="ld",
        )
    return _encoded(picture)


def _photos(
    picture: Image.Image, photos: Sequence[bytes], grounds: Sequence[str], accent: str
) -> None:
    """One photo fills the square on the right, more share it two by two."""
    left = WIDTH - FIELD
    if not photos:
        ImageDraw.Draw(picture).rectangle((left, 0, WIDTH, HEIGHT), fill=accent)
        return
    side = FIELD if len(photos) == 1 else (FIELD - GAP) // 2
    for at, (data, ground) in enumerate(zip(photos, grounds, strict=True)):
        row, column = divmod(at, 2)
        height = FIELD if len(photos) == 2 else side
        place = (left + column * (side + GAP), row * (side + GAP))
        field = Image.new("RGB", (side, height), ground)
        with Image.open(io.BytesIO(data)) as photo:
            has_ground = not photo.has_transparency_data
            room = 0 if has_ground else side // 12
            shown = photo.convert("RGBA")
            # A photo with a ground of its own fills its field; a thing cut out stands in it.
            scale = (max if has_ground else min)(
                (side - 2 * room) / shown.width, (height - 2 * room) / shown.height
            )
            shown = shown.resize(
                (max(1, round(shown.width * scale)), max(1, round(shown.height * scale))),
                Image.Resampling.LANCZOS,
            )
        field.paste(shown, ((side - shown.width) // 2, (height - shown.height) // 2), shown)
        picture.paste(field, place)


def _fit(
    words: str, weight: str, sizes: Sequence[int], width: int, lines: int
) -> tuple[list[str], int]:
    """The words in lines of at most ``width`` pixels, in the first size in which they fit.

    In the smallest size what does not fit is cut, with … at its end.
    """
    broken: list[str] = []
    for size in sizes:
        broken = _lines(words, weight, size, width)
        if len(broken) <= lines:
            return broken, size
    kept = broken[:lines]
    while kept[-1] and _length(kept[-1] + "…", weight, sizes[-1]) > width:
        kept[-1] = kept[-1][:-1].rstrip(" ,")
    kept[-1] += "…"
    return kept, sizes[-1]


def _lines(words: str, weight: str, size: int, width: int) -> list[str]:
    """Broken between words; a word that is longer than a line is broken in itself."""
    lines: list[str] = []
    for word in filter(None, words.split(" ")):
        if lines and _length(f"{lines[-1]} {word}", weight, size) <= width:
            lines[-1] += f" {word}"
            continue
        while _length(word, weight, size) > width and len(word) > 1:
            at = len(word)
            while at > 1 and _length(word[:at], weight, size) > width:
                at -= 1
            lines.append(word[:at])
            word = word[at:]
        lines.append(word)
    return lines


def _font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS[f"Manrope{weight}"], size)


def _length(words: str, weight: str, size: int) -> float:
    return _font(weight, size).getlength(words)


def _encoded(picture: Image.Image) -> bytes:
    """As a JPEG that is small enough: of a lower quality, then with a softer photo.

    The photo gives way first, because nobody reads words that are smeared.
    """
    data = b""
    for softness in SOFTNESSES:
        if softness:
            field = (WIDTH - FIELD, 0, WIDTH, HEIGHT)
            picture.paste(picture.crop(field).filter(ImageFilter.BoxBlur(softness)), field)
        for quality in QUALITIES if not softness else QUALITIES[-1:]:
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
            data = out.getvalue()
            if len(data) <= MOST_BYTES:
                return data
    return data


def main() -> int:
    """Read an order from standard input and write the picture to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write to a disk
    order = json.loads(sys.stdin.buffer.readline())
    photos = [sys.stdin.buffer.read(length) for length in order["lengths"]]
    sys.stdout.buffer.write(draw(order, photos))
    return 0


if __name__ == "__main__":
    sys.exit(main())
