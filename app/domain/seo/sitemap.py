"""A sitemap's files from a list of pages, as sitemaps.org describes them. Pure text.

Every page is there once for each language, and each names the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from app.domain.seo.languages import alternates, in_language
from app.i18n import LOCALES

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
XHTML = "http://www.w3.org/1999/xhtml"
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
    pages_a_file = most // len(LOCALES)
    if len(pages) <= pages_a_file:
        return {INDEX: _url_set(pages, base_url)}
    parts = [pages[start : start + pages_a_file] for start in range(0, len(pages), pages_a_file)]
    files = {f"sitemap-{n}.xml": _url_set(part, base_url) for n, part in enumerate(parts, 1)}
    entries = [
        f"<sitemap><loc>{escape(base_url)}/sitemap-{n}.xml</loc>{_changed(_newest(part))}</sitemap>"
        for n, part in enumerate(parts, 1)
    ]
    return {INDEX: _document("sitemapindex", entries), **files}


def _url_set(pages: Sequence[Address], base_url: str) -> str:
    entries = [entry for page in pages for entry in _entries(page, base_url)]
    return _document("urlset", entries, f' xmlns:xhtml="{XHTML}"')


def _entries(page: Address, base_url: str) -> Iterator[str]:
    url = escape(base_url + page.path)
    # The schema wants the links of other namespaces after our own elements.
    rest = _changed(page.changed_at) + "".join(
        f'<xhtml:link rel="alternate" hreflang="{language}" href="{address}"/>'
        for language, address in alternates(url)
    )
    for locale in LOCALES:
        yield f"<url><loc>{in_language(url, locale)}</loc>{rest}</url>"


def _document(tag: str, entries: Sequence[str], more: str = "") -> str:
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<{tag} xmlns="{NAMESPACE}"{more}>',
            *entries,
            f"</{tag}>",
            "",
        ]
    )


def _changed(at: datetime | None) -> str:
    return f"<lastmod>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</lastmod>" if at else ""


def _newest(pages: Sequence[Address]) -> datetime | None:
    return max((page.changed_at for page in pages if page.changed_at), default=None)
