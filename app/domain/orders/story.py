"""The money of one order, told for staff: one true sentence, then every try with its calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.messaging.models import Message
from app.domain.orders.models import Order
from app.domain.orders.queries import due_cents
from app.domain.orders.states import OrderStatus
from app.domain.payments.models import (
    Callback,
    IncomingPayment,
    PaymentAttempt,
    ProviderCall,
    ReviewItem,
)
from app.domain.payments.states import OPEN, AttemptStatus
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.money import format_kes
from app.phones import masked

A = AttemptStatus
GOES_BACK = frozenset({"refund", "honour_or_refund", "match_or_refund"})

# What the provider's number means, for people. Their own text stays visible beside it.
RESULT_WORDS = {
    "1": gettext_lazy("Not enough money on the phone"),
    "17": gettext_lazy("The phone's M-Pesa limit was reached"),
    "26": gettext_lazy("M-Pesa was busy"),
    "1001": gettext_lazy("Another M-Pesa request was open on the phone"),
    "1019": gettext_lazy("Not answered in time"),
    "1025": gettext_lazy("M-Pesa could not send the request"),
    "1032": gettext_lazy("Cancelled on the phone"),
    "1037": gettext_lazy("The phone could not be reached"),
    "2001": gettext_lazy("Wrong M-Pesa PIN"),
    "replaced": gettext_lazy("Given up for a newer request"),
    "9999": gettext_lazy("M-Pesa could not send the request"),
}


@dataclass(frozen=True)
class Step:
    """One thing that happened around an attempt, by the clock."""

    at: datetime
    words: str
    detail: str
    is_trouble: bool = False


@dataclass(frozen=True)
class AttemptStory:
    """One try at collecting the money, with everything that was said about it."""

    attempt: PaymentAttempt
    title: str
    sentence: str
    kind: str  # money, open, failed
    masked_phone: str
    steps: list[Step]


@dataclass(frozen=True)
class MoneyStory:
    """All that staff need to know about one order's money. Amounts in cents."""

    sentence: str
    received_cents: int
    owed_back_cents: int
    due_cents: int
    attempts: list[AttemptStory]
    incoming: list[IncomingPayment]
    reviews: list[ReviewItem]

    @property
    def open_reviews(self) -> list[ReviewItem]:
        return [item for item in self.reviews if item.status == "open"]


def money_story(session: Session, order: Order) -> MoneyStory:
    """Read everything that is known about an order's money, oldest attempt first."""
    attempts = session.scalars(
        select(PaymentAttempt)
        .where(PaymentAttempt.store_id == bound_store(), PaymentAttempt.order_id == order.id)
        .order_by(PaymentAttempt.created_at, PaymentAttempt.id)
    ).all()
    ids = [attempt.id for attempt in attempts]
    reviews = list(
        session.scalars(
            select(ReviewItem)
            .where(ReviewItem.store_id == bound_store(), ReviewItem.order_id == order.id)
            .order_by(ReviewItem.opened_at)
        )
    )
    incoming = list(
        session.scalars(
            select(IncomingPayment)
            .where(IncomingPayment.store_id == bound_store(), IncomingPayment.attempt_id.in_(ids))
            .order_by(IncomingPayment.received_at)
        )
    )
    calls, callbacks = _calls(session, ids), _callbacks(session, ids)
    stories = [
        _attempt_story(
            number, attempt, calls.get(attempt.id, []), callbacks.get(attempt.id, []), incoming
        )
        for number, attempt in enumerate(attempts, start=1)
    ]
    received = sum(a.amount_cents for a in attempts if a.status == A.SUCCEEDED)
    open_reviews = [item for item in reviews if item.status == "open"]
    owed_back = sum(
        item.amount_cents or 0 for item in open_reviews if item.next_action in GOES_BACK
    )
    sent_back = sum(item.amount_cents or 0 for item in reviews if item.resolution == "refunded")
    return MoneyStory(
        sentence=_true_sentence(order, list(attempts), received - sent_back, owed_back),
        received_cents=received - sent_back,
        owed_back_cents=owed_back,
        due_cents=due_cents(order),
        attempts=stories,
        incoming=incoming,
        reviews=reviews,
    )


def messages_of(session: Session, order: Order) -> list[Message]:
    """What the customer was told about an order, newest first, each with its final state."""
    return list(
        session.scalars(
            select(Message)
            .where(Message.store_id == bound_store(), Message.order_id == order.id)
            .order_by(Message.created_at.desc(), Message.id.desc())
        )
    )


def result_words(attempt: PaymentAttempt) -> str:
    """How an attempt ended, in a few words for staff."""
    code = attempt.result_code or ""
    known = RESULT_WORDS.get(code)
    if known is not None:
        return str(known)
    if attempt.status == A.EXPIRED:
        return _("Nobody could tell us in time")
    return attempt.result_text or _("It did not go through")


def _true_sentence(
    order: Order, attempts: list[PaymentAttempt], in_till_cents: int, owed_back_cents: int
) -> str:
    till = format_kes(in_till_cents)
    if in_till_cents and owed_back_cents:
        return _(
            "%(till)s is in your till. %(owed)s of it is owed back to the customer.",
            till=till,
            owed=format_kes(owed_back_cents),
        )
    if in_till_cents:
        return _("%(till)s is in your till. Nothing is owed either way.", till=till)
    if order.status == OrderStatus.CANCELLED:
        return _("The order is cancelled and no money is here. Nothing is owed either way.")
    if due_cents(order):
        asked = format_kes(order.total_cents)
        if order.status in (OrderStatus.DELIVERED, OrderStatus.CLOSED):
            return _(
                "%(asked)s was to be paid at the door. It is not in the book yet.", asked=asked
            )
        return _("%(asked)s is to be paid at the door. No money has come yet.", asked=asked)
    if not attempts:
        return _("No money has been asked for yet.")
    latest = attempts[-1]
    if latest.is_paid_but_unconfirmed:
        return _(
            "M-Pesa sent word of money and we are checking it. Do not hand over the goods yet."
        )
    if latest.status in OPEN:
        return _(
            "No money has come yet. A request is open on %(phone)s.", phone=masked(latest.phone)
        )
    return _("No money came. Nothing is owed either way.")


