"""Two profiles that are one person: everything moves to the one that is kept, and can move back.

The other profile stays as a row that keeps its number and points to the kept one, so that the
number is still the same customer's and the merge can be undone. Each table that knows a
customer is named here once; a test compares the list with the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased

from app.db.tenancy import bound_store
from app.domain.cart.actions import add_to_cart
from app.domain.cart.models import Cart
from app.domain.cart.queries import find_cart
from app.domain.changes.actions import ChangedSince, puts_back, remember
from app.domain.changes.models import Change
from app.domain.customers.consent import Offers, keep_stops, offers_of
from app.domain.customers.models import (
    Consent,
    Customer,
    KeptApart,
    ProvenNumber,
    SavedNumber,
    ShopperSession,
)
from app.domain.customers.queries import profiles_of
from app.domain.errors import DomainError, NotFound
from app.domain.loyalty.models import PointMove
from app.domain.loyalty.queries import Purse, purse_of
from app.domain.orders.models import Order
from app.i18n import gettext_lazy as _
from app.ids import new_id
from app.vault import vault

KIND = "customers.merged"


@dataclass(frozen=True)
class Owned:
    """A table whose rows move with their customer. ``once`` is what a customer has one row of."""

    model: Any
    once: str = ""

    @property
    def table(self) -> str:
        return str(self.model.__tablename__)


# What a customer owns. Later tables are added here.
OWNED = (
    Owned(Order),
    Owned(ShopperSession),
    Owned(SavedNumber, once="phone_lookup"),
    Owned(Consent),
    Owned(PointMove),
)
# Moved by its own rule: two carts are joined, and a customer has one.
JOINED = ("carts.customer_id",)
# What says which profile is meant and stays as it is.
STAYS = (
    "customers.merged_into",
    "orders.placed_as",
    "consents.said_as",
    "kept_apart.one_id",
    "kept_apart.other_id",
)

_FACTS = ("name", "last_area", "last_landmark")


class NotTwoProfiles(DomainError):
    """One of the two is part of a profile already, or they are the same."""

    def __init__(self) -> None:
        super().__init__(_("These are one customer already. Nothing was changed now."))


@dataclass
class Stakes:
    """What a profile has, for the page that asks before merging. Amounts in cents."""

    customer: Customer
    counts: dict[str, int] = field(default_factory=dict)
    spent_cents: int = 0
    has_cart: bool = False
    offers: Offers = field(default_factory=lambda: Offers([]))
    purse: Purse | None = None  # of somebody who has, or had, points


def stakes_of(session: Session, customer: Customer) -> Stakes:
    """How many rows of each table would move with this profile."""
    stakes = Stakes(customer)
    for owned in OWNED:
        stakes.counts[owned.table] = (
            session.scalar(
                select(func.count())
                .select_from(owned.model)
                .where(
                    owned.model.store_id == bound_store(), owned.model.customer_id == customer.id
                )
            )
            or 0
        )
    stakes.spent_cents = int(
        session.scalar(
            select(func.coalesce(func.sum(Order.total_cents), 0)).where(
                Order.store_id == bound_store(),
                Order.customer_id == customer.id,
                Order.paid_at.is_not(None),
            )
        )
        or 0
    )
    stakes.has_cart = _cart_of(session, customer.id) is not None
    stakes.offers = offers_of(session, customer.id)
    stakes.purse = purse_of(session, customer.id) if stakes.counts["point_moves"] else None
    return stakes


def merge_customers(session: Session, keep_id: UUID, other_id: UUID, *, actor: str) -> Change:
    """Move everything of ``other_id`` to ``keep_id``, with an audit entry. Does not commit.

    Raises NotFound, and NotTwoProfiles when they are one already.
    """
    keep, other = _locked(session, keep_id, other_id)
    if keep.id == other.id or keep.merged_into or other.merged_into:
        raise NotTwoProfiles
    keep_stops(session, keep.id, other.id, actor=actor)
    before = {
        "keep": str(keep.id),
        "other": str(other.id),
        "default": _default_of(session, other.id),
        "moved": {owned.table: _move(session, owned, other.id, keep.id) for owned in OWNED},
        "number": _keep_number(session, keep, other),
        "facts": _fill_facts(keep, other),
        "cart": _join_carts(session, keep, other),
    }
    other.merged_into, other.merged_at = keep.id, func.now()
    session.flush()
    change = remember(
        session,
        KIND,
        subject=f"customer:{keep.id}",
        actor=actor,
        before=before,
        after={"merged_into": str(keep.id)},
    )
    assert change is not None
    return change


@puts_back(KIND)
def _take_apart(session: Session, change: Change) -> None:
    """What was the other's is the other's again, and so is what came in under its number since."""
    was = change.before
    keep, other = _locked(session, UUID(was["keep"]), UUID(was["other"]))
    if other.merged_into != keep.id or keep.merged_into is not None:
        raise ChangedSince
    others = [other.id, *profiles_of(session, other)]
    for owned in OWNED:
        _move_back(session, owned, was["moved"].get(owned.table, []), keep.id, other.id)
    _orders_since(session, keep.id, other.id, others)
    _said_since(session, keep.id, other.id, others)
    _browsers_since(session, keep, other, others)
    if was["number"]:
        _delete_number(session, UUID(was["number"]))
    if was["default"]:
        _restore_default(session, UUID(was["default"]), other.id)
    for column, (before, after) in was["facts"].items():
        if getattr(keep, column) == after:
            setattr(keep, column, before)
    _part_carts(session, keep.id, other.id, was["cart"])
    other.merged_into = other.merged_at = None
    session.flush()


def keep_apart(session: Session, one_id: UUID, other_id: UUID, *, actor: str) -> None:
    """Two people after all: they are not suggested again. Does not commit. Raises NotFound."""
    one, other = _locked(session, one_id, other_id)
    first, second = sorted((one.id, other.id))
    known = session.scalar(
        select(KeptApart.id).where(
            KeptApart.store_id == bound_store(),
            KeptApart.one_id == first,
            KeptApart.other_id == second,
        )
    )
    if known is None and first != second:
        session.add(KeptApart(one_id=first, other_id=second, actor=actor))
        session.flush()


# -- steps ------------------------------------------------------------------------------


def _locked(session: Session, *ids: UUID) -> tuple[Customer, Customer]:
    """The two profiles, rows taken in the order of their ids. Raises NotFound.

    Their orders are locked before them: a delivery holds its order when it gives the customer
    points, which waits for the customer's row.
    """
    session.execute(
        select(Order.id)
        .where(Order.store_id == bound_store(), Order.customer_id.in_(ids))
        .order_by(Order.id)
        .with_for_update()
    )
    found = {
        customer.id: customer
        for customer in session.scalars(
            select(Customer)
            .where(Customer.store_id == bound_store(), Customer.id.in_(ids))
            .order_by(Customer.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    if any(customer_id not in found for customer_id in ids):
        raise NotFound
    return found[ids[0]], found[ids[1]]


def _move(session: Session, owned: Owned, old: UUID, new: UUID) -> list[str]:
    """Give the rows to the new owner, but those the new owner has already. Returns their ids."""
    model = owned.model
    mine = [model.store_id == bound_store(), model.customer_id == old]
    if owned.once:
        theirs = aliased(model)
        same = getattr(theirs, owned.once) == getattr(model, owned.once)
        mine.append(
            ~exists().where(theirs.store_id == bound_store(), theirs.customer_id == new, same)
        )
    values: dict[str, Any] = {"customer_id": new}
    if model is SavedNumber:
        values["is_default"] = False
    return _run(session, model, mine, values)


def _move_back(
    session: Session, owned: Owned, ids: Iterable[str], keep_id: UUID, other_id: UUID
) -> None:
    wanted = [UUID(row_id) for row_id in ids]
    if wanted:
        _give_back(session, owned.model, keep_id, other_id, owned.model.id.in_(wanted))


def _give_back(session: Session, model: Any, keep_id: UUID, other_id: UUID, *which: Any) -> None:
    """These rows of the kept profile are the other's again."""
    mine = [model.store_id == bound_store(), model.customer_id == keep_id]
    _run(session, model, [*mine, *which], {"customer_id": other_id})


