"""Letters to customers: an invoice for whoever leaves an address, and the ones that come back."""

from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.errors import FieldProblem, NotPayable
from app.domain.messaging.actions import queue_message
from app.domain.messaging.invoices import KIND
from app.domain.messaging.models import Message, MessageAttempt
from app.domain.orders.models import Order
from app.i18n import gettext as _
from app.vault import vault

MOST_ADDRESSES = 3  # of one order: whoever holds its link must not write to a town
_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def send_invoice(session: Session, order: Order, address: str, *, language: str) -> None:
    """Send the invoice of a paid order to an e-mail address, once. Does not commit.

    Raises FieldProblem for an address that is none or one too many, NotPayable while unpaid.
    """
    if order.paid_at is None:
        raise NotPayable
    email = address.strip()
    if len(email) > 254 or not _ADDRESS.fullmatch(email):
        raise FieldProblem("email", _("Write an e-mail address, like achieng@example.com."))
    email = email.lower()
    session.refresh(order, ["version"], with_for_update=True)
    earlier = invoices_of(session, order)
    recipient = vault().lookup(email, store_id=bound_store())
    if recipient in {letter.recipient_hash for letter in earlier}:
        return
    if len(earlier) >= MOST_ADDRESSES:
        raise FieldProblem("email", _("It was sent to %(n)s addresses already.", n=MOST_ADDRESSES))
    queue_message(
        session,
        KIND,
        phone=email,
        text=order.code,
        key=f"{order.id}:{KIND}:{recipient.hex()[:32]}",
        channel="email",
        language=language,
        order_id=order.id,
    )


def invoices_of(session: Session, order: Order) -> list[Message]:
    """The letters that were asked for, the newest first, each with how it ended."""
    return list(
        session.scalars(
            select(Message)
            .where(
                Message.store_id == bound_store(),
                Message.order_id == order.id,
                Message.kind == KIND,
            )
            .order_by(Message.created_at.desc())
        )
    )


def note_bounce(session: Session, message_id: UUID, reason: str) -> bool:
    """A letter came back: its row says so. False when that was known. Does not commit."""
    letter = session.scalars(
        select(Message)
        .where(Message.store_id == bound_store(), Message.id == message_id)
        .with_for_update()
    ).one()
    if letter.status not in ("sent", "unknown"):
        return False
    letter.status = "failed"
    letter.error = f"came back: {reason}"[:200]
    letter.final_at = utcnow()
    session.add(MessageAttempt(message_id=message_id, outcome="failed", error=letter.error))
    return True


def shown_address(letter: Message) -> str:
    """Enough of an address to know it by: ``ac•••@example.com``."""
    name, _at, host = letter.recipient.partition("@")
    return f"{name[:2]}•••@{host}"
