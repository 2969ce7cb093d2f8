"""The numbers a customer pays with: kept with a name for each, one of them first, gone when removed.

A prompt goes to a number that was typed in this checkout or proved by a code in this very
browser. So a saved number is offered with one tap only where it was proved; elsewhere its owner
proves it again or types it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.tenancy import bound_store
from app.domain.customers.models import Customer, ProvenNumber, SavedNumber, ShopperSession
from app.domain.customers.queries import profiles_of
from app.domain.errors import FieldProblem, NotFound
from app.domain.messaging.actions import forget_codes_sent
from app.domain.people.otp import forget_codes
from app.i18n import gettext as _
from app.ids import new_id, token_hash
from app.vault import vault

MOST = 5
PURPOSE = "number"  # of the code that proves one
LABEL_LENGTH = 40


class Person(Protocol):
    """A customer, as a row or as plain values; ``phone`` is the profile's own, E.164."""

    @property
    def id(self) -> UUID: ...

    @property
    def phone(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number of a customer, as this browser may use it.

    ``id`` is the profile's for the number that the customer is known by, which cannot be
    removed; ``is_proven`` says whether this browser proved it.
    """

    id: UUID
    phone: str
    label: str
    is_default: bool
    is_proven: bool
    is_own: bool


def numbers_of(session: Session, customer: Person, token: str | None) -> list[Number]:
    """The customer's numbers, the default first, for the browser with this sign-in token."""
    query = (
        select(
            SavedNumber,
            _is_proven(token, SavedNumber.phone_lookup),
            _is_proven(token, Customer.phone_lookup),
        )
        .select_from(Customer)
        .outerjoin(
            SavedNumber,
            (SavedNumber.store_id == Customer.store_id) & (SavedNumber.customer_id == Customer.id),
        )
        .where(Customer.store_id == bound_store(), Customer.id == customer.id)
        .order_by(SavedNumber.created_at, SavedNumber.id)
    )
    # One row without a saved number when there is none, which the types do not know.
    rows: list[tuple[SavedNumber | None, bool, bool]] = [
        (saved, is_proven, own_is_proven)
        for saved, is_proven, own_is_proven in session.execute(query)
    ]
    own = Number(
        id=customer.id,
        phone=customer.phone,
        label="",
        is_default=not any(saved is not None and saved.is_default for saved, *_proofs in rows),
        is_proven=rows[0][2],
        is_own=True,
    )
    others = [
        Number(
            id=saved.id,
            phone=saved.phone,
            label=saved.label,
            is_default=saved.is_default,
            is_proven=is_proven,
            is_own=False,
        )
        for saved, is_proven, _own in rows
        if saved is not None
    ]
    return sorted([own, *others], key=lambda number: not number.is_default)


def check_room(session: Session, customer: Customer, phone: str) -> None:
    """Raise FieldProblem for the profile's own number (E.164), and when there are too many."""
    store_id = bound_store()
    lookup = vault().lookup(phone, store_id=store_id)
    if lookup == customer.phone_lookup:
        raise FieldProblem("phone", _("That is the number you are signed in with."))
    known = session.scalars(
        select(SavedNumber.phone_lookup).where(
            SavedNumber.store_id == store_id, SavedNumber.customer_id == customer.id
        )
    ).all()
    if lookup not in known and len(known) >= MOST:
        raise FieldProblem("phone", _("You can keep %(n)s more numbers. Remove one first.", n=MOST))


def save_number(session: Session, customer: Customer, *, phone: str, label: str) -> None:
    """Keep a number (E.164) that was just proved. Does not commit.

    Saving one that is there renames it. Raises FieldProblem for the profile's own number and
    when there are too many.
    """
    store_id = bound_store()
    session.refresh(customer, with_for_update=True)  # two at once are counted one after the other
    check_room(session, customer, phone)
    lookup = vault().lookup(phone, store_id=store_id)
    words = _tidy(label)
    session.execute(
        insert(SavedNumber)
        .values(
            id=new_id(),
            store_id=store_id,
            customer_id=customer.id,
            phone_sealed=vault().seal(phone, store_id=store_id, column="saved_numbers.phone"),
            phone_lookup=lookup,
            label=words,
        )
        .on_conflict_do_update(
            index_elements=["store_id", "customer_id", "phone_lookup"],
            set_={"label": words} if words else {"label": SavedNumber.label},
        )
    )


def name_number(session: Session, customer: Customer, number_id: UUID, label: str) -> None:
    """Call a saved number something else. Does not commit. Raises NotFound."""
    get_number(session, customer, number_id).label = _tidy(label)


def make_default(session: Session, customer: Customer, number_id: UUID) -> None:
    """Offer this number first; the profile's own one when the id is the customer's. Raises NotFound.

    Does not commit.
    """
    chosen = None if number_id == customer.id else get_number(session, customer, number_id)
    session.execute(
        update(SavedNumber)
        .where(SavedNumber.store_id == bound_store(), SavedNumber.customer_id == customer.id)
        .values(is_default=False)
        .execution_options(synchronize_session=False)
    )
    if chosen is not None:
        chosen.is_default = True
        session.flush()


def remove_number(session: Session, customer: Customer, number_id: UUID) -> None:
    """Erase a saved number: its row, its proofs, its codes and the SMS that carried them.

    What is left of it is what payments that were really asked for keep. Does not commit.
    Raises NotFound.
    """
    lookup = get_number(session, customer, number_id).phone_lookup
    profiles = [customer.id, *profiles_of(session, customer)]
    session.execute(
        delete(SavedNumber).where(
            SavedNumber.store_id == bound_store(),
            SavedNumber.customer_id.in_(profiles),
            SavedNumber.phone_lookup == lookup,
        )
    )
    session.execute(
        delete(ProvenNumber).where(
            ProvenNumber.store_id == bound_store(),
            ProvenNumber.phone_lookup == lookup,
            ProvenNumber.session_id.in_(
                select(ShopperSession.id).where(
                    ShopperSession.store_id == bound_store(),
                    ShopperSession.customer_id.in_(profiles),
                )
            ),
        )
    )
    forget_codes(session, lookup, purpose=PURPOSE)
    forget_codes_sent(session, lookup)


def get_number(session: Session, customer: Customer, number_id: UUID) -> SavedNumber:
    """One of the customer's saved numbers, locked. Raises NotFound, for another customer's too."""
    number = session.scalar(
        select(SavedNumber)
        .where(
            SavedNumber.store_id == bound_store(),
            SavedNumber.customer_id == customer.id,
            SavedNumber.id == number_id,
        )
        .with_for_update()
    )
    if number is None:
        raise NotFound
    return number


def _is_proven(token: str | None, lookup: InstrumentedAttribute[bytes]) -> ColumnElement[bool]:
    """Whether the browser with this token has proved a number."""
    return (
        exists()
        .where(
            ProvenNumber.store_id == bound_store(),
            ProvenNumber.phone_lookup == lookup,
            ShopperSession.store_id == ProvenNumber.store_id,
            ShopperSession.id == ProvenNumber.session_id,
            ShopperSession.token_hash == token_hash(token or ""),
        )
        .correlate(Customer, SavedNumber)
    )


def _tidy(label: str) -> str:
    return " ".join("".join(c for c in label if c.isprintable()).split())[:LABEL_LENGTH]