def _run(session: Session, model: Any, where: list[Any], values: dict[str, Any]) -> list[str]:
    rows = session.scalars(
        update(model)
        .where(*where)
        .values(**values)
        .returning(model.id)
        .execution_options(synchronize_session=False)
    ).all()
    for row in list(session.identity_map.values()):
        if isinstance(row, model):
            session.expire(row)
    return [str(row_id) for row_id in rows]


def _orders_since(session: Session, keep_id: UUID, other_id: UUID, others: list[UUID]) -> None:
    """Orders placed since the merge with one of the other's numbers, and what belongs to orders.

    An order from before may have brought points since: they are whose the order is.
    """
    _give_back(session, Order, keep_id, other_id, Order.placed_as.in_(others))
    theirs = select(Order.id).where(Order.store_id == bound_store(), Order.customer_id == other_id)
    for owned in OWNED:
        if owned.model is not Order and "order_id" in owned.model.__table__.c:
            belongs = owned.model.order_id.in_(theirs)
            _give_back(session, owned.model, keep_id, other_id, belongs)


def _said_since(session: Session, keep_id: UUID, other_id: UUID, others: list[UUID]) -> None:
    """What one of the other's numbers said about offers since the merge."""
    _give_back(session, Consent, keep_id, other_id, Consent.said_as.in_(others))


