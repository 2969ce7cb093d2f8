"""Looking at a store for Dukani: seen on every page, written down, and harmless until allowed."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.domain.audit.models import AuditEntry
from app.domain.catalog.models import Variant
from app.domain.stores.models import Store
from tests.builders import make_order, make_variant
from tests.conftest import Database
from tests.web.backoffice.conftest import Desk
from tests.web.platform.conftest import OpsDesk

BANNER = "for Dukani."


def look(ops: OpsDesk, store: Store, reason: str = "The owner asked on the phone") -> str:
    page = ops.read(f"/ops/stores/{store.id}")
    answer = ops.press(page, "/look", {"reason": reason})
    assert answer.status_code == 303, answer.text[:400]
    return str(answer.headers["Location"])


def actions(session: Session, store: Store) -> list[tuple[str, str]]:
    session.commit()
    rows = session.query(AuditEntry).filter_by(store_id=store.id).order_by(AuditEntry.seq)
    return [(row.action, row.actor) for row in rows]


def staff_pages(app: Flask) -> list[str]:
    """Every page of the back office that needs no id."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "_permission", None)
        and "GET" in (rule.methods or ())
        and rule.arguments == {"store"}
    )


@pytest.mark.row("T3")
def test_a_look_shows_what_the_owner_sees_with_a_banner_on_every_page(
    app: Flask, ops: OpsDesk, session: Session, store: Store
) -> None:
    make_order(session)
    session.commit()
    assert ops.get("/dash/<store>/reviews/").status_code == 404

    assert look(ops, store).startswith(f"/dash/{store.slug}/")

    seen = 0
    for path in staff_pages(app):
        answer = ops.get(path)
        if (
            answer.status_code == 200
            and answer.mimetype == "text/html"
            and "<!doctype" in answer.text
        ):
            assert BANNER in answer.text, path
            assert "Nothing can be changed" in answer.text, path
            seen += 1
    assert seen >= 10


@pytest.mark.row("T3")
def test_nothing_can_be_changed_by_looking(
    app: Flask, ops: OpsDesk, session: Session, store: Store
) -> None:
    """Every form of the back office is refused with words, whatever it would do."""
    variant = make_variant(session)
    session.commit()
    look(ops, store)
    token = ops.token()
    refused = 0
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if not getattr(view, "_permission", None) or "POST" not in (rule.methods or ()):
            continue
        with app.test_request_context():
            values = dict.fromkeys(rule.arguments, str(variant.id)) | {"store": store.slug}
            if any(kind in rule.rule for kind in ("<int:", "<slug:", "<regex")):
                continue
            path = rule.build(values)[1]  # type: ignore[index]
        answer = ops.client.post(path, data={"csrf_token": token, "price": "1", "stock": "1"})
        assert answer.status_code == 403, (path, answer.status_code)
        assert "nothing can be changed" in answer.text or "own people" in answer.text, path
        refused += 1

    assert refused >= 15
    session.expire_all()
    assert session.get_one(Variant, (store.id, variant.id)).price_cents == 450_00


@pytest.mark.row("T3")
def test_changing_needs_a_second_reason_and_is_the_owners_to_read(
    ops: OpsDesk, owner: Desk, session: Session, store: Store
) -> None:
    look(ops, store)
    page = ops.read(f"/ops/stores/{store.id}")
    assert ops.press(page, "/write", {"reason": ""}).status_code == 422
    assert (
        ops.press(
            page, "/write", {"reason": "The owner has no phone to add a rider with"}
        ).status_code
        == 303
    )

    desk = ops.read("/staff/<store>/dispatch/")
    assert "You may change things until" in desk
    saved = ops.press(desk, "/riders", {"name": "Otieno"})

    assert saved.status_code == 303
    assert "Otieno" in ops.read("/staff/<store>/dispatch/")
    assert [action for action, _who in actions(session, store)][-3:] == [
        "impersonation.began",
        "impersonation.may_write",
        "rider.added",
    ]
    assert {who for _action, who in actions(session, store)[-3:]} == {"Atieno Ouma (Dukani)"}
    trail = owner.read("/dash/<store>/audit/")
    assert "may change things for 15 minutes: The owner has no phone to add a rider with" in trail


@pytest.mark.row("T3")
def test_the_quarter_of_an_hour_ends_by_itself(
    database: Database, ops: OpsDesk, session: Session, store: Store
) -> None:
    look(ops, store)
    ops.press(ops.read(f"/ops/stores/{store.id}"), "/write", {"reason": "To fix a price"})
    desk = ops.read("/staff/<store>/dispatch/")
    with psycopg.connect(database.superuser) as connection:
        minutes = connection.execute(
            "SELECT extract(epoch FROM writes_until - now()) / 60 FROM app.impersonations WHERE store_id = %s",
            (store.id,),
        ).fetchone()
        connection.execute(
            "UPDATE app.impersonations SET writes_until = now() - interval '1 second' WHERE store_id = %s",
            (store.id,),
        )

    assert ops.press(desk, "/riders", {"name": "Otieno"}).status_code == 403
    assert "Nothing can be changed" in ops.read("/dash/<store>/reviews/")
    assert minutes is not None
    assert 14 < minutes[0] <= 15


def test_leaving_ends_it_and_is_written_down(ops: OpsDesk, session: Session, store: Store) -> None:
    look(ops, store)
    page = ops.read("/dash/<store>/reviews/")

    left = ops.press(page, "/leave")

    assert left.headers["Location"] == f"/ops/stores/{store.id}"
    assert ops.get("/dash/<store>/reviews/").status_code == 404
    assert actions(session, store)[-1] == ("impersonation.ended", "Atieno Ouma (Dukani)")
    assert "impersonation.ended" in ops.read("/ops/system/trail")


def test_a_look_is_one_browsers_and_one_stores(
    ops: OpsDesk,
    run_dukani: Callable[..., OpsDesk],
    session: Session,
    store: Store,
    theirs: Store,
) -> None:
    look(ops, store)
    other = run_dukani("Kamau")

    assert other.get("/dash/<store>/reviews/").status_code == 404
    assert ops.get(f"/dash/{theirs.slug}/reviews/").status_code == 404
    look(ops, theirs)
    assert ops.get("/dash/<store>/reviews/").status_code == 404


def test_a_look_needs_a_reason(ops: OpsDesk, session: Session, store: Store) -> None:
    page = ops.read(f"/ops/stores/{store.id}")

    assert ops.press(page, "/look", {"reason": ""}).status_code == 422
    assert ops.get("/dash/<store>/reviews/").status_code == 404
    assert actions(session, store) == []


def test_the_team_and_the_payouts_are_never_changed_from_outside(
    ops: OpsDesk, store: Store
) -> None:
    from app.domain.platform.impersonating import NEVER, Acting, NotFromOutside, acting_now
    from app.web.auth import COOKIE

    look(ops, store)
    ops.press(ops.read(f"/ops/stores/{store.id}"), "/write", {"reason": "To fix a price"})
    cookie = ops.client.get_cookie(COOKIE, domain="localhost")
    assert cookie is not None
    acting = acting_now(cookie.value)

    assert isinstance(acting, Acting)
    assert acting.may_write
    for permission in NEVER:
        with pytest.raises(NotFromOutside):
            acting.refuse(permission, is_reading=False)
