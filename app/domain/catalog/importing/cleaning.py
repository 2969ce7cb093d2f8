"""Turning what a cell says into a value, or into a reason it cannot be used.

Every function takes the cell's text. A cell that cannot be used raises RowRefused,
which costs that row and no other.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

import nh3

from app.domain.catalog.importing.drafts import VariantDraft
from app.i18n import gettext as _
from app.money import format_kes, parse_kes

NAME_LIMIT: Final = 200
NAME_REFUSED_ABOVE: Final = 1_000
SKU_LIMIT: Final = 80
URL_LIMIT: Final = 2_000
IMAGES_LIMIT: Final = 20
# KES 100,000,000: nothing a shop sells by phone costs more, and a slipped finger often does.
PRICE_LIMIT_CENTS: Final = 100_000_000_00
STOCK_LIMIT: Final = 1_000_000
GRAMS_LIMIT: Final = 2_000_000

# What a product description may hold: words, their emphasis, lists, tables. No links
# (other shops' exports are full of their own), no pictures (they would be fetched from a
# stranger's server), no attributes at all, so no style, class, handler or address survives.
DESCRIPTION_TAGS: Final = frozenset(
    {"p", "br", "ul", "ol", "li", "strong", "b", "em", "i", "u", "h2", "h3", "h4", "blockquote"}
    | {"table", "thead", "tbody", "tr", "th", "td", "sub", "sup", "hr"}
)
# Their text goes with them; for other tags the text inside stays.
DROPPED_WITH_CONTENT: Final = frozenset({"script", "style", "iframe", "object", "noscript"})

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u2029\ufeff]")
_RANGE = re.compile(r"^(?P<low>.*?\d.*?)\s*(?:[-–—~]|\bto\b)\s*(?P<high>\D*\d.*)$", re.I | re.S)
_NO_NAME = frozenset({"n/a", "na", "none", "null", "nil", "-", "--", "#n/a", "#name?", "#ref!"})
_NUMBER = re.compile(r"^(\d{1,3}(?:,\d{3})+|\d+)(?:\.0*)?(?:\s*(?:pcs?|pieces?|units?|items?))?$")
_SOLD_OUT = frozenset({"out of stock", "sold out", "no", "none", "nil"})
_UNCOUNTED = frozenset({"", "in stock", "available", "yes", "n/a", "-", "unlimited"})
_GRAMS_PER = {
    "g": Decimal(1),
    "kg": Decimal(1000),
    "lb": Decimal("453.59237"),
    "lbs": Decimal("453.59237"),
    "oz": Decimal("28.349523125"),
}


class RowRefused(Exception):
    """This row cannot come in. ``str(error)`` is the sentence for the person."""

    def __init__(self, reason_code: str, sentence: str, *, column: str = "", value: str = ""):
        self.reason_code = reason_code
        self.column = column
        self.value = value
        super().__init__(sentence)


def clean_text(text: str) -> str:
    """One line of plain text: entities decoded, control characters gone, spaces single."""
    decoded = html.unescape(text) if "&" in text else text
    decoded = unicodedata.normalize("NFC", decoded)
    return " ".join(_CONTROL.sub(" ", decoded).split())


def clean_name(text: str, *, column: str) -> str:
    """The product's whole name. Raises RowRefused when there is none, or it is a whole text.

    It may be longer than ``NAME_LIMIT``: it is cut by ``fitting_name`` when it has been
    compared, so that two long names that begin alike stay two products.
    """
    name = clean_text(text)
    if not name or name.casefold() in _NO_NAME:
        raise RowRefused(
            "name_missing", _("There is no product name in this row."), column=column, value=text
        )
    if len(name) > NAME_REFUSED_ABOVE:
        raise RowRefused(
            "name_too_long",
            _(
                "The name has %(length)s letters; at most %(limit)s fit.",
                length=len(name),
                limit=NAME_LIMIT,
            ),
            column=column,
            value=text,
        )
    return name


def fitting_name(name: str) -> str:
    """The name cut between two words to what a product may be called."""
    if len(name) <= NAME_LIMIT:
        return name
    return (name[:NAME_LIMIT].rsplit(" ", 1)[0] if " " in name[:NAME_LIMIT] else name)[:NAME_LIMIT]


def clean_sku(text: str, *, column: str) -> str:
    """The SKU as written, or "" when there is none. Raises RowRefused when it is too long."""
    sku = clean_text(text)
    if sku.casefold() in _NO_NAME:
        return ""
    if len(sku) > SKU_LIMIT:
        raise RowRefused(
            "sku_too_long",
            _(
                "The SKU has %(length)s letters; at most %(limit)s fit.",
                length=len(sku),
                limit=SKU_LIMIT,
            ),
            column=column,
            value=text,
        )
    return sku


def name_key(name: str) -> str:
    """The same for two spellings of a name that differ in case, spacing or accent form."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def slugify(text: str) -> str:
    """Lower-case ASCII words joined by hyphens, at most 80 letters; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")
    return slug[:80].rstrip("-")


def slug_for(name: str, source_key: str) -> str:
    """A slug from the name; from the key's digest for a name with no Latin letters."""
    return slugify(name) or f"product-{digest(source_key)}"


