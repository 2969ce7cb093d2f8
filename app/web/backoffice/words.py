"""Small words for the desks: clock times, waits, promises, what is in a bag."""

from __future__ import annotations

from datetime import datetime, timedelta

from babel.dates import format_date

from app.clock import nairobi, utcnow
from app.domain.delivery.promises import minutes_words
from app.domain.insights.cards import weekday_short
from app.domain.messaging.models import Message
from app.domain.orders.models import Order, OrderEvent
from app.domain.orders.queries import area_name, due_cents, is_at_risk
from app.domain.orders.states import TO_PACK, OrderStatus
from app.domain.payments.actions import ACTIONS
from app.domain.payments.models import ReviewItem
from app.domain.people.roles import ROLE_WORDS
from app.i18n import current_locale, gettext_lazy, ngettext
from app.i18n import gettext as _
from app.web.backoffice.review_words import item_actions, item_words

COLUMN_WORDS = {
    "to_pack": gettext_lazy("To pack"),
    "ready": gettext_lazy("Ready"),
    "out": gettext_lazy("Out"),
    "done": gettext_lazy("Done today"),
}
TAB_WORDS = COLUMN_WORDS | {"done": gettext_lazy("Done")}
STATUS_WORDS = {
    OrderStatus.PENDING_PAYMENT: gettext_lazy("Not paid yet"),
    OrderStatus.PAID: gettext_lazy("To pack"),
    OrderStatus.ACCEPTED: gettext_lazy("To pack"),
    OrderStatus.PACKED: gettext_lazy("Packed"),
    OrderStatus.DISPATCHED: gettext_lazy("On the way"),
    OrderStatus.DELIVERED: gettext_lazy("Delivered"),
    OrderStatus.RETURNED: gettext_lazy("Returned"),
    OrderStatus.CLOSED: gettext_lazy("Closed"),
    OrderStatus.CANCELLED: gettext_lazy("Cancelled"),
}
CHANNEL_WORDS = {
    "web": gettext_lazy("web"),
    "staff": "",
    "mpesa": "M-Pesa",
    "whatsapp": "WhatsApp",
    "sms": "SMS",
}
MESSAGE_WORDS = {
    "queued": gettext_lazy("waiting to be sent"),
    "sending": gettext_lazy("being sent"),
    "sent": gettext_lazy("sent"),
    "delivered": gettext_lazy("delivered"),
    "unknown": gettext_lazy("perhaps sent"),
}

NBSP = "\N{NO-BREAK SPACE}"


def clock(instant: datetime | None) -> str:
    """``18:42`` on a Nairobi clock."""
    return nairobi(instant).strftime("%H:%M") if instant else ""


def clock_seconds(instant: datetime | None) -> str:
    """``18:42:06`` on a Nairobi clock."""
    return nairobi(instant).strftime("%H:%M:%S") if instant else ""


def day(instant: datetime) -> str:
    """``Fri 20 Nov`` in Nairobi."""
    local = nairobi(instant)
    date = format_date(local, "d MMM", locale=current_locale())
    return f"{weekday_short(local)} {date}".replace(" ", NBSP)


def moment(instant: datetime | None, now: datetime | None = None) -> str:
    """``17:28`` today, ``Thu 19 Nov 17:28`` on another day."""
    if instant is None:
        return ""
    same_day = nairobi(instant).date() == nairobi(now or utcnow()).date()
    return clock(instant) if same_day else f"{day(instant)}{NBSP}{clock(instant)}"


