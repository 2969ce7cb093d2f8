"""Where pictures lie: a folder of this machine, or a bucket that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import LocalStore, S3Store

if TYPE_CHECKING:
    from obstore.store import S3Config

Bucket = LocalStore | S3Store

TYPES = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder, or with ``bucket`` an S3 bucket. Empty keys leave it to the machine's own role."""

    folder: str = "var/media"
    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


_place = Place()


def configure_media(place: Place) -> None:
    """Give this process its place for pictures, once, at start. Opens nothing yet."""
    global _place
    _place = place


def place_for(media_dir: str | None) -> Place:
    """The place of this process; with ``media_dir`` that folder, unless pictures lie in a bucket."""
    return _place if media_dir is None or _place.bucket else Place(folder=media_dir)


# Opened at first use, which in a worker is after the fork: it brings threads of its own.
@lru_cache(maxsize=8)
def open_bucket(place: Place) -> Bucket:
    """The store of a place; a folder is made when it is not there."""
    if not place.bucket:
        Path(place.folder).mkdir(parents=True, exist_ok=True)
        return LocalStore(prefix=place.folder)
    config: S3Config = {"virtual_hosted_style_request": False}
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if place.access_key:
        config["access_key_id"] = place.access_key
        config["secret_access_key"] = place.secret_key
    return S3Store(
        place.bucket,
        config=config,
        region=place.region or "us-east-1",
        client_options={
            "allow_http": place.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=3),
            "timeout": timedelta(seconds=15),
        },
        # A shopper waits for the answer, and a job comes again by itself.
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
    )


def keep(bucket: Bucket, path: str, data: bytes, *, kind: str | None = None) -> None:
    """Put bytes at a path. ``kind`` is the ending of a file that is served to everybody."""
    if kind is None or isinstance(bucket, LocalStore):
        bucket.put(path, data)  # a folder keeps no type: whoever serves it goes by the ending
    else:
        bucket.put(path, data, attributes={"Content-Type": TYPES[kind], "Cache-Control": FOR_EVER})


def fetch(bucket: Bucket, path: str) -> bytes | None:
    """The bytes at a path, or None when nothing is there."""
    try:
        return bytes(bucket.get(path).bytes())
    except FileNotFoundError:
        return None


def forget(bucket: Bucket, paths: list[str]) -> None:
    """Remove what lies at these paths; what is not there is removed already."""
    for path in paths:
        try:
            bucket.delete(path)
        except FileNotFoundError:
            continue


def older_than(bucket: Bucket, prefix: str, moment: datetime) -> Iterator[str]:
    """The paths below ``prefix`` that were last written before ``moment``."""
    for batch in bucket.list(prefix=prefix):
        for entry in batch:
            if entry["last_modified"] < moment:
                yield str(entry["path"])
