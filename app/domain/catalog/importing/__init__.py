"""Catalogue files in: bytes → rows → products, with a report on every row.

``read_catalogue`` needs no database; ``applying.apply_catalogue`` puts its result in a store.
"""

from app.domain.catalog.importing.catalogue import Preview, preview_catalogue, read_catalogue
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    Note,
    ProductDraft,
    RefusedRow,
    Report,
    Seo,
    VariantDraft,
)
from app.domain.catalog.importing.limits import ImportFileRefused

__all__ = [
    "CatalogueFile",
    "DraftStatus",
    "FileFormat",
    "ImportFileRefused",
    "Note",
    "Preview",
    "ProductDraft",
    "RefusedRow",
    "Report",
    "Seo",
    "VariantDraft",
    "preview_catalogue",
    "read_catalogue",
]
