"""The one self-check: is every shilling, unit and status accounted for, compared with the provider?

Read as superuser over all stores; the provider's side comes from the sandbox. Used after
every fault of the fault list and at the end of a storm. Prints what it finds:

    python -m bench.selfcheck SUPERUSER_DATABASE_URL http://127.0.0.1:8001
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

# Money that a person must look at, because no machine can know: the push answer was lost and
# so were callback and confirmation; or the provider reported another amount than was asked for.
MAY_WAIT_FOR_A_PERSON = {"silent_attempt", "amount_differs", "unconfirmed_callback"}

RULES: dict[str, str] = {
    "a ledger transaction that does not sum to zero": "SELECT store_id, tx_id, sum(amount_cents) FROM app.ledger_entries GROUP BY 1, 2 HAVING sum(amount_cents) <> 0",
    "a break in an audit chain": "SELECT store_id, seq FROM app.audit_breaks",
    "reserved stock that is not its live reservations": "SELECT v.store_id, v.id, v.reserved, coalesce(r.q, 0) FROM app.variants v LEFT JOIN (SELECT store_id, variant_id,"
    " sum(quantity) q FROM app.reservations WHERE status = 'live' GROUP BY 1, 2) r"
    " ON (r.store_id, r.variant_id) = (v.store_id, v.id) WHERE v.reserved <> coalesce(r.q, 0)",
    "stock on hand that is not the sum of its movements": "SELECT v.store_id, v.id, v.on_hand, coalesce(m.q, 0) FROM app.variants v LEFT JOIN (SELECT store_id, variant_id,"
    " sum(quantity) q FROM app.stock_movements GROUP BY 1, 2) m ON (m.store_id, m.variant_id) = (v.store_id, v.id)"
    " WHERE v.on_hand <> coalesce(m.q, 0)",
    "a paid order without confirmed money": "SELECT o.store_id, o.code FROM app.orders o WHERE o.payment_method = 'mpesa'"
    " AND o.status IN ('paid','packed','dispatched','delivered','closed') AND NOT EXISTS (SELECT FROM app.payment_attempts a"
    " WHERE a.store_id = o.store_id AND a.order_id = o.id AND a.status = 'succeeded')",
    "confirmed money on an order that is still unpaid": "SELECT o.store_id, o.code FROM app.orders o JOIN app.payment_attempts a ON a.store_id = o.store_id AND a.order_id = o.id"
    " WHERE a.status = 'succeeded' AND o.status = 'pending_payment'",
    "an order applied twice": "SELECT a.store_id, a.order_id, count(*) FROM app.payment_attempts a JOIN app.ledger_tx t ON t.store_id = a.store_id"
    " AND t.kind = 'mpesa_payment' AND t.source_id = a.id::text JOIN app.ledger_entries e ON e.store_id = t.store_id"
    " AND e.tx_id = t.id AND e.account = 'sales' GROUP BY 1, 2 HAVING count(*) > 1",
    "a second payment of one order without a review item": "SELECT a.store_id, a.order_id FROM app.payment_attempts a WHERE a.status = 'succeeded' GROUP BY 1, 2 HAVING count(*) - 1 >"
    " (SELECT count(*) FROM app.review_items i WHERE i.store_id = a.store_id AND i.order_id = a.order_id AND i.kind = 'paid_twice')",
    "two open attempts on one order": "SELECT store_id, order_id FROM app.payment_attempts WHERE status IN ('created','sending','awaiting_customer','unknown')"
    " GROUP BY 1, 2 HAVING count(*) > 1",
    "an intent that succeeded without its money": "SELECT i.store_id, i.id FROM app.payment_intents i JOIN app.orders o ON o.store_id = i.store_id AND o.id = i.order_id"
    " WHERE i.status = 'succeeded' AND NOT EXISTS (SELECT FROM app.payment_attempts a WHERE a.store_id = i.store_id"
    " AND a.intent_id = i.id AND a.status = 'succeeded')",
    "a dead job": "SELECT store_id, id, topic, last_error FROM app.outbox WHERE status = 'dead'",
    "a paid order without exactly one receipt message": "SELECT o.store_id, o.code, count(m.id) FROM app.orders o LEFT JOIN app.messages m ON m.store_id = o.store_id"
    " AND m.order_id = o.id AND m.kind = 'receipt' AND m.fallback_of IS NULL AND m.channel <> 'push' WHERE o.paid_at IS NOT NULL"
    " AND o.payment_method = 'mpesa' AND o.placed_at >= %(since)s GROUP BY 1, 2 HAVING count(m.id) <> 1",
    "a review item without an owner or a next action": "SELECT store_id, id FROM app.review_items WHERE status = 'open' AND (owner_role = '' OR next_action = '')",
}


@dataclass
class Report:
    """What the check found. ``broken`` is empty when everything holds."""

    broken: list[str] = field(default_factory=list)
    waiting: Counter[str] = field(default_factory=Counter)
    paid_at_provider: int = 0
    paid_here: int = 0
    unpaid_here: int = 0

    def lines(self) -> list[str]:
        """The report as it is printed."""
        found = [f"BROKEN {line}" for line in self.broken] or ["every rule holds"]
        waits = ", ".join(f"{n} {kind}" for kind, n in sorted(self.waiting.items())) or "none"
        return [
            f"paid at the provider {self.paid_at_provider}, paid here {self.paid_here}, waiting for a person: {waits}",
            *found,
        ]


def selfcheck(database_url: str, sandbox_url: str, *, since: str = "-infinity") -> Report:
    """Run every rule and compare the ledger with the provider's transactions, store by store."""
    report = Report()
    transactions = httpx.get(
        f"{sandbox_url}/_sim/transactions", timeout=60, trust_env=False
    ).json()["transactions"]
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        for words, statement in RULES.items():
            rows = connection.execute(statement, {"since": since}).fetchall()
            report.broken += [f"{words}: {list(row.values())}" for row in rows[:5]]
        _compare(connection, transactions, report)
    return report


