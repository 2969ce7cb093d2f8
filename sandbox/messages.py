"""SMS and WhatsApp messages that reached a pretend phone."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock


@dataclass(frozen=True)
class Message:
    """One message on one phone. ``channel`` is ``sms``, ``whatsapp`` or ``mpesa``."""

    number: int
    channel: str
    id: str
    to: str
    sender: str
    text: str
    kind: str
    at: float
    shop: str
    payload: dict[str, Any] | None = None


class Mailbox:
    """Every message, newest last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        """Empty every phone."""
        with self._lock:
            self._all: list[Message] = []
            self._by_phone: dict[str, list[Message]] = {}

    def add(
        self,
        channel: str,
        *,
        message_id: str,
        to: str,
        sender: str,
        text: str,
        shop: str,
        kind: str = "text",
        payload: dict[str, Any] | None = None,
    ) -> Message:
        """Put a message on a phone."""
        with self._lock:
            message = Message(
                number=next(self._numbers),
                channel=channel,
                id=message_id,
                to=to,
                sender=sender,
                text=text,
                kind=kind,
                at=self._clock.now(),
                shop=shop,
                payload=payload,
            )
            self._all.append(message)
            self._by_phone.setdefault(to, []).append(message)
            return message

    def of(self, msisdn: str) -> list[Message]:
        """A phone's messages, oldest first."""
        with self._lock:
            return list(self._by_phone.get(msisdn, ()))

    def all(self) -> list[Message]:
        """Every message, oldest first."""
        with self._lock:
            return list(self._all)

    def count(self) -> int:
        """How many messages there are."""
        return len(self._all)

    def public(self, message: Message) -> dict[str, Any]:
        """As JSON."""
        return {
            "channel": message.channel,
            "id": message.id,
            "to": message.to,
            "from": message.sender,
            "shop": message.shop,
            "kind": message.kind,
            "text": message.text,
            "at": self._clock.iso(message.at),
            "payload": message.payload,
        }
