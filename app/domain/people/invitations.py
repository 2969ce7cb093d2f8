"""Inviting people to a team by a link to their phone: 48 hours, once, for that phone alone.

The link proves nothing by itself: whoever opens it still has to type the code that we send to
the invited number. Inviting, sending again and withdrawing happen in the store's session, with
message and audit in the same transaction; joining is the platform's, because nobody is a
member yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.addresses import platform_url
from app.clock import utcnow
from app.db.engine import platform_session
from app.db.tenancy import PLATFORM_STORE, bound_store
from app.domain.audit.actions import record
from app.domain.errors import DomainError, FieldProblem, NotFound
from app.domain.messaging.actions import queue_message
from app.domain.messaging.models import ChannelSettings, Message
from app.domain.people import limits
from app.domain.people.models import Invitation, Membership, Person
from app.domain.people.permissions import ROLES
from app.domain.people.roles import ROLE_WORDS
from app.domain.people.signing_in import find_person_by_phone
from app.domain.people.team import acting_in, forget_removal
from app.domain.stores.actions import add_membership, add_person
from app.domain.stores.models import Store
from app.i18n import gettext, using_locale
from app.i18n import gettext_lazy as _
from app.ids import new_token, token_hash
from app.vault import vault

LIFETIME = timedelta(hours=48)
CHANNELS = ("sms", "whatsapp", "link")
MAX_NAME = 120
# (how many, in how many seconds): sending costs money, and an invited phone has an owner too.
PER_PHONE = ((1, 60), (5, 24 * 3600))
PER_STORE = ((50, 24 * 3600),)


class AlreadyInvited(DomainError):
    """This phone has a link that still works."""

    def __init__(self, invitation_id: UUID) -> None:
        self.invitation_id = invitation_id
        super().__init__(
            _("That number has an invitation already. Send it again, or withdraw it first.")
        )


class AlreadyMember(DomainError):
    """This phone's owner works in the store already."""

    def __init__(self) -> None:
        super().__init__(_("Somebody with that number works here already."))


class InvitationClosed(DomainError):
    """The link was used, withdrawn, or is too old. ``reason`` is one of these three words."""

    def __init__(self, reason: str, *, store: str) -> None:
        self.reason = reason
        sentences = {
            "used": _("This invitation was used already. It works once."),
            "withdrawn": _(
                "This invitation was withdrawn. Ask %(store)s for a new one.", store=store
            ),
            "expired": _(
                "This invitation is more than 48 hours old. Ask %(store)s to send it again.",
                store=store,
            ),
        }
        super().__init__(sentences[reason])


class ForAnotherPhone(DomainError):
    """Somebody else's invitation."""

    def __init__(self) -> None:
        super().__init__(
            _("This invitation was made for another phone number. Ask the shop for one of yours.")
        )


@dataclass(frozen=True)
class Found:
    """What a link says. ``phone`` is E.164; ``closed`` is why it no longer works, or empty."""

    invitation_id: UUID
    store_id: int
    store_slug: str
    store_name: str
    role: str
    name: str
    phone: str
    invited_by: str
    expires_at: datetime
    closed: str
    used_by: UUID | None


@dataclass(frozen=True)
class Joined:
    """Who joined which store with which role."""

    person: Person
    store_id: int
    store_slug: str
    role: str


def invite(
    session: Session,
    *,
    phone: str,
    role: str,
    name: str = "",
    channel: str,
    actor: str,
    language: str = "en",
) -> Invitation:
    """Invite the owner of this E.164 number and send the link. Inside the store; does not commit.

    With the channel ``link`` nothing is sent: the inviter passes the link on. Raises
    FieldProblem, AlreadyInvited, AlreadyMember, TooManyTries.
    """
    name = " ".join(name.split())
    if role not in ROLES:
        raise FieldProblem("role", _("Choose a role."))
    if len(name) > MAX_NAME:
        raise FieldProblem("name", _("That name is too long."))
    _known_channel(session, channel)
    if _works_here(phone):
        raise AlreadyMember
    _make_room(session, phone)
    token = new_token()
    invitation = Invitation(
        role=role,
        name=name,
        phone_sealed=vault().seal(phone, store_id=bound_store(), column="invitations.phone"),
        phone_lookup=_lookup(phone),
        token_hash=token_hash(token),
        token_sealed=_seal(token),
        channel=channel,
        invited_by=actor,
        expires_at=utcnow() + LIFETIME,
    )
    try:
        with session.begin_nested():
            session.add(invitation)
            session.flush()
    except IntegrityError as error:  # somebody else invited the same phone this second
        raise AlreadyInvited(_open_for(session, phone)) from error
    _send(session, invitation, channel, language=language)
    record(
        session,
        "team.invited",
        actor=actor,
        subject=f"invitation:{invitation.id}",
        role=role,
        by=channel,
    )
    return invitation


