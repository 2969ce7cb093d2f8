"""What people and attackers send: an answer in bounded time and memory, and nothing half-done."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.catalog.importing import ImportFileRefused, read_catalogue
from app.domain.catalog.importing.child import MEMORY_BYTES
from app.domain.catalog.importing.limits import BUNDLE_BYTES, BUNDLE_ENTRIES
from app.domain.catalog.importing.pictures import (
    PATIENCE,
    PictureNotFetched,
    bring_pictures,
    picture_counts,
    refused_pictures,
)
from app.domain.catalog.importing.summary import reports_page
from app.domain.catalog.models import Product, ProductImage
from tests.domain.catalog.old_books import ods, xls
from tests.domain.catalog.test_import_runs import bring

ROWS = [
    ["Jina", "Bei", "Idadi"],
    ["Sufuria – kubwa", 2450.0, 3.0],
    ["Mug", 299.99999999999994, 8.0],
]
DOCS = Path(__file__).parents[3] / "docs" / "imports.md"


def zipped(files: dict[str, bytes], *, packed: bool = True) -> bytes:
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def refused(data: bytes) -> str:
    begun = time.perf_counter()
    with pytest.raises(ImportFileRefused) as caught:
        read_catalogue(data, "upload")
    assert str(caught.value).endswith(".")
    assert time.perf_counter() - begun < 20
    return caught.value.code


@pytest.mark.row("I21")
@pytest.mark.parametrize("book", [xls, ods])
def test_old_excel_and_opendocument_are_read_like_the_rest(
    book: Callable[[list[list[str | float]]], bytes],
) -> None:
    file = read_catalogue(book(ROWS), "bei.xls")  # type: ignore[arg-type]

    assert [(d.name, d.variants[0].price_cents, d.variants[0].stock) for d in file.drafts] == [
        ("Sufuria – kubwa", 2_450_00, 3),
        ("Mug", 300_00, 8),
    ]


def test_a_book_that_claims_a_far_corner_takes_no_memory_of_ours() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    far = xls(ROWS, corner=(65_535, 255))  # type: ignore[arg-type]
    assert len(far) < 10_000
    assert refused(far) in ("too_many_rows", "too_many_columns")
    wide = "table:number-columns-repeated='16384'"
    tall = "table:number-rows-repeated='1048576'"
    claims = ods(ROWS, repeat=wide, repeat_row=tall)  # type: ignore[arg-type]
    assert refused(claims) in ("too_many_rows", "too_many_columns", "not_xlsx")
    one_wide_row = read_catalogue(ods(ROWS, repeat=wide), "x").report  # type: ignore[arg-type]
    assert [row.reason_code for row in one_wide_row.refused] == ["too_many_cells"]

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


def test_what_reads_such_a_book_has_little_memory() -> None:
    """The kernel's own answer: what a child used counts the moment before it is a program of its own."""
    asks = (
        "import resource, sys; from app.domain.catalog.importing import child; child.main();"
        " print('|', resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0])"
    )
    ended = subprocess.run([sys.executable, "-c", asks], input=b"", capture_output=True, check=True)
    assert ended.stdout.rpartition(b"|")[2].split() == [b"%d" % MEMORY_BYTES, b"15"]


@pytest.mark.parametrize(
    "data",
    [
        xls(ROWS)[:700],  # type: ignore[arg-type]
        xls(ROWS)[:512] + bytes(6_000),  # type: ignore[arg-type]
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 9_000,
        ods(ROWS)[:-30],  # type: ignore[arg-type]
        zipped({"mimetype": b"x", "content.xml": b"<a>" + b"<b>" * 5_000}),
    ],
)
def test_a_broken_book_is_a_sentence(data: bytes) -> None:
    assert refused(data) in ("not_xlsx", "damaged", "too_many_columns", "empty")


