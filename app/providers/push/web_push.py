"""Web push: encrypted for one browser (RFC 8291), signed with our own key (RFC 8292)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.logging import get_logger
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.http import translating_errors
from app.providers.messaging import Sent
from app.providers.push.addresses import is_push_service

if TYPE_CHECKING:
    import httpx

NAME = "web_push"
KEPT_SECONDS = 6 * 3600  # how long a phone that is off may be behind
SIGNED_FOR_SECONDS = 3600
GONE = (404, 410)
MOST_BYTES = 3_000  # every push service takes 4 KB of what this becomes

log = get_logger(__name__)


class WebPush:
    name = NAME

    def __init__(
        self,
        http: httpx.Client,
        *,
        private_key: str,
        subject: str,
        hosts: Collection[str],
        allowed: Collection[str] = (),
    ) -> None:
        self.http = http
        self.private_key = private_key
        self.subject = subject
        self.hosts = hosts
        self.allowed = allowed

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one notification. ``phone`` is the browser's address and keys, as JSON.

        Raises Refused with the code ``gone`` when the browser is not subscribed any more.
        """
        browser = json.loads(phone)
        endpoint = str(browser["endpoint"])
        if not is_push_service(endpoint, hosts=self.hosts, allowed=self.allowed):
            raise Refused(NAME, "not a push service", code="address")
        body = self._sealed(browser, text)
        headers = self._signature(endpoint) | {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT_SECONDS),
            "Urgency": "high",
            # A repeat after a crash takes the place of the first on a phone that was off.
            "Topic": hashlib.sha256(reference.encode()).hexdigest()[:32],
        }
        with translating_errors(NAME):
            response = self.http.post(endpoint, content=body, headers=headers)
            response.read()
        status = response.status_code
        if status in GONE:
            raise Refused(NAME, f"HTTP {status}", code="gone")
        if status in (429, 503):
            raise Unavailable(NAME, f"HTTP {status}")
        if status >= 500:
            raise OutcomeUnknown(NAME, f"HTTP {status}")
        if not 200 <= status < 300:
            raise Refused(NAME, f"HTTP {status}", code=str(status))
        return Sent(provider_ref=hashlib.sha256(endpoint.encode()).hexdigest()[:16])

    def _sealed(self, browser: dict[str, str], text: str) -> bytes:
        from pywebpush import WebPusher, WebPushException  # optional, and heavy: at first use

        keys = {"p256dh": browser["p256dh"], "auth": browser["auth"]}
        data = text.encode()
        if len(data) > MOST_BYTES:
            raise Refused(NAME, "too long", code="length")
        try:
            pusher = WebPusher({"endpoint": browser["endpoint"], "keys": keys})
            sealed = pusher.encode(data, content_encoding="aes128gcm")
        except (WebPushException, ValueError) as error:
            raise Refused(NAME, "keys nobody can write to", code="gone") from error
        return bytes(sealed["body"])

    def _signature(self, endpoint: str) -> dict[str, str]:
        from py_vapid import Vapid02

        where = urlsplit(endpoint)
        claims = {
            "aud": f"{where.scheme}://{where.netloc}",
            "sub": self.subject,
            "exp": int(time.time()) + SIGNED_FOR_SECONDS,
        }
        signed: dict[str, str] = Vapid02.from_raw(_encoded(self.private_key)).sign(claims)
        return signed


class NoPush:
    """No notification at all: without keys, or without the optional packages."""

    name = "log"

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Say that a notification would have gone out, without its text and to nobody's address."""
        log.info("push_not_sent", characters=len(text), reference=reference)
        return Sent(provider_ref=f"log-{reference}")


def _encoded(key: str) -> bytes:
    return key.strip().rstrip("=").encode()
