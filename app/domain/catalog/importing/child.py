"""A program of its own that reads an old Excel or OpenDocument file: bytes in, JSON rows out.

Such a file can claim a cell at the far corner of its sheet, and the reader then makes room for
all between. Here it may: this process has little memory and time, and nothing else dies with it.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import resource
import sys
from decimal import Context
from typing import Final

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

MEMORY_BYTES: Final = 600 * 1024 * 1024
PROCESSOR_SECONDS: Final = 15
LAST_ROW: Final = 22_000
UNREADABLE: Final = 3
TOO_MANY: Final = 4
# A spreadsheet keeps 17 digits and shows 15: 299.99999999999994 is what it calls 300.
_AS_SHOWN: Final = Context(prec=15)


def cell_text(value: object) -> str:
    """What the spreadsheet shows for a value. The one place where a float is met.

    ``350.0`` is "350"; nothing after this computes with a float.
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        shown = format(_AS_SHOWN.create_decimal(repr(value)), "f")
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    return str(value)


def main() -> int:
    """Read stdin, write the first visible sheet with anything in it. The result says how it went."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        names = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        ]
        told: dict[str, object] = {"name": "", "others": [], "rows": []}
        for name in names:
            sheet = book.get_sheet_by_name(name)
            if not sheet.total_height:
                continue
            if sheet.total_height > LAST_ROW:
                return TOO_MANY
            rows = [_trimmed([cell_text(cell) for cell in row]) for row in sheet.iter_rows()]
            told = {"name": name, "others": [n for n in names if n != name], "rows": rows}
            break
    except (CalamineError, ValueError):
        return UNREADABLE
    json.dump(told, sys.stdout)
    return 0


def _trimmed(cells: list[str]) -> list[str]:
    """Without the empty cells at the end."""
    while cells and not cells[-1]:
        cells.pop()
    return cells


if __name__ == "__main__":
    sys.exit(main())
