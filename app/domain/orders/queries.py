"""Questions about orders: the board, one order, what a rider carries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from app.clock import business_day, day_bounds, utcnow
from app.db.tenancy import bound_store
from app.domain.customers.models import Customer
from app.domain.delivery.areas import get_area
from app.domain.delivery.models import Rider
from app.domain.errors import NotFound
from app.domain.orders.models import Order, OrderEvent
from app.domain.orders.states import TO_PACK, OrderStatus
from app.domain.orders.units import orders_with_numbers
from app.ids import token_hash

AT_RISK = timedelta(minutes=60)
PER_COLUMN = 200
DONE_SHOWN = 30

S = OrderStatus
TO_PACK_COLUMN, READY, OUT, DONE = "to_pack", "ready", "out", "done"


@dataclass(frozen=True)
class Column:
    """One column of the board. ``count`` and ``total_cents`` are of every order in it."""

    name: str
    orders: list[Order]
    count: int
    total_cents: int

    @property
    def hidden_count(self) -> int:
        """How many orders are in the column and not shown."""
        return self.count - len(self.orders)


@dataclass(frozen=True)
class Board:
    """Work in progress, and what was finished today. Unpaid orders are not here."""

    to_pack: Column
    ready: Column
    out: Column
    done: Column
    etag: str
    last_change: datetime | None
    numbered: frozenset[UUID]  # orders to pack with a number to note for each unit

    @property
    def columns(self) -> tuple[Column, Column, Column, Column]:
        return self.to_pack, self.ready, self.out, self.done

    def column(self, name: str) -> Column:
        """A column by its name. Raises NotFound."""
        for column in self.columns:
            if column.name == name:
                return column
        raise NotFound


@dataclass(frozen=True)
class AreaGroup:
    """Orders of one area, ready to be given out together. ``area`` is None for collection."""

    area: str | None
    orders: list[Order] = field(default_factory=list)

    @property
    def name(self) -> str:
        return area_name(self.area)

    @property
    def to_collect_cents(self) -> int:
        return sum(due_cents(order) for order in self.orders)


@dataclass(frozen=True)
class RiderLoad:
    """A rider with the orders in their bag: assigned, and already out."""

    rider: Rider
    assigned: list[Order]
    out: list[Order]

    @property
    def to_collect_cents(self) -> int:
        """Cash or M-Pesa still to ask for at the doors of everything they carry."""
        return sum(due_cents(order) for order in (*self.assigned, *self.out))


def board(session: Session, area: str | None = None, *, now: datetime | None = None) -> Board:
    """The four columns, each in the order the work should be done; optionally of one area.

    Only orders whose money is in, or that are to be paid on delivery, are ever here.
    """
    moment = now or utcnow()
    start, end = day_bounds(business_day(moment))
    finished_today = and_(
        Order.status.in_((S.DELIVERED, S.CLOSED)),
        Order.delivered_at >= start,
        Order.delivered_at < end,
    )
    by_promise = (Order.promised_at.asc().nulls_last(), Order.placed_at, Order.id)
    to_pack = _column(session, TO_PACK_COLUMN, Order.status.in_(TO_PACK), area, *by_promise)
    ready = _column(session, READY, Order.status == S.PACKED, area, *by_promise)
    out = _column(session, OUT, Order.status == S.DISPATCHED, area, *by_promise)
    done = _column(
        session, DONE, finished_today, area, Order.delivered_at.desc(), Order.id, limit=DONE_SHOWN
    )
    columns = (to_pack, ready, out, done)
    return Board(
        *columns,
        etag=_etag(columns, moment),
        last_change=_last_change(columns),
        numbered=orders_with_numbers(session, to_pack.orders),
    )


def waiting_to_pack(session: Session) -> int:
    """How many orders a person must pack now."""
    return _count(session, Order.status.in_(TO_PACK))


def find_oldest_to_pack(session: Session) -> Order | None:
    """The order to pack next: the one promised first, then the one that has waited longest."""
    return session.scalar(
        _orders(Order.status.in_(TO_PACK))
        .order_by(Order.promised_at.asc().nulls_last(), Order.placed_at, Order.id)
        .limit(1)
    )


def waiting_to_give_out(session: Session) -> int:
    """How many packed orders wait for a rider or for their customer."""
    return _count(session, Order.status == S.PACKED)


def areas_on_board(session: Session) -> list[tuple[str, int]]:
    """Areas that have open orders, by name, with how many."""
    rows = session.execute(
        select(Order.area, func.count())
        .where(
            Order.store_id == bound_store(),
            Order.status.in_((*TO_PACK, S.PACKED, S.DISPATCHED)),
            Order.area.is_not(None),
            Order.is_pickup.is_(False),
        )
        .group_by(Order.area)
    )
    return sorted(((slug or "", count) for slug, count in rows), key=lambda row: area_name(row[0]))


def to_give_out(session: Session) -> list[AreaGroup]:
    """Packed orders by area, the area promised first first. Collection at the shop is not here."""
    groups: dict[str | None, AreaGroup] = {}
    for order in session.scalars(
        _orders(
            Order.status == S.PACKED,
            Order.is_pickup.is_(False),
        ).order_by(Order.promised_at.asc().nulls_last(), Order.placed_at, Order.id)
    ):
        groups.setdefault(order.area, AreaGroup(order.area)).orders.append(order)
    return list(groups.values())


def out_now(session: Session) -> list[Order]:
    """Orders on the way, the promised first."""
    return list(
        session.scalars(
            _orders(Order.status == S.DISPATCHED).order_by(
                Order.promised_at.asc().nulls_last(), Order.placed_at, Order.id
            )
        )
    )


def rider_loads(session: Session) -> list[RiderLoad]:
    """Every active rider, by name, with what they carry."""
    riders = session.scalars(
        select(Rider)
        .where(Rider.store_id == bound_store(), Rider.is_active)
        .order_by(Rider.name, Rider.id)
    ).all()
    carried = session.scalars(
        _orders(Order.status.in_((S.PACKED, S.DISPATCHED)), Order.rider_id.is_not(None)).order_by(
            Order.promised_at.asc().nulls_last(), Order.id
        )
    ).all()
    return [
        RiderLoad(
            rider,
            [o for o in carried if o.rider_id == rider.id and o.status == S.PACKED],
            [o for o in carried if o.rider_id == rider.id and o.status == S.DISPATCHED],
        )
        for rider in riders
    ]


def get_rider(session: Session, rider_id: UUID) -> Rider:
    """An active rider of this store. Raises NotFound."""
    rider = session.get(Rider, (bound_store(), rider_id))
    if rider is None or not rider.is_active:
        raise NotFound
    return rider


def find_rider_by_phone(session: Session, phone_lookup: bytes) -> Rider | None:
    """The active rider with this number, given as the store's lookup hash."""
    return session.scalar(
        select(Rider)
        .where(Rider.store_id == bound_store(), Rider.phone_lookup == phone_lookup, Rider.is_active)
        .limit(1)
    )


