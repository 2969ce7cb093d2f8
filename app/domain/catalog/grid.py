"""The grid of goods: a page of products, filtered and sorted, and what each filter would show.

Pages are cut by the database. Products are sorted by what an index or one pass over the store's
variants can tell, so that ten thousand products answer as quickly as ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Session, selectinload

from app.db.tenancy import bound_store
from app.domain.catalog.models import Category, Product, ProductImage, Variant
from app.domain.catalog.queries import escape_like
from app.domain.catalog.saving import STATUSES

PER_PAGE = 40
MAX_PAGE = 1000
MAX_WORDS = 80
MISSING = ("low", "no_photo", "no_cost")
SORTS = ("name", "new", "price", "-price", "stock", "-stock")


@dataclass(frozen=True, kw_only=True)
class GridAsked:
    """How somebody wants to see the goods. ``category`` is a slug; ``missing`` one of MISSING."""

    words: str = ""
    category: str = ""
    status: str = ""
    missing: str = ""
    sort: str = "name"
    page: int = 1

    @classmethod
    def read(cls, values: Mapping[str, str]) -> GridAsked:
        """From an address or a form. Anything odd is as if it were not there."""
        page = values.get("page", "1")
        is_page = page.isascii() and page.isdigit() and len(page) <= 4
        return cls(
            words=" ".join(values.get("q", "").replace("\x00", "").split())[:MAX_WORDS],
            category=values.get("category", "")[:100],
            status=values.get("status", "") if values.get("status") in STATUSES else "",
            missing=values.get("show", "") if values.get("show") in MISSING else "",
            sort=values.get("sort", "name") if values.get("sort") in SORTS else "name",
            page=min(max(1, int(page)), MAX_PAGE) if is_page else 1,
        )

    def as_values(self, **changes: str | int | None) -> dict[str, str]:
        """What an address says to ask the same, with some of it changed; None leaves one out."""
        values: dict[str, str | int | None] = {
            "q": self.words,
            "category": self.category,
            "status": self.status,
            "show": self.missing,
            "sort": self.sort if self.sort != "name" else "",
            "page": self.page if self.page > 1 else "",
        }
        return {name: str(value) for name, value in (values | changes).items() if value}

    @property
    def is_narrowed(self) -> bool:
        return bool(self.words or self.category or self.status or self.missing)


@dataclass(frozen=True, kw_only=True)
class GridPage:
    """One page of the goods. ``total`` is how many match."""

    products: list[Product]
    total: int
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class GridCounts:
    """How many products each filter would show. Archived goods are only in their own."""

    everything: int
    active: int
    draft: int
    archived: int
    low: int
    no_photo: int
    no_cost: int


_COUNTS = text(
    "SELECT count(*) FILTER (WHERE p.status <> 'archived') AS everything,"
    " count(*) FILTER (WHERE p.status = 'active') AS active,"
    " count(*) FILTER (WHERE p.status = 'draft') AS draft,"
    " count(*) FILTER (WHERE p.status = 'archived') AS archived,"
    " count(*) FILTER (WHERE p.status <> 'archived' AND v.low) AS low,"
    " count(*) FILTER (WHERE p.status <> 'archived' AND i.product_id IS NULL) AS no_photo,"
    " count(*) FILTER (WHERE p.status <> 'archived' AND v.no_cost) AS no_cost"
    " FROM app.products p"
    " LEFT JOIN (SELECT product_id, bool_or(on_hand - reserved <= low_mark) AS low,"
    "   bool_or(cost_cents IS NULL) AS no_cost FROM app.variants"
    "   WHERE store_id = app.store_id() AND is_active GROUP BY product_id) v ON v.product_id = p.id"
    " LEFT JOIN (SELECT DISTINCT product_id FROM app.product_images"
    "   WHERE store_id = app.store_id() AND removed_at IS NULL) i ON i.product_id = p.id"
    " WHERE p.store_id = app.store_id()"
)


def grid_page(session: Session, asked: GridAsked, *, per_page: int = PER_PAGE) -> GridPage:
    """The products that match, a page of them, with their variants and photos."""
    query = select(Product.id).where(*_matching(asked))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    offset = (asked.page - 1) * per_page
    ids = list(session.scalars(_sorted(query, asked.sort).offset(offset).limit(per_page)))
    loaded = session.scalars(
        select(Product)
        .where(Product.store_id == bound_store(), Product.id.in_(ids))
        .options(selectinload(Product.variants), selectinload(Product.images))
    )
    by_id = {product.id: product for product in loaded}
    return GridPage(
        products=[by_id[each] for each in ids if each in by_id],
        total=total,
        has_more=offset + len(ids) < total,
    )


def grid_counts(session: Session) -> GridCounts:
    """What stands on the filters."""
    return GridCounts(**session.execute(_COUNTS).one()._asdict())


def matching_ids(session: Session, asked: GridAsked) -> list[UUID]:
    """Every product that matches, in the order of the grid's default sort."""
    query = select(Product.id).where(*_matching(asked))
    return list(session.scalars(query.order_by(func.lower(Product.name), Product.id)))


