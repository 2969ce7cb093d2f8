"""The team: inviting by a link to a phone, joining once, roles, taking out, lost phones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.engine import db, platform_session
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.audit.models import AuditEntry
from app.domain.messaging.models import Message
from app.domain.people.models import Invitation, Membership, StaffSession
from app.domain.people.sessions import devices_of, start_session
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from tests.phones import any_phone
from tests.web.backoffice.conftest import Desk, platform_client

SignIn = Callable[..., Desk]


def messages(store_id: int, kind: str) -> list[str]:
    """What this store asked to be sent, the newest first."""
    db.session.rollback()
    db.session.remove()
    with inside_store(store_id):
        query = select(Message).where(Message.kind == kind).order_by(Message.id.desc())
        bodies = [message.body for message in db.session.scalars(query)]
        db.session.remove()
    return bodies


def audited(store: Store) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


def person_of(desk: Desk) -> UUID:
    with platform_session() as session:
        return session.scalars(
            select(Membership.person_id).where(Membership.store_id == desk.store.id)
        ).first()  # type: ignore[return-value]


def invite(owner: Desk, phone: str, role: str = "packer", how: str = "sms", name: str = "") -> str:
    """Invite as the owner's form does; returns the link's path."""
    page = owner.read("/dash/<store>/team/invite")
    wanted = {"phone": phone, "role": role, "how": how, "name": name}
    answer = owner.press(page, "/team/invite", wanted)
    assert answer.status_code == 303, answer.text[-2000:]
    shown = owner.read(answer.headers["Location"])
    found = re.search(r"/join/[0-9a-f]{32}", shown)
    assert found is not None
    return found[0]


def join(app: Flask, store: Store, path: str, name: str = "Njeri Kamau") -> Desk:
    """Open the link on a new phone and type the code that was sent to it."""
    desk = Desk(platform_client(app), store)
    page = desk.press(desk.read(path), path + "/code")
    assert page.status_code == 200, page.text[-2000:]
    code = re.search(r"\b[0-9]{6}\b", messages(PLATFORM_STORE, "otp")[0])
    assert code is not None
    answer = desk.press(page.text, path + "/check", {"code": code[0], "name": name})
    assert answer.status_code == 303, answer.text[-2000:]
    desk.name = answer.headers["Location"]
    return desk


@pytest.mark.row("N55")
def test_a_link_by_sms_makes_its_phone_a_member_once(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    phone = any_phone("71")
    path = invite(owner, phone, "packer", name="Njeri")

    text = messages(store.id, "invitation")[0]
    assert path in text
    assert "Packer" in text
    assert store.name in text
    joined = join(app, store, path)

    assert joined.name == f"/staff/{store.slug}/orders/"
    assert joined.get(joined.name).status_code == 200
    assert joined.get("/dash/<store>/team/").status_code == 403
    assert "Njeri Kamau" in owner.read("/dash/<store>/team/")
    for again in (joined, Desk(platform_client(app), store)):
        answer = again.get(path)
        assert answer.status_code == 410
        assert "used already. It works once" in answer.text
    assert {"team.invited", "team.joined"} <= set(audited(store))


@pytest.mark.row("N55")
@pytest.mark.parametrize("step", ["code", "check"])
def test_a_used_link_is_refused_at_every_step(
    app: Flask, session: Session, store: Store, owner: Desk, step: str
) -> None:
    path = invite(owner, any_phone("71"))
    late = Desk(platform_client(app), store)
    page = late.read(path)
    if step == "check":
        page = late.press(page, path + "/code").text
        with inside_store(PLATFORM_STORE):
            forget_limits(session)
    join(app, store, path)

    answer = late.press(page, f"{path}/{step}", {"code": "123456", "name": "Again"})

    assert answer.status_code == 410
    assert "used already" in answer.text


def forget_limits(session: Session) -> None:
    """A minute passes between two codes to one phone."""
    from sqlalchemy import delete

    from app.domain.people.models import RateCounter

    session.rollback()
    db.session.remove()
    with inside_store(PLATFORM_STORE):
        db.session.execute(delete(RateCounter).where(RateCounter.name.like("otp:%")))
        db.session.commit()
        db.session.remove()


def test_a_link_older_than_48_hours_is_refused_until_it_is_sent_again(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    path = invite(owner, any_phone("71"), how="link")
    session.rollback()
    row = session.scalars(select(Invitation)).one()
    assert row.expires_at - row.created_at == pytest.approx(
        timedelta(hours=48), abs=timedelta(seconds=9)
    )
    session.execute(update(Invitation).values(expires_at=utcnow() - timedelta(seconds=1)))
    session.commit()
    visitor = Desk(platform_client(app), store)

    answer = visitor.get(path)
    assert answer.status_code == 410
    assert "more than 48 hours old" in answer.text
    shown = owner.read(f"/dash/<store>/team/invitations/{row.id}")
    assert path not in shown
    owner.press(shown, "/again", {"how": "sms"})

    assert visitor.get(path).status_code == 200
    assert path in messages(store.id, "invitation")[0]


def test_a_withdrawn_link_is_refused(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    path = invite(owner, any_phone("71"))
    shown = owner.read(
        f"/dash/<store>/team/invitations/{session.scalars(select(Invitation.id)).one()}"
    )
    assert owner.press(shown, "/withdraw").status_code == 303

    answer = Desk(platform_client(app), store).get(path)

    assert answer.status_code == 410
    assert "withdrawn" in answer.text


def test_somebody_with_another_phone_is_refused(
    app: Flask, session: Session, store: Store, theirs: Store, owner: Desk, sign_in: SignIn
) -> None:
    path = invite(owner, any_phone("71"))
    stranger = sign_in("owner", where=theirs, phone=any_phone("71"))

    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "made for another phone number" in answer.text
    # A code for the stranger's own phone is of no use here either.
    visitor = Desk(platform_client(app), store)
    page = visitor.press(visitor.read(path), path + "/code").text
    forget_limits(session)
    own = Desk(visitor.client, store)
    own.press(own.read("/sign-in"), "/sign-in/code", {"phone": any_phone("71")})
    wrong = visitor.press(page, path + "/check", {"code": "000000", "name": "Mtu"})
    assert wrong.status_code == 422
    assert "That is not the code" in wrong.text
    assert len(members(store)) == 1


def members(store: Store) -> list[str]:
    with platform_session() as session:
        return list(session.scalars(select(Membership.role).where(Membership.store_id == store.id)))


def test_the_role_is_the_links_and_no_forms(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    path = invite(owner, any_phone("71"), "rider")
    desk = Desk(platform_client(app), store)
    page = desk.press(desk.read(path), path + "/code").text
    code = re.search(r"\b[0-9]{6}\b", messages(PLATFORM_STORE, "otp")[0])
    assert code is not None

    desk.press(page, path + "/check", {"code": code[0], "name": "Mtu", "role": "owner"})

    assert sorted(members(store)) == ["owner", "rider"]


def test_only_a_hash_of_the_link_is_readable_and_nothing_after_use(
    app: Flask, session: Session, store: Store, owner: Desk
) -> None:
    path = invite(owner, any_phone("71"))
    token = path.rpartition("/")[2]
    session.rollback()
    row = session.scalars(select(Invitation)).one()
    assert token.encode() not in row.token_hash + (row.token_sealed or b"")
    join(app, store, path)
    session.rollback()
    session.expire_all()

    assert session.scalars(select(Invitation)).one().token_sealed is None


def test_a_phone_is_invited_once_and_members_not_at_all(
    session: Session, store: Store, owner: Desk, sign_in: SignIn
) -> None:
    phone, colleague = any_phone("71"), any_phone("71")
    sign_in("packer", phone=colleague)
    invite(owner, phone)
    page = owner.read("/dash/<store>/team/invite")

    again = owner.press(page, "/team/invite", {"phone": phone, "role": "sales", "how": "sms"})
    assert "/team/invitations/" in again.headers["Location"]
    assert "has an invitation already" in owner.read(again.headers["Location"])
    known = owner.press(page, "/team/invite", {"phone": colleague, "role": "sales", "how": "sms"})
    assert known.status_code == 422
    assert "works here already" in known.text
    assert len(messages(store.id, "invitation")) == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"phone": "12"}, "too short"),
        ({"role": "admin"}, "Choose a role"),
        ({"how": "pigeon"}, "Choose how"),
        ({"how": "whatsapp"}, "no WhatsApp number"),
    ],
)
def test_what_cannot_be_an_invitation_is_explained(
    session: Session, owner: Desk, typed: dict[str, str], words: str
) -> None:
    page = owner.read("/dash/<store>/team/invite")
    good = {"phone": any_phone("71"), "role": "packer", "how": "sms", "name": "Njeri"}

    answer = owner.press(page, "/team/invite", good | typed)

    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="Njeri"' in answer.text


def test_somebody_who_works_elsewhere_joins_and_switches_stores(
    app: Flask, session: Session, store: Store, theirs: Store, owner: Desk, sign_in: SignIn
) -> None:
    phone = any_phone("71")
    worker = sign_in("manager", where=theirs, name="Baraka Otieno", phone=phone)
    path = invite(owner, phone, "sales")

    join(app, store, path, name="Somebody else")

    page = worker.read(f"/dash/{theirs.slug}/")
    assert f'href="/staff/{store.slug}/"' in page
    assert store.name in page
    assert "Baraka Otieno" in owner.read("/dash/<store>/team/")
    assert worker.get(f"/staff/{store.slug}/orders/").status_code == 200


def colleague_of(owner: Desk, desk: Desk) -> str:
    """The path of a colleague's page, as the owner finds it."""
    found = re.search(
        rf'href="([^"]+/team/[0-9a-f-]{{36}})"[^>]*>{re.escape(desk.name)}<',
        owner.read("/dash/<store>/team/"),
    )
    assert found is not None
    return found[1]


