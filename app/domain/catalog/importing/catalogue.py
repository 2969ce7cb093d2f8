"""The one way in: an uploaded file becomes products and a report on every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from app.domain.catalog.importing.detect import detect_format
from app.domain.catalog.importing.drafts import CatalogueFile, FileFormat
from app.domain.catalog.importing.manifest import read_manifest
from app.domain.catalog.importing.own import read_own
from app.domain.catalog.importing.reading import read_table
from app.domain.catalog.importing.sheet import read_sheet, settle_mapping
from app.domain.catalog.importing.shopify import read_shopify
from app.domain.catalog.importing.woocommerce import read_woocommerce


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a person sees before an import: the columns, our guess, the first rows."""

    format: FileFormat
    headers: tuple[str, ...]
    mapping: dict[str, str]
    sample: list[dict[str, str]]


def read_catalogue(
    data: bytes, filename: str, mapping: Mapping[str, str] | None = None
) -> CatalogueFile:
    """Read a Shopify or WooCommerce export, our own, or any sheet, into products.

    ``mapping`` (field → column) is the person's own choice and makes the file a sheet,
    whatever it looks like. Nothing is stored and no address in the file is opened. A bad
    row is in the report and stops no other.

    Raises ImportFileRefused when the file as a whole cannot be read.
    """
    table = read_table(data, filename)
    if mapping:
        return read_sheet(table, mapping)
    readers = {
        FileFormat.SHOPIFY: read_shopify,
        FileFormat.WOOCOMMERCE: read_woocommerce,
        FileFormat.DUKANI: read_own,
        FileFormat.SHEET: read_sheet,
    }
    file_format = detect_format(table.headers)
    file = readers[file_format](table)
    if file_format is FileFormat.DUKANI:
        categories, pictures = read_manifest(data)
        file = replace(file, categories=categories, pictures=pictures)
    return file


def preview_catalogue(data: bytes, filename: str, *, rows: int = 5) -> Preview:
    """The columns, the mapping we would use and the first rows, for a person to correct.

    The mapping is empty for Shopify, WooCommerce and our own files, whose columns are known.
    Raises ImportFileRefused when the file as a whole cannot be read.
    """
    table = read_table(data, filename)
    file_format = detect_format(table.headers)
    return Preview(
        format=file_format,
        headers=table.headers,
        mapping=settle_mapping(table.headers) if file_format is FileFormat.SHEET else {},
        sample=[row.cells for row in islice(table.rows, rows)],
    )
