"""What every template can say: amounts, phones, times, translations."""

from __future__ import annotations

from datetime import datetime, timedelta

from babel.dates import format_datetime
from flask import Flask

from app.clock import NAIROBI, nairobi, utcnow
from app.domain.catalog.kinds import in_words
from app.i18n import build, current_locale, gettext, ngettext
from app.ids import new_token
from app.money import format_kes
from app.phones import masked, national


def add_words(app: Flask) -> None:
    """Register filters, globals and the translation functions."""
    build()
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        kes=kes, phone=national, masked=masked, when=when, clock=clock, ready=in_words
    )
    app.jinja_env.globals.update(new_key=new_token, now=utcnow, locale=current_locale)


def kes(amount_cents: int) -> str:
    """``KES 2,450``, never broken over two lines."""
    return format_kes(amount_cents)


def clock(instant: datetime) -> str:
    """The time of a moment on a Nairobi clock: ``14:02``."""
    return f"{nairobi(instant):%H:%M}"


def when(instant: datetime) -> str:
    """A moment on a Nairobi clock: ``Today 14:02``, ``Yesterday 09:30``, ``12 Nov 14:02``."""
    local, today = nairobi(instant), datetime.now(NAIROBI).date()
    if local.date() == today:
        return gettext("Today %(time)s", time=clock(instant))
    if local.date() == today - timedelta(days=1):
        return gettext("Yesterday %(time)s", time=clock(instant))
    return f"{format_datetime(local, 'd MMM', locale=current_locale())} {clock(instant)}"