def lasted(span: timedelta) -> str:
    """``23 s``, ``45 min``, ``1 h 10 min``, ``2 days``."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return _("%(n)s s", n=seconds).replace(" ", NBSP)
    hours = seconds // 3600
    if hours < 24:
        return minutes_words(seconds // 60)
    return ngettext("%(n)s day", "%(n)s days", hours // 24).replace(" ", NBSP)


def minutes(count: int) -> str:
    """How long a delivery usually takes: ``45 min``, ``3 h``, ``2 days``."""
    return lasted(timedelta(minutes=count))


def resolution(item: ReviewItem) -> str:
    """What was decided about a review item, as its button said it."""
    decided = item.resolution or ""
    return str(ACTIONS.get(item.kind, {}).get(decided, decided.replace("_", " ")))


def waited(since: datetime | None, now: datetime | None = None) -> str:
    """How long something has waited until now."""
    return lasted((now or utcnow()) - since) if since else ""


def promise(order: Order, now: datetime | None = None) -> str:
    """``by 20:00``, ``late, was 18:00``, ``tomorrow``, ``Mon 23 Nov``; empty without a promise."""
    if order.promised_at is None:
        return ""
    moment_now = now or utcnow()
    promised = nairobi(order.promised_at)
    days = (promised.date() - nairobi(moment_now).date()).days
    if order.promised_at < moment_now:
        since = clock(order.promised_at) if days == 0 else day(order.promised_at)
        return _("late, was %(time)s", time=since)
    if days == 0:
        return _("by %(time)s", time=clock(order.promised_at))
    return _("tomorrow") if days == 1 else day(order.promised_at)


def things(order: Order, most: int = 3) -> str:
    """What is in the bag: ``Sufuria set, 2 × wooden spoon, +1``."""
    shown = [
        (f"{line.quantity}{NBSP}×{NBSP}" if line.quantity > 1 else "")
        + line.name
        + (f" ({line.option_text})" if line.option_text else "")
        for line in order.lines[:most]
    ]
    hidden = len(order.lines) - most
    return ", ".join(shown) + (f", +{hidden}" if hidden > 0 else "")


def pieces(order: Order) -> int:
    """How many pieces are in the bag."""
    return sum(line.quantity for line in order.lines)


def place(order: Order) -> str:
    """Where it goes: the area's name, or that it is collected."""
    return _("Pick up at shop") if order.is_pickup else area_name(order.area)


def column_time(order: Order, now: datetime | None = None) -> str:
    """What the corner of a board card says, by where the order is."""
    match order.status:
        case OrderStatus.PACKED:
            return _("Packed %(time)s", time=moment(order.packed_at, now))
        case OrderStatus.DISPATCHED:
            return _("Out %(time)s", time=moment(order.dispatched_at, now))
        case OrderStatus.DELIVERED | OrderStatus.CLOSED:
            return moment(order.delivered_at, now)
        case _:
            return promise(order, now)


def initials(name: str) -> str:
    """``WM`` for Wanjiku Mwangi."""
    parts = name.split()
    return "".join(
        part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)
    ).upper()


def next_step(order: Order) -> str:
    """What has to happen next, in a word; empty when nothing does."""
    match order.status:
        case OrderStatus.PENDING_PAYMENT:
            return _("Wait for the money")
        case OrderStatus.PAID | OrderStatus.ACCEPTED:
            return _("Pack")
        case OrderStatus.PACKED:
            return _("Hand over at the shop") if order.is_pickup else _("Give to a rider")
        case OrderStatus.DISPATCHED:
            return _("Deliver")
        case _:
            return ""


def who(event: OrderEvent) -> str:
    """Who did it and through what: ``Achieng``, ``Dukani, M-Pesa``, ``Faith, web``."""
    name = _("Dukani") if event.actor == "system" else event.actor
    channel = CHANNEL_WORDS.get(event.channel, event.channel)
    return f"{name}, {channel}" if channel else name


def message_status(message: Message) -> str:
    """What became of a message, in a word or with the provider's reason."""
    if message.status == "failed":
        return _("not sent: %(why)s", why=message.error or _("no reason given"))
    return str(MESSAGE_WORDS.get(message.status, message.status))


def waits_since(order: Order) -> datetime | None:
    """Since when the next step waits for somebody."""
    match order.status:
        case OrderStatus.PAID | OrderStatus.ACCEPTED:
            return order.paid_at or order.placed_at
        case OrderStatus.PACKED:
            return order.packed_at
        case OrderStatus.DISPATCHED:
            return order.dispatched_at
        case _:
            return order.placed_at


WORDS = {
    "clock": clock,
    "clock_seconds": clock_seconds,
    "day": day,
    "moment": moment,
    "lasted": lasted,
    "minutes": minutes,
    "resolution": resolution,
    "waited": waited,
    "promise": promise,
    "things": things,
    "pieces": pieces,
    "place": place,
    "column_time": column_time,
    "initials": initials,
    "next_step": next_step,
    "who": who,
    "message_status": message_status,
    "waits_since": waits_since,
    "review_words": item_words,
    "review_actions": item_actions,
    "due_cents": due_cents,
    "is_at_risk": is_at_risk,
    "area_name": area_name,
    "to_pack": TO_PACK,
    "columns": COLUMN_WORDS,
    "tabs": TAB_WORDS,
    "statuses": STATUS_WORDS,
    "roles": ROLE_WORDS,
}
