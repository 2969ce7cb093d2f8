"""A store from the platform's side: how its channels are, closing it, and opening it again."""

from __future__ import annotations

import json
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from psycopg import errors
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.models import AuditEntry
from app.domain.payments.models import Callback
from app.domain.stores.models import Store
from app.jobs import Topic, ask_for
from tests.builders import attempt_of, make_order, make_payment_settings
from tests.conftest import Database, store_client
from tests.web.backoffice.conftest import Desk, platform_client
from tests.web.platform.conftest import OpsDesk


def close(ops: OpsDesk, store: Store, reason: str = "Sells what it does not have") -> None:
    page = ops.read(f"/ops/stores/{store.id}")
    assert ops.press(page, "/suspend", {"reason": reason}).status_code == 303


@pytest.mark.row("T3")
def test_the_page_shows_each_channel(
    ops: OpsDesk, sign_in: Callable[..., Desk], session: Session, store: Store
) -> None:
    sign_in("owner", name="Mwende Kilonzo", phone="+254799887766")
    make_payment_settings(session)
    make_order(session)
    ask_for(session, Topic.WRITE_SITEMAP, key="x")
    session.commit()

    page = ops.read(f"/ops/stores/{store.id}")

    for words in ("Till", "600984", "Last payment", "Prompts open now", "Jobs waiting", "Sitemap"):
        assert words in page
    assert f"{store.slug}.localhost" in page
    assert "Mwende Kilonzo" in page
    assert "07•• ••• 766" in page


@pytest.mark.row("T3")
def test_a_closed_shop_is_kindly_closed_and_opens_again(
    app: Flask, ops: OpsDesk, owner: Desk, session: Session, store: Store
) -> None:
    shopper = store_client(app, store)
    assert shopper.get("/").status_code == 200

    close(ops, store)

    for method, path in (("GET", "/"), ("GET", "/checkout"), ("POST", "/cart/lines")):
        closed = shopper.open(path, method=method)
        assert closed.status_code == 503, path
        assert int(closed.headers["Retry-After"]) >= 60
        assert "is closed for now" in closed.text
        assert "does not have" not in closed.text
    assert "Sells what it does not have" in owner.read("/dash/<store>/reviews/")

    page = ops.read(f"/ops/stores/{store.id}")
    assert "Closed by Atieno Ouma (Dukani)" in page
    assert ops.press(page, "/restore").status_code == 303
    assert shopper.get("/").status_code == 200
    assert "Sells what it does not have" not in owner.read("/dash/<store>/reviews/")


def test_whoever_bought_still_sees_their_order_in_a_closed_shop(
    app: Flask, ops: OpsDesk, store: Store
) -> None:
    close(ops, store)
    shopper = store_client(app, store)

    assert shopper.get(f"/o/{'0' * 32}").status_code == 404
    assert shopper.get("/cart").status_code == 503


def test_money_for_orders_of_a_closed_shop_still_arrives(
    app: Flask, ops: OpsDesk, session: Session, store: Store
) -> None:
    order = make_order(session)
    attempt = attempt_of(session, order)
    token, attempt_id = attempt.callback_token, attempt.id
    session.commit()
    close(ops, store)

    answer = platform_client(app).post(f"/hooks/pay/{token}", data=json.dumps({"Body": {}}))

    assert answer.status_code == 200
    kept = session.query(Callback).filter_by(store_id=bound_store(), attempt_id=attempt_id).one()
    assert kept.kind == "stk"


def test_closing_needs_a_reason_and_happens_once(ops: OpsDesk, store: Store) -> None:
    page = ops.read(f"/ops/stores/{store.id}")
    refused = ops.press(page, "/suspend", {"reason": " x "})
    assert refused.status_code == 422
    assert "Say why in a few words" in refused.text
    close(ops, store)
    again = ops.press(page, "/suspend", {"reason": "Once more"})

    assert again.status_code == 303
    assert "Sells what it does not have" in ops.read(f"/ops/stores/{store.id}")


def test_closing_is_written_in_both_trails(ops: OpsDesk, session: Session, store: Store) -> None:
    close(ops, store)

    entry = session.query(AuditEntry).filter_by(store_id=store.id, action="store.suspended").one()
    assert entry.actor == "Atieno Ouma (Dukani)"
    assert entry.detail == {"reason": "Sells what it does not have"}
    assert "store.suspended" in ops.read("/ops/system/trail")


def test_a_paused_shop_is_paused_again_after_it_was_closed(
    ops: OpsDesk, session: Session, store: Store
) -> None:
    session.get_one(Store, store.id).status = "paused"
    session.commit()
    close(ops, store)
    ops.press(ops.read(f"/ops/stores/{store.id}"), "/restore")

    session.expire_all()
    assert session.get_one(Store, store.id).status == "paused"


def test_a_store_cannot_open_itself_not_even_by_sql(
    database: Database, ops: OpsDesk, store: Store
) -> None:
    close(ops, store)
    with psycopg.connect(database.urls["dukani_app"]) as connection:
        connection.execute("SELECT set_config('app.store_id', %s, true)", (str(store.id),))
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("UPDATE app.stores SET status = 'active' WHERE id = %s", (store.id,))
