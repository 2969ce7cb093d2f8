"""The import and export pages: a large file and its bar, taking it back, sheets and the ZIP."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app.db.engine import platform_session
from app.domain.catalog.exporting.running import make_export
from app.domain.catalog.importing.running import AT_ONCE, CHUNK, go_on
from app.domain.catalog.importing.undoing import go_on_taking_back
from app.domain.catalog.models import Product
from app.domain.platform.suspending import suspend
from app.domain.stores.models import Store
from tests.builders import make_order, make_payment_settings, make_variant
from tests.web.backoffice.conftest import Desk

SignIn = Callable[..., Desk]


def send(desk: Desk, body: str | bytes, name: str = "goods.csv") -> str:
    """Upload a file; returns where it is checked."""
    path, fields = desk.form(desk.read("/dash/<store>/import/"), "/import/")
    data = body.encode() if isinstance(body, str) else body
    boundary, encoded = encode_multipart(
        fields | {"file": FileStorage(io.BytesIO(data), filename=name)}
    )
    answer = desk.client.post(
        path, data=encoded, content_type=f"multipart/form-data; boundary={boundary}"
    )
    assert answer.status_code == 303, answer.text[:500]
    return str(answer.headers["Location"])


def sheet(count: int, pad: str = "") -> str:
    rows = (f"Thing {n},{100 + n},2,SKU-{n},{pad}\n" for n in range(count))
    return "Name,Price,Qty,SKU,Description\n" + "".join(rows)


@pytest.mark.row("W29")
def test_a_large_file_shows_how_far_it_is_and_ends_by_itself(session: Session, owner: Desk) -> None:
    count = CHUNK * 3
    assert count > AT_ONCE
    # Larger than a megabyte: more than other pages take.
    where = send(owner, sheet(count, pad="words " * 700))
    begun = owner.press(owner.read(where), where)
    address = begun.headers["Location"]
    import_id = UUID(address.rpartition("/")[2])

    page = owner.read(address)
    assert f"0 of {count} products are in" in page
    assert re.search(rf'<progress max="{count}" value="0"', page)
    assert f'hx-get="{address}/progress"' in page
    go_on(session, import_id, seconds=0)
    assert f'value="{CHUNK}"' in owner.read(address)  # a plain reload
    part = owner.get(f"{address}/progress")
    assert f"{CHUNK} of {count} products are in" in part.text
    assert "HX-Redirect" not in part.headers
    go_on(session, import_id)
    last = owner.get(f"{address}/progress")
    assert last.headers["HX-Redirect"] == address
    assert "every" not in last.text  # it asks no more
    assert f"{count} products made, 0 updated" in owner.read(address)
    # The old address of the check leads to the result.
    assert owner.get(where).headers["Location"] == address


@pytest.mark.row("W29")
def test_an_import_is_taken_back_by_one_button(session: Session, owner: Desk) -> None:
    where = send(owner, sheet(3))
    address = owner.press(owner.read(where), where).headers["Location"]
    answer = owner.press(owner.read(address), "/undo")
    assert answer.status_code == 303
    assert "are taken back" in owner.read(address)
    go_on_taking_back(session, UUID(address.rpartition("/")[2]))

    page = owner.read(address)
    assert "Taken back by Owner Wanjiru" in page
    assert "3 archived" in page
    assert 'action="' + address + '/undo"' not in page
    on_sale = select(func.count()).where(Product.status == "active")
    assert session.scalar(on_sale) == 0


def test_an_upload_that_is_looked_at_changes_nothing_and_is_swept(
    session: Session, owner: Desk
) -> None:
    from app.domain.catalog.importing.records import sweep_uploads

    where = send(owner, sheet(2))
    owner.read(where)
    assert session.scalar(select(func.count()).select_from(Product)) == 0
    session.execute(text("UPDATE app.catalogue_imports SET at = now() - interval '2 days'"))
    sweep_uploads(session)
    session.commit()

    assert owner.get(where).status_code == 404


def test_the_stock_of_goods_without_a_count_can_be_told(session: Session, owner: Desk) -> None:
    where = send(owner, "Name,Price\nMug,300\n")
    owner.press(owner.read(where), where, {"uncounted_stock": "5"})

    assert session.scalars(select(Product)).one().variants[0].on_hand == 5


@pytest.mark.row("N57")
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_the_downloaded_sheet_comes_back_with_no_change(
    session: Session, owner: Desk, ending: str
) -> None:
    make_variant(session).product.name = "=Kericho tea, 500 g"
    make_variant(session)
    session.commit()
    assert f"products.{ending}" in owner.read("/dash/<store>/export/")
    answer = owner.get(f"/dash/<store>/export/products.{ending}")
    assert f'.{ending}"' in answer.headers["Content-Disposition"]
    where = send(owner, answer.data, f"products.{ending}")
    checked = owner.read(where)
    assert "This is a Dukani export" in checked
    done = owner.press(checked, where).headers["Location"]

    assert "0 products made, 0 updated, 2 as they were" in owner.read(done)


@pytest.fixture
def waiting(session: Session) -> Callable[[], UUID]:
    """The export that was asked for last, when the worker comes to it."""

    def last() -> UUID:
        session.commit()
        return UUID(
            str(session.execute(text("SELECT id FROM app.exports ORDER BY at DESC")).scalar())
        )

    return last


@pytest.mark.row("I21")
def test_everything_is_exported_by_one_button_and_downloaded(
    session: Session, owner: Desk, waiting: Callable[[], UUID]
) -> None:
    make_payment_settings(session)
    order = make_order(session)
    session.commit()
    phone = order.customer.phone
    assert owner.press(owner.read("/dash/<store>/export/"), "/export/").status_code == 303
    export_id = waiting()
    assert "Being made" in owner.read("/dash/<store>/export/")
    assert owner.get(f"/dash/<store>/export/{export_id}.zip").status_code == 404
    make_export(session, export_id)

    assert f"{export_id}.zip" in owner.read("/dash/<store>/export/list")
    answer = owner.get(f"/dash/<store>/export/{export_id}.zip")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        customers = list(csv.reader(io.StringIO(archive.read("customers.csv").decode("utf-8-sig"))))
    assert len(customers) == 2
    assert phone not in customers[1]
    assert "•" in customers[1][1]


@pytest.mark.row("I21")
def test_a_shop_that_was_closed_still_gives_everything_to_its_owner(
    session: Session, store: Store, owner: Desk, waiting: Callable[[], UUID]
) -> None:
    """The strictest state a shop can be in: no plan that lapses can close more."""
    make_variant(session, name="Kiondo basket", sku="KIONDO-1")
    session.commit()
    with platform_session() as above:
        suspend(above, store.id, reason="The plan was not paid for", actor="ops")

    assert owner.press(owner.read("/dash/<store>/export/"), "/export/").status_code == 303
    make_export(session, waiting())
    answer = owner.get(f"/dash/<store>/export/{waiting()}.zip")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert "KIONDO-1" in archive.read("products.csv").decode("utf-8-sig")
        assert {"orders.csv", "customers.csv", "ledger.csv"} <= set(archive.namelist())


@pytest.mark.row("I21")
def test_whole_numbers_leave_only_when_asked_for_and_it_is_kept(
    session: Session, owner: Desk, waiting: Callable[[], UUID]
) -> None:
    make_payment_settings(session)
    phone = make_order(session).customer.phone
    session.commit()
    owner.press(owner.read("/dash/<store>/export/"), "/export/", {"phones": "yes"})
    make_export(session, waiting())
    answer = owner.get(f"/dash/<store>/export/{waiting()}.zip")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert phone in archive.read("customers.csv").decode()

    trail = session.execute(
        text("SELECT actor, detail FROM app.audit_log WHERE action = 'store.exported'")
    ).one()
    assert (trail.actor, trail.detail["with_phones"]) == ("Owner Wanjiru", True)


@pytest.mark.parametrize("role", ["manager", "accountant", "packer"])
def test_only_the_owner_takes_everything_out(session: Session, sign_in: SignIn, role: str) -> None:
    desk = sign_in(role)

    assert desk.post("/dash/<store>/export/").status_code == 403
    assert desk.get(f"/dash/<store>/export/{UUID(int=1)}.zip").status_code == 403
    assert session.execute(text("SELECT count(*) FROM app.exports")).scalar_one() == 0
