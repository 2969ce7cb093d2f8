"""E-mail by either provider: Postmark's API at the stand-in, SMTP at a server of a few lines."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from app.providers import registry
from app.providers.errors import Refused, Unavailable
from app.providers.messaging.email import NoEmail, Smtp
from sandbox.app import create_app
from tests.serving import served

ADDRESS = "achieng@duka.example"
TEXT = "Your link to Dukani\n\nOpen this:\nhttp://localhost:8000/sign-in/link/0"
SENDER = "Dukani <hello@dukani.example>"


@pytest.fixture
def company() -> Iterator[tuple[str, Flask]]:
    """The stand-in of Postmark, over real HTTP."""
    app = create_app()
    app.config["MAIL_TOKEN"] = "right"
    with served(app) as port:
        yield f"http://127.0.0.1:{port}/mail", app
    app.extensions["world"].scheduler.close()


def postmark(base_url: str, token: str = "right") -> Any:
    return registry.email("postmark", base_url=base_url, username="", token=token, sender=SENDER)


def test_postmark_takes_a_letter(company: tuple[str, Flask]) -> None:
    base_url, app = company

    sent = postmark(base_url).send(phone=ADDRESS, text=TEXT, reference="r-1")

    letter = app.extensions["world"].mailbox.of(ADDRESS)[0]
    assert letter.id == sent.provider_ref
    assert letter.channel == "email"
    assert letter.text.startswith("Your link to Dukani\nOpen this:")
    page = app.test_client().get("/letters").text
    assert ADDRESS in page
    assert "Your link to Dukani" in page


@pytest.mark.parametrize(
    ("to", "token", "code"),
    [
        ("bounced@duka.example", "right", "406"),
        ("nobody", "right", "300"),
        (ADDRESS, "wrong", "10"),
    ],
)
def test_what_postmark_refuses_is_not_tried_again(
    company: tuple[str, Flask], to: str, token: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        postmark(company[0], token).send(phone=to, text=TEXT, reference="r-1")

    assert refused.value.code == code
    assert to not in str(refused.value)


def test_a_company_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(Unavailable):
        postmark("http://127.0.0.1:9").send(phone=ADDRESS, text=TEXT, reference="r-1")
    away = Smtp(address="smtp://127.0.0.1:9", username="", password="", sender=SENDER)
    with pytest.raises(Unavailable):
        away.send(phone=ADDRESS, text=TEXT, reference="r-1")


@dataclass
class Post:
    """What an SMTP server was told."""

    recipients: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)


@pytest.fixture
def plain_server() -> Iterator[tuple[int, Post]]:
    """An SMTP server without STARTTLS."""
    post = Post()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "EHLO":
                    self.say("250 here")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    post.letters.append(b"".join(lines).decode())
                    self.say("250 kept")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    if verb == "RCPT":
                        post.recipients.append(line)
                    self.say("250 ok")

        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1], post
        server.shutdown()
        thread.join(timeout=5)


def test_smtp_without_encryption_is_not_used(plain_server: tuple[int, Post]) -> None:
    """A link that signs somebody in never travels in clear text."""
    port, post = plain_server
    sender = Smtp(address=f"smtp://127.0.0.1:{port}", username="", password="", sender=SENDER)

    with pytest.raises(Unavailable):
        sender.send(phone=ADDRESS, text=TEXT, reference="r-1")

    assert post.letters == []


@pytest.mark.parametrize("address", ["", "http://host:25", "smtp:host"])
def test_an_address_that_is_no_smtp_server_stops_the_start(address: str) -> None:
    with pytest.raises(ValueError, match="EMAIL_BASE_URL"):
        registry.email("smtp", base_url=address, username="", token="", sender=SENDER)


def test_without_a_provider_nothing_is_sent() -> None:
    sender = registry.email("log", base_url="", username="", token="", sender="")

    assert isinstance(sender, NoEmail)
    assert sender.send(phone=ADDRESS, text=TEXT, reference="r-1").provider_ref == "log-r-1"
    with pytest.raises(ValueError, match="pigeon"):
        registry.email("pigeon", base_url="", username="", token="", sender="")
