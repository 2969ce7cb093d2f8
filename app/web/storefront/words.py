"""What the storefront's templates say about stock, fees and opening hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from babel.dates import get_day_names
from flask import g, get_flashed_messages

from app.clock import nairobi, utcnow
from app.domain.catalog.models import LOW_STOCK
from app.domain.delivery.promises import time_words
from app.domain.delivery.queries import WEEKDAYS, FeePreview
from app.domain.stores.models import Store
from app.i18n import current_locale
from app.i18n import gettext as _
from app.money import NO_BREAK_SPACE, format_kes

SAID = "said"  # flashed sentences for the next page of the shop


def said_before() -> list[str]:
    """What the tap that led to this page has to say, once."""
    return [str(sentence) for sentence in get_flashed_messages(category_filter=[SAID])]


@dataclass(frozen=True)
class Opening:
    """Whether the shop is open now, and what that means in words."""

    is_open: bool
    words: str


def storefront_words() -> dict[str, Callable[..., Any] | Any]:
    """The context of every storefront template; empty where no store is bound."""
    store = g.get("store")
    if store is None:
        return {}
    now = utcnow()
    return {
        "opening": opening(store.opening_hours, now, store.closed_dates),
        "hours": hours_words(store.opening_hours),
        "fee_words": fee_words,
        "stock_words": stock_words,
        "stock_class": stock_class,
        "look": look_class(store),
        "break_words": break_words(store, now),
        "page_links": page_links(store),
    }


def look_class(store: Store) -> str:
    """The classes of the whole page for the owner's choices; none for the usual look."""
    chosen = {
        "tight": store.density == "tight",
        "as-list": store.home_layout == "list",
        "as-pictures": store.home_layout == "pictures",
        "square": store.corners == "square",
    }
    return " ".join(name for name, is_chosen in chosen.items() if is_chosen)


def break_words(store: Store, now: datetime) -> str:
    """Why nobody can order now, and until when as far as the shop said; empty when they can."""
    if store.takes_orders(now):
        return ""
    words = store.paused_words or _("This shop is taking a short break.")
    if store.paused_until is None or store.status != "paused":
        return words
    back = nairobi(store.paused_until)
    day = day_words(back.date(), nairobi(now).date())
    return f"{words} " + _(
        "You can order again %(day)s at %(time)s.", day=day, time=clock_words(back.time())
    )


def page_links(store: Store) -> list[tuple[str, str]]:
    """The shop's own pages for the foot: address and title in this language, else in the other."""
    locale = current_locale()
    return [
        (f"/pages/{link['slug']}", link.get(locale) or link.get("en") or link.get("sw") or "")
        for link in store.page_links or ()
    ]


def fee_words(preview: FeePreview) -> str:
    """``KES 250, today by 6 pm``."""
    fee = format_kes(preview.fee_cents) if preview.fee_cents else _("Free")
    return f"{fee}, {preview.promise_text}" if preview.promise_text else fee


def stock_words(stock: int) -> str:
    """How many can be bought, as far as that helps: a number only when it is small."""
    if stock < 1:
        return _("Sold out")
    if stock <= LOW_STOCK:
        return _("Only %(n)s left", n=stock)
    return _("In stock, %(n)s left", n=stock) if stock <= 10 else _("In stock")


def stock_class(stock: int) -> str:
    return "stock-out" if stock < 1 else "stock-low" if stock <= LOW_STOCK else ""


def opening(
    opening_hours: dict[str, Any], now: datetime, closed_dates: frozenset[date] = frozenset()
) -> Opening | None:
    """Open or closed at this instant, on a Nairobi clock; None for a shop that says no hours."""
    local = nairobi(now)
    spans = {day: _span(opening_hours.get(day)) for day in WEEKDAYS}
    if not any(spans.values()):
        return None
    today = spans[WEEKDAYS[local.weekday()]] if local.date() not in closed_dates else None
    if today and today[0] <= local.time() < today[1]:
        return Opening(True, _("Open until %(time)s", time=clock_words(today[1])))
    if today and local.time() < today[0]:
        return Opening(False, _("Closed now. Opens %(time)s", time=clock_words(today[0])))
    for ahead in range(1, 31):
        date_ahead = local.date() + timedelta(days=ahead)
        span = spans[WEEKDAYS[date_ahead.weekday()]]
        if span and date_ahead not in closed_dates:
            name = _("tomorrow") if ahead == 1 else weekday_name(date_ahead.weekday())
            if ahead > 7:
                name = f"{name} {date_ahead.day}"
            return Opening(
                False, _("Closed now. Opens %(day)s, %(time)s", day=name, time=clock_words(span[0]))
            )
    return None


def hours_words(opening_hours: dict[str, Any]) -> str:
    """``Monday to Saturday, 8 am to 7 pm``, with further groups after a semicolon."""
    groups: list[tuple[int, int, tuple[time, time]]] = []
    for number, day in enumerate(WEEKDAYS):
        span = _span(opening_hours.get(day))
        if span is None:
            continue
        if groups and groups[-1][1] == number - 1 and groups[-1][2] == span:
            groups[-1] = (groups[-1][0], number, span)
        else:
            groups.append((number, number, span))
    words = []
    for first, last, (opens, closes) in groups:
        days = (
            weekday_name(first)
            if first == last
            else _("%(first)s to %(last)s", first=weekday_name(first), last=weekday_name(last))
        )
        words.append(
            _(
                "%(days)s, %(opens)s to %(closes)s",
                days=days,
                opens=clock_words(opens),
                closes=clock_words(closes),
            )
        )
    return "; ".join(words)


def day_words(day: date, today: date) -> str:
    """``today``, ``tomorrow``, or the day's name and date."""
    if day == today:
        return _("today")
    if day == today + timedelta(days=1):
        return _("tomorrow")
    return f"{weekday_name(day.weekday())} {day.day}"


def clock_words(clock: time) -> str:
    """``7 pm``, ``7:30 am``, in Swahili ``saa 1 usiku``. No-break spaces keep it together."""
    return time_words(clock).replace(" ", NO_BREAK_SPACE)


def _span(hours: Any) -> tuple[time, time] | None:
    """A day's hours as saved, ``["08:00", "19:00"]``; None when closed or unreadable."""
    if not isinstance(hours, list | tuple) or len(hours) != 2:
        return None
    try:
        return time.fromisoformat(str(hours[0])), time.fromisoformat(str(hours[1]))
    except ValueError:
        return None


def weekday_name(number: int) -> str:
    """The day's name in the reader's language; Monday is 0."""
    return _day_names(current_locale())[number]


@lru_cache(maxsize=8)
def _day_names(locale: str) -> dict[int, str]:
    return {number: str(name) for number, name in get_day_names("wide", locale=locale).items()}
