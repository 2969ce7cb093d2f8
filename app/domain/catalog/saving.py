"""Saving a product from its form: everything about it in one transaction, undone in one.

Stock is not part of it: only a way of buying that is new gets a first number of units here.
A way that is no longer offered is kept, out of sight, with its history and its SKU.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from app.db.tenancy import bound_store
from app.domain.catalog.actions import (
    SLUG,
    free_slug,
    receive_stock,
    safe_html,
    slug_of,
    touch_content,
)
from app.domain.catalog.editing import MAX_PRICE_CENTS, MAX_STOCK
from app.domain.catalog.kinds import attributes_of
from app.domain.catalog.matrix import MAX_OPTIONS, MAX_VARIANTS
from app.domain.catalog.models import LOW_STOCK, Category, OldSlug, Product, Variant
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import DomainError, NotFound
from app.i18n import gettext_lazy as _
from app.ids import new_id as make_id

STATUSES = ("draft", "active", "archived")
VAT_CLASSES = ("standard", "zero", "exempt")
MAX_WARRANTY_MONTHS = 120
MAX_WEIGHT_GRAMS = 1_000_000
MAX_TITLE, MAX_DESCRIPTION = 70, 200

_KEPT = (
    *("name", "slug", "description_html", "brand", "status", "vat_class", "warranty_months"),
    *("seo_title", "seo_description", "tracks_serials"),
)
_KEPT_OF_VARIANT = (
    *("sku", "position", "price_cents", "compare_at_cents", "cost_cents", "weight_grams"),
    *("is_bulky", "barcode", "is_active", "low_mark"),
)


class FieldProblems(DomainError):
    """Some fields cannot be saved as they are: field → sentence. Nothing was saved.

    A variant's field is named ``v<index>-<field>``, such as ``v0-price``.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(_("Some fields need another look. Nothing was saved yet."))


class SavedMeanwhile(DomainError):
    """Somebody else saved the product while this form was open. Nothing was saved."""

    def __init__(self) -> None:
        super().__init__(
            _("Somebody else saved this product meanwhile. Look at what changed, then save again.")
        )


@dataclass(frozen=True, kw_only=True)
class VariantFacts:
    """One way to buy a product, as the form says it. ``stock`` only counts for a new one."""

    options: tuple[str, ...] = ()
    id: UUID | None = None
    sku: str = ""
    price_cents: int
    compare_at_cents: int | None = None
    cost_cents: int | None = None
    weight_grams: int = 0
    is_bulky: bool = False
    barcode: str | None = None
    low_mark: int = LOW_STOCK
    stock: int = 0


@dataclass(frozen=True, kw_only=True)
class ProductFacts:
    """Everything the form says. An empty slug is made from the name, or stays as it was."""

    name: str
    variants: tuple[VariantFacts, ...]
    description_html: str = ""
    brand: str = ""
    category_id: UUID | None = None
    status: str = "draft"
    vat_class: str = "standard"
    seo_title: str = ""
    seo_description: str = ""
    warranty_months: int = 0
    slug: str = ""
    tracks_serials: bool = False
    options: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


def get_product_to_edit(session: Session, product_id: UUID) -> Product:
    """A product with its variants, locked until the transaction ends. Raises NotFound."""
    product = session.scalar(
        select(Product)
        .where(Product.store_id == bound_store(), Product.id == product_id)
        .options(selectinload(Product.variants), selectinload(Product.images))
        .with_for_update(of=Product)
        .execution_options(populate_existing=True)
    )
    if product is None:
        raise NotFound
    return product


