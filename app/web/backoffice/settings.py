"""What the shop says about itself: one screen each for its facts, hours, look and breaks.

Every screen is one form. It saves with htmx or as a plain form, says who changed it last with
a way back, and keeps what was typed when something is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import current_app, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app.addresses import store_url
from app.clock import utcnow
from app.db.engine import db
from app.db.tenancy import bound_store
from app.domain.catalog import queries as catalog
from app.domain.changes.actions import latest_change
from app.domain.changes.models import Change
from app.domain.delivery.queries import WEEKDAYS, area_name
from app.domain.errors import FieldProblem
from app.domain.stores.hosts import canonical_host
from app.domain.stores.settings import ChangedMeanwhile, save_screen
from app.domain.stores.settings_logo import MAX_BYTES, keep_logo
from app.i18n import gettext as _
from app.i18n import gettext_lazy
from app.web.auth import require_staff
from app.web.backoffice.settings_reading import (
    CORNERS,
    DENSITIES,
    LAYOUTS,
    Read,
    hours_of,
    pause_of,
    paying_of,
    percent_words,
    points_of,
    read_hours,
    read_pause,
    read_paying,
    read_points,
    read_shop,
    read_theme,
    shop_of,
    theme_of,
)
from app.web.backoffice.shell import HUES, actor, desk, may, toast
from app.web.htmx import fragment, wants_fragment
from app.web.storefront.words import look_class, weekday_name

bp = desk("office_settings", __name__, "/dash/<store>/settings")


@dataclass(frozen=True)
class Screen:
    """One settings screen: its form is ``_settings_<key>.html``."""

    key: str
    title: str
    about: str
    icon: str

    @property
    def kind(self) -> str:
        return f"settings.{self.key}"


SHOP = Screen(
    "shop",
    gettext_lazy("Shop"),
    gettext_lazy("Name, place, phones, logo, returns, what M-Pesa shows"),
    "store",
)
PAYING = Screen(
    "paying",
    gettext_lazy("Ways to pay"),
    gettext_lazy("M-Pesa, or when it arrives: which are open, and which comes first"),
    "wallet",
)
POINTS = Screen(
    "points",
    gettext_lazy("Points"),
    gettext_lazy("What customers earn with what they bought, and what it is worth at checkout"),
    "tag",
)
HOURS = Screen(
    "hours",
    gettext_lazy("Opening hours"),
    gettext_lazy("Days, times and holidays. Delivery promises follow them"),
    "clock",
)
THEME = Screen(
    "theme",
    gettext_lazy("Look"),
    gettext_lazy("Colour, cards, corners and lists of goods"),
    "box",
)
PAUSE = Screen(
    "pause",
    gettext_lazy("Take a break"),
    gettext_lazy("Shoppers can look but not order, until you are back"),
    "cross",
)
SCREENS = (SHOP, PAYING, POINTS, HOURS, THEME, PAUSE)

DENSITY_WORDS = {"roomy": gettext_lazy("Roomy"), "tight": gettext_lazy("Close together")}
LAYOUT_WORDS = {
    "grid": gettext_lazy("Grid"),
    "list": gettext_lazy("List"),
    "pictures": gettext_lazy("Big pictures"),
}
CORNER_WORDS = {"round": gettext_lazy("Round"), "square": gettext_lazy("Square")}


@bp.url_value_preprocessor
def _allow_a_logo(endpoint: str | None, values: dict[str, Any] | None) -> None:
    # Before anything reads the form; every other page keeps the small limit.
    if endpoint == f"{bp.name}.save_shop":
        request.max_content_length = MAX_BYTES + 256 * 1024


@bp.get("/")
@require_staff("store.see")
def show() -> ResponseReturnValue:
    """Every screen as a card, with who changed it last."""
    session = db.session()
    cards = [(screen, latest_change(session, screen.kind)) for screen in SCREENS]
    others = {
        "areas": latest_change(session, "areas"),
        "pages": _latest_page_change(),
    }
    return render_template(
        "backoffice/settings.html",
        cards=cards,
        others=others,
        is_paused=not g.store.takes_orders(utcnow()),
        shop_url=_shop_url(),
    )


@bp.get("/shop")
@require_staff("store.see")
def shop() -> ResponseReturnValue:
    return _page(SHOP, Read(shop_of(g.store)))


@bp.post("/shop")
@require_staff("store.change")
def save_shop() -> ResponseReturnValue:
    """Save the shop's facts; the logo with them, when a file was chosen."""
    read = read_shop(request.form)
    sent = request.files.get("logo")
    if request.form.get("remove_logo") == "yes":
        read.wanted["logo"] = None
    elif sent is not None and sent.filename:
        try:
            read.wanted["logo"] = keep_logo(
                sent.stream.read(MAX_BYTES + 1),
                media_dir=current_app.config["SETTINGS"].media_dir,
            )
        except FieldProblem as problem:
            read.wrong[problem.field] = str(problem)
    return _save(SHOP, read)


@bp.get("/paying")
@require_staff("store.see")
def paying() -> ResponseReturnValue:
    return _page(PAYING, Read(paying_of(g.store)))


@bp.post("/paying")
@require_staff("store.change")
def save_paying() -> ResponseReturnValue:
    return _save(PAYING, read_paying(request.form))


@bp.get("/points")
@require_staff("store.see")
def points() -> ResponseReturnValue:
    return _page(POINTS, Read(points_of(g.store)))


@bp.post("/points")
@require_staff("store.change")
def save_points() -> ResponseReturnValue:
    return _save(POINTS, read_points(request.form))


