"""What a store's SMS cost this month."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.domain.messaging.actions import queue_message
from app.domain.messaging.queries import sms_this_month


@pytest.mark.row("T24")
def test_the_months_cost_counts_this_months_sms_that_went_out(session: Session) -> None:
    for n, channel in enumerate(("sms", "sms", "whatsapp", "sms")):
        queue_message(
            session, "receipt", phone="+254712345678", text="Paid", key=str(n), channel=channel
        )
    for status in ("sending", "sent"):
        session.execute(
            text(
                "UPDATE app.messages SET status = :s, cost_cents = 80"
                " WHERE store_id = app.store_id() AND dedupe_key < '3'"
            ),
            {"s": status},
        )
    session.execute(
        text(
            "UPDATE app.messages SET created_at = now() - interval '40 days'"
            " WHERE store_id = app.store_id() AND dedupe_key = '0'"
        )
    )
    session.commit()

    month = sms_this_month(session, utcnow())

    assert (month.sent, month.cost_cents) == (1, 80)
