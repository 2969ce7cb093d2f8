"""Is this a Swahili word? A speller's list of words, and how Swahili builds verbs upon a stem.

The list (sw_TZ, LGPL) is reference data of the tests alone: nothing of it is in the product.
It has stems and common forms, but nobody could list what prefixes make of a verb
(``hazi-ja-tengenez-wa``), so these are taken off before a word is looked up.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

OWN_WORDS = Path(__file__).parent / "data" / "swahili_words.txt"

_SUBJECT = "ni|u|a|tu|m|wa|i|zi|ki|vi|li|ya|pa|ku|mu|w|y|z|l|ch|vy|k|p"
_NEGATIVE = "si|hu|ha|hatu|ham|hawa|hai|hau|hazi|haki|havi|hali|haya|haku|hapa|hamu"
_TENSE = "na|li|ta|me|mesha|lisha|kisha|ja|ku|ki|nge|ka|sipo|taka|si|o|naye"
_RELATIVE = "po|ko|mo|vyo|cho|zo|yo|ye|o|lo"
_OBJECT = "ni|ku|tu|wa|m|mw|i|zi|li|ya|ki|vi|u|pa|ji|mu"
_PREFIXES = re.compile(
    rf"(?:(?:{_NEGATIVE})(?:ja|ku|ta)?|(?:{_SUBJECT})(?:{_TENSE})?(?:{_RELATIVE})?"
    rf"|hu|usi|asi|isi|msi|tusi|wasi|zisi|yasi|visi|ku|)(?:{_RELATIVE})?(?:{_OBJECT})?"
)
_EXTENSIONS = (
    "isha", "esha", "ika", "eka", "ia", "ea", "iana", "ana", "ishwa", "iwa", "ewa", "liwa", "lewa",
)  # fmt: skip
_WORD = re.compile(r"[a-z]+")


def words_of(text: str) -> list[str]:
    """The words of a translation, small, without its places to fill."""
    return _WORD.findall(re.sub(r"%\(\w+\)s|\{\w+\}|%%", " ", text).lower())


def is_swahili(word: str, speller: Path) -> bool:
    """Whether the speller has the word or the stem it is built on, or we allow it by name."""
    known, stems = _lists(speller)
    return word in known or any(
        _PREFIXES.fullmatch(word[:at]) and _is_stem(word[at:], stems) for at in range(len(word) - 2)
    )


@cache
def _lists(speller: Path) -> tuple[frozenset[str], frozenset[str]]:
    listed = {
        line.partition("/")[0].strip().lower()
        for line in speller.read_text(encoding="latin-1").splitlines()
    }
    own = {
        line.strip().lower()
        for line in OWN_WORDS.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    infinitives = {word[2:] for word in listed if word.startswith("ku") and len(word) > 4}
    return frozenset(listed | own), frozenset(listed | infinitives)


def _is_stem(stem: str, stems: frozenset[str]) -> bool:
    """The stem itself, or with its ending, passive, causative or applied form taken off."""
    tried = {stem} | ({stem[:-1] + "a"} if stem[-1] in "ie" else set())
    for form in list(tried):
        if form.endswith("wa"):
            short = form[:-2]
            tried |= {short, short + "a"}
            tried |= {re.sub("(li|le|[ie])$", "a", short)}
        tried |= {form[: -len(end)] + "a" for end in _EXTENSIONS if form.endswith(end)}
    return any(len(form) >= 3 and form in stems for form in tried)
