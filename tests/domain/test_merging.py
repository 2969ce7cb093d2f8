"""Two profiles become one and two again; no table that knows a customer is forgotten."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.cart.actions import claim_cart, open_cart
from app.domain.changes.actions import ChangedSince, take_back
from app.domain.customers.actions import (
    find_or_add_customer,
    start_shopper_session,
)
from app.domain.customers.finding import MOST_ALIKE, likely_pairs, waits_of_customer
from app.domain.customers.merging import (
    JOINED,
    OWNED,
    STAYS,
    NotTwoProfiles,
    keep_apart,
    merge_customers,
)
from app.domain.customers.models import Customer, SavedNumber
from app.domain.customers.numbers import numbers_of, save_number
from app.domain.customers.queries import find_customer, find_shopper
from app.domain.errors import NotFound
from app.domain.orders.models import Order
from app.domain.stores.models import Store
from tests.builders import attempt_of, make_cart, make_order, make_variant
from tests.conftest import Database

ONE, TWO, THREE = "+254711000001", "+254711000002", "+254711000003"


def orders_of(session: Session, customer: Customer) -> set[UUID]:
    return set(session.scalars(select(Order.id).where(Order.customer_id == customer.id)))


def two_profiles(session: Session) -> tuple[Customer, Customer, Order, Order]:
    """Achieng with her own phone, and with the one from work."""
    mine = make_order(session, phone=ONE, name="Achieng")
    theirs = make_order(session, phone=TWO, name="Achieng O.")
    keep, other = find_customer(session, ONE), find_customer(session, TWO)
    assert keep is not None
    assert other is not None
    return keep, other, mine, theirs


@pytest.mark.row("J57")
def test_every_table_that_knows_a_customer_is_handled(database: Database) -> None:
    """A new table with a customer moves with a merge, or says why it stays."""
    with psycopg.connect(database.superuser) as connection:
        known = {
            f"{table}.{column}"
            for table, column in connection.execute(
                "SELECT c.relname, a.attname FROM pg_constraint k"
                " JOIN pg_class c ON c.oid = k.conrelid"
                " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)"
                " WHERE k.contype = 'f' AND k.confrelid = 'app.customers'::regclass"
                " AND a.attname <> 'store_id'"
                " UNION SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = 'app' AND column_name LIKE '%customer_id'"
            )
        }

    assert known == {f"{owned.table}.customer_id" for owned in OWNED} | set(JOINED) | set(STAYS)


@pytest.mark.row("J57", "W12")
def test_everything_moves_to_the_kept_profile_and_back(session: Session) -> None:
    keep, other, mine, theirs = two_profiles(session)
    save_number(session, other, phone=THREE, label="Mum")
    token = start_shopper_session(session, other)

    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    session.commit()

    assert orders_of(session, keep) == {mine.id, theirs.id}
    assert orders_of(session, other) == set()
    assert find_shopper(session, token) == keep
    assert find_customer(session, TWO) == keep
    assert {number.phone for number in numbers_of(session, keep, token)} == {ONE, TWO, THREE}
    written = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "Wanjiku")).all()
    assert written == ["customers.merged.changed"]

    take_back(session, change.id, actor="Wanjiku")
    session.commit()

    assert orders_of(session, keep) == {mine.id}
    assert orders_of(session, other) == {theirs.id}
    assert find_shopper(session, token) == other
    assert find_customer(session, TWO) == other
    assert {number.phone for number in numbers_of(session, keep, None)} == {ONE}
    assert {number.phone for number in numbers_of(session, other, token)} == {TWO, THREE}


@pytest.mark.row("J57")
def test_undo_after_new_orders_keeps_each_with_the_right_person(session: Session) -> None:
    keep, other, mine, theirs = two_profiles(session)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    by_two = make_order(session, phone=TWO)
    at_the_door = make_order(session, phone=TWO, pay_on_delivery=True)
    by_one = make_order(session, phone=ONE)
    assert {order.customer_id for order in (by_two, at_the_door, by_one)} == {keep.id}
    session.commit()

    take_back(session, change.id, actor="Wanjiku")
    session.commit()

    assert orders_of(session, keep) == {mine.id, by_one.id}
    assert orders_of(session, other) == {theirs.id, by_two.id, at_the_door.id}


@pytest.mark.row("J57")
def test_a_browser_that_proves_the_merged_number_may_pay_from_that_number_alone(
    session: Session,
) -> None:
    keep, other, *_rest = two_profiles(session)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    person = find_or_add_customer(session, phone=TWO, is_verified=True)
    token = start_shopper_session(session, person, phone=TWO)

    assert person == keep
    usable = {n.phone for n in numbers_of(session, person, token) if n.is_proven}
    assert usable == {TWO}

    take_back(session, change.id, actor="Wanjiku")
    assert find_shopper(session, token) == other


@pytest.mark.row("J57")
def test_merging_twice_and_undoing_twice_change_nothing_more(session: Session) -> None:
    keep, other, mine, theirs = two_profiles(session)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    for one, two in ((keep, other), (other, keep), (keep, keep)):
        with pytest.raises(NotTwoProfiles):
            merge_customers(session, one.id, two.id, actor="Wanjiku")
    assert orders_of(session, keep) == {mine.id, theirs.id}

    take_back(session, change.id, actor="Wanjiku")
    take_back(session, change.id, actor="Wanjiku")
    assert orders_of(session, other) == {theirs.id}


@pytest.mark.row("J57")
def test_a_chain_of_merges_comes_apart_from_its_end(session: Session) -> None:
    keep, other, mine, theirs = two_profiles(session)
    third = make_order(session, phone=THREE)
    last = find_customer(session, THREE)
    assert last is not None
    first = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    second = merge_customers(session, last.id, keep.id, actor="Wanjiku")
    new = make_order(session, phone=TWO)

    assert find_customer(session, TWO) == last
    assert orders_of(session, last) == {mine.id, theirs.id, third.id, new.id}
    with pytest.raises(ChangedSince):
        take_back(session, first.id, actor="Wanjiku")

    take_back(session, second.id, actor="Wanjiku")
    assert orders_of(session, keep) == {mine.id, theirs.id, new.id}
    take_back(session, first.id, actor="Wanjiku")
    assert orders_of(session, other) == {theirs.id, new.id}
    assert orders_of(session, keep) == {mine.id}


@pytest.mark.row("J57")
def test_two_carts_become_one_and_two_again(session: Session) -> None:
    keep, other, *_rest = two_profiles(session)
    tea, cup = make_variant(session, name="Tea"), make_variant(session, name="Cup")
    mine = claim_cart(session, make_cart(session, tea), keep.id)
    theirs = claim_cart(session, make_cart(session, tea, cup, quantity=3), other.id)

    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    session.commit()
    held = {line.variant_id: line.quantity for line in open_cart(session, mine.id).lines}
    assert held == {tea.id: 3, cup.id: 3}

    take_back(session, change.id, actor="Wanjiku")
    session.commit()
    session.expire_all()
    mine, theirs = open_cart(session, mine.id), open_cart(session, theirs.id)
    assert {line.variant_id: line.quantity for line in mine.lines} == {tea.id: 1}
    assert {line.variant_id: line.quantity for line in theirs.lines} == {tea.id: 3, cup.id: 3}
    assert (mine.customer_id, theirs.customer_id) == (keep.id, other.id)


@pytest.mark.row("J57")
def test_what_waits_on_any_of_the_numbers_is_the_customers(session: Session) -> None:
    from app.domain.catalog.waiting import ask_to_be_told

    keep, other, *_rest = two_profiles(session)
    gone = make_variant(session, stock=0)
    ask_to_be_told(session, gone, TWO, language="en", address="127.0.0.9")
    assert waits_of_customer(session, keep) == 0

    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    assert waits_of_customer(session, keep) == 1
    take_back(session, change.id, actor="Wanjiku")
    assert (waits_of_customer(session, keep), waits_of_customer(session, other)) == (0, 1)


@pytest.mark.row("J57", "N5")
def test_another_stores_customer_is_nobody_here(session: Session, theirs: Store) -> None:
    keep, *_rest = two_profiles(session)
    session.commit()
    with inside_store(theirs.id):
        session.rollback()
        stranger = find_or_add_customer(session, phone=ONE).id
        session.commit()
    session.rollback()

    for one, two in ((keep.id, stranger), (stranger, keep.id)):
        with pytest.raises(NotFound):
            merge_customers(session, one, two, actor="Wanjiku")


@pytest.mark.row("J57")
def test_who_paid_for_anothers_order_is_found_from_either_side(session: Session) -> None:
    order = make_order(session)
    find_or_add_customer(session, phone=TWO, name="Otieno", area="karen", landmark="Gate 4")
    payer = find_customer(session, TWO)
    assert payer is not None
    attempt = attempt_of(session, order)
    attempt.phone_lookup = payer.phone_lookup
    for status in ("sending", "succeeded"):
        attempt.status = status  # type: ignore[assignment]
        session.flush()

    for asked in (None, payer.id, order.customer_id):
        [pair] = likely_pairs(session, of=asked)
        assert {pair.keep.id, pair.other.id} == {payer.id, order.customer_id}
        assert pair.reasons == ("paid",)


@pytest.mark.row("J57")
def test_a_name_of_many_in_one_area_suggests_nobody(session: Session) -> None:
    for n in range(MOST_ALIKE + 1):
        phone = f"+2547220100{n:02d}"
        find_or_add_customer(session, phone=phone, name="Otieno", area="karen", landmark="")
    one = find_customer(session, "+254722010000")
    assert one is not None

    assert likely_pairs(session) == likely_pairs(session, of=one.id) == []


@pytest.mark.row("J57")
def test_likely_pairs_are_suggested_with_why_until_somebody_says_two_people(
    session: Session,
) -> None:
    for phone, name, landmark in (
        (ONE, "Achieng", "Blue gate opposite the school"),
        (TWO, "achieng ", "Second floor, Yaya"),
        (THREE, "Otieno", "blue gate  opposite the school"),
    ):
        find_or_add_customer(session, phone=phone, name=name, area="kilimani", landmark=landmark)
    one, two, three = (find_customer(session, phone) for phone in (ONE, TWO, THREE))
    assert one is not None
    assert two is not None
    assert three is not None
    save_number(session, two, phone=THREE, label="")

    found = {frozenset((pair.keep.id, pair.other.id)): pair.why for pair in likely_pairs(session)}
    assert found == {
        frozenset((one.id, two.id)): "the same name in the same area",
        frozenset((one.id, three.id)): "the same address",
        frozenset((two.id, three.id)): "one proved the other’s number",
    }
    for customer in (one, two, three):
        theirs = likely_pairs(session, of=customer.id)
        assert {frozenset((pair.keep.id, pair.other.id)): pair.why for pair in theirs} == {
            ids: why for ids, why in found.items() if customer.id in ids
        }

    keep_apart(session, two.id, one.id, actor="Wanjiku")
    keep_apart(session, one.id, two.id, actor="Wanjiku")
    assert len(likely_pairs(session)) == 2
    merge_customers(session, two.id, three.id, actor="Wanjiku")
    assert likely_pairs(session, of=one.id) == []
    assert session.scalar(select(func.count()).select_from(SavedNumber)) == 1
