"""Products, areas and fees, import, money to settle, the audit trail, today."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.domain.audit.models import AuditEntry
from app.domain.catalog.importing.cells import safe_cell
from app.domain.catalog.importing.records import ImportPart
from app.domain.catalog.models import Product, StockMovement
from app.domain.delivery.actions import serve_area
from app.domain.delivery.models import DeliveryArea
from app.domain.payments.reviews import open_review
from app.ids import new_id
from tests.builders import make_variant
from tests.web.backoffice.conftest import Desk

SignIn = Callable[..., Desk]
SHEET = "Item,Bei,Qty\nSufuria set,2450,12\n=HYPERLINK(1),not a price,3\nWooden spoon,300,40\n"


@pytest.mark.row("N87")
def test_the_owner_sees_who_changed_a_price_from_what_to_what(
    session: Session, sign_in: SignIn, owner: Desk
) -> None:
    variant = make_variant(session, name="Watch", price_cents=2_500_00)
    session.commit()
    manager = sign_in("manager", name="Achieng")

    manager.press(manager.read("/dash/<store>/products/"), "/price", {"price": "2,300"})

    session.expire_all()
    assert variant.price_cents == 2_300_00
    trail = owner.read("/dash/<store>/audit/")
    assert "Watch: price KES\xa02,500 → KES\xa02,300" in trail
    assert "by Achieng" in trail


def test_a_price_that_moved_meanwhile_is_not_overwritten(session: Session, owner: Desk) -> None:
    variant = make_variant(session, price_cents=2_500_00)
    session.commit()
    page = owner.read("/dash/<store>/products/")
    owner.press(page, "/price", {"price": "2300"})

    owner.press(page, "/price", {"price": "2600"})

    session.expire_all()
    assert variant.price_cents == 2_300_00
    assert "meanwhile. Nothing was changed." in owner.read("/dash/<store>/products/")


@pytest.mark.parametrize("typed", ["", "abc", "-5", "12.50", "0", "1,00", "99999999999"])
def test_an_odd_price_changes_nothing(session: Session, owner: Desk, typed: str) -> None:
    variant = make_variant(session, price_cents=2_500_00)
    session.commit()

    answer = owner.press(owner.read("/dash/<store>/products/"), "/price", {"price": typed})

    assert answer.status_code == 303
    session.expire_all()
    assert variant.price_cents == 2_500_00


def test_counted_stock_leaves_a_movement_and_an_undo(session: Session, owner: Desk) -> None:
    variant = make_variant(session, stock=10)
    session.commit()
    path, fields = owner.form(owner.read("/dash/<store>/products/"), "/stock")

    said = owner.client.post(path, data=fields | {"stock": "7"}, follow_redirects=True).text
    session.expire_all()
    assert variant.on_hand == 7
    counted = session.scalars(select(StockMovement).where(StockMovement.reason == "count")).one()
    assert (counted.quantity, counted.actor) == (-3, owner.name)

    owner.undo(said)
    session.expire_all()
    assert variant.on_hand == 10


def test_a_fee_is_changed_in_place_undone_and_written_down(session: Session, owner: Desk) -> None:
    serve_area(session, "westlands", actor="test", fee_cents=250_00)
    session.commit()
    path, fields = owner.form(owner.read("/dash/<store>/areas/"), "/fee")

    said = owner.client.post(path, data=fields | {"fee": "200"}, follow_redirects=True).text
    terms = session.scalars(select(DeliveryArea)).one()
    assert (terms.fee_cents, terms.changed_by) == (200_00, owner.name)
    assert "Westlands costs KES\xa0200 now." in said

    owner.undo(said)
    session.expire_all()
    assert terms.fee_cents == 250_00
    changes = session.scalars(
        select(AuditEntry.detail).where(AuditEntry.action == "fee.changed").order_by(AuditEntry.seq)
    )
    assert [(d["before"], d["after"]) for d in changes] == [(250_00, 200_00), (200_00, 250_00)]


def test_an_area_is_added_by_nickname_and_stopped(session: Session, owner: Desk) -> None:
    serve_area(session, "kilimani", actor="test")
    session.commit()
    page = owner.read("/dash/<store>/areas/")
    owner.press(page, "/areas/add", {"area": "Westi", "fee": "180"})
    terms = session.scalars(select(DeliveryArea).where(DeliveryArea.area == "westlands")).one()
    assert terms.fee_cents == 180_00

    owner.post(f"/dash/<store>/areas/{terms.id}/active", {"active": "no"})
    session.expire_all()
    assert not terms.is_active


def test_only_leads_change_fees_and_prices(session: Session, sign_in: SignIn) -> None:
    variant = make_variant(session)
    session.commit()
    sales = sign_in("sales")

    page = sales.read("/dash/<store>/products/")
    assert variant.sku in page
    assert "/price" not in page
    answer = sales.post(f"/dash/<store>/products/variants/{variant.id}/price", {"price": "1"})
    assert answer.status_code == 403


def upload(desk: Desk, text_: str, name: str = "stock.csv") -> str:
    path, fields = desk.form(desk.read("/dash/<store>/import/"), "/import/")
    data = fields | {"file": (io.BytesIO(text_.encode()), name)}
    answer = desk.client.post(path, data=data, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text[:500]
    return str(answer.headers["Location"])


def test_a_sheet_is_matched_checked_and_brought_in(session: Session, owner: Desk) -> None:
    where = upload(owner, SHEET)
    page = owner.read(where)
    assert "Sufuria set" in page
    assert session.scalars(select(Product)).first() is None
    chosen = {"col:Item": "name", "col:Bei": "price", "col:Qty": "stock"}

    checked = owner.read(where, query_string=chosen)
    assert "Bring in 2 products" in checked
    done = owner.press(checked, where)
    assert done.status_code == 303
    result = owner.read(done.headers["Location"])

    assert "2 products made, 0 updated" in result
    assert set(session.scalars(select(Product.name))) == {"Sufuria set", "Wooden spoon"}
    refused = owner.get(done.headers["Location"] + "/refused.csv")
    assert refused.mimetype == "text/csv"
    assert "not a price" in refused.text
    assert not re.search(r"(^|,)=", refused.text, re.M)


def test_bringing_the_same_file_in_twice_changes_nothing(session: Session, owner: Desk) -> None:
    chosen = {"col:Item": "name", "col:Bei": "price", "col:Qty": "stock"}
    words = []
    for _ in range(2):
        where = upload(owner, SHEET)
        done = owner.press(owner.read(where, query_string=chosen), where)
        words.append(owner.read(done.headers["Location"]))

    assert "0 products made, 0 updated, 2 as they were" in words[1]


@pytest.mark.parametrize(
    ("content", "name"), [("", "empty.csv"), ("\x00\x01\x02", "x.csv"), ("no header", "x.exe")]
)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    session: Session, owner: Desk, content: str, name: str
) -> None:
    path, fields = owner.form(owner.read("/dash/<store>/import/"), "/import/")
    data = fields | {"file": (io.BytesIO(content.encode()), name)}
    answer = owner.client.post(
        path, data=data, content_type="multipart/form-data", follow_redirects=True
    )

    assert answer.status_code in (200, 422)
    assert session.scalars(select(Product)).first() is None


def test_a_lost_upload_is_explained(session: Session, owner: Desk) -> None:
    where = upload(owner, SHEET)
    session.execute(delete(ImportPart).where(ImportPart.store_id == owner.store.id))
    session.commit()
    answer = owner.get(where)

    assert answer.status_code == 422
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize("start", list("=+-@\t\r"))
def test_a_cell_never_starts_a_formula(start: str) -> None:
    assert safe_cell(f"{start}1").startswith("'")
    assert safe_cell("Sufuria") == "Sufuria"


def test_money_to_settle_has_an_age_a_reason_and_a_step(session: Session, owner: Desk) -> None:
    open_review(
        session,
        "unmatched_money",
        subject_id=new_id(),
        amount_cents=500_00,
        next_action="match_or_refund",
    )
    session.commit()

    page = owner.read("/dash/<store>/reviews/")

    assert "Money without an order" in page
    assert "KES\xa0500" in page
    assert re.search(r"\d+\xa0s", page)
    assert "I sent the money back" in page


@pytest.mark.row("W42", "T64")
def test_the_audit_trail_cannot_be_changed_and_says_so(session: Session, owner: Desk) -> None:
    make_variant(session, name="Watch", price_cents=2_500_00)
    session.commit()
    owner.press(owner.read("/dash/<store>/products/"), "/price", {"price": "2300"})

    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text("UPDATE app.audit_log SET actor = 'nobody'"))
    session.rollback()
    assert "Nobody has changed one" in owner.read("/dash/<store>/audit/?check=1")


def test_an_altered_entry_is_reported(
    session: Session, owner: Desk, database: object, store: object
) -> None:
    import psycopg

    make_variant(session, name="Watch", price_cents=2_500_00)
    session.commit()
    owner.press(owner.read("/dash/<store>/products/"), "/price", {"price": "2300"})
    with psycopg.connect(database.superuser) as superuser:  # type: ignore[attr-defined]
        superuser.execute("SET session_replication_role = replica")
        superuser.execute(
            "UPDATE app.audit_log SET actor = 'somebody else'"
            " WHERE store_id = %s AND action = 'price.changed'",
            (store.id,),  # type: ignore[attr-defined]
        )

    assert "The trail was altered at entry" in owner.read("/dash/<store>/audit/?check=1")


def test_today_opens_on_numbers_and_what_waits(session: Session, owner: Desk) -> None:
    from tests.web.backoffice.test_orders import paid_order

    order = paid_order(session)

    page = owner.read("/dash/<store>/")

    assert f"Pack {order.code}" in page
    assert "1 order is waiting to be packed" in page
    assert f"{order.total_cents // 100:,}" in page
    assert "<html" not in owner.read("/dash/<store>/today")


@pytest.mark.parametrize(
    "path",
    [
        "/dash/<store>/",
        "/dash/<store>/areas/",
        "/dash/<store>/products/",
        "/dash/<store>/import/",
        "/dash/<store>/audit/",
        "/dash/<store>/reviews/",
        "/staff/<store>/orders/",
        "/staff/<store>/dispatch/",
        "/staff/<store>/run/",
        "/staff/<store>/more",
        "/staff/<store>/keys",
        "/staff/<store>/dispatch/sheet",
    ],
)
def test_every_page_of_a_brand_new_store_says_something_true(
    owner: Desk, visitor: Desk, path: str
) -> None:
    page = owner.read(path)

    assert "<h1" in page
    assert " style=" not in page
    assert "onclick" not in page
    turned_away = visitor.get(path)
    assert turned_away.status_code == 303
    assert turned_away.headers["Location"].startswith("/sign-in?next=")
