"""Which browsers are told: those that asked, as long as their person may see what they are told."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.engine import platform_session
from app.domain.errors import FieldProblem
from app.domain.messaging.models import PushSubscription
from app.domain.messaging.push import (
    MOST_OF_ONE,
    BrowserAddress,
    follow,
    subscriptions_about_order,
)
from app.domain.people import team
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from app.ids import new_id


def browser() -> BrowserAddress:
    def key(size: int) -> str:
        return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()

    return BrowserAddress(endpoint=f"https://push.example/{key(9)}", p256dh=key(65), auth=key(16))


def employed(store: Store, role: str) -> UUID:
    with platform_session() as session:
        person_id = add_person(session, name="Otieno", email=f"{secrets.token_hex(6)}@duka.example")
        add_membership(session, store_id=store.id, person_id=person_id, role=role)
    return person_id


def told(session: Session) -> set[UUID | None]:
    found = subscriptions_about_order(session, new_id(), "receipt")
    return {one.person_id for one in found}


@pytest.mark.row("N95")
def test_new_work_is_told_to_people_who_may_see_it_now(
    session: Session, store: Store, make_store: Callable[..., Store]
) -> None:
    packer, seller = employed(store, "packer"), employed(store, "sales")
    stranger = employed(make_store(), "owner")
    for person_id in (packer, seller, stranger):
        follow(session, browser(), language="en", person_id=person_id)
    session.commit()
    assert told(session) == {packer, seller}

    team.change_role(store.id, packer, "rider", seen="packer", actor="Wanjiku")
    assert told(session) == {seller}
    team.remove_member(store.id, seller, actor="Wanjiku")
    assert told(session) == set()


@pytest.mark.row("N95")
def test_asking_twice_is_asking_once_also_for_the_last_that_is_allowed(session: Session) -> None:
    person_id = new_id()
    asked = [browser() for _ in range(MOST_OF_ONE)]
    for one in asked:
        follow(session, one, language="en", person_id=person_id)

    follow(session, asked[0], language="en", person_id=person_id)
    with pytest.raises(FieldProblem):
        follow(session, browser(), language="en", person_id=person_id)

    count = select(func.count()).select_from(PushSubscription)
    assert session.scalar(count.where(PushSubscription.person_id == person_id)) == MOST_OF_ONE
