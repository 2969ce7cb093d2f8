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

from app.i18n import LOCALES
from app.web.photos import wants_photos
from app.web.tenancy import language_cookie, request_host, requested_language

Key = tuple[str, str, str, str, bool]  # host, path, query, language, with photos
RawKey = tuple[str | None, str | None, str | None, str | None, str | None, str | None, bool]
ENCODINGS = ("br", "gzip", "identity")
MOST_WORDS = 40  # of a query, whatever they are
MOST_BYTES = 2_048  # of a query that is read at all

_SLUG = "[a-z0-9](?:-?[a-z0-9]){0,99}"
_NUMBER = re.compile(r"[0-9]{1,9}")
_SORT = re.compile(r"-?[a-z_]{1,20}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f]{1,80}")
_LANGUAGE = re.compile("|".join(LOCALES))
# Somebody's phone or order number, typed into the search: shown to them and kept nowhere.
_PERSONAL = re.compile(r"\d(?:[ +()-]*\d){6}|@")

# What of the query each kind of page reads, and what a value must look like to be read.
_LIST_WORDS = {
    "sort": _SORT, "max": _NUMBER, "stock": _NUMBER, "page": _NUMBER,
    "after": re.compile(_SLUG), "a-": _VALUE,
}  # fmt: skip
KINDS: dict[str, tuple[re.Pattern[str], dict[str, re.Pattern[str]]]] = {
    "home": (re.compile("/"), {}),
    "product": (re.compile(f"/p/{_SLUG}"), {f"option-{at}": _VALUE for at in range(5)}),
    "category": (re.compile(f"/c/{_SLUG}(?:/list)?"), _LIST_WORDS),
    "search": (re.compile("/search(?:/list)?"), {"q": re.compile(r"(?s).+"), **_LIST_WORDS}),
    "suggest": (re.compile("/search/suggest"), {"q": re.compile(r"(?s).+")}),
    "area": (re.compile(f"/areas(?:/{_SLUG}){{0,2}}"), {}),
    "page": (re.compile(f"/pages/{_SLUG}"), {}),
    "trust": (re.compile("/trust"), {}),
}


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
        language=requested_language(dict(kept).get("lang"), chosen, languages),
        has_photos=has_photos,
        encoding=encoding_of(encodings or ""),
    )


def kind_of(path: str) -> str | None:
    """The kind of public page at a path, or None."""
    for kind, (pattern, _words) in KINDS.items():
        if pattern.fullmatch(path):
            return kind
    return None


def _readable(kind: str, words: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """The words of the query this kind of page reads, in one order; None for personal ones."""
    allowed = KINDS[kind][1]
    kept: dict[tuple[str, str], None] = {}
    for name, value in words:
        is_filter = name.startswith("a-") and "a-" in allowed
        pattern = _LANGUAGE if name == "lang" else allowed.get("a-" if is_filter else name)
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


def is_personal(words: str) -> bool:
    """Whether what was typed may be somebody's number or address, which no copy may hold."""
    return _PERSONAL.search(words) is not None


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
