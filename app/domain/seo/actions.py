"""Writing a store's sitemap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.seo.models import Sitemap
from app.domain.seo.queries import Address, addresses
from app.domain.stores.models import Store

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
MOST_URLS = 50_000
"""The protocol's limit for one file; a store with more gets an index of files."""

INDEX = "sitemap.xml"


def write_sitemap(session: Session, store: Store, base_url: str) -> int:
    """Write the store's sitemap as it should be now, and return how many addresses it has.

    ``base_url`` is the store's own address without a slash at the end. Running it again
    writes the same; goods that are no longer on sale are gone from it.
    """
    pages = addresses(session)
    files = sitemap_files(pages, base_url)
    counts = {name: body.count("<url>") for name, body in files.items()}
    statement = insert(Sitemap).values(
        [
            {
                "store_id": bound_store(),
                "name": name,
                "body": body,
                "urls": counts[name],
                "content_version": store.content_version,
                "made_at": func.clock_timestamp(),
            }
            for name, body in files.items()
        ]
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["store_id", "name"],
            set_={
                column: statement.excluded[column]
                for column in ("body", "urls", "content_version", "made_at")
            },
        )
    )
    session.execute(
        delete(Sitemap).where(Sitemap.store_id == bound_store(), Sitemap.name.not_in(list(files)))
    )
    return len(pages)


def sitemap_files(
    pages: Sequence[Address], base_url: str, *, most: int = MOST_URLS
) -> dict[str, str]:
    """The files of a sitemap by name: one, or an index and its parts when there are too many."""
    if len(pages) <= most:
        return {INDEX: _url_set(pages, base_url)}
    parts = [pages[start : start + most] for start in range(0, len(pages), most)]
    files = {f"sitemap-{n}.xml": _url_set(part, base_url) for n, part in enumerate(parts, 1)}
    entries = [
        _entry("sitemap", f"{base_url}/sitemap-{n}.xml", _newest(part))
        for n, part in enumerate(parts, 1)
    ]
    return {INDEX: _document("sitemapindex", entries), **files}


def _url_set(pages: Sequence[Address], base_url: str) -> str:
    return _document(
        "urlset", [_entry("url", base_url + page.path, page.changed_at) for page in pages]
    )


def _document(tag: str, entries: Sequence[str]) -> str:
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<{tag} xmlns="{NAMESPACE}">',
            *entries,
            f"</{tag}>",
            "",
        ]
    )


def _entry(tag: str, url: str, changed_at: datetime | None) -> str:
    changed = (
        f"<lastmod>{changed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</lastmod>" if changed_at else ""
    )
    return f"<{tag}><loc>{escape(url)}</loc>{changed}</{tag}>"


def _newest(pages: Sequence[Address]) -> datetime | None:
    return max((page.changed_at for page in pages if page.changed_at), default=None)
