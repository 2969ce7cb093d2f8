"""The owner's cards in a browser without JavaScript: read, follow to the rows, apply, undo."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import platform_session
from app.domain.delivery.models import DeliveryArea
from app.domain.insights.actions import look_for_nudges
from app.domain.insights.cards import nudge_view
from app.domain.insights.models import Nudge
from app.domain.people.models import Membership, Person
from app.domain.people.sessions import start_session
from app.domain.stores.models import Store
from tests.insight_rows import add_area, add_checkouts, add_order, add_product

PLATFORM = "https://localhost:8000"
SignIn = Callable[..., FlaskClient]


@pytest.fixture
def sign_in(app: Flask, store: Store) -> SignIn:
    """A browser of somebody with a role in our store, or in another one."""

    def signed_in(role: str = "owner", where: Store = store) -> FlaskClient:
        with platform_session() as platform:
            person = Person(name="Wanjiru Mwangi", email=f"{role}-{where.slug}@duka.example")
            platform.add(person)
            platform.flush()
            platform.add(Membership(store_id=where.id, person_id=person.id, role=role))
            person_id = person.id
        client = app.test_client()
        client.set_cookie(
            "__Host-staff", start_session(person_id, "test"), domain="localhost", secure=True
        )
        return client

    return signed_in


def read(client: FlaskClient, path: str) -> str:
    answer = client.get(path, base_url=PLATFORM)
    assert answer.status_code == 200, (path, answer.status_code)
    return html.unescape(answer.text)


def press(client: FlaskClient, page: str, action: str) -> int:
    """Press the button of the page's form for this address, as a browser would."""
    form = re.search(
        rf'<form method="post" action="({re.escape(action)})">(.*?)</form>', page, re.S
    )
    assert form is not None, action
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[2]))
    answer = client.post(
        form[1], data=fields, base_url=PLATFORM, headers={"Sec-Fetch-Site": "same-origin"}
    )
    return answer.status_code


@pytest.fixture
def dropped(session: Session, store: Store) -> Session:
    """Westlands lost its shoppers this week, and Kilimani did not."""
    now = utcnow()
    for area, (before, this_week) in {"westlands": (30, 7), "kilimani": (30, 24)}.items():
        add_area(session, area, 250_00)
        add_checkouts(session, area, begun=50, paid=before, at=now - timedelta(days=12))
        add_checkouts(session, area, begun=40, paid=this_week, at=now - timedelta(days=3))
    look_for_nudges(session, now)
    session.commit()
    return session


def fee_of(session: Session, area: str) -> int:
    session.rollback()  # look again, with fresh eyes
    return session.query(DeliveryArea.fee_cents).filter_by(area=area).scalar()


@pytest.mark.row("N32", "N34")
def test_the_owner_reads_applies_and_undoes_without_script(
    sign_in: SignIn, dropped: Session, store: Store
) -> None:
    owner, home = sign_in(), f"/dash/{store.slug}"
    page = read(owner, f"{home}/")
    nudge_id = dropped.query(Nudge.id).scalar()
    assert "Lower the Westlands fee from KES\u00a0250 to KES\u00a0200." in page
    assert "7 of 40 paid" in page
    assert "24 of 40 paid" in page
    assert "7 of 40 shoppers in Westlands paid this week." in page

    assert press(owner, page, f"{home}/insights/nudges/{nudge_id}/apply") == 303
    assert fee_of(dropped, "westlands") == 200_00
    page = read(owner, f"{home}/")
    assert "Westlands fee is KES\u00a0200 now. It was KES\u00a0250." in page
    assert "Lower the Westlands fee" not in page

    assert press(owner, page, f"{home}/insights/nudges/{nudge_id}/undo") == 303
    assert fee_of(dropped, "westlands") == 250_00
    page = read(owner, f"{home}/")
    assert "Westlands fee is KES\u00a0200" not in page


