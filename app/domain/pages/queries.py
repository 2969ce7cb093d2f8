"""Reading the shop's own pages, for shoppers and for the people who write them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.errors import NotFound
from app.domain.pages.models import Page
from app.domain.pages.ready import POLICIES, READY, Words, facts_of, ready_title, ready_words
from app.domain.stores.hosts import host_of_store
from app.domain.stores.models import Store
from app.i18n import LOCALES


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A page in the list of the desk; a ready one is there before anybody touched it."""

    slug: str
    title: str
    is_published: bool
    is_policy: bool
    is_ready_text: bool


def find_page(session: Session, slug: str) -> Page | None:
    """The page's row; None also for a ready page that nobody touched."""
    return session.scalar(select(Page).where(Page.store_id == bound_store(), Page.slug == slug))


def words_in(page: Page | None, slug: str, locale: str, store: Store) -> Words:
    """The page in one language: its own words, else the ready text, else the other language.

    Raises NotFound for an address that has neither a row nor a ready text.
    """
    content = page.content if page is not None else {}
    if locale in content:
        return Words(title=content[locale]["title"], blocks=content[locale]["blocks"])
    if slug in READY:
        return ready_words(slug, locale, facts_of(store))
    for other in LOCALES:
        if other in content:
            return Words(title=content[other]["title"], blocks=content[other]["blocks"])
    raise NotFound


def published_words(session: Session, store: Store, slug: str, locale: str) -> tuple[Words, str]:
    """What a shopper reads at an address, and the host it is known under, in one statement.

    Raises NotFound unless the page is published.
    """
    row = session.execute(
        select(Page, host_of_store).where(
            Page.store_id == bound_store(), Page.slug == slug, Page.is_published
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    return words_in(row[0], slug, locale, store), row[1] or ""


def all_pages(session: Session, locale: str) -> list[PageRow]:
    """Every page, the ready ones among them, in the order of the shop's foot."""
    rows = list(session.scalars(select(Page).where(Page.store_id == bound_store())))
    known = {page.slug: page for page in rows}
    ready = [
        _row(known.get(slug), slug, _title(known.get(slug), slug, locale), slug in POLICIES)
        for slug in READY
    ]
    own = sorted(
        (page for page in rows if page.slug not in READY),
        key=lambda page: (page.position, page.slug),
    )
    return ready + [_row(page, page.slug, _title(page, page.slug, locale), False) for page in own]


def _row(page: Page | None, slug: str, title: str, is_policy: bool) -> PageRow:
    return PageRow(
        slug=slug,
        title=title,
        is_published=page is not None and page.is_published,
        is_policy=is_policy,
        is_ready_text=slug in READY and (page is None or not page.content),
    )


def _title(page: Page | None, slug: str, locale: str) -> str:
    content = page.content if page is not None else {}
    if locale in content:
        return str(content[locale]["title"])
    if slug in READY:
        return ready_title(slug, locale)
    return next((str(content[other]["title"]) for other in LOCALES if other in content), slug)
