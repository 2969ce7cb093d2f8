"""Bytes somebody uploaded into a header and rows of text, whatever program wrote them.

Accepts CSV, TSV, semicolon and pipe files in UTF-8 (with or without a mark), UTF-16 or
Windows-1252, XLSX, XLS, ODS, and a ZIP that holds exactly one CSV, with pictures beside it or
without; of our own full export the sheets of products are read. The name of the file decides
nothing; its bytes do. Everything that is wrong with the file as a whole is one sentence in
an ImportFileRefused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Final

from app.domain.catalog.importing import archives
from app.domain.catalog.importing.cells import meant_cell
from app.domain.catalog.importing.drafts import Note
from app.domain.catalog.importing.limits import (
    BUNDLE_BYTES,
    BUNDLE_ENTRIES,
    BUNDLE_UNPACKED_BYTES,
    CELL_BYTES,
    COLUMNS,
    FILE_BYTES,
    ROWS,
    ImportFileRefused,
)
from app.domain.catalog.importing.spreadsheets import (
    OLD_EXCEL,
    is_book,
    is_workbook,
    other_sheet_rows,
    sheet_rows,
    too_many_columns,
    too_many_rows,
)
from app.i18n import gettext as _

# At the end of a sheet of refused rows; passed over when it comes back corrected.
OUR_COLUMNS: Final = ("Why it stayed out", "Row in the file before")
PICTURE_NAME: Final = re.compile(r"\.(?:jpe?g|png|webp|gif|heic|avif)$", re.I)
# Where our own full export keeps its sheets of products.
_OWN_SHEET: Final = re.compile(r"^products(?:-[0-9]{1,3})?\.csv$")
_DELIMITERS: Final = ",;\t|"
_END: Final = "\ue000end of file\ue000"
_PREAMBLE_ROWS: Final = 10
_NAME_WORD: Final = re.compile(r"^(?:\w+ ){0,2}(?:name|title|product|item|brand)s?\W*$")
_PRICE_WORD: Final = re.compile(r"\b(?:prices?|amount|kes|kshs?)\b")
_SIGNATURES: Final = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7-Zip"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row below the header: its number as a spreadsheet shows it, and its cells.

    ``cells`` has every header as a key, "" where the row says nothing. ``extra`` is what
    stands to the right of the last header; ``is_cut`` marks a last row the file breaks off in.
    """

    number: int
    cells: dict[str, str]
    extra: tuple[str, ...] = ()
    is_cut: bool = False


@dataclass(slots=True)
class Table:
    """A header and an iterator over the rows below it, to be read once.

    Iterating raises ImportFileRefused when a limit is passed further down the file.
    """

    headers: tuple[str, ...]
    rows: Iterator[Row]
    notes: list[Note] = field(default_factory=list)


def read_table(data: bytes, filename: str = "") -> Table:
    """Open an upload. ``filename`` is only used in sentences.

    Raises ImportFileRefused with a sentence for the person who sent it.
    """
    if len(data) > FILE_BYTES and not (archives.is_zip(data) and is_bundle(data)):
        raise _too_large(FILE_BYTES)
    if not data.strip():
        raise ImportFileRefused("empty", _("The file is empty."))
    if archives.is_zip(data):
        return _without_ours(_read_zip(data))
    if data.startswith(OLD_EXCEL):
        return _without_ours(_workbook_table(*other_sheet_rows(data)))
    return _without_ours(_read_text(data))


def is_bundle(data: bytes) -> bool:
    """Whether this ZIP brings pictures beside its sheet, or is our own full export.

    Raises ImportFileRefused when it is damaged or larger than such a ZIP may be.
    """
    if len(data) > BUNDLE_BYTES:
        raise _too_large(BUNDLE_BYTES)
    with archives.opened(data, entries_limit=BUNDLE_ENTRIES) as archive:
        names = archive.namelist()
    if is_book(names):
        return False
    return any(PICTURE_NAME.search(name) or name == "dukani.json" for name in names)


def _read_zip(data: bytes) -> Table:
    if is_bundle(data):
        return _read_bundle(data)
    if is_workbook(data):
        return _workbook_table(*sheet_rows(data))
    with archives.opened(data) as archive:
        if any("/" in name for name in archive.namelist() if not name.startswith("__MACOSX/")):
            raise ImportFileRefused(
                "archive_path", _("Put the file itself in the ZIP, not a folder that holds it.")
            )
        files = [
            (name, content)
            for name, content in archives.unpack(archive, len(data))
            if not name.startswith(("__MACOSX/", "."))
        ]
    if len(files) != 1:
        raise ImportFileRefused(
            "archive_files",
            _("The ZIP holds %(count)s files; put exactly one CSV in it.", count=len(files)),
        )
    return _read_text(files[0][1])


