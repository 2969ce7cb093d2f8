"""Messages to people: one row each, with its final state, and every try beside it; and who is told how."""

from __future__ import annotations

import json
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.db.tenancy import bound_store
from app.i18n import gettext as _
from app.vault import vault


class Message(StoreOwned, Base):
    __tablename__ = "messages"

    kind: Mapped[str]  # receipt, dispatched, delivered, otp, …
    dedupe_key: Mapped[str]
    order_id: Mapped[UUID | None]
    channel: Mapped[str]
    language: Mapped[str] = mapped_column(default="en")
    template: Mapped[str] = mapped_column(default="")
    recipient_sealed: Mapped[bytes]
    recipient_hash: Mapped[bytes]
    body_sealed: Mapped[bytes]
    status: Mapped[str] = mapped_column(default="queued")
    provider: Mapped[str] = mapped_column(default="")
    provider_ref: Mapped[str | None]
    error: Mapped[str | None]
    cost_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    fallback_of: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    final_at: Mapped[datetime | None]

    @property
    def recipient(self) -> str:
        """E.164, an e-mail address or the id of a subscription, opened from its seal."""
        return vault().open(
            self.recipient_sealed, store_id=self.store_id, column="messages.recipient"
        )

    @property
    def body(self) -> str:
        return vault().open(self.body_sealed, store_id=self.store_id, column="messages.body")

    @property
    def said(self) -> str:
        """What its reader reads of it, in a line."""
        if self.channel == "push":
            return str(json.loads(self.body)["title"])
        return _("Invoice") if self.kind == "invoice" else self.body


class MessageAttempt(StoreOwned, Base):
    __tablename__ = "message_attempts"

    message_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    outcome: Mapped[str]
    error: Mapped[str | None]


class ChannelSettings(Base):
    """A store's WhatsApp number at the provider."""

    __tablename__ = "channel_settings"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=bound_store)
    channel: Mapped[str] = mapped_column(primary_key=True)
    phone_number_id: Mapped[str]
    token_sealed: Mapped[bytes]
    is_active: Mapped[bool] = mapped_column(default=True)

    @property
    def token(self) -> str:
        return vault().open(
            self.token_sealed, store_id=self.store_id, column="channel_settings.token"
        )


class PushSubscription(StoreOwned, Base):
    """A browser that may be sent notifications, and the one thing it is told about."""

    __tablename__ = "push_subscriptions"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
        ForeignKeyConstraint(
            ["store_id", "wait_id"], ["app.stock_waits.store_id", "app.stock_waits.id"]
        ),
    )

    COLUMN: ClassVar[str] = "push_subscriptions.sealed"

    endpoint_hash: Mapped[bytes]
    sealed: Mapped[bytes]
    order_id: Mapped[UUID | None]  # exactly one of the three
    wait_id: Mapped[UUID | None]
    person_id: Mapped[UUID | None]
    language: Mapped[str] = mapped_column(default="en")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def address(self) -> str:
        """Where it is and the keys to write to it, as JSON, opened from their seal."""
        return vault().open(self.sealed, store_id=self.store_id, column=self.COLUMN)
