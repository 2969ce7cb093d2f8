"""Writing the shop's own pages. Every change can be taken back, and shows at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import FieldProblem, NotFound
from app.domain.pages.blocks import MOST_BLOCKS, Block, clean_block
from app.domain.pages.models import Page
from app.domain.pages.queries import find_page
from app.domain.pages.ready import POLICIES, READY, ready_title
from app.domain.stores.models import Store
from app.i18n import LOCALES
from app.i18n import gettext_lazy as _

MOST_PAGES = 40
OWN_PAGES_FROM = 100

_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9]){1,39}")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def add_page(session: Session, *, title: str, slug: str, locale: str, actor: str) -> Page:
    """Begin a page of the shop's own, not yet shown. Raises FieldProblem. Does not commit."""
    slug = slug or _NOT_SLUG.sub("-", title.lower()).strip("-")[:40].strip("-")
    if not title:
        raise FieldProblem("title", _("A page needs a title."))
    if not _SLUG.fullmatch(slug):
        raise FieldProblem("slug", _("Use 2 to 40 small letters and digits, like size-guide."))
    if slug in READY or find_page(session, slug) is not None:
        raise FieldProblem("slug", _("You have a page with that address already."))
    count = session.scalar(select(func.count()).where(Page.store_id == bound_store())) or 0
    if count >= MOST_PAGES:
        raise FieldProblem("title", _("A shop has at most %(n)s pages.", n=MOST_PAGES))
    page = Page(
        slug=slug,
        content={locale: {"title": title, "blocks": []}},
        position=OWN_PAGES_FROM + count,
    )
    session.add(page)
    session.flush()
    remember(session, "page", subject=slug, actor=actor, before={}, after=_whole(page))
    return page


def save_page(
    session: Session,
    slug: str,
    *,
    locale: str,
    title: str,
    blocks: Iterable[Mapping[str, Any]],
    is_published: bool,
    actor: str,
) -> Change | None:
    """Save a page's words in one language, cleaned. Returns None when nothing differs.

    Raises NotFound, FieldProblem. Does not commit.
    """
    if not title:
        raise FieldProblem("title", _("A page needs a title."))
    cleaned: list[Block] = [b for block in blocks if (b := clean_block(block))]
    if len(cleaned) > MOST_BLOCKS:
        raise FieldProblem("title", _("A page has at most %(n)s parts.", n=MOST_BLOCKS))
    page, before = _page_to_change(session, slug)
    page.content = {**page.content, locale: {"title": title, "blocks": cleaned}}
    page.is_published = is_published
    return _keep(session, page, before, actor)


def use_ready_text(session: Session, slug: str, *, locale: str, actor: str) -> Change | None:
    """Forget the shop's own words of a ready page in one language. Raises NotFound."""
    if slug not in READY:
        raise NotFound
    page, before = _page_to_change(session, slug)
    page.content = {name: words for name, words in page.content.items() if name != locale}
    return _keep(session, page, before, actor)


def remove_page(session: Session, slug: str, *, actor: str) -> Change | None:
    """Take away a page of the shop's own; a ready one can only be hidden. Raises NotFound."""
    page = find_page(session, slug)
    if page is None or slug in READY:
        raise NotFound
    before = _whole(page)
    session.delete(page)
    session.flush()
    _show_in_foot(session)
    return remember(session, "page", subject=slug, actor=actor, before=before, after={})


def publish_pages(session: Session, wanted: Mapping[str, bool], *, actor: str) -> Change | None:
    """Show or hide pages by their address; addresses that are no page are passed over.

    Returns None when nothing differs. Does not commit.
    """
    before, after = {}, {}
    for slug, is_published in sorted(wanted.items()):
        page = find_page(session, slug)
        if page is None and (slug not in READY or not is_published):
            continue
        was = page is not None and page.is_published
        if was != is_published:
            before[slug], after[slug] = was, is_published
            _publish(session, slug, is_published)
    _show_in_foot(session)
    return remember(session, "pages", actor=actor, before=before, after=after)


@puts_back("pages")
def _put_back_pages(session: Session, change: Change) -> None:
    for slug, is_published in change.after.items():
        page = find_page(session, slug)
        if page is None or page.is_published != is_published:
            raise ChangedSince
    for slug, was in change.before.items():
        _publish(session, slug, was)
    _show_in_foot(session)


@puts_back("page")
def _put_back_page(session: Session, change: Change) -> None:
    page = find_page(session, change.subject)
    if (_whole(page) if page is not None else {}) != change.after:
        raise ChangedSince
    if not change.before:
        if page is not None:
            session.delete(page)
    elif page is None:
        session.add(Page(slug=change.subject, **change.before))
    else:
        for name, value in change.before.items():
            setattr(page, name, value)
    session.flush()
    _show_in_foot(session)


def _page_to_change(session: Session, slug: str) -> tuple[Page, dict[str, Any]]:
    """The page's row, made when a ready page has none yet, and what was there before."""
    page = session.scalar(
        select(Page).where(Page.store_id == bound_store(), Page.slug == slug).with_for_update()
    )
    if page is not None:
        return page, _whole(page)
    if slug not in READY:
        raise NotFound
    return _new_ready_page(session, slug), {}


def _new_ready_page(session: Session, slug: str) -> Page:
    kind = "policy" if slug in POLICIES else "page"
    page = Page(slug=slug, kind=kind, content={}, is_published=False, position=READY.index(slug))
    session.add(page)
    session.flush()
    return page


def _publish(session: Session, slug: str, is_published: bool) -> None:
    page, _before = _page_to_change(session, slug)
    page.is_published = is_published
    page.changed_at = func.now()
    session.flush()


def _keep(session: Session, page: Page, before: dict[str, Any], actor: str) -> Change | None:
    after = _whole(page)
    if after == before:
        return None
    page.changed_at = func.now()
    session.flush()
    _show_in_foot(session)
    return remember(session, "page", subject=page.slug, actor=actor, before=before, after=after)


def _whole(page: Page) -> dict[str, Any]:
    return {
        "kind": page.kind,
        "content": page.content,
        "is_published": page.is_published,
        "position": page.position,
    }


def _show_in_foot(session: Session) -> None:
    """Write the published pages' titles on the store's row, which every page reads anyway."""
    session.flush()
    pages = session.scalars(
        select(Page)
        .where(Page.store_id == bound_store(), Page.is_published)
        .order_by(Page.position, Page.slug)
    )
    links = [{"slug": page.slug, **_titles(page)} for page in pages]
    session.execute(
        update(Store)
        .where(Store.id == bound_store())
        .values(page_links=links)
        .execution_options(synchronize_session=False)
    )
    touch_content(session)


def _titles(page: Page) -> dict[str, str]:
    titles = {}
    for locale in LOCALES:
        if locale in page.content:
            titles[locale] = str(page.content[locale]["title"])
        elif page.slug in READY:
            titles[locale] = ready_title(page.slug, locale)
    return titles
