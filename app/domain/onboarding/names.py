"""A shop's web name: from its name, whether it can be had, and what to offer when it cannot.

A web name is plain small letters, digits and single hyphens. That rules out names that only
look like another one (other alphabets, ``xn--``) before anything is looked up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.stores.actions import is_usable_slug
from app.domain.stores.models import Domain, Store

LONGEST = 30
OFFERED = 3
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile("['\u2019\u02bc`]")


def web_name_of(name: str) -> str:
    """``Mama Njeri's Café`` → ``mama-njeris-cafe``; empty when nothing of it can be written."""
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", name)).encode("ascii", "ignore")
    slug = _NOT_SLUG.sub("-", plain.decode().lower()).strip("-")
    return slug[:LONGEST].strip("-")


def is_free(session: Session, slug: str, *, host_suffix: str) -> bool:
    """Whether a shop may have this web name now. Through the platform's session."""
    return is_usable_slug(slug) and slug not in _taken(session, [slug], host_suffix)


def free_names(session: Session, wanted: str, *, host_suffix: str) -> list[str]:
    """Up to three web names near the one wanted that can be had."""
    candidates = [slug for slug in _near(web_name_of(wanted) or "duka") if is_usable_slug(slug)]
    taken = _taken(session, candidates, host_suffix)
    return [slug for slug in candidates if slug not in taken][:OFFERED]


def _near(slug: str) -> Iterator[str]:
    yield slug
    for ending in ("nairobi", "ke", "shop"):
        yield f"{slug}-{ending}"
    yield f"duka-{slug}"
    for n in range(2, 10):
        yield f"{slug}-{n}"


def _taken(session: Session, slugs: list[str], host_suffix: str) -> set[str]:
    suffix = host_suffix.partition(":")[0].lower()
    hosts = {slug + suffix: slug for slug in slugs}
    stores = session.scalars(select(Store.slug).where(Store.slug.in_(slugs)))
    domains = session.scalars(select(Domain.host).where(Domain.host.in_(hosts)))
    return {*stores, *(hosts[host] for host in domains)}
