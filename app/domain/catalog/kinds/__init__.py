"""Ready sets of categories for each kind of shop: attributes, filters, size charts, returns, photos.

The sets are the files beside this one. ``apply_kind`` puts one into a store and never takes
anything from it: what the store has changed since stays as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.audit.actions import record
from app.domain.catalog.actions import touch_content
from app.domain.catalog.models import Category
from app.i18n import pgettext

FOLDER = Path(__file__).parent
KINDS = ("electronics", "fashion", "watches", "home", "mixed")

READY = "ready set"
"""The context of a ready set's words in the catalogue: a shop may say "Open" and mean another thing."""

_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_WORD = re.compile(r"[A-Za-z][a-z]{2}")


class UnknownKind(ValueError):
    """There is no ready set of this name."""


def in_words(text: str) -> str:
    """A word of a ready set in the reader's language; a shop's own word as the shop wrote it."""
    return pgettext(READY, text) if text else text


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One thing that a category's goods differ in.

    With ``choices`` it is picked from a list, with ``unit`` it is a number of that unit, else
    it is text. ``is_option`` means that one product may be sold in several of them.
    """

    key: str
    name: str
    choices: tuple[str, ...] = ()
    unit: str = ""
    is_filter: bool = True
    is_option: bool = False

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Attribute:
        """Read what ``as_json`` wrote."""
        return cls(
            key=str(saved["key"]),
            name=str(saved["name"]),
            choices=tuple(map(str, saved.get("choices", ()))),
            unit=str(saved.get("unit", "")),
            is_filter=bool(saved.get("is_filter", True)),
            is_option=bool(saved.get("is_option", False)),
        )

    def as_json(self) -> dict[str, Any]:
        """The form it is kept in, on its category."""
        return {
            "key": self.key,
            "name": self.name,
            "choices": list(self.choices),
            "unit": self.unit,
            "is_filter": self.is_filter,
            "is_option": self.is_option,
        }


@dataclass(frozen=True, kw_only=True)
class ReadyCategory:
    """A category as a ready set has it. ``under`` is the slug of the one above it."""

    slug: str
    name: str
    under: str | None
    attributes: tuple[Attribute, ...]
    size_chart: tuple[tuple[str, ...], ...]
    return_days: int
    return_note: str
    photo_guide: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of shop: its name for people, how to photograph its goods, its categories."""

    key: str
    name: str
    photo_guide: tuple[str, ...]
    return_days: int
    return_note: str
    categories: tuple[ReadyCategory, ...] = field(default=())


@dataclass(frozen=True)
class AppliedKind:
    """What a ready set did: slugs of categories made, and of those that were there already."""

    made: tuple[str, ...]
    kept: tuple[str, ...]


@cache
def ready_set(kind: str) -> Kind:
    """The ready set of a kind of shop. Raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(kind)
    raw = tomllib.loads((FOLDER / f"{kind}.toml").read_text(encoding="utf-8"))
    attributes = {
        key: Attribute.from_json({"key": key, "is_filter": bool(facts.get("choices"))} | facts)
        for key, facts in raw.get("attributes", {}).items()
    }
    categories = [_category(raw, attributes, each) for each in raw.get("categories", ())]
    for other, slugs in raw.get("includes", {}).items():
        borrowed = {ready.slug: ready for ready in ready_set(other).categories}
        categories += [borrowed[slug] for slug in slugs]
    return Kind(
        key=kind,
        name=str(raw["name"]),
        photo_guide=tuple(raw["photo_guide"]),
        return_days=int(raw["returns"]["days"]),
        return_note=str(raw["returns"]["note"]),
        categories=tuple(categories),
    )


def said_in_sets() -> set[str]:
    """Every word of the ready sets that is a word and not a size."""
    said: set[str] = set()
    for kind in map(ready_set, KINDS):
        said |= {kind.name, kind.return_note, *kind.photo_guide}
        for category in kind.categories:
            said |= {category.name, category.return_note, *category.photo_guide}
            said |= {*chain.from_iterable(category.size_chart[:1])}
            for attribute in category.attributes:
                said |= {attribute.name, attribute.unit, *attribute.choices}
    return {text for text in said if _WORD.search(text)}


def apply_kind(session: Session, kind: str, *, actor: str) -> AppliedKind:
    """Give the store the ready categories of its kind. Doing it twice changes nothing.

    A category that the store has already (by its slug) keeps its name and whatever it says
    about its goods; only what it leaves empty is filled. Flushes and does not commit. Raises
    UnknownKind.
    """
    ready = ready_set(kind)
    had = {c.slug: c for c in session.scalars(_of_store())}
    categories = dict(had)
    position = session.scalar(
        select(func.coalesce(func.max(Category.position), 0)).where(
            Category.store_id == bound_store()
        )
    )
    filled = False
    for each in ready.categories:
        category = categories.get(each.slug)
        if category is None:
            position = (position or 0) + 1
            category = Category(slug=each.slug, name=each.name, position=position)
            session.add(category)
            categories[each.slug] = category
            session.flush()
        filled = _fill(category, each, categories, is_new=each.slug not in had) or filled
    session.flush()
    made = tuple(slug for slug in categories if slug not in had)
    kept = tuple(each.slug for each in ready.categories if each.slug in had)
    if made or filled:
        touch_content(session)
        record(session, "kind.applied", actor=actor, subject=f"kind:{kind}", made=list(made))
    return AppliedKind(made, kept)


def attributes_of(category: Category | None) -> list[Attribute]:
    """What a category asks of its goods, in order; nothing for none."""
    return [Attribute.from_json(saved) for saved in category.attributes] if category else []


def _of_store() -> Any:
    return select(Category).where(Category.store_id == bound_store())


def _fill(
    category: Category, ready: ReadyCategory, known: Mapping[str, Category], *, is_new: bool
) -> bool:
    """Write what the category leaves empty. Returns whether anything was."""
    facts: dict[str, Any] = {
        "attributes": [attribute.as_json() for attribute in ready.attributes],
        "size_chart": [list(row) for row in ready.size_chart],
        "photo_guide": list(ready.photo_guide),
    }
    if is_new:
        facts |= {"return_days": ready.return_days, "return_note": ready.return_note}
        if ready.under and ready.under in known:
            category.parent_id = known[ready.under].id
    news = {name: value for name, value in facts.items() if value and not getattr(category, name)}
    if is_new:
        news["return_days"] = ready.return_days
    for name, value in news.items():
        setattr(category, name, value)
    return bool(news)


def _category(
    raw: Mapping[str, Any], attributes: Mapping[str, Attribute], each: Mapping[str, Any]
) -> ReadyCategory:
    chart = raw.get("size_charts", {}).get(each.get("size_chart", ""), ())
    return ReadyCategory(
        slug=each.get("slug") or _NOT_SLUG.sub("-", each["name"].lower()).strip("-"),
        name=each["name"],
        under=each.get("under"),
        attributes=tuple(attributes[key] for key in each["attributes"]),
        size_chart=_rows(chart),
        return_days=int(each.get("return_days", raw["returns"]["days"])),
        return_note=str(each.get("return_note", raw["returns"]["note"])),
        photo_guide=tuple(each.get("photo_guide", raw["photo_guide"])),
    )


def _rows(chart: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, row)) for row in chart)
