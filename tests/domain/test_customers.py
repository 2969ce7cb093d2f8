from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.customers.actions import (
    end_shopper_session,
    find_or_add_customer,
    start_shopper_session,
)
from app.domain.customers.models import Customer
from app.domain.customers.queries import find_customer, find_shopper
from app.phones import parse_msisdn


@pytest.mark.row("W12")
def test_the_same_number_in_two_spellings_is_one_customer(session: Session) -> None:
    one = find_or_add_customer(session, phone=parse_msisdn("0712 345 678"), name="Achieng")
    two = find_or_add_customer(session, phone=parse_msisdn("+254712345678"))
    assert one.id == two.id
    assert two.name == "Achieng"  # saying nothing forgets nothing
    assert session.scalar(select(func.count()).select_from(Customer)) == 1
    assert find_customer(session, "+254712345678") is two


def test_a_session_ends_and_its_token_is_kept_only_as_a_hash(session: Session) -> None:
    customer = find_or_add_customer(session, phone="+254712345678", is_verified=True)
    token = start_shopper_session(session, customer)
    assert find_shopper(session, token) is customer
    assert customer.verified_at is not None
    end_shopper_session(session, token)
    assert find_shopper(session, token) is None
    assert find_shopper(session, None) is None
