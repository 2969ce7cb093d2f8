"""Questions about messages. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clock import at_nairobi, business_day
from app.db.tenancy import bound_store
from app.domain.messaging.models import Message


@dataclass(frozen=True)
class SmsMonth:
    """What a store's SMS cost since the first of the month, Nairobi time. Cents."""

    sent: int
    cost_cents: int


def sms_this_month(session: Session, now: datetime) -> SmsMonth:
    """SMS that the provider took this month, and what it said they cost."""
    first_day = business_day(now).replace(day=1)
    begins = at_nairobi(first_day, datetime.min.time())
    sent, cost_cents = session.execute(
        select(func.count(), func.coalesce(func.sum(Message.cost_cents), 0)).where(
            Message.store_id == bound_store(),
            Message.channel == "sms",
            Message.status.in_(("sent", "delivered")),
            Message.created_at >= begins,
        )
    ).one()
    return SmsMonth(sent=sent, cost_cents=int(cost_cents))
