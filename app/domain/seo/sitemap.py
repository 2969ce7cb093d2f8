"""A sitemap's files from a list of pages, as sitemaps.org describes them. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
MOST_URLS = 50_000
"""The protocol's limit for one file; a store with more gets an index of files."""

INDEX = "sitemap.xml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One page: its path on the store's host, and when what it shows last changed (UTC)."""

    path: str
    changed_at: datetime | None = None


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
