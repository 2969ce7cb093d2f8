"""``/trust``: what the shop's own orders say about it. Nobody can write on this page."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.domain.delivery.promises import minutes_words
from app.domain.seo.track_record import ENOUGH, RECORD_DAYS, find_track_record
from app.i18n import current_locale
from app.web.storefront.heads import record_head
from app.web.tenancy import open_store

bp = Blueprint("record", __name__)
bp.before_request(open_store)


@bp.get("/trust")
def show() -> ResponseReturnValue:
    record = find_track_record(db.session(), utcnow())
    response = make_response(
        render_template(
            "storefront/record.html",
            record=record,
            head=record_head(record),
            dispatch=""
            if record.dispatch_minutes is None
            else minutes_words(record.dispatch_minutes),
            enough=ENOUGH,
            days=RECORD_DAYS,
        )
    )
    response.headers["Cache-Control"] = "public, max-age=0, s-maxage=60, must-revalidate"
    response.headers["Content-Language"] = current_locale()
    response.vary.update(("Accept-Language", "Cookie"))
    response.add_etag()
    response.make_conditional(request)
    return response
