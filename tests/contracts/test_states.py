"""The machines in Python and the triggers in the database are one table, told twice."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.orm import Session

from app.domain.orders import states as orders
from app.domain.payments import states as payments
from tests.builders import attempt_of, make_order
from tests.conftest import Database


def legal_moves(database: Database, entity: str) -> set[tuple[str, str]]:
    with psycopg.connect(database.superuser) as connection:
        return set(
            connection.execute(
                "SELECT from_status, to_status FROM app.transitions WHERE entity = %s", (entity,)
            ).fetchall()
        )


@pytest.mark.row("N65")
def test_orders_move_alike_in_python_and_in_the_database(database: Database) -> None:
    in_python = {(a.value, b.value) for a, nexts in orders.NEXT.items() for b in nexts}
    born = {("", first.value) for first in orders.FIRST}

    assert legal_moves(database, "orders") == in_python | born


@pytest.mark.row("M30")
def test_payments_move_alike_in_python_and_in_the_database(database: Database) -> None:
    attempts = {(a.value, b.value) for a, nexts in payments.ATTEMPT_NEXT.items() for b in nexts}
    intents = {(a.value, b.value) for a, nexts in payments.INTENT_NEXT.items() for b in nexts}

    assert legal_moves(database, "payment_attempts") == attempts | {("", "created")}
    assert legal_moves(database, "payment_intents") == intents | {("", "requires_payment_method")}


@pytest.mark.row("M30", "N65")
def test_raw_sql_cannot_make_an_illegal_move(database: Database, session: Session) -> None:
    order = make_order(session)
    attempt = attempt_of(session, order)
    session.commit()
    forbidden = [
        (
            "orders",
            order.id,
            [
                s.value
                for s in orders.OrderStatus
                if s not in orders.NEXT[orders.OrderStatus.PENDING_PAYMENT]
            ],
        ),
        ("payment_attempts", attempt.id, ["awaiting_customer", "unknown", "succeeded", "expired"]),
    ]
    with psycopg.connect(database.urls["dukani_app"], autocommit=True) as connection:
        connection.execute("SELECT set_config('app.store_id', %s, false)", (str(order.store_id),))
        for table, row_id, statuses in forbidden:
            for status in statuses:
                if status == "pending_payment":
                    continue
                with pytest.raises(errors.CheckViolation):
                    connection.execute(
                        f"UPDATE app.{table} SET status = %s WHERE id = %s", (status, row_id)
                    )


@pytest.mark.row("W53", "M30")
@pytest.mark.parametrize("table", ["orders", "payment_attempts", "payment_intents"])
def test_every_edge_and_every_forbidden_edge_in_the_database(
    database: Database, session: Session, table: str
) -> None:
    order = make_order(session)
    session.commit()
    legal = legal_moves(database, table)
    statuses = sorted({status for move in legal for status in move if status})
    column = "id" if table == "orders" else "order_id"
    with psycopg.connect(database.superuser) as connection:
        for before in statuses:
            for after in statuses:
                connection.execute(f"ALTER TABLE app.{table} DISABLE TRIGGER legal_status")
                connection.execute(
                    f"UPDATE app.{table} SET status = %s WHERE {column} = %s", (before, order.id)
                )
                connection.execute(f"ALTER TABLE app.{table} ENABLE TRIGGER legal_status")
                move = f"UPDATE app.{table} SET status = %s WHERE {column} = %s"
                if before == after or (before, after) in legal:
                    assert connection.execute(move, (after, order.id)).rowcount == 1
                else:
                    with pytest.raises(errors.CheckViolation):
                        connection.execute(move, (after, order.id))
                connection.rollback()
