"""Which PINs nobody may choose, and why."""

from __future__ import annotations

import pytest

from app.domain.people.pins import why_weak

PHONE = "+254722918273"


@pytest.mark.row("T67")
@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        pytest.param("123", "4 to 6 digits", id="too short"),
        pytest.param("1234567", "4 to 6 digits", id="too long"),
        pytest.param("12a4", "4 to 6 digits", id="a letter"),
        pytest.param("١٢٣٤", "4 to 6 digits", id="digits of another script"),
        pytest.param("1234", "in a row", id="upwards"),
        pytest.param("98765", "in a row", id="downwards"),
        pytest.param("7890", "in a row", id="upwards over zero"),
        pytest.param("3210", "in a row", id="downwards to zero"),
        pytest.param("1111", "one digit", id="one digit four times"),
        pytest.param("000000", "one digit", id="one digit six times"),
        pytest.param("1212", "repeats", id="a pair twice"),
        pytest.param("473473", "repeats", id="three digits twice"),
        pytest.param("424242", "repeats", id="a pair three times"),
        pytest.param("4774", None, id="a mirror is allowed"),
        pytest.param("4477", "repeats", id="doubled digits"),
        pytest.param("1987", "year", id="a year of birth"),
        pytest.param("2004", "year", id="a later year of birth"),
        pytest.param("071987", "year", id="month and year"),
        pytest.param("198707", "year", id="year and month"),
        pytest.param("8273", "phone", id="the tail of the phone"),
        pytest.param("918273", "phone", id="a longer tail of the phone"),
        pytest.param("2918", "phone", id="the middle of the phone"),
        pytest.param("6009", "till", id="the beginning of the paybill"),
        pytest.param("0984", "till", id="the end of the paybill"),
        pytest.param("5821", None, id="nothing in particular"),
        pytest.param("739164", None, id="six digits of nothing in particular"),
    ],
)
def test_a_pin_that_is_guessed_first_is_refused_with_its_reason(
    pin: str, reason: str | None
) -> None:
    said = why_weak(pin, phone=PHONE, numbers=["600984"])

    assert (said is None) == (reason is None), said
    if reason is not None:
        assert reason in (said or "")


def test_without_a_phone_or_till_the_same_digits_are_good() -> None:
    assert why_weak("8273") is None
    assert why_weak("0984", phone=PHONE) is None
