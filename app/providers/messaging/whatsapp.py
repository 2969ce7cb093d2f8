"""WhatsApp by Meta's Cloud API: one text message to one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.providers.errors import OutcomeUnknown, Refused, Unavailable
from app.providers.http import json_or_none, translating_errors
from app.providers.messaging import Sent

if TYPE_CHECKING:
    import httpx

NAME = "whatsapp"
VERSION = "v26.0"
BUSY = {4, 80007, 130429, 131048, 131056}


class WhatsApp:
    name = NAME

    def __init__(
        self, http: httpx.Client, *, base_url: str, phone_number_id: str, token: str
    ) -> None:
        self.http = http
        self.base_url = base_url.rstrip("/")
        self.phone_number_id = phone_number_id
        self.token = token

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Send one text. ``reference`` comes back in statuses, so a lost answer can be matched."""
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": phone.removeprefix("+"),
            "type": "text",
            "text": {"preview_url": False, "body": text},
            "biz_opaque_callback_data": reference,
        }
        url = f"{self.base_url}/{VERSION}/{self.phone_number_id}/messages"
        with translating_errors(NAME):
            response = self.http.post(
                url, json=body, headers={"Authorization": f"Bearer {self.token}"}
            )
            response.read()
        if response.status_code == 503:  # turned away at the door: nothing was sent
            raise Unavailable(NAME, "HTTP 503")
        if response.status_code >= 500:
            raise OutcomeUnknown(NAME, f"HTTP {response.status_code}")
        match json_or_none(response):
            case {"messages": [{"id": str(wamid)}, *_]} if response.status_code == 200:
                return Sent(provider_ref=wamid)
            case {"error": {"code": int(code), **error}}:
                reason = str(error.get("message", "refused"))
                if code in BUSY or response.status_code == 429:
                    raise Unavailable(NAME, reason, code=str(code))
                raise Refused(NAME, reason, code=str(code))
            case _ if 400 <= response.status_code < 500:
                raise Refused(NAME, f"HTTP {response.status_code}", code=str(response.status_code))
            case _:
                raise OutcomeUnknown(NAME, f"HTTP {response.status_code}")