@pytest.mark.row("N32")
def test_each_card_leads_to_the_rows_it_counted(
    sign_in: SignIn, session: Session, store: Store
) -> None:
    flask = add_product(session, "Steel flask", stock=2)
    order = add_order(session, utcnow(), variant=flask, quantity=3, area="karen").code
    last_week = add_order(session, utcnow() - timedelta(days=7), area="kilimani").code
    session.commit()
    owner = sign_in()
    page = read(owner, f"/dash/{store.slug}/")

    links = re.findall(r'href="(/dash/[^"]+/insights/(?:sales|areas|stock))"', page)
    assert sorted(links) == [
        f"/dash/{store.slug}/insights/{k}" for k in ("areas", "sales", "stock")
    ]
    rows = {link.rpartition("/")[2]: read(owner, link) for link in links}

    assert order in rows["sales"]
    assert last_week in rows["sales"]
    assert order in rows["areas"]
    assert "Karen" in rows["areas"]
    assert re.search(r"Steel flask</a></th><td>2</td><td>3</td><td>9</td>", rows["stock"])


@pytest.mark.row("N32")
def test_the_chart_can_be_seen_heard_and_read_as_a_table(
    sign_in: SignIn, session: Session, store: Store
) -> None:
    add_order(session, utcnow(), price_cents=4_200_00)
    add_order(session, utcnow() - timedelta(days=7), price_cents=3_100_00)
    session.commit()

    page = read(sign_in(), f"/dash/{store.slug}/")

    svg = re.search(
        r'<svg class="chart-svg"[^>]*role="img" aria-label="([^"]+)">(.*?)</svg>', page, re.S
    )
    assert svg is not None
    assert "KES\u00a04,200" in svg[1]
    assert "KES\u00a03,100" in svg[1]
    assert svg[2].count('class="bar-today"') == 1
    assert svg[2].count('class="bar-before"') == 1
    table = re.search(r'<details class="chart-table">(.*?)</details>', page, re.DOTALL)
    assert table is not None
    assert len(re.findall(r'<th scope="row">', table[1])) == 8
    assert re.search(r"Total</th><td>4,200</td><td>3,100</td>", table[1])
    assert " style=" not in page
    assert "<script>" not in page


@pytest.mark.row("N34")
@pytest.mark.parametrize("role", ["packer", "dispatcher", "rider", "accountant", "support"])
def test_only_who_leads_the_store_may_change_a_fee(
    sign_in: SignIn, dropped: Session, store: Store, role: str
) -> None:
    nudge_id = dropped.query(Nudge.id).scalar()
    page = read(sign_in(), f"/dash/{store.slug}/")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None

    answer = sign_in(role).post(
        f"/dash/{store.slug}/insights/nudges/{nudge_id}/apply",
        data={"csrf_token": token[1]},
        base_url=PLATFORM,
        headers={"Sec-Fetch-Site": "same-origin"},
    )

    assert answer.status_code in (400, 403)
    assert fee_of(dropped, "westlands") == 250_00


def test_another_stores_owner_cannot_see_or_press(
    sign_in: SignIn, dropped: Session, store: Store, theirs: Store
) -> None:
    nudge_id = dropped.query(Nudge.id).scalar()
    dropped.rollback()  # or the transaction of our store would go on in their requests
    other = sign_in("owner", theirs)

    for path in ("", "insights/sales", "insights/areas", "insights/stock"):
        assert other.get(f"/dash/{store.slug}/{path}", base_url=PLATFORM).status_code == 404
    page = read(other, f"/dash/{theirs.slug}/")
    assert "Westlands" not in page
    press_theirs = other.post(
        f"/dash/{theirs.slug}/insights/nudges/{nudge_id}/apply",
        base_url=PLATFORM,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert press_theirs.status_code in (400, 404)
    assert fee_of(dropped, "westlands") == 250_00


def test_a_nudge_that_came_too_late_says_so_and_changes_nothing(
    sign_in: SignIn, dropped: Session, store: Store
) -> None:
    owner, home = sign_in(), f"/dash/{store.slug}"
    page = read(owner, f"{home}/")
    nudge = dropped.query(Nudge).one()
    assert nudge_view(dropped, nudge, utcnow()).area == "westlands"
    dropped.query(DeliveryArea).filter_by(area="westlands").one().fee_cents = 300_00
    dropped.commit()

    assert press(owner, page, f"{home}/insights/nudges/{nudge.id}/apply") == 303

    assert fee_of(dropped, "westlands") == 300_00
    assert "The fee was changed to KES\u00a0300 since then." in read(owner, f"{home}/")
