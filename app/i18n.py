"""Words in the reader's language, usable below the web: in rules, jobs and messages.

The locale lives in a context variable. The web layer sets it for each request and a
job sets it from the customer's own language. English is the source language, so a
missing catalogue or a missing sentence reads in English.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import cast

from babel.support import LazyProxy, NullTranslations, Translations

DEFAULT_LOCALE = "en"
LOCALES = ("en", "sw")
TRANSLATIONS_DIR = Path(__file__).parent / "translations"

_locale: ContextVar[str] = ContextVar("locale", default=DEFAULT_LOCALE)


def current_locale() -> str:
    """The language being spoken now, one of ``LOCALES``."""
    return _locale.get()


def set_locale(locale: str) -> None:
    """Speak this language from here on in this context; one we lack becomes English."""
    language = locale.replace("_", "-").split("-")[0].lower()
    _locale.set(language if language in LOCALES else DEFAULT_LOCALE)


@contextmanager
def using_locale(locale: str) -> Iterator[None]:
    """Speak another language inside a ``with`` block, for a message to somebody else."""
    before = current_locale()
    set_locale(locale)
    try:
        yield
    finally:
        set_locale(before)


@lru_cache(maxsize=8)
def _catalogue(locale: str, directory: Path) -> NullTranslations:
    return Translations.load(str(directory), [locale], "messages")


def _translations() -> NullTranslations:
    return _catalogue(current_locale(), TRANSLATIONS_DIR)


def gettext(message: str, /, **values: object) -> str:
    """The message in the current language, with ``%(name)s`` filled in from ``values``.

    Without values nothing is filled in, so a lone percent sign is safe.
    """
    text = _translations().ugettext(message)
    return text % values if values else text


def ngettext(singular: str, plural: str, n: int, /, **values: object) -> str:
    """Like gettext, choosing the form for ``n``; ``%(n)s`` is always available."""
    text = _translations().ungettext(singular, plural, n)
    return text % {"n": n, **values}


def pgettext(context: str, message: str, /, **values: object) -> str:
    """Like gettext, for a message that means different things in different contexts."""
    text = _translations().upgettext(context, message)
    return text % values if values else text


def gettext_lazy(message: str, /, **values: object) -> str:
    """A message translated each time it is shown, in the language of that moment.

    For module constants and error messages. It prints and compares as text;
    call ``str()`` on it before handing it to JSON or to the database.
    """
    return cast(str, LazyProxy(gettext, message, enable_cache=False, **values))


def gettext_noop(message: str) -> str:
    """Marks a message for translation where it is written; it is translated where it is shown."""
    return message
