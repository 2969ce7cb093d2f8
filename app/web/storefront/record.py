"""``/trust``: what the shop's own orders say about it. Nobody can write on this page."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.domain.delivery.promises import minutes_words
from app.domain.seo.track_record import ENOUGH, RECORD_DAYS, find_track_record
from app.web.public import public
from app.web.storefront.heads import record_head
from app.web.tenancy import open_store

bp = Blueprint("record", __name__)
bp.before_request(open_store)


@bp.get("/trust")
def show() -> ResponseReturnValue:
    record = find_track_record(db.session(), utcnow())
    return public(
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
