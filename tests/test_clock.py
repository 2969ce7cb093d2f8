"""Instants in UTC, days in Nairobi."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import business_day, day_bounds, nairobi, utcnow


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        pytest.param(datetime(2026, 3, 1, 20, 59, 59, tzinfo=UTC), date(2026, 3, 1), id="23:59"),
        pytest.param(datetime(2026, 3, 1, 21, 0, tzinfo=UTC), date(2026, 3, 2), id="midnight"),
    ],
)
def test_a_business_day_turns_at_midnight_in_nairobi(instant: datetime, day: date) -> None:
    assert business_day(instant) == day


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_instant_is_inside_its_own_day_only(instant: datetime) -> None:
    start, end = day_bounds(business_day(instant))

    assert start <= instant < end
    assert end - start == timedelta(days=1)
    assert business_day(end) == business_day(instant) + timedelta(days=1)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        business_day(datetime(2026, 3, 1))  # noqa: DTZ001


def test_now_knows_its_zone() -> None:
    assert utcnow().utcoffset() == timedelta(0)
    assert nairobi(utcnow()).utcoffset() == timedelta(hours=3)
