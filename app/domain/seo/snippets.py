"""The two lines a search result shows, made of facts and cut where people would stop reading."""

from __future__ import annotations

import re

MOST_TITLE = 60
MOST_DESCRIPTION = 155
BETWEEN = " · "
_SPACES = re.compile(r"[ \t\r\n]+")  # a no-break space keeps an amount together


def title_of(name: str, *facts: str) -> str:
    """The name and as many of the facts, in their order, as 60 letters hold."""
    title = shortened(name, MOST_TITLE)
    for fact in facts:
        if fact and len(title) + len(BETWEEN) + len(fact) <= MOST_TITLE:
            title += BETWEEN + fact
    return title


def description_of(*sentences: str) -> str:
    """As many of the sentences, in their order, as 155 letters hold; the first is cut to fit."""
    words = shortened(sentences[0], MOST_DESCRIPTION)
    for sentence in sentences[1:]:
        if sentence and len(words) + 1 + len(sentence) <= MOST_DESCRIPTION:
            words = f"{words} {sentence}".strip()
    return words


def shortened(text: str, most: int) -> str:
    """The text on one line, cut between words with … where it is longer than ``most`` letters."""
    text = " ".join(_SPACES.split(text.strip()))
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    whole_words = cut.rpartition(" ")[0]
    return (whole_words if len(whole_words) > most // 2 else cut).rstrip(" ,;:-–") + "…"
