"""The kinds of public pages: where they are, and which words of a query each of them reads."""

from __future__ import annotations

import re

from app.i18n import LOCALES

SLUG = "[a-z0-9](?:-?[a-z0-9]){0,99}"
_NUMBER = re.compile(r"[0-9]{1,9}")
_SORT = re.compile(r"-?[a-z_]{1,20}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f]{1,80}")
LANGUAGE = re.compile("|".join(LOCALES))
# Somebody's phone or order number, typed into the search: shown to them and kept nowhere.
_PERSONAL = re.compile(r"\d(?:[ +()-]*\d){6}|@")

# What of the query each kind of page reads, and what a value must look like to be read.
_LIST_WORDS = {
    "sort": _SORT, "max": _NUMBER, "stock": _NUMBER, "page": _NUMBER,
    "after": re.compile(SLUG), "a-": _VALUE,
}  # fmt: skip
KINDS: dict[str, tuple[re.Pattern[str], dict[str, re.Pattern[str]]]] = {
    "home": (re.compile("/"), {}),
    "product": (re.compile(f"/p/{SLUG}"), {f"option-{at}": _VALUE for at in range(5)}),
    "category": (re.compile(f"/c/{SLUG}(?:/list)?"), _LIST_WORDS),
    "search": (re.compile("/search(?:/list)?"), {"q": re.compile(r"(?s).+"), **_LIST_WORDS}),
    "suggest": (re.compile("/search/suggest"), {"q": re.compile(r"(?s).+")}),
    "area": (re.compile(f"/areas(?:/{SLUG}){{0,2}}"), {}),
    "page": (re.compile(f"/pages/{SLUG}"), {}),
    "trust": (re.compile("/trust"), {}),
}


def kind_of(path: str) -> str | None:
    """The kind of public page at a path, or None."""
    for kind, (pattern, _words) in KINDS.items():
        if pattern.fullmatch(path):
            return kind
    return None


def is_personal(words: str) -> bool:
    """Whether what was typed may be somebody's number or address, which no copy may hold."""
    return _PERSONAL.search(words) is not None
