"""The form of a product, between what a person typed and what the domain saves.

Whatever was typed goes back into the form when something is wrong with it. The table of ways to
buy follows the options: when these change, existing ways keep their row, and with it their stock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.domain.catalog.kinds import Attribute
from app.domain.catalog.matrix import (
    MAX_OPTIONS,
    MAX_VALUES,
    MAX_VARIANTS,
    carried_over,
    combinations,
    split_values,
    values_in_use,
)
from app.domain.catalog.models import LOW_STOCK, Product, Variant
from app.domain.catalog.saving import FieldProblems, ProductFacts, VariantFacts
from app.i18n import gettext as _
from app.money import InvalidAmount, parse_kes

TEXTS = {
    "name": 200,
    "description": 20_000,
    "brand": 80,
    "category": 40,
    "new_category": 60,
    "status": 10,
    "vat_class": 10,
    "seo_title": 100,
    "seo_description": 300,
    "warranty_months": 4,
    "slug": 90,
    "tracks_serials": 3,
}
OF_A_WAY = ("price", "compare", "cost", "stock", "sku", "barcode", "weight", "low", "bulky")
COPIED = ("price", "compare", "cost", "weight", "low", "bulky")  # to a way that is new
LONG = 20_000


@dataclass
class Way:
    """One row of the table of ways to buy. ``id`` is empty for one that is new."""

    id: str
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        return ", ".join(self.values)


@dataclass
class ProductForm:
    """What stands in the form: field → text, the options, the ways, and what is wrong."""

    values: dict[str, str] = field(default_factory=dict)
    options: list[tuple[str, str]] = field(default_factory=list)
    names: tuple[str, ...] = ()
    ways: list[Way] = field(default_factory=lambda: [Way("", ())])
    attributes: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    has_new_ways: bool = False

    def of(self, name: str) -> str:
        """What stands in a field."""
        return self.values.get(name, "")

    @property
    def names_json(self) -> str:
        return json.dumps(list(self.names))

    @property
    def option_rows(self) -> list[tuple[str, str]]:
        """Three rows to fill in, those in use first."""
        return [*self.options, *[("", "")] * (MAX_OPTIONS - len(self.options))]


def blank_form() -> ProductForm:
    """What a new product's form shows first."""
    return ProductForm(
        values={"status": "active", "vat_class": "standard", "v0-low": str(LOW_STOCK)}
    )


def form_of(product: Product) -> ProductForm:
    """What the form of a saved product shows."""
    offered = [variant for variant in product.variants if variant.is_active]
    rows = [tuple(variant.option_values) for variant in offered]
    values = {
        "name": product.name,
        "description": product.description_html,
        "brand": product.brand,
        "category": str(product.category_id or ""),
        "status": product.status,
        "vat_class": product.vat_class,
        "seo_title": product.seo_title,
        "seo_description": product.seo_description,
        "warranty_months": str(product.warranty_months or ""),
        "slug": product.slug,
        "tracks_serials": "yes" if product.tracks_serials else "",
    }
    for n, variant in enumerate(offered):
        values |= {f"v{n}-{name}": text for name, text in _way_values(variant).items()}
    return ProductForm(
        values=values,
        options=[
            (name, ", ".join(values_in_use(rows, at))) for at, name in enumerate(product.options)
        ],
        names=tuple(product.options),
        ways=[Way(str(variant.id), row) for variant, row in zip(offered, rows, strict=True)],
        attributes={key: str(value) for key, value in product.attributes.items()},
    )


def read_form(sent: Mapping[str, str]) -> ProductForm:
    """What was typed. The ways are made anew where the options changed."""
    form = ProductForm(values={name: _clean(sent, name, most) for name, most in TEXTS.items()})
    form.attributes = {
        name[2:]: _clean(sent, name, 80)
        for name in sent
        if name.startswith("a-") and len(name) < 60
    }
    form.names = tuple(_texts(sent.get("names", "[]")))[:MAX_OPTIONS]
    form.ways = []
    for n in range(MAX_VARIANTS):
        if f"v{n}-price" not in sent:
            break
        form.ways.append(Way(sent.get(f"v{n}-id", "")[:36], _texts(sent.get(f"v{n}-values", "[]"))))
        form.values |= {f"v{n}-{name}": _clean(sent, f"v{n}-{name}", 80) for name in OF_A_WAY}
    form.ways = form.ways or [Way("", ())]
    _read_options(form, sent)
    return form


def facts_of(form: ProductForm, *, category_id: UUID | None) -> ProductFacts:
    """What the domain saves. Raises FieldProblems for what cannot be read."""
    wrong = dict(form.problems)
    ways = tuple(_way_facts(form, n, way, wrong) for n, way in enumerate(form.ways))
    months = _number(form.of("warranty_months"), "warranty_months", wrong)
    if wrong:
        raise FieldProblems(wrong)
    return ProductFacts(
        name=form.of("name"),
        description_html=form.of("description"),
        brand=form.of("brand"),
        category_id=category_id,
        status=form.of("status"),
        vat_class=form.of("vat_class"),
        seo_title=form.of("seo_title"),
        seo_description=form.of("seo_description"),
        warranty_months=months,
        slug=form.of("slug"),
        tracks_serials=form.of("tracks_serials") == "yes",
        options=form.names,
        attributes=form.attributes,
        variants=ways,
    )


