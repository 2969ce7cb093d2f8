"""Messages to people: one row each, with its final state, and every try beside it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.db.tenancy import bound_store
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
        """E.164, opened from its seal."""
        return vault().open(
            self.recipient_sealed, store_id=self.store_id, column="messages.recipient"
        )

    @property
    def body(self) -> str:
        return vault().open(self.body_sealed, store_id=self.store_id, column="messages.body")


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