def test_a_million_rows_are_refused_in_seconds() -> None:
    assert refused(b"Name,Price\n" + b"a,1\n" * 1_000_000) == "too_many_rows"
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"constant_memory": True}) as made:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["Name", "Price"])
        sheet.write_row(1_000_000, 0, ["Mug", 300])
    assert refused(book.getvalue()) == "too_many_rows"


def test_a_zip_with_pictures_has_limits_of_its_own() -> None:
    sheet = b"Name,Price,Image\nMug,300,mug.jpg\n"
    assert (
        refused(zipped({f"{n}.jpg": b"x" for n in range(BUNDLE_ENTRIES + 1)})) == "archive_entries"
    )
    assert refused(zipped({"mug.jpg": b"x", "a.csv": sheet, "b.csv": sheet})) == "archive_files"
    assert refused(zipped({"mug.jpg": b"x"})) == "archive_files"
    assert refused(zipped({"../mug.jpg": b"x", "a.csv": sheet})) == "archive_path"
    bomb = {"mug.jpg": b"x", "a.csv": b"Name,Price\n" + b"0" * 30_000_000}
    assert refused(zipped(bomb)) == "unpacks_too_large"
    assert refused(b"PK\x03\x04" + bytes(BUNDLE_BYTES)) == "too_large"
    # A ZIP without pictures keeps the small limit.
    assert refused(zipped({"a.csv": b"x" * 5_300_000}, packed=False)) == "too_large"


def test_nothing_of_a_refused_file_is_in_the_shop(session: Session) -> None:
    with pytest.raises(ImportFileRefused):
        bring(session, b"Name,Price\n" + b"a,1\n" * 20_001)
    session.rollback()

    assert session.scalar(select(func.count()).select_from(Product)) == 0


# Pictures


def jpeg(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (50, 40), colour).save(out, "JPEG")
    return out.getvalue()


def nothing(url: str) -> bytes:
    raise PictureNotFetched("The address gave no picture.")


@pytest.mark.row("W29", "I21")
def test_pictures_beside_the_sheet_are_hung_and_bad_ones_cost_themselves_only(
    session: Session,
) -> None:
    sheet = (
        b"Name,Price,Image\nMug,300,https://x.example/Mug.JPG\nJug,300,https://x.example/j.png\n"
        b"Cup,300,\n"
    )
    files = {"goods.csv": sheet, "photos/mug.jpg": jpeg(), "photos/j.png": b"no picture at all"}
    done = bring(session, zipped(files), "goods.zip")
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return files["photos/mug.jpg" if "Mug" in url else "photos/j.png"]

    assert bring_pictures(session, done.id, fetch) is False
    assert picture_counts(session, done.id) == {"done": 1, "refused": 1}
    assert [p.source for p in refused_pictures(session, done.id)] == ["https://x.example/j.png"]
    assert len(asked) == 2
    # The same file again asks only for what is not there.
    again = bring(session, zipped(files), "goods.zip")
    bring_pictures(session, again.id, fetch)
    assert asked[2:] == ["https://x.example/j.png"]
    shown = session.scalars(select(ProductImage).where(ProductImage.status == "ready")).all()
    assert len(shown) == 1


def test_a_host_that_gives_nothing_is_soon_left_alone(session: Session) -> None:
    rows = "".join(f"Thing {n},100,http://slow.example/{n}.jpg\n" for n in range(60))
    done = bring(session, "Name,Price,Image\n" + rows)
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return nothing(url)

    bring_pictures(session, done.id, fetch)
    assert picture_counts(session, done.id) == {"refused": 60}
    assert len(asked) < PATIENCE + 20
    assert all(picture.sentence for picture in refused_pictures(session, done.id))


# The page with the real files' reports


@pytest.mark.shared
@pytest.mark.row("I21")
def test_the_page_of_the_real_files_says_what_importing_them_says(shared_dir: Path) -> None:
    files = sorted((shared_dir / "data" / "catalogues").iterdir())
    page = DOCS.read_text(encoding="utf-8")

    assert page.partition("<!-- made by: bin/manage catalog reports -->\n")[2] == reports_page(
        files
    )
