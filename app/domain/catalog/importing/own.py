"""Our own sheet of products, as ``exporting`` writes it: everything told, also what is empty.

Rows with the same address ("Dukani product") are one product; what they say about the product is
taken from its first row. The words are taken as they are: a file that comes back untouched says
exactly what the store says.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from app.domain.catalog.importing.cells import meant_cell
from app.domain.catalog.importing.cleaning import (
    NAME_LIMIT,
    SKU_LIMIT,
    RowRefused,
    clean_html,
    clean_sku,
    read_price,
    read_stock,
    slugify,
)
from app.domain.catalog.importing.collecting import Collector
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    PictureDraft,
    ProductDraft,
    Seo,
    VariantDraft,
)
from app.domain.catalog.importing.own_columns import (
    MARK_COLUMN,
    PRODUCT_COLUMNS,
    VARIANT_COLUMNS,
    cents_of,
    from_text,
)
from app.domain.catalog.importing.reading import Row, Table
from app.i18n import gettext as _

_OPTION: Final = re.compile(r"^Option ([1-9])$")
_SERIAL: Final = re.compile(r"^[0-9A-Z][0-9A-Z/._-]{2,39}$")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS: Final = re.compile(r"^[a-z0-9](-?[a-z0-9])*$")
# What stands on each row of a product and must not differ there.
_SAME: Final = ("Name", "Brand", "Category", "Status")


def read_own(table: Table) -> CatalogueFile:
    """Every product of our own sheet, and what became of each row."""
    return _OwnReader(table).read()


class _OwnReader:
    def __init__(self, table: Table) -> None:
        self.headers = set(table.headers)
        self.collector = Collector(table, FileFormat.DUKANI)
        self.products: dict[str, ProductDraft] = {}
        self.first_cells: dict[str, tuple[int, dict[str, str]]] = {}
        numbers = sorted(int(m[1]) for h in table.headers if (m := _OPTION.match(h)))
        self.options = [(f"Option {n}", f"Value {n}") for n in numbers]

    def read(self) -> CatalogueFile:
        for row in self.collector.rows():
            try:
                self._read_row(row, {name: meant_cell(cell) for name, cell in row.cells.items()})
            except RowRefused as error:
                self.collector.refuse(row.number, error)
        return self.collector.finish(list(self.products.values()))

    def _read_row(self, row: Row, cells: dict[str, str]) -> None:
        name = cells.get("Name", "")
        if not name.strip() or len(name) > NAME_LIMIT or _CONTROL.search(name):
            raise RowRefused(
                "name_missing",
                _("A name of 1 to %(limit)s letters is needed in this row.", limit=NAME_LIMIT),
                column="Name",
                value=name,
            )
        slug = cells[MARK_COLUMN].strip() or slugify(name)
        if not _ADDRESS.match(slug) or len(slug) > 100:
            raise RowRefused(
                "address_unreadable",
                _("An address is small letters and digits with hyphens between."),
                column=MARK_COLUMN,
                value=slug,
            )
        product = self.products.get(slug) or self._product(row, cells, slug, name)
        variant = self._variant(row, cells)
        if self.collector.is_repeat(row):
            return
        self.collector.claim_sku(variant.sku, row.number, column="SKU")
        self.collector.add_variant(product, variant)
        self.products[slug] = product
        product.rows.append(row.number)
        self._note_difference(row, cells, slug)

    def _product(self, row: Row, cells: dict[str, str], slug: str, name: str) -> ProductDraft:
        own = {
            column.name: from_text(column, cells[column.title])
            for column in PRODUCT_COLUMNS
            if column.title in self.headers
        }
        own["facts"] = own.get("facts") or []
        own["attributes"] = own.get("attributes") or {}
        self._check_own(own)
        return ProductDraft(
            source_key=own.get("source_key") or f"dukani:{slug}",
            name=name,
            slug_hint=slug,
            description_html=self._description(cells),
            brand=cells.get("Brand", ""),
            category=cells.get("Category", ""),
            category_slug=cells.get("Category address", ""),
            status=self._status(cells),
            seo=Seo(
                title=str(own.get("seo_title", "")), description=str(own.get("seo_description", ""))
            ),
            options=tuple(cells[title] for title, _value in self.options if cells[title].strip()),
            pictures=self._pictures(cells.get("Pictures", "")),
            own=own,
        )

    def _check_own(self, own: dict[str, Any]) -> None:
        limits = {"seo_title": 70, "seo_description": 200}
        for name, limit in limits.items():
            if len(str(own.get(name, ""))) > limit:
                raise RowRefused(
                    "text_too_long",
                    _("A text for search engines has more than %(limit)s letters.", limit=limit),
                    value=str(own[name])[:80],
                )
        if own.get("vat_class", "standard") not in ("standard", "zero", "exempt"):
            raise RowRefused(
                "vat_class",
                _("A VAT class is standard, zero or exempt."),
                column="VAT class",
                value=str(own["vat_class"]),
            )
        if not isinstance(own["facts"], list) or not isinstance(own["attributes"], dict):
            raise RowRefused("cell_unreadable", _("The facts or attributes cannot be read."))

    def _description(self, cells: dict[str, str]) -> str:
        parts = [cells.get("Description", "")]
        while (more := f"Description ({len(parts) + 1})") in cells:
            parts.append(cells[more])
        return clean_html("".join(parts))

    def _status(self, cells: dict[str, str]) -> DraftStatus:
        try:
            return DraftStatus(cells.get("Status", "active").strip().casefold() or "active")
        except ValueError as error:
            raise RowRefused(
                "status_unknown",
                _("A status is active, draft or archived."),
                column="Status",
                value=cells["Status"],
            ) from error

    def _variant(self, row: Row, cells: dict[str, str]) -> VariantDraft:
        options = {
            cells[title]: cells[value] for title, value in self.options if cells[title].strip()
        }
        sku = cells.get("SKU", "")
        if len(sku) > SKU_LIMIT or not sku.strip():
            sku = clean_sku(sku, column="SKU")
        own = {
            column.name: from_text(column, cells[column.title])
            for column in VARIANT_COLUMNS
            if column.title in self.headers
        }
        own["compare_at_cents"] = cents_of(cells.get("Old price KES", ""), column="Old price KES")
        price_cents = read_price(cells.get("Price KES", ""), column="Price KES")
        if own["compare_at_cents"] is not None and own["compare_at_cents"] <= price_cents:
            own["compare_at_cents"] = None
        return VariantDraft(
            sku=sku,
            options=options,
            price_cents=price_cents,
            compare_at_cents=own["compare_at_cents"],
            cost_cents=cents_of(cells.get("Cost KES", ""), column="Cost KES"),
            stock=read_stock(cells.get("Stock", ""), column="Stock"),
            weight_grams=self._grams(cells),
            barcode=cells.get("Barcode", "") or None,
            serials=tuple(s for s in cells.get("Serials", "").split() if _SERIAL.match(s)),
            row=row.number,
            own=own,
        )

    def _grams(self, cells: dict[str, str]) -> int:
        text = cells.get("Weight g", "").strip().replace(",", "")
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and int(text) <= 2_000_000):
            raise RowRefused(
                "weight_unreadable",
                _("A weight is whole grams."),
                column="Weight g",
                value=text,
            )
        return int(text)

    def _pictures(self, text: str) -> list[PictureDraft]:
        if not text.strip():
            return []
        try:
            told = json.loads(text)
            return [
                PictureDraft(
                    source=str(one["file"])[:2_000],
                    option_value=str(one["shows"]) if one.get("shows") else None,
                    alt=str(one.get("alt", ""))[:160],
                )
                for one in told[:20]
            ]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RowRefused(
                "cell_unreadable",
                _("The list of pictures cannot be read; leave it as it was or empty it."),
                column="Pictures",
                value=text[:80],
            ) from error

    def _note_difference(self, row: Row, cells: dict[str, str], slug: str) -> None:
        told = {name: cells.get(name, "") for name in _SAME}
        first_row, first = self.first_cells.setdefault(slug, (row.number, told))
        differs = [name for name in _SAME if told[name] != first[name]]
        if differs:
            self.collector.note(
                _(
                    "%(names)s differ from row %(row)s of the same product, which was believed.",
                    names=", ".join(differs),
                    row=first_row,
                ),
                row.number,
            )