def carried_by(session: Session, rider: Rider) -> list[Order]:
    """What is in a rider's bag, on the way first, then by promise."""
    return list(
        session.scalars(
            _orders(
                Order.status.in_((S.PACKED, S.DISPATCHED)), Order.rider_id == rider.id
            ).order_by(
                Order.status,  # 'dispatched' sorts before 'packed'
                Order.promised_at.asc().nulls_last(),
                Order.id,
            )
        )
    )


def get_order_by_token(session: Session, token: str) -> Order:
    """The order behind the secret of its own page, with its lines. Raises NotFound."""
    order = session.scalar(
        select(Order)
        .where(Order.store_id == bound_store(), Order.token_hash == token_hash(token))
        .options(selectinload(Order.lines))
    )
    if order is None:
        raise NotFound
    return order


def get_order(session: Session, order_id: UUID) -> Order:
    """An order with its lines, customer and rider. Raises NotFound."""
    order = session.scalar(_orders(Order.id == order_id))
    if order is None:
        raise NotFound
    return order


def find_by_code(session: Session, typed: str) -> Order | None:
    """The order whose code somebody typed: ``kt-1042``, ``KT1042`` and ``1042`` find KT-1042."""
    wanted = "".join(typed.upper().split()).replace("-", "")
    if not wanted or len(wanted) > 12 or not wanted.isascii() or not wanted.isalnum():
        return None
    plain = func.replace(Order.code, "-", "")
    by_number = func.split_part(Order.code, "-", 2) == wanted
    return session.scalar(
        select(Order)
        .where(Order.store_id == bound_store(), or_(plain == wanted, by_number))
        .order_by(Order.placed_at.desc())
        .limit(1)
    )


