"""What is true about an order's payment at this second, in words a shopper can act on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.orders.models import Order
from app.domain.orders.states import OrderStatus
from app.domain.payments.beginning import latest_attempt, seconds_until_retry
from app.domain.payments.models import (
    Callback,
    PaymentAttempt,
    PaymentSettings,
    ProviderCall,
    ReviewItem,
)
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.phones import masked
from app.timings import timings

FAST_POLL_SECONDS = 2
SLOW_POLL_SECONDS = 5
FAST_POLL_UNTIL = 90
POLL_UNTIL = 300
CLOSING_SECONDS = 2  # a result this near the prompt's end may be its closing

# Result codes of M-Pesa and what they mean for a person: kind of panel, title, what to do.
# Source: mobile money contract 1.5. Codes not listed stay raw in the staff's view.

ADVICE: dict[str, tuple[str, str, str]] = {
    "1": (
        "low_balance",
        gettext_lazy("Not enough money"),
        gettext_lazy(
            "There was not enough money on that M-Pesa. Nothing was taken. Top up, or pay from another number."
        ),
    ),
    "2": (
        "failed",
        gettext_lazy("Amount too small"),
        gettext_lazy(
            "M-Pesa does not take so small an amount. Nothing was taken. Ask the shop on WhatsApp."
        ),
    ),
    "3": (
        "failed",
        gettext_lazy("Amount too large"),
        gettext_lazy(
            "M-Pesa does not take so large an amount at once. Nothing was taken. Ask the shop on WhatsApp."
        ),
    ),
    "4": (
        "failed",
        gettext_lazy("Daily limit reached"),
        gettext_lazy(
            "That number has reached its M-Pesa limit for today. Nothing was taken. Pay from another number."
        ),
    ),
    "8": (
        "failed",
        gettext_lazy("The shop cannot receive it"),
        gettext_lazy(
            "The shop's M-Pesa cannot take more money now. Nothing was taken. Tell the shop on WhatsApp."
        ),
    ),
    "17": (
        "failed",
        gettext_lazy("M-Pesa asks to wait"),
        gettext_lazy(
            "M-Pesa saw the same payment a moment ago. Nothing was taken. Wait two minutes, then try again."
        ),
    ),
    "26": (
        "failed",
        gettext_lazy("M-Pesa is busy"),
        gettext_lazy("M-Pesa is very busy. Nothing was taken. Wait half a minute, then try again."),
    ),
    "1001": (
        "failed",
        gettext_lazy("The phone is busy"),
        gettext_lazy(
            "Another M-Pesa request is open on that phone. Close it, wait a minute, then try again."
        ),
    ),
    "1019": (
        "expired",
        gettext_lazy("Time ran out"),
        gettext_lazy(
            "The request was not answered in time. Nothing was taken. Try again when the phone is in your hand."
        ),
    ),
    "1025": (
        "unreachable",
        gettext_lazy("The request did not reach the phone"),
        gettext_lazy(
            "M-Pesa could not show the request. Nothing was taken. Check the signal and try again."
        ),
    ),
    "9999": (
        "unreachable",
        gettext_lazy("The request did not reach the phone"),
        gettext_lazy(
            "M-Pesa could not show the request. Nothing was taken. Check the signal and try again."
        ),
    ),
    "1031": (
        "cancelled",
        gettext_lazy("You cancelled it"),
        gettext_lazy("Nothing was taken. You can pay again when you like."),
    ),
    "1032": (
        "cancelled",
        gettext_lazy("You cancelled it"),
        gettext_lazy("Nothing was taken. You can pay again when you like."),
    ),
    "1037": (
        "unreachable",
        gettext_lazy("The phone did not answer"),
        gettext_lazy(
            "The phone was off, without signal, or did not answer. Nothing was taken. Wake it and try again."
        ),
    ),
    "2001": (
        "wrong_pin",
        gettext_lazy("Wrong PIN"),
        gettext_lazy(
            "M-Pesa did not accept the PIN. Nothing was taken. Try again with the right PIN."
        ),
    ),
    "2028": (
        "failed",
        gettext_lazy("The shop's M-Pesa is not set up right"),
        gettext_lazy(
            "Nothing was taken. The shop has been told. Ask on WhatsApp for another way to pay."
        ),
    ),
    "SFC_IC0003": (
        "failed",
        gettext_lazy("The shop's M-Pesa is not set up right"),
        gettext_lazy(
            "Nothing was taken. The shop has been told. Ask on WhatsApp for another way to pay."
        ),
    ),
    "8006": (
        "wrong_pin",
        gettext_lazy("PIN locked"),
        gettext_lazy(
            "M-Pesa has locked the PIN after too many tries. Call 100 to unlock it, or pay from another number."
        ),
    ),
    "unreached": (
        "failed",
        gettext_lazy("M-Pesa could not be reached"),
        gettext_lazy(
            "We could not reach M-Pesa, so no request was sent and nothing was taken. Try again in a minute."
        ),
    ),
    "500.001.1001": (
        "failed",
        gettext_lazy("M-Pesa did not take the request"),
        gettext_lazy(
            "No request was sent to the phone and nothing was taken. Wait a minute, then try again."
        ),
    ),
}
# M-Pesa says 1032 for a prompt that was cancelled and for one that nobody touched until it closed.
CLOSED_UNTOUCHED = (
    "expired",
    gettext_lazy("No PIN was entered"),
    gettext_lazy(
        "The request closed on the phone. Nothing was taken. Pay again when the phone is in your hand."
    ),
)
# Where the same phone again cannot help, the one next tap is another phone, or the shop.
ANOTHER_PHONE_HELPS = frozenset({"4", "8006"})
ONLY_THE_SHOP_HELPS = frozenset({"2", "3", "8", "2028", "SFC_IC0003"})
NEVER_SENT = frozenset({"unreached", "500.001.1001"})
OTHER_FAILURE = (
    "failed",
    gettext_lazy("Not completed"),
    gettext_lazy(
        "M-Pesa says the payment was not completed. Try again, or ask the shop on WhatsApp."
    ),
)


@dataclass(frozen=True, kw_only=True)
class PaymentView:
    """One truth about a payment. Seconds are whole; ``poll_seconds`` None means: stop asking."""

    kind: str
    title: str
    sentence: str
    masked_phone: str
    amount_cents: int
    till_words: str
    stage: int
    stage_words: tuple[str, str, str]
    seconds_left: int | None = None
    prompt_seconds: int = 60
    can_retry: bool = False
    retry_after_seconds: int | None = None
    receipt: str | None = None
    is_final: bool = False
    poll_seconds: int | None = None
    next_tap: str = "same"  # after a failure: same (phone), other (phone), shop
    attempt_status: str = ""

    @property
    def etag(self) -> str:
        """Changes when anything a person can see changes."""
        seen = (
            self.kind,
            self.seconds_left,
            self.can_retry,
            self.retry_after_seconds,
            self.receipt,
            self.masked_phone,
            self.poll_seconds,
        )
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:20]


def payment_view(session: Session, order: Order, now: datetime) -> PaymentView:
    """Read the payment as it is now. One or two statements, and one more when it is settled meanwhile."""
    store = session.get_one(Store, bound_store())
    attempt = latest_attempt(session, order.id)
    if (
        attempt is not None
        and attempt.status == AttemptStatus.SUCCEEDED
        and order.status == OrderStatus.PENDING_PAYMENT
    ):
        # Both change in one commit, which came after the order was read and before the attempt was.
        session.refresh(order)
    base = {
        "masked_phone": masked(attempt.phone if attempt else order.customer.phone),
        "amount_cents": order.total_cents,
        "till_words": _till_words(session, store),
        "attempt_status": str(attempt.status) if attempt else "",
        "prompt_seconds": int(timings().prompt_lifetime),
    }
    return _settled_view(order, attempt, now, base) or _open_view(order, attempt, now, base)


def _settled_view(
    order: Order, attempt: PaymentAttempt | None, now: datetime, base: dict[str, Any]
) -> PaymentView | None:
    if order.payment_method == "on_delivery" and order.status != OrderStatus.CANCELLED:
        return PaymentView(
            **base,
            kind="pay_on_delivery",
            title=_("You pay on delivery"),
            sentence=_("The shop has your order. You pay when it arrives."),
            stage=3,
            stage_words=(_("Ordered"), _("Accepted"), _("Pay at the door")),
            is_final=True,
        )
    if order.status == OrderStatus.CANCELLED:
        paid = attempt is not None and attempt.status == AttemptStatus.SUCCEEDED
        return PaymentView(
            **base,
            kind="order_cancelled",
            title=_("This order was cancelled"),
            sentence=_("Your money arrived after that. The shop will send it back or call you.")
            if paid
            else _("Nothing was taken."),
            stage=3,
            stage_words=(_("Sent"), _("On your phone"), _("Cancelled")),
            is_final=True,
            receipt=attempt.receipt if paid and attempt else None,
        )
    if order.status != OrderStatus.PENDING_PAYMENT:
        return PaymentView(
            **base,
            kind="paid",
            title=_("Paid"),
            sentence=_("The shop has your money and is packing."),
            stage=3,
            stage_words=(_("Sent"), _("PIN entered"), _("Paid")),
            is_final=True,
            receipt=attempt.receipt if attempt else None,
            poll_seconds=SLOW_POLL_SECONDS if _awaits_receipt(order, attempt, now) else None,
        )
    return None


def _awaits_receipt(order: Order, attempt: PaymentAttempt | None, now: datetime) -> bool:
    """A query says paid but knows no M-Pesa code: callback or confirmation may still bring it."""
    if attempt is None or attempt.receipt is not None or order.paid_at is None:
        return False
    return (now - order.paid_at).total_seconds() < FAST_POLL_UNTIL


def _open_view(
    order: Order, attempt: PaymentAttempt | None, now: datetime, base: dict[str, Any]
) -> PaymentView:
    if attempt is None:
        return PaymentView(
            **base,
            kind="not_started",
            title=_("Not paid yet"),
            sentence=_("Nothing was taken."),
            stage=1,
            stage_words=(_("Not sent"), _("On your phone"), _("Paid")),
            can_retry=True,
            retry_after_seconds=0,
        )
    wait = seconds_until_retry(attempt, now)
    age = (now - (attempt.sent_at or attempt.created_at)).total_seconds()
    live = base | {
        "retry_after_seconds": wait,
        "can_retry": wait == 0,
        "poll_seconds": _poll_after(age),
    }
    if attempt.is_paid_but_unconfirmed:
        return PaymentView(
            **live,
            kind="confirming",
            title=_("Confirming with M-Pesa"),
            sentence=_("Your payment was received. We are confirming it. Please do not pay again."),
            stage=2,
            stage_words=(_("Sent"), _("PIN entered"), _("Confirming")),
        )
    match attempt.status:
        case AttemptStatus.CREATED | AttemptStatus.SENDING:
            return PaymentView(
                **live,
                kind="sending",
                title=_("Sending it to your phone"),
                sentence=_("Keep the phone near and unlocked."),
                stage=1,
                stage_words=(_("Sending"), _("On your phone"), _("Paid")),
            )
        case AttemptStatus.AWAITING_CUSTOMER if (
            attempt.prompt_ends_at is not None and attempt.prompt_ends_at > now
        ):
            return PaymentView(
                **live,
                kind="on_phone",
                title=_("Enter your M-Pesa PIN"),
                sentence=_("On your phone only. Never type it on a page."),
                seconds_left=ceil((attempt.prompt_ends_at - now).total_seconds()),
                stage=2,
                stage_words=(_("Sent"), _("On your phone"), _("Paid")),
            )
        case AttemptStatus.AWAITING_CUSTOMER | AttemptStatus.UNKNOWN:
            sentence = _("We do not know yet whether it was paid. Please do not approve twice.")
            return PaymentView(
                **live,
                kind="checking",
                title=_("Checking with M-Pesa"),
                sentence=sentence,
                stage=2,
                stage_words=(_("Sent"), _("Checking"), _("Paid")),
            )
        case AttemptStatus.EXPIRED:
            return PaymentView(
                **live | {"poll_seconds": None},
                kind="expired",
                title=_("No answer from M-Pesa"),
                sentence=_("If money was taken, the shop will see it and this page will say so."),
                stage=3,
                stage_words=(_("Sent"), _("No answer"), _("Not paid")),
            )
        case _:
            code = attempt.result_code or ""
            kind, title, sentence = _advice(attempt)
            # A query's "failed" has been wrong before: while M-Pesa itself is silent, keep looking.
            is_told = attempt.callback_at is not None or attempt.checkout_request_id is None
            return PaymentView(
                **live
                | {"poll_seconds": None if is_told or age >= POLL_UNTIL else SLOW_POLL_SECONDS},
                kind=kind,
                title=str(title),
                sentence=str(sentence),
                stage=3,
                stage_words=_stages_of_failure(kind, code),
                next_tap="other"
                if code in ANOTHER_PHONE_HELPS
                else "shop"
                if code in ONLY_THE_SHOP_HELPS
                else "same",
            )


def _advice(attempt: PaymentAttempt) -> tuple[str, str, str]:
    """Kind, title and sentence of a failed attempt."""
    ends, told = attempt.prompt_ends_at, attempt.callback_at
    if attempt.result_code == "1032" and (
        ends is None or told is None or (ends - told).total_seconds() < CLOSING_SECONDS
    ):
        return CLOSED_UNTOUCHED  # true of both
    return ADVICE.get(attempt.result_code or "", OTHER_FAILURE)


def _stages_of_failure(kind: str, code: str) -> tuple[str, str, str]:
    """How far a try came that brought no money."""
    if code in NEVER_SENT:
        return _("Not sent"), _("Not on your phone"), _("Not paid")
    reached = {
        "cancelled": _("Cancelled"),
        "wrong_pin": _("PIN refused"),
        "unreachable": _("No answer") if code == "1037" else _("Not reached"),
        "expired": _("No answer"),
        "failed": _("Refused"),
    }
    return _("Sent"), reached.get(kind, _("On your phone")), _("Not paid")


def _poll_after(age_seconds: float) -> int | None:
    """Every 2 s until 90 s after the prompt, every 5 s to 5 minutes, then not by itself."""
    if age_seconds < FAST_POLL_UNTIL:
        return FAST_POLL_SECONDS
    return SLOW_POLL_SECONDS if age_seconds < POLL_UNTIL else None


def _till_words(session: Session, store: Store) -> str:
    """Who the phone will say is being paid: ``SAA NA SAUTI, till 5421907``."""
    keys = session.execute(
        select(PaymentSettings.kind, PaymentSettings.shortcode, PaymentSettings.till)
        .where(PaymentSettings.store_id == bound_store())
        .limit(1)
    ).one_or_none()
    name = store.prompt_name or store.name.upper()
    if keys is None:
        return name
    if keys.kind == "till":
        return _("%(name)s, till %(number)s", name=name, number=keys.till)
    return _("%(name)s, paybill %(number)s", name=name, number=keys.shortcode)


# -- for staff --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AttemptStory:
    """Everything known about one attempt: the row, every call made for it, every callback about it."""

    attempt: PaymentAttempt
    calls: list[ProviderCall]
    callbacks: list[Callback]


def attempt_stories(session: Session, order_id: UUID) -> list[AttemptStory]:
    """Every attempt of an order, oldest first, without gaps. Four statements whatever the number."""
    attempts = session.scalars(
        select(PaymentAttempt)
        .where(PaymentAttempt.store_id == bound_store(), PaymentAttempt.order_id == order_id)
        .order_by(PaymentAttempt.created_at)
    ).all()
    ids = [a.id for a in attempts]
    calls = session.scalars(
        select(ProviderCall)
        .where(ProviderCall.store_id == bound_store(), ProviderCall.attempt_id.in_(ids))
        .order_by(ProviderCall.at)
    ).all()
    callbacks = session.scalars(
        select(Callback)
        .where(Callback.store_id == bound_store(), Callback.attempt_id.in_(ids))
        .order_by(Callback.received_at)
    ).all()
    return [
        AttemptStory(
            attempt=a,
            calls=[c for c in calls if c.attempt_id == a.id],
            callbacks=[c for c in callbacks if c.attempt_id == a.id],
        )
        for a in attempts
    ]


def open_reviews(session: Session) -> list[ReviewItem]:
    """What waits for a person, oldest first."""
    return list(
        session.scalars(
            select(ReviewItem)
            .where(ReviewItem.store_id == bound_store(), ReviewItem.status == "open")
            .order_by(ReviewItem.opened_at)
        )
    )
