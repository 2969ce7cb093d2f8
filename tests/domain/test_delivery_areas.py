"""The area list, and finding a place from what a person typed."""

from __future__ import annotations

import csv
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from app.domain.delivery.areas import (
    BANDS,
    UnknownArea,
    all_areas,
    find_area,
    get_area,
    suggest_areas,
)
from app.domain.errors import NotFound

DATA = Path(__file__).parents[1] / "data"
COUNTIES = {"Nairobi", "Kiambu", "Kajiado", "Machakos"}

NONSENSE = [
    "",
    "   ",
    "!!!",
    "x",
    "1",
    "asdfgh",
    "qwertyuiop",
    "pizza",
    "hello there",
    "nipelekee hapo",
    "mombasa",
    "Kisumu",
    "Eldoret",
    "Kampala",
    "London",
    "estate",
    "Nairobi",
    "my house",
    "null",
    "<script>alert(1)</script>",
    "'; drop table areas; --",
    "0712 345 678",
    "karibu",
    "\u0661\u0662",
    "westlands " * 20,
]


def _misspellings() -> list[tuple[str, str]]:
    with (DATA / "area_misspellings.csv").open(encoding="utf-8", newline="") as file:
        return [(row["typed"], row["slug"]) for row in csv.DictReader(file)]


MISSPELLINGS = _misspellings()


def _found(text: str) -> str | None:
    area = find_area(text)
    return area.slug if area else None


@pytest.mark.row("N23", "F13")
def test_the_list_covers_the_metro_with_one_row_per_place() -> None:
    areas = all_areas()

    assert len(areas) >= 200
    assert len({area.slug for area in areas}) == len(areas)
    assert len({area.name for area in areas}) == len(areas)
    assert {area.county for area in areas} == COUNTIES
    assert {area.band for area in areas} == set(BANDS)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", area.slug) for area in areas)


@pytest.mark.row("F13")
@pytest.mark.parametrize(
    ("slug", "county"),
    [
        ("buruburu", "Nairobi"),
        ("githurai-44", "Nairobi"),
        ("githurai-45", "Kiambu"),
        ("kahawa-sukari", "Kiambu"),
        ("kahawa-wendani", "Kiambu"),
        ("kahawa-west", "Nairobi"),
        ("ruaka", "Kiambu"),
        ("kikuyu", "Kiambu"),
        ("thika", "Kiambu"),
        ("ongata-rongai", "Kajiado"),
        ("kitengela", "Kajiado"),
        ("ngong-town", "Kajiado"),
        ("syokimau", "Machakos"),
        ("mlolongo", "Machakos"),
        ("athi-river", "Machakos"),
    ],
)
def test_a_place_is_in_its_own_county(slug: str, county: str) -> None:
    assert get_area(slug).county == county


@pytest.mark.row("N23")
def test_every_name_and_alias_means_one_place_only() -> None:
    wrong = [
        (text, area.slug, _found(text))
        for area in all_areas()
        for text in (area.name, area.name.upper(), *area.aliases)
        if _found(text) != area.slug
    ]
    assert wrong == []


@pytest.mark.row("N23")
def test_there_are_at_least_60_misspellings() -> None:
    assert len(dict(MISSPELLINGS)) >= 60


@pytest.mark.row("N23")
@pytest.mark.parametrize(("typed", "slug"), MISSPELLINGS)
def test_a_misspelling_finds_its_area(typed: str, slug: str) -> None:
    assert _found(typed) == slug


@pytest.mark.row("N23")
@pytest.mark.parametrize("typed", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_finds_nothing(typed: str) -> None:
    assert _found(typed) is None


@pytest.mark.row("N23")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("umoja", {"umoja-1", "umoja-2"}),
        ("umoja 3", {"umoja-1", "umoja-2"}),
        ("south", {"south-b", "south-c"}),
        ("south d", {"south-b", "south-c"}),
        ("southd", {"south-b", "south-c"}),
        ("githurai", {"githurai-44", "githurai-45"}),
        ("githurai 46", {"githurai-44", "githurai-45"}),
        ("kahawa", {"kahawa-west", "kahawa-sukari", "kahawa-wendani"}),
        ("ruraka", {"ruaka", "ruaraka"}),
    ],
)
def test_what_could_be_two_places_is_asked_and_not_guessed(typed: str, offered: set[str]) -> None:
    assert _found(typed) is None
    assert offered <= {area.slug for area in suggest_areas(typed)}


@pytest.mark.row("N23")
@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("wes", "westlands"),
        ("West", "westlands"),
        ("Kilel", "kileleshwa"),
        ("kilemani", "kilimani"),
        ("lavigto", "lavington"),
        ("buru", "buruburu"),
        ("TRM", "thika-road-mall"),
    ],
)
def test_areas_are_offered_while_somebody_types(typed: str, first: str) -> None:
    assert suggest_areas(typed)[0].slug == first


def test_no_more_is_offered_than_asked_and_nothing_for_an_empty_field() -> None:
    assert len(suggest_areas("k", limit=3)) == 3
    assert suggest_areas("  ") == []
    assert suggest_areas("zzzz") == []


def test_an_unknown_slug_is_not_found() -> None:
    with pytest.raises(UnknownArea, match=r"^We could not find that\.$") as error:
        get_area("atlantis")
    assert isinstance(error.value, NotFound)
    assert isinstance(error.value, KeyError)


@pytest.mark.alone
@pytest.mark.row("N23")
def test_ten_thousand_lookups_are_quick() -> None:
    typed = [text for text, _ in MISSPELLINGS] + NONSENSE
    started = time.perf_counter()
    for turn in range(10_000):
        find_area(typed[turn % len(typed)])
    assert time.perf_counter() - started < 1.0


@pytest.mark.alone
def test_ten_thousand_different_typings_are_quick_too() -> None:
    names = [area.name for area in all_areas()]
    typed = [f"{name[:3]}{letter}{name[3:]}" for letter in "abcdefgh" for name in names]
    started = time.perf_counter()
    outcomes = Counter(find_area(text) is None for text in typed * 5)
    assert time.perf_counter() - started < 5.0
    assert outcomes[False] > outcomes[True]
