"""People who work in stores, what they may do where, and their sessions.

These tables are global and readable by the platform role alone. One-time codes and
counters of tries belong to a store (staff sign in through store 0, the platform).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, StoreOwned
from app.ids import new_id
from app.vault import vault


class Person(Base):
    __tablename__ = "people"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    phone_sealed: Mapped[bytes | None]
    phone_lookup: Mapped[bytes | None]
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
    session_version: Mapped[int] = mapped_column(default=1)
    is_platform_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Membership(Base):
    __tablename__ = "memberships"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime | None]


class FormerMember(Base):
    """Somebody who was taken out of a team, with the role they had."""

    __tablename__ = "former_members"

    store_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    removed_by: Mapped[str]
    removed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Invitation(StoreOwned, Base):
    """A link for one phone that makes its owner a member, once, with the role written here."""

    __tablename__ = "invitations"

    role: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    token_hash: Mapped[bytes]
    token_sealed: Mapped[bytes | None]
    channel: Mapped[str]
    times_sent: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    invited_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by: Mapped[UUID | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]

    @property
    def phone(self) -> str:
        """The invited number in E.164, opened from its seal."""
        return vault().open(self.phone_sealed, store_id=self.store_id, column="invitations.phone")


class StaffSession(Base):
    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(default=new_id)
    person_id: Mapped[UUID]
    session_version: Mapped[int]
    csrf_secret: Mapped[str]
    device: Mapped[str] = mapped_column(default="")
    place: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SignInLink(Base):
    """A link by e-mail that signs one person in, once."""

    __tablename__ = "sign_in_links"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    next_path: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class OtpCode(StoreOwned, Base):
    __tablename__ = "otp_codes"

    purpose: Mapped[str]
    phone_lookup: Mapped[bytes]
    browser_hash: Mapped[bytes]
    code_hmac: Mapped[bytes]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RateCounter(StoreOwned, Base):
    __tablename__ = "rate_counters"

    name: Mapped[str]
    subject_hash: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Passkey(Base):
    """A credential that a person's phone or laptop holds. The public half is all we know."""

    __tablename__ = "passkeys"

    credential_id: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(default=new_id)  # names it in addresses
    person_id: Mapped[UUID]
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    name: Mapped[str]
    is_synced: Mapped[bool] = mapped_column(default=False)
    transports: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]


class PasskeyChallenge(Base):
    """Random bytes that one browser may answer once, for one purpose, within five minutes."""

    __tablename__ = "passkey_challenges"

    challenge: Mapped[bytes] = mapped_column(primary_key=True)
    purpose: Mapped[str]  # register, sign_in, confirm
    bound_to: Mapped[bytes]
    person_id: Mapped[UUID | None]
    expires_at: Mapped[datetime]


class ActionPin(Base):
    """A person's PIN for actions with money, as a hash."""

    __tablename__ = "action_pins"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    pin_hash: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SessionProof(Base):
    """That a session proved one more thing about its person, and when."""

    __tablename__ = "session_proofs"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    way: Mapped[str] = mapped_column(primary_key=True)  # pin, code, passkey, password
    proven_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
