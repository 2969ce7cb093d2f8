"""SMS by Africa's Talking: a form in, a list of recipients with statuses out."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.http import json_or_none, translating_errors
from app.providers.messaging import Sent

if TYPE_CHECKING:
    import httpx

NAME = "africastalking"
SEND = "/version1/messaging"
TAKEN = {100, 101, 102}  # processed, sent, queued


class AfricasTalking:
    name = NAME

    def __init__(
        self, http: httpx.Client, *, base_url: str, username: str, api_key: str, sender: str = ""
    ) -> None:
        self.http = http
        self.base_url = base_url.rstrip("/")
        self.username = username
        self.api_key = api_key
        self.sender = sender

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one SMS. ``reference`` is not passed on: this provider has no key to repeat safely by."""
        form = {"username": self.username, "to": phone, "message": text}
        if self.sender:
            form["from"] = self.sender
        headers = {"apiKey": self.api_key, "Accept": "application/json"}
        with translating_errors(NAME):
            response = self.http.post(self.base_url + SEND, data=form, headers=headers)
            response.read()
        if response.status_code in (429, 503):  # turned away at the door: nothing was sent
            raise Unavailable(NAME, f"HTTP {response.status_code}")
        if response.status_code >= 500:
            raise OutcomeUnknown(NAME, f"HTTP {response.status_code}")
        match json_or_none(response):
            case {"SMSMessageData": {"Recipients": [{"statusCode": int(code), **recipient}, *_]}}:
                if code in TAKEN:
                    return Sent(
                        provider_ref=str(recipient.get("messageId", "")),
                        cost_cents=_cost(recipient),
                    )
                raise Refused(NAME, str(recipient.get("status", "refused")), code=str(code))
            case _ if response.status_code >= 400:
                raise Refused(NAME, f"HTTP {response.status_code}", code=str(response.status_code))
            case _:
                raise OutcomeUnknown(NAME, "unexpected answer")


def _cost(recipient: dict[Any, object]) -> int:
    """``KES 0.8000`` in cents, rounded up so that the month's cost is never understated."""
    try:
        shillings = Decimal(str(recipient.get("cost", "0")).replace("KES", "").strip() or "0")
    except InvalidOperation:
        return 0
    return int((shillings * 100).to_integral_value(rounding="ROUND_CEILING"))
