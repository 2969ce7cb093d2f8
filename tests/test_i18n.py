"""Sentences in the reader's language, with English where there is no other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from app import i18n
from app.domain.errors import BelowMinimumOrder, OutOfStock
from app.i18n import (
    current_locale,
    gettext,
    gettext_lazy,
    ngettext,
    pgettext,
    set_locale,
    using_locale,
)


@pytest.fixture
def swahili(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A small Swahili catalogue of our own, in a folder of its own."""
    catalog = Catalog(locale="sw")
    catalog.add("Sold out", "Imeisha")
    catalog.add("Only %(n)s left in stock.", "Zimebaki %(n)s tu.")
    catalog.add(("%(n)s item", "%(n)s items"), ("kitu %(n)s", "vitu %(n)s"))
    catalog.add("%(hour)s pm", "saa %(dawn_hour)s jioni", context="evening")
    file = io.BytesIO()
    write_mo(file, catalog)
    folder = tmp_path / "sw" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "messages.mo").write_bytes(file.getvalue())
    monkeypatch.setattr(i18n, "TRANSLATIONS_DIR", tmp_path)
    with using_locale("sw"):
        yield


@pytest.mark.usefixtures("swahili")
def test_sentences_are_said_in_the_current_language() -> None:
    assert gettext("Sold out") == "Imeisha"
    assert gettext("Only %(n)s left in stock.", n=3) == "Zimebaki 3 tu."
    assert ngettext("%(n)s item", "%(n)s items", 1) == "kitu 1"
    assert ngettext("%(n)s item", "%(n)s items", 4) == "vitu 4"
    assert pgettext("evening", "%(hour)s pm", hour=6, dawn_hour=12) == "saa 12 jioni"


@pytest.mark.usefixtures("swahili")
def test_a_sentence_without_a_translation_is_said_in_english() -> None:
    assert gettext("Not translated yet") == "Not translated yet"


@pytest.mark.usefixtures("swahili")
def test_a_lazy_sentence_speaks_the_language_of_whoever_reads_it() -> None:
    sentence = gettext_lazy("Sold out")
    error = OutOfStock("TEA", 2)

    assert (str(sentence), str(error)) == ("Imeisha", "Zimebaki 2 tu.")
    with using_locale("en"):
        assert (str(sentence), str(error)) == ("Sold out", "Only 2 left in stock.")


def test_english_needs_no_catalogue_and_a_percent_sign_is_safe() -> None:
    assert gettext("10 % off") == "10 % off"
    assert ngettext("%(n)s item", "%(n)s items", 1) == "1 item"
    assert str(BelowMinimumOrder(500_00)) == (
        "The smallest order we deliver there is KES\u00a0500."
    )


@pytest.mark.parametrize(
    ("asked", "spoken"), [("sw", "sw"), ("sw-KE", "sw"), ("sw_KE", "sw"), ("fr", "en"), ("", "en")]
)
def test_a_language_we_lack_becomes_english(asked: str, spoken: str) -> None:
    with using_locale(asked):
        assert current_locale() == spoken
    assert current_locale() == "en"


def test_a_language_set_in_one_request_does_not_reach_another() -> None:
    copy_context().run(set_locale, "sw")

    assert current_locale() == "en"
