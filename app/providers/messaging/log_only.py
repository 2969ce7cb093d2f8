"""No SMS at all: for development without a provider. The message stays in the store's own rows."""

from __future__ import annotations

from app.logging import get_logger
from app.phones import masked
from app.providers.messaging import Sent

NAME = "log"

log = get_logger(__name__)


class LogOnly:
    name = NAME

    def send(self, *, phone: str, text: str, reference: str) -> Sent:
        """Say that a message would have gone out, without its text and with the number masked."""
        log.info("sms_not_sent", recipient=masked(phone), characters=len(text), reference=reference)
        return Sent(provider_ref=f"log-{reference}")
