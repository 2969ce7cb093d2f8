"""The catalogue as our own sheet: one row per variant, in CSV or XLSX. Reads back with no change."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from app.db.tenancy import bound_store
from app.domain.catalog.importing.cells import safe_cell
from app.domain.catalog.importing.limits import ROWS
from app.domain.catalog.importing.own_columns import (
    MARK_COLUMN,
    PRODUCT_COLUMNS,
    TEXT_LIMIT,
    VARIANT_COLUMNS,
    amount,
    to_text,
)
from app.domain.catalog.models import Category, Product, ProductImage, Serial, Variant
from app.lazily import lazily

if TYPE_CHECKING:
    import xlsxwriter
else:
    xlsxwriter = lazily("xlsxwriter")

Cell = str | int
# Excel reads UTF-8 only behind this mark.
MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
# Below what one import takes, in rows and in bytes.
PART_ROWS: Final = ROWS
PART_BYTES: Final = 4 * 1024 * 1024
_AT_A_TIME: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How many columns the widest product needs."""

    options: int
    descriptions: int

    @property
    def headers(self) -> list[str]:
        """The titles, in order."""
        more = [f"Description ({n})" for n in range(2, self.descriptions + 1)]
        options = [
            f"{word} {n}" for n in range(1, self.options + 1) for word in ("Option", "Value")
        ]
        return [
            *(MARK_COLUMN, "Name", "Description", *more, "Brand", "Category", "Category address"),
            *("Status", *(column.title for column in PRODUCT_COLUMNS), *options),
            *("SKU", "Price KES", "Old price KES", "Cost KES", "Weight g", "Stock", "Barcode"),
            *(*(column.title for column in VARIANT_COLUMNS), "Serials", "Pictures"),
        ]


