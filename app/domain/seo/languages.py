"""One page, one address for each language: ``?lang=sw`` asks for Swahili, nothing for English."""

from __future__ import annotations

from app.i18n import DEFAULT_LOCALE, LOCALES

ANY = "x-default"


def in_language(url: str, locale: str) -> str:
    """The address of a page in one language. ``url`` carries no question of its own."""
    return url if locale == DEFAULT_LOCALE else f"{url}?lang={locale}"


def alternates(url: str) -> list[tuple[str, str]]:
    """What search engines may offer instead: (language, address), and the one for any other."""
    return [*((locale, in_language(url, locale)) for locale in LOCALES), (ANY, url)]
