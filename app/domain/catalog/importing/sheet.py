"""A sheet somebody made by hand or scraped: any columns, in any order, mapped to ours.

Rows with the same name are one product when a column tells them apart (size, capacity,
colour); with a SKU column and no such column each row is a product. A row that says a
known name with other details and nothing to tell it apart is refused, not merged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from app.domain.catalog.importing.cleaning import (
    RowRefused,
    clean_description,
    clean_name,
    clean_sku,
    clean_text,
    name_key,
    read_grams,
    read_price,
    read_stock,
    sku_key,
    slug_for,
)
from app.domain.catalog.importing.collecting import Collector
from app.domain.catalog.importing.detect import folded
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    ProductDraft,
    VariantDraft,
)
from app.domain.catalog.importing.limits import ImportFileRefused
from app.domain.catalog.importing.reading import Row, Table
from app.i18n import gettext as _

# Field → column names that mean it, the surest first. Compared without case, punctuation
# and currency ("Price (KES)" is "price").
_GUESSES: Final[dict[str, tuple[str, ...]]] = {
    "name": (
        *("product name", "item name", "drink name", "product title", "name", "title"),
        *("product", "item", "item description", "jina", "bidhaa"),
    ),
    "price": (
        *("price", "selling price", "sale price", "discounted price", "unit price"),
        *("current price", "new price", "retail price", "regular price", "amount", "bei"),
    ),
    "compare_at": (
        *("old price", "compare at price", "compare at", "was", "original price", "list price"),
        *("regular price", "retail price", "rrp", "mrp"),
    ),
    "cost": ("cost price", "buying price", "cost", "cost per item", "purchase price"),
    "sku": (
        *("sku", "variant sku", "product sku", "item code", "product code", "code"),
        *("pid", "product id", "article number", "part number"),
    ),
    "stock": (
        *("stock", "quantity", "qty", "stock on hand", "stockonhand", "quantity in stock"),
        *("in stock", "stock quantity", "inventory", "available", "idadi"),
    ),
    "category": ("category", "product category", "department", "collection", "kategoria"),
    "description": ("description", "product description", "details", "about", "maelezo"),
    "brand": ("brand", "vendor", "manufacturer", "make"),
    "barcode": ("barcode", "ean", "upc", "gtin"),
    "image": (
        *("image", "images", "image url", "image urls", "photo", "photos", "picture"),
        *("image link", "image src"),
    ),
    "tags": ("tags", "labels", "keywords"),
    "weight": ("weight g", "weight kg", "weight grams", "weight"),
    "status": ("status", "published", "visible"),
}
_OPTIONS: Final = (
    *("size", "capacity", "volume", "colour", "color", "variant", "variation", "option"),
    *("flavour", "flavor", "scent", "shade", "pack", "pack size", "shoe size", "storage"),
)
# What the row says beside its variant.
_WORDS: Final = ("category", "description", "brand", "image", "tags", "status")
OPTION_FIELDS: Final = ("option1", "option2", "option3")
FIELDS: Final = (*_GUESSES, *OPTION_FIELDS)

# "Variant Price EUR": an amount in another currency must not become shillings by accident.
_OTHER_CURRENCY: Final = re.compile(r"\b(usd|eur|gbp|dkk|inr|ugx|tzs|zar|ngn)\b|[$€£₹]", re.I)
_CURRENCY: Final = re.compile(r"\b(?:kes|ksh|kshs|sh|in|ksh\.)\b")
_OFF: Final = frozenset({"draft", "hidden", "no", "false", "0", "inactive", "off"})


def guess_mapping(headers: tuple[str, ...]) -> dict[str, str]:
    """Field → column, from the column names alone. Each column is used once."""
    mapping: dict[str, str] = {}
    plain = {header: _plain(header) for header in headers if not _OTHER_CURRENCY.search(header)}
    for field, words in _GUESSES.items():
        for word in words:
            column = next(
                (h for h, name in plain.items() if name == word and h not in mapping.values()), None
            )
            if column is not None:
                mapping[field] = column
                break
    if "name" not in mapping and "price" in mapping and "brand" in mapping:
        # Some scraped files put the whole name under Brand.
        mapping["name"] = mapping.pop("brand")
    choices = [h for h, name in plain.items() if name in _OPTIONS and h not in mapping.values()]
    return mapping | dict(zip(OPTION_FIELDS, choices, strict=False))


def settle_mapping(
    headers: tuple[str, ...], chosen: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The guess with the person's own choices over it; an empty choice drops a field.

    Raises ImportFileRefused when a chosen column is not in the file, and ValueError for a
    field that is not in ``FIELDS``.
    """
    mapping = guess_mapping(headers)
    columns = {folded(header): header for header in headers}
    for field, wanted in (chosen or {}).items():
        if field not in FIELDS:
            raise ValueError(f"{field} is not a field a column can be mapped to")
        if wanted and folded(wanted) not in columns:
            raise ImportFileRefused(
                "column_missing", _("The file has no column called “%(name)s”.", name=wanted)
            )
        mapping.pop(field, None)
        if wanted:
            column = columns[folded(wanted)]
            # A column chosen for one field is not also what we guessed it to be.
            for other in [f for f, c in mapping.items() if c == column and f not in (chosen or {})]:
                del mapping[other]
            mapping[field] = column
    return mapping


