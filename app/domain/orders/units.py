"""Units with numbers of their own: which serial number or IMEI went out with which order.

A number is noted when the order is packed, on its row in ``serials``; the unique key of the table
is what keeps one unit from being sold twice. None of these functions commits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.models import Product, Serial, Variant
from app.domain.catalog.stocktaking import read_serials
from app.domain.errors import FieldProblem
from app.domain.orders.models import Order, OrderLine
from app.i18n import gettext as _
from app.i18n import ngettext
from app.ids import new_id

MOST_OFFERED = 100  # numbers of one shelf to choose among; more are typed or scanned


@dataclass(frozen=True)
class NumberedLine:
    """A line whose units have numbers: those that went out, and those still on the shelf."""

    line: OrderLine
    given: list[str]
    on_shelf: list[str]


def numbered_lines(session: Session, order: Order) -> list[NumberedLine]:
    """The lines of an order whose product keeps a number for each unit, in their order."""
    return [
        NumberedLine(line, _numbers_of(session, line), _on_shelf(session, line))
        for line in _asking_lines(session, order)
    ]


def orders_with_numbers(session: Session, orders: Collection[Order]) -> frozenset[UUID]:
    """Which of these orders cannot be packed by one tap, because a unit's number must be noted."""
    if not orders:
        return frozenset()
    wanted = [order.id for order in orders]
    return frozenset(
        session.scalars(_asking(OrderLine.order_id).where(OrderLine.order_id.in_(wanted)))
    )


def name_units(
    session: Session, order: Order, numbers: Mapping[int, Iterable[str]], *, actor: str
) -> None:
    """Note which units go out with an order, or put right what was noted.

    ``numbers`` has, by the number of the line, what was scanned or typed. A number that the shop did
    not know comes in and leaves in one step: the unit was on the shelf before numbers were kept. One
    that was noted here before and is not named again is back on the shelf.

    Raises FieldProblem on ``unit-<line>``: too few or too many, not a number, another product's, sold
    with another order, or off the shelf.
    """
    changed: dict[str, list[str]] = {}
    for line in _asking_lines(session, order):
        try:
            wanted = read_serials(numbers.get(line.n, ()))
        except FieldProblem as problem:
            raise FieldProblem(_field(line), str(problem)) from problem
        if len(wanted) != line.quantity:
            raise FieldProblem(
                _field(line),
                ngettext(
                    "%(name)s: scan or type the number of %(n)s unit.",
                    "%(name)s: scan or type the numbers of %(n)s units.",
                    line.quantity,
                    name=line.name,
                    n=line.quantity,
                ),
            )
        if set(wanted) == set(_numbers_of(session, line)):
            continue
        _take_back(session, [line], keep=wanted)
        _send_out(session, line, wanted, actor=actor)
        changed[line.sku] = wanted
    if changed:
        session.flush()
        record(
            session,
            "order.units",
            actor=actor,
            subject=f"order:{order.id}",
            code=order.code,
            numbers=changed,
        )


def units_come_back(session: Session, order: Order) -> None:
    """The units of a cancelled order are on the shelf again."""
    _take_back(session, order.lines, keep=())


def _asking_lines(session: Session, order: Order) -> list[OrderLine]:
    asking = set(session.scalars(_asking(OrderLine.id).where(OrderLine.order_id == order.id)))
    return [line for line in order.lines if line.id in asking]


def _asking(column: InstrumentedAttribute[UUID]) -> Select[UUID]:
    """A column of the lines whose product keeps a number for each unit."""
    return (
        select(column)
        .join(
            Variant,
            (Variant.store_id == OrderLine.store_id) & (Variant.id == OrderLine.variant_id),
        )
        .join(
            Product,
            (Product.store_id == Variant.store_id) & (Product.id == Variant.product_id),
        )
        .where(OrderLine.store_id == bound_store(), Product.tracks_serials)
    )


def _field(line: OrderLine) -> str:
    return f"unit-{line.n}"


def _numbers_of(session: Session, line: OrderLine) -> list[str]:
    return list(
        session.scalars(
            select(Serial.serial)
            .where(Serial.store_id == bound_store(), Serial.order_line_id == line.id)
            .order_by(Serial.serial)
        )
    )


def _on_shelf(session: Session, line: OrderLine) -> list[str]:
    """The numbers that may be next: what came first goes out first."""
    return list(
        session.scalars(
            select(Serial.serial)
            .where(
                Serial.store_id == bound_store(),
                Serial.variant_id == line.variant_id,
                Serial.status == "in_stock",
            )
            .order_by(Serial.received_at, Serial.serial)
            .limit(MOST_OFFERED)
        )
    )


def _send_out(session: Session, line: OrderLine, numbers: list[str], *, actor: str) -> None:
    """Lock the rows of these numbers in one order, so that two packers with one unit queue up."""
    session.execute(
        insert(Serial).on_conflict_do_nothing(index_elements=["store_id", "serial"]),
        [
            {"id": new_id(), "variant_id": line.variant_id, "serial": n, "received_by": actor}
            for n in sorted(numbers)
        ],
    )
    rows = session.scalars(
        select(Serial)
        .where(Serial.store_id == bound_store(), Serial.serial.in_(numbers))
        .order_by(Serial.serial)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        if row.order_line_id == line.id:
            continue
        why_not = _why_not(session, row, line)
        if why_not:
            raise FieldProblem(_field(line), why_not)
        row.status, row.order_line_id, row.changed_at = "sold", line.id, func.now()


def _why_not(session: Session, row: Serial, line: OrderLine) -> str | None:
    """Why this unit cannot go out with this line; None when it can."""
    if row.order_line_id is not None:
        code = session.scalar(
            select(Order.code)
            .join(
                OrderLine, (OrderLine.store_id == Order.store_id) & (OrderLine.order_id == Order.id)
            )
            .where(Order.store_id == bound_store(), OrderLine.id == row.order_line_id)
        )
        return _("%(n)s went out with order %(code)s already.", n=row.serial, code=code)
    if row.variant_id != line.variant_id:
        name = session.scalar(
            select(Product.name)
            .join(
                Variant, (Variant.store_id == Product.store_id) & (Variant.product_id == Product.id)
            )
            .where(Variant.store_id == bound_store(), Variant.id == row.variant_id)
        )
        return _("%(n)s is a unit of %(name)s.", n=row.serial, name=name)
    if row.status == "gone":
        return _("%(n)s is marked as lost or damaged. Receive it under Stock first.", n=row.serial)
    return None


def _take_back(session: Session, lines: list[OrderLine], *, keep: Collection[str]) -> None:
    session.execute(
        update(Serial)
        .where(
            Serial.store_id == bound_store(),
            Serial.order_line_id.in_([line.id for line in lines]),
            Serial.serial.not_in(list(keep)),
        )
        .values(status="in_stock", order_line_id=None, changed_at=func.now())
    )