def _attempt_story(
    number: int,
    attempt: PaymentAttempt,
    calls: list[ProviderCall],
    callbacks: list[Callback],
    incoming: list[IncomingPayment],
) -> AttemptStory:
    phone = masked(attempt.phone)
    if attempt.status == A.SUCCEEDED:
        kind = "money"
        title = (
            _("Paid by M-Pesa, receipt %(receipt)s", receipt=attempt.receipt)
            if attempt.receipt
            else _("Paid by M-Pesa")
        )
        sentence = _confirmed_words(attempt)
    elif attempt.status in OPEN:
        kind, title = "open", _open_title(attempt)
        sentence = _("No money has moved as far as we know.")
    else:
        kind, title = "failed", result_words(attempt)
        sentence = _("No money moved.")
    return AttemptStory(
        attempt, title, sentence, kind, phone, _steps(attempt, calls, callbacks, incoming)
    )


def _confirmed_words(attempt: PaymentAttempt) -> str:
    match attempt.confirmed_by:
        case "query":
            return _("Checked with M-Pesa.")
        case "c2b":
            return _("M-Pesa's own notice of the money settled it.")
        case "trust":
            return _("Taken on the word of M-Pesa's message, within your limit.")
        case "staff":
            return _("Accepted by a person.")
        case _:
            return ""


def _open_title(attempt: PaymentAttempt) -> str:
    match attempt.status:
        case A.CREATED | A.SENDING:
            return _("Request on its way to the phone")
        case A.UNKNOWN:
            return _("Request sent, no answer from M-Pesa yet")
        case _:
            return _("Request on the phone, waiting for the PIN")


def _steps(
    attempt: PaymentAttempt,
    calls: list[ProviderCall],
    callbacks: list[Callback],
    incoming: list[IncomingPayment],
) -> list[Step]:
    steps = [Step(attempt.created_at, _("Request made"), attempt.account_reference)]
    ended = {call.call_id for call in calls if call.phase == "ended"}
    for call in calls:
        if call.phase == "ended":
            steps.append(_call_step(call))
        elif call.call_id not in ended:
            words = _("%(what)s: asked, no answer recorded", what=_endpoint_words(call.endpoint))
            steps.append(Step(call.at, words, "", is_trouble=True))
    steps.extend(
        Step(
            callback.received_at,
            _("M-Pesa's message came"),
            callback.verdict or _("not read yet"),
            is_trouble=callback.handled_at is None,
        )
        for callback in callbacks
    )
    steps.extend(
        Step(money.received_at, _("M-Pesa told of money, receipt %(r)s", r=money.receipt), "")
        for money in incoming
        if money.attempt_id == attempt.id
    )
    if attempt.ended_at:
        words = _("Settled as paid") if attempt.status == A.SUCCEEDED else _("Settled as not paid")
        steps.append(Step(attempt.ended_at, words, attempt.confirmed_by or ""))
    return sorted(steps, key=lambda step: step.at)


def _call_step(call: ProviderCall) -> Step:
    answer = [str(call.http_status)] if call.http_status else []
    if call.latency_ms is not None:
        answer.append(f"{call.latency_ms} ms")
    answer += [text for text in (call.error, _said(call)) if text]
    trouble = call.error is not None or (call.http_status or 0) >= 400
    return Step(call.at, _endpoint_words(call.endpoint), ", ".join(answer), is_trouble=trouble)


def _said(call: ProviderCall) -> str:
    """The one sentence of a provider's answer that a person may want to read."""
    answer = call.response_masked or {}
    for name in ("ResultDesc", "ResponseDescription", "errorMessage"):
        if answer.get(name):
            return str(answer[name])[:120]
    return ""


def _endpoint_words(endpoint: str) -> str:
    name = endpoint.lower()
    if "query" in name:
        return _("Asked M-Pesa how it stands")
    if "oauth" in name or "token" in name:
        return _("Signed in at M-Pesa")
    if "push" in name or "processrequest" in name:
        return _("Asked M-Pesa to prompt the phone")
    return endpoint


def _calls(session: Session, ids: list[UUID]) -> dict[UUID, list[ProviderCall]]:
    grouped: dict[UUID, list[ProviderCall]] = {}
    for call in session.scalars(
        select(ProviderCall)
        .where(ProviderCall.store_id == bound_store(), ProviderCall.attempt_id.in_(ids))
        .order_by(ProviderCall.at)
    ):
        if call.attempt_id is not None:
            grouped.setdefault(call.attempt_id, []).append(call)
    return grouped


def _callbacks(session: Session, ids: list[UUID]) -> dict[UUID, list[Callback]]:
    grouped: dict[UUID, list[Callback]] = {}
    for callback in session.scalars(
        select(Callback)
        .where(Callback.store_id == bound_store(), Callback.attempt_id.in_(ids))
        .order_by(Callback.received_at)
    ):
        if callback.attempt_id is not None:
            grouped.setdefault(callback.attempt_id, []).append(callback)
    return grouped
