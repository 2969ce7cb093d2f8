"""Files that are too large, cut short, mislabelled or meant to harm: one sentence each."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.catalog.importing import ImportFileRefused, read_catalogue

FILES = Path(__file__).parents[2] / "data" / "catalogues"


def refused(data: bytes) -> tuple[str, str]:
    """The code and the sentence of a whole-file refusal."""
    with pytest.raises(ImportFileRefused) as caught:
        read_catalogue(data, "upload")
    assert str(caught.value).endswith(".")
    return caught.value.code, str(caught.value)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def small_workbook() -> dict[str, bytes]:
    """The parts of a good XLSX, to be spoiled by a test."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["Name", "Price"])
    sheet.write_row(1, 0, ["Tea", 100])
    book.close()
    with zipfile.ZipFile(buffer) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


SHEET = "xl/worksheets/sheet1.xml"

# Size


def test_more_than_five_megabytes_is_refused() -> None:
    assert refused(b"Name,Price\n" + b"x" * 5 * 1024 * 1024)[0] == "too_large"


@pytest.mark.row("W29")
def test_twenty_thousand_rows_are_read_and_one_more_is_not() -> None:
    rows = [f"Thing {n},10" for n in range(20_001)]
    file = read_catalogue("\n".join(["Name,Price", *rows[:-1], ""]).encode(), "x")
    assert file.report.products == 20_000
    code, sentence = refused("\n".join(["Name,Price", *rows]).encode())
    assert code == "too_many_rows"
    assert "20,000" in sentence


def test_blank_rows_do_not_count_but_keep_their_numbers() -> None:
    file = read_catalogue(b"Name,Price\n" + b"\n,\n" * 30_000 + b"Tea,ask\n", "x")
    assert file.report.rows_read == 1
    assert file.report.refused[0].row == 60_002


@pytest.mark.parametrize("letter", ["x", "é", "茶"])
def test_a_cell_may_hold_64_kib_of_text_counted_in_bytes(letter: str) -> None:
    whole = 64 * 1024 // len(letter.encode())
    text = "Name,Price,Description\nTea,100,{}\n"
    file = read_catalogue(text.format(letter * whole).encode(), "x")
    assert file.report.products == 1
    code, sentence = refused(text.format(letter * (whole + 1)).encode())
    assert code == "cell_too_large"
    assert "row 2 (Description)" in sentence


def test_a_cell_far_over_the_limit_is_the_same_refusal() -> None:
    assert refused(b"Name,Price\nTea,1\n" + b"y" * 1_000_000)[0] == "cell_too_large"


def test_too_many_columns_are_refused() -> None:
    assert refused(b"Name,Price" + b",x" * 500 + b"\nTea,1\n")[0] == "too_many_columns"


# Archives


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    data = zipped(small_workbook() | {"xl/media/zeros": bytes(60 * 1024 * 1024)})
    assert len(data) < 100_000
    tracemalloc.start()
    try:
        assert refused(data)[0] == "unpacks_too_large"
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_counted_as_it_unpacks() -> None:
    data = bytearray(zipped({"goods.csv": bytes(30 * 1024 * 1024)}))
    real = (30 * 1024 * 1024).to_bytes(4, "little")
    assert real in data
    lied = bytes(data).replace(real, (100).to_bytes(4, "little"))
    assert refused(lied)[0] in {"unpacks_too_large", "damaged"}


def test_a_ratio_above_one_hundred_is_refused_even_when_small() -> None:
    data = zipped({"goods.csv": b"Name,Price\n" + b"Tea,100\n" * 500_000})
    assert refused(data)[0] == "unpacks_too_large"


def test_more_than_200_parts_are_refused() -> None:
    parts = {f"xl/media/{n}.png": b"x" for n in range(200)}
    assert refused(zipped(small_workbook() | parts))[0] == "archive_entries"


