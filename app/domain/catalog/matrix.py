"""From what a product can be chosen in to the ways of buying it: colours times sizes.

Plain values only. What exists already is found again in the new matrix, also when a value was
spelled anew, so that its stock, price and history stay with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

MAX_OPTIONS = 3
MAX_VALUES = 30
MAX_VARIANTS = 100


def combinations(values: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Every way to choose one value of each option, in order; one empty way for no options."""
    return list(product(*values))


def split_values(text: str) -> list[str]:
    """The values a person typed between commas or line ends, each once, in their order."""
    seen: dict[str, str] = {}
    for part in text.replace("\n", ",").replace(";", ",").split(","):
        value = " ".join(part.split())[:60]
        if value:
            seen.setdefault(value.lower(), value)
    return list(seen.values())


def renamed(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """Old value to new where a value was only spelled anew.

    The lists are equally long and the old value is gone while the new one was not there: one
    stands in the other's place.
    """
    if len(before) != len(after):
        return {}
    return {
        old: new
        for old, new in zip(before, after, strict=True)
        if old != new and old not in after and new not in before
    }


def values_in_use(rows: Sequence[Sequence[str]], position: int) -> list[str]:
    """The values of one option over existing rows, each once, in the order they appear."""
    return list(dict.fromkeys(row[position] for row in rows if position < len(row)))


def carried_over(
    rows: Sequence[tuple[str, ...]],
    old_names: Sequence[str],
    new_names: Sequence[str],
    new_values: Sequence[Sequence[str]],
) -> dict[tuple[str, ...], int]:
    """Which existing row each way of the new matrix goes on as: way → index into ``rows``.

    An option that is new puts the existing rows under its first value; one that is gone leaves
    the first row of those that look alike without it. No row is used twice.
    """
    found: dict[tuple[str, ...], int] = {}
    spelled = [
        renamed(values_in_use(rows, old_names.index(name)), values) if name in old_names else {}
        for name, values in zip(new_names, new_values, strict=True)
    ]
    for index, row in enumerate(rows):
        way = []
        for name, values, news in zip(new_names, new_values, spelled, strict=True):
            at = old_names.index(name) if name in old_names else None
            had = row[at] if at is not None and at < len(row) else None
            way.append(news.get(had, had) if had is not None else (values[0] if values else ""))
        found.setdefault(tuple(way), index)
    wanted = set(combinations(new_values))
    return {way: index for way, index in found.items() if way in wanted}
