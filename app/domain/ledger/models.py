"""The double-entry ledger: signed cents that always sum to zero. Never edited."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.db.tenancy import bound_store


class LedgerTx(StoreOwned, Base):
    __tablename__ = "ledger_tx"

    kind: Mapped[str]
    source_id: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class LedgerEntry(Base):
    __tablename__ = "ledger_entries"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "tx_id"], ["app.ledger_tx.store_id", "app.ledger_tx.id"]),
    )

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    tx_id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str]
    amount_cents: Mapped[int] = mapped_column(BigInteger)