def find_orders(
    session: Session,
    *,
    placed_from: datetime | None = None,
    placed_to: datetime | None = None,
    statuses: Iterable[OrderStatus] = (),
    area: str | None = None,
    limit: int = 100,
) -> list[Order]:
    """Orders, newest first, placed in ``[placed_from, placed_to)``."""
    conditions: list[ColumnElement[bool]] = []
    if placed_from is not None:
        conditions.append(Order.placed_at >= placed_from)
    if placed_to is not None:
        conditions.append(Order.placed_at < placed_to)
    wanted = tuple(statuses)
    if wanted:
        conditions.append(Order.status.in_(wanted))
    if area:
        conditions.append(Order.area == area)
    return list(
        session.scalars(
            _orders(*conditions).order_by(Order.placed_at.desc(), Order.id.desc()).limit(limit)
        )
    )


def timeline(session: Session, order: Order, *, public_only: bool = False) -> list[OrderEvent]:
    """What happened to an order, newest first."""
    query = select(OrderEvent).where(
        OrderEvent.store_id == bound_store(), OrderEvent.order_id == order.id
    )
    if public_only:
        query = query.where(OrderEvent.is_public)
    return list(session.scalars(query.order_by(OrderEvent.at.desc(), OrderEvent.id.desc())))


def latest_orders_of(session: Session, customer_id: UUID, *, limit: int = 20) -> list[Order]:
    """What a customer ordered here, the newest first, with its lines."""
    return list(
        session.scalars(
            select(Order)
            .where(Order.store_id == bound_store(), Order.customer_id == customer_id)
            .order_by(Order.placed_at.desc(), Order.id.desc())
            .limit(limit)
            .options(selectinload(Order.lines))
        )
    )


def orders_of(session: Session, customer_id: UUID) -> int:
    """How many orders a customer placed here, whatever became of them."""
    return _count(session, Order.customer_id == customer_id)


def due_cents(order: Order) -> int:
    """What must still be collected at the door, in cents."""
    is_owed = order.payment_method == "on_delivery" and order.paid_at is None
    return order.total_cents if is_owed else 0


def is_at_risk(order: Order, now: datetime) -> bool:
    """Whether the promise will be broken unless somebody acts within the hour."""
    return (
        order.promised_at is not None
        and order.status in (*TO_PACK, S.PACKED)
        and order.promised_at - now <= AT_RISK
    )


def area_name(slug: str | None) -> str:
    """An area's name for people; its slug where the list has lost it."""
    if slug is None:
        return ""
    try:
        return get_area(slug).name
    except NotFound:
        return slug.replace("-", " ").title()


def _orders(*conditions: ColumnElement[bool]) -> Select[Order]:
    return (
        select(Order)
        .join(
            Customer,
            and_(Customer.store_id == Order.store_id, Customer.id == Order.customer_id),
        )
        .where(Order.store_id == bound_store(), *conditions)
        .options(contains_eager(Order.customer), joinedload(Order.rider), selectinload(Order.lines))
    )


def _column(
    session: Session,
    name: str,
    condition: ColumnElement[bool],
    area: str | None,
    *by: Any,  # what to sort by: SQLAlchemy has no one type for columns and their directions
    limit: int = PER_COLUMN,
) -> Column:
    conditions = [condition] + ([Order.area == area] if area else [])
    count, total_cents = session.execute(
        select(func.count(), func.coalesce(func.sum(Order.total_cents), 0)).where(
            Order.store_id == bound_store(), *conditions
        )
    ).one()
    orders: Sequence[Order] = ()
    if count:
        orders = session.scalars(_orders(*conditions).order_by(*by).limit(limit)).all()
    return Column(name, list(orders), count, int(total_cents))


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(Order)
            .where(Order.store_id == bound_store(), condition)
        )
        or 0
    )


def _etag(columns: Iterable[Column], now: datetime) -> str:
    """Changes with every order on the board, and when one becomes late."""
    digest = hashlib.sha256(str(business_day(now)).encode())
    for column in columns:
        digest.update(f"{column.name}:{column.count}:{column.total_cents};".encode())
        for order in column.orders:
            digest.update(f"{order.id}:{order.version}:{is_at_risk(order, now)};".encode())
    return digest.hexdigest()[:24]


def _last_change(columns: Iterable[Column]) -> datetime | None:
    moments = [
        moment
        for column in columns
        for order in column.orders
        for moment in (
            order.paid_at,
            order.packed_at,
            order.dispatched_at,
            order.delivered_at,
            order.placed_at,
        )
        if moment is not None
    ]
    return max(moments, default=None)
