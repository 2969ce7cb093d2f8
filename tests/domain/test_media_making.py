"""Every photo we have, hostile and broken ones too, through the program that makes the files."""

from __future__ import annotations

import csv
import io
import os
import signal
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from PIL import Image

from app.domain.media import apart, making
from app.domain.media.apart import PhotoProgram, PhotoPrograms, made_apart
from app.domain.media.making import FORMATS, Unfit, files_of, original_size, read, widths_of
from tests.photo_files import MAKER, ORIENTATION, PLACE, phone_photo, plain_photo
from tests.world import wait_for

BUDGET = 30_000  # bytes of any file a phone of 360 points is sent

# What is not a photo we take; everything else in the folder is.
REFUSED = {
    "generated_html_named.jpg": "not_a_photo",
    "generated_zero_bytes.jpg": "empty",
    "phone_IMG_5195.HEIC": "heic",
    "pillow_decompression_bomb.gif": "not_a_photo",
    "pillow_hopper.ico": "not_a_photo",
    "pillow_iss634.apng": "moving",
    "pillow_iss634.gif": "not_a_photo",
    "pillow_iss634.webp": "moving",
    "pillow_truncated_image.png": "broken",
    "pillow_truncated_jpeg.jpg": "broken",
}


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.shared
def test_every_photo_of_the_reference_set_is_made_or_refused(shared_dir: Path) -> None:
    with (shared_dir / "data/images/ORIGINS.csv").open(newline="") as table:
        facts = {row["file"]: row for row in csv.DictReader(table)}
    answers, too_big, uneven = {}, [], []
    for name in sorted(facts):
        data = (shared_dir / "data/images" / name).read_bytes()
        try:
            picture = read(data, widest=640)
            width, height = original_size(data)
        except Unfit as unfit:
            answers[name] = unfit.reason
            continue
        turned = facts[name]["exif_orientation"] in ("5", "6", "7", "8")
        stored = (int(facts[name]["width_px"]), int(facts[name]["height_px"]))
        assert (width, height) == (stored[::-1] if turned else stored), name
        assert picture.width == min(width, 640), name
        if abs(picture.height - height * picture.width / width) > 1:
            uneven.append(name)
        assert picture.info == {}, name
        # Each format in its turn: all three of all photos would take minutes.
        kind = FORMATS[len(name) % len(FORMATS)]
        body, _at = making.encoded(picture, kind, budget=making.BUDGETS[640], begin=3)
        if len(body) > BUDGET:
            too_big.append((name, kind, len(body)))

    assert len(facts) >= 118
    assert answers == REFUSED
    assert (too_big, uneven) == ([], [])


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_takes_its_own_process_and_a_reason(shared_dir: Path, name: str) -> None:
    with pytest.raises(Unfit, match=REFUSED[name]):
        made_apart((shared_dir / "data/images" / name).read_bytes())


