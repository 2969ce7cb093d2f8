"""One HTTP client per process, and httpx's many exceptions turned into our three.

A web process asks no provider: httpx (5 MiB) is read where the first call is made.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from app.providers.errors import OutcomeUnknown, Unavailable

if TYPE_CHECKING:
    import httpx

_client: httpx.Client | None = None
_client_pid = 0


def http_client() -> httpx.Client:
    """This process's client: explicit timeouts, no redirects, no retries. Made after a fork."""
    import httpx

    global _client, _client_pid
    if _client is None or _client_pid != os.getpid():
        _client = httpx.Client(
            timeout=httpx.Timeout(connect=3, read=15, write=5, pool=2),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=10),
            follow_redirects=False,
            trust_env=False,
            verify=tls_context(),
        )
        _client_pid = os.getpid()
    return _client


@cache
def tls_context() -> ssl.SSLContext:
    """The certificates we trust, read once: a fork may inherit them, unlike connections."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


@dataclass
class Exchange:
    """What went over the wire in one call, for the provider_calls record. Masked by the adapter."""

    endpoint: str
    request: dict[str, Any] = field(default_factory=dict)
    http_status: int | None = None
    response: dict[str, Any] | None = None
    error: str | None = None
    started: float = field(default_factory=monotonic)
    latency_ms: int = 0

    def ended(self) -> None:
        self.latency_ms = int((monotonic() - self.started) * 1000)


OnExchange = Callable[[Exchange], None]


def ignore_exchange(exchange: Exchange) -> None:
    """For callers that keep no record of the call."""


@contextmanager
def translating_errors(provider: str) -> Iterator[None]:
    """Turn a transport failure into Unavailable (never left) or OutcomeUnknown (may have acted).

    Wrap one request and the reading of its answer, nothing else: what fails
    before the request leaves is not in doubt.
    """
    import httpx

    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise Unavailable(provider, "could not connect", code="connect") from error
    except httpx.TransportError as error:
        raise OutcomeUnknown(provider, type(error).__name__, code="transport") from error


def json_or_none(response: httpx.Response) -> Any:
    """The JSON body, or None where it is HTML, empty or broken: never assume."""
    try:
        return response.json()
    except ValueError:
        return None
