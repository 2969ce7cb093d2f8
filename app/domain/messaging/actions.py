"""Telling people things: one row per message, sent by a worker after the commit.

Order messages go by WhatsApp where the store has a number there, else by SMS; a
WhatsApp message that cannot be delivered falls back to SMS once, as a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.addresses import order_link
from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.delivery.queries import area_name
from app.domain.messaging.models import ChannelSettings, Message, MessageAttempt
from app.domain.messaging.words import OrderFacts, code_message, order_message
from app.domain.orders.models import Order
from app.domain.stores.models import Domain, Store
from app.i18n import using_locale
from app.ids import new_id
from app.jobs import Topic, TryLater, ask_for
from app.logging import get_logger
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.messaging import MessageSender
from app.timings import timings
from app.vault import vault

log = get_logger(__name__)

AT_MOST_ONCE = frozenset({"otp"})


def tell_customer(
    session: Session,
    order: Order,
    kind: str,
    *,
    receipt: str = "",
    rider: str = "",
    after_seconds: float = 0,
) -> None:
    """Send an order message, once per order and kind. Does not commit."""
    host, has_whatsapp = _host_and_channel(session)
    text = _order_text(session, order, kind, host, receipt=receipt, rider=rider)
    queue_message(
        session,
        kind,
        phone=order.customer.phone,
        text=text,
        key=f"{order.id}:{kind}",
        channel="whatsapp" if has_whatsapp else "sms",
        language=order.language,
        order_id=order.id,
        after_seconds=after_seconds,
    )


def complete_receipt(session: Session, order: Order, receipt: str) -> None:
    """Put the M-Pesa code into a receipt that waits for it and has not been sent. Does not commit."""
    host, _has_whatsapp = _host_and_channel(session)
    text = _order_text(session, order, "receipt", host, receipt=receipt)
    session.execute(
        update(Message)
        .where(
            Message.store_id == bound_store(),
            Message.dedupe_key == f"{order.id}:receipt",
            Message.status == "queued",
        )
        .values(body_sealed=vault().seal(text, store_id=bound_store(), column="messages.body"))
    )


def _host_and_channel(session: Session) -> tuple[str, bool]:
    """The store's own host for links, and whether it sends by WhatsApp: one look for both."""
    host = select(Domain.host).where(
        Domain.store_id == bound_store(), Domain.is_canonical, Domain.verified_at.is_not(None)
    )
    has_whatsapp = select(ChannelSettings.is_active).where(
        ChannelSettings.store_id == bound_store()
    )
    found = session.execute(select(host.scalar_subquery(), has_whatsapp.scalar_subquery())).one()
    return found[0] or "", bool(found[1])


def _order_text(
    session: Session, order: Order, kind: str, host: str, *, receipt: str = "", rider: str = ""
) -> str:
    store = session.get_one(Store, bound_store())
    token = vault().open(order.token_sealed, store_id=bound_store(), column="orders.token")
    facts = OrderFacts(
        store=store.name,
        code=order.code,
        link=order_link(host, token),
        total_cents=order.total_cents,
        area=area_name(order.area),
        receipt=receipt,
        rider=rider,
    )
    with using_locale(order.language):
        return order_message(kind, facts)


def send_code(session: Session, *, phone: str, code: str, language: str = "en") -> None:
    """Send a one-time code by SMS to an E.164 number. Does not commit."""
    with using_locale(language):
        text = code_message(code)
    queue_message(
        session,
        "otp",
        phone=phone,
        text=text,
        key=f"otp:{new_id()}",
        channel="sms",
        language=language,
    )


def forget_codes_sent(session: Session, phone_lookup: bytes) -> None:
    """Blank the messages that carried codes to a number: the row stays, whose it was does not.

    What still waits to be sent is left alone. Does not commit.
    """
    store_id = bound_store()
    session.execute(
        update(Message)
        .where(
            Message.store_id == store_id,
            Message.kind == "otp",
            Message.recipient_hash == phone_lookup,
            Message.status.not_in(("queued", "sending")),
        )
        .values(
            recipient_sealed=vault().seal("", store_id=store_id, column="messages.recipient"),
            recipient_hash=b"",
            body_sealed=vault().seal("", store_id=store_id, column="messages.body"),
        )
        .execution_options(synchronize_session=False)
    )


