"""Pages for the places a store delivers to: true fee, true time, goods that are there now."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from app.clock import business_day, utcnow
from app.db.engine import db
from app.domain.catalog.queries import find_moved_category
from app.domain.delivery.promises import minutes_words, time_words
from app.domain.errors import NotFound
from app.domain.insights.cards import weekday_name
from app.domain.seo.area_pages import AreaPage, area_list, get_area_page
from app.i18n import gettext as _
from app.web.public import public
from app.web.storefront.browse import moved_to
from app.web.storefront.heads import area_head, areas_head, truth_words
from app.web.tenancy import open_store

bp = Blueprint("areas", __name__, url_prefix="/areas")
bp.before_request(open_store)


@bp.get("")
def index() -> ResponseReturnValue:
    page = area_list(db.session(), utcnow())
    return _public("storefront/areas.html", lines=page.lines, head=areas_head(page))


@bp.get("/<slug:area>")
def show(area: str) -> ResponseReturnValue:
    return _page(area, None)


@bp.get("/<slug:area>/<slug:category>")
def show_category(area: str, category: str) -> ResponseReturnValue:
    """One category in one area. The category's old addresses lead to the one it has now."""
    try:
        return _page(area, category)
    except NotFound:
        moved = find_moved_category(db.session(), category)
        if moved is None:
            raise
        return moved_to(f"/areas/{area}/{moved}")


def _page(area: str, category: str | None) -> ResponseReturnValue:
    now = utcnow()
    page = get_area_page(db.session(), g.store, area, category, now)
    return _public(
        "storefront/area.html",
        page=page,
        head=area_head(page),
        headline=headline(page, business_day(now)),
        when=when_words(page, business_day(now)),
        is_today=page.promise.day == business_day(now),
        by=time_words(page.promise.by),
        order_by=time_words(page.order_by),
        truth=truth_words(page),
        usual=minutes_words(page.truth.usual_minutes) if page.truth else "",
    )


def _public(template: str, **context: object) -> ResponseReturnValue:
    return public(render_template(template, **context))


def headline(page: AreaPage, today: date) -> str:
    """The page's promise, true now: after the cut-off it says tomorrow."""
    goods = page.category_name or _("Everything we sell,")
    return _(
        "%(goods)s delivered to %(area)s %(when)s",
        goods=goods,
        area=page.area.name,
        when=when_words(page, today),
    )


def when_words(page: AreaPage, today: date) -> str:
    """today, tomorrow, or on Monday."""
    days = (page.promise.day - today).days
    if days <= 0:
        return _("today")
    return _("tomorrow") if days == 1 else _("on %(day)s", day=weekday_name(page.promise.day))