def _read_bundle(data: bytes) -> Table:
    """The sheet of a ZIP with pictures; of our full export all its sheets, one after the other."""
    with archives.opened(data, entries_limit=BUNDLE_ENTRIES) as archive:
        names = archive.namelist()
        is_ours = "dukani.json" in names
        pattern = _OWN_SHEET if is_ours else re.compile(r"\.(?:csv|tsv|txt)$", re.I)

        def is_sheet(name: str) -> bool:
            return bool(pattern.search(name)) and not name.startswith(("__MACOSX/", "."))

        sheets = sorted(
            archives.unpack(archive, len(data), only=is_sheet, most_bytes=BUNDLE_UNPACKED_BYTES)
        )
    if not sheets or (len(sheets) > 1 and not is_ours):
        raise ImportFileRefused(
            "archive_files",
            _("The ZIP holds %(count)s sheets; put exactly one CSV in it.", count=len(sheets)),
        )
    first, *more = [_read_text(content) for _name, content in sheets]
    first.rows = chain(first.rows, *(table.rows for table in more))
    return first


def _workbook_table(name: str, others: list[str], rows: Iterator[list[str]]) -> Table:
    table = _table(rows, ends_whole=True)
    if others:
        table.notes.append(
            Note(
                sentence=_(
                    "Only the sheet “%(name)s” was read; the others were not: %(others)s.",
                    name=name,
                    others=", ".join(others),
                )
            )
        )
    return table


def _without_ours(table: Table) -> Table:
    """A sheet of refused rows that comes back is read as the file it was made of."""
    if not set(OUR_COLUMNS) <= set(table.headers):
        return table
    named = {h: meant_cell(h) for h in table.headers if h not in OUR_COLUMNS}
    rows = (
        replace(row, cells={name: meant_cell(row.cells[h]) for h, name in named.items()})
        for row in table.rows
    )
    return Table(headers=tuple(named.values()), rows=rows, notes=table.notes)


def _too_large(limit: int) -> ImportFileRefused:
    return ImportFileRefused(
        "too_large",
        _(
            "The file is larger than %(limit)s MB; split it and send the parts.",
            limit=limit // (1024 * 1024),
        ),
    )


def _read_text(data: bytes) -> Table:
    _refuse_known_kinds(data)
    text, note = _decode(data)
    table = _table(_csv_rows(text), ends_whole=text.endswith(("\n", "\r")))
    if note:
        table.notes.append(Note(sentence=note))
    return table


def _refuse_known_kinds(data: bytes) -> None:
    for magic, kind in _SIGNATURES:
        if data.startswith(magic):
            raise ImportFileRefused(
                "not_a_table",
                _("This is a %(kind)s file, not a table; send a CSV or .xlsx file.", kind=kind),
            )
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ImportFileRefused(
            "not_a_table", _("This is a web page, not a table; send a CSV or .xlsx file.")
        )
    if re.match(rb"(\{\s*[\"}]|\[\s*[\[{\]])", start):
        raise ImportFileRefused(
            "not_a_table", _("This is a JSON file, not a table; send a CSV or .xlsx file.")
        )


def _decode(data: bytes) -> tuple[str, str]:
    """The text, and a sentence when the letters had to be guessed."""
    text, note = _decode_bytes(data)
    if "\x00" in text:
        raise ImportFileRefused(
            "nul_bytes",
            _("The file holds bytes that are not text; save it as CSV (UTF-8) and try again."),
        )
    return text, note


def _decode_bytes(data: bytes) -> tuple[str, str]:
    if encoding := _utf16(data):
        try:
            return data.decode(encoding).removeprefix("\ufeff"), ""
        except UnicodeDecodeError as error:
            raise _cut_short() from error
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        _refuse_broken_utf8(data, error)
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise _unknown_letters() from error
    return text, _(
        "The letters were read as Windows-1252, because the file is not UTF-8. Check names "
        "with letters like é or ’."
    )


def _utf16(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = data[:2000]
    # Plain Latin text in UTF-16 without its mark has a zero in every second byte.
    if sample[1::2].count(0) > len(sample) * 0.4:
        return "utf-16-le"
    if sample[0::2].count(0) > len(sample) * 0.4:
        return "utf-16-be"
    return ""


def _refuse_broken_utf8(data: bytes, error: UnicodeDecodeError) -> None:
    """Tell a file that is UTF-8 but damaged from one that was never UTF-8."""
    stops_inside_letter = error.reason == "unexpected end of data" and error.start > len(data) - 4
    if stops_inside_letter and not data[: error.start].isascii():
        raise _cut_short() from error
    readable = data.decode("utf-8", "ignore")
    whole_letters = sum(1 for letter in readable if ord(letter) > 127)
    broken_bytes = len(data) - len(readable.encode())
    if whole_letters > broken_bytes:
        raise _unknown_letters() from error


def _csv_rows(text: str) -> Iterator[list[str]]:
    delimiter, text = _delimiter(text)
    # The end mark is a row of its own unless a quotation mark is still open before it.
    reader = csv.reader(chain(io.StringIO(text, newline=""), [_END]), delimiter=delimiter)
    number = 0
    try:
        for cells in reader:
            number += 1
            if cells == [_END]:
                return
            yield cells
    except csv.Error as error:
        raise _cell_too_large(number + 1, "") from error


def _delimiter(text: str) -> tuple[str, str]:
    if match := re.match(r"sep=([,;|\t])\r?\n", text, re.I):
        return match[1], text[match.end() :]
    sample = text[:65_536].lstrip()

    def fit(delimiter: str) -> tuple[int, int]:
        try:
            rows = list(
                islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), 12)
            )
        except csv.Error:
            return (0, 0)
        widths = [len(row) for row in rows if row]
        return (sum(width == max(widths) > 1 for width in widths), max(widths, default=0))

    return max(_DELIMITERS, key=fit), text


