"""Opening a store and saying who works in it. Through the platform's session only."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import PLATFORM_STORE
from app.domain.errors import FieldProblem
from app.domain.people.models import Membership, Person
from app.domain.people.passwords import hash_password
from app.domain.people.permissions import ROLES
from app.domain.stores.models import Domain, Store
from app.i18n import gettext_lazy as _
from app.jobs import QUEUE_OF, Topic, ask_for
from app.vault import vault

_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9]){1,39}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Hosts that the platform itself answers, or will, and names that a shopper would trust blindly.
_RESERVED_WORDS = """
    platform www admin api app dash staff ops media static assets cdn
    mail smtp ftp ns1 ns2 dns help support status blog docs shop
    store stores pay payment payments hooks webhook login sign-in signin signup sign-up
    account accounts billing security about legal terms privacy test demo sandbox root
    null localhost example internal dukani dukani-shop dukani-support mpesa m-pesa safaricom lipa lipa-na-mpesa
    daraja airtel airtel-money kcb equity kra ecitizen police visa mastercard paypal whatsapp
    meta google
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
_TRUSTED_STARTS = ("dukani-", "mpesa-", "m-pesa-", "safaricom-")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(71003, hashtext(:slug))")
HOUR, DAY = 3600, 86_400
UPKEEP = {
    Topic.WRITE_SITEMAP: HOUR,
    Topic.LOOK_FOR_NUDGES: HOUR,
    Topic.SWEEP_OLD_ROWS: DAY,
}


def is_usable_slug(slug: str) -> bool:
    """Whether a store may be called this in an address, taken or not."""
    return (
        _SLUG.fullmatch(slug) is not None
        and slug not in _RESERVED
        and not slug.startswith(_TRUSTED_STARTS)
    )


def create_store(
    session: Session, *, slug: str, name: str, host_suffix: str, **details: Any
) -> int:
    """Open a store and its first host, ``<slug><host_suffix>`` without a port. Returns its id.

    ``details`` are columns of the store (``kind``, ``code_prefix``, ``colour_hue`` …).
    Raises FieldProblem when the short name cannot be used or is taken. Two people who want the
    same name at once wait for each other; the second one is told.
    """
    if not is_usable_slug(slug):
        raise FieldProblem("slug", _("Use 2 to 40 small letters and digits, like mama-njeri."))
    session.execute(_ONE_AT_A_TIME, {"slug": slug})
    host = slug + host_suffix.partition(":")[0].lower()
    if (
        session.scalar(select(Store.id).where(Store.slug == slug)) is not None
        or session.scalar(select(Domain.host).where(Domain.host == host)) is not None
    ):
        raise FieldProblem("slug", _("That short name is taken. Choose another one."))
    store = Store(slug=slug, name=name, **details)
    session.add(store)
    session.flush()
    session.add(Domain(store_id=store.id, host=host, verified_at=func.now()))
    session.flush()
    return store.id


def schedule_upkeep(session: Session) -> None:
    """What the relay does for every store by the clock. Inside the store; fine to call twice."""
    for topic, seconds in UPKEEP.items():
        session.execute(
            text(
                "INSERT INTO app.schedules (name, topic, queue, every_seconds, next_run_at)"
                " VALUES (:topic, :topic, :queue, :every, now() + make_interval(secs => :every))"
                " ON CONFLICT DO NOTHING"
            ),
            {"topic": topic.value, "queue": QUEUE_OF[topic].value, "every": seconds},
        )
    ask_for(session, Topic.WRITE_SITEMAP, key="opened")


def add_person(
    session: Session,
    *,
    name: str,
    phone: str | None = None,
    email: str | None = None,
    password: str | None = None,
    is_platform_admin: bool = False,
) -> UUID:
    """Add a person who can sign in by phone (E.164), by e-mail and password, or both.

    Returns the id; the id of the one we know already when the phone is theirs. Raises
    FieldProblem without a way to sign in, WeakPassword.
    """
    if phone is None and email is None:
        raise FieldProblem("phone", _("Give a phone number or an e-mail address."))
    if email is not None and not _EMAIL.fullmatch(email.strip()):
        raise FieldProblem("email", _("That does not look like an e-mail address."))
    lookup = vault().lookup(phone, store_id=PLATFORM_STORE) if phone else None
    if lookup is not None:
        known = session.scalar(select(Person.id).where(Person.phone_lookup == lookup))
        if known is not None:
            return known
    person = Person(
        name=name,
        phone_sealed=_seal_phone(phone) if phone else None,
        phone_lookup=lookup,
        email=email.strip().lower() if email else None,
        password_hash=hash_password(password) if password else None,
        is_platform_admin=is_platform_admin,
    )
    session.add(person)
    session.flush()
    return person.id


def add_membership(session: Session, *, store_id: int, person_id: UUID, role: str) -> None:
    """Give a person a role in a store, in place of any they had there. Raises ValueError."""
    if role not in ROLES:
        raise ValueError(f"no such role: {role}")
    session.execute(
        insert(Membership)
        .values(store_id=store_id, person_id=person_id, role=role)
        .on_conflict_do_update(
            index_elements=[Membership.store_id, Membership.person_id], set_={"role": role}
        )
    )


def _seal_phone(phone: str) -> bytes:
    return vault().seal(phone, store_id=PLATFORM_STORE, column="people.phone")
