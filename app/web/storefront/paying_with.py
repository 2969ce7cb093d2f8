"""Which of a known shopper's numbers this browser may have prompted without typing one."""

from __future__ import annotations

from typing import TypeVar

from flask import g

from app.db.engine import db
from app.domain.customers.numbers import Number, Person, numbers_of
from app.web.forms import field
from app.web.shopper import shopper_token

Shopper = TypeVar("Shopper", bound=Person)


def numbers_here(shopper: Person | None) -> list[Number]:
    """The numbers that were proved in this browser, the default first; none for a stranger."""
    if shopper is None:
        return []
    if "numbers" not in g:  # asked for once a page
        known = numbers_of(db.session(), shopper, shopper_token())
        g.numbers = [number for number in known if number.is_proven]
    numbers: list[Number] = g.numbers
    return numbers


def who_can_pay(shopper: Shopper | None) -> Shopper | None:
    """The known shopper, where this browser has proved a number of theirs."""
    return shopper if numbers_here(shopper) else None


def payer_of(shopper: Person | None) -> Number | None:
    """The number that was tapped in the form, else the first; None when this browser proved none."""
    usable = numbers_here(shopper)
    chosen = field("number", most=40)
    return next((number for number in usable if str(number.id) == chosen), next(iter(usable), None))