@pytest.mark.parametrize(
    "name", ["../goods.csv", "/etc/goods.csv", "C:\\goods.csv", "a\\..\\b.csv"]
)
def test_parts_that_point_outside_are_refused(name: str) -> None:
    assert refused(zipped({name: b"Name,Price\nTea,1\n"}))[0] == "archive_path"


def test_an_archive_inside_an_archive_is_refused() -> None:
    inner = zipped({"goods.csv": b"Name,Price\nTea,1\n"})
    assert refused(zipped({"goods.zip": inner}))[0] == "archive_nested"
    assert (
        refused(zipped(small_workbook() | {"xl/embeddings/a.xlsx": inner}))[0] == "archive_nested"
    )


def test_a_zip_with_one_csv_is_read_and_with_two_is_not() -> None:
    file = read_catalogue(zipped({"goods.csv": b"Name,Price\nTea,100\n"}), "goods.zip")
    assert file.report.products == 1
    assert refused(zipped({"a.csv": b"Name\n", "b.csv": b"Name\n"}))[0] == "archive_files"
    assert refused(zipped({"shop/a.csv": b"Name\n"}))[0] == "archive_path"


def test_a_locked_part_is_said() -> None:
    data = bytearray(zipped({"goods.csv": b"Name,Price\n"}))
    data[6] |= 1  # the local header's flag
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    assert refused(bytes(data))[0] == "locked"


# XLSX


def test_an_xlsx_cut_short_is_refused() -> None:
    data = zipped(small_workbook())
    for kept in (30, len(data) // 2, len(data) - 5):
        assert refused(data[:kept])[0] == "damaged"


def test_xml_entities_are_refused() -> None:
    parts = small_workbook()
    laughs = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    parts[SHEET] = laughs + parts[SHEET].split(b"?>", 1)[1]
    assert refused(zipped(parts))[0] == "xml_entities"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (b"A1048576", "too_many_rows"),
        (b"XFD2", "too_many_columns"),
        (b"SF21000", "too_many_columns"),
    ],
)
def test_one_far_away_cell_does_not_make_room_for_all_between(cell: bytes, code: str) -> None:
    parts = small_workbook()
    parts[SHEET] = parts[SHEET].replace(b'r="B2"', b'r="' + cell + b'"')
    assert refused(zipped(parts))[0] == code


def test_a_sheet_under_another_name_is_walked_too() -> None:
    parts = {
        name.replace("sheet1.xml", "sheet1.bin"): part for name, part in small_workbook().items()
    }
    parts = {name: part.replace(b"sheet1.xml", b"sheet1.bin") for name, part in parts.items()}
    body = parts["xl/worksheets/sheet1.bin"].replace(b'r="B2"', b'r="A1048576"')
    parts["xl/worksheets/sheet1.bin"] = b"x" + body
    assert refused(zipped(parts))[0] in {"damaged", "too_many_rows"}


def test_comments_drawn_in_old_markup_do_not_spoil_a_workbook() -> None:
    parts = small_workbook() | {"xl/drawings/vmlDrawing1.vml": b"<xml><div>Cheap<br></div></xml>"}
    assert read_catalogue(zipped(parts), "goods.xlsx").report.products == 1


def test_other_spreadsheets_are_named_for_what_they_are() -> None:
    opendocument = zipped({"mimetype": b"application/x", "content.xml": b"<a/>"})
    assert refused(opendocument)[0] == "not_xlsx"
    assert refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))[0] == "not_xlsx"


# Text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_same_goods_in_every_dress(encoding: str, delimiter: str, newline: str) -> None:
    rows = [["Name", "Price", "Brand"], ["Kahawa – Nescafé", '"1,250"', "A"], ["Mug", "300", "B"]]
    text = newline.join(delimiter.join(cells) for cells in rows)
    file = read_catalogue(text.encode(encoding), "x")
    assert [(d.name, d.variants[0].price_cents) for d in file.drafts] == [
        ("Kahawa – Nescafé", 1_250_00),
        ("Mug", 300_00),
    ]