def _table(records: Iterator[list[str]], *, ends_whole: bool) -> Table:
    numbered = enumerate(records, start=1)
    header_number, header, ahead = _find_header(numbered)
    if len(header) > COLUMNS:
        raise too_many_columns()
    headers = _unique(header)
    _check_cells(header_number, header, headers)
    rows = _rows(chain(ahead, numbered), headers, ends_whole=ends_whole)
    notes = []
    if header_number > 1:
        notes.append(
            Note(row=header_number, sentence=_("The column names were found in this row."))
        )
    return Table(headers=headers, rows=rows, notes=notes)


def _find_header(
    numbered: Iterator[tuple[int, list[str]]],
) -> tuple[int, list[str], list[tuple[int, list[str]]]]:
    """The first row that looks like column names, and the rows read past it.

    People put a title ("Price list, June") above the table: among the first rows the first
    with both a name and a price column wins, else the first row with anything in it.
    """
    start = list(islice(numbered, _PREAMBLE_ROWS))
    filled = [(number, cells) for number, cells in start if any(c.strip() for c in cells)]
    if not filled:
        raise ImportFileRefused("empty", _("The file has no rows."))
    header_number, header = next(
        ((number, cells) for number, cells in filled if _looks_like_header(cells)), filled[0]
    )
    return header_number, header, [pair for pair in start if pair[0] > header_number]


def _looks_like_header(cells: list[str]) -> bool:
    words = [" ".join(cell.lower().split()) for cell in cells]
    if any(word.replace(",", "").replace(".", "").isdigit() for word in words):
        return False
    names = {word for word in words if _NAME_WORD.search(word)}
    prices = {word for word in words if len(word) < 40 and _PRICE_WORD.search(word)}
    return bool(names and prices - names)


def _unique(header: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    names = []
    for position, cell in enumerate(header, start=1):
        name = " ".join(cell.replace("\ufeff", "").split())[:200]
        name = name or _("column %(number)s", number=position)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def _rows(
    numbered: Iterator[tuple[int, list[str]]], headers: tuple[str, ...], *, ends_whole: bool
) -> Iterator[Row]:
    """Rows with anything in them, one behind: only the next row shows which is the last."""
    width = len(headers)
    count = 0
    waiting: Row | None = None
    short_rows = 0
    for number, cells in numbered:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > ROWS:
            raise too_many_rows()
        _check_cells(number, cells, headers)
        if waiting:
            yield replace(waiting, is_cut=False)
        padded = dict(zip(headers, cells + [""] * (width - len(cells)), strict=False))
        # A file where every row but the very last is whole, without an end of line, was cut.
        short_rows += len(cells) < width
        is_cut = len(cells) < width and short_rows == 1 and count > 1 and not ends_whole
        waiting = Row(number, padded, tuple(cell for cell in cells[width:] if cell.strip()), is_cut)
    if waiting:
        yield waiting


def _check_cells(number: int, cells: list[str], headers: tuple[str, ...]) -> None:
    for position, cell in enumerate(cells):
        if _END in cell:
            raise ImportFileRefused(
                "open_quote",
                _(
                    "A quotation mark opened in row %(row)s is never closed; the file may have "
                    "been cut short.",
                    row=number,
                ),
            )
        # Four bytes is the most one letter takes, so short cells need no counting.
        if len(cell) > CELL_BYTES // 4 and len(cell.encode()) > CELL_BYTES:
            column = headers[position] if position < len(headers) else ""
            raise _cell_too_large(number, column)


def _cell_too_large(number: int, column: str) -> ImportFileRefused:
    return ImportFileRefused(
        "cell_too_large",
        _(
            "A cell in row %(row)s (%(column)s) holds more than %(limit)s KB of text. If that is "
            "not meant, look for a quotation mark that is never closed.",
            row=number,
            column=column or "?",
            limit=CELL_BYTES // 1024,
        ),
    )


def _cut_short() -> ImportFileRefused:
    return ImportFileRefused(
        "cut_short", _("The file stops in the middle of a letter; it was cut short. Send it again.")
    )


def _unknown_letters() -> ImportFileRefused:
    return ImportFileRefused(
        "unknown_letters",
        _("The letters of the file are mixed up; save it as CSV (UTF-8) and send it again."),
    )
