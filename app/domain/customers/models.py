"""People who buy from a store, known by their phone number."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Computed, ForeignKeyConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base, StoreOwned
from app.vault import vault


class Customer(StoreOwned, Base):
    """One profile, one number. A person who merged two has one that counts; the other points to it."""

    __tablename__ = "customers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "merged_into"], ["app.customers.store_id", "app.customers.id"]
        ),
    )

    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    name: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="en")
    last_area: Mapped[str | None]
    last_landmark: Mapped[str] = mapped_column(default="")
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    merged_into: Mapped[UUID | None]  # the profile of the same person that this one is part of
    merged_at: Mapped[datetime | None]
    # Without case and spaces, to find the same person twice; Postgres fills them.
    alike_name: Mapped[str | None] = mapped_column(
        Computed("lower(regexp_replace(btrim(name), '\\s+', ' ', 'g'))"), deferred=True
    )
    alike_landmark: Mapped[str | None] = mapped_column(
        Computed("lower(regexp_replace(btrim(last_landmark), '\\s+', ' ', 'g'))"), deferred=True
    )

    @property
    def phone(self) -> str:
        """E.164, opened from its seal. Mask it before showing it."""
        return vault().open(self.phone_sealed, store_id=self.store_id, column="customers.phone")


class ShopperSession(StoreOwned, Base):
    __tablename__ = "shopper_sessions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
    )

    token_hash: Mapped[bytes]
    customer_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    customer: Mapped[Customer] = relationship(viewonly=True)


class SavedNumber(StoreOwned, Base):
    """A number that a customer may pay with, beside the one of their profile."""

    __tablename__ = "saved_numbers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
    )

    customer_id: Mapped[UUID]
    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    label: Mapped[str] = mapped_column(default="")
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def phone(self) -> str:
        """E.164, opened from its seal. Mask it before showing it."""
        return vault().open(self.phone_sealed, store_id=self.store_id, column="saved_numbers.phone")


class ProvenNumber(StoreOwned, Base):
    """A number that was proved by a code in one signed-in browser."""

    __tablename__ = "proven_numbers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "session_id"], ["app.shopper_sessions.store_id", "app.shopper_sessions.id"]
        ),
    )

    session_id: Mapped[UUID]
    phone_lookup: Mapped[bytes]
    proven_at: Mapped[datetime] = mapped_column(server_default=func.now())


class KeptApart(StoreOwned, Base):
    """Two profiles that somebody looked at and said: two people. ``one_id`` is the smaller id."""

    __tablename__ = "kept_apart"

    one_id: Mapped[UUID]
    other_id: Mapped[UUID]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Consent(StoreOwned, Base):
    """Something a customer said about offers. Rows stay as they are, but move in a merge."""

    __tablename__ = "consents"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "customer_id"], ["app.customers.store_id", "app.customers.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "said_as"], ["app.customers.store_id", "app.customers.id"]
        ),
        ForeignKeyConstraint(["store_id", "order_id"], ["app.orders.store_id", "app.orders.id"]),
    )

    customer_id: Mapped[UUID]
    said_as: Mapped[UUID]  # the profile whose number said it
    purpose: Mapped[str]
    is_given: Mapped[bool]
    is_proven: Mapped[bool] = mapped_column(default=False)
    words: Mapped[str] = mapped_column(default="")  # that were read, in the reader's language
    version: Mapped[str] = mapped_column(default="")
    source: Mapped[str]  # checkout, me, desk, merge
    actor: Mapped[str]
    order_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
