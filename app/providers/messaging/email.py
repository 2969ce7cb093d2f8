"""E-mail: by Postmark's API, or by any server that speaks SMTP. The first line is the subject."""

from __future__ import annotations

import base64
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import localtime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.logging import get_logger
from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.http import json_or_none, tls_context, translating_errors
from app.providers.messaging import Letter, Sent

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 15

log = get_logger(__name__)


def subject_and_body(text: str) -> tuple[str, str]:
    """A message's first line, and what follows it."""
    subject, _, body = text.partition("\n")
    return subject.strip(), body.strip() or subject.strip()


def plain_letter(text: str) -> Letter:
    """A message that is text alone."""
    subject, body = subject_and_body(text)
    return Letter(subject=subject, text=body, html="")


class Postmark:
    name = "postmark"

    def __init__(self, http: httpx.Client, *, base_url: str, token: str, sender: str) -> None:
        self.http = http
        self.base_url = base_url.rstrip("/")
        self.token = token
        self.sender = sender

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one e-mail; ``phone`` is the address. Their cost is not known per message: 0."""
        return self.send_letter(plain_letter(text), to=phone, reference=reference)

    def send_letter(self, letter: Letter, *, to: str, reference: str) -> Sent:
        """Send one letter to an address."""
        body: dict[str, object] = {
            "From": self.sender,
            "To": to,
            "Subject": letter.subject,
            "TextBody": letter.text,
            "MessageStream": "outbound",
            "Metadata": {"reference": reference},
        }
        if letter.html:
            body["HtmlBody"] = letter.html
        if letter.attachments:
            body["Attachments"] = [
                {
                    "Name": file.name,
                    "ContentType": file.kind,
                    "Content": base64.b64encode(file.data).decode(),
                }
                for file in letter.attachments
            ]
        headers = {"Accept": "application/json", "X-Postmark-Server-Token": self.token}
        with translating_errors(self.name):
            response = self.http.post(f"{self.base_url}/email", json=body, headers=headers)
            response.read()
        if response.status_code in (429, 503):  # turned away at the door: nothing was sent
            raise Unavailable(self.name, f"HTTP {response.status_code}")
        if response.status_code >= 500:
            raise OutcomeUnknown(self.name, f"HTTP {response.status_code}")
        match json_or_none(response):
            case {"ErrorCode": 0, "MessageID": str(message_id)}:
                return Sent(provider_ref=message_id)
            case {"ErrorCode": int(code)}:
                # Their sentence may repeat the address, so only its number is kept.
                raise Refused(self.name, f"error {code}", code=str(code))
            case _ if response.status_code >= 400:
                raise Refused(self.name, f"HTTP {response.status_code}")
            case _:
                raise OutcomeUnknown(self.name, "unexpected answer")


class NoEmail:
    """No e-mail at all: for development without a provider."""

    name = "log"

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Say that an e-mail would have gone out, without its text and without the address."""
        return self.send_letter(plain_letter(text), to=phone, reference=reference)

    def send_letter(self, letter: Letter, *, to: str, reference: str) -> Sent:
        """The same for a letter with its files."""
        log.info(
            "email_not_sent",
            characters=len(letter.text),
            files=len(letter.attachments),
            reference=reference,
        )
        return Sent(provider_ref=f"log-{reference}")


class Smtp:
    """``address`` is ``smtp://host:587``, which must offer STARTTLS, or ``smtps://host:465``."""

    name = "smtp"

    def __init__(
        self,
        *,
        address: str,
        username: str,
        password: str,
        sender: str,
        context: ssl.SSLContext | None = None,
    ) -> None:
        where = urlsplit(address)
        if where.scheme not in ("smtp", "smtps") or not where.hostname:
            raise ValueError("EMAIL_BASE_URL is not smtp://host:port or smtps://host:port")
        self.host = where.hostname
        self.is_tls = where.scheme == "smtps"
        self.port = where.port or (465 if self.is_tls else 587)
        self.username = username
        self.password = password
        self.sender = sender
        self.context = context or tls_context()

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one e-mail; ``phone`` is the address. Never in clear text with a password."""
        return self.send_letter(plain_letter(text), to=phone, reference=reference)

    def send_letter(self, letter: Letter, *, to: str, reference: str) -> Sent:
        """Send one letter to an address. Its id is the message's own: a repeat carries the same."""
        mail = EmailMessage()
        mail["From"], mail["To"] = self.sender, to
        mail["Subject"] = letter.subject
        mail["Message-ID"] = f"<{reference}@dukani>"
        mail["Date"] = localtime()
        mail.set_content(letter.text)
        if letter.html:
            mail.add_alternative(letter.html, subtype="html")
        for file in letter.attachments:
            main, _, sub = file.kind.partition("/")
            mail.add_attachment(file.data, maintype=main, subtype=sub, filename=file.name)
        try:
            server = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            raise Refused(self.name, "sign-in", code=str(error.smtp_code)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(self.name, type(error).__name__) from error
        try:
            server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code = max((answer[0] for answer in error.recipients.values()), default=550)
            if 400 <= code < 500:  # a full mailbox, a server that greets strangers slowly
                raise Unavailable(self.name, f"SMTP {code}") from error
            raise Refused(self.name, "recipient", code=str(code)) from error
        except smtplib.SMTPResponseException as error:
            if 400 <= error.smtp_code < 500:
                raise Unavailable(self.name, f"SMTP {error.smtp_code}") from error
            raise Refused(
                self.name, f"SMTP {error.smtp_code}", code=str(error.smtp_code)
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise OutcomeUnknown(self.name, type(error).__name__) from error
        finally:
            server.close()
        return Sent(provider_ref=str(mail["Message-ID"]))

    def _connect(self) -> smtplib.SMTP:
        if self.is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=self.context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            if not self.is_tls:
                server.starttls(context=self.context)
            if self.username:
                server.login(self.username, self.password)
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server
