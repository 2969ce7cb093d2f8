"""The door of the platform's own desk, and what its pages share.

To everybody but the people who run Dukani, and to browsers that are not signed in, there is
nothing at these addresses: 404, not "forbidden".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, flash, g, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.engine import db, platform_session
from app.db.tenancy import PLATFORM_STORE, inside_store
from app.domain.audit.actions import record
from app.domain.errors import NotFound
from app.domain.stores.models import Store
from app.i18n import gettext_lazy as _
from app.web.auth import load_person, open_to
from app.web.tenancy import platform_only

# Says who may open these pages; the blueprint's door makes it so.
for_platform_people = open_to("the people who run Dukani")


@dataclass(frozen=True)
class Page:
    """One line of the menu."""

    key: str
    label: str
    endpoint: str


MENU = (
    Page("home", _("Find a store"), "ops_home.show"),
    Page("jobs", _("Jobs"), "ops_jobs.show"),
    Page("events", _("Provider events"), "ops_events.show"),
    Page("calls", _("Our calls"), "ops_events.calls"),
    Page("limits", _("Limits"), "ops_system.limits"),
    Page("roles", _("Roles"), "ops_system.roles"),
    Page("trail", _("Who did what"), "ops_system.trail"),
)


def ops_desk(name: str, import_name: str, url_prefix: str) -> Blueprint:
    """A blueprint of the platform's desk: on its host, for the people who run it, 404 for others."""
    bp = Blueprint(name, import_name, url_prefix=url_prefix)
    bp.before_request(platform_only)
    bp.before_request(_admins_only)
    bp.context_processor(lambda: {"ops_menu": MENU})
    return bp


def _admins_only() -> None:
    person = load_person()
    if person is None or not person.is_platform_admin:
        abort(404)


def actor() -> str:
    """Who acts, as both audit trails name them."""
    return f"{g.person.name} (Dukani)"


def toast(words: str, *, is_trouble: bool = False) -> None:
    """Say on the next page what was done, or why not."""
    flash({"words": str(words), "undo": None, "fields": {}, "is_trouble": is_trouble}, "toast")  # type: ignore[arg-type]


@contextmanager
def working_in(store_id: int) -> Iterator[Session]:
    """The app's own session inside one store, for one piece of work; nothing open outlives it."""
    with inside_store(store_id):
        try:
            yield db.session()
        finally:
            db.session.remove()


def write_down(action: str, *, subject: str, **detail: Any) -> None:
    """One entry in the platform's own audit trail (store 0)."""
    with working_in(PLATFORM_STORE) as session:
        record(session, action, actor=actor(), subject=subject, **detail)
        session.commit()


def write_down_for_store(store_id: int, action: str, **detail: Any) -> None:
    """One entry in a store's own audit trail, where its owner reads it, and one in the platform's."""
    with working_in(store_id) as session:
        record(session, action, actor=actor(), subject=f"store:{store_id}", **detail)
        session.commit()
    write_down(action, subject=f"store:{store_id}", **detail)


def find_store(store_id: int) -> Store:
    """A store of this platform. Raises NotFound; the platform itself (store 0) is none."""
    with platform_session() as session:
        store = session.get(Store, store_id)
        if store is None or store.id == PLATFORM_STORE:
            raise NotFound
        session.expunge(store)
    return store


def store_names(ids: set[int]) -> dict[int, Store]:
    """The stores with these ids, for lists over all stores."""
    with platform_session() as session:
        stores = session.scalars(select(Store).where(Store.id.in_(ids))).all()
        session.expunge_all()
    return {store.id: store for store in stores}


def store_asked_for() -> tuple[str, int | None]:
    """The ``store`` of the address as typed and its id; None for all of them, -1 for one we do not know."""
    typed = request.args.get("store", "").strip()[:60]
    if not typed:
        return "", None
    with platform_session() as session:
        found = session.scalar(select(Store.id).where(Store.slug == typed.lower()))
    return typed, -1 if found is None else found


def until_asked_for() -> datetime | None:
    """The ``until`` of the address, in microseconds since 1970 (UTC); None when there is none or it is odd."""
    typed = request.args.get("until", "")
    if not (typed.isascii() and typed.isdecimal()) or len(typed) > 16:
        return None
    return datetime.fromtimestamp(int(typed) / 1_000_000, tz=UTC)


def until_of(instant: datetime) -> int:
    """The same instant as an address carries it: microseconds since 1970."""
    return int(instant.timestamp() * 1_000_000)
