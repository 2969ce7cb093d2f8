"""The same money, told by callback, by query and by confirmation: whoever speaks first, one result.

The doors are real: callbacks and confirmations come by HTTP with the bodies that M-Pesa's
stand-in wrote, and the query asks it over HTTP. A fourth voice, the statement, has no door yet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.payments.models import IncomingPayment, PaymentIntent
from tests.domain.payments.conftest import Prompted, Till, ledger, one

VOICES: dict[str, Callable[[Prompted], None]] = {
    "callback": lambda prompted: prompted.bring("stk"),
    "query": Prompted.ask,
    "confirmation": lambda prompted: prompted.bring("c2b"),
}


def orders_of_speaking() -> Iterator[tuple[str, ...]]:
    """All six orders, and as many again in which voices repeat themselves."""
    yield from permutations(VOICES)
    chance = random.Random(46)
    for spoken in permutations(VOICES):
        again = [*spoken, *chance.choices(list(VOICES), k=3)]
        chance.shuffle(again)
        yield tuple(again)


def final_rows(prompted: Prompted) -> dict[str, Any]:
    """Everything the money changed. Who spoke first is kept too (``confirmed_by``), and may differ."""
    session = prompted.session
    attempt = prompted.attempt
    order = attempt.order
    events = session.scalars(
        text(
            "SELECT kind FROM app.order_events WHERE store_id = app.store_id() AND order_id = :id ORDER BY kind"
        ),
        {"id": order.id},
    ).all()
    goods = session.execute(
        text(
            "SELECT v.on_hand, v.reserved FROM app.variants v JOIN app.order_lines l"
            " ON l.store_id = v.store_id AND l.variant_id = v.id"
            " WHERE v.store_id = app.store_id() AND l.order_id = :id"
        ),
        {"id": order.id},
    ).all()
    messages = session.scalars(
        text(
            "SELECT kind FROM app.messages WHERE store_id = app.store_id() AND order_id = :id ORDER BY kind"
        ),
        {"id": order.id},
    ).all()
    reviews = session.scalars(
        text(
            "SELECT kind FROM app.review_items WHERE store_id = app.store_id() AND order_id = :id"
        ),
        {"id": order.id},
    ).all()
    booked = session.execute(
        text(
            "SELECT t.kind, e.account, e.amount_cents FROM app.ledger_tx t JOIN app.ledger_entries e"
            " ON e.store_id = t.store_id AND e.tx_id = t.id"
            " WHERE t.store_id = app.store_id() AND t.source_id = :id ORDER BY e.account"
        ),
        {"id": str(attempt.id)},
    ).all()
    incoming = one(session, IncomingPayment, attempt_id=attempt.id)
    intent = one(session, PaymentIntent, order_id=order.id)
    return {
        "order": (str(order.status), order.total_cents),
        "intent": str(intent.status),
        "attempt": (str(attempt.status), attempt.amount_cents, attempt.result_code),
        "receipt_is_theirs": attempt.receipt
        == prompted.bank.transaction(prompted.phone)["receipt"],
        "incoming": (incoming.status, incoming.amount_cents, incoming.receipt == attempt.receipt),
        "booked": [tuple(row) for row in booked],
        "events": list(events),
        "goods": [tuple(row) for row in goods],
        "messages": list(messages),
        "reviews": list(reviews),
    }


@pytest.mark.row("W46", "M45")
def test_whoever_speaks_first_and_however_often_the_rows_end_alike(till: Till) -> None:
    results: dict[tuple[str, ...], dict[str, Any]] = {}
    for spoken in orders_of_speaking():
        prompted = till.order()
        for voice in spoken:
            VOICES[voice](prompted)
        while prompted.work("confirm_attempt", "handle_callback"):
            pass
        results[spoken] = final_rows(prompted)

    first = results[("callback", "query", "confirmation")]
    assert len(results) == 12
    assert first["order"][0] == "paid"
    assert first["intent"] == "succeeded"
    assert first["attempt"][0] == "succeeded"
    assert first["receipt_is_theirs"]
    assert first["reviews"] == []
    assert first["events"].count("paid") == 1
    assert sum(cents for _kind, _account, cents in first["booked"]) == 0
    for spoken, rows in results.items():
        assert rows == first, spoken
    balances = ledger(till.session)
    assert balances["mpesa_till"] == 12 * first["order"][1]
    assert balances.get("unmatched", 0) == 0


@pytest.mark.row("W46")
def test_one_voice_that_knows_no_code_is_completed_by_the_next(till: Till) -> None:
    prompted = till.order()
    prompted.ask()
    assert prompted.attempt.order.status == "paid"
    assert prompted.attempt.receipt is None

    prompted.bring("c2b")

    assert prompted.attempt.receipt == prompted.bank.transaction(prompted.phone)["receipt"]
