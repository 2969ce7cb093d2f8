"""A place for an uploaded file between two pages: in Redis, for an hour, for its store alone.

If Redis loses it the person uploads the file again; nothing has been changed by then.
"""

from __future__ import annotations

import json
import zlib

from flask import current_app, g
from redis import Redis
from redis.exceptions import RedisError

from app.domain.errors import DomainError
from app.i18n import gettext_lazy as _
from app.ids import new_token

SECONDS = 3600


class NotParked(DomainError):
    """The file is not here any more, or could not be kept."""

    def __init__(self) -> None:
        super().__init__(_("That file is no longer here. Nothing was changed. Choose it again."))


def park(filename: str, data: bytes) -> str:
    """Keep a file for an hour. Returns the token to fetch it with. Raises NotParked."""
    token = new_token()
    head = json.dumps({"filename": filename}).encode()
    try:
        _redis().set(_key(token), head + b"\n" + zlib.compress(data), ex=SECONDS)
    except RedisError as error:
        raise NotParked from error
    return token


def parked(token: str) -> tuple[str, bytes]:
    """The file's name and bytes. Raises NotParked."""
    try:
        kept = _redis().get(_key(token))
    except RedisError as error:
        raise NotParked from error
    if not isinstance(kept, bytes):
        raise NotParked
    head, _newline, body = kept.partition(b"\n")
    return str(json.loads(head)["filename"]), zlib.decompress(body)


def forget(token: str) -> None:
    """Let go of a file that has been brought in."""
    try:
        _redis().delete(_key(token))
    except RedisError:
        return  # it goes by itself within the hour


def _key(token: str) -> str:
    settings = current_app.config["SETTINGS"]
    return f"{settings.environment}:{g.store.id}:upload:{token}"


def _redis() -> Redis:
    known = current_app.extensions.get("office_redis")
    if known is None:
        known = Redis.from_url(
            current_app.config["SETTINGS"].redis_url, socket_timeout=2, socket_connect_timeout=1
        )
        current_app.extensions["office_redis"] = known
    assert isinstance(known, Redis)
    return known