def _compare(
    connection: psycopg.Connection[Any], transactions: list[dict[str, Any]], report: Report
) -> None:
    """Provider's paid transactions against ours, then the till of each store against their sum."""
    shops = {
        row["shortcode"]: row["store_id"]
        for row in connection.execute("SELECT shortcode, store_id FROM app.payment_settings")
    }
    attempts = {
        (row["store_id"], row["account_reference"]): row
        for row in connection.execute(
            "SELECT store_id, id, account_reference, status, amount_cents, checkout_request_id FROM app.payment_attempts"
        )
    }
    arrived = {
        row["receipt"]: row
        for row in connection.execute("SELECT receipt, amount_cents FROM app.incoming_payments")
    }
    reviews: dict[Any, set[str]] = {}
    for row in connection.execute(
        "SELECT subject_id, kind FROM app.review_items WHERE status = 'open'"
    ):
        reviews.setdefault(row["subject_id"], set()).add(row["kind"])
    expected: Counter[int] = Counter()
    for paid in (t for t in transactions if t["status"] == "paid" and t["shortcode"] in shops):
        store_id = shops[paid["shortcode"]]
        report.paid_at_provider += 1
        attempt = attempts.get((store_id, paid["account_reference"]))
        cents = paid["paid_amount"] * 100
        if attempt is not None and attempt["status"] == "succeeded":
            report.paid_here += 1
            expected[store_id] += (
                attempt["amount_cents"] if paid["receipt"] not in arrived else cents
            )
        elif paid["receipt"] in arrived:
            expected[store_id] += cents
            report.waiting["money that arrived and matched nothing"] += attempt is None
            report.waiting.update(reviews.get(attempt["id"], set()) if attempt else ())
        else:
            kinds = reviews.get(attempt["id"], set()) if attempt else set()
            report.unpaid_here += 1
            if kinds & MAY_WAIT_FOR_A_PERSON:
                report.waiting.update(kinds & MAY_WAIT_FOR_A_PERSON)
            else:
                report.broken.append(
                    f"paid at the provider, unpaid here: {paid['receipt']} {attempt and attempt['status']}"
                )
    tills = {
        row["store_id"]: int(row["cents"])
        for row in connection.execute(
            "SELECT store_id, sum(amount_cents) cents FROM app.ledger_entries WHERE account = 'mpesa_till'"
            " AND store_id IN (SELECT store_id FROM app.payment_settings) GROUP BY 1"
        )
    }
    sums: Counter[int] = Counter()
    for store_id, cents in tills.items():
        refunds = connection.execute(
            "SELECT coalesce(sum(e.amount_cents), 0) cents FROM app.ledger_entries e JOIN app.ledger_tx t"
            " ON t.store_id = e.store_id AND t.id = e.tx_id WHERE t.kind = 'refund_by_hand' AND e.account = 'mpesa_till'"
            " AND e.store_id = %s",
            (store_id,),
        ).fetchone()
        history = connection.execute(
            "SELECT coalesce(sum(e.amount_cents), 0) cents FROM app.ledger_entries e JOIN app.ledger_tx t ON t.store_id = e.store_id"
            " AND t.id = e.tx_id JOIN app.payment_attempts a ON a.store_id = t.store_id AND a.id::text = t.source_id"
            " WHERE e.account = 'mpesa_till' AND a.checkout_request_id IS NULL AND a.callback_result_code = '0'"
            " AND e.store_id = %s",
            (store_id,),
        ).fetchone()
        sums[store_id] = cents - int(refunds["cents"]) - int(history["cents"])
    for store_id in set(expected) | set(sums):
        if expected[store_id] != sums[store_id]:
            report.broken.append(
                f"till of store {store_id}: ledger {sums[store_id]}, provider {expected[store_id]}"
            )


def main() -> int:
    report = selfcheck(sys.argv[1], sys.argv[2])
    print("\n".join(report.lines()))
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
