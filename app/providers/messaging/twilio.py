"""SMS by Twilio: a form with Basic auth in, a message resource out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.http import json_or_none, translating_errors
from app.providers.messaging import Sent

if TYPE_CHECKING:
    import httpx

NAME = "twilio"


class Twilio:
    name = NAME

    def __init__(
        self, http: httpx.Client, *, base_url: str, account: str, token: str, sender: str
    ) -> None:
        self.http = http
        self.base_url = base_url.rstrip("/")
        self.account = account
        self.token = token
        self.sender = sender

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one SMS. Twilio tells the price later, so the cost is 0 here."""
        url = f"{self.base_url}/2010-04-01/Accounts/{quote(self.account)}/Messages.json"
        form = {"To": phone, "From": self.sender, "Body": text}
        with translating_errors(NAME):
            response = self.http.post(url, data=form, auth=(self.account, self.token))
            response.read()
        if response.status_code in (429, 503):  # turned away at the door: nothing was sent
            raise Unavailable(NAME, f"HTTP {response.status_code}")
        if response.status_code >= 500:
            raise OutcomeUnknown(NAME, f"HTTP {response.status_code}")
        match json_or_none(response):
            case {"sid": str(sid)} if response.status_code in (200, 201):
                return Sent(provider_ref=sid)
            case {"code": int(code), **error}:
                raise Refused(NAME, str(error.get("message", "refused")), code=str(code))
            case _ if response.status_code >= 400:
                raise Refused(NAME, f"HTTP {response.status_code}")
            case _:
                raise OutcomeUnknown(NAME, "unexpected answer")