def _browsers_since(session: Session, keep: Customer, other: Customer, others: list[UUID]) -> None:
    """Browsers that proved one of the other's numbers and not the kept one's are the other's."""
    store_id = bound_store()

    def proved(lookups: Any) -> Any:
        return exists().where(
            ProvenNumber.store_id == store_id,
            ProvenNumber.session_id == ShopperSession.id,
            ProvenNumber.phone_lookup.in_(lookups),
        )

    theirs = select(Customer.phone_lookup).where(
        Customer.store_id == store_id, Customer.id.in_(others)
    )
    only_theirs = (proved(theirs), ~proved([keep.phone_lookup]))
    _give_back(session, ShopperSession, keep.id, other.id, *only_theirs)


def _default_of(session: Session, customer_id: UUID) -> str:
    """The id of the number that a profile offers first, empty for its own."""
    found = session.scalar(
        select(SavedNumber.id).where(
            SavedNumber.store_id == bound_store(),
            SavedNumber.customer_id == customer_id,
            SavedNumber.is_default,
        )
    )
    return str(found) if found else ""


def _restore_default(session: Session, number_id: UUID, other_id: UUID) -> None:
    _run(
        session,
        SavedNumber,
        [
            SavedNumber.store_id == bound_store(),
            SavedNumber.id == number_id,
            SavedNumber.customer_id == other_id,
        ],
        {"is_default": True},
    )


def _keep_number(session: Session, keep: Customer, other: Customer) -> str:
    """The other's number becomes one of the kept profile's. Returns the row's id, empty if it was."""
    known = session.scalar(
        select(SavedNumber.id).where(
            SavedNumber.store_id == bound_store(),
            SavedNumber.customer_id == keep.id,
            SavedNumber.phone_lookup == other.phone_lookup,
        )
    )
    if known is not None:
        return ""
    number = SavedNumber(
        id=new_id(),
        customer_id=keep.id,
        phone_sealed=vault().seal(
            other.phone, store_id=bound_store(), column="saved_numbers.phone"
        ),
        phone_lookup=other.phone_lookup,
    )
    session.add(number)
    session.flush()
    return str(number.id)


def _delete_number(session: Session, number_id: UUID) -> None:
    number = session.get(SavedNumber, (bound_store(), number_id))
    if number is not None:
        session.delete(number)
        session.flush()


def _fill_facts(keep: Customer, other: Customer) -> dict[str, list[Any]]:
    """What the kept profile does not know, the other tells. Returns column → before, after."""
    filled = {}
    for column in _FACTS:
        before, after = getattr(keep, column), getattr(other, column)
        if not before and after:
            setattr(keep, column, after)
            filled[column] = [before, after]
    return filled


def _cart_of(session: Session, customer_id: UUID) -> UUID | None:
    return session.scalar(
        select(Cart.id).where(Cart.store_id == bound_store(), Cart.customer_id == customer_id)
    )


def _join_carts(session: Session, keep: Customer, other: Customer) -> dict[str, Any]:
    """One cart for one person: what lies in the other's goes into the kept one's as well.

    The other's cart stays in the browser that holds it, and belongs to nobody for now.
    """
    theirs_id = _cart_of(session, other.id)
    if theirs_id is None:
        return {}
    mine = find_cart(session, _cart_of(session, keep.id))
    theirs = find_cart(session, theirs_id)
    assert theirs is not None
    if mine is None:
        theirs.customer_id = keep.id
        session.flush()
        return {"theirs": str(theirs_id), "lines": {}}
    theirs.customer_id = None
    session.flush()
    lines = {}
    for line in list(theirs.lines):
        held = mine.line_for(line.variant_id)
        before = held.quantity if held else 0
        if line.quantity > before and line.variant.stock > before:
            change = add_to_cart(session, mine, line.variant, quantity=line.quantity - before)
            lines[str(line.variant_id)] = [before, change.quantity]
    return {"theirs": str(theirs_id), "mine": str(mine.id), "lines": lines}


def _part_carts(session: Session, keep_id: UUID, other_id: UUID, was: dict[str, Any]) -> None:
    """The other's cart is the other's again; what it had lent goes out, unless it was changed."""
    if not was:
        return
    theirs = find_cart(session, UUID(was["theirs"]))
    if theirs is not None and theirs.customer_id in (None, keep_id):
        theirs.customer_id = other_id
        session.flush()
    mine = find_cart(session, UUID(was["mine"])) if "mine" in was else None
    if mine is None or mine.customer_id != keep_id:
        return
    for variant_id, (before, after) in was["lines"].items():
        line = mine.line_for(UUID(variant_id))
        if line is not None and line.quantity == after:
            if before:
                line.quantity = before
            else:
                session.delete(line)
    session.flush()
