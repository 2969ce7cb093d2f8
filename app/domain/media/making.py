"""What a photo becomes: every width and format, from bytes that a stranger sent.

This module imports nothing of the product, because it also runs as a program of its own. The
program takes photos one after the other and gives each to a child of its own, which may use only
so much memory and time: a file made to hurt hurts nobody, and the program is started once for
many photos. A photo comes as a line of JSON (how many bytes, which formats) and its bytes. An
answer is eight bytes that say how long it is, one line of JSON and the files' bytes, one after
the other.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from PIL import Image, ImageCms, UnidentifiedImageError

WIDTHS = (160, 320, 640, 960, 1440)
LEAST = 2  # the two smallest are always made: a list shows no others
AVIF, WEBP, JPEG = "avif", "webp", "jpg"
FORMATS = (AVIF, WEBP, JPEG)
TAKEN = ("JPEG", "PNG", "WEBP")

MAX_BYTES = 8 * 1024 * 1024
MAX_SIDE = 8_000
MAX_PIXELS = 24_000_000
MEMORY_BYTES = 512 * 1024 * 1024
SECONDS = 10
MOST_ANSWERED = 16 * 1024 * 1024

# The bytes worth sending at each width; a busy photo gets a lower quality until it fits, and
# where the lowest that still looks like a photo is not enough, fewer pixels.
BUDGETS = {160: 5_000, 320: 12_000, 640: 30_000, 960: 75_000, 1440: 160_000}
QUALITIES: dict[str, tuple[int, ...]] = {
    AVIF: (56, 48, 40, 32, 24),
    WEBP: (78, 68, 56, 44, 32, 20),
    JPEG: (80, 70, 60, 50, 40, 30, 22),
}
FEWER = 0.8
SEE_THROUGH = 72  # AVIF thins the see-through channel with the rest: a soft shadow needs more
_WRITER: dict[str, tuple[str, dict[str, Any]]] = {
    AVIF: ("AVIF", {"speed": 8, "max_threads": 1}),
    WEBP: ("WEBP", {"method": 3}),
    JPEG: ("JPEG", {"optimize": True, "progressive": True}),
}
PAPER = (255, 255, 255)  # under what is see-through, in the format that cannot be


class Unfit(Exception):
    """The bytes are not a photo we take. ``reason`` is one of the words in ``REASONS``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


EMPTY = "empty"
TOO_MANY_BYTES = "too_many_bytes"
TOO_MANY_PIXELS = "too_many_pixels"
HEIC = "heic"
MOVING = "moving"
NOT_A_PHOTO = "not_a_photo"
BROKEN = "broken"
TOO_HEAVY = "too_heavy"
REASONS = (EMPTY, TOO_MANY_BYTES, TOO_MANY_PIXELS, HEIC, MOVING, NOT_A_PHOTO, BROKEN, TOO_HEAVY)

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def look_at(data: bytes) -> None:
    """What the first bytes tell without decoding anything. Raises Unfit."""
    if not data:
        raise Unfit(EMPTY)
    if len(data) > MAX_BYTES:
        raise Unfit(TOO_MANY_BYTES)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, min(len(data), 40), 4))]
    if data[4:8] == b"ftyp" and b"avif" not in brands and set(brands) & set(_HEIC_BRANDS):
        raise Unfit(HEIC)
    is_taken = (
        data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
        or data[:4] + data[8:12] == b"RIFFWEBP"
    )
    if not is_taken:
        raise Unfit(NOT_A_PHOTO)


def read(data: bytes, *, widest: int | None = None) -> Image.Image:
    """The picture in bytes from outside: upright, in sRGB, without anything else that was in them.

    With ``widest`` it comes no wider than that where the format can be decoded smaller
    or scaled down, which is much faster for a camera's photo. Raises Unfit.
    """
    look_at(data)
    try:
        with warnings.catch_warnings():
            # Pillow only warns about a file that unpacks to a giant; for us that is the end.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=TAKEN) as opened:
                if max(opened.size) > MAX_SIDE or opened.width * opened.height > MAX_PIXELS:
                    raise Unfit(TOO_MANY_PIXELS)
                # A phone's JPEG may carry a second picture (depth, a preview); the first is meant.
                if opened.format in ("PNG", "WEBP") and getattr(opened, "n_frames", 1) > 1:
                    raise Unfit(MOVING)
                return _upright(opened, widest)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Unfit(TOO_MANY_PIXELS) from error
    except UnidentifiedImageError as error:
        raise Unfit(NOT_A_PHOTO) from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise Unfit(BROKEN) from error


def _upright(opened: Image.Image, widest: int | None) -> Image.Image:
    turn = _turn(opened)
    profile = opened.info.get("icc_profile")
    if widest is not None:
        width, height = opened.size
        shown = height if turn >= 5 else width
        if shown > widest:
            small = (max(1, round(width * widest / shown)), max(1, round(height * widest / shown)))
            opened.draft(None, small)  # a JPEG decodes at a half or a quarter by itself
            opened.load()
            picture = _plain(opened, profile).resize(
                small, Image.Resampling.LANCZOS, reducing_gap=2.0
            )
            return _turned(picture, turn)
    opened.load()
    return _turned(_plain(opened, profile), turn)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turn(opened: Image.Image) -> int:
    """How the camera was held, 1 to 8. A note that cannot be read says nothing."""
    try:
        turn = opened.getexif().get(0x0112, 1)
    except Exception:  # Pillow raises many kinds over a malformed note; the photo is still a photo
        return 1
    return turn if isinstance(turn, int) and turn in _TURNS else 1


