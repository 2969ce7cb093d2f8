"""Pages for the places a store delivers to: true fee, true time, goods that are there now."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, g, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.addresses import store_url
from app.clock import business_day, utcnow
from app.db.engine import db
from app.domain.delivery.promises import minutes_words, time_words
from app.domain.insights.cards import weekday_name
from app.domain.seo.area_pages import AreaPage, area_list, get_area_page
from app.domain.seo.structured import breadcrumb_data
from app.i18n import current_locale, ngettext
from app.i18n import gettext as _
from app.money import format_kes
from app.web.storefront.seo import base_url
from app.web.tenancy import open_store

bp = Blueprint("areas", __name__, url_prefix="/areas")
bp.before_request(open_store)


@bp.get("")
def index() -> ResponseReturnValue:
    lines = area_list(db.session(), utcnow())
    return _public("storefront/areas.html", lines=lines, url=f"{base_url()}/areas")


@bp.get("/<slug:area>")
def show(area: str) -> ResponseReturnValue:
    return _page(area, None)


@bp.get("/<slug:area>/<slug:category>")
def show_category(area: str, category: str) -> ResponseReturnValue:
    return _page(area, category)


def _page(area: str, category: str | None) -> ResponseReturnValue:
    now = utcnow()
    page = get_area_page(db.session(), g.store, area, category, now)
    base = store_url(page.host, "")
    path = f"/areas/{area}" + (f"/{category}" if category else "")
    steps = [(g.store.name, f"{base}/"), (page.area.name, f"{base}/areas/{area}")]
    if page.category_name:
        steps.append((page.category_name, base + path))
    return _public(
        "storefront/area.html",
        page=page,
        url=base + path,
        base_url=base,
        headline=headline(page, business_day(now)),
        description=description(page),
        when=when_words(page, business_day(now)),
        is_today=page.promise.day == business_day(now),
        by=time_words(page.promise.by),
        order_by=time_words(page.order_by),
        usual=minutes_words(page.truth.usual_minutes) if page.truth else "",
        crumbs=breadcrumb_data(steps),
    )


def _public(template: str, **context: object) -> ResponseReturnValue:
    """A page that is the same for everybody; kept a minute, because "today" ends at the cut-off."""
    response = make_response(render_template(template, **context))
    response.headers["Cache-Control"] = "public, max-age=0, s-maxage=60, must-revalidate"
    response.headers["Content-Language"] = current_locale()
    response.vary.update(("Accept-Language", "Cookie"))
    response.add_etag()
    return response.make_conditional(request)


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


def description(page: AreaPage) -> str:
    """Two sentences for a list of search results, without anything that is only true today."""
    goods = ngettext("%(n)s product", "%(n)s products", page.in_stock)
    first = _(
        "%(goods)s in stock from %(price)s.", goods=goods, price=format_kes(page.lowest_cents)
    )
    return " ".join(
        [
            first if not page.category_name else f"{page.category_name}: {first}",
            _(
                "Delivery to %(area)s costs %(fee)s. Order by %(time)s to get it the same day.",
                area=page.area.name,
                fee=format_kes(page.fee_cents),
                time=time_words(page.order_by),
            ),
        ]
    )
