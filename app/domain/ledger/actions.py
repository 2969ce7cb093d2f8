"""Posting to the ledger.

Accounts: ``mpesa_till`` (money in the store's own till), ``sales``, ``delivery_income``,
``vat_payable``, ``customer_credit`` (owed back to a customer), ``unmatched`` (arrived,
nobody knows for what). Assets are positive, what is earned or owed is negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.ledger.models import LedgerEntry, LedgerTx
from app.ids import new_id


def post(session: Session, kind: str, source_id: UUID | str, entries: Mapping[str, int]) -> bool:
    """Write one transaction of ``account → signed cents``; zero amounts are left out.

    Posting the same ``(kind, source_id)`` twice writes once: returns whether this call wrote.
    Raises ValueError when the amounts do not sum to zero; the database checks again at commit.
    """
    if sum(entries.values()) != 0:
        raise ValueError(f"{kind}: entries do not balance")
    tx_id = new_id()
    written = session.scalar(
        upsert(LedgerTx)
        .values(id=tx_id, kind=kind, source_id=str(source_id))
        .on_conflict_do_nothing(index_elements=["store_id", "kind", "source_id"])
        .returning(LedgerTx.id)
    )
    if written is None:
        return False
    rows = [(account, cents) for account, cents in entries.items() if cents]
    session.execute(
        insert(LedgerEntry),
        [
            {
                "store_id": bound_store(),
                "tx_id": tx_id,
                "n": n,
                "account": account,
                "amount_cents": cents,
            }
            for n, (account, cents) in enumerate(rows, start=1)
        ],
    )
    return True
