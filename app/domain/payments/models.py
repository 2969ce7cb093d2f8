"""Money being collected: intents, attempts, what the provider told us, what needs a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, StoreOwned
from app.domain.errors import IllegalTransition
from app.domain.orders.models import Order
from app.domain.payments.states import ATTEMPT_NEXT, INTENT_NEXT, AttemptStatus, IntentStatus
from app.vault import vault


class PaymentSettings(StoreOwned, Base):
    """A store's own M-Pesa keys: a till has a store number (shortcode) besides the till."""

    __tablename__ = "payment_settings"

    provider: Mapped[str]
    mode: Mapped[str] = mapped_column(default="test")
    kind: Mapped[str]  # paybill or till
    shortcode: Mapped[str]
    till: Mapped[str | None]
    consumer_key_sealed: Mapped[bytes]
    consumer_secret_sealed: Mapped[bytes]
    passkey_sealed: Mapped[bytes]
    c2b_token_hash: Mapped[bytes | None]
    c2b_registered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    def open_secret(self, name: str) -> str:
        """One of consumer_key, consumer_secret, passkey, opened. Never log it."""
        sealed: bytes = getattr(self, f"{name}_sealed")
        return vault().open(sealed, store_id=self.store_id, column=f"payment_settings.{name}")


class PaymentIntent(StoreOwned, Base):
    __tablename__ = "payment_intents"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    order_id: Mapped[UUID]
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(default="KES")
    status: Mapped[IntentStatus] = mapped_column(default=IntentStatus.REQUIRES_PAYMENT_METHOD)
    # "metadata" is SQLAlchemy's own word on a model.
    notes: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    succeeded_at: Mapped[datetime | None]

    def move_to(self, status: IntentStatus) -> None:
        """The only way a status changes in Python. Raises IllegalTransition."""
        if status == self.status:
            return
        if status not in INTENT_NEXT[IntentStatus(self.status)]:
            raise IllegalTransition("payment intent", self.status, status)
        self.status = status


class PaymentAttempt(StoreOwned, Base):
    __tablename__ = "payment_attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "intent_id"], ["app.payment_intents.store_id", "app.payment_intents.id"]
        ),
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    intent_id: Mapped[UUID]
    order_id: Mapped[UUID]
    provider: Mapped[str] = mapped_column(default="mpesa")
    status: Mapped[AttemptStatus] = mapped_column(default=AttemptStatus.CREATED)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    account_reference: Mapped[str]
    token_hash: Mapped[bytes]
    token_sealed: Mapped[bytes]
    merchant_request_id: Mapped[str | None]
    checkout_request_id: Mapped[str | None]
    callback_result_code: Mapped[str | None]
    callback_at: Mapped[datetime | None]
    reported_receipt: Mapped[str | None]
    reported_amount_cents: Mapped[int | None] = mapped_column(BigInteger)
    result_code: Mapped[str | None]
    result_text: Mapped[str | None]
    receipt: Mapped[str | None]
    confirmed_by: Mapped[str | None]  # query, c2b, trust, staff
    checks: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    prompted_at: Mapped[datetime | None]
    prompt_ends_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    intent: Mapped[PaymentIntent] = relationship(viewonly=True)
    order: Mapped[Order] = relationship(viewonly=True)

    @property
    def phone(self) -> str:
        """E.164, opened from its seal. Mask it before showing it."""
        return vault().open(
            self.phone_sealed, store_id=self.store_id, column="payment_attempts.phone"
        )

    @property
    def callback_token(self) -> str:
        return vault().open(
            self.token_sealed, store_id=self.store_id, column="payment_attempts.token"
        )

    @property
    def has_other_amount(self) -> bool:
        """The provider reported another amount than was asked for: a person decides, not a query."""
        return self.reported_amount_cents not in (None, self.amount_cents)

    @property
    def is_paid_but_unconfirmed(self) -> bool:
        """The provider's callback says paid, and nobody else has confirmed it yet."""
        return self.callback_result_code == "0" and self.status != AttemptStatus.SUCCEEDED

    def move_to(self, status: AttemptStatus) -> None:
        """The only way a status changes in Python. Raises IllegalTransition."""
        if status not in ATTEMPT_NEXT[AttemptStatus(self.status)]:
            raise IllegalTransition("payment attempt", self.status, status)
        self.status = status


class Callback(StoreOwned, Base):
    """A callback exactly as it came, stored before anything is believed."""

    __tablename__ = "callback_inbox"

    kind: Mapped[str]
    attempt_id: Mapped[UUID | None]
    body: Mapped[bytes]
    body_sha256: Mapped[bytes]
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    source_ip: Mapped[str] = mapped_column(default="")
    is_listed_ip: Mapped[bool | None]
    request_id: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    verdict: Mapped[str | None]
    handled_at: Mapped[datetime | None]


class ProviderCall(StoreOwned, Base):
    """One half of a call to a provider: that it started, or how it ended. Never edited."""

    __tablename__ = "provider_calls"

    call_id: Mapped[UUID]
    phase: Mapped[str]
    attempt_id: Mapped[UUID | None]
    provider: Mapped[str]
    endpoint: Mapped[str]
    request_hash: Mapped[bytes | None]
    request_masked: Mapped[dict[str, Any] | None]
    http_status: Mapped[int | None]
    latency_ms: Mapped[int | None]
    response_masked: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    request_id: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class IncomingPayment(StoreOwned, Base):
    """Money the provider says has arrived, told by itself (C2B), matched to an attempt or not."""

    __tablename__ = "incoming_payments"

    provider: Mapped[str] = mapped_column(default="mpesa")
    receipt: Mapped[str]
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    reference: Mapped[str] = mapped_column(default="")
    payer_masked: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="unmatched")
    attempt_id: Mapped[UUID | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ReviewItem(StoreOwned, Base):
    """Something about money that a person must decide: it has an owner, an age, a next action."""

    __tablename__ = "review_items"

    kind: Mapped[str]
    subject_id: Mapped[UUID]
    order_id: Mapped[UUID | None]
    amount_cents: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(default="open")
    owner_role: Mapped[str] = mapped_column(default="owner")
    next_action: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    resolution: Mapped[str | None]


class PayoutNumber(StoreOwned, Base):
    """A phone or till that the platform pays a store out to. Kept when removed, with who did it."""

    __tablename__ = "payout_numbers"

    kind: Mapped[str]  # phone or till
    number_sealed: Mapped[bytes]
    number_lookup: Mapped[bytes]
    label: Mapped[str] = mapped_column(default="")
    added_by: Mapped[str]
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_by: Mapped[str | None]
    removed_at: Mapped[datetime | None]

    @property
    def number(self) -> str:
        """E.164 or the till's digits, opened from the seal. Mask it before showing it."""
        return vault().open(
            self.number_sealed, store_id=self.store_id, column="payout_numbers.number"
        )