def test_a_phones_photo_becomes_fifteen_upright_files_without_its_place() -> None:
    data = phone_photo()
    assert 5_900_000 < len(data) < 7_000_000
    width, height, made = made_apart(data)

    assert (width, height) == (3024, 4032)
    assert {(name, step) for name, step, _body in made} == {
        (name, step) for name in ("avif", "webp", "jpg") for step in (160, 320, 640, 960, 1440)
    }
    for name, step, body in made:
        with Image.open(io.BytesIO(body)) as picture:
            assert picture.format == {"jpg": "JPEG"}.get(name, name.upper())
            assert picture.width <= step
            assert abs(picture.height / picture.width - 4 / 3) < 0.01
            exif = picture.getexif()
            assert not any(tag in exif for tag in (MAKER, ORIENTATION, PLACE))
            assert not set(picture.info) & {"exif", "xmp", "icc_profile", "comment"}
        assert b"Pocket Phone" not in body
        if step <= 640:
            assert len(body) <= BUDGET, (name, step)


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it is of many pixels."""

    def part(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + crc

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 6, 0, 0, 0])
    rows = zlib.compress(bytes(min(width * height, 4_000_000)), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(bomb(15_000, 15_000), "too_many_pixels", id="225 megapixels in few bytes"),
        pytest.param(bomb(60_000, 60_000), "too_many_pixels", id="more than Pillow would open"),
        pytest.param(bomb(8_001, 10), "too_many_pixels", id="one side too long"),
        pytest.param(bomb(4_000, 4_000), "broken", id="says more than it has"),
        pytest.param(
            plain_photo() + bytes(making.MAX_BYTES), "too_many_bytes", id="nine megabytes"
        ),
        pytest.param(plain_photo()[:900], "broken", id="cut short"),
        pytest.param(b"\xff\xd8\xff" + bytes(5_000), "not_a_photo", id="begins like a JPEG"),
        pytest.param(b"RIFF\x10\0\0\0WEBPVP8 ", "broken", id="begins like a WebP"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_photo", id="a drawing"),
        pytest.param(b"%PDF-1.7", "not_a_photo", id="a document"),
        pytest.param(saved(Image.new("RGB", (9, 9)), "TIFF"), "not_a_photo", id="a TIFF"),
        pytest.param(saved(Image.new("RGB", (64, 64)), "AVIF"), "not_a_photo", id="an AVIF"),
        pytest.param(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heic", id="another brand of HEIC"),
    ],
)
def test_hostile_and_broken_files_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        made_apart(data)


Altered = Callable[[str, str], None]


@pytest.fixture
def altered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Altered:
    """The same program with one place of its text written otherwise."""
    program = tmp_path / "making.py"
    program.write_text(Path(making.__file__).read_text())
    monkeypatch.setattr(making, "__file__", str(program))

    def alter(old: str, new: str) -> None:
        text = program.read_text()
        assert text.count(old) == 1
        program.write_text(text.replace(old, new))

    return alter


BEGIN = "    try:\n        picture = read(data, widest=WIDTHS[-1])"


def number_of(program: PhotoProgram) -> int:
    assert program._process is not None
    return program._process.pid


@pytest.mark.row("W8")
def test_one_program_makes_many_photos_and_a_bomb_among_them_takes_only_itself(
    altered: Altered,
) -> None:
    altered("512 * 1024 * 1024", "96 * 1024 * 1024")
    with PhotoProgram() as program:
        first = program.make(plain_photo(), ["webp"])
        number = number_of(program)
        for data, reason in (
            (saved(Image.new("RGBA", (4_900, 4_890), "teal"), compress_level=1), "too_heavy"),
            (bomb(15_000, 15_000), "too_many_pixels"),
            (plain_photo()[:900], "broken"),
        ):
            with pytest.raises(Unfit, match=reason):
                program.make(data, ["webp"])
        again = program.make(plain_photo(), ["webp"])

        assert number_of(program) == number
    assert again == first


def test_a_photo_may_use_only_so_much_of_a_core(altered: Altered) -> None:
    altered("SECONDS = 10\n", "SECONDS = 1\n")
    altered(BEGIN, '    while data.endswith(b"for ever"):\n        pass\n' + BEGIN)
    with PhotoProgram() as program:
        number = program.make(plain_photo(), ["jpg"]) and number_of(program)
        with pytest.raises(Unfit, match="too_heavy"):
            program.make(plain_photo() + b"for ever", ["jpg"])
        program.make(plain_photo(), ["jpg"])

        assert number_of(program) == number


def test_a_photo_that_is_late_by_the_clock_ends_with_its_program_and_the_next_is_made(
    altered: Altered, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(BEGIN, '    while data.endswith(b"for ever"):\n        pass\n' + BEGIN)
    with PhotoProgram() as program:
        program.make(plain_photo(), ["jpg"])
        group = number_of(program)
        with monkeypatch.context() as patch:
            patch.setattr(apart, "WALL_SECONDS", 0.3)
            with pytest.raises(Unfit, match="too_heavy"):
                program.make(plain_photo() + b"for ever", ["jpg"])
        wait_for("its child is gone too", lambda: not alive_in(group), seconds=5)

        assert program.make(plain_photo(), ["jpg"]).files


def alive_in(group: int) -> list[str]:
    """The processes of a group that still run."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _parent, its_group = file.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(file.parent.name)
    return found