def shape_of(session: Session) -> Shape:
    """What the store's goods need."""
    options, letters = session.execute(
        select(
            func.coalesce(func.max(func.cardinality(Product.options)), 0),
            func.coalesce(func.max(func.length(Product.description_html)), 0),
        ).where(Product.store_id == bound_store())
    ).one()
    return Shape(options=max(3, options), descriptions=max(1, -(-letters // TEXT_LIMIT)))


def rows_of(session: Session, shape: Shape) -> Iterator[list[Cell]]:
    """One row per variant, a few hundred products in memory at a time, by address."""
    store_id = bound_store()
    names = _category_names(session)
    after = ""
    while True:
        products = session.scalars(
            select(Product)
            .where(Product.store_id == store_id, Product.slug > after)
            .options(selectinload(Product.variants))
            .order_by(Product.slug)
            .limit(_AT_A_TIME)
        ).all()
        if not products:
            return
        pictures = _pictures(session, [product.id for product in products])
        serials = _serials(session, [v.id for product in products for v in product.variants])
        for product in products:
            common = _product_cells(product, shape, names)
            shown = pictures.get(product.id, "")
            for variant in product.variants:
                own = " ".join(serials.get(variant.id, ()))
                yield [*common, *_variant_cells(product, variant, shape), own, shown]
                shown = ""
        after = products[-1].slug


def as_csv(session: Session) -> Iterator[bytes]:
    """The whole sheet as CSV, piece by piece: UTF-8 with its mark, every cell quoted."""
    shape = shape_of(session)
    yield MARK + _lines([shape.headers])
    for row in rows_of(session, shape):
        yield _lines([row])


def csv_parts(session: Session) -> Iterator[bytes]:
    """The sheet as CSV files that one import each takes; a product is never split over two."""
    shape = shape_of(session)
    head = MARK + _lines([shape.headers])
    part, rows = bytearray(head), 0
    for product_rows in _by_product(rows_of(session, shape)):
        lines = _lines(product_rows)
        is_full = rows + len(product_rows) > PART_ROWS or len(part) + len(lines) > PART_BYTES
        if rows and is_full:
            yield bytes(part)
            part, rows = bytearray(head), 0
        part += lines
        rows += len(product_rows)
    yield bytes(part)


def as_xlsx(session: Session) -> bytes:
    """The whole sheet as an Excel file; amounts and counts are numbers there."""
    shape = shape_of(session)
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(out, options)
    sheet = book.add_worksheet("Products")
    sheet.freeze_panes(1, 2)
    bold = book.add_format({"bold": True})
    for column, title in enumerate(shape.headers):
        sheet.write_string(0, column, title, bold)
    for number, row in enumerate(rows_of(session, shape), start=1):
        for column, cell in enumerate(row):
            if isinstance(cell, int):
                sheet.write_number(number, column, cell)
            elif cell:
                sheet.write_string(number, column, safe_cell(cell))
    book.close()
    return out.getvalue()


def _by_product(rows: Iterable[list[Cell]]) -> Iterator[list[list[Cell]]]:
    group: list[list[Cell]] = []
    for row in rows:
        if group and group[0][0] != row[0]:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for row in rows:
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue().encode()


def _product_cells(
    product: Product, shape: Shape, names: dict[UUID, tuple[str, str]]
) -> list[Cell]:
    text = product.description_html
    path, slug = names.get(product.category_id, ("", "")) if product.category_id else ("", "")
    return [
        product.slug,
        product.name,
        *(text[n * TEXT_LIMIT : (n + 1) * TEXT_LIMIT] for n in range(shape.descriptions)),
        product.brand,
        path,
        slug,
        product.status,
        *(to_text(column, getattr(product, column.name)) for column in PRODUCT_COLUMNS),
    ]


def _variant_cells(product: Product, variant: Variant, shape: Shape) -> list[Cell]:
    pairs = zip(product.options, variant.option_values, strict=False)
    options = [cell for pair in pairs for cell in pair][: shape.options * 2]
    return [
        *(*options, *[""] * (shape.options * 2 - len(options))),
        variant.sku,
        _number(variant.price_cents),
        _number(variant.compare_at_cents),
        _number(variant.cost_cents),
        variant.weight_grams,
        variant.on_hand,
        variant.barcode or "",
        *(to_text(column, getattr(variant, column.name)) for column in VARIANT_COLUMNS),
    ]


def _number(cents: int | None) -> Cell:
    text = amount(cents)
    return int(text) if text.isdigit() else text


def _category_names(session: Session) -> dict[UUID, tuple[str, str]]:
    """Each category's way from the top, and its address."""
    found = {
        category.id: category
        for category in session.scalars(select(Category).where(Category.store_id == bound_store()))
    }

    def path(category: Category) -> str:
        parent = found.get(category.parent_id) if category.parent_id else None
        return f"{parent.name} > {category.name}" if parent else category.name

    return {key: (path(category), category.slug) for key, category in found.items()}


def _pictures(session: Session, product_ids: list[UUID]) -> dict[UUID, str]:
    rows = session.execute(
        select(
            ProductImage.product_id,
            ProductImage.media_key,
            ProductImage.option_value,
            ProductImage.alt,
        )
        .where(
            ProductImage.store_id == bound_store(),
            ProductImage.product_id.in_(product_ids),
            ProductImage.status == "ready",
            ProductImage.removed_at.is_(None),
        )
        .order_by(ProductImage.product_id, ProductImage.position)
    )
    found: dict[UUID, list[dict[str, str]]] = {}
    for product_id, key, option, alt in rows:
        told = {"file": f"pictures/{key}.webp", "alt": alt}
        found.setdefault(product_id, []).append(told | ({"shows": option} if option else {}))
    return {key: json.dumps(told, ensure_ascii=False) for key, told in found.items()}


def _serials(session: Session, variant_ids: list[UUID]) -> dict[UUID, list[str]]:
    rows = session.execute(
        select(Serial.variant_id, Serial.serial)
        .where(
            Serial.store_id == bound_store(),
            Serial.variant_id.in_(variant_ids),
            Serial.status == "in_stock",
        )
        .order_by(Serial.serial)
    )
    found: dict[UUID, list[str]] = {}
    for variant_id, serial in rows:
        found.setdefault(variant_id, []).append(serial)
    return found
