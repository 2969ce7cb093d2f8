"""Cents: shown, typed, rounded once and taxed, always in whole numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import (
    MAX_TYPED_CENTS,
    InvalidAmount,
    format_kes,
    parse_kes,
    round_to_shilling,
    vat_included_cents,
    whole_shillings,
)

CENTS = st.integers(min_value=0, max_value=250_000_00)


@pytest.mark.parametrize(
    ("amount_cents", "text"),
    [
        (0, "KES\u00a00"),
        (2_450_00, "KES\u00a02,450"),
        (1_250_50, "KES\u00a01,250.50"),
        (5, "KES\u00a00.05"),
        (-300_00, "-KES\u00a0300"),
        (1_234_567_00, "KES\u00a01,234,567"),
    ],
)
def test_an_amount_is_written_for_people(amount_cents: int, text: str) -> None:
    assert format_kes(amount_cents) == text


def test_whole_shillings_are_never_rounded() -> None:
    assert whole_shillings(2_450_00) == 2450
    with pytest.raises(ValueError, match="245050"):
        whole_shillings(2_450_50)


@pytest.mark.parametrize(
    ("typed", "amount_cents"),
    [
        ("KSh 1,200", 1_200_00),
        ("1200.50", 1_200_50),
        ("KES 350 /-", 350_00),
        ("KES350/=", 350_00),
        ("Kshs. 4,500/=", 4_500_00),
        ("Sh.50", 50_00),
        ("1 200", 1_200_00),
        ("12,500 bob", 12_500_00),
        ("KES\u00a02,450", 2_450_00),
        ("1200.5", 1_200_50),
        ("  949 ", 949_00),
        ("1,234,567", 1_234_567_00),
        ("0", 0),
    ],
)
def test_what_people_type_becomes_cents(typed: str, amount_cents: int) -> None:
    assert parse_kes(typed) == amount_cents


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("-5", "negative"),
        ("KES -5", "negative"),
        ("\u2212300", "negative"),
        ("599 - 799", "range"),
        ("KSh 599 - KSh 799", "range"),
        ("500 to 700", "range"),
        ("100\u2013200", "range"),
        ("99999999999999", "too_large"),
        ("1,20", "not_a_number"),
        ("1.250", "not_a_number"),
        ("1200,50", "not_a_number"),
        ("1,2000", "not_a_number"),
        ("1e3", "not_a_number"),
        ("12k", "not_a_number"),
        ("free", "not_a_number"),
        ("nan", "not_a_number"),
        ("USD 5", "not_a_number"),
        ("١٢٠", "not_a_number"),
        ("9" * 500, "not_a_number"),
        ("1\x00", "not_a_number"),
    ],
)
def test_what_could_be_read_two_ways_is_refused(typed: str, reason: str) -> None:
    with pytest.raises(InvalidAmount, match="1,200") as refusal:
        parse_kes(typed)
    assert refusal.value.reason == reason


@given(CENTS)
def test_what_we_show_can_be_typed_back(amount_cents: int) -> None:
    assert parse_kes(format_kes(amount_cents)) == amount_cents


@given(st.text(max_size=60))
def test_any_text_is_an_amount_or_a_refusal(typed: str) -> None:
    try:
        amount_cents = parse_kes(typed)
    except InvalidAmount:
        return
    assert 0 <= amount_cents <= MAX_TYPED_CENTS


@pytest.mark.parametrize(
    ("amount_cents", "payable_cents", "rounding_cents"),
    [(1_00, 1_00, 0), (1_49, 1_00, -49), (1_50, 2_00, 50), (1_51, 2_00, 49), (0, 0, 0)],
)
def test_half_a_shilling_goes_up(
    amount_cents: int, payable_cents: int, rounding_cents: int
) -> None:
    assert round_to_shilling(amount_cents) == (payable_cents, rounding_cents)


@given(CENTS)
def test_rounding_is_a_line_that_adds_up(amount_cents: int) -> None:
    rounded = round_to_shilling(amount_cents)

    assert rounded.payable_cents % 100 == 0
    assert amount_cents + rounded.rounding_cents == rounded.payable_cents
    assert -49 <= rounded.rounding_cents <= 50
    assert whole_shillings(rounded.payable_cents) * 100 == rounded.payable_cents


def test_nobody_pays_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="below zero"):
        round_to_shilling(-1)
    with pytest.raises(ValueError, match="below zero"):
        vat_included_cents(-1, 16)


@pytest.mark.parametrize(
    ("gross_cents", "vat_cents"), [(116_00, 16_00), (1_160_00, 160_00), (100_00, 13_79), (1, 0)]
)
def test_sixteen_percent_inside_a_price(gross_cents: int, vat_cents: int) -> None:
    assert vat_included_cents(gross_cents, 16) == vat_cents


@given(CENTS, st.integers(min_value=0, max_value=100))
def test_vat_is_the_nearest_cent_to_the_exact_share(gross_cents: int, rate: int) -> None:
    vat_cents = vat_included_cents(gross_cents, rate)

    assert 0 <= vat_cents <= gross_cents
    assert abs(Fraction(gross_cents * rate, 100 + rate) - vat_cents) <= Fraction(1, 2)


@given(st.lists(CENTS, max_size=20))
def test_more_price_never_means_less_vat(prices_cents: list[int]) -> None:
    taxes = [vat_included_cents(price_cents, 16) for price_cents in sorted(prices_cents)]
    assert taxes == sorted(taxes)
