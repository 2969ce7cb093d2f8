"""The two machines of money: what an order still has to collect, and each try at collecting it.

The database keeps the same tables as triggers; a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum


class IntentStatus(StrEnum):
    """What an order still has to collect, in Stripe's words."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


I = IntentStatus  # noqa: E741 - reads as a table below
INTENT_NEXT: dict[IntentStatus, frozenset[IntentStatus]] = {
    I.REQUIRES_PAYMENT_METHOD: frozenset({I.PROCESSING, I.SUCCEEDED, I.CANCELED}),
    I.PROCESSING: frozenset({I.REQUIRES_PAYMENT_METHOD, I.SUCCEEDED, I.CANCELED}),
    I.SUCCEEDED: frozenset(),
    I.CANCELED: frozenset(),
}


class AttemptStatus(StrEnum):
    """One try at collecting money. Only a succeeded attempt means money arrived."""

    CREATED = "created"  # saved here, nobody asked yet
    SENDING = "sending"  # the request is, or may be, on its way
    AWAITING_CUSTOMER = "awaiting_customer"  # the prompt is on their phone
    UNKNOWN = "unknown"  # they may have acted; never ask again before we know
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"  # nobody could tell us in time


S = AttemptStatus
ATTEMPT_NEXT: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    S.CREATED: frozenset({S.SENDING, S.FAILED}),
    # Back to CREATED only when the request provably never left. Straight to
    # SUCCEEDED because a callback can arrive before the provider's own answer.
    S.SENDING: frozenset({S.CREATED, S.AWAITING_CUSTOMER, S.UNKNOWN, S.SUCCEEDED, S.FAILED}),
    S.AWAITING_CUSTOMER: frozenset({S.SUCCEEDED, S.FAILED, S.EXPIRED}),
    S.UNKNOWN: frozenset({S.AWAITING_CUSTOMER, S.SUCCEEDED, S.FAILED, S.EXPIRED}),
    # Late money is still money: the provider's "failed" has been wrong before.
    S.FAILED: frozenset({S.SUCCEEDED}),
    S.EXPIRED: frozenset({S.SUCCEEDED}),
    S.SUCCEEDED: frozenset(),
}

OPEN: frozenset[AttemptStatus] = frozenset({S.CREATED, S.SENDING, S.AWAITING_CUSTOMER, S.UNKNOWN})
