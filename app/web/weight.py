"""What a page weighs on its way to a phone, printed in its own foot.

Everything a first visit fetches before anybody scrolls is added up while the page is made: the
files its head names, and the photos a phone would choose and ask for. The page itself is
compressed to know its size, and the sum is written where the foot left room. In a browser
with script the sum is then replaced by what that browser really received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import ceil, sqrt

import brotli
from flask import Flask, Response, request

from app.domain.catalog.queries import Picture

ROOM = "\N{FIGURE SPACE}" * 5  # where the foot wants the sum; nothing else writes this
PLACE = "dukani.weighing"  # in the request's own environment

# Pages leave compressed by Brotli at quality 5 (`app.web.pressing`, the page cache). Its quickest
# way costs a tenth of that, and comes out longer by a factor that hardly moves between pages.
SQUEEZE = 0.79
# What travels beside the contents: status lines and headers.
PAGE_HEAD, FILE_HEAD, PHOTO_HEAD = 900, 380, 680
FRAGMENT_BYTES = 1_000  # one small answer for this shopper alone: headers, mostly

# The phone the sum is for: what most shoppers hold, and what the budgets are measured with.
PHONE_WIDTH, PHONE_DOTS = 412, 1.75


@dataclass
class Weighing:
    """What is known about one page while it is being made."""

    files: dict[str, int] = field(default_factory=dict)
    fragments: int = 0


def weighing() -> Weighing:
    """This request's page."""
    found: Weighing = request.environ.setdefault(PLACE, Weighing())
    return found


def weigh_file(name: str, size: int) -> None:
    """The page names a file that the browser fetches at once."""
    weighing().files[name] = size + FILE_HEAD


def weigh_photo(picture: Picture, sizes: str, most: int) -> str:
    """The page shows a photo that a phone fetches before anybody scrolls."""
    width = _phone_file(tuple(picture.widths), picture.width, sizes, most)
    name = picture.modern(width)
    size = picture.files.get(name, picture.sizes)[str(width)]
    weighing().files[f"{picture.key}-{width}"] = size + PHOTO_HEAD
    return ""


def phone_file(widths: Sequence[int], whole: int, sizes: str, most: int) -> int:
    """The named width that the phone chooses from those up to ``most``, as Chromium does.

    ``sizes`` is the attribute: its last part is the phone's, in ``vw`` or ``px``.
    """
    last = sizes.rpartition(",")[2].strip()
    shown = float(last[:-2]) * (PHONE_WIDTH / 100 if last.endswith("vw") else 1)
    least = 320 if most > 320 else 0
    offered = [width for width in widths if least <= width <= most]
    dots = [min(width, whole) / shown for width in offered]
    for at, (this, following) in enumerate(pairwise(dots)):
        if following >= PHONE_DOTS:
            return offered[at + 1 if sqrt(this * following) <= PHONE_DOTS else at]
    return offered[-1]


_phone_file = lru_cache(maxsize=512)(phone_file)  # photos of a shop have few shapes


def kilobytes(size: int) -> int:
    """Thousands of bytes, whole ones: never less than what will be sent."""
    return ceil(size / 1000)


def add_weight(app: Flask) -> None:
    """Give the templates their scale, and write the sum into every page that has room for it."""

    def weigh_fragment() -> str:
        weighing().fragments += 1
        return ""

    @app.after_request
    def write_sum(response: Response) -> Response:
        if PLACE not in request.environ or response.mimetype != "text/html" or response.is_streamed:
            return response
        text = response.get_data()
        before, room, after = text.rpartition(ROOM.encode())
        if room:
            response.set_data(before + _sum(text).encode() + after)
        return response

    app.jinja_env.globals.update(
        weigh_photo=weigh_photo,
        weigh_fragment=weigh_fragment,
        page_weight_room=ROOM,
        kilobytes=kilobytes,
    )


def _sum(text: bytes) -> str:
    """The page, its files and its fragments with their heads: ``61.3``, in thousands of bytes."""
    page = weighing()
    compressed = round(len(brotli.compress(text, quality=1)) * SQUEEZE)
    files = sum(page.files.values()) + page.fragments * FRAGMENT_BYTES
    size = compressed + PAGE_HEAD + files
    return f"{size / 1000:.1f}" if size < 100_000 else f"{size / 1000:.0f}"
