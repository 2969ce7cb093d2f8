"""Web push against the stand-in of a push service, and opened again with the browser's own keys."""

from __future__ import annotations

import base64
import io
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from redis import Redis

from app.providers import registry
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.messaging.email import NoEmail
from app.providers.messaging.log_only import LogOnly
from app.providers.push import keys
from app.providers.push.addresses import is_push_service
from app.providers.push.keys import public_key
from app.providers.push.web_push import NoPush
from local.keys import MADE
from sandbox.app import create_app
from tests.serving import served
from tests.test_logging import logs as _logs

logs = _logs  # the fixture

TEXT = json.dumps({"title": "Order KT-1042 is on the way", "path": "/o/" + "a" * 32})


@dataclass
class Phone:
    """A browser's own keys, and the address it was given."""

    endpoint: str = ""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def p256dh(self) -> str:
        raw = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    @property
    def auth(self) -> str:
        return base64.urlsafe_b64encode(self.secret).rstrip(b"=").decode()

    def address(self) -> str:
        return json.dumps({"endpoint": self.endpoint, "p256dh": self.p256dh, "auth": self.auth})

    def opened(self, sealed: str) -> str:
        """What only this phone can read."""
        body = base64.b64decode(sealed)
        opened: bytes = http_ece.decrypt(
            body, private_key=self.key, auth_secret=self.secret, version="aes128gcm"
        )
        return opened.decode()


@pytest.fixture
def service() -> Iterator[tuple[str, Flask]]:
    """The stand-in over real HTTP: ``host:port``, and its world."""
    app = create_app()
    with served(app) as port:
        yield f"127.0.0.1:{port}", app
    app.extensions["world"].scheduler.close()


def sender_to(host: str, private_key: str | None = None) -> Any:
    return registry.push(
        private_key=private_key or MADE["VAPID_PRIVATE_KEY"](),
        subject="mailto:hello@dukani.example",
        hosts=("push.example",),
        allowed=(host,),
    )


def test_a_notification_can_be_read_by_its_browser_alone(service: tuple[str, Flask]) -> None:
    host, app = service
    phone, another = Phone(f"http://{host}/push/phone-1"), Phone()

    sender_to(host).send(phone=phone.address(), text=TEXT, reference="r-1")

    (kept,) = app.extensions["world"].mailbox.of("phone-1")
    assert kept.payload is not None
    assert b"KT-1042" not in base64.b64decode(kept.payload["body"])
    assert phone.opened(kept.payload["body"]) == TEXT
    with pytest.raises(http_ece.ECEException):
        another.opened(kept.payload["body"])
    assert (kept.payload["urgency"], kept.payload["ttl"]) == ("high", 6 * 3600)
    assert len(kept.payload["topic"]) == 32


@pytest.mark.parametrize(
    ("status", "raised", "code"),
    [
        (410, Refused, "gone"),
        (404, Refused, "gone"),
        (403, Refused, "403"),
        (429, Unavailable, None),
        (503, Unavailable, None),
        (500, OutcomeUnknown, None),
    ],
)
def test_what_a_push_service_says_no_with(
    service: tuple[str, Flask], status: int, raised: type[Exception], code: str | None
) -> None:
    host, app = service
    phone = Phone(f"http://{host}/push/phone-1")
    app.test_client().post("/_sim/push", json={"browser": "phone-1", "status": status})

    with pytest.raises(raised) as refused:
        sender_to(host).send(phone=phone.address(), text=TEXT, reference="r-1")

    assert code is None or refused.value.code == code  # type: ignore[attr-defined]
    assert "phone-1" not in str(refused.value)


def test_the_stand_in_takes_nothing_unsigned_or_in_the_clear(service: tuple[str, Flask]) -> None:
    _host, app = service
    client = app.test_client()
    whole = {"Content-Encoding": "aes128gcm", "TTL": "60"}
    body = bytes(20) + b"\x41" + bytes(80)

    assert client.post("/push/x", data=body, headers=whole).status_code == 403
    assert client.post("/push/x", data=b"hello", headers=whole).status_code == 400
    assert client.post("/push/x", data=body).status_code == 400
    assert client.post("/push/x", data=bytes(5000), headers=whole).status_code == 413
    assert app.extensions["world"].mailbox.of("x") == []


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/x",  # without TLS
        "https://push.example:8443/x",
        "https://push.example.evil.example/x",
        "https://evilpush.example/x",
        "https://user@push.example/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "http://127.0.0.1:6379/",
        "file:///etc/passwd",
        "https://push.example\u2024evil.example/",
        "https://push.example\\@evil.example/",
        "",
    ],
)
def test_a_strangers_address_is_not_written_to(url: str) -> None:
    assert not is_push_service(url, hosts=("push.example",), allowed=("127.0.0.1:8001",))
    with pytest.raises(Refused) as refused:
        sender_to("127.0.0.1:1").send(phone=Phone(url).address(), text=TEXT, reference="r")
    assert refused.value.code == "address"


def test_the_services_of_real_browsers_are_known() -> None:
    from config import PUSH_HOSTS

    for url in (
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/abc",
        "https://web.push.apple.com/abc",
        "https://wns2-par02p.notify.windows.com/w/?token=abc",
    ):
        assert is_push_service(url, hosts=PUSH_HOSTS)


def test_the_browser_is_given_the_key_that_signs(service: tuple[str, Flask]) -> None:
    private = MADE["VAPID_PRIVATE_KEY"]()
    host, _app = service
    phone = Phone(f"http://{host}/push/phone-1")

    header = sender_to(host, private)._signature(phone.endpoint)["Authorization"]

    assert header.endswith(f"k={public_key(private)}")


@pytest.mark.row("T78")
def test_every_adapter_has_a_twin_that_only_writes_a_log(
    redis: Redis, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMS, e-mail and push: by one setting each nothing leaves, and the log names nobody."""
    sms = registry.sms("log", base_url="", username="", api_key="", redis=redis)
    email = registry.email("log", base_url="", username="", token="", sender="")
    push = registry.push(private_key="", subject="", hosts=(), allowed=())
    assert (type(sms), type(email), type(push)) == (LogOnly, NoEmail, NoPush)
    # With a key but without the optional packages as well.
    monkeypatch.setattr(keys, "find_spec", lambda name: None)
    bare = registry.push(private_key=MADE["VAPID_PRIVATE_KEY"](), subject="", hosts=(), allowed=())
    assert isinstance(bare, NoPush)

    phone = Phone("https://push.example/x")
    for sender, to in (
        (sms, "+254712345678"),
        (email, "achieng@duka.example"),
        (push, phone.address()),
        (bare, phone.address()),
    ):
        sent = sender.send(phone=to, text="Code 123456", reference="r-1")
        assert sent.provider_ref == "log-r-1"
    written = logs.getvalue()
    for secret in ("712345678", "achieng@", "push.example", phone.auth, "123456"):
        assert secret not in written
    assert re.findall(r"(sms|email|push)_not_sent", written) == ["sms", "email", "push", "push"]