def send_again(
    session: Session, invitation_id: UUID, *, channel: str, actor: str, language: str = "en"
) -> Invitation:
    """Send the same link once more; its 48 hours begin again. Does not commit.

    Raises NotFound, InvitationClosed for one used or withdrawn, TooManyTries, FieldProblem.
    """
    invitation = _locked(session, invitation_id)
    _known_channel(session, channel)
    closed = why_closed(invitation)
    if closed in ("used", "withdrawn"):
        raise InvitationClosed(closed, store=session.get_one(Store, bound_store()).name)
    invitation.expires_at = utcnow() + LIFETIME
    invitation.channel = channel
    _send(session, invitation, channel, language=language)
    record(
        session,
        "team.invited_again",
        actor=actor,
        subject=f"invitation:{invitation.id}",
        by=channel,
    )
    return invitation


def withdraw(session: Session, invitation_id: UUID, *, actor: str) -> Invitation:
    """Make the link stop working. Twice is once. Does not commit.

    Raises NotFound, InvitationClosed when it was used meanwhile.
    """
    invitation = _locked(session, invitation_id)
    if invitation.used_at is not None:
        raise InvitationClosed("used", store="")
    if invitation.withdrawn_at is None:
        _withdraw(session, invitation, actor=actor)
    return invitation


def open_invitations(session: Session) -> list[Invitation]:
    """Every invitation that was neither used nor withdrawn, also too old ones, newest first."""
    return list(
        session.scalars(
            select(Invitation)
            .where(
                Invitation.store_id == bound_store(),
                Invitation.used_at.is_(None),
                Invitation.withdrawn_at.is_(None),
            )
            .order_by(Invitation.created_at.desc())
        )
    )


def get_invitation(session: Session, invitation_id: UUID) -> Invitation:
    """One invitation of this store. Raises NotFound."""
    invitation = session.get(Invitation, (bound_store(), invitation_id))
    if invitation is None:
        raise NotFound
    return invitation


def message_of(session: Session, invitation: Invitation) -> Message | None:
    """The newest message that carried the link, or None where none was sent."""
    return session.scalar(
        select(Message)
        .where(
            Message.store_id == bound_store(),
            Message.dedupe_key == _message_key(invitation),
        )
        .order_by(Message.created_at.desc())
    )


def why_closed(invitation: Invitation) -> str:
    """``used``, ``withdrawn`` or ``expired``; empty while the link works."""
    if invitation.used_at is not None:
        return "used"
    if invitation.withdrawn_at is not None:
        return "withdrawn"
    return "expired" if utcnow() >= invitation.expires_at else ""


def link_of(invitation: Invitation) -> str:
    """The link, for those who may pass it on; empty when it no longer works."""
    if why_closed(invitation) or invitation.token_sealed is None:
        return ""
    token = vault().open(
        invitation.token_sealed, store_id=invitation.store_id, column="invitations.token"
    )
    return platform_url(f"/join/{token}")


def words_of(store: str, invitation: Invitation) -> str:
    """What the message says, with the link at its end."""
    return gettext(
        "%(name)s invites you to work at %(store)s as %(role)s. Open this within 48 hours: %(link)s",
        name=invitation.invited_by,
        store=store,
        role=str(ROLE_WORDS[invitation.role]),
        link=link_of(invitation),
    )


def find_invitation(token: str) -> Found | None:
    """What this link says, used or not; None for a link that never was."""
    with platform_session() as session:
        row = session.execute(
            select(Invitation, Store)
            .join(Store, Store.id == Invitation.store_id)
            .where(Invitation.token_hash == token_hash(token))
        ).one_or_none()
        return _found(*row) if row is not None else None


