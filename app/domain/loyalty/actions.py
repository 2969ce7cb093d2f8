"""Points come and go: earned by a delivered order, spent at checkout, given back with an order.

Who spends takes the customer's lock, adds up and writes, one after the other, so that no two
orders spend the same points; a trigger of the database says so too. The lock is an advisory one
and the last that a checkout takes: the customer's row is written before the goods are locked in
one story and after them in the other, and would make the two wait for each other.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.errors import DomainError
from app.domain.loyalty.models import PointMove
from app.domain.loyalty.queries import balance_of
from app.domain.loyalty.settings import rules_of
from app.domain.orders.models import Order
from app.domain.stores.models import Store
from app.i18n import gettext_lazy as _
from app.ids import new_id

# A statement of its own, so that the sum after it sees what was committed while it waited.
_QUEUE_UP = text("SELECT pg_advisory_xact_lock(71005, hashtext(:customer))")
# What an order spent and has not got back. Once: afterwards there is nothing left of it.
_GIVE_BACK = text(
    "INSERT INTO app.point_moves (id, customer_id, order_id, points, reason, round, actor)"
    " SELECT :id, customer_id, order_id, -sum(points), 'given_back',"
    " 1 + count(*) FILTER (WHERE reason = 'given_back'), :actor FROM app.point_moves"
    " WHERE store_id = app.store_id() AND order_id = :order_id"
    " AND reason IN ('spent', 'given_back') GROUP BY customer_id, order_id HAVING sum(points) < 0"
)


class PointsGone(DomainError):
    """The points that were to pay for an order are not there any more."""

    def __init__(self) -> None:
        super().__init__(
            _("The points for this order are not there any more. Nothing was charged.")
        )


def earn(session: Session, order: Order, *, actor: str) -> int:
    """The customer has the goods: give them the order's points. Returns how many. Does not commit.

    What counts is what was paid for goods, after every discount and without the delivery fee.
    """
    rules = rules_of(session.get_one(Store, bound_store()))
    points = rules.earned_by(order.subtotal_cents - order.discount_cents) if rules else 0
    if points:
        earned = _move(order.customer_id, order.id, points, "earned", actor=actor)
        session.execute(earned.on_conflict_do_nothing(constraint="point_moves_order_key"))
    return points


def spend(
    session: Session, customer_id: UUID, order_id: UUID, points: int, *, actor: str, round: int = 1
) -> None:
    """Pay for an order with points. Does not commit. Raises PointsGone; the caller rolls back."""
    if _waited_for_balance(session, customer_id) < points:
        raise PointsGone
    session.execute(_move(customer_id, order_id, -points, "spent", actor=actor, round=round))


def give_back_points(session: Session, order_id: UUID, *, actor: str) -> None:
    """The order is called off, or its time to pay ran out: what it spent is there again. Once."""
    session.execute(_GIVE_BACK, {"id": new_id(), "order_id": order_id, "actor": actor})


def take_points_again(session: Session, order_id: UUID, *, is_paid: bool) -> None:
    """The order lives again, and spends what it was given back. Raises PointsGone.

    ``is_paid``: the money has come, at the price that was agreed, so it is never refused; it
    takes what is left of the points, and the shop bears the rest.
    """
    moves = session.execute(
        select(PointMove.customer_id, PointMove.points, PointMove.reason)
        .where(
            PointMove.store_id == bound_store(),
            PointMove.order_id == order_id,
            PointMove.reason.in_(("spent", "given_back")),
        )
        .order_by(PointMove.round, PointMove.reason.desc())
    ).all()
    # The first row is what was agreed; what the order holds of it now is the sum.
    lost = sum(move.points for move in moves) - moves[0].points if moves else 0
    if lost <= 0:
        return
    customer_id = moves[0].customer_id
    if is_paid:
        lost = min(lost, max(0, _waited_for_balance(session, customer_id)))
    if lost:
        round = 1 + sum(move.reason == "spent" for move in moves)
        spend(session, customer_id, order_id, lost, actor="system", round=round)


def _waited_for_balance(session: Session, customer_id: UUID) -> int:
    session.execute(_QUEUE_UP, {"customer": str(customer_id)})
    return balance_of(session, customer_id)


def _move(
    customer_id: UUID, order_id: UUID, points: int, reason: str, *, actor: str, round: int = 1
) -> Insert:
    return insert(PointMove).values(
        id=new_id(),
        customer_id=customer_id,
        order_id=order_id,
        points=points,
        reason=reason,
        round=round,
        actor=actor,
    )
