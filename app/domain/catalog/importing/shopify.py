"""Shopify product CSV: rows that share a Handle are one product.

The first row of a handle names the product; further rows add a variant or only a picture.
Two spellings of the columns are in use ("Body (HTML)" and "Body", "Variant Inventory Qty"
and "Variant inventory quantity"). The stock taken is the number in the column.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    slugify,
)
from app.domain.catalog.importing.collecting import Collector
from app.domain.catalog.importing.detect import lookup
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    ProductDraft,
    Seo,
    VariantDraft,
)
from app.domain.catalog.importing.reading import Row, Table
from app.i18n import gettext as _

_SPELLINGS = {
    "description": ("body (html)", "body", "body html"),
    "category": ("type", "custom product type", "product category", "standard product type"),
    "stock": ("variant inventory qty", "variant inventory quantity"),
    "compare at": ("variant compare at price", "variant compare-at price"),
    "cost": ("cost per item", "variant cost"),
}
_OPTION_NUMBERS = (1, 2, 3)


@dataclass(slots=True)
class _Product:
    draft: ProductDraft
    option_names: dict[int, str] = field(default_factory=dict)


def read_shopify(table: Table) -> CatalogueFile:
    """Every product of a Shopify export, and what became of each row."""
    return _ShopifyReader(table).read()


class _ShopifyReader:
    def __init__(self, table: Table) -> None:
        self.columns = lookup(table.headers)
        self.collector = Collector(table, FileFormat.SHOPIFY)
        self.products: dict[str, _Product] = {}

    def read(self) -> CatalogueFile:
        for row in self.collector.rows():
            try:
                self._read_row(row)
            except RowRefused as error:
                self.collector.refuse(row.number, error)
        self._refuse_pictures_of_nothing()
        return self.collector.finish([product.draft for product in self.products.values()])

    def _read_row(self, row: Row) -> None:
        handle = clean_text(self._cell(row, "handle")) or slugify(self._cell(row, "title"))
        product = self.products.get(handle.casefold())
        is_new = product is None
        if product is None:
            product = self._new_product(handle, row)
        self._check_title(product, row)
        self._name_options(product, row)
        draft = product.draft
        variant = None
        if is_new or self._describes_variant(row):
            # Known from here on even when this row's price is bad, so that the rows of its
            # other variants still find their product.
            self.products[handle.casefold()] = product
            variant = self._read_variant(product, row)
        if self.collector.is_repeat(row):
            return
        if variant:
            self.collector.claim_sku(variant.sku, row.number, column=self._column("variant sku"))
            self.collector.add_variant(draft, variant)
        draft.rows.append(row.number)
        self.collector.add_images(draft, self._cell(row, "image src"))
        self.collector.add_images(draft, self._cell(row, "variant image"))

    def _new_product(self, handle: str, row: Row) -> _Product:
        title_column = self._column("title")
        if not handle:
            raise RowRefused(
                "handle_missing",
                _("There is no Handle and no Title, so the row belongs to no product."),
                column=self._column("handle"),
            )
        if not clean_text(self._cell(row, "title")):
            raise RowRefused(
                "title_missing",
                _(
                    "No row above gives the Title of “%(handle)s”, so its name is not known.",
                    handle=handle,
                ),
                column=title_column,
            )
        name = clean_name(self._cell(row, "title"), column=title_column)
        return _Product(
            ProductDraft(
                source_key=f"shopify:{handle.casefold()}",
                name=name,
                slug_hint=slugify(handle) or slugify(name),
                description_html=clean_description(self._cell(row, "description")),
                brand=clean_text(self._cell(row, "vendor")),
                category=clean_text(self._cell(row, "category")),
                status=self._status(row),
                seo=Seo(
                    title=clean_text(self._cell(row, "seo title")),
                    description=clean_text(self._cell(row, "seo description")),
                ),
                tags=tuple(filter(None, map(clean_text, self._cell(row, "tags").split(",")))),
            )
        )

    def _check_title(self, product: _Product, row: Row) -> None:
        title = clean_text(self._cell(row, "title"))
        if title and name_key(title) != name_key(product.draft.name):
            raise RowRefused(
                "handle_repeats",
                _(
                    "The Handle is already used by “%(name)s”, so “%(title)s” needs another.",
                    name=product.draft.name,
                    title=title,
                ),
                column=self._column("handle"),
                value=self._cell(row, "handle"),
            )

    def _name_options(self, product: _Product, row: Row) -> None:
        """Option names stand on the first row only, or on every row, depending on the export."""
        for number in _OPTION_NUMBERS:
            name = clean_text(self._cell(row, f"option{number} name"))
            value = clean_text(self._cell(row, f"option{number} value"))
            if name and not (name.casefold() == "title" and value.casefold() == "default title"):
                product.option_names.setdefault(number, name)
        product.draft.options = tuple(dict.fromkeys(product.option_names.values()))

    def _describes_variant(self, row: Row) -> bool:
        told = ["variant price", "variant sku", "variant barcode"]
        told += [f"option{number} value" for number in _OPTION_NUMBERS]
        return any(self._cell(row, name).strip() for name in told)

    def _read_variant(self, product: _Product, row: Row) -> VariantDraft:
        options = {}
        for number, name in product.option_names.items():
            value = clean_text(self._cell(row, f"option{number} value"))
            if not value:
                raise RowRefused(
                    "option_missing",
                    _("The variant has no %(option)s.", option=name),
                    column=self._column(f"option{number} value"),
                )
            options[name] = value
        price = read_price(self._cell(row, "variant price"), column=self._column("variant price"))
        stock_column = self._column("stock")
        return VariantDraft(
            sku=clean_sku(self._cell(row, "variant sku"), column=self._column("variant sku")),
            options=options,
            price_cents=price,
            compare_at_cents=self._optional_price(row, "compare at"),
            cost_cents=self._optional_price(row, "cost"),
            stock=read_stock(self._cell(row, "stock"), column=stock_column),
            weight_grams=read_grams(self._cell(row, "variant grams"), unit="g"),
            barcode=clean_text(self._cell(row, "variant barcode").lstrip("'")) or None,
            row=row.number,
        )

    def _optional_price(self, row: Row, name: str) -> int | None:
        text = self._cell(row, name)
        if not text.strip(" 0."):
            return None
        return self.collector.optional_price(text, row.number, column=self._column(name))

    def _status(self, row: Row) -> DraftStatus:
        status = self._cell(row, "status").strip().lower()
        if status in {"draft", "archived"}:
            return DraftStatus(status)
        hidden = self._cell(row, "published").strip().lower() in {"false", "no", "0"}
        return DraftStatus.DRAFT if hidden else DraftStatus.ACTIVE

    def _refuse_pictures_of_nothing(self) -> None:
        """A product none of whose variants came in takes its picture rows with it."""
        for product in self.products.values():
            if not product.draft.variants:
                for number in product.draft.rows:
                    self.collector.refuse(
                        number,
                        RowRefused(
                            "product_refused",
                            _(
                                "No variant of “%(name)s” could be read, so it did not come in.",
                                name=product.draft.name,
                            ),
                        ),
                    )

    def _cell(self, row: Row, name: str) -> str:
        return row.cells.get(self._column(name), "")

    def _column(self, name: str) -> str:
        spellings = _SPELLINGS.get(name, (name,))
        return next((self.columns[s] for s in spellings if s in self.columns), "")
