"""What is kept of an import: the report on every row, for the person who sent the file."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.base import Base, StoreOwned
from app.domain.catalog.importing.drafts import CatalogueFile, RefusedRow


class CatalogueImport(StoreOwned, Base):
    """One file that was brought in, with the report on its rows. Never edited."""

    __tablename__ = "catalogue_imports"

    filename: Mapped[str]
    format: Mapped[str] = mapped_column(default="")
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    actor: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(server_default=func.now())


def keep_report(
    session: Session,
    file: CatalogueFile,
    *,
    filename: str,
    actor: str,
    counts: dict[str, int],
    refused: list[RefusedRow],
) -> CatalogueImport:
    """Write down what became of a file. ``refused`` are the rows the database would not take."""
    read = file.report
    kept = CatalogueImport(
        filename=filename,
        format=str(read.format),
        actor=actor,
        report={
            "rows_read": read.rows_read,
            "products": read.products,
            "variants": read.variants,
            "repeated": len(read.repeated),
            "refused": [refused_facts(row) for row in (*read.refused, *refused)],
            "notes": [{"sentence": str(note.sentence), "row": note.row} for note in read.notes],
            "mapping": dict(read.mapping),
            **counts,
        },
    )
    session.add(kept)
    session.flush()
    return kept


def refused_facts(row: RefusedRow) -> dict[str, Any]:
    """A refused row as it is kept and downloaded."""
    return {
        "row": row.row,
        "column": row.column,
        "value": row.value[:200],
        "sentence": str(row.sentence),
        "reason": row.reason_code,
    }
