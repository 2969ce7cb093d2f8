"""What a catalogue file says, before anything touches the database.

Every reader (Shopify, WooCommerce, free-form sheet) turns rows into these plain
objects. A row number is the number a spreadsheet program shows beside the row: the
header is usually row 1, blank rows count, and a cell with line breaks inside is still
one row. (A text editor counts lines and may show a larger number.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FileFormat(StrEnum):
    """How the columns of the file were understood."""

    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    # Our own export, which says everything about a product, also what is empty.
    DUKANI = "dukani"
    SHEET = "sheet"


class DraftStatus(StrEnum):
    """Whether shoppers may see the product once it is in the store."""

    ACTIVE = "active"
    DRAFT = "draft"
    ARCHIVED = "archived"


@dataclass(kw_only=True, slots=True)
class VariantDraft:
    """One thing to sell. Money is cents of a shilling; ``stock`` None means not counted.

    ``compare_at_cents`` is only kept when it is above the price.
    """

    sku: str
    price_cents: int
    row: int
    options: dict[str, str] = field(default_factory=dict)
    compare_at_cents: int | None = None
    cost_cents: int | None = None
    stock: int | None = None
    weight_grams: int | None = None
    barcode: str | None = None
    # True when the file had no SKU and one was made from the name and the options.
    sku_is_generated: bool = False
    # What only our own export tells: columns of the variant (see ``own_columns``), and the
    # serial numbers in stock of goods that have them.
    own: dict[str, Any] = field(default_factory=dict)
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seo:
    """Title and description for search engines, as the file gave them."""

    title: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureDraft:
    """A picture the file names: an address, or a file in the same ZIP."""

    source: str
    option_value: str | None = None
    alt: str = ""


@dataclass(kw_only=True, slots=True)
class ProductDraft:
    """One product with its variants; ``source_key`` names it again on the next import."""

    source_key: str
    name: str
    slug_hint: str
    description_html: str = ""
    brand: str = ""
    category: str = ""
    category_slug: str = ""
    status: DraftStatus = DraftStatus.ACTIVE
    seo: Seo = field(default_factory=Seo)
    tags: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    variants: list[VariantDraft] = field(default_factory=list)
    # Addresses as text. Nothing in this package opens them.
    images: list[str] = field(default_factory=list)
    pictures: list[PictureDraft] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    # What only our own export tells, by column of the product; all of it counts, also what is
    # empty, and the slug is then the product's own and not a hint.
    own: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedRow:
    """One row that did not come in, and why, in words for the person who sent it."""

    row: int
    reason_code: str
    sentence: str
    column: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something the person should know although the row came in. No row: the whole file."""

    sentence: str
    row: int | None = None


@dataclass(kw_only=True, slots=True)
class Report:
    """What happened to every row.

    ``rows_read`` counts rows with anything in them below the header. Each is in exactly
    one place: the ``rows`` of a product, ``refused``, or ``repeated``.
    """

    format: FileFormat
    rows_read: int = 0
    products: int = 0
    variants: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    # Rows that say again, word for word, what an earlier row said.
    repeated: list[int] = field(default_factory=list)
    headers: tuple[str, ...] = ()
    # For a sheet: which column was read as what (field → column).
    mapping: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueFile:
    """The products of one file and the report on its rows."""

    drafts: list[ProductDraft]
    report: Report
    # From our own full export: every category, and what is known of each picture by its key.
    categories: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, dict[str, Any]] = field(default_factory=dict)
