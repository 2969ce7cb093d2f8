"""What became of the rows of some files, as a page a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.domain.catalog.importing.catalogue import read_catalogue
from app.domain.catalog.importing.drafts import CatalogueFile, RefusedRow
from app.domain.catalog.importing.limits import ImportFileRefused

_HEAD = """| file | read as | rows | products | variants | refused | repeated |
|---|---|---:|---:|---:|---:|---:|
"""


def reports_page(files: Iterable[Path]) -> str:
    """A table of counts, then each file's refusals by reason with one real sentence of each."""
    tables, reasons = [], []
    for path in files:
        try:
            file = read_catalogue(path.read_bytes(), path.name)
        except ImportFileRefused as refused:
            tables.append(f"| {path.name} | refused as a whole | | | | | |")
            reasons.append(f"**{path.name}** {refused}\n")
            continue
        tables.append(_line(path.name, file))
        if file.report.refused:
            reasons.append(f"**{path.name}**\n\n" + "".join(_reasons(file)))
    return _HEAD + "\n".join(tables) + "\n\n" + "\n".join(reasons)


def _line(name: str, file: CatalogueFile) -> str:
    report = file.report
    counts = (report.rows_read, report.products, report.variants, len(report.refused))
    told = " | ".join(f"{count:,}" for count in (*counts, len(report.repeated)))
    return f"| {name} | {report.format} | {told} |"


def _reasons(file: CatalogueFile) -> Iterator[str]:
    counted = Counter(row.reason_code for row in file.report.refused)
    first: dict[str, RefusedRow] = {}
    for row in file.report.refused:
        first.setdefault(row.reason_code, row)
    for code, count in counted.most_common():
        said = str(first[code].sentence).replace("\N{NO-BREAK SPACE}", " ").replace("|", "\\|")
        yield f"- {count:,} × `{code}`, as in row {first[code].row}: {said}\n"
