"""WooCommerce product CSV: simple products, and variable ones with their variations.

A variation names its parent by SKU or as ``id:45``, and may stand anywhere in the file, so
variations are joined to their parents after the last row. Grouped and external products
are refused: there is nothing of their own to sell. Downloads and services come in as
drafts, because this shop delivers goods.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
from app.domain.catalog.importing.detect import lookup
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    ProductDraft,
    VariantDraft,
)
from app.domain.catalog.importing.reading import Row, Table
from app.i18n import gettext as _

_ATTRIBUTES: Final = range(1, 11)
_WEIGHT: Final = re.compile(r"^weight \((kg|g|lbs?|oz)\)$")
_YES: Final = frozenset({"1", "yes", "true"})


@dataclass(slots=True)
class _Variation:
    row: Row
    parent: str
    options: dict[str, str] = field(default_factory=dict)


def read_woocommerce(table: Table) -> CatalogueFile:
    """Every product of a WooCommerce export, and what became of each row."""
    return _WooReader(table).read()


class _WooReader:
    def __init__(self, table: Table) -> None:
        self.columns = lookup(table.headers)
        self.collector = Collector(table, FileFormat.WOOCOMMERCE)
        # By folded SKU, by "id:45", and in the order of the file.
        self.products: dict[str, ProductDraft] = {}
        self.order: list[ProductDraft] = []
        self.source_keys: set[str] = set()
        self.parents: dict[int, tuple[ProductDraft, Row]] = {}
        self.refused_parents: dict[str, str] = {}
        self.variations: list[_Variation] = []

    def read(self) -> CatalogueFile:
        for row in self.collector.rows():
            try:
                self._read_row(row)
            except RowRefused as error:
                self.collector.refuse(row.number, error)
        self._join_variations()
        self._refuse_parents_without_variations()
        return self.collector.finish(self.order)

    def _read_row(self, row: Row) -> None:
        kinds = {kind.strip().lower() for kind in self._cell(row, "type").split(",")}
        self._check_kind(kinds, row)
        sku = clean_sku(self._cell(row, "sku"), column=self._column("sku"))
        if "variation" in kinds:
            parent = clean_text(self._cell(row, "parent"))
            if not self.collector.is_repeat(row):
                self.variations.append(_Variation(row, parent, self._attributes(row)))
            return
        name = clean_name(self._cell(row, "name"), column=self._column("name"))
        # Read before the check for a repeat, so that a bad price is refused every time.
        variant = None if "variable" in kinds else self._variant(row, sku, options={})
        if self.collector.is_repeat(row):
            return
        self.collector.claim_sku(sku, row.number, column=self._column("sku"))
        product = self._product(row, name, sku, kinds)
        self._check_name(product, row)
        if variant:
            self.collector.add_variant(product, variant)
        else:
            self.parents[row.number] = (product, row)
        self.order.append(product)
        for key in self._keys(row, sku):
            self.products.setdefault(key, product)

    def _check_kind(self, kinds: set[str], row: Row) -> None:
        sentence = ""
        if "grouped" in kinds:
            sentence = _(
                "A grouped product has no price of its own; its parts come in by themselves."
            )
        elif "external" in kinds:
            sentence = _("An external product is sold on another site, so it did not come in.")
        elif not kinds & {"simple", "variable", "variation"}:
            sentence = _("This type of product is not known here; simple and variable are.")
        if sentence:
            for key in self._keys(row, clean_text(self._cell(row, "sku"))):
                self.refused_parents[key] = clean_text(self._cell(row, "name"))
            kind = self._cell(row, "type")
            raise RowRefused("type_refused", sentence, column=self._column("type"), value=kind)

    def _check_name(self, product: ProductDraft, row: Row) -> None:
        """Without a SKU the ID, and without both the name, is all there is to go by."""
        if product.source_key in self.source_keys:
            raise RowRefused(
                "name_repeats",
                _("An earlier row has the same ID or name, and no SKU tells the two apart."),
                column=self._column("name"),
                value=self._cell(row, "name"),
            )
        self.source_keys.add(product.source_key)

    def _keys(self, row: Row, sku: str) -> list[str]:
        number = clean_text(self._cell(row, "id"))
        return [key for key in (sku_key(sku), f"id:{number}" if number else "") if key]

    def _product(self, row: Row, name: str, sku: str, kinds: set[str]) -> ProductDraft:
        number = clean_text(self._cell(row, "id"))
        without_sku = f"woo-id:{number}" if number else f"name:{name_key(name)}"
        source_key = f"woo:{sku_key(sku)}" if sku else without_sku
        product = ProductDraft(
            source_key=source_key,
            name=name,
            slug_hint=slug_for(name, source_key),
            description_html=self._description(row),
            brand=clean_text(self._cell(row, "brands")),
            category=self._category(row),
            status=self._status(row, kinds),
            tags=tuple(filter(None, map(clean_text, self._cell(row, "tags").split(",")))),
            rows=[row.number],
        )
        self.collector.add_images(product, self._cell(row, "images"))
        return product

    def _variant(self, row: Row, sku: str, *, options: dict[str, str]) -> VariantDraft:
        regular, sale = self._column("regular price"), self._column("sale price")
        price = read_price(row.cells.get(regular, ""), column=regular)
        reduced = None
        if self._cell(row, "sale price").strip():
            reduced = read_price(row.cells[sale], column=sale)
        is_reduced = reduced is not None and reduced < price
        return VariantDraft(
            sku=sku,
            options=options,
            price_cents=reduced if is_reduced and reduced is not None else price,
            compare_at_cents=price if is_reduced else None,
            stock=self._stock(row),
            weight_grams=self._grams(row),
            barcode=clean_text(self._cell(row, "gtin, upc, ean, or isbn")) or None,
            row=row.number,
        )

    def _stock(self, row: Row) -> int | None:
        if self._cell(row, "in stock?").strip().lower() in {"0", "no", "false", "outofstock"}:
            return 0
        text = self._cell(row, "stock")
        # A variation may leave the count to its parent.
        return (
            None
            if text.strip().lower() == "parent"
            else read_stock(text, column=self._column("stock"))
        )

    def _grams(self, row: Row) -> int | None:
        for folded_name, column in self.columns.items():
            if match := _WEIGHT.match(folded_name):
                return read_grams(row.cells[column], unit=match[1])
        return None

    def _description(self, row: Row) -> str:
        # The exporter writes a line break inside a cell as a backslash and an n.
        text = self._cell(row, "description") or self._cell(row, "short description")
        return clean_description(text.replace("\\n", "\n"))

    def _category(self, row: Row) -> str:
        """The first category; "Clothing > Hoodies" is the sub-category Hoodies of Clothing."""
        first = self._cell(row, "categories").split(",")[0]
        return " > ".join(filter(None, (clean_text(part) for part in first.split(">"))))

    def _status(self, row: Row, kinds: set[str]) -> DraftStatus:
        if kinds & {"downloadable", "virtual"}:
            self.collector.note(
                _("This is a download or a service, so it came in as a draft."), row.number
            )
            return DraftStatus.DRAFT
        if self._cell(row, "visibility in catalog").strip().lower() == "hidden":
            self.collector.note(
                _("The product was hidden in the old shop, so it came in as a draft."), row.number
            )
            return DraftStatus.DRAFT
        is_published = self._cell(row, "published").strip().lower() in {"", *_YES}
        return DraftStatus.ACTIVE if is_published else DraftStatus.DRAFT

    def _attributes(self, row: Row) -> dict[str, str]:
        """The attributes a row names; an empty value is WooCommerce for "any"."""
        found = {}
        for number in _ATTRIBUTES:
            if name := clean_text(self._cell(row, f"attribute {number} name")):
                found[name] = clean_text(self._cell(row, f"attribute {number} value(s)"))
        return found

    def _join_variations(self) -> None:
        families: dict[int, list[_Variation]] = {}
        for variation in self.variations:
            try:
                parent_row = self._parent_row(variation)
            except RowRefused as error:
                self.collector.refuse(variation.row.number, error)
            else:
                families.setdefault(parent_row, []).append(variation)
        for parent_row, variations in families.items():
            self._join_family(parent_row, variations)

    def _parent_row(self, variation: _Variation) -> int:
        column = self._column("parent")
        key = re.sub(r"^id:\s*", "id:", variation.parent.casefold())
        product = self.products.get(key)
        number = product.rows[0] if product else 0
        if number in self.parents:
            return number
        if product or key in self.refused_parents:
            sentence = _("Its parent “%(parent)s” has no variations.", parent=variation.parent)
        elif key:
            sentence = _("Its parent “%(parent)s” did not come in.", parent=variation.parent)
        else:
            sentence = _("The variation does not say which product it belongs to.")
        raise RowRefused("parent_missing", sentence, column=column, value=variation.parent)

    def _join_family(self, parent_row: int, variations: list[_Variation]) -> None:
        product, row = self.parents[parent_row]
        named = dict.fromkeys(name for variation in variations for name in variation.options)
        told = [name for name in named if any(v.options.get(name) for v in variations)]
        left_open = [name for name in named if name not in told]
        product.options = tuple(told)
        if left_open:
            self.collector.note(
                _(
                    "Every variation of “%(name)s” leaves %(options)s open, so shoppers are not "
                    "asked for it. Add a variant for each to offer the choice.",
                    name=product.name,
                    options=", ".join(left_open),
                ),
                row.number,
            )
        for variation in variations:
            try:
                self._join(product, variation, told)
            except RowRefused as error:
                self.collector.refuse(variation.row.number, error)

    def _join(self, product: ProductDraft, variation: _Variation, told: list[str]) -> None:
        row = variation.row
        options = {name: variation.options.get(name) or _("Any") for name in told}
        sku = clean_sku(self._cell(row, "sku"), column=self._column("sku"))
        variant = self._variant(row, sku, options=options)
        if self._cell(row, "published").strip().lower() in {"0", "-1", "no", "false"}:
            raise RowRefused(
                "variation_off",
                _("The variation was switched off in the old shop."),
                column=self._column("published"),
            )
        self.collector.claim_sku(sku, row.number, column=self._column("sku"))
        self.collector.add_variant(product, variant)
        product.rows.append(row.number)
        self.collector.add_images(product, self._cell(row, "images"))

    def _refuse_parents_without_variations(self) -> None:
        for number, (product, row) in self.parents.items():
            if not product.variants:
                self.collector.refuse(
                    number,
                    RowRefused(
                        "variations_missing",
                        _(
                            "No variation of “%(name)s” came in, so it has no price.",
                            name=product.name,
                        ),
                        value=self._cell(row, "sku"),
                    ),
                )

    def _cell(self, row: Row, name: str) -> str:
        return row.cells.get(self._column(name), "")

    def _column(self, name: str) -> str:
        return self.columns.get(name, "")
