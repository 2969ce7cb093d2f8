"""Money is an integer number of cents, and its name says so.

Inside the app every amount is in **cents of a Kenyan shilling** and every name that
holds one ends in ``_cents``. Other units exist only at the edges, and they are all
here: words for people, whole shillings for M-Pesa, and what people type.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from app.i18n import gettext_lazy as _

CENTS_PER_SHILLING = 100
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
MAX_TYPED_CENTS = 1_000_000_000_00
"""Nothing a shop sells costs more than a thousand million; more is a slip of the finger."""

_SPACES = re.compile(r"\s+")
_MINUS = ("-", "\N{MINUS SIGN}")
_CURRENCY_BEFORE = re.compile(r"(?:kes|kshs?|shs?)[.:]? ?(?=[-\u2212.0-9])", re.I)
_CURRENCY_AFTER = re.compile(r" ?(?:/[-=]?|kes|kshs?|shs?|bob)\.?$", re.I)
_NUMBER = re.compile(
    r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]+)(?:\.([0-9]{1,2}))?"
)
_RANGE = re.compile(r"[0-9].*(?:[-\u2010-\u2015~]|\bto\b).*[0-9]", re.I)

_SENTENCES = {
    "empty": _("Write an amount, like 1,200 or 1,200.50."),
    "negative": _("An amount cannot be less than zero. Write it like 1,200."),
    "range": _("Write one amount, not a range: 1,200 and not 1,000 - 1,200."),
    "too_large": _("That amount is too large. Write it in shillings, like 1,200."),
    "not_a_number": _("We could not read that amount. Write it like 1,200 or 1,200.50."),
}


class InvalidAmount(ValueError):
    """The text is not one amount of money. ``str(error)`` is safe to show.

    ``reason`` is one of empty, negative, range, too_large, not_a_number.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(_SENTENCES[reason])


class Rounded(NamedTuple):
    """A payable amount, and what was added to reach it: ``amount + rounding == payable``."""

    payable_cents: int
    rounding_cents: int


def format_kes(amount_cents: int) -> str:
    """Text for people: ``KES 1,250`` or, when there are cents, ``KES 1,250.50``.

    The space is a no-break one, so a price never splits over two lines.
    """
    shillings, cents = divmod(abs(amount_cents), CENTS_PER_SHILLING)
    sign = "-" if amount_cents < 0 else ""
    number = f"{shillings:,}" + (f".{cents:02d}" if cents else "")
    return f"{sign}KES{NO_BREAK_SPACE}{number}"


def whole_shillings(amount_cents: int) -> int:
    """The amount for a provider that only takes whole shillings (M-Pesa).

    Raises ValueError rather than rounding: if the amount asked for and the amount
    collected differ, the order can never be reconciled.
    """
    shillings, cents = divmod(amount_cents, CENTS_PER_SHILLING)
    if cents:
        raise ValueError(f"{amount_cents} cents is not a whole number of shillings")
    return shillings


def round_to_shilling(amount_cents: int) -> Rounded:
    """Half-up to the shilling, with the difference in cents for a line of its own.

    The only rounding of an order total; it happens once, when the order is placed.
    Raises ValueError for an amount below zero, which nobody can be asked to pay.
    """
    if amount_cents < 0:
        raise ValueError("a payable amount is not below zero")
    half = CENTS_PER_SHILLING // 2
    payable_cents = (amount_cents + half) // CENTS_PER_SHILLING * CENTS_PER_SHILLING
    return Rounded(payable_cents, payable_cents - amount_cents)


def percent_off(price_cents: int, percent: int) -> int:
    """A price less so many percent, to the whole shilling, half up: as ``app.price_now`` has it."""
    return (price_cents * (100 - percent) + 5000) // 10000 * CENTS_PER_SHILLING


def vat_included_cents(gross_cents: int, rate_percent: int) -> int:
    """The VAT inside a gross price, in cents, half-up; ``rate_percent`` is 16 for 16 %.

    Work it out per line and add the lines up, so the lines always sum to the order.
    Raises ValueError when either number is below zero.
    """
    if gross_cents < 0 or rate_percent < 0:
        raise ValueError("VAT needs a price and a rate that are not below zero")
    divisor = 100 + rate_percent
    return (gross_cents * rate_percent + divisor // 2) // divisor


def parse_kes(text: str) -> int:
    """What a person typed or a sheet holds ("KSh 1,200", "1200.50", "350/-") in cents.

    Raises InvalidAmount for anything that could be read two ways ("1,20", "1.250"),
    for ranges and for numbers below zero.
    """
    amount = _SPACES.sub(" ", text).strip()
    if not amount:
        raise InvalidAmount("empty")
    if len(amount) > 40:
        raise InvalidAmount("not_a_number")
    if _RANGE.search(amount):
        raise InvalidAmount("range")
    if amount.startswith(_MINUS):
        raise InvalidAmount("negative")
    amount = _CURRENCY_BEFORE.sub("", _CURRENCY_AFTER.sub("", amount, count=1), count=1)
    if amount.startswith(_MINUS):
        raise InvalidAmount("negative")
    match = _NUMBER.fullmatch(amount)
    if match is None:
        raise InvalidAmount("not_a_number")
    shillings = int(match[1].replace(",", "").replace(" ", ""))
    amount_cents = shillings * CENTS_PER_SHILLING + int((match[2] or "").ljust(2, "0"))
    if amount_cents > MAX_TYPED_CENTS:
        raise InvalidAmount("too_large")
    return amount_cents
