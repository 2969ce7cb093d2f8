"""Builds the provider a store chose, from plain settings."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from redis import Redis
from redis.exceptions import RedisError

from app.providers.gate import Gate, Guarded
from app.providers.http import http_client
from app.providers.messaging import MessageSender
from app.providers.messaging.email import NoEmail, Postmark, Smtp
from app.providers.messaging.log_only import LogOnly
from app.providers.messaging.sms import AfricasTalking
from app.providers.messaging.twilio import Twilio
from app.providers.messaging.whatsapp import WhatsApp
from app.providers.payments.mpesa import Mpesa, MpesaKeys
from app.providers.push.keys import can_push
from app.providers.push.web_push import NoPush, WebPush
from app.vault import CannotOpen, vault


class SharedTokens:
    """Access tokens in Redis, sealed, so that every process uses the same one.

    Daraja may drop the previous token when a new one is asked for. Without Redis a token
    is asked for each time, which is slow and still right.
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def get(self, key: str) -> str | None:
        """The token of this credential, or None."""
        try:
            sealed = self.redis.get(self._name(key))
        except RedisError:
            return None
        if not isinstance(sealed, bytes):
            return None
        try:
            return vault().open(sealed, store_id=0, column="provider.token")
        except CannotOpen:
            return None

    def put(self, key: str, token: str, *, seconds: int) -> None:
        try:
            self.redis.set(
                self._name(key),
                vault().seal(token, store_id=0, column="provider.token"),
                ex=seconds,
            )
        except RedisError:
            return

    def drop(self, key: str) -> None:
        try:
            self.redis.delete(self._name(key))
        except RedisError:
            return

    @staticmethod
    def _name(key: str) -> str:
        return "token:" + hashlib.sha256(key.encode()).hexdigest()[:32]


def mpesa(keys: MpesaKeys, *, base_url: str, redis: Redis) -> Mpesa:
    """M-Pesa with one store's keys."""
    return Mpesa(
        http_client(),
        keys,
        base_url=base_url,
        tokens=SharedTokens(redis),
        gate=Gate(redis, "mpesa", keys.consumer_key),
    )


def sms(
    provider: str, *, base_url: str, username: str, api_key: str, redis: Redis, sender: str = ""
) -> MessageSender:
    """The platform's SMS provider: ``africastalking``, ``twilio`` or ``log``, by one setting.

    Raises ValueError for a name we do not know.
    """
    gate = Gate(redis, provider, f"{username}:{api_key}")
    match provider:
        case "africastalking":
            return Guarded(
                AfricasTalking(
                    http_client(),
                    base_url=base_url,
                    username=username,
                    api_key=api_key,
                    sender=sender,
                ),
                gate,
            )
        case "twilio":
            return Guarded(
                Twilio(
                    http_client(), base_url=base_url, account=username, token=api_key, sender=sender
                ),
                gate,
            )
        case "log":
            return LogOnly()
        case _:
            raise ValueError(f"SMS_PROVIDER {provider!r} is not africastalking, twilio or log")


def email(provider: str, *, base_url: str, username: str, token: str, sender: str) -> MessageSender:
    """The platform's e-mail provider: ``postmark``, ``smtp`` or ``log``, by one setting.

    Raises ValueError for a name we do not know.
    """
    match provider:
        case "postmark":
            return Postmark(http_client(), base_url=base_url, token=token, sender=sender)
        case "smtp":
            return Smtp(address=base_url, username=username, password=token, sender=sender)
        case "log":
            return NoEmail()
        case _:
            raise ValueError(f"EMAIL_PROVIDER {provider!r} is not postmark, smtp or log")


def push(
    *, private_key: str, subject: str, hosts: Collection[str], allowed: Collection[str]
) -> MessageSender:
    """Notifications; written to the log alone without a key or without the optional packages."""
    if not private_key or not can_push():
        return NoPush()
    return WebPush(
        http_client(), private_key=private_key, subject=subject, hosts=hosts, allowed=allowed
    )


def whatsapp(*, base_url: str, phone_number_id: str, token: str, redis: Redis) -> MessageSender:
    """A store's WhatsApp number."""
    return Guarded(
        WhatsApp(http_client(), base_url=base_url, phone_number_id=phone_number_id, token=token),
        Gate(redis, "whatsapp", phone_number_id),
    )
