"""What words mean, before any product is looked at."""

from __future__ import annotations

import csv
import time
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.catalog import understanding
from app.domain.catalog.understanding import MAX_TERMS, clean, forms, meanings, understand


def phrases(query: str) -> set[str]:
    return {phrase for term in understand(query).terms for phrase in term.phrases}


@pytest.mark.row("N60")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("viatu", "shoe"),
        ("saa", "watch"),
        ("saa ya ukutani", "wall clock"),
        ("friji", "fridge"),
        ("SIMU", "phone"),
        ("mikoba", "handbag"),
        ("kapelo", "beanie"),
        ("viatu za mase", "men"),
        ("watches", "watch"),
        ("batteries", "battery"),
        ("micro wave", "microwave"),
        ("phone", "simu"),
    ],
)
def test_words_lead_to_their_meanings(typed: str, meant: str) -> None:
    assert meant in phrases(typed)


def test_a_phrase_is_more_than_its_words() -> None:
    assert "watch" not in phrases("saa ya ukutani")
    assert "cooker" not in phrases("jiko la gesi")
    assert "gas cooker" in phrases("jiko la gesi")


@pytest.mark.row("N60")
def test_the_list_has_many_words_with_their_plurals() -> None:
    text = (files("app.domain.catalog") / "synonyms.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    words = [word for row in rows for word in row["words"].split(";")]
    assert len(rows) >= 150
    assert len(words) >= 400
    assert {"kiatu", "viatu", "mkoba", "mikoba", "kiti", "viti", "kisu", "visu"} <= set(words)
    assert all(row["means"].strip() for row in rows)


@pytest.mark.row("N60")
def test_words_that_mean_each_other_do_not_go_round(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = {("a1",): ("b1",), ("b1",): ("c1",), ("c1",): ("a1", "b1")}
    monkeypatch.setattr(understanding, "meanings", lambda: loop)
    for word in ("a1", "b1", "c1"):
        [term] = understand(word).terms
        assert set(term.phrases) == {word, *loop[(word,)]}
    assert len(understand("a1 b1 c1 " * 400).terms) <= MAX_TERMS


@pytest.mark.parametrize(
    ("typed", "least", "most"),
    [
        ("watches under 3000", None, 3_000_00),
        ("watches under 3,000", None, 3_000_00),
        ("saa chini ya 3k", None, 3_000_00),
        ("saa chini ya elfu 3", None, 3_000_00),
        ("viatu kati ya 1000 na 2500", 1_000_00, 2_500_00),
        ("shoes between 1000 and 2500 bob", 1_000_00, 2_500_00),
        ("laptop zaidi ya 20000", 20_000_00, None),
        ("tv from ksh 10k to ksh 20k", 10_000_00, 20_000_00),
        ("phone up to 16gb", None, None),
        ("shoes under 18", None, None),
        ("under\u0663000", None, None),
    ],
)
def test_prices_are_limits(typed: str, least: int | None, most: int | None) -> None:
    wish = understand(typed)
    assert (wish.least_cents, wish.most_cents) == (least, most)


def test_one_and_many() -> None:
    assert forms("watches") == ("watches", "watch")
    assert forms("dress") == ("dress", "dresses")
    assert forms("battery") == ("battery", "batteries")
    assert forms("bus") == ("bus", "buses") or forms("bus") == ("bus",)
    assert forms("128gb") == ("128gb",)


@given(st.text(max_size=400))
def test_anything_typed_is_read(text: str) -> None:
    wish = understand(text)
    assert len(wish.terms) <= MAX_TERMS
    assert "\x00" not in clean(text)
    for term in wish.terms:
        assert all("'" not in phrase and "\\" not in phrase for phrase in term.phrases)


@pytest.mark.alone
def test_ten_thousand_letters_are_read_at_once() -> None:
    begun = time.perf_counter()
    for text in ("x" * 10_000, "under " * 2_000, "9" * 10_000, "between 1 and " * 900):
        understand(text)
    assert time.perf_counter() - begun < 0.5
    assert len(meanings()) > 400
