"""Notifications: which browsers are told about what, and what a notification says.

A browser's address at its push service and the keys to write to it are sealed; a browser that
its service no longer knows is forgotten at the first refusal.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.errors import FieldProblem
from app.domain.messaging.models import PushSubscription
from app.domain.people.permissions import roles_with
from app.i18n import gettext as _
from app.i18n import gettext_noop, using_locale
from app.ids import new_id
from app.vault import vault

MOST_OF_ONE = 10  # browsers that follow one order, one wait, or work for one person
LONGEST_ENDPOINT = 1_000

# What a notification about an order says to its customer, and the first two to the shop's people.
OF_AN_ORDER: dict[str, str] = {
    "accepted": gettext_noop("Order %(code)s is accepted"),
    "receipt": gettext_noop("Order %(code)s is paid"),
    "packed": gettext_noop("Order %(code)s is packed"),
    "dispatched": gettext_noop("Order %(code)s is on the way"),
    "delivered": gettext_noop("Order %(code)s was delivered"),
    "collected": gettext_noop("Order %(code)s was collected"),
    "cancelled": gettext_noop("Order %(code)s was cancelled"),
    "refund_due": gettext_noop("Money for order %(code)s is owed back to you"),
}
NEW_WORK = frozenset({"accepted", "receipt"})


@dataclass(frozen=True, kw_only=True)
class BrowserAddress:
    """Where a browser's notifications go, as the browser wrote it."""

    endpoint: str
    p256dh: str
    auth: str

    def checked(self) -> BrowserAddress:
        """The same when it can be written to. Raises FieldProblem."""
        fits = len(self.endpoint) <= LONGEST_ENDPOINT
        if not fits or _length(self.p256dh) != 65 or _length(self.auth) != 16:
            raise FieldProblem("endpoint", _("This browser cannot be sent notifications."))
        return self


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a notification says, and the page that a tap on it opens. The same ``tag`` replaces."""

    title: str
    body: str
    path: str
    tag: str


def follow(
    session: Session,
    browser: BrowserAddress,
    *,
    language: str,
    order_id: UUID | None = None,
    wait_id: UUID | None = None,
    person_id: UUID | None = None,
) -> None:
    """Tell this browser about one order, one wait, or a desk's work. Asking twice is asking once.

    Does not commit. Raises FieldProblem for an address nobody can write to, and for one too many.
    """
    browser.checked()
    store_id = bound_store()
    mine = _about(order_id=order_id, wait_id=wait_id, person_id=person_id)
    endpoint_hash = vault().lookup(browser.endpoint, store_id=store_id)
    known = session.scalar(
        select(func.count())
        .select_from(PushSubscription)
        .where(*mine, PushSubscription.endpoint_hash != endpoint_hash)
    )
    if (known or 0) >= MOST_OF_ONE:
        raise FieldProblem("endpoint", _("Enough phones are told about this already."))
    session.execute(
        insert(PushSubscription)
        .values(
            id=new_id(),
            store_id=store_id,
            endpoint_hash=endpoint_hash,
            sealed=vault().seal(
                json.dumps(asdict(browser)), store_id=store_id, column=PushSubscription.COLUMN
            ),
            order_id=order_id,
            wait_id=wait_id,
            person_id=person_id,
            language=language,
        )
        .on_conflict_do_nothing()
    )


def note_about_order(kind: str, subscription: PushSubscription, **facts: str) -> Note:
    """What this browser is told about an order: its customer's page, or the desk that packs it.

    ``facts`` are code, store, slug, amount, token and order_id.
    """
    with using_locale(subscription.language):
        if subscription.person_id is not None:
            title = _("New order %(code)s, %(amount)s", code=facts["code"], amount=facts["amount"])
            path = f"/staff/{facts['slug']}/orders/{facts['order_id']}"
        else:
            title = _(OF_AN_ORDER[kind], code=facts["code"])
            path = f"/o/{facts['token']}"
    return Note(title=title, body=facts["store"], path=path, tag=f"order-{facts['code']}")


def subscriptions_about_order(
    session: Session, order_id: UUID, kind: str
) -> Sequence[PushSubscription]:
    """The browsers that are told: those that follow the order, and for new work those of the people
    who may see orders at this moment, whatever they might when they asked.
    """
    told = PushSubscription.order_id == order_id
    if kind in NEW_WORK:
        may_see = func.app.people_with(sorted(roles_with("orders.see")), type_=Uuid())
        told = or_(told, PushSubscription.person_id.in_(select(may_see)))
    return session.scalars(
        select(PushSubscription).where(PushSubscription.store_id == bound_store(), told)
    ).all()


def subscriptions_of_wait(session: Session, wait_id: UUID) -> Sequence[PushSubscription]:
    """The browsers that wait for a thing to come back, the newest first."""
    return session.scalars(
        select(PushSubscription)
        .where(*_about(wait_id=wait_id))
        .order_by(PushSubscription.created_at.desc())
    ).all()


def find_address(session: Session, subscription_id: UUID) -> str | None:
    """Where this subscription's notifications go; None when the browser was forgotten."""
    found = session.get(PushSubscription, (bound_store(), subscription_id))
    return found.address if found else None


def forget_browser(session: Session, subscription_id: UUID) -> None:
    """Its push service does not know this browser any more: no row of it stays. Does not commit."""
    gone = select(PushSubscription.endpoint_hash).where(
        PushSubscription.store_id == bound_store(), PushSubscription.id == subscription_id
    )
    session.execute(
        delete(PushSubscription)
        .where(
            PushSubscription.store_id == bound_store(),
            PushSubscription.endpoint_hash == gone.scalar_subquery(),
        )
        .execution_options(synchronize_session=False)
    )


def forget_person(session: Session, person_id: UUID) -> None:
    """Somebody left the team: none of their browsers is told of new work. Does not commit."""
    session.execute(delete(PushSubscription).where(*_about(person_id=person_id)))


def _about(
    *, order_id: UUID | None = None, wait_id: UUID | None = None, person_id: UUID | None = None
) -> tuple[ColumnElement[bool], ...]:
    return (
        PushSubscription.store_id == bound_store(),
        PushSubscription.order_id == order_id
        if order_id
        else PushSubscription.wait_id == wait_id
        if wait_id
        else PushSubscription.person_id == person_id,
    )


def _length(text: str) -> int:
    """How many bytes this URL-safe base64 holds; 0 when it is none."""
    try:
        return len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return 0
