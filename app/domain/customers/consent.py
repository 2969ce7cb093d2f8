"""What customers said about offers, kept as they said it: who, when, where, by which words.

Buying allows messages about that order and no others. Offers need a yes of their own, a box that
starts empty; what counts now is always worked out from the log, which only grows.

A number that was typed at checkout proves nothing about who holds it: anybody can type anybody's.
Its tick is kept at once, with ``is_proven`` false, and counts only when the M-Pesa PIN was entered
for that very order on that very number, and never for somebody who ever said stop. A tick in a
browser that proved a number of the customer's by a code counts at once, and only such a yes comes
after a stop. So a stranger's tick brings nobody offers, and cannot undo what the holder said; at
worst somebody who meant yes says it once more on their own page. Money that came by hand may be
from another phone and proves nothing either; pay on delivery shows no phone at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Boolean, Uuid, bindparam, column, literal_column, select, text
from sqlalchemy.orm import Session, aliased

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.customers.models import Consent, Customer, ProvenNumber, ShopperSession
from app.domain.customers.queries import get_customer, person_behind, profiles_of
from app.domain.orders.models import Order
from app.i18n import gettext as _
from app.i18n import gettext_noop, using_locale
from app.ids import new_id, token_hash

OFFERS = "offers"
# The shop is in the words themselves: whoever agrees sees whom they hear from.
WORDS = gettext_noop(
    "Tell me about offers of %(shop)s by SMS or WhatsApp. I can stop it at any time."
)
STOP_WORDS = gettext_noop("Stop offers")

# Whether the row ``y`` is a yes that counts now. One definition, for every statement that asks.
COUNTS = """(y.is_given AND (y.is_proven OR EXISTS (
   SELECT FROM app.payment_attempts p
     JOIN app.customers s ON s.store_id = p.store_id AND s.phone_lookup = p.phone_lookup
    WHERE p.store_id = app.store_id() AND p.order_id = y.order_id AND s.id = y.said_as
      AND p.status = 'succeeded'
      AND (p.confirmed_by IN ('query', 'trust') OR p.callback_result_code = '0')))
 AND NOT EXISTS (
   SELECT FROM app.consents n
    WHERE n.store_id = app.store_id() AND n.customer_id = y.customer_id AND n.purpose = y.purpose
      AND NOT n.is_given AND (NOT y.is_proven OR (n.at, n.id) > (y.at, y.id))))"""
# Whether the customer ``c`` agrees to offers.
AGREES = f"""EXISTS (SELECT FROM app.consents y
 WHERE y.store_id = app.store_id() AND y.customer_id = c.id AND y.purpose = 'offers' AND {COUNTS})"""

# The ids of all who agree.
AGREED = text(
    f"SELECT c.id FROM app.customers c WHERE c.store_id = app.store_id() AND {AGREES}"  # noqa: S608 - this module's own text
).columns(column("id", Uuid))

_AGREE = text(
    f"""
INSERT INTO app.consents (id, customer_id, said_as, purpose, is_given, is_proven, words, version,
                          source, actor, order_id)
SELECT :id, c.id, :said_as, 'offers', true, :is_proven, :words, :version, :source, :actor,
       CAST(:order_id AS uuid)
  FROM app.customers c WHERE c.store_id = app.store_id() AND c.id = :customer_id AND NOT {AGREES}
"""  # noqa: S608 - this module's own text
)

_STANDING_STOPS = text(
    """
SELECT DISTINCT n.customer_id, n.said_as FROM app.consents n
 WHERE n.store_id = app.store_id() AND n.customer_id IN :ids AND n.purpose = 'offers'
   AND NOT n.is_given AND NOT EXISTS (
       SELECT FROM app.consents y
        WHERE y.store_id = app.store_id() AND y.customer_id = n.customer_id
          AND y.purpose = n.purpose AND y.is_given AND y.is_proven AND (y.at, y.id) > (n.at, n.id))
"""
).bindparams(bindparam("ids", expanding=True))


class Answer(StrEnum):
    """What a customer's log comes to. Offers may go to YES and to nobody else."""

    YES = "yes"
    STOPPED = "stopped"
    UNPROVEN = "unproven"  # ticked at checkout, and nobody has shown that the number is theirs
    NONE = "none"


@dataclass(frozen=True)
class Said:
    """One row of the log. ``phone`` (E.164) said it; ``code`` is of the order it was ticked with."""

    row: Consent
    counts: bool
    phone: str
    code: str


@dataclass(frozen=True)
class Offers:
    """What a customer said about offers, the latest first, and what it comes to now."""

    log: list[Said]

    @property
    def answer(self) -> Answer:
        return _answer_of(self.by) if self.by is not None else Answer.NONE

    @property
    def by(self) -> Said | None:
        """What decides: the yes that counts, else the customer's own stop, else the last tick."""
        ways = (
            [said for said in self.log if said.counts],
            [said for said in self.log if not said.row.is_given and said.row.source != "merge"],
            self.log,
        )
        return next((way[0] for way in ways if way), None)


