"""Invoices by e-mail: over a real SMTP server with TLS, with the paper in it, and back again."""

from __future__ import annotations

import datetime as dt
import email
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.errors import FieldProblem, NotPayable
from app.domain.messaging.actions import deliver_message
from app.domain.messaging.invoices import readable
from app.domain.messaging.letters import invoices_of, send_invoice, shown_address
from app.domain.messaging.models import Message, MessageAttempt
from app.domain.orders.models import Order
from app.domain.payments.settling import settle
from app.domain.payments.states import AttemptStatus
from app.domain.stores.models import Store
from app.ids import new_reference
from app.jobs import TryLater
from app.providers.messaging.email import Smtp
from tests.builders import attempt_of, make_cart, make_order, make_variant
from tests.pdf import words_of
from tests.web.backoffice.conftest import platform_client
from tests.web.storefront.conftest import Shopper

ADDRESS = "achieng@duka.example"


@dataclass
class Post:
    """An SMTP server with STARTTLS: what it was given, and what it answers to RCPT."""

    port: int = 0
    rcpt_answer: str = "250 ok"
    recipients: list[str] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of our own for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.fixture
def post(tmp_path: Path) -> Iterator[tuple[Post, ssl.SSLContext]]:
    """The server, and the context of a client that trusts it."""
    pem, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, key)
    here = Post()

    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # A sealed socket takes the plain one's place, so the server would not close it.
            with ExitStack() as mine:
                self.talk(mine)

        def talk(self, mine: ExitStack) -> None:
            wire, is_sealed = self.request, False
            reader = mine.enter_context(wire.makefile("rb"))
            say = lambda words: wire.sendall(f"{words}\r\n".encode())  # noqa: E731
            say("220 here")
            while line := reader.readline().decode().strip():
                verb = line.split(" ")[0].upper()
                if verb == "EHLO":
                    say("250-here\r\n250 STARTTLS" if not is_sealed else "250-here\r\n250 SMTPUTF8")
                elif verb == "STARTTLS":
                    say("220 go on")
                    wire = mine.enter_context(tls.wrap_socket(wire, server_side=True))
                    reader, is_sealed = mine.enter_context(wire.makefile("rb")), True
                elif verb == "MAIL" and not is_sealed:
                    say("530 STARTTLS first")
                elif verb == "RCPT":
                    here.recipients.append(line)
                    say(here.rcpt_answer)
                elif verb == "DATA":
                    say("354 go on")
                    body = b"".join(iter(reader.readline, b".\r\n")).replace(b"\r\n..", b"\r\n.")
                    here.letters.append(
                        cast(EmailMessage, email.message_from_bytes(body, policy=policy.default))
                    )
                    say("250 kept")
                elif verb == "QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        here.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield here, ssl.create_default_context(cafile=str(pem))
        server.shutdown()
        thread.join(timeout=5)


def carrier(post: tuple[Post, ssl.SSLContext]) -> Callable[[str], Smtp]:
    here, trust = post
    return lambda channel: Smtp(
        address=f"smtp://127.0.0.1:{here.port}",
        username="",
        password="",
        sender="Dukani <hello@dukani.example>",
        context=trust,
    )


@pytest.fixture
def paid(session: Session, store: Store) -> Order:
    """A paid order of two things, in a shop with a name and a KRA PIN that need real letters."""
    session.execute(
        update(Store)
        .where(Store.id == store.id)
        .values(name="Duka la Wanjikũ", is_vat_registered=True, kra_pin="A012345678Z")
    )
    session.commit()
    session.expire_all()
    cart = make_cart(
        session,
        make_variant(session, name="Chai ya Kericho"),
        make_variant(session, name="Kikombe 李"),
        quantity=2,
    )
    order = make_order(session, cart, name="محمد Müller")
    attempt = attempt_of(session, order)
    attempt.move_to(AttemptStatus.SENDING)
    settle(session, attempt.id, confirmed_by="query", receipt=new_reference(10))
    session.commit()
    session.refresh(order)
    return order


def the_letter(session: Session, order: Order) -> Message:
    session.expire_all()
    (letter,) = invoices_of(session, order)
    return letter


@pytest.mark.row("T25")
def test_the_invoice_arrives_as_words_and_on_paper(
    session: Session, paid: Order, post: tuple[Post, ssl.SSLContext]
) -> None:
    send_invoice(session, paid, f" {ADDRESS.upper()} ", language="en")
    session.commit()
    letter = the_letter(session, paid)
    assert letter.status == "queued"

    deliver_message(session, letter.id, sender_for=carrier(post))

    (mail,) = post[0].letters
    assert (mail["To"], mail["Subject"]) == (ADDRESS, f"Duka la Wanjikũ: your order {paid.code}")
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    total = f"KES\u00a0{paid.total_cents // 100:,}"
    for words in (plain.get_content(), rich.get_content()):
        assert paid.code in words
        assert total in words.replace("KES ", "KES\u00a0")
        assert "Kikombe 李" in words
    (paper,) = mail.iter_attachments()
    assert (paper.get_content_type(), paper.get_filename()) == (
        "application/pdf",
        f"{paid.code}.pdf",
    )
    said = words_of(paper.get_content()).replace("\u00a0", " ")
    for words in (
        "Duka la Wanjikũ", "KRA PIN A012345678Z", f"Invoice for order {paid.code}", "Müller",
        "Chai ya Kericho × 2", "Kikombe \ufffd × 2", "KES 900", "KES 250", "Total",
        total.replace("\u00a0", " "), "VAT in it, 16 %",
    ):  # fmt: skip
        assert words in said, words
    done = the_letter(session, paid)
    assert (done.status, done.provider, done.provider_ref) == (
        "sent",
        "smtp",
        f"<{done.id}@dukani>",
    )


