"""How long one core takes to make all files of a phone's photo: ``python -m bench.photos [FILE …]``.

Without a file it makes photos of 12 megapixels itself, a calm one and one that is all detail.
Printed are the seconds of processor time (what one core needs, whoever else uses the machine),
the memory at the peak, the bytes, and the same with the photo decoded whole and each size
scaled from it, which is how the first cut did it.
"""

from __future__ import annotations

import io
import resource
import sys
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from app.domain.media.apart import made_apart
from app.domain.media.making import FORMATS, QUALITIES, WIDTHS, Unfit

MOST_SECONDS = 3.0
SIZE = (4000, 3000)
RUNS = 3


def main(names: list[str]) -> int:
    photos = [(Path(name).name, Path(name).read_bytes()) for name in names] or [
        ("calm", drawn(4, 78)),
        ("all detail", drawn(60, 90)),
    ]
    print(
        f"{'photo':<28} {'MB in':>6} {'MP':>5} {'s, ours':>8} {'s, plain':>9} {'ratio':>6} {'MB peak':>8} {'KB out':>7}"
    )
    slowest = 0.0
    for name, data in photos:
        with Image.open(io.BytesIO(data)) as opened:
            pixels = opened.width * opened.height / 1e6
        runs = [made(data) for _run in range(RUNS)]
        seconds = min(run[0] for run in runs)
        slow = plainly(data)
        slowest = max(slowest, seconds)
        print(
            f"{name[:28]:<28} {len(data) / 1e6:>6.1f} {pixels:>5.1f} {seconds:>8.2f} {slow:>9.2f}"
            f" {slow / seconds:>5.1f}x {runs[0][1]:>8.0f} {runs[0][2] / 1000:>7.0f}"
        )
    print(
        f"slowest {slowest:.2f} s of one core; at most {MOST_SECONDS:.0f} s: {'yes' if slowest < MOST_SECONDS else 'NO'}"
    )
    return 0 if slowest < MOST_SECONDS else 1


def made(data: bytes) -> tuple[float, float, int]:
    """Seconds of processor time, peak MB and bytes of the product's own program, start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        _width, _height, files = made_apart(data)
    except Unfit as unfit:
        raise SystemExit(f"refused: {unfit.reason}") from unfit
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, after.ru_maxrss / 1024, sum(len(body) for _name, _width, body in files)


def plainly(data: bytes) -> float:
    """The same files without any of what makes it quick: the whole photo decoded, each size from it."""
    begin = time.process_time()
    with Image.open(io.BytesIO(data)) as opened:
        whole = opened.convert("RGB")
    for width in WIDTHS:
        size = (width, round(whole.height * width / whole.width))
        scaled = whole.resize(size, Image.Resampling.LANCZOS)
        for name in FORMATS:
            options = {"speed": 6, "max_threads": 1} if name == "avif" else {}
            scaled.save(
                io.BytesIO(),
                {"jpg": "JPEG"}.get(name, name.upper()),
                quality=QUALITIES[name][0],
                **options,
            )
    return time.process_time() - begin


def drawn(grain: int, quality: int) -> bytes:
    """A photo of 12 megapixels with this much grain."""
    soft = Image.effect_noise((400, 300), 90).resize(SIZE, Image.Resampling.BICUBIC)
    grey = Image.blend(
        soft.filter(ImageFilter.GaussianBlur(8)), Image.effect_noise(SIZE, grain), 0.3
    )
    picture = Image.merge(
        "RGB", (grey, grey.point(lambda v: v * 0.8), grey.point(lambda v: 255 - v))
    )
    ImageDraw.Draw(picture).ellipse((1200, 700, 2800, 2300), fill=(40, 60, 160))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
