"""Kenyan phone numbers: 200 ways to write them, and how they are shown."""

from __future__ import annotations

import csv
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.phones import (
    InvalidPhone,
    masked,
    msisdn_digits,
    national,
    network_hint,
    parse_msisdn,
)

DATA = Path(__file__).parent / "data"


def _rows() -> list[dict[str, str]]:
    with (DATA / "phones.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = _rows()


def _outcome(typed: str) -> str:
    try:
        return parse_msisdn(typed)
    except InvalidPhone as refusal:
        return refusal.reason


@pytest.mark.row("P7", "F1")
def test_the_table_of_inputs_has_at_least_200_rows() -> None:
    assert len(ROWS) >= 200
    assert len({row["typed"] for row in ROWS}) == len(ROWS)


@pytest.mark.row("P7", "F1")
@pytest.mark.parametrize("row", ROWS, ids=[ascii(row["typed"]) for row in ROWS])
def test_what_people_type_is_read_or_refused_with_a_reason(row: dict[str, str]) -> None:
    assert _outcome(row["typed"]) == (row["e164"] or row["refused_because"])


@pytest.mark.row("P7")
@pytest.mark.parametrize("reason", sorted({row["refused_because"] for row in ROWS} - {""}))
def test_every_refusal_says_how_to_write_it(reason: str) -> None:
    typed = next(row["typed"] for row in ROWS if row["refused_because"] == reason)

    with pytest.raises(InvalidPhone) as refusal:
        parse_msisdn(typed)

    assert refusal.value.reason == reason
    assert "0712 345 678" in str(refusal.value)


def test_a_refusal_never_repeats_the_number_because_messages_reach_logs() -> None:
    with pytest.raises(InvalidPhone) as refusal:
        parse_msisdn("0799 888 777 ext 4")

    assert "888" not in str(refusal.value)
    assert "888" not in repr(refusal.value)


@pytest.mark.row("W51")
@pytest.mark.parametrize(
    ("e164", "shown", "hidden"),
    [
        ("+254712345678", "0712 345 678", "07•• ••• 678"),
        ("+254112345009", "0112 345 009", "01•• ••• 009"),
    ],
)
def test_a_number_is_shown_as_written_here_or_masked(e164: str, shown: str, hidden: str) -> None:
    assert national(e164) == shown
    assert masked(e164) == hidden
    assert msisdn_digits(e164) == e164[1:]


@pytest.mark.row("W51")
@given(st.integers(min_value=0, max_value=99_999_999), st.sampled_from("17"))
def test_a_mask_shows_four_digits_of_the_number_at_most(rest: int, first: str) -> None:
    shown = masked(f"+254{first}{rest:08d}")

    assert sum(char.isdigit() for char in shown) == 5
    assert shown == f"0{first}•• ••• {rest:08d}"[:9] + f"{rest:08d}"[-3:]


def test_a_foreign_contact_number_keeps_its_country_and_is_masked() -> None:
    assert national("+447700900123") == "+44 7700 900123"
    assert masked("+447700900123") == "+44 ••• 123"
    with pytest.raises(ValueError, match="Kenyan"):
        msisdn_digits("+447700900123")


@pytest.mark.row("P7")
@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row["note"].startswith("prefix of ")],
    ids=lambda row: row["typed"],
)
def test_the_first_three_digits_hint_at_the_network(row: dict[str, str]) -> None:
    assert network_hint(row["e164"]) == row["note"].removeprefix("prefix of ")


@pytest.mark.row("F1")
@given(st.text(max_size=30))
def test_any_text_is_a_valid_kenyan_mobile_or_a_refusal(typed: str) -> None:
    try:
        e164 = parse_msisdn(typed)
    except InvalidPhone:
        return
    number = phonenumbers.parse(e164)
    assert number.country_code == 254
    assert phonenumbers.is_valid_number(number)
    assert e164[4] in "17"


@pytest.mark.row("F1")
@given(st.from_regex(r"\A[0-9+() .-]{0,22}\Z"))
def test_no_digit_is_dropped_to_make_a_number(typed: str) -> None:
    outcome = _outcome(typed)
    if outcome.startswith("+"):
        digits = "".join(char for char in typed if char.isdigit())
        assert digits.lstrip("0").removeprefix("254").removeprefix("0") == outcome[4:]