@pytest.mark.row("T11")
def test_an_owner_signs_out_a_colleagues_lost_phone(
    session: Session, owner: Desk, sign_in: SignIn
) -> None:
    packer = sign_in("packer")
    assert packer.get("/staff/<store>/orders/").status_code == 200
    page = owner.read(colleague_of(owner, packer))

    owner.press(page, "/sign-out")

    next_click = packer.get("/staff/<store>/orders/")
    assert next_click.status_code == 303
    assert next_click.headers["Location"].startswith("/sign-in")
    assert "Signed in nowhere now" in owner.read(colleague_of(owner, packer))


def test_a_device_of_somebody_elses_store_is_not_ours_to_sign_out(
    session: Session, theirs: Store, owner: Desk, sign_in: SignIn
) -> None:
    sign_in("owner", where=theirs)
    packer = sign_in("packer")
    with platform_session() as platform:
        stranger = platform.scalars(
            select(Membership.person_id).where(Membership.store_id == theirs.id)
        ).one()
    device = devices_of(stranger)[0]

    foreign = f"/dash/<store>/team/{stranger}"
    own = colleague_of(owner, packer)

    assert owner.get(foreign).status_code == 404
    assert owner.post(f"{foreign}/devices/{device.id}/sign-out").status_code == 404
    owner.post(f"{own}/devices/{device.id}/sign-out")
    assert [one.id for one in devices_of(stranger)] == [device.id]