def join(token: str, *, name: str) -> Joined:
    """Make the owner of the invited phone a member with the role written in the invitation.

    The caller has just seen them type the code that was sent to that phone. Once: of two at
    the same moment one joins. Raises NotFound, InvitationClosed, AlreadyMember, FieldProblem
    when a newcomer has no name.
    """
    found = find_invitation(token)
    if found is None:
        raise NotFound
    known = find_person_by_phone(found.phone)
    called = known.name if known else " ".join((name or found.name).split())[:MAX_NAME]
    if not called:
        raise FieldProblem("name", _("Write your name, as the team should see it."))
    with acting_in(found.store_id) as session:
        invitation = session.get_one(
            Invitation, (found.store_id, found.invitation_id), with_for_update=True
        )
        closed = why_closed(invitation)
        if closed:
            raise InvitationClosed(closed, store=found.store_name)
        person_id = add_person(session, name=called, phone=found.phone)
        if session.get(Membership, (found.store_id, person_id)) is not None:
            raise AlreadyMember
        add_membership(session, store_id=found.store_id, person_id=person_id, role=invitation.role)
        forget_removal(session, found.store_id, person_id)
        invitation.used_at, invitation.used_by = func.now(), person_id
        invitation.token_sealed = None
        person = session.get_one(Person, person_id)
        record(
            session,
            "team.joined",
            actor=person.name,
            subject=f"person:{person_id}",
            role=found.role,
            invitation=invitation.id,
        )
    return Joined(person, found.store_id, found.store_slug, found.role)


def belongs_to(person: Person, found: Found) -> bool:
    """Whether the invited phone is this person's."""
    return person.phone_lookup == vault().lookup(found.phone, store_id=PLATFORM_STORE)


def can_use_whatsapp(session: Session) -> bool:
    """Whether this store has a WhatsApp number to send from."""
    active = select(ChannelSettings.is_active).where(
        ChannelSettings.store_id == bound_store(), ChannelSettings.channel == "whatsapp"
    )
    return bool(session.scalar(active))


def _send(session: Session, invitation: Invitation, channel: str, *, language: str) -> None:
    if channel == "link":
        return
    limits.take_turn(session, "invite:store", "all", *PER_STORE)
    limits.take_turn(session, "invite:phone", invitation.phone, *PER_PHONE)
    invitation.times_sent += 1
    invitation.sent_at = utcnow()
    session.flush()
    with using_locale(language):
        text = words_of(session.get_one(Store, bound_store()).name, invitation)
    queue_message(
        session,
        "invitation",
        phone=invitation.phone,
        text=text,
        key=_message_key(invitation),
        channel=channel,
        language=language,
    )


def _known_channel(session: Session, channel: str) -> None:
    if channel not in CHANNELS:
        raise FieldProblem("how", _("Choose how the link is sent."))
    if channel == "whatsapp" and not can_use_whatsapp(session):
        raise FieldProblem("how", _("This store has no WhatsApp number yet. Choose SMS."))


def _works_here(phone: str) -> bool:
    person = find_person_by_phone(phone)
    if person is None:
        return False
    with platform_session() as session:
        return session.get(Membership, (bound_store(), person.id)) is not None


def _make_room(session: Session, phone: str) -> None:
    """An old invitation of this phone that is too old gives way. Raises AlreadyInvited."""
    other = session.scalar(
        select(Invitation)
        .where(
            Invitation.store_id == bound_store(),
            Invitation.phone_lookup == _lookup(phone),
            Invitation.used_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .with_for_update()
    )
    if other is None:
        return
    if not why_closed(other):
        raise AlreadyInvited(other.id)
    _withdraw(session, other, actor=other.invited_by)


def _withdraw(session: Session, invitation: Invitation, *, actor: str) -> None:
    invitation.withdrawn_at, invitation.withdrawn_by = func.clock_timestamp(), actor
    invitation.token_sealed = None
    session.flush()
    record(
        session,
        "team.invitation_withdrawn",
        actor=actor,
        subject=f"invitation:{invitation.id}",
        role=invitation.role,
    )


def _open_for(session: Session, phone: str) -> UUID:
    return session.scalars(
        select(Invitation.id).where(
            Invitation.store_id == bound_store(),
            Invitation.phone_lookup == _lookup(phone),
            Invitation.used_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
    ).one()


def _locked(session: Session, invitation_id: UUID) -> Invitation:
    invitation = session.get(Invitation, (bound_store(), invitation_id), with_for_update=True)
    if invitation is None:
        raise NotFound
    return invitation


def _found(invitation: Invitation, store: Store) -> Found:
    return Found(
        invitation_id=invitation.id,
        store_id=store.id,
        store_slug=store.slug,
        store_name=store.name,
        role=invitation.role,
        name=invitation.name,
        phone=invitation.phone,
        invited_by=invitation.invited_by,
        expires_at=invitation.expires_at,
        closed=why_closed(invitation),
        used_by=invitation.used_by,
    )


def _lookup(phone: str) -> bytes:
    return vault().lookup(phone, store_id=bound_store())


def _seal(token: str) -> bytes:
    return vault().seal(token, store_id=bound_store(), column="invitations.token")


def _message_key(invitation: Invitation) -> str:
    return f"invitation:{invitation.id}:{invitation.times_sent}"
