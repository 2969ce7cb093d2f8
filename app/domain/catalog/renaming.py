"""Giving a category another name and address. Whoever comes by the old one is led to the new."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import SLUG, slug_of, touch_content
from app.domain.catalog.models import Category, OldCategorySlug
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem, NotFound
from app.i18n import gettext_lazy as _

MAX_NAME = 60


def rename_category(
    session: Session, category_id: UUID, *, name: str, slug: str = "", actor: str
) -> Change | None:
    """Call a category something else; an empty ``slug`` is made from the name.

    Returns None when nothing differs. Does not commit. Raises NotFound, and FieldProblem for a
    name or an address that cannot be used.
    """
    category = _locked(session, category_id)
    name = " ".join(name.split())
    slug = slug.strip().lower() or slug_of(name)
    if not 1 <= len(name) <= MAX_NAME:
        raise FieldProblem("name", _("Use 1 to 60 letters."))
    if not SLUG.fullmatch(slug):
        raise FieldProblem("slug", _("Use small letters, digits and hyphens, like smart-watches."))
    owner = session.scalar(
        select(Category.id).where(Category.store_id == bound_store(), Category.slug == slug)
    )
    if owner not in (None, category.id):
        raise FieldProblem("slug", _("Another category has this address."))
    before = {"name": category.name, "slug": category.slug}
    category.name = name
    _move(session, category, slug)
    after = {"name": name, "slug": slug}
    if after == before:
        return None
    session.flush()
    touch_content(session)
    return remember(
        session,
        "category",
        subject=f"category:{category.id}",
        actor=actor,
        before=before,
        after=after,
    )


@puts_back("category")
def _put_back(session: Session, change: Change) -> None:
    category = _locked(session, UUID(change.subject.removeprefix("category:")))
    taken = session.scalar(
        select(Category.id).where(
            Category.store_id == bound_store(), Category.slug == change.before["slug"]
        )
    )
    if {"name": category.name, "slug": category.slug} != change.after or taken not in (
        None,
        category.id,
    ):
        raise ChangedSince
    category.name = change.before["name"]
    _move(session, category, change.before["slug"])
    touch_content(session)


def _move(session: Session, category: Category, slug: str) -> None:
    """Put the page at another address. One that is live is nobody's old one."""
    if slug == category.slug:
        return
    session.execute(
        delete(OldCategorySlug).where(
            OldCategorySlug.store_id == bound_store(), OldCategorySlug.slug == slug
        )
    )
    session.execute(
        insert(OldCategorySlug)
        .values(store_id=bound_store(), slug=category.slug, category_id=category.id)
        .on_conflict_do_update(
            index_elements=["store_id", "slug"],
            set_={"category_id": category.id, "at": func.now()},
        )
    )
    category.slug = slug
    session.flush()


def _locked(session: Session, category_id: UUID) -> Category:
    category = session.scalar(
        select(Category)
        .where(Category.store_id == bound_store(), Category.id == category_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if category is None:
        raise NotFound
    return category
