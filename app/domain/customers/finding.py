"""Who buys here: the list, one by number or name, and who may be the same person twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select, text, true
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.models import StockWait
from app.domain.catalog.queries import escape_like
from app.domain.customers.consent import AGREED
from app.domain.customers.models import Customer, SavedNumber
from app.domain.customers.queries import find_customer, person_behind, profiles_of
from app.domain.orders.models import Order
from app.i18n import gettext_lazy as _
from app.phones import InvalidPhone, parse_msisdn
from app.vault import vault

PAGE = 50
MOST_ALIKE = 3  # a name or a landmark that more profiles share says nothing about a person
MOST_PAIRS = 50


@dataclass(frozen=True)
class Line:
    """A customer as the list shows them. Amounts in cents."""

    customer: Customer
    orders: int
    spent_cents: int
    last_order_at: datetime | None


@dataclass(frozen=True)
class Pair:
    """Two profiles that may be one person, and why; the older one first."""

    keep: Customer
    other: Customer
    reasons: tuple[str, ...]

    @property
    def why(self) -> str:
        """The reasons in words."""
        return ", ".join(str(_REASONS[reason]) for reason in self.reasons)


_REASONS = {
    "proved": _("one proved the other’s number"),
    "paid": _("an order of one was paid from the other’s number"),
    "address": _("the same address"),
    "name": _("the same name in the same area"),
}

_CHOSEN = """
SELECT least(f.a, f.b) AS one, greatest(f.a, f.b) AS other, array_agg(DISTINCT f.why) AS reasons
  FROM found f
 WHERE NOT EXISTS (SELECT 1 FROM app.kept_apart k WHERE k.store_id = app.store_id()
                      AND k.one_id = least(f.a, f.b) AND k.other_id = greatest(f.a, f.b))
 GROUP BY 1, 2
 ORDER BY bool_or(f.why = 'proved') DESC, bool_or(f.why = 'paid') DESC, count(*) DESC, 1, 2
 LIMIT :most_pairs
"""

# Names and landmarks are compared without case and spaces, as Postgres keeps them (migration 0030).
_PAIRS = text(
    f"""
WITH alive AS (
  SELECT id, phone_lookup, last_area, alike_name, alike_landmark
    FROM app.customers WHERE store_id = app.store_id() AND merged_into IS NULL),
 names AS (
  SELECT array_agg(id) AS ids FROM alive WHERE length(alike_name) >= 3 AND last_area IS NOT NULL
   GROUP BY alike_name, last_area HAVING count(*) BETWEEN 2 AND :most_alike),
 addresses AS (
  SELECT array_agg(id) AS ids FROM alive WHERE length(alike_landmark) >= 8 AND last_area IS NOT NULL
   GROUP BY alike_landmark, last_area HAVING count(*) BETWEEN 2 AND :most_alike),
 found AS (
  SELECT n.customer_id AS a, b.id AS b, 'proved' AS why
    FROM app.saved_numbers n JOIN alive a ON a.id = n.customer_id
    JOIN alive b ON b.phone_lookup = n.phone_lookup
   WHERE n.store_id = app.store_id() AND n.customer_id <> b.id
  UNION
  SELECT o.customer_id, b.id, 'paid'
    FROM app.payment_attempts p
    JOIN app.orders o ON o.store_id = p.store_id AND o.id = p.order_id
    JOIN alive a ON a.id = o.customer_id
    JOIN alive b ON b.phone_lookup = p.phone_lookup
   WHERE p.store_id = app.store_id() AND p.status = 'succeeded' AND o.customer_id <> b.id
     AND p.created_at > now() - interval '180 days'
  UNION
  SELECT x.a, y.b, 'address' FROM addresses, unnest(ids) AS x(a), unnest(ids) AS y(b) WHERE x.a < y.b
  UNION
  SELECT x.a, y.b, 'name' FROM names, unnest(ids) AS x(a), unnest(ids) AS y(b) WHERE x.a < y.b)
{_CHOSEN}"""  # noqa: S608 - put together from this module's own text
)

# The same of one profile, by its own keys: the page of a customer costs a big shop no more than a small one.
_PAIRS_OF = text(
    f"""
