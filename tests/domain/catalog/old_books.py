"""Small spreadsheets of the older kinds, written byte by byte: an XLS and an ODS."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

Cell = str | float
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR = 512


def xls(rows: Sequence[Sequence[Cell]], *, corner: tuple[int, int] | None = None) -> bytes:
    """A workbook of Excel 97 with one sheet; ``corner`` puts one more cell far away."""
    cells = [
        (row, column, value) for row, line in enumerate(rows) for column, value in enumerate(line)
    ]
    if corner:
        cells.append((*corner, 1.0))
    last_row = max(row for row, _column, _value in cells) + 1
    last_column = max(column for _row, column, _value in cells) + 1
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    sheet += _record(0x0200, struct.pack("<IIHHH", 0, last_row, 0, last_column, 0))
    for row, column, value in cells:
        where = struct.pack("<HHH", row, column, 0)
        if isinstance(value, str):
            text = value.encode("utf-16-le")
            sheet += _record(0x0204, where + struct.pack("<HB", len(value), 1) + text)
        else:
            sheet += _record(0x0203, where + struct.pack("<d", value))
    sheet += _record(0x000A, b"")
    name = b"Goods"
    begin = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    bound_length = 4 + 8 + len(name)
    at = len(begin) + bound_length + 4
    bound = _record(0x0085, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name)
    return _compound(begin + bound + _record(0x000A, b"") + sheet)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(stream: bytes) -> bytes:
    """The stream, called Workbook, in a compound file of 512-byte sectors."""
    stream = stream.ljust(max(4096, -(-len(stream) // _SECTOR) * _SECTOR), b"\0")
    sectors = len(stream) // _SECTOR
    fat_sectors = -(-(sectors + 2) // 127)
    chain = [_FAT] * fat_sectors + [_END]
    first = fat_sectors + 1
    chain += [*range(first + 1, first + sectors), _END]
    chain += [_FREE] * (fat_sectors * 128 - len(chain))
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        bytes(16),
        *(0x3E, 3, 0xFFFE, 9, 6, bytes(6)),
        *(0, fat_sectors, fat_sectors, 0, 4096, _END, 0, _END, 0),
    )
    difat = [*range(fat_sectors), *[_FREE] * (109 - fat_sectors)]
    header += struct.pack("<109I", *difat)
    root = _entry("Root Entry", 5, child=1, start=_END, size=0)
    book = _entry("Workbook", 2, child=_FREE, start=first, size=len(stream))
    folder = (root + book).ljust(_SECTOR, b"\0")
    return header + struct.pack(f"<{len(chain)}I", *chain) + folder + stream


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, _FREE, _FREE, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def ods(rows: Sequence[Sequence[Cell]], *, repeat: str = "", repeat_row: str = "") -> bytes:
    """An OpenDocument sheet; ``repeat`` is put on one more cell, as in a file that claims many."""
    lines = "".join(_ods_row("".join(map(_ods_cell, line))) for line in rows)
    more = _ods_row(_ods_cell(1.0, repeat), repeat_row)
    names = "urn:oasis:names:tc:opendocument:xmlns"
    body = (
        f'<?xml version="1.0"?><office:document-content xmlns:office="{names}:office:1.0"'
        f' xmlns:table="{names}:table:1.0" xmlns:text="{names}:text:1.0"><office:body><office:spreadsheet>'
        f'<table:table table:name="Goods">{lines}{more if repeat else ""}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", body)
    return buffer.getvalue()


def _ods_row(cells: str, more: str = "") -> str:
    return f"<table:table-row {more}>{cells}</table:table-row>"


def _ods_cell(value: Cell, more: str = "") -> str:
    kind = "string" if isinstance(value, str) else f"float' office:value='{value}"
    text = f"<text:p>{escape(str(value))}</text:p>"
    return f"<table:table-cell {more} office:value-type='{kind}'>{text}</table:table-cell>"
