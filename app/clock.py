"""Instants are UTC; days and hours that people see are Nairobi's.

Every ``datetime`` that enters or leaves this module knows its time zone. A naive one
is refused: guessing would move a shop's evening sales to the wrong day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NAIROBI = ZoneInfo("Africa/Nairobi")


def utcnow() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def nairobi(instant: datetime) -> datetime:
    """The same instant on a Nairobi clock. Raises ValueError for a naive datetime."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(NAIROBI)


def business_day(instant: datetime) -> date:
    """The Nairobi day that the instant falls on; a day runs [00:00, 24:00) EAT."""
    return nairobi(instant).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The Nairobi day as a half-open span of UTC instants: ``start <= at < end``."""
    return at_nairobi(day, time(0)), at_nairobi(day + timedelta(days=1), time(0))


def at_nairobi(day: date, clock_time: time) -> datetime:
    """The UTC instant at which Nairobi's clocks show that day and time."""
    return datetime.combine(day, clock_time, tzinfo=NAIROBI).astimezone(UTC)
