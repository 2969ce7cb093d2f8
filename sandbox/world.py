"""Everything the sandbox knows, in one place in memory."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from flask import current_app

from sandbox.bank import Bank, Payment
from sandbox.clock import Clock, Scheduler
from sandbox.faults import FaultBook
from sandbox.messages import Mailbox
from sandbox.shops import TILL, Registry, Shop

TOKEN_LIFE_S = 3600
KEPT_CALLS = 500


@dataclass(frozen=True)
class Token:
    """An OAuth access token. Moments on the sandbox clock."""

    value: str
    consumer_key: str
    expires_at: float


@dataclass(frozen=True)
class Call:
    """A request the shop made and what it was answered."""

    at: float
    method: str
    path: str
    body: str
    status: int
    answer: str


class World:
    """Clock, shops, tokens, faults, money and messages."""

    def __init__(self, keep: str | None = None) -> None:
        self.clock = Clock()
        self.scheduler = Scheduler(self.clock)
        self.faults = FaultBook()
        self.shops = Registry(keep)
        self.bank = Bank(self.clock, self.scheduler, self.faults)
        self.bank.on_paid = self._text_payer
        self.mailbox = Mailbox(self.clock)
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._token_of: dict[str, Token] = {}
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.templates: dict[tuple[str, str, str], str] = {}
        self.push_answers: dict[str, int] = {}
        self._spared: set[tuple[str, str]] = set()
        self._empty_oauth: set[str] = set()

    def reset(self, *, credentials: bool = False) -> None:
        """Forget money, messages, faults and tokens; shops too when asked. Real time again."""
        self.scheduler.clear()
        self.clock.reset()
        self.faults.clear()
        self.bank.reset()
        self.mailbox.reset()
        self.push_answers.clear()
        self.calls.clear()
        with self._lock:
            self._tokens.clear()
            self._token_of.clear()
            self._spared.clear()
            self._empty_oauth.clear()
        if credentials:
            self.shops.clear()
            self.templates.clear()

    def issue_token(self, shop: Shop, reissue: str) -> tuple[str, int]:
        """An access token and the seconds it has left.

        ``reissue`` says what becomes of the one before: ``invalidate``, ``keep`` or ``same``.
        """
        now = self.clock.now()
        with self._lock:
            old = self._token_of.get(shop.consumer_key)
            if old and reissue == "same" and old.value in self._tokens and old.expires_at > now:
                return old.value, int(old.expires_at - now)
            if old and reissue == "invalidate":
                self._tokens.pop(old.value, None)
            token = Token(secrets.token_urlsafe(21), shop.consumer_key, now + TOKEN_LIFE_S)
            self._tokens[token.value] = self._token_of[shop.consumer_key] = token
            return token.value, TOKEN_LIFE_S - 1

    def bearer(self, value: str) -> Shop | None:
        """The shop a live access token belongs to."""
        token = self._tokens.get(value)
        if token is None or token.expires_at <= self.clock.now():
            return None
        return self.shops.by_consumer_key(token.consumer_key)

    def revoke(self, shop: Shop, why: str, *, then_empty_oauth: bool = False) -> bool:
        """Revoke the shop's tokens for a fault; every second time the call is let through.

        So a client that refreshes once and repeats once gets on, and one that does not, does
        not. True when revoked.
        """
        key = (why, shop.consumer_key)
        with self._lock:
            if key in self._spared:
                self._spared.remove(key)
                return False
            self._spared.add(key)
            for value in [
                v for v, t in self._tokens.items() if t.consumer_key == shop.consumer_key
            ]:
                del self._tokens[value]
            if then_empty_oauth:
                self._empty_oauth.add(shop.consumer_key)
            return True

    def owes_empty_oauth(self, consumer_key: str) -> bool:
        """Whether the next OAuth call of this shop is to fail; asking uses it up."""
        with self._lock:
            if consumer_key in self._empty_oauth:
                self._empty_oauth.remove(consumer_key)
                return True
            return False

    def _text_payer(self, payment: Payment) -> None:
        """M-Pesa's own SMS to whoever paid."""
        shop = payment.shop
        when = self.clock.nairobi(payment.finished_at)
        stamp = f"{when.day}/{when.month}/{when:%y} at {when.hour % 12 or 12}:{when:%M %p}"
        paid = f"Ksh{payment.paid_amount:,}.00"
        whom = (
            f"paid to {shop.name.upper()}. on {stamp}."
            if shop.type == TILL
            else f"sent to {shop.name.upper()} for account {payment.account_reference} on {stamp} "
        )
        self.mailbox.add(
            "mpesa",
            message_id=payment.receipt or "",
            to=payment.msisdn,
            sender="MPESA",
            shop=shop.name,
            text=f"{payment.receipt} Confirmed. {paid} {whom}Transaction cost, Ksh0.00.",
        )


def world() -> World:
    """The world of the application answering this request."""
    found: Any = current_app.extensions["world"]
    assert isinstance(found, World)
    return found