def asked_of(attributes: Iterable[Attribute], names: Iterable[str]) -> list[Attribute]:
    """The category's questions that no option of the product answers already."""
    answered = {name.lower() for name in names}
    return [each for each in attributes if each.name.lower() not in answered]


def _read_options(form: ProductForm, sent: Mapping[str, str]) -> None:
    for at in range(MAX_OPTIONS):
        name = _clean(sent, f"o{at}-name", 40)
        text = _clean(sent, f"o{at}-values", 2_000)
        if name or text:
            form.options.append((name, text))
    names = tuple(name for name, _text in form.options)
    values = [split_values(text) for _name, text in form.options]
    if not all(names) or not all(values) or any(len(each) > MAX_VALUES for each in values):
        form.problems["options"] = _("Each option needs a name and its values, like Size: S, M, L.")
        return
    count = 1
    for each in values:
        count *= len(each)
    if count > MAX_VARIANTS:
        form.problems["options"] = _(
            "That makes more than 100 combinations. Make two products of it."
        )
        return
    ways = combinations(values)
    if names == form.names and [way.values for way in form.ways] == ways:
        return
    _make_anew(form, names, values, ways)


def _make_anew(
    form: ProductForm,
    names: tuple[str, ...],
    values: list[list[str]],
    ways: list[tuple[str, ...]],
) -> None:
    """The ways of the new options, each with the row it had; a new one costs what the first does."""
    carried = carried_over([way.values for way in form.ways], form.names, names, values)
    before, old = form.ways, dict(form.values)
    form.values = {name: text for name, text in old.items() if not _is_of_a_way(name)}
    form.names, form.ways = names, []
    for n, way in enumerate(ways):
        row = carried.get(way)
        form.ways.append(Way(before[row].id if row is not None else "", way))
        form.has_new_ways |= row is None
        for name in OF_A_WAY if row is not None else COPIED:
            form.values[f"v{n}-{name}"] = old.get(f"v{row or 0}-{name}", "")


def _is_of_a_way(name: str) -> bool:
    head, dash, tail = name.partition("-")
    return bool(dash) and head[:1] == "v" and head[1:].isdigit() and tail in OF_A_WAY


def _way_values(variant: Variant) -> dict[str, str]:
    return {
        "price": _kes(variant.price_cents),
        "compare": _kes(variant.compare_at_cents),
        "cost": _kes(variant.cost_cents),
        "sku": variant.sku,
        "barcode": variant.barcode or "",
        "weight": str(variant.weight_grams or ""),
        "low": str(variant.low_mark),
        "bulky": "yes" if variant.is_bulky else "",
    }


def _way_facts(form: ProductForm, n: int, way: Way, wrong: dict[str, str]) -> VariantFacts:
    def of(name: str) -> str:
        return form.of(f"v{n}-{name}")

    return VariantFacts(
        id=_uuid(way.id),
        options=way.values,
        sku=of("sku"),
        price_cents=_cents(of("price"), f"v{n}-price", wrong) or 0,
        compare_at_cents=_cents(of("compare"), f"v{n}-compare", wrong, may_be_empty=True),
        cost_cents=_cents(of("cost"), f"v{n}-cost", wrong, may_be_empty=True),
        weight_grams=_number(of("weight"), f"v{n}-weight", wrong),
        is_bulky=of("bulky") == "yes",
        barcode=of("barcode") or None,
        low_mark=_number(of("low"), f"v{n}-low", wrong),
        stock=_number(of("stock"), f"v{n}-stock", wrong),
    )


def _cents(
    text: str, name: str, wrong: dict[str, str], *, may_be_empty: bool = False
) -> int | None:
    if may_be_empty and not text:
        return None
    try:
        return parse_kes(text)
    except InvalidAmount as error:
        wrong[name] = str(error)
        return 0


def _number(text: str, name: str, wrong: dict[str, str]) -> int:
    if not text:
        return 0
    digits = text.replace(",", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 7):
        wrong[name] = _("Write a whole number, like 12.")
        return 0
    return int(digits)


def _kes(cents: int | None) -> str:
    if cents is None:
        return ""
    return f"{cents // 100:,}" if cents % 100 == 0 else f"{cents / 100:,.2f}"


def _clean(sent: Mapping[str, str], name: str, most: int) -> str:
    text = "".join(c for c in sent.get(name, "")[:LONG] if c.isprintable() or c == "\n")
    return text.strip()[:most]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _texts(text: str) -> tuple[str, ...]:
    """A JSON list of texts from a hidden field of ours; empty for anything else."""
    try:
        found: Any = json.loads(text[:4_000])
    except ValueError:
        return ()
    return tuple(str(each)[:60] for each in found) if isinstance(found, list) else ()
