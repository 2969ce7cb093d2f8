"""How one store's channels are: money, messages, sitemap, jobs, addresses. Inside the store, reading only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from app.db.tenancy import PLATFORM_STORE, bound_store
from app.domain.people.models import Membership, Person
from app.domain.people.permissions import ROLES
from app.domain.seo.models import Sitemap
from app.domain.stores.models import Domain
from app.phones import masked
from app.vault import vault

_MONEY = text("""
WITH a AS (SELECT status, ended_at FROM app.payment_attempts WHERE store_id = app.store_id()),
     i AS (SELECT amount_cents FROM app.incoming_payments
            WHERE store_id = app.store_id() AND status = 'unmatched')
SELECT (SELECT max(ended_at) FROM a WHERE status = 'succeeded') AS last_success,
       (SELECT max(ended_at) FROM a WHERE status = 'failed') AS last_failure,
       (SELECT count(*) FROM a
         WHERE status IN ('created','sending','awaiting_customer','unknown')) AS open_attempts,
       (SELECT count(*) FROM i) AS unmatched,
       (SELECT coalesce(sum(amount_cents), 0)::bigint FROM i) AS unmatched_cents,
       (SELECT max(received_at) FROM app.callback_inbox
         WHERE store_id = app.store_id()) AS last_callback,
       (SELECT count(*) FROM app.review_items
         WHERE store_id = app.store_id() AND status = 'open') AS reviews
""")
_TILL = text(
    "SELECT kind, coalesce(till, shortcode) AS number, mode, c2b_registered_at FROM app.payment_settings"
    " WHERE store_id = app.store_id() ORDER BY mode LIMIT 1"
)
_MESSAGES = text("""
SELECT max(created_at) FILTER (WHERE status IN ('sent','delivered')) AS last_sent,
       max(created_at) FILTER (WHERE status = 'failed') AS last_failure,
       count(*) FILTER (WHERE status = 'failed' AND created_at > now() - interval '1 day') AS failed_today,
       count(*) FILTER (WHERE status IN ('queued','sending','unknown')) AS waiting
  FROM app.messages WHERE store_id = app.store_id()
""")
_JOBS = text("""
SELECT count(*) FILTER (WHERE status = 'pending') AS waiting,
       count(*) FILTER (WHERE status = 'pending' AND attempts >= 4) AS tired,
       count(*) FILTER (WHERE status = 'dead') AS dead,
       min(created_at) FILTER
         (WHERE status = 'pending' AND available_at < now() - interval '1 minute') AS late_since
  FROM app.outbox WHERE store_id = app.store_id() AND status IN ('pending', 'dead')
""")


@dataclass(frozen=True)
class Member:
    """Somebody who works in a store, with as much of their number as shows whose it is."""

    name: str
    role: str
    masked_phone: str
    has_email: bool


@dataclass(frozen=True)
class Health:
    """A store's channels at this moment. Instants are UTC, amounts cents."""

    money: Row[Any]
    till: Row[Any] | None
    messages: Row[Any]
    jobs: Row[Any]
    sitemap_at: datetime | None
    sitemap_urls: int
    is_sitemap_old: bool
    domains: list[Domain] = field(default_factory=list)


def health_of(session: Session, *, content_version: int) -> Health:
    """How the bound store's channels are."""
    sitemaps = session.scalars(select(Sitemap).where(Sitemap.store_id == bound_store())).all()
    return Health(
        money=session.execute(_MONEY).one(),
        till=session.execute(_TILL).one_or_none(),
        messages=session.execute(_MESSAGES).one(),
        jobs=session.execute(_JOBS).one(),
        sitemap_at=max((one.made_at for one in sitemaps), default=None),
        sitemap_urls=sum(one.urls for one in sitemaps),
        is_sitemap_old=any(one.content_version != content_version for one in sitemaps),
        domains=list(
            session.scalars(
                select(Domain).where(Domain.store_id == bound_store()).order_by(Domain.host)
            )
        ),
    )


def members_of(session: Session, store_id: int) -> list[Member]:
    """Who works in a store, owners first. Platform's session."""
    rows = session.execute(
        select(Person, Membership.role)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.store_id == store_id)
    ).all()
    members = [
        Member(person.name, role, _masked_phone(person), person.email is not None)
        for person, role in rows
    ]
    return sorted(members, key=lambda one: (ROLES.index(one.role), one.name))


def _masked_phone(person: Person) -> str:
    if person.phone_sealed is None:
        return ""
    return masked(vault().open(person.phone_sealed, store_id=PLATFORM_STORE, column="people.phone"))
