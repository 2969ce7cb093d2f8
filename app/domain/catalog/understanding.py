"""What a shopper means by the words in the search box, before any product is looked at.

English, Swahili and Sheng are typed side by side: "viatu za mase under 2k". Words with a meaning in
``synonyms.csv`` are looked for in all their meanings. A meaning is never looked up again, so the
list cannot go in circles, however it is written. Nothing here asks the database.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from types import MappingProxyType

MAX_QUERY_LENGTH = 80
MAX_WORDS = 12
MAX_TERMS = 8
MAX_WORD_LENGTH = 40
LONGEST_PHRASE = 4  # words
SHORTEST_SLIP = 3  # letters: a shorter word is taken as it is
LEAST_PRICE_CENTS = 50_00  # "under 18" is no price

# As the database's own app.plain_words: what stands between words.
_BETWEEN_WORDS = re.compile(
    "[\u0000-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u02b0-\u036f\u2000-\u206f\u2190-\u2bff"
    "\u3000-\u303f\ufe00-\ufe0f\ufeff\uff00-\uff0f\ufff0-\uffff]+"
)
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")

_AMOUNT = (
    r"(?:kes|kshs?|shs?|shilingi)?\.?\s*(?:(?:elfu|thao|ngiri)\s+(\d{1,3})|(\d[\d,]{0,10})(?:\.\d+)?\s*(k|thao|ngiri|elfu)?)"
    r"(?![a-z0-9])(?:\s*(?:(?:kes|kshs?|shs?|bob|shillings?|shilingi)(?![a-z])|/[=-]))?"
)
_UNDER = re.compile(
    r"\b(?:under|below|less than|cheaper than|up ?to|upto|not over|not more than|max(?:imum)?"
    r"|chini ya|isiyozidi|isizidi|hadi|mpaka)\s+" + _AMOUNT
)
_OVER = re.compile(
    r"\b(?:over|above|more than|from|min(?:imum)?|at least|zaidi ya|kuanzia|juu ya)\s+" + _AMOUNT
)
_FROM_TO = re.compile(
    r"\b(?:between|kati ya|from|kuanzia)\s+"
    + _AMOUNT
    + r"\s*(?:and|to|na|hadi|mpaka|-)\s*"
    + _AMOUNT
)

# What people say around the thing they want.
_LEFT_OUT = frozenset(
    re.findall(
        "[a-z]+",
        """
        a an the of for with in on at to and or up i want need buy get looking find me my some any
        best good nice cheap cheapest affordable price prices cost how much sale offer offers deal
        deals shop store online kenya kes ksh inch inches original og orijino origi new latest
        ya wa la cha vya za kwa na ni nataka natafuta nahitaji nipe niuzie bei gani ngapi rahisi
        nafuu poa mzuri nzuri zuri vizuri bora mpya duka kununua nunua tafadhali ofa punguzo halisi s
        """,
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One thing a product must have: every way to say it, as small plain words.

    ``typed`` is the word itself where it may be a slip of the fingers.
    """

    phrases: tuple[str, ...]
    typed: str | None = None
    is_begun: bool = False  # the word is still being typed


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A search as understood. Prices in cents; no terms means everything."""

    terms: tuple[Term, ...]
    pairs: tuple[str, ...]  # neighbours written as one word: smartwatch
    least_cents: int | None = None
    most_cents: int | None = None


def clean(text: str) -> str:
    """What was typed without what cannot be seen, in single spaces, at most 80 characters."""
    visible = _INVISIBLE.sub("", text[: 4 * MAX_QUERY_LENGTH].replace("\x00", ""))
    return " ".join("".join(c for c in visible if c.isprintable() or c.isspace()).split())[
        :MAX_QUERY_LENGTH
    ].strip()


def understand(text: str, *, is_begun: bool = False) -> Wish:
    """Read a search. ``is_begun`` while somebody types: the last word may be half a word."""
    text = clean(text).casefold()
    text, least, most = _without_prices(text)
    words = plain_words(text)
    terms = list(_terms(words)) or [_term(word) for word in words]
    terms = terms[:MAX_TERMS]
    if is_begun and terms and words and terms[-1].typed == words[-1]:
        terms[-1] = Term(phrases=terms[-1].phrases, typed=terms[-1].typed, is_begun=True)
    pairs = tuple(a + b for a, b in pairwise(words))
    return Wish(
        terms=tuple(_with_pairs(terms, words)), pairs=pairs, least_cents=least, most_cents=most
    )


def plain_words(text: str) -> list[str]:
    """Small letters and digits: "TYB-201 (1.5L)" is tyb, 201, 1, 5l."""
    plain = unicodedata.normalize("NFKD", text.replace("'", "")).casefold()
    return [word[:MAX_WORD_LENGTH] for word in _BETWEEN_WORDS.split(plain) if word][:MAX_WORDS]


def forms(word: str) -> tuple[str, ...]:
    """An English word in one and in many, itself first: watches, watch, watchs."""
    if len(word) < 4 or not word.isalpha():
        return (word,)
    one = word
    if word.endswith("ies") and len(word) > 4:
        one = word[:-3] + "y"
    elif word.endswith(("ches", "shes", "sses", "xes")):
        one = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        one = word[:-1]
    many = one + "s"
    if one.endswith("y") and one[-2] not in "aeiou":
        many = one[:-1] + "ies"
    elif one.endswith(("ch", "sh", "ss", "x")):
        many = one + "es"
    return tuple(dict.fromkeys((word, one, many)))


@lru_cache(maxsize=1)
def meanings() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """What to look for besides the words typed: those of the list, and the other way round.

    A typed word leads to all its meanings. The first meaning of a line, its plain English name,
    leads back to the first word of the line: a shop may have named its goods in Swahili.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    back: dict[tuple[str, ...], list[str]] = {}
    text = (files(__package__) / "synonyms.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        words = [" ".join(plain_words(word)) for word in row["words"].split(";")]
        means = [_spoken(" ".join(plain_words(word))) for word in row["means"].split(";")]
        for word in words:
            found.setdefault(tuple(word.split()), []).extend(_unique(*means))
        for form in means[0]:
            back.setdefault(tuple(form.split()), []).extend(words[:2])
    for typed, leads in back.items():
        found.setdefault(typed, leads)
    return MappingProxyType({key: tuple(dict.fromkeys(value)) for key, value in found.items()})


@lru_cache(maxsize=1)
def _english() -> frozenset[tuple[str, ...]]:
    """Meanings that lead back only: they may be a slip for another word, and have a plural."""
    text = (files(__package__) / "synonyms.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    typed = {tuple(plain_words(word)) for row in rows for word in row["words"].split(";")}
    return frozenset(key for key in meanings() if key not in typed)


def _as_typed(span: tuple[str, ...]) -> tuple[str, ...]:
    return _spoken(" ".join(span)) if span in _english() else (" ".join(span),)


def _terms(words: Sequence[str]) -> Iterator[Term]:
    """The longest phrases of the list first; then what is left, without words that say nothing."""
    known = meanings()
    at = 0
    while at < len(words):
        for size in range(min(LONGEST_PHRASE, len(words) - at), 0, -1):
            span = tuple(words[at : at + size])
            if span in known:
                yield Term(
                    phrases=_unique(_as_typed(span), known[span]),
                    typed=span[0] if span in _english() and size == 1 else None,
                )
                at += size
                break
        else:
            if words[at] not in _LEFT_OUT:
                yield _term(words[at])
            at += 1


def _term(word: str) -> Term:
    may_be_slip = len(word) >= SHORTEST_SLIP and not word.isdigit()
    return Term(phrases=forms(word), typed=word if may_be_slip else None)


def _spoken(phrase: str) -> tuple[str, ...]:
    """A phrase with its last word in one and in many."""
    first, _, last = phrase.rpartition(" ")
    return tuple(f"{first} {form}".strip() for form in forms(last))


def _unique(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for group in groups for phrase in group))


def _with_pairs(terms: Sequence[Term], words: Sequence[str]) -> Iterator[Term]:
    """Two words may be one in the shop: each of "micro wave" is also found in microwave."""
    for term in terms:
        if term.typed is None or term.typed not in words:
            yield term
            continue
        at = words.index(term.typed)
        beside = [a + b for a, b in pairwise(words)][max(0, at - 1) : at + 1]
        yield Term(phrases=(*term.phrases, *beside), typed=term.typed, is_begun=term.is_begun)


def _without_prices(text: str) -> tuple[str, int | None, int | None]:
    """The words without a price limit, and the limits in cents."""
    least = most = None
    if (found := _FROM_TO.search(text)) and (both := _cents(*found.groups()[3:])):
        first = _cents(*found.groups()[:3])
        if first is not None and first <= both:
            return text[: found.start()] + " " + text[found.end() :], first, both
    if (found := _UNDER.search(text)) and (limit := _cents(*found.groups())):
        most, text = limit, text[: found.start()] + " " + text[found.end() :]
    if (found := _OVER.search(text)) and (limit := _cents(*found.groups())):
        least, text = limit, text[: found.start()] + " " + text[found.end() :]
    return text, least, most


def _cents(thousands: str | None, number: str | None, unit: str | None) -> int | None:
    """The amount in cents; None for what is too small to be a price."""
    digits = (thousands or number or "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()):
        return None
    cents = int(digits) * 100 * (1000 if thousands or unit else 1)
    return cents if cents >= LEAST_PRICE_CENTS else None
