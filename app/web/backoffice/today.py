"""The owner's day: what was sold, what waits, what to do next."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, render_template
from flask.typing import ResponseReturnValue

from app.clock import utcnow
from app.db.engine import db
from app.domain.insights.cards import today
from app.domain.messaging.queries import sms_this_month
from app.domain.orders.queries import find_oldest_to_pack
from app.web.auth import require_staff
from app.web.backoffice.home import home_of
from app.web.backoffice.shell import desk, may

bp = desk("office_today", __name__, "/dash/<store>")


@bp.get("/")
@require_staff("door.open")
def show() -> ResponseReturnValue:
    """The day as it stands. Whoever has another home is shown there."""
    if not may("today.see"):
        return redirect(home_of(g.role, g.store.slug), code=303)
    return render_template("backoffice/today.html", **_day())


@bp.get("/today")
@require_staff("today.see")
def part() -> ResponseReturnValue:
    """The changing part of the page, read again each minute."""
    return render_template("backoffice/_today.html", **_day())


def _day() -> dict[str, Any]:
    session = db.session()
    insights = today(session, g.store, utcnow())
    oldest = find_oldest_to_pack(session) if insights.to_pack else None
    return {"insights": insights, "oldest": oldest, "sms": sms_this_month(session, utcnow())}
