"""Putting the products of a file into the store, so that doing it twice changes nothing.

A product is known by its ``source_key``, else by the SKU of one of its variants; a variant
by its SKU, else by its options. What the file does not say is left as it is, nothing is
ever deleted. Status and stock are taken only when a row is made: from then on the owner
decides what shoppers see, and stock moves by sales and counts, never by a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import select, tuple_
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session, selectinload

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import touch_content
from app.domain.catalog.importing.cleaning import (
    RowRefused,
    clean_html,
    digest,
    generated_sku,
    name_key,
    sku_key,
    slugify,
)
from app.domain.catalog.importing.drafts import (
    CatalogueFile,
    DraftStatus,
    FileFormat,
    PictureDraft,
    ProductDraft,
    RefusedRow,
    VariantDraft,
)
from app.domain.catalog.importing.images import facts_of
from app.domain.catalog.models import (
    Category,
    Product,
    ProductImage,
    Serial,
    StockMovement,
    Variant,
)
from app.i18n import gettext as _
from app.ids import new_id

CHUNK: Final = 200
# Before the key of a product that was taken back with its import: the same file revives it.
UNDONE: Final = "undone:"
SEO_TITLE: Final = 70
SEO_DESCRIPTION: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductChange:
    """What the import did to one product; ``before`` is None for one that it made."""

    product: Product
    before: dict[str, Any] | None
    pictures: tuple[PictureDraft, ...] = ()


@dataclass(kw_only=True, slots=True)
class AppliedReport:
    """What changed in the store. Products are counted in exactly one of the first three.

    ``next_start`` is where the next call goes on, or None when the file is done.
    """

    products_created: int = 0
    products_updated: int = 0
    products_unchanged: int = 0
    variants_created: int = 0
    variants_updated: int = 0
    variants_unchanged: int = 0
    categories_created: int = 0
    # Made with no units to sell because the file does not say how many there are.
    variants_without_stock: int = 0
    # Addresses the file gave; pictures are uploaded, never fetched.
    images_not_fetched: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    # Products made or changed, and unchanged ones that still lack the pictures of the file.
    changes: list[ProductChange] = field(default_factory=list)
    next_start: int | None = None

    @property
    def has_changes(self) -> bool:
        """Whether anything a shopper could see is different now."""
        return bool(
            self.products_created
            or self.products_updated
            or self.variants_created
            or self.variants_updated
            or self.categories_created
        )

    def add(self, other: AppliedReport) -> None:
        """Add the numbers of a later part of the same file."""
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused.extend(other.refused)
        self.changes.extend(other.changes)
        self.next_start = other.next_start


COUNTED: Final = (
    *("products_created", "products_updated", "products_unchanged", "categories_created"),
    *("variants_created", "variants_updated", "variants_unchanged"),
    *("variants_without_stock", "images_not_fetched"),
)


def apply_catalogue(
    session: Session,
    file: CatalogueFile,
    *,
    actor: str,
    uncounted_stock: int = 0,
    start: int = 0,
    limit: int | None = None,
    is_part: bool = False,
) -> AppliedReport:
    """Bring the store's products in line with the file and say what changed.

    ``uncounted_stock`` is the number of units a new variant gets where the file gives none.
    ``start`` and ``limit`` take a part of the products, so that a large file can be a chain
    of short transactions; ``is_part`` leaves the entry in the audit trail to whoever counts
    the whole. A product that cannot be stored costs itself only. Flushes and does not commit.
    Raises NoStoreBound outside a store.
    """
    report = AppliedReport()
    if start == 0 and file.categories:
        report.categories_created = add_categories(session, file.categories)
    end = len(file.drafts) if limit is None else min(start + limit, len(file.drafts))
    for drafts in _chunks(file.drafts[start:end]):
        report.add(_apply_chunk(session, drafts, file, actor, uncounted_stock))
    report.next_start = end if end < len(file.drafts) else None
    if report.has_changes:
        session.flush()
        touch_content(session)
        if not is_part:
            audit_import(session, {n: getattr(report, n) for n in COUNTED}, file, actor)
    return report


def add_categories(session: Session, categories: Sequence[Mapping[str, Any]]) -> int:
    """Make the categories of a full export that the store has none of yet; returns how many."""
    store_id = bound_store()
    known = {
        category.slug: category
        for category in session.scalars(select(Category).where(Category.store_id == store_id))
    }
    made = 0
    # Parents stand before their children: at most one level lies below another.
    for facts in sorted(categories, key=lambda facts: bool(facts["parent"])):
        if facts["slug"] in known:
            continue
        parent = known.get(facts["parent"])
        values = {name: value for name, value in facts.items() if name != "parent"}
        known[facts["slug"]] = Category(
            id=new_id(), parent_id=parent.id if parent else None, **values
        )
        session.add(known[facts["slug"]])
        session.flush()
        made += 1
    return made


def _chunks(drafts: Sequence[ProductDraft]) -> Iterator[list[ProductDraft]]:
    iterator = iter(drafts)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _apply_chunk(
    session: Session,
    drafts: list[ProductDraft],
    file: CatalogueFile,
    actor: str,
    uncounted_stock: int,
) -> AppliedReport:
    """All in one savepoint; when the database refuses something, one product at a time."""
    try:
        with session.begin_nested():
            return _Importer(session, drafts, file, actor, uncounted_stock).run()
    except (IntegrityError, DataError):
        if len(drafts) == 1:
            return _refused_by_database(drafts[0])
    report = AppliedReport()
    for draft in drafts:
        report.add(_apply_chunk(session, [draft], file, actor, uncounted_stock))
    return report


def _refused_by_database(draft: ProductDraft) -> AppliedReport:
    sentence = _(
        "“%(name)s” could not be stored, perhaps because somebody changed it at the same "
        "moment. Import the file again.",
        name=draft.name,
    )
    return AppliedReport(
        refused=[
            RefusedRow(row=row, reason_code="not_stored", sentence=sentence) for row in draft.rows
        ]
    )


def audit_import(
    session: Session, counts: Mapping[str, int], file: CatalogueFile, actor: str
) -> None:
    """One entry in the audit trail for a whole file, with its counts."""
    record(
        session,
        "catalogue.imported",
        actor=actor,
        subject=f"store:{bound_store()}",
        format=file.report.format.value,
        **{name: count for name, count in counts.items() if count},
    )


class _Importer:
    """One chunk of drafts against the rows the store already has, read in a few queries."""

    def __init__(
        self,
        session: Session,
        drafts: list[ProductDraft],
        file: CatalogueFile,
        actor: str,
        uncounted_stock: int,
    ) -> None:
        self.session = session
        self.drafts = drafts
        self.actor = actor
        self.uncounted_stock = uncounted_stock
        self.report = AppliedReport()
        # A sheet without an "old price" column says nothing about old prices.
        self.tells_compare_at = (
            file.report.format is not FileFormat.SHEET or "compare_at" in file.report.mapping
        )
        self.to_archive: list[Product] = []
        self.to_revive: list[tuple[Product, ProductDraft]] = []
        # Added after the variants they speak of, which no relationship tells the session.
        self.movements: list[StockMovement | Serial] = []
        self._load()

    def run(self) -> AppliedReport:
        for draft in self.drafts:
            try:
                self._apply(draft)
            except RowRefused as error:
                for row in draft.rows:
                    self._refuse(row, error)
        self.session.flush()
        self.session.add_all(self.movements)
        for product in self.to_archive:
            product.status = DraftStatus.ARCHIVED
        # Archived goods become drafts before they are on sale: the database knows no other way.
        for product, draft in self.to_revive:
            if draft.status is DraftStatus.ACTIVE:
                product.status = DraftStatus.ACTIVE
        self.session.flush()
        return self.report

    # What the store has already

    def _load(self) -> None:
        store_id = bound_store()
        skus = {v.sku for draft in self.drafts for v in draft.variants}
        found = self.session.execute(
            select(Variant.sku, Variant.product_id).where(
                tuple_(Variant.store_id, Variant.sku).in_([(store_id, sku) for sku in skus])
            )
        ).all()
        self.owner_of_sku = {sku_key(sku): product_id for sku, product_id in found}
        keys = [draft.source_key for draft in self.drafts]
        slugs = {slug for draft in self.drafts for slug in _slugs(draft)}
        own_slugs = {draft.slug_hint for draft in self.drafts if draft.own}
        products = self.session.scalars(
            select(Product)
            .where(
                Product.store_id == store_id,
                Product.source_key.in_([*keys, *(f"{UNDONE}{key}" for key in keys)])
                | Product.id.in_(set(self.owner_of_sku.values()))
                | Product.slug.in_(own_slugs),
            )
            .options(selectinload(Product.variants))
        ).all()
        self.by_key = {p.source_key.removeprefix(UNDONE): p for p in products if p.source_key}
        self.by_id = {p.id: p for p in products}
        self.by_slug = {p.slug: p for p in products}
        self.with_pictures = set(
            self.session.scalars(
                select(ProductImage.product_id).where(
                    ProductImage.store_id == store_id,
                    ProductImage.product_id.in_(self.by_id),
                    ProductImage.status != "refused",
                    ProductImage.removed_at.is_(None),
                )
            )
        )
        self.taken_slugs = set(
            self.session.scalars(
                select(Product.slug).where(Product.store_id == store_id, Product.slug.in_(slugs))
            )
        )
        # A shop has tens of categories, not thousands: all of them in one query.
        categories = self.session.scalars(select(Category).where(Category.store_id == store_id))
        self.categories = {category.slug: category for category in categories}

    def _find(self, draft: ProductDraft) -> Product | None:
        if product := self.by_key.get(draft.source_key):
            return product
        if draft.own and (product := self.by_slug.get(draft.slug_hint)):
            return product
        owners = {
            self.owner_of_sku[sku_key(variant.sku)]
            for variant in draft.variants
            if not variant.sku_is_generated and sku_key(variant.sku) in self.owner_of_sku
        }
        if len(owners) > 1:
            raise RowRefused(
                "skus_of_two_products",
                _("Its SKUs belong to two different products of the store."),
            )
        return self.by_id.get(owners.pop()) if owners else None

    # One product

    def _apply(self, draft: ProductDraft) -> None:
        product = self._find(draft)
        if product is None:
            self._create(draft)
            return
        self._check_options(product, draft)
        before = facts_of(product)
        if product.source_key and product.source_key.startswith(UNDONE):
            self._revive(product, draft)
            return
        changed = self._update_product(product, draft)
        for variant_draft in draft.variants:
            try:
                changed |= self._apply_variant(product, draft, variant_draft)
            except RowRefused as error:
                self._refuse(variant_draft.row, error)
        if changed:
            product.updated_at = datetime.now(UTC)
            self.report.products_updated += 1
        else:
            self.report.products_unchanged += 1
        self._note_change(product, draft, before if changed else None, is_changed=changed)

    def _note_change(
        self,
        product: Product,
        draft: ProductDraft,
        before: dict[str, Any] | None,
        *,
        is_changed: bool,
    ) -> None:
        """Pictures are only brought to a product that has none: nobody's own are added to."""
        pictures = () if product.id in self.with_pictures else pictures_of(draft)
        if is_changed or pictures:
            was = before if is_changed else facts_of(product)
            self.report.changes.append(
                ProductChange(product=product, before=was, pictures=pictures)
            )

    def _revive(self, product: Product, draft: ProductDraft) -> None:
        """Bring back what an earlier import made and was taken back with it."""
        product.source_key = draft.source_key
        if product.status == DraftStatus.ARCHIVED:
            product.status = DraftStatus.DRAFT
            self.to_revive.append((product, draft))
        self._update_product(product, draft)
        for variant_draft in draft.variants:
            try:
                self._apply_variant(product, draft, variant_draft)
            except RowRefused as error:
                self._refuse(variant_draft.row, error)
            else:
                self._restock(product, draft, variant_draft)
        product.updated_at = datetime.now(UTC)
        self.report.products_created += 1
        self._note_change(product, draft, None, is_changed=True)

    def _restock(self, product: Product, draft: ProductDraft, variant_draft: VariantDraft) -> None:
        variant = self._match(product, draft, variant_draft)
        units = self.uncounted_stock if variant_draft.stock is None else variant_draft.stock
        if variant is None or variant.on_hand or not units:
            return
        variant.is_active = True
        variant.on_hand = units
        self._move(variant, units)

    def _create(self, draft: ProductDraft) -> None:
        is_archived = draft.status is DraftStatus.ARCHIVED
        facts: dict[str, Any] = {
            "name": draft.name,
            "description_html": draft.description_html,
            "brand": draft.brand,
            "category_id": self._category_id(draft.category, draft.category_slug),
            # A product begins as a draft or active; archived is a step from there.
            "status": DraftStatus.DRAFT.value if is_archived else draft.status.value,
            "options": list(draft.options),
            "seo_title": draft.seo.title,
            "seo_description": draft.seo.description,
            "source_key": draft.source_key,
        }
        product = Product(id=new_id(), slug=self._free_slug(draft), **(facts | draft.own))
        for variant_draft in draft.variants:
            try:
                product.variants.append(self._new_variant(product, draft, variant_draft))
            except RowRefused as error:
                self._refuse(variant_draft.row, error)
        if not product.variants:
            return
        self.session.add(product)
        if is_archived:
            self.to_archive.append(product)
        self._note_change(product, draft, None, is_changed=True)
        self.by_key[draft.source_key] = product
        self.by_id[product.id] = product
        self.report.products_created += 1
        self.report.images_not_fetched += len(draft.images)

    def _check_options(self, product: Product, draft: ProductDraft) -> None:
        """Options may be renamed or added only when the file speaks of every variant."""
        if list(draft.options) == product.options:
            return
        known = [self._match(product, draft, variant) for variant in draft.variants]
        if any(variant not in known for variant in product.variants):
            raise RowRefused(
                "options_differ",
                _(
                    "The store's “%(name)s” is chosen by %(theirs)s, the file's by %(ours)s, and "
                    "the file does not list all of its variants.",
                    name=product.name,
                    theirs=", ".join(product.options) or _("nothing"),
                    ours=", ".join(draft.options) or _("nothing"),
                ),
            )

    def _update_product(self, product: Product, draft: ProductDraft) -> bool:
        facts: dict[str, Any] = {"name": draft.name, "options": list(draft.options)}
        if product.source_key is None and not draft.own:
            facts["source_key"] = draft.source_key
        if draft.description_html:
            facts["description_html"] = draft.description_html
        if draft.brand:
            facts["brand"] = draft.brand
        if draft.category:
            facts["category_id"] = self._category_id(draft.category, draft.category_slug)
        if draft.seo.title:
            facts["seo_title"] = draft.seo.title[:SEO_TITLE]
        if draft.seo.description:
            facts["seo_description"] = draft.seo.description[:SEO_DESCRIPTION]
        if draft.own:
            facts |= {
                "description_html": draft.description_html,
                "brand": draft.brand,
                "category_id": facts.get("category_id"),
                **draft.own,
            }
            facts |= self._new_status(product, draft)
            # The same text in another spelling (a no-break space is also &nbsp;) is no change.
            if clean_html(product.description_html) == draft.description_html:
                del facts["description_html"]
        return _set(product, facts)

    def _new_status(self, product: Product, draft: ProductDraft) -> dict[str, Any]:
        """Our own export says whether goods are on sale; archived ones go by way of draft."""
        if product.status == draft.status:
            return {}
        if product.status == DraftStatus.ARCHIVED and draft.status is DraftStatus.ACTIVE:
            self.to_revive.append((product, draft))
            return {"status": DraftStatus.DRAFT.value}
        return {"status": draft.status.value}

    # One variant

    def _match(
        self, product: Product, draft: ProductDraft, variant_draft: VariantDraft
    ) -> Variant | None:
        for variant in product.variants:
            if sku_key(variant.sku) == sku_key(variant_draft.sku):
                return variant
        if list(draft.options) != product.options:
            return None
        wanted = [name_key(value) for value in _values(draft, variant_draft)]
        for variant in product.variants:
            if [name_key(value) for value in variant.option_values] == wanted:
                return variant
        return None

    def _apply_variant(
        self, product: Product, draft: ProductDraft, variant_draft: VariantDraft
    ) -> bool:
        """Whether the product's variants are different now."""
        variant = self._match(product, draft, variant_draft)
        if variant is None:
            product.variants.append(self._new_variant(product, draft, variant_draft))
            return True
        facts: dict[str, Any] = {
            "price_cents": variant_draft.price_cents,
            "option_values": _values(draft, variant_draft),
        }
        compare_at = (
            variant_draft.compare_at_cents if self.tells_compare_at else variant.compare_at_cents
        )
        is_above = compare_at is not None and compare_at > variant_draft.price_cents
        facts["compare_at_cents"] = compare_at if is_above else None
        if not variant_draft.sku_is_generated:
            self._check_owner(product, variant_draft)
            facts["sku"] = variant_draft.sku
        if variant_draft.cost_cents is not None:
            facts["cost_cents"] = variant_draft.cost_cents
        if variant_draft.weight_grams is not None:
            facts["weight_grams"] = variant_draft.weight_grams
        if variant_draft.barcode:
            facts["barcode"] = variant_draft.barcode
        if draft.own:
            facts |= {
                "cost_cents": variant_draft.cost_cents,
                "weight_grams": variant_draft.weight_grams or 0,
                "barcode": variant_draft.barcode,
                **variant_draft.own,
            }
        if _set(variant, facts):
            self.report.variants_updated += 1
            return True
        self.report.variants_unchanged += 1
        return False

    def _new_variant(
        self, product: Product, draft: ProductDraft, variant_draft: VariantDraft
    ) -> Variant:
        if variant_draft.sku_is_generated:
            sku = self._free_sku(draft, variant_draft)
        else:
            self._check_owner(product, variant_draft)
            sku = variant_draft.sku
        stock = self.uncounted_stock if variant_draft.stock is None else variant_draft.stock
        variant = Variant(
            id=new_id(),
            sku=sku,
            option_values=_values(draft, variant_draft),
            position=len(product.variants),
            price_cents=variant_draft.price_cents,
            compare_at_cents=variant_draft.compare_at_cents,
            cost_cents=variant_draft.cost_cents,
            weight_grams=variant_draft.weight_grams or 0,
            on_hand=stock,
            barcode=variant_draft.barcode,
        )
        for name, value in variant_draft.own.items():
            setattr(variant, name, value)
        if stock:
            self._move(variant, stock)
        for serial in variant_draft.serials:
            self.movements.append(
                Serial(id=new_id(), variant_id=variant.id, serial=serial, received_by=self.actor)
            )
        self.report.variants_created += 1
        self.report.variants_without_stock += variant_draft.stock is None and not stock
        self.owner_of_sku[sku_key(sku)] = product.id
        return variant

    def _move(self, variant: Variant, units: int) -> None:
        self.movements.append(
            StockMovement(
                id=new_id(),
                variant_id=variant.id,
                quantity=units,
                reason="import",
                actor=self.actor,
            )
        )

    def _check_owner(self, product: Product, variant_draft: VariantDraft) -> None:
        owner = self.owner_of_sku.get(sku_key(variant_draft.sku), product.id)
        if owner != product.id:
            other = self.by_id.get(owner)
            raise RowRefused(
                "sku_taken",
                _(
                    "The SKU already belongs to “%(name)s” in the store.",
                    name=other.name if other else "?",
                ),
                value=variant_draft.sku,
            )

    def _free_sku(self, draft: ProductDraft, variant_draft: VariantDraft) -> str:
        """The SKU we made for the file, or a longer one when another product has it."""
        if sku_key(variant_draft.sku) not in self.owner_of_sku:
            return variant_draft.sku
        taken = {sku_key(variant_draft.sku)}
        return generated_sku(draft.name, variant_draft.options, draft.source_key, taken)

    # What a product leans on

    def _free_slug(self, draft: ProductDraft) -> str:
        slug = next(
            slug for slug in (*_slugs(draft), str(new_id())) if slug not in self.taken_slugs
        )
        self.taken_slugs.add(slug)
        return slug

    def _category_id(self, path: str, slug: str = "") -> Any:
        """The category called by the last part of "Clothing > Hoodies", made when it is new.

        Its slug is the whole path, so Men > Shoes and Women > Shoes stay two; our own export
        gives the slug itself.
        """
        slug = slugify(slug) or slugify(path)
        if not slug:
            return None
        category = self.categories.get(slug)
        if category is None:
            name = path.split(" > ")[-1]
            if any(name_key(known.name) == name_key(name) for known in self.categories.values()):
                name = path.replace(" > ", ", ")
            category = Category(id=new_id(), slug=slug, name=name, position=len(self.categories))
            self.session.add(category)
            # No relationship tells the session that products come after their category.
            self.session.flush()
            self.categories[slug] = category
            self.report.categories_created += 1
        return category.id

    def _refuse(self, row: int, error: RowRefused) -> None:
        self.report.refused.append(
            RefusedRow(
                row=row,
                reason_code=error.reason_code,
                sentence=str(error),
                column=error.column,
                value=error.value,
            )
        )


def pictures_of(draft: ProductDraft) -> tuple[PictureDraft, ...]:
    """Every picture the file names for a product, in order."""
    return (*draft.pictures, *(PictureDraft(source=url) for url in draft.images))


def _values(draft: ProductDraft, variant: VariantDraft) -> list[str]:
    return [variant.options.get(name, "") for name in draft.options]


def _slugs(draft: ProductDraft) -> tuple[str, str]:
    ours = digest(draft.source_key)
    return draft.slug_hint or f"product-{ours}", f"{draft.slug_hint or 'product'}-{ours}"


def _set(row: Product | Variant, facts: dict[str, Any]) -> bool:
    """Set what differs, so that an import that says nothing new writes nothing."""
    changed = {name: value for name, value in facts.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)
