"""The places of the Nairobi metro, and finding one from what a person typed.

The list is the product's own file, ``areas.csv``. A store chooses from it where it
delivers; what that costs is the store's affair (``fees.py``). ``band`` is a rough
distance from the city centre set by hand, A (the centre) to F (another town).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from app.domain.errors import NotFound

BANDS = ("A", "B", "C", "D", "E", "F")
MAX_TYPED_LENGTH = 60

_NUMBER_WORDS = {"i": "1", "ii": "2", "iii": "3", "one": "1", "two": "2", "three": "3"}
# Before the name of a place: then even an ordinary word is one ("in Town", "to Savannah").
_TO_A_PLACE = frozenset(
    {"in", "at", "to", "near", "around", "within", "mpaka", "hadi", "huko", "kule", "kwa"}
)
_BRINGING = frozenset({"delivered", "delivery", "deliver", "delivering", "kuletewa", "leta"})
# Names that are words for goods or brands, or say nothing, when nothing before them tells of a place.
_ALSO_WORDS = frozenset(
    re.findall(
        "[a-z0-9]+",
        """
        44 45 87 adams akiba airport athi bahati banana base bunga cali california carnivore chaka
        community congo dandy doni donie donnie emba fedha gm greenfields greenspan hamza harambee
        hardy hazina highridge highrise hunters imara inda industrial jericho junction kasa kawa kayo
        kikuyu kile kili kimbo kite kitenge koch koma kona ku lenana lindi macha majengo mabatini
        makina mlo mowlem nyayo olympic pipe pipeline prestige redhill roasters ruben satellite
        savanna savannah seasons south southlands sukari survey tala taj tao tatu tena thome town
        uhuru uta utalii wilson windsor yaya zambezi zima zimma zimmer
        """,
    )
)
_LONGEST_NAME = 4  # words
_NOISE = frozenset({"estate", "area", "stage", "nairobi", "kenya", "near", "around", "in", "at"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """One place people name when they say where to deliver."""

    slug: str
    name: str
    aliases: tuple[str, ...]
    county: str
    ward: str
    band: str


class UnknownArea(NotFound, KeyError):
    """No area has this slug."""

    # KeyError would print the sentence in quotation marks.
    __str__ = Exception.__str__


@dataclass(frozen=True, slots=True)
class _Spelling:
    """One way to write an area: ``compact`` without spaces, ``folded`` for near misses."""

    area: Area
    compact: str
    folded: str
    tail: str


@lru_cache(maxsize=1)
def all_areas() -> tuple[Area, ...]:
    """Every area we know, Nairobi first, then by name."""
    text = (files(__package__) / "areas.csv").read_text(encoding="utf-8")
    return tuple(
        Area(
            slug=row["slug"],
            name=row["name"],
            aliases=tuple(filter(None, row["aliases"].split("; "))),
            county=row["county"],
            ward=row["ward"],
            band=row["band"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def get_area(slug: str) -> Area:
    """The area with this slug. Raises UnknownArea, a NotFound and a KeyError."""
    try:
        return _by_slug()[slug]
    except KeyError:
        raise UnknownArea from None


def find_area(text: str) -> Area | None:
    """The one area the person means, or None when that is not clear.

    Takes names, nicknames and small slips ("Westi", "kilimni", "umoja two"). Names that
    differ only in a letter or number at the end (South B, Githurai 44) need that end
    right, and "Umoja" alone is no answer: ``suggest_areas`` offers both.
    """
    if len(text) > MAX_TYPED_LENGTH:
        return None
    return _find(_tokens(text)) or next(
        filter(None, (_find_exactly(_tokens(part)) for part in re.split("[,;/]", text))), None
    )


def suggest_areas(text: str, limit: int = 5) -> list[Area]:
    """Areas to offer while somebody types, best first; none for an empty field."""
    tokens = _tokens(text[:MAX_TYPED_LENGTH])
    compact = "".join(tokens)
    if not compact:
        return []
    ranks: dict[str, tuple[int, str]] = {}
    if found := _find(tokens):
        ranks[found.slug] = (0, found.name)
    for spelling in _spellings():
        is_name = spelling.compact == "".join(_tokens(spelling.area.name))
        if spelling.compact.startswith(compact):
            rank = 1 if is_name else 2
        elif len(compact) >= 3 and compact in spelling.compact:
            rank = 3
        elif _is_near_the_start(_folded(compact), spelling.folded):
            rank = 4
        else:
            continue
        slug, name = spelling.area.slug, spelling.area.name
        ranks[slug] = min(ranks.get(slug, (9, name)), (rank, name))
    return [_by_slug()[slug] for slug in sorted(ranks, key=ranks.__getitem__)[:limit]]


def split_area(text: str) -> tuple[tuple[Area, ...], str]:
    """The place that is named among other words, and those words without it.

    "saa kilimani" is Kilimani and "saa". Several areas come back where the name does not tell
    them apart (Umoja), none where no place is named. A name that is an ordinary word as well
    counts only after "in", "to" and the like; so do slips ("in kilimni").
    """
    words = text[: 4 * MAX_TYPED_LENGTH].split()
    for size in range(min(_LONGEST_NAME, len(words)), 0, -1):
        for start in range(len(words) - size, -1, -1):
            is_led = start > 0 and _plain(words[start - 1]) in _TO_A_PLACE
            areas = _named(" ".join(words[start : start + size]), is_led=is_led)
            if areas:
                kept = words[: start - is_led]
                if kept and _plain(kept[-1]) in _BRINGING:
                    kept.pop()
                return areas, " ".join(kept + words[start + size :])
    return (), text


def _named(name: str, *, is_led: bool) -> tuple[Area, ...]:
    tokens = _tokens(name[:MAX_TYPED_LENGTH])
    compact = "".join(tokens)
    if not compact or (not is_led and (compact in _ALSO_WORDS or len(compact) < 3)):
        return ()
    exact = _exact().get(compact)
    if exact is not None:
        return (exact,)
    if alike := _by_stem().get(compact):
        return alike
    near = _find_nearly(tokens) if is_led and len(compact) >= 5 else None
    return (near,) if near is not None else ()


def _plain(word: str) -> str:
    return "".join(_tokens(word[:MAX_TYPED_LENGTH]))


@lru_cache(maxsize=1)
def _by_stem() -> Mapping[str, tuple[Area, ...]]:
    """Names without the number or letter that tells them apart: umoja → I and II."""
    stems: defaultdict[str, dict[str, Area]] = defaultdict(dict)
    for area in all_areas():
        tokens = _tokens(area.name)
        if len(tokens) > 1 and _tail(tokens):
            stems["".join(tokens[:-1])][area.slug] = area
    return MappingProxyType({stem: tuple(a.values()) for stem, a in stems.items() if len(a) > 1})


@lru_cache(maxsize=1)
def _by_slug() -> Mapping[str, Area]:
    return MappingProxyType({area.slug: area for area in all_areas()})


@lru_cache(maxsize=1)
def _spellings() -> tuple[_Spelling, ...]:
    return tuple(
        _Spelling(area, "".join(tokens), _folded("".join(tokens)), _tail(tokens))
        for area in all_areas()
        for tokens in map(_tokens, (area.name, *area.aliases))
    )


@lru_cache(maxsize=1)
def _exact() -> Mapping[str, Area]:
    return MappingProxyType({spelling.compact: spelling.area for spelling in _spellings()})


@lru_cache(maxsize=1)
def _by_first_letter() -> Mapping[str, tuple[_Spelling, ...]]:
    groups: defaultdict[str, list[_Spelling]] = defaultdict(list)
    for spelling in _spellings():
        groups[spelling.folded[0]].append(spelling)
    return MappingProxyType({letter: tuple(group) for letter, group in groups.items()})


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    """The words in plain small letters, with numbers as digits: "Umoja II" → umoja 2."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = re.sub("['\u2019\u02bc`\u0300-\u036f]", "", plain)
    return tuple(_NUMBER_WORDS.get(word, word) for word in re.findall("[a-z]+|[0-9]+", plain))


@lru_cache(maxsize=4096)
def _find(tokens: tuple[str, ...]) -> Area | None:
    return _find_exactly(tokens) or _find_nearly(tokens) or _find_nearly(_without_noise(tokens))


def _find_exactly(tokens: tuple[str, ...]) -> Area | None:
    exact = _exact()
    return exact.get("".join(tokens)) or exact.get("".join(_without_noise(tokens)))


def _without_noise(tokens: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(token for token in tokens if token not in _NOISE)


def _find_nearly(tokens: tuple[str, ...]) -> Area | None:
    """The area with the fewest slips; None when two areas are equally near."""
    folded, tail = _folded("".join(tokens)), _tail(tokens)
    best, best_slips = None, 99
    for spelling in _by_first_letter().get(folded[:1], ()):
        if spelling.tail != tail:
            continue
        allowed = _slips_allowed(min(len(folded), len(spelling.folded)))
        slips = _slips(folded, spelling.folded, min(allowed, best_slips))
        if slips > allowed or slips > best_slips:
            continue
        if slips < best_slips:
            best, best_slips = spelling.area, slips
        elif best != spelling.area:
            best = None
    return best


def _tail(tokens: tuple[str, ...]) -> str:
    """What tells South B from South C and Githurai 44 from 45, and must not be guessed."""
    digits = "".join(token for token in tokens if token.isdigit())
    letter = tokens[-1] if len(tokens) > 1 and len(tokens[-1]) == 1 else ""
    return digits or letter


@lru_cache(maxsize=4096)
def _folded(compact: str) -> str:
    """The letters as they sound: c and k, l and r at the start, doubled letters."""
    folded = re.sub(r"([a-z])\1+", r"\1", compact.replace("c", "k"))
    return "l" + folded[1:] if folded.startswith("r") else folded


def _slips_allowed(length: int) -> int:
    if length <= 4:
        return 0
    return 1 if length <= 7 else 2 if length <= 11 else 3


def _is_near_the_start(typed: str, folded: str) -> bool:
    """True when what was typed so far is, give or take a slip, how the spelling begins."""
    allowed = min(_slips_allowed(len(typed)), 2)
    if not allowed or typed[0] != folded[0]:
        return False
    return any(
        _slips(typed, start, allowed) <= allowed for start in _starts(folded, len(typed), allowed)
    )


def _starts(folded: str, length: int, allowed: int) -> Iterator[str]:
    for end in range(length - allowed, min(length + allowed, len(folded)) + 1):
        yield folded[:end]


def _slips(typed: str, meant: str, most: int) -> int:
    """Letters added, missed, changed or swapped between two words; ``most + 1`` if more."""
    if abs(len(typed) - len(meant)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(typed, 1):
        two_before, before, row = before, row, [i]
        for j, other in enumerate(meant, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and typed[i - 2] == other:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