@bp.get("/hours")
@require_staff("store.see")
def hours() -> ResponseReturnValue:
    return _page(HOURS, Read(hours_of(g.store)))


@bp.post("/hours")
@require_staff("store.change")
def save_hours() -> ResponseReturnValue:
    """Save the week, or show it with Monday's hours on every day, to be saved then."""
    read = read_hours(request.form)
    if request.form.get("do") == "copy":
        return _answer(HOURS, Read(read.typed), is_dirty=True)
    return _save(HOURS, read)


@bp.get("/theme")
@require_staff("store.see")
def theme() -> ResponseReturnValue:
    return _page(THEME, Read(theme_of(g.store)))


@bp.post("/theme")
@require_staff("store.change")
def save_theme() -> ResponseReturnValue:
    return _save(THEME, read_theme(request.form, g.store))


@bp.get("/theme/preview")
@require_staff("store.see")
def preview_theme() -> ResponseReturnValue:
    """The shop's front page as the choices in the address would make it. Nothing is saved."""
    wanted = read_theme(request.args, g.store).wanted
    page = catalog.home_page(db.session())
    db.session.expunge(g.store)  # what is set below belongs to this answer only
    for column, value in wanted.items():
        setattr(g.store, column, value)
    html = render_template(
        "storefront/home.html",
        page=page,
        fees=[(area_name(area.area), area.fee_cents) for area in page.areas],
        canonical=store_url(page.host),
        look=look_class(g.store),
        preview_words=_("A preview. Nothing is saved yet."),
    )
    return make_response(_unplugged(html, store_url(page.host, "")))


@bp.get("/pause")
@require_staff("store.see")
def pause() -> ResponseReturnValue:
    return _page(PAUSE, Read(pause_of(g.store, utcnow())))


@bp.post("/pause")
@require_staff("store.change")
def save_pause() -> ResponseReturnValue:
    return _save(PAUSE, read_pause(request.form, g.store, utcnow()))


def _save(screen: Screen, read: Read) -> ResponseReturnValue:
    """Save what was read, or show it again beside what is wrong."""
    if read.wrong:
        return _answer(screen, read, is_dirty=True)
    try:
        change = save_screen(
            db.session(),
            screen.kind,
            read.wanted,
            actor=actor(),
            seen=request.form.get("seen"),
        )
    except ChangedMeanwhile as problem:
        db.session.rollback()
        return _answer(screen, read, is_dirty=True, notice=str(problem))
    db.session.commit()
    said_saved(change)
    if not wants_fragment():
        return redirect(url_for(f".{screen.key}"), code=303)
    db.session.refresh(g.store)
    return _answer(screen, Read(_typed_now(screen)))


def said_saved(change: Change | None) -> None:
    """Say that a screen was saved, with its way back; or that there was nothing to save."""
    if change is None:
        toast(_("Nothing to save: it is as it was."))
    else:
        toast(
            _("Saved. Shoppers see it now."),
            undo=url_for("office_changes.undo", change_id=change.id),
        )


def _answer(
    screen: Screen, read: Read, *, is_dirty: bool = False, notice: str = ""
) -> ResponseReturnValue:
    """The form again: a piece for htmx, the whole page without."""
    status = 422 if read.wrong or notice else 200
    facts = _facts(screen, read) | {"is_dirty": is_dirty, "notice": notice}
    if wants_fragment():
        return fragment("backoffice/_settings_answer.html", status=status, **facts)
    return make_response(render_template("backoffice/settings_screen.html", **facts), status)


def _page(screen: Screen, read: Read) -> ResponseReturnValue:
    return render_template("backoffice/settings_screen.html", **_facts(screen, read))


def _facts(screen: Screen, read: Read) -> dict[str, Any]:
    change = latest_change(db.session(), screen.kind)
    return {
        "screen": screen,
        "typed": read.typed,
        "wrong": read.wrong,
        "change": change,
        "seen": change.id if change else "",
        "can_change": may("store.change"),
        "is_dirty": False,
        "notice": "",
        "days": [(day, weekday_name(number)) for number, day in enumerate(WEEKDAYS)],
        "hues": range(HUES),
        "choices": [
            ("density", _("Cards in a list"), [(v, DENSITY_WORDS[v]) for v in DENSITIES]),
            ("home_layout", _("Lists of goods"), [(v, LAYOUT_WORDS[v]) for v in LAYOUTS]),
            ("corners", _("Corners"), [(v, CORNER_WORDS[v]) for v in CORNERS]),
        ],
        "shop_url": _shop_url(),
        "percent": percent_words(g.store),
    }


def _typed_now(screen: Screen) -> dict[str, Any]:
    if screen is PAUSE:
        return pause_of(g.store, utcnow())
    forms = {
        "shop": shop_of,
        "paying": paying_of,
        "points": points_of,
        "hours": hours_of,
        "theme": theme_of,
    }
    return forms[screen.key](g.store)


def _latest_page_change() -> Change | None:
    return db.session.scalar(
        select(Change)
        .where(
            Change.store_id == bound_store(),
            Change.kind.in_(("page", "pages")),
            Change.taken_back_at.is_(None),
        )
        .order_by(Change.at.desc())
        .limit(1)
    )


def _shop_url() -> str:
    """The shop's own address, for looking at what was saved."""
    return store_url(canonical_host(db.session()))


_PLUGS = re.compile(r' hx-[a-z-]+="[^"]*"')
_LINKS = re.compile(r' (href|action)="/(?!static/|media/)')


def _unplugged(html: str, shop: str) -> str:
    """A page of the shop shown on our own host: it fetches nothing, and its links lead to the shop."""
    return _LINKS.sub(rf' \1="{shop}/', _PLUGS.sub("", html))
