"""Which addresses are public pages, and what of a request decides how one looks.

That is the host, the path, the language, whether photos are wanted, and the few words of the
query that the page reads.
Everything else in a request is left out of the key and kept from the page: what cannot reach a
page can neither split its copies nor poison them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from app.web.page_kinds import KINDS, LANGUAGE, is_personal, kind_of
from app.web.photos import wants_photos
from app.web.tenancy import language_cookie, request_host, requested_language

Key = tuple[str, str, str, str, bool]  # host, path, query, language, with photos
RawKey = tuple[str | None, str | None, str | None, str | None, str | None, str | None, bool]
ENCODINGS = ("br", "gzip", "identity")
MOST_WORDS = 40  # of a query, whatever they are
MOST_BYTES = 2_048  # of a query that is read at all


@dataclass(slots=True)
class Asked:
    """A page as somebody asked for it: one ``key`` for all who get the same words."""

    kind: str
    host: str
    path: str
    query: str  # only what the page reads, in one order
    language: str
    has_photos: bool
    encoding: str
    key: Key = field(init=False)

    def __post_init__(self) -> None:
        self.key = (self.host, self.path, self.query, self.language, self.has_photos)


def raw_key(environ: dict[str, Any]) -> RawKey:
    """The parts of a request that ``read`` looks at, for remembering what it said."""
    get = environ.get
    cookie = get("HTTP_COOKIE")
    return (
        get("HTTP_HOST"),
        environ["PATH_INFO"],
        environ["QUERY_STRING"],
        get("HTTP_ACCEPT_ENCODING"),
        get("HTTP_ACCEPT_LANGUAGE"),
        language_cookie(cookie) if cookie else None,
        wants_photos(environ),
    )


def read(raw: RawKey) -> Asked | None:
    """Which public page a request is for; None when it is not for one."""
    host, path, query, encodings, languages, chosen, has_photos = raw
    kind = kind_of(path or "")
    if kind is None or len(query or "") > MOST_BYTES:
        return None
    try:
        words = parse_qsl(query or "", max_num_fields=MOST_WORDS)
    except ValueError:
        return None
    kept = _readable(kind, words)
    if kept is None:
        return None
    return Asked(
        kind=kind,
        host=request_host({"HTTP_HOST": host or ""}),
        path=path or "",
        query=urlencode(kept),
        language=requested_language(dict(kept).get("lang", ""), chosen or "", languages or ""),
        has_photos=has_photos,
        encoding=encoding_of(encodings or ""),
    )


def _readable(kind: str, words: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """The words of the query this kind of page reads, in one order; None for personal ones."""
    allowed = KINDS[kind][1]
    kept: dict[tuple[str, str], None] = {}
    for name, value in words:
        is_filter = name.startswith("a-") and "a-" in allowed
        pattern = LANGUAGE if name == "lang" else allowed.get("a-" if is_filter else name)
        if name == "q" and pattern is not None:
            value = " ".join(value.split())[:80]
            if is_personal(value):
                return None
        if pattern is None or len(name) > 60 or not pattern.fullmatch(value):
            continue
        # Of a word that has one value the first is read, as the page would; a filter has several.
        if is_filter or all(name != before for before, _ in kept):
            kept[name, value] = None
    return sorted(kept, key=lambda word: word[0])


@lru_cache(maxsize=1024)
def encoding_of(accepted: str) -> str:
    """The best of the three encodings that an Accept-Encoding header allows."""
    allowed = set()
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=") or "1"
        if name.strip() in ENCODINGS and re.fullmatch(r"0*1(?:\.0*)?|0*\.0*[1-9]\d*", quality):
            allowed.add(name.strip())
    return next((encoding for encoding in ENCODINGS if encoding in allowed), "identity")
