"""What counts as a yes to offers: never a stranger's word, never over a stop; and what a merge keeps."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.changes.actions import take_back
from app.domain.customers.actions import find_or_add_customer, start_shopper_session
from app.domain.customers.consent import (
    Answer,
    agree_here,
    agree_with_order,
    offers_of,
    stop_for,
    stop_here,
    words_in,
)
from app.domain.customers.finding import list_customers
from app.domain.customers.merging import merge_customers
from app.domain.customers.models import Consent, Customer
from app.domain.errors import NotFound
from app.domain.orders.models import Order
from app.domain.payments.settling import settle
from app.domain.stores.models import Store
from tests.builders import attempt_of, make_order
from tests.conftest import Database

ONE, TWO, THREE = "+254711000001", "+254711000002", "+254711000003"
WORDS = words_in("en", shop="Duka")
YES, STOPPED, UNPROVEN, NONE = Answer.YES, Answer.STOPPED, Answer.UNPROVEN, Answer.NONE


def somebody(session: Session, phone: str) -> tuple[Customer, str]:
    """A customer, and a browser in which they proved this number."""
    customer = find_or_add_customer(session, phone=phone, is_verified=True)
    return customer, start_shopper_session(session, customer, phone=phone)


def told(session: Session, phone: str, *said: bool) -> tuple[Customer, str]:
    """Somebody who said yes (True) or stop (False), in this order."""
    customer, token = somebody(session, phone)
    for is_yes in said:
        if is_yes:
            agree_here(session, customer.id, token, words=WORDS)
        else:
            stop_here(session, customer.id, token)
    return customer, token


def answer(session: Session, customer: Customer) -> Answer:
    """What counts now, which the list of who agreed must say too."""
    found = offers_of(session, customer.id).answer
    listed = customer.id in {line.customer.id for line in list_customers(session, agreed=True)}
    assert listed == (found == YES)
    return found


def log_of(session: Session, customer: Customer) -> list[tuple[str, bool]]:
    return [(said.row.source, said.row.is_given) for said in offers_of(session, customer.id).log]


def ticked(session: Session, phone: str, **facts: object) -> Order:
    """An order of somebody who typed this number and ticked the box."""
    return make_order(session, phone=phone, offers_read_in="en", **facts)


def prompt_answered(session: Session, order: Order, confirmed_by: str = "query") -> None:
    attempt = attempt_of(session, order)
    attempt.move_to("sending")  # type: ignore[arg-type]
    session.flush()
    settle(session, attempt.id, confirmed_by=confirmed_by, receipt=f"R{str(order.id)[-8:]}")


def customer_of(session: Session, order: Order) -> Customer:
    return session.get_one(Customer, (order.store_id, order.customer_id))


# -- who may say yes --------------------------------------------------------------------


def test_a_tick_for_a_typed_number_counts_when_that_number_paid_that_order(
    session: Session,
) -> None:
    order = ticked(session, ONE)
    customer = customer_of(session, order)
    assert answer(session, customer) == UNPROVEN

    prompt_answered(session, order)

    assert answer(session, customer) == YES
    [said] = offers_of(session, customer.id).log
    assert (said.row.order_id, said.row.said_as, said.code) == (order.id, customer.id, order.code)
    assert said.row.words.startswith("Tell me about offers of ")
    assert len(said.row.version) == 8


@pytest.mark.parametrize("confirmed_by", ["c2b", "staff"])
def test_money_by_hand_may_come_from_any_phone_and_proves_none(
    session: Session, confirmed_by: str
) -> None:
    order = ticked(session, ONE)

    prompt_answered(session, order, confirmed_by)

    assert answer(session, customer_of(session, order)) == UNPROVEN


def test_another_number_that_pays_the_order_proves_nothing_of_the_typed_one(
    session: Session,
) -> None:
    order = ticked(session, ONE)
    stranger = find_or_add_customer(session, phone=TWO)
    attempt_of(session, order).phone_lookup = stranger.phone_lookup

    prompt_answered(session, order)

    assert answer(session, customer_of(session, order)) == UNPROVEN
    assert answer(session, stranger) == NONE


def test_no_tick_is_no_yes_and_withdraws_none(session: Session) -> None:
    order = make_order(session, phone=ONE)
    prompt_answered(session, order)
    assert answer(session, customer_of(session, order)) == NONE

    second = ticked(session, ONE)
    prompt_answered(session, second)
    make_order(session, phone=ONE)

    assert answer(session, customer_of(session, order)) == YES


def test_a_stop_is_lifted_by_a_code_alone(session: Session) -> None:
    customer, token = told(session, ONE, True, False)
    assert answer(session, customer) == STOPPED

    prompt_answered(session, ticked(session, ONE))
    assert answer(session, customer) == STOPPED
    assert log_of(session, customer)[0] == ("checkout", True)

    agree_here(session, customer.id, token, words=WORDS)
    assert answer(session, customer) == YES
    stop_for(session, customer.id, actor="Wanjiku")
    assert answer(session, customer) == STOPPED


def test_saying_it_twice_is_saying_it_once(session: Session) -> None:
    customer, token = told(session, ONE, True, True, False, False)
    assert log_of(session, customer) == [("me", False), ("me", True)]
    assert not stop_for(session, customer.id, actor="Wanjiku")

    agree_here(session, customer.id, token, words=WORDS)
    ticked(session, ONE)
    assert len(log_of(session, customer)) == 3
    assert stop_for(session, customer.id, actor="Wanjiku")
    written = session.scalars(select(AuditEntry).where(AuditEntry.action == "offers.stopped")).one()
    assert (written.actor, written.subject) == ("Wanjiku", f"customer:{customer.id}")


def test_a_tick_in_a_browser_that_proved_the_number_counts_at_once(session: Session) -> None:
    customer, token = somebody(session, ONE)
    form = {"customer_id": customer.id, "shopper_token": token}

    ticked(session, ONE, **form)

    assert answer(session, customer) == YES
    ticked(session, ONE, **form)
    assert len(log_of(session, customer)) == 1


def test_two_yeses_at_the_same_moment_are_one(app: Flask, session: Session, store: Store) -> None:
    customer, token = somebody(session, ONE)
    customer_id = customer.id
    session.commit()

    together = Barrier(4)

    def agree(_n: int) -> None:
        with app.app_context(), inside_store(store.id), db.session() as own:
            own.connection()
            together.wait(10)
            agree_here(own, customer_id, token, words=WORDS)
            own.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(agree, range(4)))

    assert len(log_of(session, customer)) == 1


# -- the log ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        update(Consent).values(is_given=True),
        update(Consent).values(words="Something else", customer_id=Consent.said_as),
        text("DELETE FROM app.consents"),
        text("TRUNCATE app.consents"),
    ],
    ids=["answer", "words", "delete", "truncate"],
)
def test_what_was_said_stays_as_it_was_said(session: Session, change: object) -> None:
    told(session, ONE, True, False)
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"), session.begin_nested():
        session.execute(change)  # type: ignore[call-overload]


def test_not_even_the_owner_of_the_tables_changes_a_word(
    database: Database, session: Session
) -> None:
    told(session, ONE, False)
    session.commit()
    with psycopg.connect(database.superuser) as connection:
        for change in ("UPDATE app.consents SET is_given = true", "DELETE FROM app.consents"):
            with pytest.raises(psycopg.Error, match="append-only"), connection.transaction():
                connection.execute(change)


def test_the_desk_cannot_write_a_yes_at_all(session: Session) -> None:
    customer, _token = somebody(session, ONE)
    session.add(
        Consent(
            customer_id=customer.id,
            said_as=customer.id,
            purpose="offers",
            is_given=True,
            source="desk",
            actor="Wanjiku",
            words="Yes",
            version="12345678",
        )
    )
    with pytest.raises(DBAPIError, match="consents_yes_check"):
        session.flush()


def test_another_store_sees_and_touches_none_of_it(session: Session, theirs: Store) -> None:
    customer, token = told(session, ONE, True)
    customer_id, own = customer.id, answer(session, customer)
    session.commit()
    with inside_store(theirs.id):
        session.rollback()
        assert offers_of(session, customer_id).log == []
        assert list_customers(session, agreed=True) == []
        for act in (
            lambda: stop_for(session, customer_id, actor="Jirani"),
            lambda: stop_here(session, customer_id, token),
            lambda: agree_here(session, customer_id, token, words=WORDS),
        ):
            with pytest.raises(NotFound):
                act()
        order = make_order(session, phone=ONE)
        agree_with_order(
            session,
            customer_id,
            order.id,
            said_as=customer_id,
            is_proven=True,
            words=WORDS,
            actor="x",
        )
        assert session.scalar(select(func.count()).select_from(Consent)) == 0
        session.commit()
    session.rollback()
    assert own == answer(session, customer) == YES
    assert len(log_of(session, customer)) == 1


# -- merging ----------------------------------------------------------------------------


@pytest.mark.row("J57")
@pytest.mark.parametrize(
    ("mine", "theirs"), list(itertools.product([YES, STOPPED, UNPROVEN, NONE], repeat=2))
)
@pytest.mark.parametrize("later", ["mine", "theirs"])
def test_one_stop_of_two_profiles_is_the_stop_of_both_until_they_are_taken_apart(
    session: Session, mine: Answer, theirs: Answer, later: str
) -> None:
    said = {YES: [True], STOPPED: [True, False]}

    def begin(phone: str, wanted: Answer) -> Customer:
        if wanted == UNPROVEN:
            return customer_of(session, ticked(session, phone))
        return told(session, phone, *said.get(wanted, []))[0]

    if later == "mine":
        other = begin(TWO, theirs)
        keep = begin(ONE, mine)
    else:
        keep = begin(ONE, mine)
        other = begin(TWO, theirs)
    session.commit()
    before = [log_of(session, one) for one in (keep, other)]

    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    session.commit()

    both = {mine, theirs}
    expected = next(one for one in (STOPPED, YES, UNPROVEN, NONE) if one in both)
    assert answer(session, keep) == expected
    assert offers_of(session, other.id).log == []
    assert {entry for log in before for entry in log} <= set(log_of(session, keep))

    take_back(session, change.id, actor="Wanjiku")
    session.commit()
    assert (answer(session, keep), answer(session, other)) == (mine, theirs)
    for one, log in zip((keep, other), before, strict=True):
        assert [entry for entry in log_of(session, one) if entry[0] != "merge"] == log
        by = offers_of(session, one.id).by
        assert by is None or by.row.source != "merge"


@pytest.mark.row("J57")
@pytest.mark.parametrize("who", [ONE, TWO])
def test_a_yes_after_the_merge_counts_and_goes_with_the_number_that_said_it(
    session: Session, who: str
) -> None:
    keep, by_one = told(session, ONE, True)
    other, by_two = told(session, TWO, True, False)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    assert answer(session, keep) == STOPPED

    agree_here(session, keep.id, by_one if who == ONE else by_two, words=WORDS)
    assert answer(session, keep) == YES

    take_back(session, change.id, actor="Wanjiku")
    assert answer(session, keep) == YES
    assert answer(session, other) == (YES if who == TWO else STOPPED)


@pytest.mark.row("J57")
def test_a_stop_that_the_shop_is_told_is_for_every_number_of_the_person(session: Session) -> None:
    keep, _one = told(session, ONE, True)
    other, _two = told(session, TWO, True)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")

    stop_for(session, other.id, actor="Wanjiku")  # a page that was open since before the merge

    take_back(session, change.id, actor="Wanjiku")
    assert (answer(session, keep), answer(session, other)) == (STOPPED, STOPPED)


@pytest.mark.row("J57")
def test_a_tick_with_a_merged_number_goes_back_with_its_order(session: Session) -> None:
    keep, _one = told(session, ONE)
    other, _two = told(session, TWO)
    change = merge_customers(session, keep.id, other.id, actor="Wanjiku")

    order = ticked(session, TWO)
    prompt_answered(session, order)
    assert answer(session, keep) == YES

    take_back(session, change.id, actor="Wanjiku")
    assert (answer(session, keep), answer(session, other)) == (NONE, YES)


@pytest.mark.row("J57")
def test_in_a_chain_of_merges_a_stop_leaves_with_its_own_profile_alone(session: Session) -> None:
    """Both the first and the second profile have stopped; the third agreed last."""
    keep, _one = told(session, ONE, False)
    other, _two = told(session, TWO, False)
    first = merge_customers(session, keep.id, other.id, actor="Wanjiku")
    third, _three = told(session, THREE, True)
    second = merge_customers(session, keep.id, third.id, actor="Wanjiku")
    assert answer(session, keep) == STOPPED

    take_back(session, first.id, actor="Wanjiku")
    assert (answer(session, keep), answer(session, other)) == (STOPPED, STOPPED)
    take_back(session, second.id, actor="Wanjiku")
    assert [answer(session, one) for one in (keep, other, third)] == [STOPPED, STOPPED, YES]