def generated_sku(name: str, options: dict[str, str], source_key: str, taken: set[str]) -> str:
    """A SKU made from the words, the same on every import, and put in ``taken``.

    When the plain form is taken or was cut, a short digest of the product's key and the
    options follows it, so the result does not depend on the order of the rows.
    """
    whole = slugify(" ".join([name, *options.values()])).upper()
    base = whole[:40].rstrip("-")
    sku = base
    if not base or base != whole or sku_key(sku) in taken:
        facts = "|".join([source_key, *(f"{key}={value}" for key, value in options.items())])
        sku = f"{base}-{digest(facts).upper()}".lstrip("-")
    taken.add(sku_key(sku))
    return sku


def sku_key(sku: str) -> str:
    """Two SKUs with the same key are one SKU to a person reading a label."""
    return sku.casefold()


def clean_description(text: str) -> str:
    """Safe HTML for a description given as HTML or as plain text with line breaks."""
    text = _CONTROL.sub("", text).strip()
    if not text:
        return ""
    if not _TAG.search(text):
        return _paragraphs(html.unescape(text))
    return clean_html(text).strip()


def clean_html(text: str) -> str:
    """HTML with only what a description may hold; cleaning it again changes nothing."""
    return nh3.clean(
        text,
        tags=set(DESCRIPTION_TAGS),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes={},
        link_rel=None,
    )


def read_price(text: str, *, column: str) -> int:
    """The amount in cents. Raises RowRefused for nothing, a range, words, zero, or too much."""
    text = clean_text(text)
    if not text:
        raise RowRefused("price_missing", _("There is no price in this row."), column=column)
    try:
        cents = parse_kes(text)
    except ValueError as error:
        raise _unreadable_price(text, column) from error
    if cents < 50:  # less than half a shilling rounds to nothing
        raise RowRefused(
            "price_zero",
            _("The price is zero; write what a shopper pays."),
            column=column,
            value=text,
        )
    if cents > PRICE_LIMIT_CENTS:
        raise RowRefused(
            "price_too_large",
            _(
                "The price is above %(limit)s; check the zeros.",
                limit=format_kes(PRICE_LIMIT_CENTS),
            ),
            column=column,
            value=text,
        )
    return cents


def read_stock(text: str, *, column: str) -> int | None:
    """Units we may sell; None when the file does not count them. Below zero is zero.

    Raises RowRefused for anything that is not a whole number or plain words for yes and no.
    """
    text = clean_text(text).casefold()
    if text in _UNCOUNTED:
        return None
    if text in _SOLD_OUT:
        return 0
    if match := _NUMBER.match(text.removeprefix("-")):
        units = int(match[1].replace(",", ""))
        if text.startswith("-"):
            return 0
        if units <= STOCK_LIMIT:
            return units
    raise RowRefused(
        "stock_unreadable",
        _("The stock “%(value)s” is not a whole number.", value=shorten(text)),
        column=column,
        value=text,
    )


def read_grams(text: str, *, unit: str) -> int | None:
    """Weight in whole grams, or None when it is missing, zero or not a number.

    A weight only helps a courier's quote, so a bad one is left out and the row stays.
    """
    try:
        grams = Decimal(clean_text(text)) * _GRAMS_PER[unit]
        whole = int(grams.to_integral_value())
    except (InvalidOperation, KeyError, ValueError, OverflowError):
        return None
    return whole if 0 < whole <= GRAMS_LIMIT else None


def image_urls(text: str) -> list[str]:
    """The web addresses in a cell, in order, each once. Text only: nothing is fetched."""
    found: dict[str, None] = {}
    for piece in re.split(r"[\s,|\"\[\]]+(?=https?://)|[\s|\"\[\]]+", text):
        url = piece.strip().rstrip(",")
        if re.match(r"https?://[^\s<>\"']+$", url, re.I) and len(url) <= URL_LIMIT:
            found[url] = None
    return list(found)[:IMAGES_LIMIT]


def shorten(text: str, limit: int = 80) -> str:
    """The beginning of a value, short enough to quote back in a sentence."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def same_options(one: VariantDraft, other: VariantDraft) -> bool:
    """Whether a shopper could not tell the two variants apart."""
    return {k: name_key(v) for k, v in one.options.items()} == {
        k: name_key(v) for k, v in other.options.items()
    }


def _unreadable_price(text: str, column: str) -> RowRefused:
    if match := _RANGE.match(text):
        try:
            low, high = parse_kes(match["low"].strip()), parse_kes(match["high"].strip())
        except ValueError:
            pass  # Not two prices after all: answered below as any other unreadable text.
        else:
            return RowRefused(
                "price_range",
                _(
                    "The price is a range, from %(low)s to %(high)s. Write one price, or one "
                    "row for each size or colour with its own price.",
                    low=format_kes(low),
                    high=format_kes(high),
                ),
                column=column,
                value=text,
            )
    return RowRefused(
        "price_unreadable",
        _(
            "The price “%(value)s” is not an amount; write it like 1250 or KES 1,250.",
            value=shorten(text),
        ),
        column=column,
        value=text,
    )


def _paragraphs(text: str) -> str:
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(
        f"<p>{'<br>'.join(html.escape(line.strip(), quote=False) for line in lines)}</p>"
        for block in blocks
        if (lines := [line for line in block.split("\n") if line.strip()])
    )


def digest(text: str) -> str:
    """Six letters that stand for a longer text, the same every time."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]