def _turned(picture: Image.Image, turn: int) -> Image.Image:
    return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def _plain(opened: Image.Image, profile: bytes | None) -> Image.Image:
    """As RGB or RGBA in sRGB. The result carries no metadata."""
    picture = opened
    if picture.mode.startswith("I"):  # 16 bits a channel; converting alone would cut, not scale
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    if profile:
        # A colour profile that cannot be used is as good as none.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            return _in_srgb(picture, profile, mode)
    plain = picture.convert(mode)
    plain.info = {}
    return plain


def _in_srgb(picture: Image.Image, profile: bytes, mode: str) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = ImageCms.getProfileDescription(source)
    if picture.mode not in ("RGB", "RGBA", "CMYK") or "sRGB" in name:
        plain = picture.convert(mode)
    else:
        alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
        flat = picture.convert("RGB") if alpha is not None else picture
        plain = ImageCms.profileToProfile(  # type: ignore[assignment]
            flat, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        if alpha is not None:
            plain.putalpha(alpha)
    plain.info = {}
    return plain


def widths_of(width: int) -> tuple[int, ...]:
    """The widths to make of a picture this wide: those below it, and one that holds it whole."""
    below = [step for step in WIDTHS if step < width]
    return tuple(WIDTHS[: max(LEAST, len(below) + 1)])


def files_of(
    picture: Image.Image, formats: Sequence[str] = FORMATS
) -> Iterator[tuple[str, int, bytes]]:
    """Each file of a picture as (format, named width, bytes), the narrowest first.

    A file is never wider than the picture: the last named width holds it as it is.
    """
    scaled = {}
    step = picture
    for width in reversed(widths_of(picture.width)):
        if step.width > width:
            height = max(1, round(picture.height * width / picture.width))
            step = step.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
        scaled[width] = step
    for name in formats:
        # What a photo needs at one width it needs at the next: trying on the small one is cheap.
        begin = 0
        for width in sorted(scaled):
            data, begin = encoded(scaled[width], name, budget=BUDGETS[width], begin=begin)
            yield name, width, data


def encoded(picture: Image.Image, name: str, *, budget: int, begin: int = 0) -> tuple[bytes, int]:
    """The picture in one format within ``budget`` bytes, and the place of its quality.

    Tries the qualities from ``begin`` on and takes the first that fits.
    """
    if name == JPEG and picture.mode == "RGBA":
        paper = Image.new("RGB", picture.size, PAPER)
        paper.paste(picture, mask=picture.getchannel("A"))
        picture = paper
    writer, options = _WRITER[name]
    qualities = QUALITIES[name]
    if name == AVIF and picture.mode == "RGBA":
        qualities = (SEE_THROUGH, *qualities)
    at = begin
    while True:
        out = io.BytesIO()
        picture.save(out, writer, quality=qualities[at], **options)
        data = out.getvalue()
        if len(data) <= budget or max(picture.size) < WIDTHS[0] // 4:
            return data, at
        if at < len(qualities) - 1:
            # One step down saves about a fifth, so a file far above its budget skips one.
            at = min(at + (2 if len(data) > 1.5 * budget else 1), len(qualities) - 1)
        else:
            smaller = (round(picture.width * FEWER), round(picture.height * FEWER))
            picture = picture.resize(smaller, Image.Resampling.LANCZOS)


def original_size(data: bytes) -> tuple[int, int]:
    """Width and height of accepted bytes as they are shown, upright."""
    with Image.open(io.BytesIO(data), formats=TAKEN) as opened:
        width, height = opened.size
        return (height, width) if _turn(opened) >= 5 else (width, height)


def _answer(head: Mapping[str, object], bodies: Sequence[bytes] = ()) -> bytes:
    return b"".join([json.dumps(head).encode() + b"\n", *bodies])


def _answer_to(data: bytes, formats: Sequence[str]) -> bytes:
    try:
        picture = read(data, widest=WIDTHS[-1])
        width, height = original_size(data)
        made = list(files_of(picture, formats))
    except Unfit as unfit:
        return _answer({"refusal": unfit.reason})
    except MemoryError:
        return _answer({"refusal": TOO_HEAVY})
    files = [[name, step, len(body)] for name, step, body in made]
    return _answer(
        {"width": width, "height": height, "files": files}, [body for _name, _step, body in made]
    )


def _be_a_child(data: bytes, formats: Sequence[str], writer: int) -> NoReturn:
    """Answer one photo and end. What the child could read or write otherwise is closed to it."""
    code = 1
    try:
        os.close(sys.stdin.fileno())
        os.close(sys.stdout.fileno())
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        with open(writer, "wb") as pipe:
            pipe.write(_answer_to(data, formats))
        code = 0
    finally:
        os._exit(code)


def _by_a_child(data: bytes, formats: Sequence[str]) -> bytes:
    """The answer of a child; one that died of the photo, or says too much, found it too heavy."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_a_child(data, formats, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read(MOST_ANSWERED + 1)
    _child, status = os.waitpid(child, 0)
    is_whole = status == 0 and len(answer) <= MOST_ANSWERED
    return answer if is_whole else _answer({"refusal": TOO_HEAVY})


def learn_formats() -> None:
    """Have Pillow know the formats that we make, for a process that makes photos.

    Else it reads all of its forty at the first WebP or AVIF it meets. A web process, which imports
    this module too, makes none and is smaller without.
    """
    from PIL import AvifImagePlugin, WebPImagePlugin  # noqa: F401 - importing registers

    Image.preinit()  # JPEG and PNG


def main() -> int:
    """Answer photo after photo, until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write to a disk
    learn_formats()  # once here, and not by each child
    photos, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := photos.readline():
        asked = json.loads(line)
        data = photos.read(asked["bytes"])
        if len(data) < asked["bytes"]:
            break  # whoever asked is gone
        answer = _by_a_child(data, asked["formats"])
        answers.write(len(answer).to_bytes(8, "big") + answer)
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
