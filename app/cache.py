"""The cache instance of Redis: keys that always name their store, values that always expire.

Nothing here is needed for correctness; without Redis every read goes to Postgres.
"""

from __future__ import annotations

from redis import Redis
from redis.exceptions import RedisError

SCHEMA_VERSION = 1


def cache_key(environment: str, store_id: int | None, kind: str, name: str, locale: str) -> str:
    """``{env}:{store_id}:{schema_version}:{kind}:{id}:{locale}``. Refuses a missing store."""
    if store_id is None:
        raise ValueError("a cache key needs its store")
    return f"{environment}:{store_id}:{SCHEMA_VERSION}:{kind}:{name}:{locale}"


def connect_cache(url: str) -> Redis:
    """A client that gives up quickly: a page must not wait for its cache."""
    return Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)


def is_reachable(redis: Redis) -> bool:
    """Whether this Redis answers."""
    try:
        return bool(redis.ping())
    except RedisError:
        return False
