"""The record of every call to a provider: one row when it starts, one when it ends."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.payments.models import ProviderCall
from app.ids import new_id
from app.jobs import request_id
from app.logging import get_logger
from app.providers.http import Exchange

log = get_logger("mpesa")


@dataclass
class Call:
    """One call in progress. ``note`` is handed to the provider, which tells what went over the wire."""

    call_id: UUID
    provider: str
    endpoint: str
    attempt_id: UUID | None
    exchanges: list[Exchange] = field(default_factory=list)

    def note(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        log.info(
            "provider_call",
            provider=self.provider,
            endpoint=exchange.endpoint,
            attempt_id=str(self.attempt_id),
            http_status=exchange.http_status,
            latency_ms=exchange.latency_ms,
            error=exchange.error,
        )

    def ended(self, session: Session) -> None:
        """Write how the call ended, in the transaction that records its consequence."""
        for exchange in self.exchanges or [Exchange(endpoint=self.endpoint, error="never sent")]:
            session.add(
                ProviderCall(
                    call_id=self.call_id,
                    phase="ended",
                    attempt_id=self.attempt_id,
                    provider=self.provider,
                    endpoint=exchange.endpoint,
                    request_hash=hashlib.sha256(
                        json.dumps(exchange.request, sort_keys=True).encode()
                    ).digest(),
                    request_masked=exchange.request,
                    http_status=exchange.http_status,
                    latency_ms=exchange.latency_ms,
                    response_masked=exchange.response,
                    error=exchange.error,
                    request_id=request_id.get(),
                )
            )


def started(session: Session, *, provider: str, endpoint: str, attempt_id: UUID | None) -> Call:
    """Write that a call is about to be made. The caller commits before making it."""
    call = Call(call_id=new_id(), provider=provider, endpoint=endpoint, attempt_id=attempt_id)
    session.add(
        ProviderCall(
            call_id=call.call_id,
            phase="started",
            attempt_id=attempt_id,
            provider=provider,
            endpoint=endpoint,
            request_id=request_id.get(),
        )
    )
    return call
