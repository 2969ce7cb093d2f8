"""The columns of our own sheet of products: written by the export, read by the import.

One row per variant; the product's own cells are the same on each of its rows. Everything is told,
so an empty cell means that there is nothing. The words are fixed and not translated: a file must
come back in whatever language it left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.catalog.importing.cleaning import RowRefused
from app.i18n import gettext as _
from app.money import parse_kes

MARK_COLUMN: Final = "Dukani product"
OPTION_COLUMNS: Final = 5
# Excel holds 32,767 letters in a cell; longer texts go on in the next column.
TEXT_LIMIT: Final = 32_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: its name, the attribute it holds, and how a value becomes text and back."""

    title: str
    name: str
    kind: str = "text"


PRODUCT_COLUMNS: Final = (
    Column(title="VAT class", name="vat_class"),
    Column(title="Warranty, months", name="warranty_months", kind="number"),
    Column(title="Featured", name="is_featured", kind="yes"),
    Column(title="Serial numbers", name="tracks_serials", kind="yes"),
    Column(title="Facts", name="facts", kind="json"),
    Column(title="Attributes", name="attributes", kind="json"),
    Column(title="Search title", name="seo_title"),
    Column(title="Search text", name="seo_description"),
    Column(title="Known from", name="source_key", kind="text?"),
)
VARIANT_COLUMNS: Final = (
    Column(title="Bulky", name="is_bulky", kind="yes"),
    Column(title="Offered", name="is_active", kind="yes"),
    Column(title="Low at", name="low_mark", kind="number"),
)


def to_text(column: Column, value: Any) -> str | int:
    """A value as the sheet shows it; numbers stay numbers for a spreadsheet."""
    if column.kind == "yes":
        return "yes" if value else "no"
    if column.kind == "number":
        return int(value)
    if column.kind == "json":
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


def from_text(column: Column, text: str) -> Any:
    """The value a cell means. Raises RowRefused, naming the column."""
    try:
        return _READ[column.kind](text)
    except (ValueError, TypeError) as error:
        raise RowRefused(
            "cell_unreadable",
            _(
                "“%(value)s” cannot stand in the column “%(name)s”.",
                value=text[:40],
                name=column.title,
            ),
            column=column.title,
            value=text,
        ) from error


def _whole(text: str) -> int:
    if not text.strip():
        return 0
    number = int(text.strip().replace(",", "")) if text.strip().isascii() else -1
    if not 0 <= number <= 30_000:
        raise ValueError(text)
    return number


def _yes(text: str) -> bool:
    words = {
        "yes": True,
        "true": True,
        "1": True,
        "no": False,
        "false": False,
        "0": False,
        "": False,
    }
    if text.strip().casefold() not in words:
        raise ValueError(text)
    return words[text.strip().casefold()]


def _json(text: str) -> Any:
    if not text.strip():
        return None
    value = json.loads(text)
    if not isinstance(value, (list, dict)):
        raise ValueError(text)
    return value


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "text": lambda text: text,
    "text?": lambda text: text or None,
    "number": _whole,
    "yes": _yes,
    "json": _json,
}


def amount(cents: int | None) -> str:
    """Cents as plain shillings: ``1250`` or ``99.50``; empty for none."""
    if cents is None:
        return ""
    shillings, rest = divmod(cents, 100)
    return f"{shillings}.{rest:02d}" if rest else str(shillings)


def cents_of(text: str, *, column: str) -> int | None:
    """An optional amount in cents, to the cent. Raises RowRefused."""
    if not text.strip():
        return None
    try:
        return parse_kes(text)
    except ValueError as error:
        raise RowRefused(
            "price_unreadable",
            _(
                "The price “%(value)s” is not an amount; write it like 1250 or KES 1,250.",
                value=text[:80],
            ),
            column=column,
            value=text,
        ) from error
