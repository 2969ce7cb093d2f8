"""The cache instance of Redis: keys that always name their store, values that always expire.

Nothing here is needed for correctness; without Redis every read goes to Postgres.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

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


# -- one process makes a thing, the others wait for it ----------------------------------------


def take_turn(redis: Redis, name: str, *, seconds: float) -> Any:
    """Whether making what ``name`` stands for is ours now, for at most so long. Also in a pipeline."""
    return redis.set(name, "1", nx=True, px=int(seconds * 1000))


def give_turn_back(redis: Redis, name: str) -> None:
    """It is made, or never will be by us: ring for everybody who waits. Also in a pipeline."""
    redis.delete(name)
    redis.publish(name, "over")


def wait_for_turn(redis: Redis, name: str, *, seconds: float) -> None:
    """Wait until the turn is given back or ran out because its holder died, or so long at most."""
    end = monotonic() + seconds
    with redis.pubsub() as bell:  # type: ignore[no-untyped-call]
        bell.subscribe(name)
        bell.get_message(timeout=seconds)  # its own answer: from here on no ring is missed
        end = min(end, monotonic() + redis.pttl(name) / 1000)
        while (left := end - monotonic()) > 0 and bell.get_message(timeout=left) is None:
            pass