def read_sheet(table: Table, chosen: Mapping[str, str] | None = None) -> CatalogueFile:
    """Every product of a free-form sheet, and what became of each row.

    Without a name or a price column every row is refused with a sentence that says so.
    Raises as settle_mapping does.
    """
    return _SheetReader(table, settle_mapping(table.headers, chosen)).read()


class _SheetReader:
    def __init__(self, table: Table, mapping: dict[str, str]) -> None:
        self.mapping = mapping
        self.collector = Collector(table, FileFormat.SHEET)
        self.collector.report.mapping = mapping
        self.option_columns = {
            mapping[field]: _option_name(mapping[field])
            for field in OPTION_FIELDS
            if field in mapping
        }
        self.products: dict[str, ProductDraft] = {}
        # What was read from a product's row, to tell a repeat from a contradiction.
        self.read_before: dict[str, int] = {}
        self.last_name = ""

    def read(self) -> CatalogueFile:
        for row in self.collector.rows():
            try:
                self._read_row(row)
            except RowRefused as error:
                self.collector.refuse(row.number, error)
        self._refuse_half_told_options()
        self._note_columns()
        return self.collector.finish(list(self.products.values()))

    def _read_row(self, row: Row) -> None:
        self._check_mapping()
        name = self._name(row)
        self.last_name = name
        variant = self._variant(row)
        first = self.read_before.setdefault(self._facts(row, name, variant), row.number)
        if first != row.number:
            self.collector.repeats(first, row.number)
            return
        self.collector.claim_sku(variant.sku, row.number, column=self._column("sku"))
        source_key = self._source_key(name, variant)
        product = self.products.get(source_key) or self._product(row, name, source_key)
        self.collector.add_variant(product, variant)
        self.products[source_key] = product
        product.options = tuple(dict.fromkeys([*product.options, *variant.options]))
        product.rows.append(row.number)
        self.collector.add_images(product, self._cell(row, "image"))

    def _facts(self, row: Row, name: str, variant: VariantDraft) -> str:
        """All that a row says, as read: "KSh 120" and "120" are no contradiction."""
        words = [clean_text(self._cell(row, field)) for field in _WORDS]
        return "\x1f".join([name_key(name), *words, repr(replace(variant, row=0))])

    def _check_mapping(self) -> None:
        if "name" not in self.mapping:
            raise RowRefused(
                "no_name_column",
                _("No column looks like the product's name; choose which one it is."),
            )
        if "price" not in self.mapping:
            raise RowRefused(
                "no_price_column",
                _("No column looks like a price in shillings; choose which one it is."),
            )

    def _name(self, row: Row) -> str:
        """The row's own name, or the one above when only a further size is given below it."""
        text = self._cell(row, "name")
        tells_size = any(row.cells[column].strip() for column in self.option_columns)
        if not text.strip() and self.last_name and tells_size and self._cell(row, "price").strip():
            return self.last_name
        self.last_name = ""
        return clean_name(text, column=self._column("name"))

    def _variant(self, row: Row) -> VariantDraft:
        price = read_price(self._cell(row, "price"), column=self._column("price"))
        number = row.number
        options = {
            name: value
            for column, name in self.option_columns.items()
            if (value := clean_text(row.cells[column]))
        }
        return VariantDraft(
            sku=clean_sku(self._cell(row, "sku"), column=self._column("sku")),
            options=options,
            price_cents=price,
            compare_at_cents=self._optional_price(row, "compare_at"),
            cost_cents=self._optional_price(row, "cost"),
            stock=read_stock(self._cell(row, "stock"), column=self._column("stock")),
            weight_grams=self._grams(row),
            barcode=clean_text(self._cell(row, "barcode")) or None,
            row=number,
        )

    def _optional_price(self, row: Row, field: str) -> int | None:
        return self.collector.optional_price(
            self._cell(row, field), row.number, column=self._column(field)
        )

    def _grams(self, row: Row) -> int | None:
        text = self._cell(row, "weight").casefold().replace(" ", "")
        unit = "kg" if text.endswith("kg") or "kg" in folded(self._column("weight")) else "g"
        return read_grams(re.sub(r"(kgs?|g|grams?)$", "", text), unit=unit)

    def _source_key(self, name: str, variant: VariantDraft) -> str:
        if variant.sku and not variant.options:
            return f"sku:{sku_key(variant.sku)}"
        return f"name:{name_key(name)}"

    def _product(self, row: Row, name: str, source_key: str) -> ProductDraft:
        is_off = self._cell(row, "status").strip().casefold() in _OFF
        return ProductDraft(
            source_key=source_key,
            name=name,
            slug_hint=slug_for(name, source_key),
            description_html=clean_description(self._cell(row, "description")),
            brand=clean_text(self._cell(row, "brand")),
            category=clean_text(self._cell(row, "category")),
            status=DraftStatus.DRAFT if is_off else DraftStatus.ACTIVE,
            tags=tuple(filter(None, map(clean_text, re.split(r"[,;|]", self._cell(row, "tags"))))),
        )

    def _refuse_half_told_options(self) -> None:
        """Beside 500ML and 1L, a row without a size leaves the shopper nothing to choose by."""
        for product in self.products.values():
            whole = len(product.options)
            for variant in [v for v in product.variants if len(v.options) < whole]:
                missing = [name for name in product.options if name not in variant.options]
                product.variants.remove(variant)
                product.rows.remove(variant.row)
                self.collector.refuse(
                    variant.row,
                    RowRefused(
                        "option_missing",
                        _(
                            "Other rows of “%(name)s” give %(options)s, this one does not.",
                            name=product.name,
                            options=", ".join(missing),
                        ),
                    ),
                )

    def _note_columns(self) -> None:
        used = set(self.mapping.values())
        unused = [header for header in self.collector.report.headers if header not in used]
        if unused:
            self.collector.note(
                _("These columns were not used: %(names)s.", names=", ".join(unused[:30]))
            )
        name_column = self._column("name")
        if name_column and _plain(name_column) in _GUESSES["brand"]:
            self.collector.note(
                _(
                    "The column “%(name)s” was read as the product's name; choose another if "
                    "that is wrong.",
                    name=name_column,
                )
            )

    def _cell(self, row: Row, field: str) -> str:
        return row.cells.get(self._column(field), "")

    def _column(self, field: str) -> str:
        return self.mapping.get(field, "")


def _plain(header: str) -> str:
    words = re.sub(r"[^\w]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", header).casefold())
    return " ".join(_CURRENCY.sub(" ", words.replace("_", " ")).split())


def _option_name(column: str) -> str:
    """The words on the shopper's chips: "Capacity", "Size", "Colour"."""
    name = clean_text(column)
    return name[:1].upper() + name[1:]
