"""Identifiers of the shapes M-Pesa uses, never given out twice."""

from __future__ import annotations

import secrets
import threading
import uuid
from datetime import datetime, timedelta

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DAYS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"


class Ids:
    """Makes identifiers. Lives as long as the process: a reset does not make any repeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: set[str] = set()

    def checkout_request(self, msisdn: str, at: datetime) -> str:
        """``ws_CO_`` + DDMMYYYYHHmmss + milliseconds + last nine digits of the phone."""
        with self._lock:
            while True:
                stamp = at.strftime("%d%m%Y%H%M%S") + f"{at.microsecond // 1000:03d}"
                made = f"ws_CO_{stamp}{msisdn[-9:]}"
                if made not in self._given:
                    self._given.add(made)
                    return made
                at += timedelta(milliseconds=1)

    def receipt(self, at: datetime) -> str:
        """Ten characters: year letter, month letter, day character and seven more."""
        year = chr(ord("S") + (at.year - 2024) % 8)
        start = f"{year}{chr(ord('A') + at.month - 1)}{_DAYS[at.day]}"
        with self._lock:
            while True:
                made = start + _base36(secrets.randbelow(36**7 - 1) + 1)
                if made not in self._given:
                    self._given.add(made)
                    return made


def request_id() -> str:
    """A UUID without its first group and with some digits more, as MerchantRequestID is."""
    return f"{str(uuid.uuid4())[9:]}{secrets.randbelow(9_000_000) + 1000}"


def wamid() -> str:
    """An opaque WhatsApp message id."""
    return f"wamid.HBgM{secrets.token_urlsafe(24)}AA=="


def _base36(number: int) -> str:
    made = ""
    for _ in range(7):
        number, digit = divmod(number, 36)
        made = _DIGITS[digit] + made
    return made
