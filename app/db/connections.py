"""The connection that the product's engines open: it spares messages and planning."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus


class KeepsPlans(psycopg.Connection[Any]):
    """A connection that keeps its prepared statements when a transaction is only given up.

    psycopg throws all of them away at each ROLLBACK, in case a table was made and unmade in it. A page
    that only reads ends in one, so that every statement of every page was parsed and planned anew: more
    work than to run it. The product's roles make no tables. After an error it is as psycopg has it: a
    plan that no longer fits its table goes.
    """

    def rollback(self) -> None:
        if self.pgconn.transaction_status == TransactionStatus.INTRANS:
            with self.lock:
                if self.pgconn.exec_(b"ROLLBACK").status == ExecStatus.COMMAND_OK:
                    return
        super().rollback()

    def begin_saying(self, what: bytes) -> bool:
        """Begin a transaction and say what holds in it, in one message.

        ``what`` are the statements as they stand, without a value from outside. False where it
        could not be done: in a transaction that has begun already, or on a connection that is
        gone. Nothing has changed then, and whoever says it by a statement hears why.
        """
        if self.autocommit or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        with suppress(psycopg.OperationalError):
            with self.lock:
                if self.pgconn.exec_(b"BEGIN; " + what).status == ExecStatus.COMMAND_OK:
                    return True
            super().rollback()
        return False
