"""Telling from the column names which program wrote the file."""

from __future__ import annotations

from app.domain.catalog.importing.drafts import FileFormat
from app.domain.catalog.importing.own_columns import MARK_COLUMN


def folded(header: str) -> str:
    """A column name as compared: case, spacing and surrounding quotes do not matter."""
    return " ".join(header.casefold().strip(" \"'").split())


def detect_format(headers: tuple[str, ...]) -> FileFormat:
    """Shopify and WooCommerce have columns nobody invents by chance; the rest is a sheet."""
    if MARK_COLUMN in headers:
        return FileFormat.DUKANI
    names = {folded(header) for header in headers}
    if {"handle", "title"} <= names and names & {"variant price", "option1 name", "variant sku"}:
        return FileFormat.SHOPIFY
    if {"type", "name", "regular price"} <= names and names & {"sku", "id", "parent"}:
        return FileFormat.WOOCOMMERCE
    return FileFormat.SHEET


def lookup(headers: tuple[str, ...]) -> dict[str, str]:
    """Folded column name → the name as written; the first of two spellings wins."""
    found: dict[str, str] = {}
    for header in headers:
        found.setdefault(folded(header), header)
    return found
