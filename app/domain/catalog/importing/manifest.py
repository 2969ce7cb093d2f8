"""``dukani.json`` of our own full export: the categories, and what is known of each picture.

It may have been edited by anybody, so nothing of it is believed without a look.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from app.domain.catalog.importing import archives
from app.domain.catalog.importing.limits import BUNDLE_ENTRIES, UNPACKED_BYTES

NAME: Final = "dukani.json"
_SLUG: Final = re.compile(r"^[a-z0-9](-?[a-z0-9])*$")
_KEY: Final = re.compile(r"^[0-9a-f]{32}$")
_CATEGORIES: Final = 1_000


def read_manifest(data: bytes) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Categories in order, and pictures by key; empty for a file that is no full export."""
    if not archives.is_zip(data):
        return [], {}
    with archives.opened(data, entries_limit=BUNDLE_ENTRIES) as archive:
        body = archives.read_entry(archive, NAME, most_bytes=UNPACKED_BYTES)
    try:
        told = json.loads(body) if body else {}
    except ValueError:
        return [], {}
    if not isinstance(told, dict):
        return [], {}
    categories = [
        facts
        for one in _list(told.get("categories"))[:_CATEGORIES]
        if (facts := _category(one)) is not None
    ]
    pictures = told.get("pictures")
    known = pictures.items() if isinstance(pictures, dict) else ()
    return categories, {
        str(key): facts for key, one in known if _KEY.match(str(key)) and (facts := _picture(one))
    }


def _category(one: Any) -> dict[str, Any] | None:
    if not isinstance(one, dict) or not _SLUG.match(str(one.get("slug", ""))):
        return None
    days = one.get("return_days")
    return {
        "slug": str(one["slug"])[:100],
        "name": str(one.get("name") or one["slug"])[:200],
        "position": _whole(one.get("position"), most=10_000),
        "parent": str(one.get("parent") or ""),
        "attributes": _list(one.get("attributes")),
        "size_chart": _list(one.get("size_chart")),
        "return_days": _whole(days, most=90) if days is not None else None,
        "return_note": str(one.get("return_note") or ""),
        "photo_guide": _list(one.get("photo_guide")),
    }


def _picture(one: Any) -> dict[str, Any] | None:
    if not isinstance(one, dict):
        return None
    files = one.get("files")
    if not isinstance(files, dict):
        return None
    return {
        "width": _whole(one.get("width"), most=20_000),
        "height": _whole(one.get("height"), most=20_000),
        "tint": _whole(one.get("tint"), most=63),
        "is_filled": one.get("is_filled") is True,
        "focal_x": _whole(one.get("focal_x"), most=100, otherwise=50),
        "focal_y": _whole(one.get("focal_y"), most=100, otherwise=50),
        "files": {
            str(kind): [str(width) for width in widths]
            for kind, widths in files.items()
            if isinstance(widths, (list, dict))
        },
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: Any, *, most: int, otherwise: int = 0) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= most else otherwise
