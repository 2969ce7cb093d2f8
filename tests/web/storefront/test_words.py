from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.web.storefront.words import hours_words, opening, stock_words

WEEK = {day: ["08:00", "19:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat")}


@pytest.mark.parametrize(
    ("utc", "is_open", "words"),
    [
        pytest.param("2026-11-20 05:00", True, "Open until 7 pm", id="opening time itself is open"),
        pytest.param(
            "2026-11-20 16:00", False, "Closed now. Opens tomorrow, 8 am", id="7 pm is closed"
        ),
        pytest.param("2026-11-20 04:59", False, "Closed now. Opens 8 am", id="a minute too early"),
        pytest.param(
            "2026-11-21 17:00", False, "Closed now. Opens Monday, 8 am", id="over the Sunday"
        ),
    ],
)
def test_open_or_closed_at_this_minute(utc: str, is_open: bool, words: str) -> None:
    now = datetime.strptime(utc, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    said = opening(WEEK, now)
    assert said is not None
    assert (said.is_open, said.words.replace("\N{NO-BREAK SPACE}", " ")) == (is_open, words)


def test_days_with_the_same_hours_are_said_together() -> None:
    said = hours_words(WEEK | {"sun": ["10:00", "15:30"]}).replace("\N{NO-BREAK SPACE}", " ")
    assert said == "Monday to Saturday, 8 am to 7 pm; Sunday, 10 am to 3:30 pm"
    assert hours_words({"mon": "nonsense"}) == ""
    assert opening({}, datetime.now(UTC)) is None


def test_stock_is_a_number_only_when_it_is_small() -> None:
    assert [stock_words(n) for n in (0, 2, 7, 70)] == [
        "Sold out",
        "Only 2 left",
        "In stock, 7 left",
        "In stock",
    ]