@pytest.mark.row("T11")
def test_my_devices_are_listed_and_signed_out_one_or_all(
    app: Flask, session: Session, store: Store
) -> None:
    with platform_session() as platform:
        me = add_person(platform, name="Achieng", email=f"{secrets.token_hex(5)}@duka.example")
        add_membership(platform, store_id=store.id, person_id=me, role="owner")
    desks = []
    for device, place in (("Chrome on Android", "196.201.216.0/24"), ("Firefox on Linux", "")):
        client = platform_client(app)
        token = start_session(me, device, place=place)
        client.set_cookie("__Host-staff", token, domain="localhost", secure=True)
        desks.append(Desk(client, store))
    phone, laptop = desks
    lost = start_session(me, "Safari on iPhone")

    page = phone.read("/me/devices")
    assert "Chrome on Android" in page
    assert "Firefox on Linux" in page
    assert "196.201.216.0/24" in page
    assert page.count("This device") == 1
    iphone = next(one for one in devices_of(me) if one.device == "Safari on iPhone")
    phone.press(page, f"/{iphone.id}/sign-out")
    assert "Safari" not in phone.read("/me/devices").replace("Safari on iPhone is signed out", "")
    assert lost

    phone.press(phone.read("/me/devices"), "/sign-out-others")
    assert laptop.get("/dash/<store>/").headers["Location"].startswith("/sign-in")
    assert phone.get("/dash/<store>/").status_code == 200
    phone.press(phone.read("/me/devices"), "/sign-out-all")
    assert phone.get("/dash/<store>/").headers["Location"].startswith("/sign-in")
    assert phone.get("/me/devices").headers["Location"] == "/sign-in?next=/me/devices"


@pytest.mark.row("T11")
@pytest.mark.parametrize(
    "moments",
    [
        pytest.param({"seen_at": timedelta(hours=12, minutes=1)}, id="twelve hours idle"),
        pytest.param({"expires_at": timedelta(seconds=1)}, id="seven days in all"),
    ],
)
def test_a_device_is_signed_out_by_itself(
    session: Session, owner: Desk, moments: dict[str, timedelta]
) -> None:
    with platform_session() as platform:
        platform.execute(
            update(StaffSession)
            .where(StaffSession.person_id == person_of(owner))
            .values({name: utcnow() - span for name, span in moments.items()})
        )

    assert owner.get("/dash/<store>/").headers["Location"].startswith("/sign-in")
    assert devices_of(person_of(owner)) == []


def test_a_role_changes_from_the_next_click_and_can_be_undone(
    session: Session, store: Store, owner: Desk, sign_in: SignIn
) -> None:
    packer = sign_in("packer")
    where = colleague_of(owner, packer)
    assert packer.get("/dash/<store>/audit/").status_code == 403

    changed = owner.press(owner.read(where), "/role", {"role": "accountant"})
    assert packer.get("/dash/<store>/audit/").status_code == 200
    owner.undo(owner.read(changed.headers["Location"]))

    assert packer.get("/dash/<store>/audit/").status_code == 403
    assert audited(store).count("team.role") == 2


