"""How often one address may ask. Loose, because whole towns share one; phones are limited in Postgres."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask_limiter import Limiter
from limits import parse
from limits.storage import RedisStorage
from redis import Redis
from redis.exceptions import RedisError

from app.i18n import gettext_lazy as _
from app.vault import vault

if TYPE_CHECKING:
    from config import Settings

# It loads every client that it finds on the machine, and keeps them all; ours is Redis's.
RedisStorage.DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}

limiter = Limiter(key_func=lambda: client_address(), strategy="moving-window", swallow_errors=True)

CHECKOUTS = (
    "60 per hour"  # per address; pushes to a phone are limited to 3 in 10 minutes in Postgres
)
SIGN_INS = "50 per hour"
CODES = "10 per hour"
SEARCHES = "120 per minute"
PROMOTION_CODES = "30 per 10 minute"
SUGGESTIONS = "600 per minute"  # one for every pause in typing


MOST_KEYS = 20_000

# What each class of routes allows one address, in the words of the platform's desk.
CLASSES = (
    (CHECKOUTS, _("Checkouts")),
    (SIGN_INS, _("Tries to sign in (shoppers)")),
    (CODES, _("Codes asked for (shoppers)")),
    (SEARCHES, _("Searches and carts")),
    (PROMOTION_CODES, _("Promotion codes tried")),
    (SUGGESTIONS, _("Suggestions while typing")),
)


@dataclass
class RouteClass:
    """One limit per address: how many addresses use it now and which are at it, as short hashes."""

    limit: str
    words: str
    addresses: int = 0
    at_limit: list[str] = field(default_factory=list)


def classes_in_redis(redis: Redis) -> list[RouteClass] | None:
    """Every class of routes with who uses it now; None when Redis does not answer.

    Reads each counter's length and the age of its oldest entry that still matters. Addresses
    leave this function only as the beginning of a keyed hash.
    """
    classes = {str(parse(limit)): RouteClass(limit, str(words)) for limit, words in CLASSES}
    by_tail = {
        f"/{item.amount}/{item.multiples}/{item.GRANULARITY.name}": (classes[str(item)], item)
        for item in (parse(limit) for limit, _words in CLASSES)
    }
    try:
        for seen, key in enumerate(redis.scan_iter(match="LIMITS:LIMITER/limit/*", count=500)):
            name = key.decode() if isinstance(key, bytes) else str(key)
            tail = "/" + "/".join(name.split("/")[-3:])
            if seen >= MOST_KEYS or tail not in by_tail:
                continue
            found, item = by_tail[tail]
            found.addresses += 1
            oldest: Any = redis.lindex(name, item.amount - 1)
            if oldest is not None and float(oldest) >= time.time() - item.get_expiry():
                subject = name.removesuffix(tail).partition("LIMITER/limit/")[2]
                found.at_limit.append(vault().lookup(subject, store_id=0).hex()[:8])
    except RedisError:
        return None
    return list(classes.values())


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
