"""XLSX, XLS and ODS bytes into rows of text.

An XLSX is a ZIP of XML, and one line of XML can claim a cell a million rows down, which
a reader then makes room for. So every part is unpacked and walked once, counted, before
the spreadsheet reader sees the file. The other two kinds are read by a program of their own
that may use little memory and time, and dies alone.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from app.domain.catalog.importing import archives
from app.domain.catalog.importing.child import TOO_MANY, UNREADABLE, cell_text
from app.domain.catalog.importing.limits import (
    COLUMNS,
    ROWS,
    UNPACKED_BYTES,
    ImportFileRefused,
)
from app.i18n import gettext as _

# The header, the rows, and some room for blank ones between them.
_LAST_ROW: Final = ROWS + 2_000
# The reader makes room for every cell up to the furthest corner, filled or not.
_CELLS: Final = 3_000_000
_CELL_NAME: Final = re.compile(r"^([A-Z]{1,4})([0-9]{1,9})$")
_OTHER_BOOKS: Final = frozenset({"mimetype", "content.xml", "xl/workbook.bin"})
OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_CHILD: Final = "app.domain.catalog.importing.child"
_CHILD_SECONDS: Final = 30


def is_workbook(data: bytes) -> bool:
    """Whether this ZIP is a spreadsheet of any kind rather than a folder of files."""
    with archives.opened(data) as archive:
        return is_book(archive.namelist())


def is_book(names: Iterable[str]) -> bool:
    """Whether a ZIP with entries of these names is a spreadsheet."""
    known = set(names)
    return "[Content_Types].xml" in known or bool(known & _OTHER_BOOKS)


def sheet_rows(data: bytes) -> tuple[str, list[str], Iterator[list[str]]]:
    """The first visible sheet with anything in it: its name, the other names, its rows.

    Rows count from the sheet's first row, blank ones included. Raises ImportFileRefused.
    """
    if _is_open_document(data):
        return other_sheet_rows(data)
    _check_parts(data)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        ]
        for name in names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height:
                others = [other for other in names if other != name]
                return name, others, _as_text(sheet.iter_rows())
    except CalamineError as error:
        raise _unreadable() from error
    raise ImportFileRefused("empty", _("The file has no rows."))


def other_sheet_rows(data: bytes) -> tuple[str, list[str], Iterator[list[str]]]:
    """The same for an old Excel file or an OpenDocument one. Raises ImportFileRefused."""
    try:
        child = subprocess.run(  # noqa: S603 - our own module, and the file comes by its input
            [sys.executable, "-m", _CHILD],
            input=data,
            capture_output=True,
            timeout=_CHILD_SECONDS,
            check=False,
            env={"PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except subprocess.TimeoutExpired as error:
        raise too_many_rows() from error
    if child.returncode == UNREADABLE:
        raise ImportFileRefused(
            "not_xlsx",
            _("This spreadsheet cannot be read, or has a password; save it as .xlsx or CSV."),
        )
    if child.returncode == TOO_MANY or len(child.stdout) > UNPACKED_BYTES:
        raise too_many_rows()
    if child.returncode:
        # It needed more memory or time than any catalogue does.
        raise too_many_columns()
    told = json.loads(child.stdout)
    if not told["rows"]:
        raise ImportFileRefused("empty", _("The file has no rows."))
    return told["name"], told["others"], iter(told["rows"])


def _is_open_document(data: bytes) -> bool:
    with archives.opened(data) as archive:
        if "content.xml" not in archive.namelist():
            return False
        # Counted while it unpacks, so that no bomb reaches the reader.
        for _name, _content in archives.unpack(archive, len(data)):
            pass
    return True


def _as_text(rows: Iterable[Sequence[object]]) -> Iterator[list[str]]:
    for row in rows:
        yield [cell_text(value) for value in row]


def _check_parts(data: bytes) -> None:
    with archives.opened(data) as archive:
        names = set(archive.namelist())
        if "xl/workbook.xml" not in names or names & _OTHER_BOOKS:
            raise ImportFileRefused(
                "not_xlsx",
                _("This kind of spreadsheet cannot be read; save it as .xlsx or CSV."),
            )
        for name, content in archives.unpack(archive, len(data)):
            # Old drawing markup (.vml) is often not well formed, and holds no cells.
            is_xml = content.lstrip()[:1] == b"<" and not name.lower().endswith(".vml")
            if is_xml or name.lower().endswith((".xml", ".rels")) or b"sheetData" in content:
                _walk(content)


def _walk(content: bytes) -> None:
    """Read one XML part, refusing entities and cells far outside the limits."""
    walker = _SheetWalker()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = walker.refuse_doctype
    parser.EntityDeclHandler = walker.refuse_doctype
    parser.StartElementHandler = walker.start
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise _unreadable() from error


class _SheetWalker:
    """Follows rows and cells the way a spreadsheet reader places them."""

    def __init__(self) -> None:
        self.row = 0
        self.column = 0
        self.furthest_column = 0

    def refuse_doctype(self, *_facts: object) -> None:
        raise ImportFileRefused(
            "xml_entities", _("The spreadsheet has parts that are not data, so it was not opened.")
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition("}")[2]
        if tag == "row":
            self.row = _whole(attributes.get("r"), otherwise=self.row + 1)
            self.column = 0
        elif tag == "c":
            self.column += 1
            if match := _CELL_NAME.match(attributes.get("r", "").upper()):
                self.column = _column_number(match[1])
                self.row = max(self.row, int(match[2]))
        else:
            return
        if self.row > _LAST_ROW:
            raise too_many_rows()
        self.furthest_column = max(self.furthest_column, self.column)
        if self.column > COLUMNS or self.row * self.furthest_column > _CELLS:
            raise too_many_columns()


def too_many_rows() -> ImportFileRefused:
    """The refusal of a file with more rows than one import takes."""
    return ImportFileRefused(
        "too_many_rows",
        _("The file has more than %(limit)s rows; split it and send the parts.", limit=f"{ROWS:,}"),
    )


def too_many_columns() -> ImportFileRefused:
    """The refusal of a file with more columns than any catalogue has."""
    return ImportFileRefused(
        "too_many_columns",
        _("The file has far too many columns; remove the empty ones and those you do not need."),
    )


def _whole(text: str | None, *, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else otherwise


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _unreadable() -> ImportFileRefused:
    return ImportFileRefused(
        "damaged",
        _("The spreadsheet is damaged or was cut short; save it again as .xlsx or CSV."),
    )
