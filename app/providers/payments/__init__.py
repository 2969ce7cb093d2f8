"""What we need from whoever collects money, in our words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.providers.http import OnExchange, ignore_exchange


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """One prompt on one phone. ``amount_cents`` is whole shillings; ``phone`` is E.164."""

    amount_cents: int
    phone: str
    account_reference: str  # ours, unique per attempt; the customer sees it
    callback_url: str  # carries the attempt's secret


@dataclass(frozen=True, kw_only=True)
class PaymentAccepted:
    """The customer is being prompted. They have not paid yet."""

    checkout_request_id: str
    merchant_request_id: str


class Verdict(StrEnum):
    PAID = "paid"
    PENDING = "pending"
    FAILED = "failed"  # no authority for it: a later success wins


@dataclass(frozen=True, kw_only=True)
class PaymentStatus:
    """What the provider says about one prompt when asked."""

    verdict: Verdict
    result_code: str = ""
    result_text: str = ""


class PaymentProvider(Protocol):
    name: str

    def request_payment(
        self, request: PaymentRequest, *, on_exchange: OnExchange = ignore_exchange
    ) -> PaymentAccepted:
        """Prompt the customer to pay. Raises Refused, Unavailable or OutcomeUnknown."""
        ...

    def take_query(self) -> None:
        """Use up one ``payment_status`` of this second's budget. Raises Unavailable when it is spent."""
        ...

    def payment_status(
        self, checkout_request_id: str, *, on_exchange: OnExchange = ignore_exchange
    ) -> PaymentStatus:
        """Ask what became of a prompt. Raises Refused, Unavailable or OutcomeUnknown."""
        ...

    def register_confirmations(
        self,
        *,
        confirmation_url: str,
        validation_url: str,
        on_exchange: OnExchange = ignore_exchange,
    ) -> None:
        """Ask to be told of money that arrives by itself. Raises Refused, Unavailable or OutcomeUnknown."""
        ...