def test_two_owners_at_one_form_do_not_overwrite_each_other(
    session: Session, owner: Desk, sign_in: SignIn
) -> None:
    packer = sign_in("packer")
    where = colleague_of(owner, packer)
    stale = owner.read(where)
    owner.press(stale, "/role", {"role": "sales"})

    late = owner.press(stale, "/role", {"role": "manager"})

    assert "Somebody changed this role meanwhile" in owner.read(late.headers["Location"])
    assert packer.get("/dash/<store>/").headers["Location"].endswith("/orders/")


@pytest.mark.parametrize("what", ["role", "remove"])
def test_a_store_keeps_an_owner(
    session: Session, store: Store, owner: Desk, sign_in: SignIn, what: str
) -> None:
    page = owner.read(f"/dash/<store>/team/{person_of(owner)}")

    refused = owner.press(page, f"/{what}", {"role": "packer"})
    assert "A store needs an owner" in owner.read(refused.headers["Location"])
    assert members(store) == ["owner"]
    second = sign_in("owner")
    owner.press(page, f"/{what}", {"role": "packer"})

    assert owner.get("/dash/<store>/team/").status_code == (403 if what == "role" else 404)
    assert second.get("/dash/<store>/team/").status_code == 200


def test_two_owners_who_demote_each_other_leave_one(
    app: Flask, session: Session, store: Store
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from app.domain.people.team import LastOwner, change_role

    with platform_session() as platform:
        people = [
            add_person(platform, name=name, email=f"{secrets.token_hex(5)}@duka.example")
            for name in ("Achieng", "Baraka")
        ]
        for person in people:
            add_membership(platform, store_id=store.id, person_id=person, role="owner")

    def demote(person: UUID) -> str:
        try:
            change_role(store.id, person, "packer", seen="owner", actor="the other")
        except LastOwner:
            return "refused"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(demote, people))

    assert answers == ["done", "refused"]
    assert sorted(members(store)) == ["owner", "packer"]


def test_who_is_taken_out_finds_nothing_at_the_next_click_and_can_be_brought_back(
    session: Session, store: Store, theirs: Store, owner: Desk, sign_in: SignIn
) -> None:
    phone = any_phone("71")
    packer = sign_in("packer", phone=phone)
    with platform_session() as platform:
        person = add_person(platform, name="same", phone=phone)
        add_membership(platform, store_id=theirs.id, person_id=person, role="sales")

    answer = owner.press(owner.read(colleague_of(owner, packer)), "/remove")
    assert packer.get("/staff/<store>/orders/").status_code == 404
    assert packer.get(f"/staff/{theirs.slug}/orders/").status_code == 200
    page = owner.read(answer.headers["Location"])
    assert "Taken out this week" in page
    owner.undo(page)

    assert packer.get("/staff/<store>/orders/").status_code == 200
    assert {"team.removed", "team.brought_back"} <= set(audited(store))


def test_nobody_is_brought_back_who_never_worked_here(
    session: Session, store: Store, theirs: Store, owner: Desk, sign_in: SignIn
) -> None:
    stranger = sign_in("packer", where=theirs)
    with platform_session() as platform:
        person = platform.scalars(
            select(Membership.person_id).where(Membership.store_id == theirs.id)
        ).one()

    answer = owner.post(f"/dash/<store>/team/{person}/bring-back")

    assert answer.status_code == 404
    assert stranger.get("/staff/" + store.slug + "/orders/").status_code == 404


def test_a_manager_sees_the_team_and_changes_nothing(
    session: Session, owner: Desk, sign_in: SignIn
) -> None:
    manager = sign_in("manager")
    page = manager.read("/dash/<store>/team/")

    assert owner.name in page
    assert "Invite" not in page
    member = manager.read(colleague_of(manager, owner))
    assert "<form" not in member.partition('id="work"')[2].partition("</main>")[0]
    for path in ("invite", f"{person_of(owner)}/role", f"{person_of(owner)}/remove"):
        assert manager.post(f"/dash/<store>/team/{path}", {"role": "packer"}).status_code == 403


def test_another_stores_invitation_is_not_there(
    session: Session, theirs: Store, owner: Desk, sign_in: SignIn
) -> None:
    invite(owner, any_phone("71"))
    row = session.scalars(select(Invitation.id)).one()
    neighbour = sign_in("owner", where=theirs)

    for action in ("", "/again", "/withdraw"):
        path = f"/dash/<store>/team/invitations/{row}{action}"
        answer = neighbour.post(path, {"how": "sms"}) if action else neighbour.get(path)
        assert answer.status_code == 404
