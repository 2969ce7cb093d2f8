"""The shapes of demo data, and the builder that turns one entry into a product with variants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from itertools import product as every
from typing import Literal
from zlib import crc32

from local.demo.chance import chance

ColourSet = tuple[str, str, str]
"""Main, accent and second colour of a drawing, as #rrggbb."""


@dataclass(frozen=True, kw_only=True)
class PictureSpec:
    """What `pictures.draw` needs for one picture of a product."""

    kind: str
    view: int
    colours: ColourSet
    seed: int
    details: Mapping[str, str]
    colour_name: str
    """The value of the option Colour it shows, or empty when the product has one look."""
    alt: str


@dataclass(frozen=True, kw_only=True)
class DemoVariant:
    sku: str
    options: Mapping[str, str]
    """Option name to value; empty for a product without options."""
    price_cents: int
    compare_at_cents: int | None
    cost_cents: int
    stock: int
    weight_grams: int


@dataclass(frozen=True, kw_only=True)
class DemoProduct:
    slug: str
    name: str
    category: str
    brand: str
    description: str
    facts: Mapping[str, str]
    options: Mapping[str, tuple[str, ...]]
    variants: tuple[DemoVariant, ...]
    pictures: tuple[PictureSpec, ...]

    @property
    def price_cents(self) -> int:
        """The lowest price, which is what a list shows."""
        return min(variant.price_cents for variant in self.variants)

    @property
    def stock(self) -> int:
        return sum(variant.stock for variant in self.variants)


@dataclass(frozen=True, kw_only=True)
class DemoCategory:
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One weekday's hours, Nairobi time; 0 is Monday."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True, kw_only=True)
class PaymentAccount:
    """Where the store's money goes. A till is reached through its store number."""

    kind: Literal["till", "paybill"]
    number: str
    store_number: str | None = None


@dataclass(frozen=True, kw_only=True)
class AreaTerms:
    """A delivered area; `fee_cents` is None where the usual fee of its distance band holds."""

    area: str
    fee_cents: int | None = None


@dataclass(frozen=True, kw_only=True)
class DemoStore:
    slug: str
    name: str
    till_name: str
    """As the phone's payment prompt shows it."""
    kind: str
    tagline: str
    place: str
    phone: str
    whatsapp: str
    email: str
    opening: tuple[Opening, ...]
    colour: str
    hue: int
    return_days: int
    warranty: str
    account: PaymentAccount
    pay_on_delivery: bool
    pickup: str
    free_over_cents: int | None
    same_day_until: time
    order_prefix: str
    areas: tuple[AreaTerms, ...]
    categories: tuple[DemoCategory, ...]
    products: tuple[DemoProduct, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A product as it is written down: prices in whole shillings, stock by option value.

    `options` gives each value's extra price. `gone` and `few` name values or "a/b" pairs that are
    sold out or down to the last three.
    """

    name: str
    category: str
    brand: str
    kes: int
    cost: int
    kind: str
    colours: Mapping[str, ColourSet]
    about: str
    facts: Mapping[str, str]
    grams: int
    was: int | None = None
    options: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    few: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    slug: str = ""


def build(entries: tuple[Entry, ...], *, sku_prefix: str) -> tuple[DemoProduct, ...]:
    return tuple(
        _product(entry, f"{sku_prefix}-{number:03d}")
        for number, entry in enumerate(entries, start=101)
    )


def slug_of(name: str) -> str:
    """ "Kids' watch, bear" becomes "kids-watch-bear"."""
    kept = "".join(letter if letter.isalnum() else " " for letter in name.lower().replace("'", ""))
    return "-".join(kept.split())


def _product(entry: Entry, sku: str) -> DemoProduct:
    options = _options(entry)
    return DemoProduct(
        slug=entry.slug or slug_of(entry.name),
        name=entry.name,
        category=entry.category,
        brand=entry.brand,
        description=entry.about,
        facts=entry.facts,
        options={name: tuple(values) for name, values in options.items()},
        variants=tuple(
            _variant(entry, sku, dict(zip(options, values, strict=True)), options)
            for values in every(*options.values())
        ),
        pictures=_pictures(entry),
    )


def _options(entry: Entry) -> dict[str, dict[str, int]]:
    """A single colour is a look, not a choice."""
    colours = dict.fromkeys(entry.colours, 0) if len(entry.colours) > 1 else {}
    options = {"Colour": colours} if colours else {}
    return options | {name: dict(values) for name, values in entry.options.items()}


def _variant(
    entry: Entry, sku: str, chosen: dict[str, str], options: Mapping[str, Mapping[str, int]]
) -> DemoVariant:
    extra = sum(options[name][value] for name, value in chosen.items())
    tail = "".join(f"-{_short(value)}" for value in chosen.values())
    return DemoVariant(
        sku=sku + tail,
        options=chosen,
        price_cents=(entry.kes + extra) * 100,
        compare_at_cents=(entry.was + extra) * 100 if entry.was else None,
        cost_cents=(entry.cost + round(extra * 0.6)) * 100,
        stock=_stock(entry, tuple(chosen.values())),
        weight_grams=entry.grams,
    )


def _stock(entry: Entry, values: tuple[str, ...]) -> int:
    names = {*values, "/".join(values), "all"}
    luck = chance(entry.name, *values)
    if names & set(entry.gone):
        return 0
    if names & set(entry.few):
        return luck.randint(1, 3)
    return luck.randint(5, 14) if values else luck.randint(8, 32)


def _short(value: str) -> str:
    kept = "".join(letter for letter in value.upper() if letter.isalnum())
    return kept if len(kept) <= 3 or any(letter.isdigit() for letter in kept) else kept[:4]


def _pictures(entry: Entry) -> tuple[PictureSpec, ...]:
    """Every colour from the front, and the first one in the second view too."""
    shots = [(name, 1) for name in entry.colours]
    shots.insert(1, (shots[0][0], 2))
    several = len(entry.colours) > 1
    return tuple(
        PictureSpec(
            kind=entry.kind,
            view=view,
            colours=entry.colours[name],
            seed=crc32(entry.name.encode()) % 10_000,
            details=entry.details,
            colour_name=name if several else "",
            alt=f"{entry.name}, {name.lower()}" if several else entry.name,
        )
        for name, view in shots
    )
