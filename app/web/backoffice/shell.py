"""What every desk page has: the menu, its badges, toasts, and who is looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, g, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.orders.queries import waiting_to_give_out, waiting_to_pack
from app.domain.payments.models import PaymentSettings, ReviewItem
from app.domain.people.permissions import can
from app.domain.people.sessions import StoreChoice, stores_of
from app.domain.platform.models import Suspension
from app.domain.platform.suspending import SUSPENDED, current_suspension
from app.i18n import gettext_lazy as _
from app.web.backoffice.words import WORDS
from app.web.tenancy import platform_only

HUES = 24


@dataclass(frozen=True)
class Entry:
    """One line of the menu."""

    key: str
    label: str
    icon: str
    endpoint: str
    permission: str
    is_tab: bool = False


MENU = (
    Entry("today", _("Today"), "home", "office_today.show", "today.see", is_tab=True),
    Entry("orders", _("Orders"), "receipt", "office_orders.show", "orders.see", is_tab=True),
    Entry("dispatch", _("Deliveries"), "rider", "office_dispatch.show", "orders.dispatch", True),
    Entry("run", _("My run"), "rider", "office_run.show", "run.see"),
    Entry("products", _("Products"), "box", "office_products.show", "products.see", is_tab=True),
    Entry("customers", _("Customers"), "person", "office_customers.show", "customers.see"),
    Entry("promotions", _("Promotions"), "tag", "office_promotions.show", "promotions.see"),
    Entry("areas", _("Areas and fees"), "pin", "office_areas.show", "areas.see"),
    Entry("reviews", _("Money to settle"), "wallet", "office_reviews.show", "money.see"),
    Entry(
        "money_keys",
        _("M-Pesa setup"),
        "key",
        "office_money_keys.show",
        "payouts.change",
    ),
)
MENU_END = (
    Entry("team", _("Team"), "people", "office_team.show", "team.see"),
    Entry("settings", _("Settings"), "gear", "office_settings.show", "store.see"),
    Entry("audit", _("Who did what"), "shield", "office_audit.show", "audit.see"),
)


@dataclass(frozen=True)
class Shell:
    """The frame around a desk page, read once per page."""

    menu: list[Entry]
    menu_end: list[Entry]
    badges: dict[str, int]
    is_live: bool
    hue_class: str
    other_stores: list[StoreChoice]

    @property
    def tabs(self) -> list[Entry]:
        """The bottom tabs of a phone; the last one, More, is always there."""
        return [entry for entry in self.menu if entry.is_tab]


def desk(name: str, import_name: str, url_prefix: str) -> Blueprint:
    """A blueprint of the back office: on the platform's host, under one store's address."""
    bp = Blueprint(name, import_name, url_prefix=url_prefix)
    bp.before_request(platform_only)

    @bp.url_defaults
    def _same_store(endpoint: str, values: dict[str, Any]) -> None:
        if "store" not in values and g.get("store") is not None:
            values["store"] = g.store.slug

    bp.context_processor(_for_templates)
    return bp


def actor() -> str:
    """Who acts, as the timeline and the audit trail name them."""
    name = str(g.person.name)
    return f"{name} (Dukani)" if g.get("acting") else name


def may(permission: str) -> bool:
    """Whether the person looking may do this in this store."""
    return can(g.role, permission)


def toast(words: str, *, undo: str | None = None, fields: dict[str, str] | None = None) -> None:
    """Say on the next page what was done; ``undo`` is the address that takes it back by POST."""
    flash({"words": str(words), "undo": undo, "fields": fields or {}}, "toast")  # type: ignore[arg-type]


def trouble(words: str) -> None:
    """Say on the next page what was not done, and why."""
    flash({"words": str(words), "undo": None, "fields": {}, "is_trouble": True}, "toast")  # type: ignore[arg-type]


def badges(session: Session) -> dict[str, int]:
    """How much waits for a person, by menu key."""
    counts = {
        "orders": waiting_to_pack(session) if may("orders.see") else 0,
        "dispatch": waiting_to_give_out(session) if may("orders.dispatch") else 0,
        "reviews": _open_reviews(session) if may("money.see") else 0,
    }
    return {key: count for key, count in counts.items() if count}


def back_or(endpoint: str, **values: Any) -> str:
    """The page of ours that the form named as its way back, else ``endpoint``."""
    wanted = request.form.get("back", "")
    prefixes = (f"/staff/{g.store.slug}/", f"/dash/{g.store.slug}/")
    if wanted.startswith(prefixes) and "\\" not in wanted and "\n" not in wanted:
        return wanted
    return url_for(endpoint, **values)


def _for_templates() -> dict[str, Any]:
    return {"w": WORDS, "may": may, "why_closed": _why_closed, "shell": _shell}


def _why_closed() -> Suspension | None:
    """Why the platform keeps this store closed, for the people who work in it."""
    if g.store.status != SUSPENDED:
        return None
    return current_suspension(db.session(), g.store.id)


def _shell() -> Shell:
    if "shell" not in g:
        hue = round(g.store.colour_hue / (360 / HUES)) % HUES
        g.shell = Shell(
            menu=[entry for entry in MENU if may(entry.permission)],
            menu_end=[entry for entry in MENU_END if may(entry.permission)],
            badges=badges(db.session()),
            is_live=_is_live(db.session()),
            hue_class=f"hue-{hue}",
            other_stores=[one for one in stores_of(g.person.id) if one.store_id != g.store.id],
        )
    shell: Shell = g.shell
    return shell


def _is_live(session: Session) -> bool:
    live = select(PaymentSettings.id).where(
        PaymentSettings.store_id == bound_store(), PaymentSettings.mode == "live"
    )
    return session.scalar(live.limit(1)) is not None


def _open_reviews(session: Session) -> int:
    query = select(func.count()).where(
        ReviewItem.store_id == bound_store(), ReviewItem.status == "open"
    )
    return session.scalar(query) or 0
