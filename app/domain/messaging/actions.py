"""Telling people things: one row per message, sent by a worker after the commit.

Order messages go by WhatsApp where the store has a number there, else by SMS; a
WhatsApp message that cannot be delivered falls back to SMS once, as a row of its own. Browsers
that follow an order get a notification beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.addresses import order_link, store_url
from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.catalog.models import StockWait
from app.domain.delivery.queries import area_name
from app.domain.messaging.invoices import letter_of
from app.domain.messaging.models import (
    ChannelSettings,
    Message,
    MessageAttempt,
    PushSubscription,
)
from app.domain.messaging.push import (
    OF_AN_ORDER,
    Note,
    find_address,
    forget_browser,
    note_about_order,
    subscriptions_about_order,
)
from app.domain.messaging.words import OrderFacts, code_message, order_message
from app.domain.orders.models import Order
from app.domain.stores.hosts import host_of_store
from app.domain.stores.models import Store
from app.i18n import using_locale
from app.ids import new_id
from app.jobs import Topic, TryLater, ask_for
from app.logging import get_logger
from app.money import format_kes
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.messaging import LetterSender, MessageSender, Sent
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
    host, has_whatsapp = host_and_channel(session)
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
    _notify(session, order, kind)


def _notify(session: Session, order: Order, kind: str) -> None:
    """The same for the browsers that follow the order, and new work for those of the desk."""
    told = subscriptions_about_order(session, order.id, kind) if kind in OF_AN_ORDER else ()
    if not told:
        return
    store = session.get_one(Store, bound_store())
    facts = {
        "code": order.code,
        "store": store.name,
        "slug": store.slug,
        "amount": format_kes(order.total_cents),
        "token": order.token,
        "order_id": str(order.id),
    }
    for subscription in told:
        note = note_about_order(kind, subscription, **facts)
        push_to(session, subscription, kind, note, key=f"{order.id}:{kind}", order_id=order.id)


def push_to(
    session: Session,
    subscription: PushSubscription,
    kind: str,
    note: Note,
    *,
    key: str,
    order_id: UUID | None = None,
) -> None:
    """Ask for one notification on one browser. The same ``key`` twice is one. Does not commit."""
    queue_message(
        session,
        kind,
        phone=str(subscription.id),
        text=json.dumps(asdict(note), ensure_ascii=False),
        key=f"{key}:push:{subscription.id}",
        channel="push",
        language=subscription.language,
        order_id=order_id,
    )


def complete_receipt(session: Session, order: Order, receipt: str) -> None:
    """Put the M-Pesa code into a receipt that waits for it and has not been sent. Does not commit."""
    host, _has_whatsapp = host_and_channel(session)
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


def host_and_channel(session: Session) -> tuple[str, bool]:
    """The store's own host for links, and whether it sends by WhatsApp: one look for both."""
    has_whatsapp = select(ChannelSettings.is_active).where(
        ChannelSettings.store_id == bound_store()
    )
    found = session.execute(select(host_of_store, has_whatsapp.scalar_subquery())).one()
    return found[0] or "", bool(found[1])


def _order_text(
    session: Session, order: Order, kind: str, host: str, *, receipt: str = "", rider: str = ""
) -> str:
    store = session.get_one(Store, bound_store())
    facts = OrderFacts(
        store=store.name,
        code=order.code,
        link=order_link(host, order.token),
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
    kind, channel = message.kind, message.channel
    carry = _carrier(session, message)
    session.commit()
    sender = sender_for(channel)
    try:
        sent = carry(sender)
    except Refused as refusal:
        _close(session, message_id, "failed", sender.name, error=refusal.reason)
        _take_another_way(session, message_id, refusal)
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


def _carrier(session: Session, message: Message) -> Callable[[MessageSender], Sent]:
    """How this message is handed to its sender, with everything read that the call needs."""
    to, text, reference = message.recipient, message.body, str(message.id)
    if message.channel == "push":
        address = find_address(session, UUID(to))

        def push(sender: MessageSender) -> Sent:
            if address is None:
                raise Refused(sender.name, "this browser was forgotten", code="gone")
            return sender.send(phone=address, text=text, reference=reference)

        return push
    letter = letter_of(session, message)
    if letter is not None:

        def post(sender: MessageSender) -> Sent:
            if not isinstance(sender, LetterSender):
                raise Refused(sender.name, "carries no letters")
            return sender.send_letter(letter, to=to, reference=reference)

        return post
    return lambda sender: sender.send(phone=to, text=text, reference=reference)


def _take_another_way(session: Session, message_id: UUID, refusal: Refused) -> None:
    """What a refused WhatsApp message or notification leads to. Nothing, for what has no other way."""
    message = session.get_one(Message, (bound_store(), message_id))
    if message.channel == "whatsapp":
        _fall_back_to_sms(session, message)
    elif message.channel == "push":
        subscription_id = UUID(message.recipient)
        _fall_back_to_phone(session, message, subscription_id)
        if refusal.code == "gone":
            forget_browser(session, subscription_id)


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


def _fall_back_to_sms(session: Session, message: Message) -> None:
    queue_message(
        session,
        message.kind,
        phone=message.recipient,
        text=message.body,
        key=f"{message.dedupe_key}:sms",
        channel="sms",
        language=message.language,
        order_id=message.order_id,
        fallback_of=message.id,
    )


def _fall_back_to_phone(session: Session, message: Message, subscription_id: UUID) -> None:
    """Whoever waits for a thing is told by SMS instead: nothing else would tell them."""
    subscription = session.get(PushSubscription, (bound_store(), subscription_id))
    if subscription is None or subscription.wait_id is None:
        return
    wait = session.get_one(StockWait, (bound_store(), subscription.wait_id))
    host, _has_whatsapp = host_and_channel(session)
    note = Note(**json.loads(message.body))
    queue_message(
        session,
        message.kind,
        phone=wait.phone,
        text=f"{note.title}. {note.body} {store_url(host, note.path)}",
        key=f"{message.dedupe_key}:sms",
        channel="sms",
        language=message.language,
        fallback_of=message.id,
    )