def version_of(product: Product) -> str:
    """A short text that differs after every save: what a form hands back to be compared."""
    whole = json.dumps(snapshot(product), sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def save_product(
    session: Session,
    product: Product | None,
    facts: ProductFacts,
    *,
    actor: str,
    seen: str | None = None,
    new_id: UUID | None = None,
) -> tuple[Product, Change | None]:
    """Make a product or bring one in line with the form. Does not commit.

    ``seen`` is the version the form showed; ``new_id`` is the id a new product gets, so that the
    same form sent twice makes one. Returns the product and what can be taken back (None
    for a new product, or when nothing changed). Raises FieldProblems and SavedMeanwhile with
    nothing saved.
    """
    if product is not None and seen is not None and seen != version_of(product):
        raise SavedMeanwhile
    category = _category(session, facts.category_id)
    _refuse(_problems(session, product, facts))
    before = snapshot(product) if product else None
    if product is None:
        product = Product(
            id=new_id or make_id(),
            slug=free_slug(session, facts.slug or slug_of(facts.name)),
            name=facts.name,
            attributes={},
        )
        product.status = "draft" if facts.status == "archived" else facts.status
        session.add(product)
        session.flush()
        _forget_old_slug(session, product.slug)
    else:
        move_slug(session, product, facts.slug or product.slug)
        set_status(session, product, facts.status)
    _write(product, facts, category)
    session.flush()
    _write_variants(session, product, facts.variants, actor=actor)
    product.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(product)
    touch_content(session)
    if before is None:
        remember(
            session,
            "product",
            subject=f"product:{product.id}",
            actor=actor,
            before={},
            after=snapshot(product),
        )
        return product, None
    change = remember(
        session,
        "product",
        subject=f"product:{product.id}",
        actor=actor,
        before=before,
        after=snapshot(product),
    )
    return product, change


def set_status(session: Session, product: Product, wanted: str) -> None:
    """Draft, active or archived. What was archived is a draft first: the database insists."""
    if product.status == wanted:
        return
    if (product.status, wanted) == ("archived", "active"):
        product.status = "draft"
        session.flush()
    product.status = wanted
    session.flush()


def move_slug(session: Session, product: Product, slug: str) -> None:
    """Give the product's page another address; the old one leads there from now on."""
    if slug == product.slug:
        return
    _forget_old_slug(session, slug)
    session.execute(
        insert(OldSlug)
        .values(store_id=bound_store(), slug=product.slug, product_id=product.id)
        .on_conflict_do_update(
            index_elements=["store_id", "slug"],
            set_={"product_id": product.id, "at": func.now()},
        )
    )
    product.slug = slug
    session.flush()


def snapshot(product: Product) -> dict[str, Any]:
    """Everything a save may change, as plain values. Stock is not in it."""
    return {
        **{name: getattr(product, name) for name in _KEPT},
        "category_id": str(product.category_id) if product.category_id else None,
        "options": list(product.options),
        "attributes": dict(product.attributes),
        "variants": {
            str(variant.id): {
                **{name: getattr(variant, name) for name in _KEPT_OF_VARIANT},
                "option_values": list(variant.option_values),
            }
            for variant in product.variants
        },
    }


@puts_back("product")
def _put_back(session: Session, change: Change) -> None:
    product = get_product_to_edit(session, UUID(change.subject.removeprefix("product:")))
    if snapshot(product) != change.after:
        raise ChangedSince
    if not change.before:  # it was made: out of sight is as far back as a thing with a past goes
        set_status(session, product, "archived")
        touch_content(session)
        return
    before = change.before
    move_slug(session, product, before["slug"])
    set_status(session, product, before["status"])
    for name in _KEPT:
        if name not in ("slug", "status"):
            setattr(product, name, before[name])
    product.category_id = UUID(before["category_id"]) if before["category_id"] else None
    product.options, product.attributes = before["options"], before["attributes"]
    for variant in product.variants:
        was = before["variants"].get(str(variant.id))
        if was is None:
            if variant.on_hand:
                raise ChangedSince
            variant.is_active = False
            continue
        for name, value in was.items():
            setattr(variant, name, value)
    session.flush()
    touch_content(session)


def _write(product: Product, facts: ProductFacts, category: Category | None) -> None:
    for name in ("name", "brand", "vat_class", "warranty_months", "tracks_serials"):
        setattr(product, name, getattr(facts, name))
    product.description_html = safe_html(facts.description_html)
    product.seo_title, product.seo_description = facts.seo_title, facts.seo_description
    product.category_id = category.id if category else None
    product.options = list(facts.options)
    asked = {attribute.key for attribute in attributes_of(category)}
    # What another category once asked is kept: a product may come back to it.
    kept = {key: value for key, value in product.attributes.items() if key not in asked}
    product.attributes = kept | {k: v for k, v in facts.attributes.items() if k in asked and v}


def _write_variants(
    session: Session, product: Product, rows: Sequence[VariantFacts], *, actor: str
) -> None:
    known = {
        variant.id: variant
        for variant in session.scalars(
            select(Variant)
            .where(Variant.store_id == bound_store(), Variant.product_id == product.id)
            .with_for_update()
        )
    }
    hidden = {tuple(v.option_values): v for v in known.values() if not v.is_active}
    used = set()
    taken = _taken_skus(session, product) | {v.sku.lower() for v in known.values()}
    _free_the_skus(session, known, rows)
    for position, row in enumerate(rows):
        variant = known.get(row.id) if row.id else hidden.get(row.options)
        if variant is None:
            sku = row.sku or _free_sku(product.slug, row.options, taken)
            variant = Variant(product_id=product.id, sku=sku, price_cents=row.price_cents)
            session.add(variant)
        variant.sku = row.sku or variant.sku
        taken.add(variant.sku.lower())
        variant.option_values, variant.position = list(row.options), position
        variant.price_cents, variant.compare_at_cents = row.price_cents, row.compare_at_cents
        variant.cost_cents, variant.weight_grams = row.cost_cents, row.weight_grams
        variant.is_bulky, variant.barcode = row.is_bulky, row.barcode
        variant.low_mark, variant.is_active = row.low_mark, True
        session.flush()
        used.add(variant.id)
        if row.id is None and row.stock:
            receive_stock(session, variant, row.stock, "received", actor=actor)
    for variant in known.values():
        if variant.id not in used:
            variant.is_active = False
    session.flush()
    session.expire(product, ["variants"])


def _free_the_skus(
    session: Session, known: Mapping[UUID, Variant], rows: Sequence[VariantFacts]
) -> None:
    """Two ways may change codes with each other: neither may stand in the other's way."""
    wanted = {row.id: row.sku for row in rows if row.id and row.sku}
    changing = [v for v in known.values() if wanted.get(v.id, v.sku) != v.sku]
    for variant in changing if len(changing) > 1 else ():
        variant.sku = f"~{variant.id}"
    session.flush()


def _problems(session: Session, product: Product | None, facts: ProductFacts) -> dict[str, str]:
    """Field → sentence for everything that cannot be saved."""
    many = len(facts.options)
    checks = (
        ("name", 1 <= len(facts.name) <= 200, _("Give it a name of up to 200 letters.")),
        ("status", facts.status in STATUSES, _("Choose draft, shown or archived.")),
        ("vat_class", facts.vat_class in VAT_CLASSES, _("Choose one of the VAT classes.")),
        (
            "warranty_months",
            0 <= facts.warranty_months <= MAX_WARRANTY_MONTHS,
            _("Warranty is 0 to 120 months."),
        ),
        (
            "seo_title",
            len(facts.seo_title) <= MAX_TITLE,
            _("Up to 70 letters, so that search engines show all of it."),
        ),
        ("seo_description", len(facts.seo_description) <= MAX_DESCRIPTION, _("Up to 200 letters.")),
        (
            "slug",
            not facts.slug or SLUG.fullmatch(facts.slug),
            _("Small letters, digits and single hyphens, like “steel-flask”."),
        ),
        (
            "slug",
            not facts.slug or not _is_taken(session, product, facts.slug),
            _("Another product has this address."),
        ),
        (
            "options",
            many <= MAX_OPTIONS and len(set(facts.options)) == many,
            _("Up to three options, each with another name."),
        ),
        ("options", facts.variants, _("There must be at least one way to buy it.")),
        (
            "options",
            len(facts.variants) <= MAX_VARIANTS,
            _("That makes more than 100 combinations. Make two products of it."),
        ),
    )
    wrong = {name: sentence for name, is_right, sentence in checks if not is_right}
    return wrong | _variant_problems(session, product, facts)


def _variant_problems(
    session: Session, product: Product | None, facts: ProductFacts
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    taken = _taken_skus(session, product) | _skus_out_of_sight(product, facts)
    skus: set[str] = set()
    ways: set[tuple[str, ...]] = set()
    for n, row in enumerate(facts.variants):
        sku = row.sku.lower()
        wrong |= _row_problems(n, row, is_sku_taken=bool(sku) and sku in taken | skus)
        if row.options in ways or len(row.options) != len(facts.options) or not all(row.options):
            wrong["options"] = _("Each combination once, with a value for each option.")
        skus.add(sku)
        ways.add(row.options)
    return wrong | _gone_problems(product, facts)


def _row_problems(n: int, row: VariantFacts, *, is_sku_taken: bool) -> dict[str, str]:
    price, compare, cost = row.price_cents, row.compare_at_cents, row.cost_cents
    checks = (
        (
            "price",
            price % 100 == 0 and 0 < price <= MAX_PRICE_CENTS,
            _("A price is whole shillings, like 1,250."),
        ),
        (
            "compare",
            compare is None or price < compare <= MAX_PRICE_CENTS,
            _("The crossed-out price is above the price, or empty."),
        ),
        (
            "cost",
            cost is None or 0 <= cost <= MAX_PRICE_CENTS,
            _("Write what one costs you, like 800."),
        ),
        (
            "weight",
            0 <= row.weight_grams <= MAX_WEIGHT_GRAMS,
            _("Weight is in grams, up to 1,000,000."),
        ),
        ("low", 0 <= row.low_mark <= MAX_STOCK, _("A number from 0 up.")),
        ("stock", 0 <= row.stock <= MAX_STOCK, _("Stock is a number from 0 to 1,000,000.")),
        ("sku", len(row.sku) <= 80, _("Up to 80 letters.")),
        ("sku", not is_sku_taken, _("Another product has this code already.")),
    )
    return {f"v{n}-{name}": sentence for name, is_right, sentence in checks if not is_right}


def _gone_problems(product: Product | None, facts: ProductFacts) -> dict[str, str]:
    """What is still on the shelf cannot be taken away."""
    kept = {row.id for row in facts.variants if row.id}
    for variant in product.variants if product else ():
        if variant.is_active and variant.id not in kept and variant.on_hand:
            return {
                "options": _(
                    "%(n)s of “%(what)s” are on the shelf. Count them to 0 before you take it away.",
                    n=variant.on_hand,
                    what=variant.option_text or variant.sku,
                )
            }
    return {}


def _skus_out_of_sight(product: Product | None, facts: ProductFacts) -> set[str]:
    """SKUs of this product's ways that are not offered any more, and are not coming back."""
    kept = {row.id for row in facts.variants if row.id}
    back = {row.options for row in facts.variants if not row.id}
    return {
        variant.sku.lower()
        for variant in (product.variants if product else ())
        if variant.id not in kept
        and (variant.is_active or tuple(variant.option_values) not in back)
    }


def _refuse(problems: Mapping[str, str]) -> None:
    if problems:
        raise FieldProblems(problems)


def _category(session: Session, category_id: UUID | None) -> Category | None:
    if category_id is None:
        return None
    category = session.get(Category, (bound_store(), category_id))
    if category is None:
        raise FieldProblems({"category": _("Choose one of your categories.")})
    return category


def _is_taken(session: Session, product: Product | None, slug: str) -> bool:
    owner = session.scalar(
        select(Product.id).where(Product.store_id == bound_store(), Product.slug == slug)
    )
    return owner is not None and (product is None or owner != product.id)


def _forget_old_slug(session: Session, slug: str) -> None:
    """A live address is nobody's old one."""
    session.execute(delete(OldSlug).where(OldSlug.store_id == bound_store(), OldSlug.slug == slug))


def _taken_skus(session: Session, product: Product | None) -> set[str]:
    """SKUs of other products, in small letters."""
    query = select(func.lower(Variant.sku)).where(Variant.store_id == bound_store())
    if product is not None:
        query = query.where(Variant.product_id != product.id)
    return set(session.scalars(query))


def _free_sku(slug: str, options: Sequence[str], taken: set[str]) -> str:
    """A code from the product's address and its values, which nobody has."""
    base = "-".join([slug[:40], *(slug_of(value)[:12] for value in options)]).upper()[:76]
    number, sku = 1, base
    while sku.lower() in taken:
        number += 1
        sku = f"{base}-{number}"
    return sku
