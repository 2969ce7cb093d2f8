"""What we need from whoever carries a message to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The provider took the message. It may not have arrived yet. Cost in cents."""

    provider_ref: str
    cost_cents: int = 0


class MessageSender(Protocol):
    name: str

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one text to an E.164 number. Raises Refused, Unavailable or OutcomeUnknown."""
        ...


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """One file of a letter."""

    name: str
    kind: str  # application/pdf
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Letter:
    """An e-mail in both of its forms, with what goes with it."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


@runtime_checkable
class LetterSender(Protocol):
    name: str

    def send_letter(self, letter: Letter, *, to: str, reference: str) -> Sent:
        """Send one letter to an e-mail address. Raises Refused, Unavailable or OutcomeUnknown."""
        ...