@pytest.mark.row("T25")
def test_a_letter_that_the_server_refuses_is_one_row_that_says_so(
    session: Session, client: Shopper, paid: Order, post: tuple[Post, ssl.SSLContext]
) -> None:
    post[0].rcpt_answer = "550 no such user"
    send_invoice(session, paid, ADDRESS, language="en")
    send_invoice(session, paid, ADDRESS, language="en")  # twice is once
    session.commit()
    letter = the_letter(session, paid)

    deliver_message(session, letter.id, sender_for=carrier(post))
    deliver_message(session, letter.id, sender_for=carrier(post))

    done = the_letter(session, paid)
    assert (done.status, done.error) == ("failed", "recipient")
    assert done.final_at is not None
    assert post[0].letters == []
    tries = session.scalars(
        select(MessageAttempt).where(MessageAttempt.message_id == letter.id)
    ).all()
    assert [each.outcome for each in tries] == ["failed"]
    assert shown_address(done) == "ac•••@duka.example"


def test_a_full_mailbox_is_tried_again(
    session: Session, paid: Order, post: tuple[Post, ssl.SSLContext]
) -> None:
    post[0].rcpt_answer = "452 later"
    send_invoice(session, paid, ADDRESS, language="en")
    session.commit()
    letter = the_letter(session, paid)
    with pytest.raises(TryLater):
        deliver_message(session, letter.id, sender_for=carrier(post))
    assert the_letter(session, paid).status == "queued"
    post[0].rcpt_answer = "250 ok"
    deliver_message(session, letter.id, sender_for=carrier(post))
    assert the_letter(session, paid).status == "sent"


@pytest.mark.row("T25")
def test_a_letter_that_comes_back_days_later_is_noted_once(
    app: Flask, session: Session, paid: Order, post: tuple[Post, ssl.SSLContext]
) -> None:
    """As the provider tells it: by its own id of the letter, on an address with a secret in it."""
    send_invoice(session, paid, ADDRESS, language="en")
    session.commit()
    letter = the_letter(session, paid)
    deliver_message(session, letter.id, sender_for=carrier(post))
    ref = the_letter(session, paid).provider_ref
    key = "ab" * 16
    object.__setattr__(app.config["SETTINGS"], "email_hook_key", key)
    provider = platform_client(app)
    told = {"RecordType": "Bounce", "MessageID": ref, "Type": "HardBounce", "Email": ADDRESS}

    assert provider.post(f"/hooks/email/{'cd' * 16}", json=told).status_code == 404
    assert provider.post(f"/hooks/email/{key}", json=told | {"MessageID": "x"}).status_code == 200
    assert provider.post(f"/hooks/email/{key}", data=b"{not json").status_code == 200
    assert provider.post(f"/hooks/email/{key}", data=b"x" * 20_000).status_code == 413
    assert the_letter(session, paid).status == "sent"
    for _time in range(2):
        assert provider.post(f"/hooks/email/{key}", json=told).status_code == 200

    done = the_letter(session, paid)
    assert (done.status, done.error) == ("failed", "came back: HardBounce")
    tries = session.scalars(
        select(MessageAttempt).where(MessageAttempt.message_id == letter.id)
    ).all()
    assert [each.outcome for each in tries] == ["sent", "failed"]


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "achieng",
        "a@b",
        "a b@c.example",
        "a@c.example\nBcc: x@y.example",
        "a@" + "x" * 260 + ".example",
    ],
)
def test_what_is_no_address_is_said(session: Session, paid: Order, typed: str) -> None:
    with pytest.raises(FieldProblem):
        send_invoice(session, paid, typed, language="en")


def test_an_emoji_leaves_no_box_on_paper() -> None:
    assert readable("Kikombe \N{HOT BEVERAGE}\ufe0f chai") == "Kikombe  chai"
    assert readable("Mama \U0001f469\U0001f3fe\u200d\U0001f373 Duka 李") == "Mama  Duka \ufffd"


def test_an_unpaid_order_has_no_invoice_and_no_order_has_many(
    session: Session, paid: Order
) -> None:
    unpaid = make_order(session)
    session.commit()
    with pytest.raises(NotPayable):
        send_invoice(session, unpaid, ADDRESS, language="en")
    for n in range(3):
        send_invoice(session, paid, f"a{n}@duka.example", language="en")
    with pytest.raises(FieldProblem):
        send_invoice(session, paid, ADDRESS, language="en")
    assert {letter.store_id for letter in invoices_of(session, paid)} == {bound_store()}
