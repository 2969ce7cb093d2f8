"""What every template can say: amounts, phones, times, translations."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from babel.dates import format_date
from flask import Flask
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from app.clock import NAIROBI, nairobi, utcnow
from app.domain.catalog.kinds import in_words
from app.i18n import build, current_locale, gettext, ngettext, pgettext
from app.ids import new_token
from app.money import format_kes
from app.phones import masked, national


def add_words(app: Flask) -> None:
    """Register filters, globals and the translation functions."""
    build()
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext, ngettext, newstyle=True, pgettext=pgettext
    )
    # What the extension installs says the same in three calls a word, and a page has forty words.
    app.jinja_env.globals.update(gettext=say, _=say)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        kes=kes, phone=national, masked=masked, when=when, clock=clock, ready=in_words
    )
    app.jinja_env.globals.update(new_key=new_token, now=utcnow, locale=current_locale)


@pass_eval_context
def say(context: EvalContext, message: str, /, **values: object) -> str:
    """A sentence of a template in the reader's language. What is filled in is escaped."""
    text = gettext(message)
    if not context.autoescape:
        return text % values
    return Markup(text) % values if values else _marked(text)  # noqa: S704 - our own sentence


@lru_cache(maxsize=4096)
def _marked(text: str) -> Markup:
    return Markup(text) % {}  # noqa: S704 - our own sentence


def kes(amount_cents: int) -> str:
    """``KES 2,450``, never broken over two lines."""
    return format_kes(amount_cents)


def clock(instant: datetime) -> str:
    """The time of a moment on a Nairobi clock: ``14:02``."""
    return f"{nairobi(instant):%H:%M}"


def when(instant: datetime) -> str:
    """A moment on a Nairobi clock: ``Today 14:02``, ``Yesterday 09:30``, ``12 Nov 14:02``.

    The year is said when it is another one.
    """
    local, today = nairobi(instant), datetime.now(NAIROBI).date()
    if local.date() == today:
        return gettext("Today %(time)s", time=clock(instant))
    if local.date() == today - timedelta(days=1):
        return gettext("Yesterday %(time)s", time=clock(instant))
    pattern = "d MMM" if local.year == today.year else "d MMM y"
    return f"{_day(local.date(), pattern, current_locale())} {clock(instant)}"


@lru_cache(maxsize=1024)
def _day(day: date, pattern: str, locale: str) -> str:
    """A list of a hundred moments names few days, and to write one takes as long as its row."""
    return format_date(day, pattern, locale=locale)
