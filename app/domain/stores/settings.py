"""What an owner says about the shop, screen by screen: read, saved, taken back.

A screen is a few columns of the store's row. Saving one changes all of them together, keeps
what was there, and marks the public pages as changed, so that they show it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tenancy import bound_store
from app.domain.catalog.actions import touch_content
from app.domain.changes.actions import ChangedSince, latest_change, puts_back, remember
from app.domain.changes.models import Change
from app.domain.errors import DomainError
from app.domain.stores.models import Store
from app.i18n import gettext_lazy as _

SCREENS: dict[str, tuple[str, ...]] = {
    "settings.shop": (
        "name",
        "place",
        "phone",
        "whatsapp",
        "prompt_name",
        "return_days",
        "logo",
        "kra_pin",
        "licence",
        "is_vat_registered",
        "accepts_pickup",
    ),
    "settings.paying": ("accepts_mpesa", "accepts_pay_on_delivery", "pay_first"),
    "settings.points": ("gives_points", "goods_per_point_cents", "point_worth_cents"),
    "settings.hours": ("opening_hours", "holidays"),
    "settings.theme": ("colour_hue", "density", "home_layout", "corners"),
    "settings.pause": ("status", "paused_words", "paused_until"),
}
"""The columns of the store's row that each screen saves."""


class ChangedMeanwhile(DomainError):
    """Somebody saved the same screen after this person opened it."""

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(
            _(
                "%(who)s saved this screen meanwhile. Nothing of yours was saved yet: look at "
                "what is there now, then save again.",
                who=who,
            )
        )


def values_of(store: Store, screen: str) -> dict[str, Any]:
    """What stands on a screen now, as JSON would hold it; moments as ISO text in UTC."""
    return {column: _plain(getattr(store, column)) for column in SCREENS[screen]}


def save_screen(
    session: Session, screen: str, wanted: Mapping[str, Any], *, actor: str, seen: str | None = None
) -> Change | None:
    """Save one screen's columns, already checked. Returns None when nothing differs.

    ``seen`` is the id of the last change that the person's page showed, empty for none.
    Raises ChangedMeanwhile when that is no longer the last one. Does not commit.
    """
    store = _locked(session)
    if seen is not None:
        check_seen(session, screen, seen)
    before = values_of(store, screen)
    for column in SCREENS[screen]:
        if column in wanted and _plain(wanted[column]) != before[column]:
            setattr(store, column, wanted[column])
    after = values_of(store, screen)
    if after == before:
        return None
    touch_content(session)
    return remember(session, screen, actor=actor, before=before, after=after)


def check_seen(session: Session, kind: str, seen: str, *, subject: str = "") -> None:
    """Raise ChangedMeanwhile when the last change is not the one the person's page showed."""
    last = latest_change(session, kind, subject=subject)
    if last is not None and str(last.id) != seen:
        raise ChangedMeanwhile(last.actor)


def _put_back(session: Session, change: Change) -> None:
    store = _locked(session)
    if values_of(store, change.kind) != change.after:
        raise ChangedSince
    for column, value in change.before.items():
        if column == "paused_until" and value is not None:
            value = datetime.fromisoformat(value)
        setattr(store, column, value)
    touch_content(session)


for _screen in SCREENS:
    puts_back(_screen)(_put_back)


def _locked(session: Session) -> Store:
    return session.scalars(
        select(Store)
        .where(Store.id == bound_store())
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