def offers_of(session: Session, customer_id: UUID) -> Offers:
    """What a customer, or a profile that was merged, has said about offers so far."""
    row = aliased(Consent, name="y")
    said_as = aliased(Customer)
    found = session.execute(
        select(row, literal_column(COUNTS, Boolean), said_as, Order.code)
        .join(said_as, (said_as.store_id == row.store_id) & (said_as.id == row.said_as))
        .outerjoin(Order, (Order.store_id == row.store_id) & (Order.id == row.order_id))
        .where(row.store_id == bound_store(), row.customer_id == customer_id, row.purpose == OFFERS)
        .order_by(row.at.desc(), row.id.desc())
    )
    return Offers([Said(said, counts, who.phone, code or "") for said, counts, who, code in found])


def words_in(language: str, *, shop: str) -> str:
    """What a customer agrees to, as it is read in this language."""
    with using_locale(language):
        return _(WORDS, shop=shop)


def agree_with_order(
    session: Session,
    customer_id: UUID,
    order_id: UUID,
    *,
    said_as: UUID,
    is_proven: bool,
    words: str,
    actor: str,
) -> None:
    """The box was ticked on the form that placed this order. Does not commit.

    ``said_as`` is the profile whose number was given; ``is_proven``, whether this browser proved
    one of the customer's numbers. Nothing is added for somebody who agrees already.
    """
    _agree(
        session,
        customer_id=customer_id,
        said_as=said_as,
        is_proven=is_proven,
        words=words,
        source="checkout",
        actor=actor,
        order_id=order_id,
    )


def agree_here(session: Session, customer_id: UUID, token: str | None, *, words: str) -> None:
    """A yes from the browser that proved a number of the customer's. Twice is once. Does not commit."""
    person = _locked(session, customer_id)
    _agree(
        session,
        customer_id=person.id,
        said_as=_speaks_as(session, person, token),
        is_proven=True,
        words=words,
        source="me",
        actor="shopper:web",
        order_id=None,
    )


def stop_here(session: Session, customer_id: UUID, token: str | None) -> None:
    """A stop from such a browser. Twice is once. Does not commit."""
    person = _locked(session, customer_id)
    if offers_of(session, person.id).answer != Answer.STOPPED:
        said_as = _speaks_as(session, person, token)
        _stop(session, person.id, [said_as], source="me", actor="shopper:web", words=_(STOP_WORDS))


def stop_for(session: Session, customer_id: UUID, *, actor: str) -> bool:
    """The customer told the shop to stop: noted for each of their numbers, with an audit entry.

    Nobody knows by which number they would say so, and merged profiles may be taken apart again.
    Returns whether it was news. Does not commit. Raises NotFound.
    """
    person = _locked(session, customer_id)
    if offers_of(session, person.id).answer == Answer.STOPPED:
        return False
    parts = [person.id, *profiles_of(session, person)]
    _stop(session, person.id, parts, source="desk", actor=actor)
    record(session, "offers.stopped", actor=actor, subject=f"customer:{person.id}")
    return True


def keep_stops(session: Session, *customer_ids: UUID, actor: str) -> None:
    """Say every stop that stands once more, so that no yes of the other profile comes after it.

    For a merge, before the rows move. Each says it as the same profile as before, and leaves with
    that profile when the two are taken apart. Does not commit.
    """
    for owner, said_as in session.execute(_STANDING_STOPS, {"ids": customer_ids}).all():
        _stop(session, owner, [said_as], source="merge", actor=actor)


# -- steps ------------------------------------------------------------------------------


def _answer_of(said: Said) -> Answer:
    if said.counts:
        return Answer.YES
    return Answer.UNPROVEN if said.row.is_given else Answer.STOPPED


def _agree(session: Session, **facts: object) -> None:
    session.flush()
    session.execute(_AGREE, {"id": new_id(), "version": _version(), **facts})


def _version() -> str:
    """Another wording is another version, in every language at once."""
    return hashlib.sha256(WORDS.encode()).hexdigest()[:8]


def _stop(
    session: Session,
    customer_id: UUID,
    said_as: Iterable[UUID],
    *,
    source: str,
    actor: str,
    words: str = "",
) -> None:
    session.add_all(
        Consent(
            customer_id=customer_id,
            said_as=profile_id,
            purpose=OFFERS,
            is_given=False,
            source=source,
            actor=actor,
            words=words,
        )
        for profile_id in said_as
    )
    session.flush()


def _locked(session: Session, customer_id: UUID) -> Customer:
    """The profile that counts, its row taken: a merge waits for what is said, or the other way round."""
    person = person_behind(session, get_customer(session, customer_id))
    session.refresh(person, with_for_update=True)
    return person if person.merged_into is None else _locked(session, person.id)


def _speaks_as(session: Session, person: Customer, token: str | None) -> UUID:
    """The profile whose number this browser proved; the person's own where it proved that too."""
    proved = session.scalars(
        select(Customer.id)
        .join(
            ProvenNumber,
            (ProvenNumber.store_id == Customer.store_id)
            & (ProvenNumber.phone_lookup == Customer.phone_lookup),
        )
        .join(
            ShopperSession,
            (ShopperSession.store_id == ProvenNumber.store_id)
            & (ShopperSession.id == ProvenNumber.session_id),
        )
        .where(
            Customer.store_id == bound_store(),
            Customer.id.in_([person.id, *profiles_of(session, person)]),
            ShopperSession.token_hash == token_hash(token or ""),
        )
    ).all()
    return person.id if person.id in proved or not proved else proved[0]
