"""The customers' desk: who bought, found by number without its being in an address; two made one."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import inside_store
from app.domain.audit.models import AuditEntry
from app.domain.customers.actions import find_or_add_customer, start_shopper_session
from app.domain.customers.consent import agree_here, offers_of, stop_here, words_in
from app.domain.customers.models import Customer
from app.domain.customers.queries import find_customer
from app.domain.loyalty.models import PointMove
from app.domain.loyalty.queries import balance_of
from app.domain.orders.models import Order
from app.domain.stores.models import Store
from tests.builders import make_order
from tests.web.backoffice.conftest import Desk

ONE, TWO = "+254711000001", "+254722000002"
BASE = "/dash/<store>/customers"


@pytest.fixture
def both(session: Session) -> tuple[Customer, Customer]:
    """Achieng with two phones."""
    make_order(session, phone=ONE, name="Achieng")
    make_order(session, phone=TWO, name="achieng")
    session.commit()
    one, two = find_customer(session, ONE), find_customer(session, TWO)
    assert one is not None
    assert two is not None
    return one, two


def owners(session: Session) -> list[str]:
    session.rollback()
    return [
        find_customer_name(session, order)
        for order in session.scalars(select(Order).order_by(Order.code))
    ]


def find_customer_name(session: Session, order: Order) -> str:
    customer = session.get(Customer, (order.store_id, order.customer_id))
    assert customer is not None
    return customer.phone


@pytest.mark.row("J57", "W51")
def test_the_list_masks_numbers_and_finds_by_any_spelling(
    owner: Desk, both: tuple[Customer, Customer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    page = owner.read(f"{BASE}/")
    assert page.count("Achieng") == 1
    assert "07•• ••• 001" in page
    assert ONE[4:] not in page

    for typed in ("0711 000 001", "+254711000001", "254 711-000-001"):
        answer = owner.press(page, "/customers/find", {"q": typed})
        assert answer.status_code == 303
        assert answer.headers["Location"].endswith(f"/customers/{both[0].id}")
    named = html.unescape(owner.press(page, "/customers/find", {"q": "ACHI"}).text)
    assert named.count("/customers/0") == 2
    nobody = owner.press(page, "/customers/find", {"q": "0799 999 999"}).text
    assert "Nobody bought here with that number" in nobody
    assert "799" not in nobody.split('id="work"')[1]
    # Three digits alone are in many a request's id and time.
    assert not re.search(r"711\D{0,3}000\D{0,3}001", caplog.text)
    assert not re.search(r"799\D{0,3}999", caplog.text)


@pytest.mark.row("J57", "W51")
def test_showing_the_whole_number_is_written_down(
    owner: Desk, both: tuple[Customer, Customer], session: Session
) -> None:
    page = owner.read(f"{BASE}/{both[0].id}")
    assert "0711 000 001" not in page

    shown = owner.press(page, "/phone")
    assert "0711 000 001" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "phone.revealed")).one()
    assert entry.subject == f"customer:{both[0].id}"
    assert ONE[4:] not in str(entry.detail)


@pytest.mark.row("J57")
def test_two_customers_are_looked_at_made_one_and_taken_apart(
    owner: Desk, both: tuple[Customer, Customer], session: Session
) -> None:
    one, two = both
    pairs = owner.read(f"{BASE}/alike")
    assert "the same name in the same area" in pairs
    look = re.search(r'href="([^"]+/merge/[^"]+)"', pairs)
    assert look is not None
    preview = owner.read(look[1])
    assert "07••\u00a0•••\u00a0001" in preview
    assert "07••\u00a0•••\u00a0002" in preview
    path = f"/customers/{one.id}/merge/{two.id}"
    assert look[1].endswith(path)

    merged = owner.press(preview, path)
    assert owners(session) == [ONE, ONE]
    page = owner.read(merged.headers["Location"])
    assert "They are one customer now." in page
    assert "2 orders" in page
    assert "Also this customer" in page
    assert owner.get(f"{BASE}/{two.id}").headers["Location"].endswith(str(one.id))
    assert owner.read(f"{BASE}/").count("/customers/0") == 1

    again = owner.press(preview, path)  # the page was still open in another tab
    assert "one customer already" in owner.read(again.headers["Location"])
    owner.undo(page)
    assert owners(session) == [ONE, TWO]
    owner.undo(page)
    assert owners(session) == [ONE, TWO]
    audit = owner.read("/dash/<store>/audit/")
    assert "Two customers made one: taken apart again" in audit


@pytest.mark.row("J57", "W38")
def test_points_of_both_are_one_balance_and_two_again(
    owner: Desk, both: tuple[Customer, Customer], session: Session
) -> None:
    one, two = both
    for customer, points in ((one, 40), (two, 25)):
        order = session.scalars(select(Order).where(Order.customer_id == customer.id)).one()
        session.add(
            PointMove(customer_id=customer.id, order_id=order.id, points=points, reason="earned")
        )
    session.commit()
    one_id, two_id = one.id, two.id

    def balances() -> tuple[int, int]:
        session.rollback()
        return balance_of(session, one_id), balance_of(session, two_id)

    preview = owner.read(f"{BASE}/{one_id}/merge/{two_id}")
    assert re.search(r"<th scope=\"row\">Points</th><td>40</td><td>25</td>", preview)
    assert "All orders, points, carts" in preview
    merged = owner.press(preview, f"/customers/{one_id}/merge/{two_id}")
    page = owner.read(merged.headers["Location"])
    assert "65 points" in page
    assert page.count("delivered <span") == 2
    assert balances() == (65, 0)

    owner.undo(page)
    assert balances() == (40, 25)
    assert "40 points" in owner.read(f"{BASE}/{one_id}")
    assert "25 points" in owner.read(f"{BASE}/{two_id}")


@pytest.mark.row("J57")
def test_two_people_are_not_suggested_again(owner: Desk, both: tuple[Customer, Customer]) -> None:
    pairs = owner.read(f"{BASE}/alike")
    answer = owner.press(pairs, f"/apart/{both[1].id}")
    assert "Nobody looks like somebody else" in owner.read(answer.headers["Location"])


@pytest.mark.row("J57", "N5")
def test_another_stores_customer_is_404_everywhere(
    owner: Desk,
    both: tuple[Customer, Customer],
    session: Session,
    theirs: Store,
    sign_in: Callable[..., Desk],
) -> None:
    with inside_store(theirs.id):
        session.rollback()
        stranger = find_or_add_customer(session, phone=ONE, name="Jirani").id
        session.commit()
    session.rollback()
    mine = both[0].id

    assert owner.get(f"{BASE}/{stranger}").status_code == 404
    assert owner.post(f"{BASE}/{stranger}/phone").status_code == 404
    for one, two in ((mine, stranger), (stranger, mine)):
        assert owner.get(f"{BASE}/{one}/merge/{two}").status_code == 404
        for verb in ("merge", "apart"):
            assert owner.post(f"{BASE}/{one}/{verb}/{two}").status_code == 404
    assert "Jirani" not in owner.read(f"{BASE}/")
    neighbour = sign_in("owner", where=theirs)
    assert neighbour.get(f"{BASE}/{mine}").status_code == 404
    assert owners(session) == [ONE, TWO]


@pytest.mark.row("J57", "N54")
@pytest.mark.parametrize(
    ("role", "sees", "merges"),
    [("sales", 200, 403), ("support", 200, 403), ("packer", 403, 403), ("rider", 403, 403)],
)
def test_who_may_see_and_who_may_merge(
    sign_in: Callable[..., Desk],
    both: tuple[Customer, Customer],
    role: str,
    sees: int,
    merges: int,
) -> None:
    desk, (one, two) = sign_in(role), both
    assert desk.get(f"{BASE}/").status_code == sees
    assert desk.get(f"{BASE}/{one.id}").status_code == sees
    assert desk.get(f"{BASE}/alike").status_code == merges
    assert desk.post(f"{BASE}/{one.id}/merge/{two.id}").status_code == merges


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999", "٣", "2"])
def test_an_odd_page_number_is_a_page(owner: Desk, page: str) -> None:
    assert owner.get(f"{BASE}/?page={page}").status_code == 200


# -- offers -----------------------------------------------------------------------------


def told(session: Session, phone: str, *said: bool) -> Customer:
    """Somebody who proved this number and said yes (True) or stop (False), in this order."""
    customer = find_or_add_customer(session, phone=phone, is_verified=True)
    token = start_shopper_session(session, customer, phone=phone)
    for is_yes in said:
        if is_yes:
            agree_here(session, customer.id, token, words=words_in("en", shop="Duka"))
        else:
            stop_here(session, customer.id, token)
    session.commit()
    return customer


def offers_on(page: str) -> str:
    """What the page of a customer says counts now."""
    found = re.search(r'id="offers">Offers</h2>\s*<div[^>]*><p><b[^>]*>([^<]*)</b>', page)
    assert found is not None, page
    return found[1]


AGREED, NONE, NEVER = "Agreed", "Wants none", "Has not agreed"


@pytest.mark.row("J57")
@pytest.mark.parametrize(
    ("mine", "theirs", "together"),
    [
        pytest.param(AGREED, AGREED, AGREED, id="both said yes"),
        pytest.param(AGREED, NONE, NONE, id="the joining one said stop"),
        pytest.param(NONE, AGREED, NONE, id="the staying one said stop"),
        pytest.param(NONE, NONE, NONE, id="both said stop"),
        pytest.param(NEVER, AGREED, AGREED, id="one said yes, the other nothing"),
    ],
)
def test_what_two_customers_said_about_offers_moves_and_moves_back(
    owner: Desk,
    both: tuple[Customer, Customer],
    session: Session,
    mine: str,
    theirs: str,
    together: str,
) -> None:
    said = {AGREED: [True], NONE: [True, False], NEVER: []}
    one, two = told(session, ONE, *said[mine]), told(session, TWO, *said[theirs])

    def pages() -> list[str]:
        return [offers_on(owner.read(f"{BASE}/{who.id}")) for who in (one, two)]

    def agreed() -> set[str]:
        listed = owner.read(f"{BASE}/?offers=yes")
        assert ONE[4:] not in listed
        return {str(who.id) for who in (one, two) if f"/customers/{who.id}" in listed}

    assert pages() == [mine, theirs]
    assert agreed() == {str(who.id) for who, its in ((one, mine), (two, theirs)) if its == AGREED}
    path = f"/customers/{one.id}/merge/{two.id}"
    preview = owner.read(f"{BASE}/{one.id}/merge/{two.id}")
    row = re.search(r'<th scope="row">Offers</th><td>([^<]*)</td><td>([^<]*)</td>', preview)
    assert row is not None
    assert list(row.groups()) == [mine, theirs]
    assert "gets none until they agree again" in preview

    merged = owner.press(preview, path)
    page = owner.read(merged.headers["Location"])
    assert offers_on(page) == together
    assert page.count("Said yes") == [mine, theirs].count(AGREED) + [mine, theirs].count(NONE)
    assert agreed() == ({str(one.id)} if together == AGREED else set())

    owner.undo(page)
    assert pages() == [mine, theirs]


@pytest.mark.row("J57")
def test_after_a_merge_the_person_can_agree_again(
    owner: Desk, both: tuple[Customer, Customer], session: Session
) -> None:
    one, two = told(session, ONE, True), told(session, TWO, False)
    preview = owner.read(f"{BASE}/{one.id}/merge/{two.id}")
    merged = owner.press(preview, f"/customers/{one.id}/merge/{two.id}")
    page = owner.read(merged.headers["Location"])
    assert offers_on(page) == NONE
    assert f"kept when two customers were made one by {owner.name}" in page

    told(session, TWO, True)

    assert offers_on(owner.read(f"{BASE}/{one.id}")) == AGREED
    owner.undo(page)
    assert [offers_on(owner.read(f"{BASE}/{who.id}")) for who in (one, two)] == [AGREED, AGREED]


def test_the_desk_notes_a_stop_with_who_and_can_note_no_yes(
    owner: Desk, both: tuple[Customer, Customer], session: Session
) -> None:
    one = told(session, ONE, True)
    page = owner.read(f"{BASE}/{one.id}")
    assert offers_on(page) == AGREED
    assert "on their own page" in page
    assert "“Tell me about offers of Duka by SMS or WhatsApp. I can stop it at any time.”" in page

    noted = owner.press(page, "/offers/stop")
    page = owner.read(noted.headers["Location"])
    assert "Noted: no offers for this customer." in page
    assert offers_on(page) == NONE
    assert f"told the shop, noted by {owner.name}" in page
    again = owner.post(f"{BASE}/{one.id}/offers/stop", {"is_given": "true", "agree": "en"})
    assert "They had stopped already." in owner.read(again.headers["Location"])
    with pytest.raises(AssertionError, match="no form"):
        owner.form(page, "/offers/stop")

    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "offers.stopped")).one()
    assert (entry.actor, entry.subject) == (owner.name, f"customer:{one.id}")
    assert "A customer said to stop offers" in owner.read("/dash/<store>/audit/")


def test_a_tick_nobody_proved_is_shown_as_that_and_is_in_no_list(
    owner: Desk, session: Session
) -> None:
    order = make_order(session, phone=ONE, offers_read_in="en")
    session.commit()
    page = owner.read(f"{BASE}/{order.customer_id}")

    assert offers_on(page) == "Ticked, not proved"
    assert f"at checkout, {order.code}" in page
    assert "Send no offers." in page
    assert "Nobody has agreed to offers yet" in owner.read(f"{BASE}/?offers=yes")
    assert f"/customers/{order.customer_id}" in owner.read(f"{BASE}/?offers=no")


@pytest.mark.row("N5")
def test_what_somebody_said_elsewhere_is_unknown_here(
    both: tuple[Customer, Customer],
    session: Session,
    theirs: Store,
    sign_in: Callable[..., Desk],
) -> None:
    one = told(session, ONE, True)
    neighbour = sign_in("owner", where=theirs)

    assert neighbour.post(f"{BASE}/{one.id}/offers/stop").status_code == 404
    assert str(one.id) not in neighbour.read(f"{BASE}/?offers=yes")
    session.rollback()
    assert [said.counts for said in offers_of(session, one.id).log] == [True]


@pytest.mark.parametrize(
    ("role", "status"), [("sales", 303), ("support", 303), ("packer", 403), ("rider", 403)]
)
def test_whoever_sees_customers_may_note_that_one_says_stop(
    sign_in: Callable[..., Desk], both: tuple[Customer, Customer], role: str, status: int
) -> None:
    answer = sign_in(role).post(f"{BASE}/{both[0].id}/offers/stop")
    assert answer.status_code == status


# -- ways to pay ------------------------------------------------------------------------


@pytest.mark.row("T16", "N99")
def test_ways_to_pay_are_switched_and_ordered_on_one_screen(
    owner: Desk, session: Session, store: Store
) -> None:
    path = "/dash/<store>/settings/paying"
    page = owner.read(path)
    both = {"accepts_mpesa": "yes", "accepts_pay_on_delivery": "yes"}
    owner.press(page, "/settings/paying", both | {"pay_first": "on_delivery"})
    session.rollback()
    assert session.get_one(Store, store.id).ways_to_pay == ["on_delivery", "mpesa"]
    page = owner.read(path)
    assert f"Changed by {owner.name}" in page

    refused = owner.press(page, "/settings/paying", {"pay_first": "mpesa"})
    assert refused.status_code == 422
    assert "Leave one way to pay open" in refused.text
    owner.press(page, "/settings/paying", {"accepts_pay_on_delivery": "yes"})
    session.rollback()
    assert session.get_one(Store, store.id).ways_to_pay == ["on_delivery"]
    owner.undo(owner.read(path))
    session.rollback()
    assert session.get_one(Store, store.id).ways_to_pay == ["on_delivery", "mpesa"]


# -- points -------------------------------------------------------------------------------


@pytest.mark.row("W38")
def test_an_owner_turns_points_on_and_sees_what_they_give_back(
    owner: Desk, session: Session, store: Store
) -> None:
    path = "/dash/<store>/settings/points"

    def saved() -> tuple[bool, int, int]:
        session.rollback()
        now = session.get_one(Store, store.id)
        return now.gives_points, now.goods_per_point_cents, now.point_worth_cents

    page = owner.read(path)
    assert "1% of what is paid for goods comes back" in page
    assert saved() == (False, 100_00, 1_00)
    on = {"gives_points": "yes", "goods_per_point": "200", "point_worth": "3"}
    owner.press(page, "/settings/points", on)
    assert saved() == (True, 200_00, 3_00)
    page = owner.read(path)
    assert "1.5% of what is paid for goods comes back" in page
    assert f"Changed by {owner.name}" in page

    for wrong, said in (
        ({"goods_per_point": "0"}, "Whole shillings, from 1 to 100,000."),
        ({"goods_per_point": "10.50"}, "Whole shillings"),
        ({"goods_per_point": ""}, "Write an amount"),
        ({"point_worth": "-1"}, "cannot be less than zero"),
        ({"point_worth": "150"}, "gives back 75% of what is paid. At most 50% is possible"),
        ({"point_worth": "1e9"}, "could not read"),
    ):
        refused = owner.press(page, "/settings/points", on | wrong)
        assert refused.status_code == 422, wrong
        assert said in html.unescape(refused.text), wrong
    assert saved() == (True, 200_00, 3_00)

    owner.undo(page)
    assert saved() == (False, 100_00, 1_00)
    audit = owner.read("/dash/<store>/audit/")
    assert "Points for customers changed" in audit
    assert "Points for customers put back" in audit
