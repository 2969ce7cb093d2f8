"""One box finds any store, by whatever the person on the phone can tell."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.domain.payments.settling import settle
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from app.ids import new_reference
from tests.builders import attempt_of, make_order, make_payment_settings
from tests.web.platform.conftest import OpsDesk

STAFF_PHONE = "+254711223344"


def found(ops: OpsDesk, typed: str) -> dict[str, str]:
    """Store names that the search shows, with what matched."""
    page = ops.read("/ops/", query_string={"q": typed})
    rows = re.findall(
        r'<a class="medium" data-open href="[^"]+">([^<]+)</a>.*?<td class="muted">([^<]*)</td>',
        page,
        re.S,
    )
    return dict(rows)


@pytest.fixture
def shop(make_store: Callable[..., Store]) -> Store:
    """A store with a number of its own and somebody who works there."""
    made = make_store(name=f"Duka {new_reference()}", phone="+254733445566")
    with platform_session() as session:
        person_id = add_person(session, name="Njeri", phone=STAFF_PHONE)
        add_membership(session, store_id=made.id, person_id=person_id, role="manager")
    return made


@pytest.mark.row("T3")
@pytest.mark.parametrize(
    "typed", ["0711223344", "+254 711 223 344", "254711223344", "0711-223-344", " 0711 22 33 44 "]
)
def test_a_store_is_found_by_the_phone_of_its_staff_in_any_spelling(
    ops: OpsDesk, shop: Store, typed: str
) -> None:
    assert "Somebody who works here" in found(ops, typed)[shop.name]


@pytest.mark.row("T3")
def test_a_store_is_found_by_till_receipt_and_customer_in_one_search(
    ops: OpsDesk, session: Session, store: Store, theirs: Store
) -> None:
    shortcode = f"7{store.id % 100_000:05d}"
    make_payment_settings(
        session, {"kind": "till", "shortcode": shortcode, "till": f"9{store.id % 100_000:05d}"}
    )
    order = make_order(session, phone="+254729431877")
    attempt = attempt_of(session, order)
    for status in ("sending", "awaiting_customer"):
        attempt.status = status  # type: ignore[assignment]
        session.flush()
    receipt = f"TK{new_reference()}"
    settle(session, attempt.id, confirmed_by="query", receipt=receipt)
    session.commit()

    for typed, why in (
        (shortcode, "Till or paybill"),
        (f"9{store.id % 100_000:05d}", "Till or paybill"),
        (receipt, "M-Pesa code"),
        (receipt.lower(), "M-Pesa code"),
        ("0729 431 877", "A customer of this shop"),
        (store.slug, "Short name"),
        (f"http://{store.slug}.localhost:8000/", "Web address"),
    ):
        assert why in found(ops, typed)[store.name], typed
    assert theirs.name not in found(ops, receipt)


@pytest.mark.row("T3")
def test_the_shops_own_number_and_name_find_it(ops: OpsDesk, shop: Store) -> None:
    assert "own number" in found(ops, "0733 445 566")[shop.name]
    assert found(ops, shop.name.upper()) == {shop.name: "Name"}
    assert found(ops, "50%_off") == {}


def test_nothing_found_says_what_to_try_and_nothing_typed_teaches(ops: OpsDesk) -> None:
    assert "An M-Pesa code has ten letters" in ops.read("/ops/", query_string={"q": "zzzzzz zzz"})
    assert "Any store, by whatever you were told" in ops.read("/ops/")


def test_no_address_or_page_carries_the_number_searched_for(ops: OpsDesk, shop: Store) -> None:
    """The box shows what was typed, to whoever typed it; nothing else on the page has it."""
    page = ops.read("/ops/", query_string={"q": "0711223344"})

    assert page.count("0711223344") == 1
    page = ops.read(f"/ops/stores/{shop.id}")
    assert "711 223 344" not in page
    assert "711223344" not in page
    assert "07•• ••• 344" in page
