"""When an order arrives, and saying it: "today by 6 pm", "tomorrow by 1 pm"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from babel.dates import format_date

from app.clock import at_nairobi, business_day, nairobi
from app.i18n import current_locale, gettext, pgettext
from app.money import NO_BREAK_SPACE

DAYS_IN_WEEK = 7
LOOK_AHEAD_DAYS = 60
NOON = time(12)


@dataclass(frozen=True, kw_only=True)
class PromiseTerms:
    """What an area may be promised. Times are on Nairobi clocks.

    ``minutes`` is the least time from order to door; ``closed_weekdays`` counts from
    Monday 0. ``hours`` are the shop's own by weekday: nothing leaves before it opens, and
    what is ordered after it closes leaves another day. Raises ValueError for terms that
    could never be kept.
    """

    minutes: int
    cutoff: time
    today_by: time
    tomorrow_by: time
    closed_weekdays: frozenset[int] = frozenset()
    closed_dates: frozenset[date] = frozenset()
    hours: Mapping[int, tuple[time, time]] = field(default_factory=dict)

    def is_closed(self, day: date) -> bool:
        """Whether nothing leaves on this day."""
        return day.weekday() in self.closed_weekdays or day in self.closed_dates

    def __post_init__(self) -> None:
        if self.minutes < 0:
            raise ValueError("a delivery cannot take less than no time")
        if self.cutoff > self.today_by:
            raise ValueError("the cut-off comes before the hour that is promised")
        if len(self.closed_weekdays & set(range(DAYS_IN_WEEK))) == DAYS_IN_WEEK:
            raise ValueError("one day of the week at least has deliveries")


@dataclass(frozen=True)
class Promise:
    """The latest moment of arrival: ``arrives_by`` in UTC, ``day`` and ``by`` in Nairobi."""

    arrives_by: datetime
    day: date
    by: time


def _terms(minutes: int, cutoff: int, today_by: int, tomorrow_by: int) -> PromiseTerms:
    return PromiseTerms(
        minutes=minutes,
        cutoff=time(cutoff),
        today_by=time(today_by),
        tomorrow_by=time(tomorrow_by),
    )


DEFAULT_PROMISE_TERMS: dict[str, PromiseTerms] = {
    "A": _terms(90, 16, 18, 12),
    "B": _terms(120, 15, 18, 13),
    "C": _terms(150, 15, 18, 13),
    "D": _terms(180, 14, 18, 14),
    "E": _terms(240, 12, 18, 16),
    "F": _terms(360, 10, 18, 18),
}
"""By distance band, what a new store promises until its owner changes it."""


def promise_for(terms: PromiseTerms, placed_at: datetime) -> Promise:
    """When an order placed (and paid) at this instant arrives at the latest.

    The same day when it is placed by the cut-off and can get there in time, else the
    next day with deliveries. An order at exactly the cut-off is in time.
    Raises ValueError for a naive ``placed_at``.
    """
    today = business_day(placed_at)
    same_day = _promise(today, terms.today_by)
    opens, closes = terms.hours.get(today.weekday(), (time.min, time.max))
    begins = max(placed_at, at_nairobi(today, opens))
    if (
        not terms.is_closed(today)
        and placed_at <= at_nairobi(today, min(terms.cutoff, closes))
        and begins + timedelta(minutes=terms.minutes) <= same_day.arrives_by
    ):
        return same_day
    day = today + timedelta(days=1)
    last = today + timedelta(days=LOOK_AHEAD_DAYS)
    while terms.is_closed(day) and day < last:
        day += timedelta(days=1)
    return _promise(day, _first_hour(terms, day))


def _first_hour(terms: PromiseTerms, day: date) -> time:
    """By when a day's first things arrive: as usual, or later where the shop opens late."""
    opens, _ = terms.hours.get(day.weekday(), (time.min, time.max))
    minutes = opens.hour * 60 + opens.minute + terms.minutes
    up = -(-minutes // 30) * 30  # people promise whole and half hours
    soonest = time(up // 60, up % 60) if up < 24 * 60 else time(23, 30)
    return max(terms.tomorrow_by, soonest) if terms.hours else terms.tomorrow_by


def promise_words(promise: Promise, now: datetime) -> str:
    """The promise as it is true at ``now``: "today by 6 pm", "Monday by 1 pm".

    Once the moment has passed it says "was due today by 6 pm". Keep the promise, not
    the words: "tomorrow" is wrong after midnight.
    """
    words = _day_and_hour(promise, now)
    return gettext("was due %(when)s", when=words) if now > promise.arrives_by else words


def time_words(clock_time: time) -> str:
    """A time of day as people say it: "6 pm", "1:30 pm", "12 noon".

    Translators get ``dawn_hour`` too, for Swahili, which counts hours from dawn: six
    in the evening is saa 12 jioni.
    """
    if clock_time == NOON:
        return gettext("12 noon")
    minutes = f":{clock_time.minute:02d}" if clock_time.minute else ""
    hour = f"{clock_time.hour % 12 or 12}{minutes}"
    dawn_hour = f"{(clock_time.hour - 6) % 12 or 12}{minutes}"
    values = {"hour": hour, "dawn_hour": dawn_hour}
    if 4 <= clock_time.hour < 12:
        return pgettext("morning", "%(hour)s am", **values)
    if 12 <= clock_time.hour < 16:
        return pgettext("afternoon", "%(hour)s pm", **values)
    if 16 <= clock_time.hour < 19:
        return pgettext("evening", "%(hour)s pm", **values)
    if clock_time.hour >= 19:
        return pgettext("night", "%(hour)s pm", **values)
    return pgettext("after midnight", "%(hour)s am", **values)


def minutes_words(minutes: int) -> str:
    """``45 min``, ``1 h 10 min``, ``3 h``; never broken over two lines."""
    hours, rest = divmod(minutes, 60)
    parts = [
        gettext("%(n)s h", n=hours) if hours else "",
        gettext("%(n)s min", n=rest) if rest or not hours else "",
    ]
    return " ".join(filter(None, parts)).replace(" ", NO_BREAK_SPACE)


def _promise(day: date, by: time) -> Promise:
    return Promise(at_nairobi(day, by), day, by)


def _day_and_hour(promise: Promise, now: datetime) -> str:
    time_of_day = time_words(promise.by)
    days_ahead = (promise.day - nairobi(now).date()).days
    if days_ahead == 0:
        return gettext("today by %(time)s", time=time_of_day)
    if days_ahead == 1:
        return gettext("tomorrow by %(time)s", time=time_of_day)
    if days_ahead == -1:
        return gettext("yesterday by %(time)s", time=time_of_day)
    pattern = "EEEE" if 1 < days_ahead < DAYS_IN_WEEK else "d MMMM"
    day = format_date(promise.day, pattern, locale=current_locale())
    return gettext("%(day)s by %(time)s", day=day, time=time_of_day)
