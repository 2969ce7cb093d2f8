"""Words in the reader's language, usable below the web: in rules, jobs and messages.

The locale lives in a context variable. The web layer sets it for each request and a
job sets it from the customer's own language. English is the source language, so a
missing catalogue or a missing sentence reads in English.

People edit ``messages.po``; a process reads the compiled ``messages.mo`` beside it, in a few
milliseconds and only when somebody speaks that language. ``build()`` compiles what changed: a
process does so when it starts, the image once when it is made.
"""

from __future__ import annotations

import hashlib
import io
import os
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
FINGERPRINT = "_fingerprint"
"""The entry of a compiled catalogue that says which state of the ``.po`` it was made from."""

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


def build(directory: Path | None = None) -> None:
    """Compile every catalogue that changed since it was compiled last."""
    for source in sorted((directory or TRANSLATIONS_DIR).glob("*/LC_MESSAGES/messages.po")):
        compiled = source.with_suffix(".mo")
        if not _is_made_from(source, compiled):
            _write_whole(compiled, _compile(source))


def _is_made_from(source: Path, compiled: Path) -> bool:
    """Whether this compiled file was made from the source as it is now."""
    try:
        with compiled.open("rb") as file:
            made_from = Translations(file).ugettext(FINGERPRINT)
    except OSError:
        return False
    return made_from == _fingerprint(source)


def _fingerprint(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


def _compile(source: Path) -> bytes:
    # Most processes never compile, and the reader of .po files is large.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        catalogue = read_po(file, locale=source.parts[-3], ignore_obsolete=True)
    catalogue.add(FINGERPRINT, _fingerprint(source))
    target = io.BytesIO()
    write_mo(target, catalogue)
    return target.getvalue()


def _write_whole(compiled: Path, data: bytes) -> None:
    """A process that starts meanwhile reads the old file or the new one."""
    new = compiled.with_suffix(f".{os.getpid()}")
    new.write_bytes(data)
    new.replace(compiled)


@lru_cache(maxsize=8)
def _catalogue(locale: str, directory: Path) -> NullTranslations:
    return Translations.load(str(directory), [locale], "messages")


_SOURCE = NullTranslations()


def _translations() -> NullTranslations:
    locale = current_locale()
    return _SOURCE if locale == DEFAULT_LOCALE else _catalogue(locale, TRANSLATIONS_DIR)


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
