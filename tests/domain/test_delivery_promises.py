"""When an order arrives, and the words for it as the hours pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import at_nairobi, business_day
from app.domain.delivery.areas import BANDS
from app.domain.delivery.promises import (
    DEFAULT_PROMISE_TERMS,
    PromiseTerms,
    promise_for,
    promise_words,
    time_words,
)

MONDAY = date(2026, 3, 2)
TERMS = PromiseTerms(minutes=120, cutoff=time(15), today_by=time(18), tomorrow_by=time(13))


def _at(hour: int, minute: int = 0, day: date = MONDAY) -> datetime:
    return at_nairobi(day, time(hour, minute))


@pytest.mark.row("N26")
@pytest.mark.parametrize(
    ("placed_at", "words"),
    [
        pytest.param(_at(0, 30), "today by 6 pm", id="after midnight"),
        pytest.param(_at(9), "today by 6 pm", id="in the morning"),
        pytest.param(_at(15), "today by 6 pm", id="the cut-off itself"),
        pytest.param(_at(15, 1), "tomorrow by 1 pm", id="a minute late"),
        pytest.param(_at(23, 59), "tomorrow by 1 pm", id="just before midnight"),
    ],
)
def test_an_order_is_promised(placed_at: datetime, words: str) -> None:
    assert promise_words(promise_for(TERMS, placed_at), placed_at) == words


@pytest.mark.row("N26")
@pytest.mark.parametrize(
    ("now", "words"),
    [
        (_at(16), "tomorrow by 1 pm"),
        (_at(8, day=date(2026, 3, 3)), "today by 1 pm"),
        (_at(13, day=date(2026, 3, 3)), "today by 1 pm"),
        (_at(14, day=date(2026, 3, 3)), "was due today by 1 pm"),
        (_at(9, day=date(2026, 3, 4)), "was due yesterday by 1 pm"),
        (_at(9, day=date(2026, 3, 9)), "was due 3 March by 1 pm"),
    ],
)
def test_the_words_stay_true_as_time_passes(now: datetime, words: str) -> None:
    promise = promise_for(TERMS, _at(16))

    assert promise.arrives_by == datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
    assert promise_words(promise, now) == words


def test_an_order_that_cannot_get_there_in_time_goes_tomorrow() -> None:
    slow = PromiseTerms(minutes=240, cutoff=time(15), today_by=time(18), tomorrow_by=time(13))

    assert promise_for(slow, _at(14)).day == MONDAY
    assert promise_for(slow, _at(14, 1)).day == MONDAY + timedelta(days=1)


def test_a_day_without_deliveries_is_skipped_and_named() -> None:
    no_sundays = PromiseTerms(
        minutes=120,
        cutoff=time(15),
        today_by=time(18),
        tomorrow_by=time(13),
        closed_weekdays=frozenset({6}),
    )
    saturday_evening = _at(19, day=date(2026, 3, 7))

    promise = promise_for(no_sundays, saturday_evening)

    assert promise_words(promise, saturday_evening) == "Monday by 1 pm"
    assert promise_for(no_sundays, _at(9, day=date(2026, 3, 8))).day == date(2026, 3, 9)


@pytest.mark.parametrize(
    ("clock_time", "words"),
    [
        (time(18), "6 pm"),
        (time(13, 30), "1:30 pm"),
        (time(12), "12 noon"),
        (time(0), "12 am"),
        (time(6, 5), "6:05 am"),
        (time(21), "9 pm"),
    ],
)
def test_a_time_is_said_as_people_say_it(clock_time: time, words: str) -> None:
    assert time_words(clock_time) == words


@pytest.mark.parametrize(
    "terms",
    [
        {"minutes": -1},
        {"cutoff": time(19)},
        {"closed_weekdays": frozenset(range(7))},
    ],
)
def test_terms_that_cannot_be_kept_are_refused(terms: dict[str, object]) -> None:
    usual = {
        "minutes": 120,
        "cutoff": time(15),
        "today_by": time(18),
        "tomorrow_by": time(13),
    }
    with pytest.raises(ValueError, match=r"."):
        PromiseTerms(**{**usual, **terms})  # type: ignore[arg-type]


@pytest.mark.row("N26")
@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(BANDS),
)
def test_a_promise_is_always_ahead_and_within_two_days(placed_at: datetime, band: str) -> None:
    terms = DEFAULT_PROMISE_TERMS[band]

    promise = promise_for(terms, placed_at)

    assert placed_at + timedelta(minutes=terms.minutes) <= promise.arrives_by
    assert promise.arrives_by - placed_at < timedelta(days=2)
    assert business_day(promise.arrives_by) == promise.day
    assert promise_words(promise, placed_at).split()[0] in {"today", "tomorrow"}