def test_whoever_decodes_a_photo_reads_no_other(altered: Altered) -> None:
    altered(
        BEGIN,
        "    try:\n        os.read(0, 1)\n    except OSError:\n"
        '        return _answer({"refusal": "nothing to read"})\n' + BEGIN,
    )

    with pytest.raises(Unfit, match="nothing to read"):
        made_apart(plain_photo())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("files = [[name, step", "files = [['../' + name, step", id="another name"),
        pytest.param("files = [[name, step", "files = [[name, 7", id="another width"),
        pytest.param('{"width": width', '{"wide": width', id="another form"),
        pytest.param("json.dumps(head).encode()", 'b"no JSON"', id="no JSON"),
    ],
)
def test_an_answer_that_nobody_asked_for_is_not_believed(
    altered: Altered, old: str, new: str
) -> None:
    altered(old, new)

    with pytest.raises(Unfit, match="broken"):
        made_apart(plain_photo())


def test_a_program_that_was_killed_is_started_again() -> None:
    with PhotoProgram() as program:
        program.make(plain_photo(), ["jpg"])
        number = number_of(program)
        os.kill(number, signal.SIGKILL)
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)

        assert program.make(plain_photo(), ["jpg"]).files


def test_one_after_the_other_needs_one_program_and_more_at_once_wait() -> None:
    with PhotoPrograms(2) as programs:
        with programs.borrowed(until=monotonic() + 9) as first:
            pass
        with (
            programs.borrowed(until=monotonic() + 9) as again,
            programs.borrowed(until=monotonic() + 9) as second,
            programs.borrowed(until=monotonic()) as third,
        ):
            assert again is first
            assert second not in (first, None)
            assert third is None


def test_the_largest_photo_we_take_is_made() -> None:
    width, height, made = made_apart(saved(Image.new("RGBA", (4_900, 4_890), (0, 90, 90, 128))))

    assert (width, height) == (4_900, 4_890)
    assert len(made) == 15


@pytest.mark.parametrize(
    ("width", "steps"),
    [
        pytest.param(8, (160, 320), id="tiny"),
        pytest.param(320, (160, 320), id="just the two of lists"),
        pytest.param(321, (160, 320, 640), id="one more holds it whole"),
        pytest.param(1200, (160, 320, 640, 960, 1440), id="the last is smaller than its name"),
        pytest.param(4000, (160, 320, 640, 960, 1440), id="a camera's"),
    ],
)
def test_no_file_is_larger_than_its_photo(width: int, steps: tuple[int, ...]) -> None:
    assert widths_of(width) == steps
    picture = Image.new("RGB", (width, 60), "teal")
    sizes = {}
    for name, step, body in files_of(picture, ["webp"]):
        with Image.open(io.BytesIO(body)) as made:
            sizes[step] = made.width
        assert name == "webp"
    assert sizes == {step: min(step, width) for step in steps}


@pytest.mark.parametrize("turn", range(1, 9))
def test_however_the_phone_was_held_the_photo_stands(turn: int) -> None:
    upright = Image.new("RGB", (400, 200), "white")
    upright.paste("red", (0, 0, 100, 100))
    lying = {6: 90, 8: 270, 3: 180, 1: 0}
    if turn not in lying:
        upright_turned = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            7: Image.Transpose.TRANSVERSE,
        }
        stored = upright.transpose(upright_turned[turn])
    else:
        stored = upright.rotate(lying[turn], expand=True)
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    data = saved(stored, "JPEG", exif=exif, quality=95)

    for widest in (None, 200):
        picture = read(data, widest=widest)
        assert picture.width == (widest or 400)
        corner = picture.getpixel((picture.width // 8, picture.height // 4))
        assert isinstance(corner, tuple)
        assert corner[0] > 200 > 100 > corner[1]
    assert original_size(data) == (400, 200)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "I;16", "1", "RGBA"])
def test_every_kind_of_pixel_keeps_its_brightness(mode: str) -> None:
    if mode == "I;16":
        picture = Image.new("I;16", (64, 64), 40_000)
    else:
        picture = Image.new("RGB", (64, 64), (156, 156, 156)).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    (_name, _step, body), _same = files_of(read(saved(picture, kind)), ["jpg"])

    with Image.open(io.BytesIO(body)) as made:
        red, green, blue = made.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    wanted = (0, 255) if mode == "1" else (146, 166)
    assert all(wanted[0] <= channel <= wanted[1] for channel in (red, green, blue))


def test_a_phones_second_picture_is_left_aside() -> None:
    both = saved(
        Image.new("RGB", (64, 48), "teal"),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (32, 24), "red")],
    )

    assert read(both).size == (64, 48)
