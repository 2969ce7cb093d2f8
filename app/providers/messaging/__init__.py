"""What we need from whoever carries a message to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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