def queue_message(
    session: Session,
    kind: str,
    *,
    phone: str,
    text: str,
    key: str,
    channel: str,
    language: str = "en",
    order_id: UUID | None = None,
    fallback_of: UUID | None = None,
    after_seconds: float = 0,
) -> None:
    """Write one message and ask for it to be sent. The same ``key`` twice is one message."""
    message_id = new_id()
    written = session.scalar(
        insert(Message)
        .values(
            id=message_id,
            kind=kind,
            dedupe_key=key,
            order_id=order_id,
            channel=channel,
            language=language,
            template=kind,
            recipient_sealed=vault().seal(
                phone, store_id=bound_store(), column="messages.recipient"
            ),
            recipient_hash=vault().lookup(phone, store_id=bound_store()),
            body_sealed=vault().seal(text, store_id=bound_store(), column="messages.body"),
            fallback_of=fallback_of,
        )
        .on_conflict_do_nothing(index_elements=["store_id", "dedupe_key"])
        .returning(Message.id)
    )
    if written is not None:
        ask_for(
            session,
            Topic.SEND_MESSAGE,
            key=str(message_id),
            message_id=str(message_id),
            after_seconds=after_seconds,
        )


def deliver_message(
    session: Session, message_id: UUID, *, sender_for: Callable[[str], MessageSender]
) -> None:
    """Send one message and record what the provider said. Commits before and after the call.

    A doubtful outcome is repeated once for receipts and order updates, never for codes.
    Raises TryLater when the provider could not be reached.
    """
    message = _claim(session, message_id)
    if message is None:
        session.rollback()
        return
    phone, text, kind, channel = message.recipient, message.body, message.kind, message.channel
    session.commit()
    sender = sender_for(channel)
    try:
        sent = sender.send(phone=phone, text=text, reference=str(message_id))
    except Refused as refusal:
        _close(session, message_id, "failed", sender.name, error=refusal.reason)
        if channel == "whatsapp":
            _fall_back_to_sms(session, message_id, phone=phone, text=text)
        session.commit()
    except Unavailable as error:
        _close(session, message_id, "queued", sender.name, error=error.reason)
        session.commit()
        raise TryLater(error.reason, after_seconds=timings().retry_delay) from error
    except OutcomeUnknown as doubt:
        _close(session, message_id, "unknown", sender.name, error=doubt.reason)
        session.commit()
        if kind not in AT_MOST_ONCE:
            raise TryLater(doubt.reason, after_seconds=timings().resend_after_unknown) from doubt
    else:
        _close(
            session,
            message_id,
            "sent",
            sender.name,
            provider_ref=sent.provider_ref,
            cost_cents=sent.cost_cents,
        )
        session.commit()


def _claim(session: Session, message_id: UUID) -> Message | None:
    """Take a message from queued to sending; one in doubt is taken once more, if it may be repeated.

    ``sending`` left behind by a killed worker is such a doubt: the runner's lease is over.
    """
    message = session.scalars(
        select(Message)
        .where(Message.store_id == bound_store(), Message.id == message_id)
        .with_for_update()
    ).one()
    if message.status == "sending":
        message.status = "unknown"
        session.flush()
    tries = (
        session.query(MessageAttempt)
        .filter_by(store_id=bound_store(), message_id=message_id)
        .count()
    )
    may_repeat = message.kind not in AT_MOST_ONCE and tries < 3
    if message.status == "queued" or (message.status == "unknown" and may_repeat):
        message.status = "sending"
        return message
    if message.status == "unknown":
        message.final_at = utcnow()
        session.commit()
    return None


def _close(
    session: Session,
    message_id: UUID,
    status: str,
    provider: str,
    *,
    error: str | None = None,
    provider_ref: str | None = None,
    cost_cents: int = 0,
) -> None:
    session.execute(
        update(Message)
        .where(
            Message.store_id == bound_store(), Message.id == message_id, Message.status == "sending"
        )
        .values(
            status=status,
            provider=provider,
            error=error[:200] if error else None,
            provider_ref=provider_ref,
            cost_cents=cost_cents,
            final_at=utcnow() if status in ("sent", "failed") else None,
        )
    )
    session.add(
        MessageAttempt(message_id=message_id, outcome=status, error=error[:200] if error else None)
    )
    log.info("message_tried", message_id=str(message_id), outcome=status, provider=provider)


def _fall_back_to_sms(session: Session, message_id: UUID, *, phone: str, text: str) -> None:
    message = session.get_one(Message, (bound_store(), message_id))
    queue_message(
        session,
        message.kind,
        phone=phone,
        text=text,
        key=f"{message.dedupe_key}:sms",
        channel="sms",
        language=message.language,
        order_id=message.order_id,
        fallback_of=message_id,
    )
