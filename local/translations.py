"""``bin/manage translations``: the catalogue against the words of the source as it is now.

``--update`` brings new messages into the catalogue and drops those that nobody says any more;
``--check`` (also the default) lists what is missing and ends with 1 when anything is.
It reads the checkout alone: no server, no settings. The product never imports this.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from app.domain.catalog.kinds import READY, said_in_sets
from app.i18n import TRANSLATIONS_DIR
from local.home import CHECKOUT

CATALOGUE = TRANSLATIONS_DIR / "sw" / "LC_MESSAGES" / "messages.po"

WHERE_WORDS_ARE = [
    ("app/**.py", "python"),
    ("tasks/**.py", "python"),
    ("templates/**.html", "jinja2"),
]
FOLDERS = {pattern.partition("/")[0] for pattern, _ in WHERE_WORDS_ARE}
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_lazy": None, "gettext_noop": None, "ngettext_noop": (1, 2)}
NOTE_TO_TRANSLATORS = "Translators:"

Said = tuple[str, int, str | tuple[str, ...], list[str], str | None]

HEADER = """\
# Dukani in Swahili. How we say things, and what a speaker asked to be changed: docs/swahili.md.
# Entries are in the order of their English. After a change of words in the source:
# bin/manage translations --update, then fill in what it lists.
#"""


def main(options: list[str]) -> int:
    """Print what has no Swahili yet; returns 1 when anything is printed."""
    parser = argparse.ArgumentParser("bin/manage translations", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--update", action="store_true", help="bring the catalogue up to the source")
    which.add_argument("--check", action="store_true", help="only look; the default")
    words = extracted()
    catalogue = read_catalogue()
    if parser.parse_args(options).update:
        catalogue = updated(catalogue, words)
        write_catalogue(catalogue)
    gaps = [*missing(catalogue, words)]
    print(*gaps, f"{len(words)} messages, {len(gaps)} to do", sep="\n")
    return 1 if gaps else 0


def extracted(root: Path = CHECKOUT) -> Catalog:
    """Every message of the source, from Python and from templates."""
    words = Catalog()
    for file, _line, message, comments, context in places_of_words(root):
        words.add(message, None, [(file, None)], auto_comments=comments, context=context)  # type: ignore[list-item]
    for text in said_in_sets() if root == CHECKOUT else ():
        words.add(text, context=READY)
    return words


def places_of_words(root: Path = CHECKOUT) -> Iterator[Said]:
    """Each place that says something: file, line, text (or one and many), comments, context."""
    yield from extract_from_dir(
        root,
        WHERE_WORDS_ARE,
        options_map={"**.html": {"trimmed": "true", "silent": "false"}},
        keywords=KEYWORDS,
        comment_tags=[NOTE_TO_TRANSLATORS],
        strip_comment_tags=True,
        directory_filter=lambda folder: Path(folder).relative_to(root).parts[0] in FOLDERS,
    )


def read_catalogue(path: Path = CATALOGUE) -> Catalog:
    """The Swahili catalogue as it is in the checkout."""
    if not path.exists():
        return Catalog(locale="sw")
    with path.open("rb") as file:
        return read_po(file, locale="sw")


def updated(catalogue: Catalog, words: Catalog) -> Catalog:
    """The catalogue with the messages of the source, no more and no fewer. Nothing is guessed."""
    fresh = Catalog(locale="sw")
    for message in words:
        if message.id:
            known = catalogue.get(message.id, message.context)
            fresh.add(
                message.id,
                known.string if known is not None else None,
                flags=message.flags,
                auto_comments=message.auto_comments,
                user_comments=known.user_comments if known is not None else (),
                context=message.context,
            )
    return fresh


def write_catalogue(catalogue: Catalog, path: Path = CATALOGUE) -> None:
    """Write it so that two people's changes merge: no dates, no line numbers, one line a text."""
    target = io.BytesIO()
    write_po(target, catalogue, width=0, no_location=True, omit_header=True, sort_output=True)
    head = (
        f'{HEADER}\nmsgid ""\nmsgstr ""\n"Language: sw\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head.encode() + target.getvalue())


def missing(catalogue: Catalog, words: Catalog) -> Iterator[str]:
    """Each message that is not there, empty, doubtful, short of a form, or said by nobody now."""
    for message in words:
        if not message.id:
            continue
        known = catalogue.get(message.id, message.context)
        if known is None:
            yield f"new: {_shown(message)}"
        elif known.fuzzy:
            yield f"fuzzy: {_shown(message)}"
        elif not all(forms(known)) or len(forms(known)) != wanted_forms(known, catalogue):
            yield f"empty: {_shown(message)}"
    for message in catalogue:
        if message.id and words.get(message.id, message.context) is None:
            yield f"not said any more: {_shown(message)}"
    for message in catalogue.obsolete.values():
        yield f"obsolete: {_shown(message)}"


def forms(message: Message) -> tuple[str, ...]:
    """The Swahili of a message: one text, or one for each plural form."""
    texts = (message.string,) if isinstance(message.string, str) else message.string
    return tuple(texts or ("",))


def wanted_forms(message: Message, catalogue: Catalog) -> int:
    """How many texts a message needs."""
    return catalogue.num_plurals if message.pluralizable else 1


def _shown(message: Message) -> str:
    text = message.id if isinstance(message.id, str) else message.id[0]
    return f"[{message.context}] {text!r}" if message.context else repr(text)
