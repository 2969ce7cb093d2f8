"""The refused rows of an import as a sheet: as they were sent, with the reason behind each.

A person corrects it and sends it in again. Its columns are those of the file, so it is read the
same way; the two columns of ours at the end are passed over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.domain.catalog.importing.cells import safe_cell
from app.domain.catalog.importing.reading import OUR_COLUMNS, Row, read_table
from app.domain.catalog.importing.records import CatalogueImport, UploadGone, upload_of

# Excel reads UTF-8 only behind this mark.
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def refused_sheet(
    session: Session, kept: CatalogueImport, refused: Sequence[Mapping[str, Any]]
) -> str:
    """The rows as CSV. When the file is gone, the report's own words about each row."""
    try:
        table = read_table(upload_of(session, kept), kept.filename)
    except UploadGone:
        return _without_file(refused)
    by_row = {int(facts["row"]): facts for facts in refused}
    wanted = {row.number: row for row in table.rows if row.number in by_row}
    rows = (
        [*_cells(wanted[number], table.headers), facts["sentence"], number]
        for number, facts in sorted(by_row.items())
        if number in wanted
    )
    return _csv([*table.headers, *OUR_COLUMNS], rows)


def _cells(row: Row, headers: Sequence[str]) -> list[str]:
    return [row.cells[header] for header in headers]


def _without_file(refused: Sequence[Mapping[str, Any]]) -> str:
    rows = ([facts["column"], facts["value"], facts["sentence"], facts["row"]] for facts in refused)
    return _csv(["Column", "Value", *OUR_COLUMNS], rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO(MARK)
    out.seek(0, io.SEEK_END)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([safe_cell(str(cell)) for cell in header])
    for row in rows:
        writer.writerow([safe_cell(str(cell)) for cell in row])
    return out.getvalue()
