"""How often one address may ask. Loose, because whole towns share one; phones are limited in Postgres."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from flask import Flask, request
from flask_limiter import Limiter

if TYPE_CHECKING:
    from config import Settings

limiter = Limiter(key_func=lambda: client_address(), strategy="moving-window", swallow_errors=True)

CHECKOUTS = (
    "60 per hour"  # per address; pushes to a phone are limited to 3 in 10 minutes in Postgres
)
SIGN_INS = "50 per hour"
CODES = "10 per hour"
SEARCHES = "120 per minute"


def client_address() -> str:
    """The caller's address after ProxyFix; IPv6 cut to its /64."""
    text = request.remote_addr or "0.0.0.0"  # noqa: S104 - a bucket for requests without an address
    try:
        address = ip_address(text)
    except ValueError:
        return "0.0.0.0"  # noqa: S104
    return str(ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)


def add_limits(app: Flask, settings: Settings) -> None:
    """Limits live in Redis. When it is away browsing stays open; what matters counts in Postgres."""
    app.config.update(
        RATELIMIT_STORAGE_URI=settings.cache_redis_url,
        RATELIMIT_ENABLED=settings.rate_limits_enabled,
        RATELIMIT_HEADERS_ENABLED=False,  # they would overwrite the Retry-After of our own counters
        RATELIMIT_KEY_PREFIX="limit",
        RATELIMIT_STORAGE_OPTIONS={"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    )
    limiter.init_app(app)