def test_windows_1252_is_read_and_said() -> None:
    file = read_catalogue("Name,Price\nMen’s café shoes,900\n".encode("cp1252"), "x")
    assert file.drafts[0].name == "Men’s café shoes"
    assert any("Windows-1252" in note.sentence for note in file.report.notes)


def test_a_blank_line_after_every_row_keeps_the_spreadsheets_numbers() -> None:
    file = read_catalogue(b"Name,Price\r\r\nTea,100\r\r\nMug,ask\r\r\n", "x")
    assert file.drafts[0].rows == [3]
    assert file.report.refused[0].row == 5


def test_a_line_that_names_the_separator_is_not_a_row() -> None:
    file = read_catalogue(b"sep=;\r\nName;Price\r\nTea, black;100\r\n", "x")
    assert file.drafts[0].name == "Tea, black"


def test_a_file_cut_inside_a_quote_is_refused_with_the_row() -> None:
    code, sentence = refused((FILES / "cut_in_a_quote.csv").read_bytes())
    assert code == "open_quote"
    assert "row 3" in sentence
    assert refused(b'Name,"Price\nTea,1\n')[0] == "open_quote"


def test_a_file_cut_inside_its_last_row_does_not_sell_at_a_tenth() -> None:
    file = read_catalogue((FILES / "cut_in_a_row.csv").read_bytes(), "x")
    assert [draft.name for draft in file.drafts] == ["Tea"]
    assert [(r.row, r.reason_code) for r in file.report.refused] == [(3, "row_cut_short")]


def test_short_rows_people_type_are_no_cut() -> None:
    file = read_catalogue(b"Name,Price,Note\nTea,100\nMug,300", "x")
    assert file.report.products == 2


def test_a_file_cut_inside_a_letter_is_refused() -> None:
    assert refused("Name,Price\nNescafé,100\nCafé".encode()[:-1])[0] == "cut_short"
    assert refused("Name,Price\nTea,1\n".encode("utf-16")[:-1])[0] == "cut_short"


def test_two_encodings_in_one_file_are_refused() -> None:
    data = "Name,Price\nCafé é é é,100\n".encode() + "Thé,90\n".encode("cp1252")
    assert refused(data)[0] == "unknown_letters"
    assert refused(b"Name,Price\nTea \x81\x8d,100\n")[0] == "unknown_letters"


def test_zero_bytes_are_refused() -> None:
    assert refused(b"Name,Price\nTea\x00,100\n")[0] == "nul_bytes"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \n\r\n", "empty"),
        (b",,,\n,,,\n", "empty"),
        (b"%PDF-1.7 ...", "not_a_table"),
        (b"\x89PNG\r\n\x1a\n", "not_a_table"),
        (b"\xff\xd8\xff\xe0", "not_a_table"),
        (b"\x1f\x8b\x08", "not_a_table"),
        (b"<!DOCTYPE html><html>", "not_a_table"),
        (b'[\n {"name": "Tea"}]', "not_a_table"),
        (b'{"name": "Tea"}', "not_a_table"),
        (b"PK\x05\x06" + bytes(18), "archive_files"),
        (b"PK\x03\x04" + bytes(40), "damaged"),
    ],
)
def test_what_is_not_a_table_is_said(data: bytes, code: str) -> None:
    assert refused(data)[0] == code


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=200).map(lambda tail: b"Name,Price,SKU,Stock,Size\n" + tail),
        st.text(max_size=200).map(lambda tail: ("Handle,Title,Variant Price\n" + tail).encode()),
        st.text(max_size=200).map(lambda tail: ("Type,SKU,Name,Regular price\n" + tail).encode()),
    )
)
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        file = read_catalogue(data, "x")
    except ImportFileRefused:
        return
    rows = [row for draft in file.drafts for row in draft.rows]
    rows += [row.row for row in file.report.refused] + file.report.repeated
    assert len(rows) == len(set(rows)) == file.report.rows_read