WITH me AS MATERIALIZED (
  SELECT id, phone_lookup, last_area, alike_name, alike_landmark
    FROM app.customers WHERE store_id = app.store_id() AND id = :of AND merged_into IS NULL),
 names AS MATERIALIZED (
  SELECT c.id FROM me CROSS JOIN LATERAL (
    SELECT id FROM app.customers
     WHERE store_id = app.store_id() AND merged_into IS NULL
       AND last_area = me.last_area AND alike_name = me.alike_name LIMIT :most_alike + 1) c
   WHERE length(me.alike_name) >= 3),
 addresses AS MATERIALIZED (
  SELECT c.id FROM me CROSS JOIN LATERAL (
    SELECT id FROM app.customers
     WHERE store_id = app.store_id() AND merged_into IS NULL
       AND last_area = me.last_area AND alike_landmark = me.alike_landmark LIMIT :most_alike + 1) c
   WHERE length(me.alike_landmark) >= 8),
 near AS (
  SELECT c.id, 'proved' AS why FROM me
    JOIN app.saved_numbers n ON n.store_id = app.store_id() AND n.customer_id = me.id
    JOIN app.customers c ON c.store_id = app.store_id() AND c.phone_lookup = n.phone_lookup
  UNION
  SELECT n.customer_id, 'proved' FROM me
    JOIN app.saved_numbers n ON n.store_id = app.store_id() AND n.phone_lookup = me.phone_lookup
  UNION
  SELECT c.id, 'paid' FROM me
    JOIN app.orders o ON o.store_id = app.store_id() AND o.customer_id = me.id
    JOIN app.payment_attempts p ON p.store_id = app.store_id() AND p.order_id = o.id
     AND p.status = 'succeeded' AND p.created_at > now() - interval '180 days'
    JOIN app.customers c ON c.store_id = app.store_id() AND c.phone_lookup = p.phone_lookup
  UNION
  SELECT o.customer_id, 'paid' FROM me
    JOIN app.payment_attempts p ON p.store_id = app.store_id() AND p.phone_lookup = me.phone_lookup
     AND p.status = 'succeeded' AND p.created_at > now() - interval '180 days'
    JOIN app.orders o ON o.store_id = app.store_id() AND o.id = p.order_id
  UNION
  SELECT id, 'address' FROM addresses WHERE (SELECT count(*) FROM addresses) <= :most_alike
  UNION
  SELECT id, 'name' FROM names WHERE (SELECT count(*) FROM names) <= :most_alike),
 found AS (
  SELECT me.id AS a, c.id AS b, near.why
    FROM me CROSS JOIN near JOIN app.customers c ON c.store_id = app.store_id() AND c.id = near.id
   WHERE c.merged_into IS NULL AND c.id <> me.id)
{_CHOSEN}"""  # noqa: S608 - put together from this module's own text
)


def list_customers(
    session: Session, *, words: str = "", page: int = 1, agreed: bool = False
) -> list[Line]:
    """One page of customers and one more, the newest first; of this name when there are words.

    ``agreed`` leaves those who agreed to offers.
    """
    theirs = (
        select(
            func.count().label("orders"),
            func.coalesce(func.sum(Order.total_cents).filter(Order.paid_at.is_not(None)), 0).label(
                "spent"
            ),
            func.max(Order.placed_at).label("last"),
        )
        .where(Order.store_id == Customer.store_id, Order.customer_id == Customer.id)
        .lateral()
    )
    query = (
        select(Customer, theirs.c.orders, theirs.c.spent, theirs.c.last)
        .join(theirs, true())
        .where(Customer.store_id == bound_store(), Customer.merged_into.is_(None))
        .order_by(Customer.id.desc())
        .offset((page - 1) * PAGE)
        .limit(PAGE + 1)
    )
    if words:
        query = query.where(Customer.name.ilike(f"%{escape_like(words)}%"))
    if agreed:
        query = query.where(Customer.id.in_(AGREED))
    return [
        Line(customer, count, int(spent), last)
        for customer, count, spent, last in session.execute(query)
    ]


def find_by_words(session: Session, typed: str) -> Customer | None:
    """The customer whose number was typed, in any spelling; None where it is no number of theirs."""
    try:
        phone = parse_msisdn(typed)
    except InvalidPhone:
        return None
    known = find_customer(session, phone)
    if known is not None:
        return known
    owner = session.scalar(
        select(Customer)
        .join(
            SavedNumber,
            and_(SavedNumber.store_id == Customer.store_id, SavedNumber.customer_id == Customer.id),
        )
        .where(
            Customer.store_id == bound_store(),
            SavedNumber.phone_lookup == vault().lookup(phone, store_id=bound_store()),
        )
        .limit(1)
    )
    return person_behind(session, owner) if owner else None


def saved_of(session: Session, customer: Customer) -> list[SavedNumber]:
    """The other numbers that a customer pays with."""
    return list(
        session.scalars(
            select(SavedNumber)
            .where(SavedNumber.store_id == bound_store(), SavedNumber.customer_id == customer.id)
            .order_by(SavedNumber.created_at)
        )
    )


def merged_profiles(session: Session, customer: Customer) -> list[Customer]:
    """The profiles that were merged into this one, the latest first."""
    return list(
        session.scalars(
            select(Customer)
            .where(Customer.store_id == bound_store(), Customer.merged_into == customer.id)
            .order_by(Customer.merged_at.desc())
        )
    )


def waits_of_customer(session: Session, customer: Customer) -> int:
    """How many things any of their numbers waits for."""
    parts = [customer.id, *profiles_of(session, customer)]
    theirs = (
        select(Customer.phone_lookup)
        .where(Customer.store_id == bound_store(), Customer.id.in_(parts))
        .union(
            select(SavedNumber.phone_lookup).where(
                SavedNumber.store_id == bound_store(), SavedNumber.customer_id.in_(parts)
            )
        )
    )
    return (
        session.scalar(
            select(func.count())
            .select_from(StockWait)
            .where(
                StockWait.store_id == bound_store(),
                StockWait.told_at.is_(None),
                StockWait.phone_lookup.in_(theirs),
            )
        )
        or 0
    )


def likely_pairs(session: Session, *, of: UUID | None = None) -> list[Pair]:
    """Profiles that may be one person, the surest first; of one profile when it is named."""
    limits = {"most_alike": MOST_ALIKE, "most_pairs": MOST_PAIRS}
    rows = (
        session.execute(_PAIRS, limits)
        if of is None
        else session.execute(_PAIRS_OF, {"of": of, **limits})
    ).all()
    ids = {row.one for row in rows} | {row.other for row in rows}
    known = {
        customer.id: customer
        for customer in session.scalars(
            select(Customer).where(Customer.store_id == bound_store(), Customer.id.in_(ids))
        )
    }
    return [
        Pair(
            known[row.one],
            known[row.other],
            tuple(reason for reason in _REASONS if reason in row.reasons),
        )
        for row in rows
    ]