def shelves(session: Session) -> list[Category]:
    """The store's categories: each main one, then what is under it."""
    found = session.scalars(
        select(Category)
        .where(Category.store_id == bound_store())
        .order_by(Category.position, Category.name)
    ).all()
    under: dict[UUID | None, list[Category]] = {}
    for category in found:
        under.setdefault(category.parent_id, []).append(category)
    return [each for top in under.get(None, ()) for each in (top, *under.get(top.id, ()))]


def _matching(asked: GridAsked) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [Product.store_id == bound_store()]
    where.append(Product.status == asked.status if asked.status else Product.status != "archived")
    if asked.words:
        where.append(_named(asked.words))
    if asked.category:
        where.append(Product.category_id.in_(_categories(asked.category)))
    if asked.missing == "no_photo":
        where.append(~_has(ProductImage, ProductImage.removed_at.is_(None)))
    elif asked.missing == "no_cost":
        where.append(_has(Variant, Variant.is_active, Variant.cost_cents.is_(None)))
    elif asked.missing == "low":
        is_low = Variant.on_hand - Variant.reserved <= Variant.low_mark
        where.append(_has(Variant, Variant.is_active, is_low))
    return where


def _named(words: str) -> ColumnElement[bool]:
    like = f"%{escape_like(words)}%"
    by_code = select(Variant.product_id).where(
        Variant.store_id == bound_store(), or_(Variant.sku.ilike(like), Variant.barcode == words)
    )
    return or_(Product.name.ilike(like), Product.brand.ilike(like), Product.id.in_(by_code))


def _categories(slug: str) -> Select[Any]:
    """The category of this slug and those under it."""
    top = (
        select(Category.id)
        .where(Category.store_id == bound_store(), Category.slug == slug)
        .scalar_subquery()
    )
    return select(Category.id).where(
        Category.store_id == bound_store(), or_(Category.slug == slug, Category.parent_id == top)
    )


def _has(
    model: type[Variant] | type[ProductImage], *where: ColumnExpressionArgument[bool]
) -> ColumnElement[bool]:
    return exists().where(
        and_(model.store_id == bound_store(), model.product_id == Product.id, *where)
    )


def _sorted(query: Select[Any], sort: str) -> Select[Any]:
    if sort == "new":
        return query.order_by(Product.created_at.desc(), Product.id)
    if sort == "name":
        return query.order_by(func.lower(Product.name), Product.id)
    figure = func.min(Variant.price_cents) if "price" in sort else func.sum(Variant.on_hand)
    of_variants = (
        select(Variant.product_id, figure.label("figure"))
        .where(Variant.store_id == bound_store(), Variant.is_active)
        .group_by(Variant.product_id)
        .subquery()
    )
    order = of_variants.c.figure.desc() if sort[0] == "-" else of_variants.c.figure.asc()
    return query.outerjoin(of_variants, of_variants.c.product_id == Product.id).order_by(
        order.nulls_last(), Product.id
    )
